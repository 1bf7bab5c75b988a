/* SPDX-License-Identifier: ISC */
/*
 * test_chunked.c - chunked bodies, valid and broken, whole and in pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "http/chunked.h"

#define BROKEN NULL
#define S(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

static const struct row {
    const char *name;
    struct pst_str in;
    const char *data; /* decoded; BROKEN: refused at the last byte */
    const char *rest; /* after the end; NULL: the end has not come */
} rows[] = {
    {"none", S("0\r\n\r\n"), "", ""},
    {"one", S("3\r\nabc\r\n0\r\n\r\n"), "abc", ""},
    {"two", S("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), "abcd", ""},
    {"CRLF is data", S("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n", ""},
    {"hex in both cases",
     S("A\r\n0123456789\r\nb\r\n0123456789a\r\n0"
       "\r\n\r\n"),
     "01234567890123456789a", ""},
    {"leading zeros", S("0003\r\nabc\r\n000\r\n\r\n"), "abc", ""},
    {"more after it", S("1\r\na\r\n0\r\n\r\nHTTP/1.1"), "a", "HTTP/1.1"},
    {"extension", S("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n"), "x", ""},
    {"blank and extension", S("1 \t ;a\r\nx\r\n0\r\n\r\n"), "x", ""},
    {"padded size", S("1   \r\nx\r\n0  \r\n\r\n"), "x", ""},
    {"trailers", S("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\nrest"), "x", "rest"},
    {"unfinished size", S("1"), "", NULL},
    {"unfinished data", S("5\r\nabc"), "abc", NULL},
    {"unfinished end", S("1\r\nx\r\n0\r\n"), "x", NULL},
    {"unfinished trailer", S("1\r\nx\r\n0\r\nA: b"), "x", NULL},
    {"no size", S("\r"), BROKEN, NULL},
    {"no digit", S("x"), BROKEN, NULL},
    {"sign", S("+"), BROKEN, NULL},
    {"0x", S("0x"), BROKEN, NULL},
    {"blank before", S(" "), BROKEN, NULL},
    {"blank and digit", S("1 2"), BROKEN, NULL},
    {"bare LF after the size", S("1\n"), BROKEN, NULL},
    {"bare CR after the size", S("1\rx"), BROKEN, NULL},
    {"bare LF in an extension", S("1;a\n"), BROKEN, NULL},
    {"NUL in an extension", S("1;a\0"), BROKEN, NULL},
    {"bare CR in an extension", S("1;a\rb"), BROKEN, NULL},
    {"no line end after data", S("1\r\nxy"), BROKEN, NULL},
    {"bare LF after data", S("1\r\nx\n"), BROKEN, NULL},
    {"bare CR after data", S("1\r\nx\r1"), BROKEN, NULL},
    {"16 digits", S("0000000000000001"), BROKEN, NULL},
    {"bare LF at the end", S("0\r\n\n"), BROKEN, NULL},
    {"bare CR at the end", S("0\r\n\rx"), BROKEN, NULL},
    {"folded trailer", S("0\r\nA: b\r\n "), BROKEN, NULL},
    {"trailer without a name", S("0\r\n:"), BROKEN, NULL},
    {"trailer without a colon", S("0\r\nAb\r"), BROKEN, NULL},
    {"blank in a trailer's name", S("0\r\nA "), BROKEN, NULL},
    {"control byte in a trailer", S("0\r\nA: \x01"), BROKEN, NULL},
    {"bare LF in a trailer", S("0\r\nA: b\n"), BROKEN, NULL},
};

struct decoded {
    struct chunked chunked;
    char data[256];
    size_t len;
    struct pst_str rest;
};

/* Decode one part of the input. */
static enum pst_err
decode(struct decoded *out, struct pst_str bytes)
{
    const char *reason = NULL;
    struct pst_str piece;
    enum pst_err e;

    do {
        e = chunked_decode(&out->chunked, &bytes, &piece, &reason);
        if (e) {
            assert_int_equal(e, PST_UPSTREAM_BROKEN);
            assert_non_null(reason);
            return e;
        }
        assert_true(out->len + piece.len < sizeof(out->data));
        memcpy(out->data + out->len, piece.ptr, piece.len);
        out->len += piece.len;
    } while (piece.len > 0);
    if (out->chunked.state != CHUNKED_DONE)
        assert_int_equal(bytes.len, 0);
    out->rest = bytes;
    return PST_OK;
}

/* Decode the input in two parts. */
static void
check_split(const struct row *row, size_t at)
{
    struct decoded out = {.len = 0};
    enum pst_err e = decode(&out, pst_str_first(row->in, at));

    if (row->data == BROKEN) {
        /* Everything before the last byte is right. */
        if (e || !decode(&out, pst_str_skip(row->in, at)))
            fail_msg("%s at %zu: %s", row->name, at, pst_err_code(e));
        return;
    }
    if (!e && out.chunked.state != CHUNKED_DONE)
        e = decode(&out, pst_str_skip(row->in, at));
    else if (!e)
        out.rest = pst_str_skip(row->in, at - out.rest.len);
    if (e || strcmp(out.data, row->data) != 0 ||
        (out.chunked.state == CHUNKED_DONE) != (row->rest != NULL) ||
        (row->rest && !pst_str_equal(out.rest, pst_str_from(row->rest))))
        fail_msg("%s at %zu: %s, '%s'", row->name, at, pst_err_code(e),
                 out.data);
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        size_t len = rows[i].in.len;

        for (size_t at = 0; at < len; at++)
            check_split(&rows[i], at);
    }
}

static void
test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct decoded out = {.len = 0};
        enum pst_err e = PST_OK;

        for (size_t k = 0; k < rows[i].in.len && !e; k++)
            e = decode(&out, pst_str_first(pst_str_skip(rows[i].in, k), 1));
        if ((e == PST_OK) != (rows[i].data != BROKEN) ||
            (rows[i].data && strcmp(out.data, rows[i].data) != 0))
            fail_msg("%s: %s, '%s'", rows[i].name, pst_err_code(e), out.data);
    }
}

/* The largest size is 15 digits, and a body of that size can be begun. */
static void
test_largest_size(void **state)
{
    struct decoded out = {.len = 0};

    (void)state;
    assert_int_equal(decode(&out, PST_STR("fffffffffffffff\r\nabc")), PST_OK);
    assert_string_equal(out.data, "abc");
    assert_true(out.chunked.left == 0xFFFFFFFFFFFFFFFu - 3);
}

/* Extensions and trailers cannot go on for ever. */
static void
test_limits(void **state)
{
    static const struct {
        const char *name;
        const char *begin;
        const char *repeated;
        size_t max;
    } endless[] = {
        {"extension", "1;", "a", 4096},
        {"blank", "1", " ", 4096},
        {"trailer", "0\r\nA:", "a", PST_HEADERS_MAX},
        {"trailers", "0\r\n", "A:b\r\n", PST_HEADERS_MAX},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(endless); i++) {
        struct pst_str part = pst_str_from(endless[i].repeated);
        struct decoded out = {.len = 0};
        size_t bytes = 0;
        enum pst_err e;

        assert_int_equal(decode(&out, pst_str_from(endless[i].begin)), PST_OK);
        do {
            e = decode(&out, part);
            bytes += part.len;
        } while (!e && bytes < 2 * endless[i].max);
        if (!e || bytes < endless[i].max - 10 || bytes > endless[i].max + 10)
            fail_msg("%s: %s after %zu bytes", endless[i].name, pst_err_code(e),
                     bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_largest_size),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests_name("chunked", tests, NULL, NULL);
}
