/* SPDX-License-Identifier: ISC */
/*
 * test_exchange_request.c - the URL and the header lines of a request, and
 * what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/exchange_request.h"

#define BASE "http://a.example/graphql"

static struct pst_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, 65536) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static void
test_lines(void **state)
{
    static const struct http_header headers[] = {
        {{"accept", 6}, {"a/b", 3}},
        {{"X-Empty", 7}, {" \t", 2}},
        {{"X-Trimmed", 9}, {"  a b  ", 7}},
    };
    static const char *const want[] = {
        "accept: a/b",
        "X-Empty;",
        "X-Trimmed: a b",
        "Content-Type:",
        "Expect:",
        "User-Agent:",
        "Transfer-Encoding: chunked",
    };
    static const struct {
        struct pst_str method;
        int64_t body_length;
        bool is_chunked;
    } rows[] = {
        {{"POST", 4}, -1, true}, {{"POST", 4}, 5, false},
        {{"POST", 4}, 0, false}, {{"GET", 3}, -1, false},
        {{"GET", 3}, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct http_exchange exchange = {
            .method = rows[i].method,
            .query = PST_STR("b=c"),
            .headers = headers,
            .header_count = PST_COUNT(headers),
            .body_length = rows[i].body_length};
        struct exchange_request request;

        assert_int_equal(
            exchange_request_make(arena, BASE, &exchange, &request), PST_OK);
        assert_string_equal(request.url, BASE "?b=c");
        assert_int_equal(request.is_get,
                         pst_str_equal(rows[i].method, PST_STR("GET")));
        assert_int_equal(request.line_count,
                         PST_COUNT(want) - (rows[i].is_chunked ? 0 : 1));
        for (size_t k = 0; k < request.line_count; k++)
            assert_string_equal(request.lines[k], want[k]);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct http_header header;
        struct pst_str method;
        struct pst_str query;
        enum pst_err want;
    } rows[] = {
        {"new line",
         {{"X", 1}, {"a\r\nY: b", 7}},
         {"GET", 3},
         {"", 0},
         PST_MALFORMED},
        {"name", {{"X Y", 3}, {"b", 1}}, {"GET", 3}, {"", 0}, PST_MALFORMED},
        {"host", {{"Host", 4}, {"x", 1}}, {"GET", 3}, {"", 0}, PST_MALFORMED},
        {"query", {{"X", 1}, {"b", 1}}, {"GET", 3}, {"a b", 3}, PST_MALFORMED},
        {"method", {{"X", 1}, {"b", 1}}, {"PUT", 3}, {"", 0}, PST_BAD_METHOD},
        {"case", {{"X", 1}, {"b", 1}}, {"post", 4}, {"", 0}, PST_BAD_METHOD},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct http_exchange exchange = {.method = rows[i].method,
                                               .query = rows[i].query,
                                               .headers = &rows[i].header,
                                               .header_count = 1};
        struct exchange_request request;
        enum pst_err e =
            exchange_request_make(arena, BASE, &exchange, &request);

        if (e != rows[i].want)
            fail_msg("%s: got %s", rows[i].name, pst_err_code(e));
    }
}

static void
test_no_memory(void **state)
{
    static const struct http_header header = {{"A", 1}, {"b", 1}};
    const struct http_exchange exchange = {.method = PST_STR("POST"),
                                           .headers = &header,
                                           .header_count = 1,
                                           .body_length = -1};
    struct exchange_request request;
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e && n < 100; n++) {
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = exchange_request_make(arena, BASE, &exchange, &request);
        if (e)
            assert_int_equal(e, PST_NO_MEMORY);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 7, 99);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("exchange_request", tests, NULL, NULL);
}
