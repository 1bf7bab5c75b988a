/* SPDX-License-Identifier: ISC */
/*
 * test_name_fold.c - which names have the same key, and which do not. What
 * databases compare as equal is in tests/e2e/test_fold_mariadb.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "codec/name_fold.h"

static struct pst_str
key_of(struct pst_str name, char out[static PST_NAME_FOLD_MAX])
{
    size_t len = 0;

    assert_int_equal(pst_name_fold(name, out, &len), PST_OK);
    assert_true(len <= PST_NAME_FOLD_MAX);
    return (struct pst_str){out, len};
}

#define ROW(row, name, key)                                    \
    {                                                          \
        row, {name, sizeof(name) - 1}, {key, sizeof(key) - 1}, \
    }

/* The key: lower case, without accents. L58 */
static void
test_keys(void **state)
{
    static const struct {
        const char *row;
        struct pst_str name;
        struct pst_str key;
    } rows[] = {
        ROW("plain", "bob@example.org", "bob@example.org"),
        ROW("case", "BOB@Example.ORG", "bob@example.org"),
        ROW("accent", "r\xC3\xA9n\xC3\xA9", "rene"),
        ROW("combining accent", "re\xCC\x81ne\xCC\x81", "rene"),
        ROW("full width", "\xEF\xBD\x82\xEF\xBC\xA2\xEF\xBC\x91\xEF\xBC\xA0",
            "bb1@"),
        ROW("space", " b o\tb\r\n", "bob"),
        ROW("no-break, ideographic space",
            "b\xC2\xA0o\xE3\x80\x80"
            "b",
            "bob"),
        ROW("NUL and controls",
            "b\0o\x01"
            "b\x7F\xC2\x85",
            "bob"),
        ROW("zero width",
            "b\xE2\x80\x8Bo\xE2\x80\x8D"
            "b\xEF\xBB\xBF",
            "bob"),
        ROW("soft hyphen", "b\xC2\xADob", "bob"),
        ROW("right to left",
            "\xE2\x80\x8F"
            "b\xE2\x80\xAEo\xE2\x81\xA7"
            "b",
            "bob"),
        ROW("variation selectors",
            "b\xEF\xB8\x8Fo"
            "b\xF3\xA0\x84\x80",
            "bob"),
        ROW("tag characters", "b\xF3\xA0\x81\xA2ob", "bob"),
        ROW("unassigned, private",
            "b\xCD\xB8o\xEE\x80\x80"
            "b",
            "bob"),
        ROW("strokes", "\xC5\x82\xC3\xB8\xC4\x91\xC4\xB1\xC4\xA7\xC5\xA7",
            "lodiht"),
        ROW("digits",
            "\xD9\xA3\xE0\xA5\xA9\xC2\xB3\xE2\x91\xA2\xF0\x9D\x9F\x91",
            "33333"),
        ROW("ten in a circle", "\xE2\x91\xA9", "10"),
        ROW("ligatures", "\xEF\xAC\x81\xC5\x93n\xC3\xA6", "fiona"),
        ROW("accents alone",
            "\xCB\x9B"
            "b\xC2\xB4ob\xC2\xA8\xCB\x98",
            "bob"),
        ROW("barred o", "b\xC6\x9F\xC9\xB5", "boo"),
        ROW("l and a dot", "\xC5\x80l\xC2\xB7", "ll"),
        ROW("a and a half ring", "\xE1\xBA\x9A-a\xCA\xBE", "a-a"),
        ROW("iota below, beside",
            "\xE1\xBE\xB3-\xCE\x91\xCE\x99-\xE1\xBF\x83-\xCE\xB7\xCE\xB9",
            "\xCE\xB1-\xCE\xB1-\xCE\xB7-\xCE\xB7"),
        ROW("short i", "\xD0\x99\xD0\xB9\xD0\xB8", "\xD0\xB8\xD0\xB8\xD0\xB8"),
        ROW("sharp s",
            "stra\xC3\x9F"
            "en",
            "strasen"),
        ROW("a run of s", "strasssen", "strasen"),
        ROW("long s, capital sharp s", "mi\xC5\xBFs\xE1\xBA\x9E", "mis"),
        ROW("umlaut by name", "moeller", "moller"),
        ROW("mathematical", "\xF0\x9D\x90\x9B\xF0\x9D\x90\xA8\xF0\x9D\x90\x9B",
            "bob"),
        ROW("outlined, of Unicode 16", "\xF0\x9C\xB3\x97\xF0\x9C\xB3\xB2",
            "b2"),
        ROW("one to some: i, j, u, v, y", "ijuvyIJUVY", "iiiiiiiiii"),
        ROW("Cyrillic", "\xD0\x81\xD0\xB6", "\xD0\xB5\xD0\xB6"),
        ROW("Greek", "\xCE\x86\xCF\x82\xCE\xA3", "\xCE\xB1\xCF\x82\xCF\x82"),
        ROW("katakana", "\xE3\x82\xAB\xE3\x83\x91", "\xE3\x81\x8B\xE3\x81\xAF"),
        ROW("han", "\xE4\xB8\xAD", "\xE4\xB8\xAD"),
        ROW("compatibility ideograph", "\xEF\xA4\x80", "\xE8\xB1\x88"),
        ROW("beyond the first plane", "\xF0\x9F\x98\x80\xF0\xA0\xAE\xB7",
            "\xEF\xBF\xBD\xEF\xBF\xBD"),
        ROW("empty", "", ""),
        ROW("nothing left", " \xE2\x80\x8B\xCC\x81\0", ""),
    };
    char out[PST_NAME_FOLD_MAX];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str key = key_of(rows[i].name, out);

        if (!pst_str_equal(key, rows[i].key))
            fail_msg("row '%s': '%.*s'", rows[i].row, (int)key.len, key.ptr);
    }
}

/* A Hangul syllable, and the letters that it consists of. */
static void
test_hangul(void **state)
{
    static const struct {
        struct pst_str syllable;
        struct pst_str letters;
    } rows[] = {
        {{"\xEA\xB0\x80", 3}, {"\xE1\x84\x80\xE1\x85\xA1", 6}},
        {{"\xEA\xB0\x81", 3}, {"\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", 9}},
        {{"\xED\x95\x9C", 3}, {"\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", 9}},
        {{"\xED\x9E\xA3", 3}, {"\xE1\x84\x92\xE1\x85\xB5\xE1\x87\x82", 9}},
    };
    char one[PST_NAME_FOLD_MAX];
    char other[PST_NAME_FOLD_MAX];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str key = key_of(rows[i].syllable, one);

        assert_true(key.len >= 6);
        assert_true(pst_str_equal(key, key_of(rows[i].letters, other)));
    }
    assert_false(pst_str_equal(key_of(rows[0].syllable, one),
                               key_of(rows[1].syllable, other)));
}

static void
test_other_names_have_other_keys(void **state)
{
    static const char *const pairs[][2] = {
        {"bob", "rob"},
        {"bob", "bobb"},
        {"a.b@x.org", "ab@x.org"},
        {"user1", "user2"},
        {"a+1@x.org", "a@x.org"},
        {"\xD0\xB0", "a"},
        {"\xE4\xB8\xAD", "\xE4\xB8\xAE"},
    };
    char one[PST_NAME_FOLD_MAX];
    char other[PST_NAME_FOLD_MAX];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(pairs); i++)
        if (pst_str_equal(key_of(pst_str_from(pairs[i][0]), one),
                          key_of(pst_str_from(pairs[i][1]), other)))
            fail_msg("%s is %s", pairs[i][0], pairs[i][1]);
}

/*
 * Bytes that are not UTF-8 are refused: backends read them in different ways.
 */
static void
test_not_utf8(void **state)
{
    static const char *const names[] = {
        "\xFF",         "bob\xC3",          "\xC0\x80",
        "\xED\xA0\x80", "\xF4\x90\x80\x80", "b\x80ob",
    };
    char out[PST_NAME_FOLD_MAX];
    size_t len = 77;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(pst_name_fold(pst_str_from(names[i]), out, &len),
                         PST_MALFORMED);
    assert_int_equal(len, 77);
}

/*
 * Long names with the same beginning share a key, which is cut at a character.
 */
static void
test_long_names(void **state)
{
    static char name[6000];
    char one[PST_NAME_FOLD_MAX];
    char other[PST_NAME_FOLD_MAX];
    struct pst_str key;

    (void)state;
    for (size_t i = 0; i < sizeof(name); i += 3)
        memcpy(name + i, "\xE4\xB8\xAD", 3);
    key = key_of((struct pst_str){name, sizeof(name)}, one);
    assert_int_equal(key.len, PST_NAME_FOLD_MAX - PST_NAME_FOLD_MAX % 3);
    memcpy(name + sizeof(name) - 3, "abc", 3);
    assert_true(pst_str_equal(
        key, key_of((struct pst_str){name, sizeof(name)}, other)));
    /* Characters that are left out need no room in the key. */
    for (size_t i = 0; i < sizeof(name); i += 3)
        memcpy(name + i, "\xE2\x80\x8B", 3);
    memcpy(name + sizeof(name) - 3, "bob", 3);
    key = key_of((struct pst_str){name, sizeof(name)}, one);
    assert_true(pst_str_equal(key, PST_STR("bob")));
}

/* Each character by itself has a short key, which folds to itself. */
static void
test_every_character(void **state)
{
    char out[PST_NAME_FOLD_MAX];
    char again[PST_NAME_FOLD_MAX];

    (void)state;
    for (uint32_t c = 0x80; c < 0x110000; c++) {
        const char utf8[] = {
            (char)(0xF0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3F)),
            (char)(0x80 | (c >> 6 & 0x3F)), (char)(0x80 | (c & 0x3F))};
        const char utf8_3[] = {(char)(0xE0 | c >> 12), utf8[2], utf8[3]};
        const char utf8_2[] = {(char)(0xC0 | c >> 6), utf8[3]};
        struct pst_str name = c < 0x800     ? (struct pst_str){utf8_2, 2}
                              : c < 0x10000 ? (struct pst_str){utf8_3, 3}
                                            : (struct pst_str){utf8, 4};
        struct pst_str key;

        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        key = key_of(name, out);
        if (!pst_str_equal(key, key_of(key, again)))
            fail_msg("U+%04X folds twice", (unsigned)c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hangul),
        cmocka_unit_test(test_other_names_have_other_keys),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_every_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
