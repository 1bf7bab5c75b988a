/* SPDX-License-Identifier: ISC */
/*
 * test_request_origin.c - our own origin, from the variables or configured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "requests.h"
#include "server/request_origin.h"

/* A web server's variables; the last element is the NULL. */
static const char *const usual[] = {"REQUEST_METHOD=GET",
                                    "SERVER_NAME=shop.example", NULL};

/* L51: the origin in lower case. In each row: scheme, name, port, Host; and the
 * origin, NULL for absent. */
static void
test_own_origin(void **state)
{
    static const struct {
        const char *scheme;
        const char *name;
        const char *port;
        const char *host;
        const char *want;
    } rows[] = {
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80", "", "http://a.example"},
        {"HTTPS=on", "SERVER_NAME=a.example", "SERVER_PORT=443", "",
         "https://a.example"},
        {"HTTPS=1", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "https://a.example:80"},
        {"HTTPS=ON", "SERVER_NAME=a.example", "SERVER_PORT=443", "",
         "https://a.example"},
        {"HTTPS=off", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "http://a.example"},
        {"HTTPS=", "SERVER_NAME=a.example", "SERVER_PORT=443", "",
         "http://a.example:443"},
        {"REQUEST_SCHEME=https", "SERVER_NAME=a.example", "SERVER_PORT=8443",
         "", "https://a.example:8443"},
        {"REQUEST_SCHEME=http", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "http://a.example"},
        {"REQUEST_SCHEME=gopher", "SERVER_NAME=a.example", "SERVER_PORT=80", "",
         "http://a.example"},
        /* A port that is mapped: only the browser knows it. */
        {"", "SERVER_NAME=localhost", "SERVER_PORT=80",
         "HTTP_HOST=localhost:8080", "http://localhost:8080"},
        {"", "SERVER_NAME=localhost", "SERVER_PORT=8080", "HTTP_HOST=localhost",
         "http://localhost"},
        {"HTTPS=on", "SERVER_NAME=a.example", "SERVER_PORT=8443",
         "HTTP_HOST=a.example", "https://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=81",
         "HTTP_HOST=A.Example:", "http://a.example"},
        {"", "SERVER_NAME=a.example", "", "HTTP_HOST=a.example:99",
         "http://a.example:99"},
        /* Host is not SERVER_NAME, and is not used. */
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=evil.example:99", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example.evil:99", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80", "HTTP_HOST=a.example:0",
         "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example:65536", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example:8x", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=a.example:1:2", "http://a.example"},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=80",
         "HTTP_HOST=", "http://a.example"},
        /* IPv6 literals, with and without brackets. */
        {"", "SERVER_NAME=::1", "SERVER_PORT=80", "", "http://[::1]"},
        {"", "SERVER_NAME=[::1]", "SERVER_PORT=81", "", "http://[::1]:81"},
        {"", "SERVER_NAME=[2001:DB8::a]", "SERVER_PORT=80",
         "HTTP_HOST=[2001:db8::A]:8080", "http://[2001:db8::a]:8080"},
        {"", "SERVER_NAME=2001:db8::a", "SERVER_PORT=80",
         "HTTP_HOST=[2001:db8::a]", "http://[2001:db8::a]"},
        {"", "SERVER_NAME=::1", "SERVER_PORT=80", "HTTP_HOST=[::1",
         "http://[::1]"},
        {"", "SERVER_NAME=::1", "SERVER_PORT=80", "HTTP_HOST=[::1]x",
         "http://[::1]"},
        {"", "SERVER_NAME=Shop.EXAMPLE", "SERVER_PORT=80", "",
         "http://shop.example"},
        /* It is unknown. */
        {"", "SERVER_NAME=", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=[]", "SERVER_PORT=80", "", NULL},
        {"", "", "SERVER_PORT=80", "HTTP_HOST=a.example", NULL},
        {"", "SERVER_NAME=a.example", "", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=0", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=65536", "", NULL},
        {"", "SERVER_NAME=a.example", "SERVER_PORT=-1", "", NULL},
        {"", "SERVER_NAME=a/b", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=a b", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=a@b", "SERVER_PORT=80", "", NULL},
        {"", "SERVER_NAME=::zz", "SERVER_PORT=80", "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=GET", rows[i].scheme,
                                   rows[i].name,         rows[i].port,
                                   rows[i].host,         NULL};
        struct source source = {.step = 0};
        struct request req;
        char row[200];

        (void)snprintf(row, sizeof(row), "%s %s %s %s", rows[i].scheme,
                       rows[i].name, rows[i].port, rows[i].host);
        check_err(row, init(&req, variables, &source), PST_OK);
        check_text(row, request_own_origin(&req, PST_STR_NONE),
                   pst_str_from(rows[i].want));
    }
}

static void
test_own_origin_configured(void **state)
{
    struct source source = {.step = 0};
    struct request req;
    char name[400] = "SERVER_NAME=";
    const char *variables[] = {"REQUEST_METHOD=GET", name, "SERVER_PORT=80",
                               NULL};

    (void)state;
    assert_int_equal(init(&req, usual, &source), PST_OK);
    check_text("configured",
               request_own_origin(&req, PST_STR("https://b.example")),
               PST_STR("https://b.example"));
    check_text("not canonical",
               request_own_origin(&req, PST_STR("https://b.example/")),
               PST_STR_NONE);
    /* Longer than any name can be. */
    memset(name + 12, 'a', sizeof(name) - 13);
    assert_int_equal(init(&req, variables, &source), PST_OK);
    check_text("long", request_own_origin(&req, PST_STR_NONE), PST_STR_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_own_origin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_origin_configured, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("request_origin", tests, NULL, NULL);
}
