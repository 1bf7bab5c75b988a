/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_string_value.c - the values of characters, escapes and strings.
 */
#include "graphql/string_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_characters(void **state)
{
    static const struct {
        const char *text;
        size_t len; /* 0: none */
        uint32_t code;
    } rows[] = {
        {"a", 1, 'a'},
        {"\x7F", 1, 0x7F},
        {"\xC2\x80", 2, 0x80},
        {"\xDF\xBF", 2, 0x7FF},
        {"\xE0\xA0\x80", 3, 0x800},
        {"\xED\x9F\xBF", 3, 0xD7FF},
        {"\xEE\x80\x80", 3, 0xE000},
        {"\xF0\x90\x80\x80", 4, 0x10000},
        {"\xF4\x8F\xBF\xBF", 4, 0x10FFFF},
        {"\x80", 0, 0},
        {"\xC1\xBF", 0, 0},         /* overlong */
        {"\xE0\x9F\xBF", 0, 0},     /* overlong */
        {"\xF0\x8F\xBF\xBF", 0, 0}, /* overlong */
        {"\xED\xA0\x80", 0, 0},     /* a surrogate */
        {"\xED\xBF\xBF", 0, 0},     /* a surrogate */
        {"\xF4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
        {"\xF5\x80\x80\x80", 0, 0},
        {"\xFF", 0, 0},
        {"\xC2", 0, 0}, /* truncated */
        {"\xE2\x80", 0, 0},
        {"\xF0\x9F\x98", 0, 0},
        {"\xC2z", 0, 0},
        {"\xE2\x80z", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        uint32_t code = 0;
        const size_t len = graphql_decode_character(
            rows[i].text, rows[i].text + strlen(rows[i].text), &code);

        if (len != rows[i].len || code != rows[i].code)
            fail_msg("row %zu: %zu bytes, U+%04X", i, len, (unsigned)code);
    }
}

/* The text goes on behind its end. */
static void
test_cut_characters(void **state)
{
    static const char *const characters[] = {"\xC2\x80", "\xE0\xA0\x80",
                                             "\xF0\x90\x80\x80"};
    uint32_t code;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(characters); i++)
        for (size_t len = 1; characters[i][len] != '\0'; len++)
            assert_int_equal(graphql_decode_character(
                                 characters[i], characters[i] + len, &code),
                             0);
}

static void
test_escapes(void **state)
{
    static const struct {
        const char *text;
        enum graphql_escape want;
        size_t len; /* bytes read */
        uint32_t code;
    } rows[] = {
        {"\\\"", GRAPHQL_ESCAPE_VALID, 2, '"'},
        {"\\\\", GRAPHQL_ESCAPE_VALID, 2, '\\'},
        {"\\/x", GRAPHQL_ESCAPE_VALID, 2, '/'},
        {"\\b", GRAPHQL_ESCAPE_VALID, 2, '\b'},
        {"\\f", GRAPHQL_ESCAPE_VALID, 2, '\f'},
        {"\\n", GRAPHQL_ESCAPE_VALID, 2, '\n'},
        {"\\r", GRAPHQL_ESCAPE_VALID, 2, '\r'},
        {"\\t", GRAPHQL_ESCAPE_VALID, 2, '\t'},
        {"\\u00e9x", GRAPHQL_ESCAPE_VALID, 6, 0xE9},
        {"\\u0000", GRAPHQL_ESCAPE_VALID, 6, 0},
        {"\\uD7fF", GRAPHQL_ESCAPE_VALID, 6, 0xD7FF},
        {"\\uE000", GRAPHQL_ESCAPE_VALID, 6, 0xE000},
        {"\\uD83D\\uDE00z", GRAPHQL_ESCAPE_VALID, 12, 0x1F600},
        {"\\uD800\\uDC00", GRAPHQL_ESCAPE_VALID, 12, 0x10000},
        {"\\uDBFF\\uDFFF", GRAPHQL_ESCAPE_VALID, 12, 0x10FFFF},
        {"\\", GRAPHQL_ESCAPE_UNKNOWN, 0, 0},
        {"\\x41", GRAPHQL_ESCAPE_UNKNOWN, 0, 0},
        {"\\U0041", GRAPHQL_ESCAPE_UNKNOWN, 0, 0},
        {"\\'", GRAPHQL_ESCAPE_UNKNOWN, 0, 0},
        {"\\\n", GRAPHQL_ESCAPE_UNKNOWN, 0, 0},
        {"\\u{1F600}", GRAPHQL_ESCAPE_BRACED, 0, 0},
        {"\\u", GRAPHQL_ESCAPE_TRUNCATED, 0, 0},
        {"\\u123", GRAPHQL_ESCAPE_TRUNCATED, 0, 0},
        {"\\u12g4", GRAPHQL_ESCAPE_TRUNCATED, 0, 0},
        {"\\uD83D", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uDE00", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uDE00\\uD83D", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uDE00\\uDE00", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uD83D\\uD83D", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uD83D\\u0041", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uD83D\\uE000", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uD83D\\uDE0", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uD83D\\u{DE00}", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
        {"\\uD83D DE00", GRAPHQL_ESCAPE_LONE_SURROGATE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *at = rows[i].text;
        uint32_t code = 0;
        const enum graphql_escape got =
            graphql_escape_read(&at, at + strlen(at), &code);

        if (got != rows[i].want || at != rows[i].text + rows[i].len ||
            (got == GRAPHQL_ESCAPE_VALID && code != rows[i].code))
            fail_msg("%s: %d, U+%04X", rows[i].text, (int)got, (unsigned)code);
    }
}

/* A NUL after a backslash is not an escape. */
static void
test_escaped_nul(void **state)
{
    const char text[] = "\\\0n";
    const char *at = text;
    uint32_t code;

    (void)state;
    assert_int_equal(graphql_escape_read(&at, text + 3, &code),
                     GRAPHQL_ESCAPE_UNKNOWN);
}

static void
check_value(size_t value_of(struct pst_str raw, char *out), const char *raw,
            const char *want)
{
    char out[128];
    size_t len;

    assert_true(strlen(raw) < sizeof(out));
    memset(out, '#', sizeof(out));
    len = value_of(pst_str_from(raw), out);
    if (!pst_str_equal((struct pst_str){out, len}, pst_str_from(want)))
        fail_msg("'%s' gives '%.*s'", raw, (int)len, out);
    for (size_t i = strlen(raw); i < sizeof(out); i++)
        assert_int_equal(out[i], '#');
}

static void
test_strings(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"abc", "abc"},
        {"a\\nb\\\\\\\"\\/", "a\nb\\\"/"},
        {"\\u0041\\u00e9\\u20ac\\uD83D\\uDE00", "A\xC3\xA9\xE2\x82\xAC"
                                                "\xF0\x9F\x98\x80"},
        {"\xC3\xA9\\t\xF0\x9F\x98\x80", "\xC3\xA9\t\xF0\x9F\x98\x80"},
    };
    char zero[8];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_value(graphql_string_value, rows[i][0], rows[i][1]);
    assert_int_equal(graphql_string_value(PST_STR("\\u0000"), zero), 1);
    assert_int_equal(zero[0], '\0');
}

/* BlockStringValue() of section 2.9.4. */
static void
test_block_strings(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"a", "a"},
        {"  a  ", "  a  "},
        {" \t ", ""},
        {"\n\n", ""},
        {"\n  a\n", "a"},
        {"\n    Hello,\n      World!\n\n    Yours,\n      GraphQL.\n  ",
         "Hello,\n  World!\n\nYours,\n  GraphQL."},
        {"a\n  b\n   c", "a\nb\n c"},
        {"  a\n  b", "  a\nb"},
        {"a\n\n\nb", "a\n\n\nb"},
        {"\n  a\n \n  b", "a\n\nb"},
        {"\n  a\n      \n  b", "a\n    \nb"},
        {"\n\ta\n  b", "a\n b"},
        {"a\r\n  b\r\n", "a\nb"},
        {"\n a \n", "a "},
        {"x\n  ", "x"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_value(graphql_block_string_value, rows[i][0], rows[i][1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_cut_characters),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_escaped_nul),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_block_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
