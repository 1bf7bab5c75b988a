/* SPDX-License-Identifier: ISC */
/*
 * test_request_body.c - the body as a stream and whole, and its limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/limits.h"
#include "requests.h"
#include "server/request_body.h"

/* Read it all, two bytes at a time. */
static enum pst_err
read_all(struct request *req, char *out, size_t *len)
{
    enum pst_err e;
    size_t got;

    *len = 0;
    do {
        e = request_read_body(req, out + *len, 2, &got);
        if (e)
            return e;
        *len += got;
    } while (got > 0);
    return PST_OK;
}

static void
test_read(void **state)
{
    static const struct {
        const char *name;
        const char *length;
        const char *body;
        const char *want; /* NULL: err instead */
        enum pst_err err;
    } rows[] = {
        {"exact", "CONTENT_LENGTH=5", "hello", "hello", PST_OK},
        {"more follows", "CONTENT_LENGTH=3", "hello", "hel", PST_OK},
        {"none", "CONTENT_LENGTH=0", "hello", "", PST_OK},
        {"cut short", "CONTENT_LENGTH=6", "hello", NULL, PST_MALFORMED},
        {"nothing came", "CONTENT_LENGTH=1", "", NULL, PST_MALFORMED},
        {"unknown", "CONTENT_LENGTH=", "hello", "hello", PST_OK},
        {"chunked", "HTTP_TRANSFER_ENCODING=chunked", "hello", "hello", PST_OK},
        {"unknown, empty", "", "", "", PST_OK},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (size_t step = 0; step < 3; step++) {
            const char *variables[] = {"REQUEST_METHOD=POST", rows[i].length,
                                       NULL};
            struct source source = {.body = pst_str_from(rows[i].body),
                                    .step = step};
            struct request req;
            char out[16];
            size_t len;

            check_err(rows[i].name, init(&req, variables, &source), PST_OK);
            check_err(rows[i].name, read_all(&req, out, &len), rows[i].err);
            if (rows[i].want)
                check_text(rows[i].name, (struct pst_str){out, len},
                           pst_str_from(rows[i].want));
        }
    }
}

/* A body of unknown length ends at max_body, exactly. */
static void
test_read_limit(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    static const char bytes[MAX_BODY + 1];
    char out[MAX_BODY + 8];
    size_t len;

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct source source = {.body = {bytes, MAX_BODY + extra}};
        struct request req;

        assert_int_equal(init(&req, variables, &source), PST_OK);
        assert_int_equal(read_all(&req, out, &len),
                         extra ? PST_TOO_LARGE : PST_OK);
        if (!extra)
            assert_int_equal(len, MAX_BODY);
    }
}

static void
test_read_gone(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    struct source source = {.body = PST_STR("hel"), .fail = PST_CLIENT_GONE};
    struct pst_str body;
    struct request req;
    char out[16];
    size_t len;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    assert_int_equal(read_all(&req, out, &len), PST_CLIENT_GONE);
    source.read = 0;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    assert_int_equal(request_read_whole_body(&req, 10, &body), PST_CLIENT_GONE);
}

static void
test_body(void **state)
{
    static const struct {
        const char *length;
        const char *in;
        size_t max;
        enum pst_err want;
    } rows[] = {
        {"CONTENT_LENGTH=5", "hello", 5, PST_OK},
        {"CONTENT_LENGTH=5", "hello", 4, PST_TOO_LARGE},
        {"CONTENT_LENGTH=5", "hello", 6, PST_OK},
        {"CONTENT_LENGTH=5", "hell", 5, PST_MALFORMED},
        {"CONTENT_LENGTH=5", "hello", SIZE_MAX, PST_OK},
        {"CONTENT_LENGTH=0", "", 5, PST_OK},
        {"", "hello", 5, PST_OK},
        {"", "hello", 4, PST_TOO_LARGE},
        {"", "hello", 6, PST_OK},
        {"", "hello", SIZE_MAX, PST_OK},
        {"", "", 5, PST_OK},
        {"", "", 0, PST_OK},
        {"", "h", 0, PST_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", rows[i].length, NULL};
        struct source source = {.body = pst_str_from(rows[i].in), .step = 3};
        struct pst_str body = PST_STR_NONE;
        struct request req;
        char row[40];

        (void)snprintf(row, sizeof(row), "%zu: %s", i, rows[i].length);
        check_err(row, init(&req, variables, &source), PST_OK);
        check_err(row, request_read_whole_body(&req, rows[i].max, &body),
                  rows[i].want);
        check_text(row, body,
                   rows[i].want ? PST_STR_NONE : pst_str_from(rows[i].in));
    }
}

/* A body that was read whole is returned again, unless it is too long. */
static void
test_body_again(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    struct source source = {.body = PST_STR("hello, world"), .step = 1};
    struct pst_str first;
    struct pst_str body = PST_STR_NONE;
    struct request req;
    size_t calls;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    assert_int_equal(request_read_whole_body(&req, 20, &first), PST_OK);
    calls = source.calls;
    assert_int_equal(request_read_whole_body(&req, 11, &body), PST_TOO_LARGE);
    assert_true(pst_str_is_absent(body));
    assert_int_equal(request_read_whole_body(&req, 12, &body), PST_OK);
    check_text("first", first, PST_STR("hello, world"));
    check_text("again", body, PST_STR("hello, world"));
    assert_int_equal(source.calls, calls);
}

/* All requests together hold no more than they may, and give it back. */
static void
test_held(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST",
                                            "CONTENT_LENGTH=6", NULL};
    struct source one = {.body = PST_STR("abcdef")};
    struct source two = {.body = PST_STR("abcdef")};
    struct request_input input = {.variables = variables,
                                  .source = {source_read, &one, -1},
                                  .max_body = MAX_BODY,
                                  .max_held = 11};
    struct pst_arena *other = NULL;
    struct request first;
    struct request second;
    struct pst_str body;

    (void)state;
    assert_int_equal(pst_arena_new(&other, 4096), PST_OK);
    assert_int_equal(request_init(&first, other, &input, random_bytes), PST_OK);
    assert_int_equal(request_read_whole_body(&first, 100, &body), PST_OK);
    input.source.context = &two;
    assert_int_equal(request_init(&second, arena, &input, random_bytes),
                     PST_OK);
    assert_int_equal(request_read_whole_body(&second, 100, &body),
                     PST_OVERLOADED);
    pst_arena_reset(arena);
    pst_arena_free(&other);
    two = (struct source){.body = PST_STR("abcdef")};
    assert_int_equal(request_init(&second, arena, &input, random_bytes),
                     PST_OK);
    assert_int_equal(request_read_whole_body(&second, 100, &body), PST_OK);
    pst_arena_reset(arena);
}

/* The caller's maximum limits a buffered body, and so does the memory. */
static void
test_hold_limits(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};
    static char bytes[PST_BUFFERED_BODY_MAX + 1];
    struct source source = {.body = {bytes, sizeof(bytes)}};
    struct request_input input = {.variables = variables,
                                  .source = {source_read, &source, -1},
                                  .max_body = 2 * PST_BUFFERED_BODY_MAX};
    struct pst_str body;
    struct request req;

    (void)state;
    assert_int_equal(request_init(&req, arena, &input, random_bytes), PST_OK);
    assert_int_equal(request_read_whole_body(&req, SIZE_MAX, &body), PST_OK);
    assert_int_equal(body.len, PST_BUFFERED_BODY_MAX + 1);

    for (size_t max = PST_BUFFERED_BODY_MAX; max < PST_BUFFERED_BODY_MAX + 3;
         max++) {
        source.read = 0;
        assert_int_equal(request_init(&req, arena, &input, random_bytes),
                         PST_OK);
        assert_int_equal(request_read_whole_body(&req, max, &body),
                         max == PST_BUFFERED_BODY_MAX ? PST_TOO_LARGE : PST_OK);
    }
    assert_int_equal(body.len, PST_BUFFERED_BODY_MAX + 1);

    source.read = 0;
    assert_int_equal(request_init(&req, arena, &input, random_bytes), PST_OK);
    pst_arena_fail_at(arena, 1);
    assert_int_equal(request_read_whole_body(&req, 2000, &body), PST_NO_MEMORY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hold_limits, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("request_body", tests, NULL, NULL);
}
