/* SPDX-License-Identifier: ISC */
/*
 * test_escape.c - no text from outside can move the cursor of a terminal.
 */
#include "base/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define T PST_STR

static void
test_escape(void **state)
{
    const struct {
        struct pst_str text;
        const char *want;
    } rows[] = {
        {T(""), ""},
        {T("plain ~'\""), "plain ~'\""},
        {T("\x1b[2J"), "\\x1b[2J"},
        {T("a\r\nb\tc\x7f"), "a\\x0d\\x0ab\\x09c\\x7f"},
        {T("a\0b"), "a\\x00b"},
        {T("a\\x1b"), "a\\x5cx1b"},
        /* C1 in UTF-8, and as a single byte. */
        {T("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"),
         "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0"},
        {T("\x9b"
           "2J"),
         "\\x9b"
         "2J"},
        {T("\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"),
         "\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"},
        /* Line separators, and what changes the direction. */
        {T("\xe2\x80\xa8\xe2\x80\xae"), "\\xe2\\x80\\xa8\\xe2\\x80\\xae"},
        {T("\xe2\x80\x8f\xe2\x81\xa9"), "\\xe2\\x80\\x8f\\xe2\\x81\\xa9"},
        {T("\xd8\x9c\xd8\x9d"), "\\xd8\\x9c\xd8\x9d"},
        {T("\xe2\x80\x8d\xe2\x80\xaf"), "\xe2\x80\x8d\xe2\x80\xaf"},
        /* Not UTF-8: cut off, overlong, a surrogate. */
        {T("\xe2\x82"), "\\xe2\\x82"},
        {T("\xc3("), "\\xc3("},
        {T("\xc0\x9b"), "\\xc0\\x9b"},
        {T("\xe0\x82\x9b"), "\\xe0\\x82\\x9b"},
        {T("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
        {T("\xff\xfe"), "\\xff\\xfe"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        assert_int_equal(pst_escape_copy(out, sizeof(out), rows[i].text),
                         rows[i].text.len);
        assert_string_equal(out, rows[i].want);
    }
}

/* What does not fit is left out in whole characters. */
static void
test_bounds(void **state)
{
    const struct {
        struct pst_str text;
        size_t size;
        size_t copied;
        const char *want;
    } rows[] = {
        {T("abcdef"), 7, 6, "abcdef"},
        {T("abcdef"), 6, 5, "abcde"},
        {T("a\x1b"), 6, 2, "a\\x1b"},
        {T("ab\x1b"), 6, 2, "ab"},
        {T("\xe2\x82\xac"
           "\xe2\x82\xac"),
         6, 3, "\xe2\x82\xac"},
        {T("\x1b\x1b"), 5, 1, "\\x1b"},
        {T("\xf0\x9f\x98\x80"), 5, 4, "\xf0\x9f\x98\x80"},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        memset(out, '#', sizeof(out));
        assert_int_equal(pst_escape_copy(out, rows[i].size, rows[i].text),
                         rows[i].copied);
        assert_string_equal(out, rows[i].want);
        assert_int_equal(out[rows[i].size], '#');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
