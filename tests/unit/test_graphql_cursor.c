/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_cursor.c - locations, and the messages for refused characters.
 */
#include "graphql/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T PST_STR

static void
test_begins_without_bom(void **state)
{
    struct pst_graphql_error error;
    struct graphql_cursor cursor;

    (void)state;
    graphql_cursor_init(&cursor, T("\xEF\xBB\xBF{a}"), &error);
    assert_true(graphql_cursor_is_at(&cursor, '{'));
    assert_int_equal(graphql_cursor_location(&cursor).line, 1);
    assert_int_equal(graphql_cursor_location(&cursor).column, 1);
    graphql_cursor_init(&cursor, T(""), &error);
    assert_false(graphql_cursor_is_at(&cursor, '\0'));
    graphql_cursor_init(&cursor, PST_STR_NONE, &error);
    assert_ptr_equal(cursor.at, cursor.end);
}

/* Columns count characters; CR LF is one end of line. */
static void
test_places(void **state)
{
    const struct pst_str text = T("ab\xC3\xA9"
                                  "c\r\n\xF0\x9F\x98\x80x\n");
    static const struct pst_graphql_location want[] = {
        {1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 2},
    };
    struct pst_graphql_error error;
    struct graphql_cursor cursor;
    size_t i = 0;

    (void)state;
    graphql_cursor_init(&cursor, text, &error);
    while (cursor.at < cursor.end) {
        const struct pst_graphql_location here =
            graphql_cursor_location(&cursor);
        const struct pst_graphql_location there =
            graphql_cursor_location_of(&cursor, cursor.at);
        uint32_t code;

        if (graphql_skip_newline(&cursor))
            continue;
        assert_true(i < PST_COUNT(want));
        assert_int_equal(here.line, want[i].line);
        assert_int_equal(here.column, want[i].column);
        assert_int_equal(there.line, want[i].line);
        assert_int_equal(there.column, want[i].column);
        assert_int_equal(graphql_skip_non_ascii(&cursor, &code), PST_OK);
        i++;
    }
    assert_int_equal(i, PST_COUNT(want));
    assert_int_equal(cursor.line, 3);
}

static void
test_refused_characters(void **state)
{
    static const struct {
        const char *text;
        const char *part; /* of the message */
    } rows[] = {
        {"\x01", "U+0001 is not allowed outside strings"},
        {"\x0B", "U+000B is not allowed outside strings"},
        {"\x7F", "U+007F is not allowed outside strings"},
        {"\xC2\x85", "U+0085 is not allowed outside strings"},
        {"\xE2\x80\xA8", "U+2028 is not allowed outside strings"},
        {"\xE2\x80\xA9", "U+2029 is not allowed outside strings"},
        {"\xEF\xBB\xBF", "byte order mark"},
        {"\r", "carriage return"},
        {"\xFF", "not valid UTF-8"},
        {";", "unexpected character \";\""},
        {"\xC2\xA0", "unexpected character U+00A0"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error;
        struct graphql_cursor cursor;

        graphql_cursor_init(&cursor, T(""), &error);
        cursor.at = rows[i].text;
        cursor.column_base = cursor.at;
        cursor.end = cursor.at + strlen(cursor.at);
        assert_int_equal(graphql_refuse_character(&cursor), PST_MALFORMED);
        if (!strstr(error.message, rows[i].part))
            fail_msg("row %zu: %s", i, error.message);
    }
}

/* A message is never longer than its buffer. */
static void
test_long_message(void **state)
{
    struct pst_graphql_error error;
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(graphql_error_set(&error,
                                       (struct pst_graphql_location){3, 4},
                                       "%.*s", (int)sizeof(text), text),
                     PST_MALFORMED);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
    assert_int_equal(error.location.line, 3);
    assert_int_equal(error.location.column, 4);
    assert_int_equal(graphql_shown_len(T("abc")), 3);
    assert_true(graphql_shown_len((struct pst_str){text, sizeof(text)}) < 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_without_bom),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_refused_characters),
        cmocka_unit_test(test_long_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
