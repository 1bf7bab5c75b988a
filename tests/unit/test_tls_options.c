/* SPDX-License-Identifier: ISC */
/*
 * test_tls_options.c - the request as libcurl sends it: nothing that the
 * exchange does not say, and nothing of the exchange before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "exchange.h"
#include "upstream/tls_exchange.h"

static const struct {
    const char *name;
    const char *method;
    const char *query;
    size_t header_count;
    int64_t length;
    const char *whole;
    const char *want;
} rows[] = {
    {"all headers", "GET", "a=b", 2, 0, NULL,
     "GET /g?a=b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
     "Authorization: Bearer secret\r\nAccept: a/b\r\n\r\n"},
    {"nothing of the last one", "GET", NULL, 0, 0, NULL,
     "GET /g HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"},
    {"body in memory", "POST", NULL, 0, 4, "body",
     "POST /g HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
     "Content-Length: 4\r\n\r\nbody"},
    {"no body", "POST", NULL, 0, 0, NULL,
     "POST /g HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
     "Content-Length: 0\r\n\r\n"},
};

static void
test_requests(void **state)
{
    const struct http_header headers[] = {
        {PST_STR("Authorization"), PST_STR("Bearer secret")},
        {PST_STR("Accept"), PST_STR("a/b")},
    };
    struct http_client_options options = {.connect_timeout = 5,
                                          .first_byte_timeout = 5,
                                          .between_bytes_timeout = 5};
    struct tls_session *session;
    struct http_target target;
    struct http_error error;
    char url[64];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        /* The whole request is read: an early answer would end it. */
        const struct step script[] = {
            {ACCEPT, NULL, 0},
            {READ_TEXT, rows[i].whole ? rows[i].whole : "\r\n\r\n", 0},
            {SEND, OK_HEAD "{}", 0},
            {DRAIN, NULL, 0},
            {END, NULL, 0},
        };
        struct http_exchange what = exchange(rows[i].method, rows[i].length);

        server_start(&server, script);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/g", server.port);
        options.url = pst_str_from(url);
        assert_int_equal(http_target_init(&target, &options), PST_OK);
        assert_int_equal(tls_session_start(target.url), PST_OK);
        session = tls_session_new(&target);
        what.headers = headers;
        client_init();
        if (rows[i].query)
            what.query = pst_str_from(rows[i].query);
        what.header_count = rows[i].header_count;
        if (rows[i].whole)
            what.whole_body = pst_str_from(rows[i].whole);
        check_err(rows[i].name, tls_exchange_run(session, arena, &what, &error),
                  PST_OK);
        tls_session_free(&session);
        server_join(&server);
        http_target_fini(&target);
        check_got(rows[i].name, rows[i].want);
        server_free(&server);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests),
    };

    return RUN_TESTS(tests);
}
