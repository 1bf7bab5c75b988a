/* SPDX-License-Identifier: ISC */
/*
 * test_response_body.c - where each kind of body ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/response_body.h"

static const struct row {
    const char *name;
    enum response_framing framing;
    int64_t length;
    const char *in;
    const char *data; /* NULL: broken */
    const char *rest;
    bool is_complete;
    bool may_close; /* a closed connection is the end */
} rows[] = {
    {"none", RESPONSE_NO_BODY, 5, "more", "", "more", true, true},
    {"none, nothing", RESPONSE_NO_BODY, 0, "", "", "", true, true},
    {"length", RESPONSE_LENGTH, 4, "body", "body", "", true, true},
    {"length 0", RESPONSE_LENGTH, 0, "", "", "", true, true},
    {"more than its length", RESPONSE_LENGTH, 3, "body", "bod", "y", true,
     true},
    {"less than its length", RESPONSE_LENGTH, 5, "body", "body", "", false,
     false},
    {"chunks", RESPONSE_CHUNKED, 9, "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n+", "abcd",
     "+", true, true},
    {"cut chunks", RESPONSE_CHUNKED, 0, "3\r\nabc\r\n", "abc", "", false,
     false},
    {"no last line", RESPONSE_CHUNKED, 0, "1\r\na\r\n0\r\n", "a", "", false,
     false},
    {"broken chunks", RESPONSE_CHUNKED, 0, "x", NULL, "", false, false},
    {"until the end", RESPONSE_UNTIL_CLOSE, 0, "0\r\n\r\n", "0\r\n\r\n", "",
     false, true},
    {"nothing until the end", RESPONSE_UNTIL_CLOSE, 0, "", "", "", false, true},
};

/* Take the input in parts of `size` bytes. */
static void
check_row(const struct row *row, size_t size)
{
    const struct response_head head = {.framing = row->framing,
                                       .length = row->length};
    struct pst_str in = pst_str_from(row->in);
    struct response_body body;
    const char *reason = NULL;
    char data[64] = "";
    size_t len = 0;
    enum pst_err e = PST_OK;

    response_body_init(&body, &head);
    while (in.len > 0 && !e && !response_body_is_complete(&body)) {
        struct pst_str part = pst_str_first(in, size);
        size_t before = part.len;
        struct pst_str piece;

        e = response_body_take(&body, &part, &piece, &reason);
        if (e)
            break;
        memcpy(data + len, piece.ptr, piece.len);
        len += piece.len;
        in = pst_str_skip(in, before - part.len);
    }
    if (!row->data) {
        assert_int_equal(e, PST_UPSTREAM_BROKEN);
        assert_non_null(reason);
        return;
    }
    if (e || strcmp(data, row->data) != 0 ||
        !pst_str_equal(in, pst_str_from(row->rest)) ||
        response_body_is_complete(&body) != row->is_complete ||
        (response_body_close(&body, &reason) == PST_OK) != row->may_close ||
        (!row->may_close && !reason))
        fail_msg("%s, %zu bytes at a time: %s, '%s'", row->name, size,
                 pst_err_code(e), data);
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        for (size_t size = 1; size < 40; size++)
            check_row(&rows[i], size);
}

/* A length that does not fit 32 bits. */
static void
test_large(void **state)
{
    const struct response_head head = {.framing = RESPONSE_LENGTH,
                                       .length = INT64_MAX};
    struct pst_str in = PST_STR("abc");
    struct response_body body;
    struct pst_str piece;
    const char *reason;

    (void)state;
    response_body_init(&body, &head);
    assert_int_equal(response_body_take(&body, &in, &piece, &reason), PST_OK);
    assert_int_equal(piece.len, 3);
    assert_true(body.left == (uint64_t)INT64_MAX - 3);
    assert_false(response_body_is_complete(&body));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests_name("response_body", tests, NULL, NULL);
}
