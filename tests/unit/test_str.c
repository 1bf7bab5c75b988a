/* SPDX-License-Identifier: ISC */
/*
 * test_str.c - string views: comparing, splitting, classifying, parsing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/str.h"

static void
check_text(const char *row, struct pst_str got, struct pst_str want)
{
    if (!pst_str_equal(got, want) ||
        pst_str_is_absent(got) != pst_str_is_absent(want))
        fail_msg("row '%s': got '%.*s' (%zu)", row, (int)got.len,
                 got.ptr ? got.ptr : "(absent)", got.len);
}

static void
check_bool(const char *row, bool got, bool want)
{
    if (got != want)
        fail_msg("row '%s': got %d", row, got);
}

static void
test_from(void **state)
{
    struct pst_bytes bytes = pst_str_bytes(PST_STR("a\0b"));

    (void)state;
    check_text("null", pst_str_from(NULL), PST_STR_NONE);
    check_text("empty", pst_str_from(""), PST_STR(""));
    check_text("word", pst_str_from("word"), PST_STR("word"));
    check_text("bytes", pst_str_from_bytes(bytes), PST_STR("a\0b"));
    assert_true(pst_str_is_absent(PST_STR_NONE));
    assert_false(pst_str_is_absent(PST_STR("")));
}

/* In each row: is b equal to a, ignoring case, a prefix, a suffix? */
static const struct {
    const char *name;
    struct pst_str a;
    struct pst_str b;
    bool equal;
    bool nocase;
    bool starts;
    bool starts_nocase;
    bool ends;
    bool contains;
} compared[] = {
    {"same", {"abc", 3}, {"abc", 3}, 1, 1, 1, 1, 1, 1},
    {"case", {"aBc", 3}, {"AbC", 3}, 0, 1, 0, 1, 0, 0},
    {"not letters", {"@[`{", 4}, {"`{@[", 4}, 0, 0, 0, 0, 0, 0},
    {"latin-1", {"\xC4", 1}, {"\xE4", 1}, 0, 0, 0, 0, 0, 0},
    {"prefix", {"abc", 3}, {"ab", 2}, 0, 0, 1, 1, 0, 1},
    {"prefix in capitals", {"abc", 3}, {"AB", 2}, 0, 0, 0, 1, 0, 0},
    {"suffix", {"abc", 3}, {"bc", 2}, 0, 0, 0, 0, 1, 1},
    {"middle", {"abc", 3}, {"b", 1}, 0, 0, 0, 0, 0, 1},
    {"longer", {"ab", 2}, {"abc", 3}, 0, 0, 0, 0, 0, 0},
    {"empty in text", {"a", 1}, {"", 0}, 0, 0, 1, 1, 1, 1},
    {"absent in text", {"a", 1}, {NULL, 0}, 0, 0, 1, 1, 1, 1},
    {"text in absent", {NULL, 0}, {"a", 1}, 0, 0, 0, 0, 0, 0},
    {"absent and empty", {NULL, 0}, {"", 0}, 1, 1, 1, 1, 1, 1},
    {"after a NUL", {"a\0b", 3}, {"a\0c", 3}, 0, 0, 0, 0, 0, 0},
    {"only its own bytes", {"abX", 2}, {"abY", 2}, 1, 1, 1, 1, 1, 1},
};

static void
test_compare(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(compared); i++) {
        const char *name = compared[i].name;
        struct pst_str a = compared[i].a;
        struct pst_str b = compared[i].b;

        check_bool(name, pst_str_equal(a, b), compared[i].equal);
        check_bool(name, pst_str_equal_nocase(a, b), compared[i].nocase);
        check_bool(name, pst_str_starts(a, b), compared[i].starts);
        check_bool(name, pst_str_starts_nocase(a, b),
                   compared[i].starts_nocase);
        check_bool(name, pst_str_ends(a, b), compared[i].ends);
        check_bool(name, pst_str_contains(a, b), compared[i].contains);
    }
}

static void
test_parts(void **state)
{
    const struct pst_str abc = PST_STR("abc");

    (void)state;
    check_text("from 0", pst_str_skip(abc, 0), abc);
    check_text("from 1", pst_str_skip(abc, 1), PST_STR("bc"));
    check_text("from 3", pst_str_skip(abc, 3), PST_STR(""));
    check_text("from beyond", pst_str_skip(abc, 9), PST_STR(""));
    assert_ptr_equal(pst_str_skip(abc, SIZE_MAX).ptr, abc.ptr + 3);
    check_text("from of absent", pst_str_skip(PST_STR_NONE, 4), PST_STR_NONE);
    check_text("first 0", pst_str_first(abc, 0), PST_STR(""));
    check_text("first 2", pst_str_first(abc, 2), PST_STR("ab"));
    check_text("first 9", pst_str_first(abc, 9), abc);
    check_text("first of absent", pst_str_first(PST_STR_NONE, 2), PST_STR_NONE);
    assert_int_equal(pst_str_index(abc, 'a'), 0);
    assert_int_equal(pst_str_index(PST_STR("abcb"), 'b'), 1);
    assert_int_equal(pst_str_index(abc, 'x'), 3);
    assert_int_equal(pst_str_index(abc, '\0'), 3);
    assert_int_equal(pst_str_index(PST_STR_NONE, 'x'), 0);
    assert_int_equal(pst_str_last_index(abc, 'a'), 0);
    assert_int_equal(pst_str_last_index(PST_STR("abcb"), 'b'), 3);
    assert_int_equal(pst_str_last_index(abc, 'x'), 3);
    assert_int_equal(pst_str_last_index(PST_STR_NONE, 'x'), 0);
}

static void
test_trim(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in;
        struct pst_str want;
    } rows[] = {
        {"nothing to do", {"a b", 3}, {"a b", 3}},
        {"both ends", {" \ta b\t ", 7}, {"a b", 3}},
        {"left", {"\t\ta", 3}, {"a", 1}},
        {"right", {"a  ", 3}, {"a", 1}},
        {"all blank", {" \t ", 3}, {"", 0}},
        {"no newline", {"\na\r", 3}, {"\na\r", 3}},
        {"empty", {"", 0}, {"", 0}},
        {"absent", {NULL, 0}, {NULL, 0}},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_text(rows[i].name, pst_str_trim(rows[i].in), rows[i].want);
}

/* The pieces of split() and the tokens of next_token(), each in brackets. */
static void
test_cut_and_word(void **state)
{
    static const struct {
        const char *in;
        const char *cut;
        const char *words;
    } rows[] = {
        {NULL, "", ""},
        {"", "[]", ""},
        {"a", "[a]", "[a]"},
        {",", "[][]", ""},
        {"a,,b", "[a][][b]", "[a][b]"},
        {",a,", "[][a][]", "[a]"},
        {"ab, cd ,e f", "[ab][ cd ][e f]", "[ab][cd][e][f]"},
        {" ,, ", "[ ][][ ]", ""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str rest = pst_str_from(rows[i].in);
        struct pst_str piece;
        char got[64] = "";
        int len = 0;

        while (pst_str_split(&rest, ',', &piece))
            len += snprintf(got + len, 20, "[%.*s]", (int)piece.len, piece.ptr);
        check_text(rows[i].cut, pst_str_from(got), pst_str_from(rows[i].cut));
        assert_true(pst_str_is_absent(rest));
        assert_false(pst_str_split(&rest, ',', &piece));

        rest = pst_str_from(rows[i].in);
        len = 0;
        got[0] = '\0';
        while (pst_str_next_token(&rest, ", ", &piece))
            len += snprintf(got + len, 20, "[%.*s]", (int)piece.len, piece.ptr);
        check_text(rows[i].words, pst_str_from(got),
                   pst_str_from(rows[i].words));
    }
}

/* A NUL ends the list of separators, and is not a separator. */
static void
test_word_keeps_nul(void **state)
{
    struct pst_str rest = PST_STR(" a\0b c");
    struct pst_str token;

    (void)state;
    assert_true(pst_str_next_token(&rest, " ", &token));
    check_text("word", token, PST_STR("a\0b"));
    check_text("rest", rest, PST_STR(" c"));
}

/* Each byte by itself, compared with the two grammars written here. */
static void
test_byte_classes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        struct pst_str one = {&c, 1};
        bool alpha =
            (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        bool mark = byte > 0x20 && byte < 0x7F && !alpha && !digit &&
                    pst_str_index(PST_STR("\"(),/:;<=>?@[\\]{}"), c) == 17;
        bool value = byte == '\t' || (byte >= 0x20 && byte != 0x7F);

        if (pst_str_is_token(one) != (alpha || digit || mark) ||
            pst_str_is_field_value(one) != value || pst_is_alpha(c) != alpha ||
            pst_is_digit(c) != digit)
            fail_msg("byte 0x%02X", (unsigned)byte);
    }
    assert_false(pst_str_is_token(PST_STR("")));
    assert_false(pst_str_is_token(PST_STR_NONE));
    assert_true(pst_str_is_token(PST_STR("__Host-session")));
    assert_false(pst_str_is_token(PST_STR("a b")));
    assert_false(pst_str_is_token(PST_STR("ab\0")));
    assert_true(pst_str_is_field_value(PST_STR("")));
    assert_true(pst_str_is_field_value(PST_STR("a\t\xFF z")));
    assert_false(pst_str_is_field_value(PST_STR("a\r\nb")));
    assert_false(pst_str_is_field_value(PST_STR("ab\0")));
}

/* Each byte at each place of a text that is read in words of eight. */
static void
test_long_field_values(void **state)
{
    static const char around[] = {'a', '\t', ' ', '\xFF', '\x80', '~'};

    (void)state;
    for (size_t k = 0; k < sizeof(around); k++)
        for (int byte = 0; byte < 256; byte++) {
            bool want = byte == '\t' || (byte >= 0x20 && byte != 0x7F);
            char text[19];

            for (size_t at = 0; at < sizeof(text); at++) {
                memset(text, around[k], sizeof(text));
                text[at] = (char)byte;
                if (pst_str_is_field_value(
                        (struct pst_str){text, sizeof(text)}) != want)
                    fail_msg("byte 0x%02X at %zu", (unsigned)byte, at);
            }
        }
}

static const struct {
    const char *name;
    struct pst_str in;
    bool want;
} utf8_texts[] = {
    {"empty", {"", 0}, true},
    {"absent", {NULL, 0}, true},
    {"ascii and NUL", {"a\0\x7F", 3}, true},
    {"two: U+0080", {"\xC2\x80", 2}, true},
    {"two: U+07FF", {"\xDF\xBF", 2}, true},
    {"two: overlong NUL", {"\xC0\x80", 2}, false},
    {"two: overlong slash", {"\xC0\xAF", 2}, false},
    {"two: overlong U+007F", {"\xC1\xBF", 2}, false},
    {"two: cut", {"\xC2", 1}, false},
    {"two: bad tail", {"\xC2x", 2}, false},
    {"two: tail too high", {"\xC2\xC0", 2}, false},
    {"three: U+0800", {"\xE0\xA0\x80", 3}, true},
    {"three: overlong", {"\xE0\x9F\xBF", 3}, false},
    {"three: U+D7FF", {"\xED\x9F\xBF", 3}, true},
    {"three: surrogate U+D800", {"\xED\xA0\x80", 3}, false},
    {"three: surrogate U+DFFF", {"\xED\xBF\xBF", 3}, false},
    {"three: U+E000", {"\xEE\x80\x80", 3}, true},
    {"three: U+FFFF", {"\xEF\xBF\xBF", 3}, true},
    {"three: cut", {"\xE2\x82", 2}, false},
    {"three: bad third", {"\xE2\x82\x41", 3}, false},
    {"four: U+10000", {"\xF0\x90\x80\x80", 4}, true},
    {"four: overlong", {"\xF0\x8F\xBF\xBF", 4}, false},
    {"four: U+10FFFF", {"\xF4\x8F\xBF\xBF", 4}, true},
    {"four: U+110000", {"\xF4\x90\x80\x80", 4}, false},
    {"four: lead F5", {"\xF5\x80\x80\x80", 4}, false},
    {"four: cut", {"\xF0\x9F\x92", 3}, false},
    {"four: bad last", {"\xF0\x9F\x92\xFF", 4}, false},
    {"two: cut by the length", {"\xC3\xBC", 1}, false},
    {"three: cut by the length", {"\xE2\x82\xAC", 2}, false},
    {"four: cut by the length", {"\xF0\x9F\x92\xA9", 3}, false},
    {"lone tail", {"\x80", 1}, false},
    {"lone FF", {"a\xFFz", 3}, false},
    {"mixed", {"z\xC3\xBC\xE2\x82\xAC\xF0\x9F\x92\xA9!", 11}, true},
    {"good, then bad", {"\xC3\xBC\xC3", 3}, false},
};

static void
test_truncate(void **state)
{
    static const struct {
        const char *in;
        size_t max;
        size_t want;
    } rows[] = {
        {"", 0, 0},
        {"ab", 2, 2},
        {"ab", 1, 1},
        {"ab", 0, 0},
        {"a\xc3\xa9", 3, 3},
        {"a\xc3\xa9", 2, 1},
        {"a\xc3\xa9z", 3, 3},
        {"\xe2\x82\xac", 2, 0},
        {"\xf0\x9f\x98\x80z", 4, 4},
        {"z\xf0\x9f\x98\x80", 4, 1},
        {"\x80\x80\x80\x80\x80\x80", 5, 2}, /* no UTF-8 */
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str got =
            pst_str_truncate(pst_str_from(rows[i].in), rows[i].max);

        if (got.len != rows[i].want)
            fail_msg("row %zu: %zu bytes", i, got.len);
    }
}

static void
test_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(utf8_texts); i++)
        check_bool(utf8_texts[i].name, pst_str_is_utf8(utf8_texts[i].in),
                   utf8_texts[i].want);
}

static void
test_number(void **state)
{
    static const struct {
        const char *in;
        int64_t want; /* -1: PST_MALFORMED */
    } rows[] = {
        {"0", 0},
        {"7", 7},
        {"1800", 1800},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"92233720368547758070", -1},
        {"18446744073709551617", -1},
        {"", -1},
        {"00", -1},
        {"01", -1},
        {"-1", -1},
        {"+1", -1},
        {" 1", -1},
        {"1 ", -1},
        {"1.0", -1},
        {"0x10", -1},
        {"1e3", -1},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int64_t got = -2;
        enum pst_err e = pst_str_parse_number(pst_str_from(rows[i].in), &got);

        if (rows[i].want < 0 ? e != PST_MALFORMED || got != -2
                             : e != PST_OK || got != rows[i].want)
            fail_msg("row '%s': %s, %lld", rows[i].in, pst_err_code(e),
                     (long long)got);
    }
}

static void
test_port(void **state)
{
    static const struct {
        const char *in;
        int64_t want; /* -1: refused */
    } rows[] = {{"1", 1},      {"443", 443}, {"65535", 65535}, {"0", -1},
                {"65536", -1}, {"", -1},     {"080", -1},      {"-1", -1}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int64_t got = -1;
        enum pst_err e = pst_str_parse_port(pst_str_from(rows[i].in), &got);

        if (got != rows[i].want || e != (got < 0 ? PST_MALFORMED : PST_OK))
            fail_msg("row '%s': %s, %lld", rows[i].in, pst_err_code(e),
                     (long long)got);
    }
}

static void
test_digits_and_letters(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        size_t low = pst_str_index(PST_STR("0123456789abcdef"), c);
        size_t high = pst_str_index(PST_STR("0123456789ABCDEF"), c);
        int want = low < 16 ? (int)low : high < 16 ? (int)high : -1;
        int lower = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;

        if (pst_hex_value(c) != want || pst_lower(c) != (char)lower)
            fail_msg("byte 0x%02X", (unsigned)byte);
    }
    for (unsigned value = 0; value < 16; value++)
        assert_int_equal(pst_hex_value(pst_hex_digit(value)), value);
    assert_int_equal(pst_hex_digit(10), 'a');
    assert_int_equal(pst_hex_digit(0xF3), '3');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_field_values),
        cmocka_unit_test(test_from),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_cut_and_word),
        cmocka_unit_test(test_word_keeps_nul),
        cmocka_unit_test(test_byte_classes),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_digits_and_letters),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
