/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_literal.c - accepted and refused numbers and strings.
 */
#include "graphql/literal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A string view as a constant initializer. */
#define T(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

static void
test_numbers(void **state)
{
    static const struct {
        const char *text;
        size_t len; /* 0: refused */
        bool is_float;
    } rows[] = {
        {"0", 1, false},
        {"-0", 2, false},
        {"7 ", 1, false},
        {"-12,", 3, false},
        {"1234567890123456789012345", 25, false},
        {"0.0", 3, true},
        {"1.5e3", 5, true},
        {"1E5", 3, true},
        {"1e+05)", 5, true},
        {"-1.25e-10", 9, true},
        {"1-2", 1, false},
        {"1\"x\"", 1, false},
        {"1\xC3\xA9", 1, false},
        {"00", 0, false},
        {"01", 0, false},
        {"-01", 0, false},
        {"-", 0, false},
        {"-a", 0, false},
        {"1.", 0, false},
        {"1.a", 0, false},
        {"1e", 0, false},
        {"1e+", 0, false},
        {"1.e5", 0, false},
        {"0xF", 0, false},
        {"1a", 0, false},
        {"1_", 0, false},
        {"1.2.3", 0, false},
        {"1.2a", 0, false},
        {"1e5e", 0, false},
        {"1e5.", 0, false},
        {"1...", 0, false},
        {"--1", 0, false},
        {"1.-2", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error;
        struct graphql_cursor cursor;
        struct pst_str text = PST_STR_NONE;
        bool is_float;
        enum pst_err e;

        graphql_cursor_init(&cursor, pst_str_from(rows[i].text), &error);
        e = graphql_read_number(&cursor, &text, &is_float);
        if (e != (rows[i].len > 0 ? PST_OK : PST_MALFORMED))
            fail_msg("%s: %s", rows[i].text, pst_err_code(e));
        if (!e && (text.len != rows[i].len || is_float != rows[i].is_float ||
                   cursor.at != rows[i].text + text.len))
            fail_msg("%s: '%.*s'", rows[i].text, (int)text.len, text.ptr);
    }
}

struct string_row {
    struct pst_str text;
    const char *raw;     /* NULL: refused */
    const char *message; /* a part of it */
    uint32_t column;
};

static const struct string_row string_rows[] = {
    {T("\"\""), "", NULL, 0},
    {T("\"a\tb\""), "a\tb", NULL, 0},
    {T("\"a\\\"b\" c"), "a\\\"b", NULL, 0},
    {T("\"\\uD83D\\uDE00\""), "\\uD83D\\uDE00", NULL, 0},
    {T("\"\x7F\xC2\x85\xE2\x80\xA8\xEF\xBB\xBF\""),
     "\x7F\xC2\x85\xE2\x80\xA8\xEF\xBB\xBF", NULL, 0},
    {T("\"abc"), NULL, "is not terminated", 1},
    {T("\"abc\\"), NULL, "unknown escape", 5},
    {T("\"a\nb\""), NULL, "must end on its line", 3},
    {T("\"a\rb\""), NULL, "must end on its line", 3},
    {T("\"\xC3\xA9\x01\""), NULL, "U+0001: write \\u0001", 3},
    {T("\"\0\""), NULL, "U+0000: write \\u0000", 2},
    {T("\"\x1F\""), NULL, "U+001F: write \\u001F", 2},
    {T("\"\\x41\""), NULL, "unknown escape", 2},
    {T("\"\\u12\""), NULL, "four hex digits", 2},
    {T("\"\\u{41}\""), NULL, "write \\uXXXX", 2},
    {T("\"\\uD83D\""), NULL, "unpaired surrogate", 2},
    {T("\"\\uDE00\""), NULL, "unpaired surrogate", 2},
    {T("\"\xED\xA0\x80\""), NULL, "not valid UTF-8", 2},
    {T("\"\xFF\""), NULL, "not valid UTF-8", 2},
};

static const struct string_row block_rows[] = {
    {T("\"\"\"\"\"\""), "", NULL, 0},
    {T("\"\"\"a\tb\"\"\" c"), "a\tb", NULL, 0},
    {T("\"\"\"a\n b\r\n\"\"\""), "a\n b\r\n", NULL, 0},
    {T("\"\"\"\xC3\xA9\x7F\"\"\""), "\xC3\xA9\x7F", NULL, 0},
    {T("\"\"\"a"), NULL, "is not terminated", 1},
    {T("\"\"\"a\"\""), NULL, "must not contain \" or \\", 5},
    {T("\"\"\"a\"b\"\"\""), NULL, "must not contain \" or \\", 5},
    {T("\"\"\"\"a\"\"\""), NULL, "must not contain \" or \\", 4},
    {T("\"\"\"a\"\"\"\""), NULL, "must not contain \" or \\", 8},
    {T("\"\"\"\\\"\"\"\"\"\""), NULL, "must not contain \" or \\", 4},
    {T("\"\"\"a\\n\"\"\""), NULL, "must not contain \" or \\", 5},
    {T("\"\"\"a\rb\"\"\""), NULL, "carriage return", 5},
    {T("\"\"\"a\x0B\"\"\""), NULL, "U+000B", 5},
    {T("\"\"\"\0\"\"\""), NULL, "U+0000", 4},
    {T("\"\"\"\xC0\"\"\""), NULL, "not valid UTF-8", 4},
};

static void
check_string(const struct string_row *row, bool is_block)
{
    struct pst_graphql_error error = {.message = ""};
    struct graphql_cursor cursor;
    struct pst_str raw = PST_STR_NONE;
    bool is_encoded;
    enum pst_err e;

    graphql_cursor_init(&cursor, row->text, &error);
    assert_int_equal(graphql_is_block_string(&cursor), is_block);
    e = is_block ? graphql_read_block_string(&cursor, &raw)
                 : graphql_read_string(&cursor, &raw, &is_encoded);
    if (e != (row->raw ? PST_OK : PST_MALFORMED))
        fail_msg("%s: %s", row->text.ptr, pst_err_code(e));
    if (!e) {
        assert_true(pst_str_equal(raw, pst_str_from(row->raw)));
        if (!is_block)
            assert_int_equal(is_encoded, strchr(row->raw, '\\') != NULL);
        return;
    }
    if (!strstr(error.message, row->message) ||
        error.location.column != row->column)
        fail_msg("%s: %s in column %u", row->text.ptr, error.message,
                 error.location.column);
}

static void
test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(string_rows); i++)
        check_string(&string_rows[i], false);
}

static void
test_block_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(block_rows); i++)
        check_string(&block_rows[i], true);
}

/* Line ends in block strings count for locations. */
static void
test_lines_of_block(void **state)
{
    struct pst_graphql_error error;
    struct graphql_cursor cursor;
    struct pst_str raw;

    (void)state;
    graphql_cursor_init(&cursor, PST_STR("\"\"\"a\nb\r\nc\"\"\"x"), &error);
    assert_int_equal(graphql_read_block_string(&cursor, &raw), PST_OK);
    assert_int_equal(graphql_cursor_location(&cursor).line, 3);
    assert_int_equal(graphql_cursor_location(&cursor).column, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_block_strings),
        cmocka_unit_test(test_lines_of_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
