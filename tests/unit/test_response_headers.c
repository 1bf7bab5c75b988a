/* SPDX-License-Identifier: ISC */
/*
 * test_response_headers.c - headers that are set, replaced, and refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "responses.h"

/* Names are sent as given. A later value replaces an earlier one. */
static void
test_set(void **state)
{
    struct response res;

    (void)state;
    init(&res);
    assert_int_equal(response_try_set_header(
                         &res, PST_STR("vendure-auth-token"), PST_STR("")),
                     PST_OK);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("X-Word"), PST_STR("old")),
        PST_OK);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("ETag"), PST_STR("\"x\"")),
        PST_OK);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("x-word"), PST_STR("new")),
        PST_OK);
    assert_int_equal(response_try_set_header(&res, PST_STR("cache-control"),
                                             PST_STR("max-age=1")),
                     PST_OK);
    check_text("get", response_get_header(&res, PST_STR("X-WORD")),
               PST_STR("new"));
    check_text("empty",
               response_get_header(&res, PST_STR("Vendure-Auth-Token")),
               PST_STR(""));
    check_text("none", response_get_header(&res, PST_STR("X-Wor")),
               PST_STR_NONE);
    response_remove_header(&res, PST_STR("x-content-TYPE-options"));
    response_remove_header(&res, PST_STR("X-Not-There"));
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("set", "Status: 200 OK\r\ncache-control: max-age=1\r\n"
                     "Cross-Origin-Resource-Policy: same-origin\r\n"
                     "vendure-auth-token: \r\nx-word: new\r\n"
                     "ETag: \"x\"\r\n\r\n");
}

/* R37, L30: several cookies, but one Set-Cookie for each cookie, with the last
 * value. No other function sets Set-Cookie. */
static void
test_cookies(void **state)
{
    char line[] = "a=1; Path=/";
    struct response res;

    (void)state;
    init(&res);
    response_set_cookie(&res, (struct pst_str){line, sizeof(line) - 1});
    memset(line, 'x', sizeof(line) - 1);
    response_set_cookie(&res, PST_STR("b=1; Path=/"));
    response_set_cookie(&res, PST_STR("a=2; Path=/; Partitioned"));
    response_set_cookie(&res, PST_STR("a=3; Path=/x"));
    response_set_cookie(&res, PST_STR("a=4; Max-Age=0; Path=/"));
    assert_int_equal(response_try_set_header(&res, PST_STR("set-cookie"),
                                             PST_STR("a=5; Path=/")),
                     PST_MALFORMED);
    assert_int_equal(response_begin(&res), PST_OK);
    check_out("cookies",
              "Status: 200 OK\r\n" DEFAULTS "Set-Cookie: b=1; Path=/\r\n"
              "Set-Cookie: a=2; Path=/; Partitioned\r\n"
              "Set-Cookie: a=3; Path=/x\r\n"
              "Set-Cookie: a=4; Max-Age=0; Path=/\r\n\r\n");
    /* response_begin() returns the error of a header that cannot be set. */
    init(&res);
    response_set_cookie(&res, PST_STR("a=1\r\nX: y"));
    assert_int_equal(response_begin(&res), PST_MALFORMED);
    init(&res);
    pst_arena_fail_at(res.arena, 1);
    response_set_cookie(&res, PST_STR("a=1"));
    assert_int_equal(response_begin(&res), PST_NO_MEMORY);
    init(&res);
    for (unsigned i = 0; i < RESPONSE_HEADERS_MAX; i++) {
        char name[8];

        snprintf(name, sizeof(name), "n%u=", i);
        response_set_cookie(&res, pst_str_from(name));
    }
    assert_int_equal(response_begin(&res), PST_TOO_LARGE);
}

/* What is set is copied: the caller may reuse its storage. */
static void
test_set_copies(void **state)
{
    char name[] = "X-Name";
    char value[] = "value";
    struct response res;

    (void)state;
    init(&res);
    assert_int_equal(
        response_try_set_header(&res, pst_str_from(name), pst_str_from(value)),
        PST_OK);
    memset(name, '!', sizeof(name) - 1);
    memset(value, '!', sizeof(value) - 1);
    check_text("copied", response_get_header(&res, PST_STR("x-name")),
               PST_STR("value"));
}

/* R58: no byte that could end a line, at any place in a name or a value. */
static void
test_control_bytes(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool value_ok = c == '\t' || (c >= 0x20 && c != 0x7F);
        bool name_ok = pst_is_alpha((char)c) || pst_is_digit((char)c) ||
                       (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);

        for (size_t at = 0; at < 3; at++) {
            char text[] = "aaa";
            char row[32];
            struct response res;

            (void)snprintf(row, sizeof(row), "byte %02x at %zu", c, at);
            text[at] = (char)c;
            init(&res);
            check_err(row,
                      response_try_set_header(&res, PST_STR("X"),
                                              (struct pst_str){text, 3}),
                      value_ok ? PST_OK : PST_MALFORMED);
            check_err(row,
                      response_try_set_header(&res, (struct pst_str){text, 3},
                                              PST_STR("v")),
                      name_ok ? PST_OK : PST_MALFORMED);
            assert_int_equal(res.header_count, DEFAULT_COUNT +
                                                   (size_t)value_ok +
                                                   (size_t)name_ok);
        }
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct pst_str header;
        struct pst_str value;
    } rows[] = {
        {"no name", {"", 0}, {"v", 1}},
        {"absent name", {NULL, 0}, {"v", 1}},
        {"absent value", {"X", 1}, {NULL, 0}},
        {"colon", {"X:", 2}, {"v", 1}},
        {"two lines", {"X", 1}, {"v\r\nSet-Cookie: a=b", 18}},
        {"server's word", {"sTATUS", 6}, {"200 OK", 6}},
        {"L14: a way round", {"location", 8}, {"https://evil.example", 20}},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response res;

        init(&res);
        check_err(rows[i].name,
                  response_try_set_header(&res, rows[i].header, rows[i].value),
                  PST_MALFORMED);
        assert_int_equal(res.header_count, DEFAULT_COUNT);
        assert_int_equal(res.deferred_error, PST_OK);
        response_set_header(&res, rows[i].header, rows[i].value);
        response_set_header(&res, PST_STR("X-Good"), PST_STR("after it"));
        check_err(rows[i].name, response_begin(&res), PST_MALFORMED);
        assert_int_equal(sink.writes, 0);
        assert_false(res.begun);
    }
}

static void
test_limits(void **state)
{
    static char big[PST_HEADERS_MAX + 1];
    const size_t most = PST_HEADERS_MAX - strlen("X: \r\n") - strlen(DEFAULTS);
    struct response res;
    char name[16];

    (void)state;
    memset(big, 'v', sizeof(big));
    init(&res);
    assert_int_equal(response_try_set_header(&res, PST_STR("X"),
                                             (struct pst_str){big, most + 1}),
                     PST_TOO_LARGE);
    assert_int_equal(response_try_set_header(&res, PST_STR("X"),
                                             (struct pst_str){big, most}),
                     PST_OK);
    assert_int_equal(response_try_set_header(&res, PST_STR("Y"), PST_STR("")),
                     PST_TOO_LARGE);
    /* The same name again is a replacement, and fits. */
    assert_int_equal(response_try_set_header(&res, PST_STR("x"),
                                             (struct pst_str){big, most}),
                     PST_OK);
    assert_int_equal(response_begin(&res), PST_OK);

    init(&res);
    for (size_t i = DEFAULT_COUNT; i < RESPONSE_HEADERS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "X-%zu", i);
        assert_int_equal(
            response_try_set_header(&res, pst_str_from(name), PST_STR("v")),
            PST_OK);
    }
    assert_int_equal(
        response_try_set_header(&res, PST_STR("One-More"), PST_STR("v")),
        PST_TOO_LARGE);
    assert_int_equal(
        response_try_set_header(&res, PST_STR("x-9"), PST_STR("w")), PST_OK);
}

static void
test_no_memory(void **state)
{
    struct response res;

    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        init(&res);
        pst_arena_fail_at(arena, n);
        assert_int_equal(
            response_try_set_header(&res, PST_STR("X"), PST_STR("v")),
            PST_NO_MEMORY);
        assert_int_equal(res.header_count, DEFAULT_COUNT);
        /* A response that uses no arena memory is still sent. */
        assert_int_equal(response_send_json(&res, 503, PST_STR("{}")), PST_OK);
        check_out("spent", "Status: 503 Service Unavailable\r\n" DEFAULTS
                           "Content-Type: application/json; charset=utf-8\r\n"
                           "Content-Length: 2\r\n\r\n{}");
    }
}

static void
test_vary(void **state)
{
    static const struct {
        const char *name;
        const char *first;
        const char *second;
        const char *third;
        const char *want; /* NULL: absent */
    } rows[] = {
        {"one", "Origin", "", "", "Origin"},
        {"merged", "Origin, Cookie", "Accept", "", "Origin, Cookie, Accept"},
        {"each once", "Origin", "ORIGIN,Cookie", "cookie , origin",
         "Origin, Cookie"},
        {"star swallows", "Origin", "*", "Cookie", "*"},
        {"star among", "Origin", "Accept, *, Cookie", "", "*"},
        {"nothing", "", "", "", NULL},
        {"only commas", ", ,", "\t", "", NULL},
        {"no tokens left out", "Ori:gin, Cookie", "a\rb", "\x01", "Cookie"},
        {"a part is not the whole", "Cookie2", "Cookie", "", "Cookie2, Cookie"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct response res;

        init(&res);
        response_add_vary(&res, pst_str_from(rows[i].first));
        response_add_vary(&res, pst_str_from(rows[i].second));
        response_add_vary(&res, pst_str_from(rows[i].third));
        check_text(rows[i].name, response_get_header(&res, PST_STR("Vary")),
                   pst_str_from(rows[i].want));
        check_err(rows[i].name, response_begin(&res), PST_OK);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_set_copies), cmocka_unit_test(test_control_bytes),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_vary),
    };

    return cmocka_run_group_tests_name("response_headers", tests, set_up,
                                       tear_down);
}
