/* SPDX-License-Identifier: ISC */
/*
 * test_accept_language.c - the language for an Accept-Language, also a hostile
 * one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "http/accept_language.h"

#define TAGS_MAX 8
#define HEADER_MAX (256 * 1024)

/* The tags in a text such as "en de". Returns their number. */
static size_t
parse_tags(const char *text, struct pst_str tags[static TAGS_MAX])
{
    struct pst_str rest = pst_str_from(text);
    size_t count = 0;

    while (count < TAGS_MAX && pst_str_next_token(&rest, " ", &tags[count]))
        count++;
    return count;
}

static void
check(const char *name, struct pst_str header, const char *offered,
      const char *want)
{
    struct pst_str tags[TAGS_MAX];
    size_t count = parse_tags(offered, tags);
    size_t got = pst_language_choose(header, tags, count);

    assert_true(got < count);
    if (!pst_str_equal(tags[got], pst_str_from(want)))
        fail_msg("'%s' of %s: got %.*s, want %s", name, offered,
                 (int)tags[got].len, tags[got].ptr, want);
}

static void
test_choice(void **state)
{
    static const struct {
        const char *header; /* NULL: none */
        const char *offered;
        const char *want;
    } rows[] = {
        {NULL, "en de", "en"},
        {"", "en de", "en"},
        {"de", "en de", "de"},
        {"DE", "en de", "de"},
        {"en", "en de", "en"},
        {"fr", "en de", "en"},
        {"fr", "de", "de"},
        /* What browsers send. */
        {"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "en de", "de"},
        {"en-US,en;q=0.5", "en de", "en"},
        {"fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "en de", "en"},
        {"fr,de-AT;q=0.3", "en de", "de"},
        {"de-at", "en de", "de"},
        {"pt-BR", "en pt-BR pt", "pt-BR"},
        {"pt-PT,pt;q=0.9", "en pt-BR", "pt-BR"},
        {"pt-PT", "en pt pt-BR", "pt"},
        /* RFC 4647 section 3.4: lookup, and its example. */
        {"zh-Hant-CN-x-private1-private2", "en zh-Hant zh", "zh-Hant"},
        {"zh-Hant-CN-x-private1", "en zh-Hant-CN-x", "en"},
        {"de-x", "en de", "de"},
        {"d", "en de", "en"},
        {"deu", "en de", "en"},
        {"de-DE", "en de-AT", "en"},
        /* A range finds the beginning of a tag (section 3.3.1). */
        {"de", "en de-CH de-AT", "de-CH"},
        {"de", "en de-CH de", "de"},
        {"de", "en den", "en"},
        /* Weights. */
        {"en;q=0.1,de;q=0.2", "en de", "de"},
        {"de;q=0.2,en;q=0.200", "en de", "de"},
        {"de;q=0.123,en;q=0.124", "en de", "en"},
        {"en;q=0.999,de;q=1", "en de", "de"},
        {"en;q=0.999,de;q=1.000", "en de", "de"},
        {"en;q=0.9,de;q=1.", "en de", "de"},
        {"en;q=0.,de;q=0.001", "en de", "de"},
        {"en;Q=0.1 , \t de ; q=0.2", "en de", "de"},
        {"fr;q=0.1,de;q=0.2,en;q=0.3", "de fr en", "en"},
        {"fr,de,en;q=0.3", "en de fr", "fr"},
        /* Zero leaves a language out. */
        {"de;q=0", "en de", "en"},
        {"en;q=0", "en de", "en"},
        {"en;q=0,*", "en de", "de"},
        {"en;q=0.000,*;q=0.1", "en de", "de"},
        {"de;q=0,de-AT", "en de", "en"},
        {"de;q=0,*", "fr de", "fr"},
        {"de;q=0,*", "de de-AT fr", "fr"},
        {"de;q=0,de-AT,*;q=0.5", "en de-AT de", "de-AT"},
        {"zh,zh-TW;q=0", "en zh-TW zh-CN", "zh-CN"},
        {"de,*;q=0", "en de", "de"},
        {"fr,*;q=0", "en de", "en"},
        /* Any. */
        {"*", "en de", "en"},
        {"*,de", "en de", "en"},
        {"en;q=0.1,*;q=0.5", "en de", "de"},
        {"en;q=0.9,*;q=0.5", "en de", "en"},
        {"pt;q=0.1,*", "pt-BR de", "de"},
        {"en,de,*", "en de", "en"},
        {"en;q=0.1,de;q=0.2,*", "en de", "de"},
        /* Malformed ranges count for nothing. */
        {"de;q=2", "en de", "en"},
        {"de;q=1.001", "en de", "en"},
        {"de;q=0.1234", "en de", "en"},
        {"de;q=-1", "en de", "en"},
        {"de;q=", "en de", "en"},
        {"de;q=.5", "en de", "en"},
        {"de;q=0x5", "en de", "en"},
        {"de;q=0,5", "en de", "en"},
        {"de;q=1 ;x=y", "en de", "en"},
        {"de;level=1", "en de", "en"},
        {"de;", "en de", "en"},
        {"de fr", "en de", "en"},
        {"de_DE", "en de", "en"},
        {"de-", "en de", "en"},
        {"-de", "en de", "en"},
        {"de--AT", "en de", "en"},
        {"de-toolongpart", "en de", "en"},
        {"d3", "en d3", "en"},
        {"*-de", "en de", "en"},
        {"\xC3\xA4,de", "en de", "de"},
        {",,;,de", "en de", "de"},
        {"<script>,\"de\"", "en de", "en"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check(rows[i].header ? rows[i].header : "(none)",
              pst_str_from(rows[i].header), rows[i].offered, rows[i].want);
}

/* The piece again and again, and then the end. */
static struct pst_str
repeat(char *storage, const char *piece, size_t times, const char *end)
{
    struct pst_buf buf;
    struct pst_str text;

    pst_buf_init(&buf, storage, HEADER_MAX);
    for (size_t i = 0; i < times; i++)
        pst_buf_add_string(&buf, piece);
    pst_buf_add_string(&buf, end);
    assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
    return text;
}

static void
test_long_headers(void **state)
{
    static char storage[HEADER_MAX];
    static const struct {
        const char *name;
        const char *piece;
        size_t times;
        const char *end;
        const char *want;
    } rows[] = {
        {"10 KB of one range", "a", 10240, "", "en"},
        {"10 KB of parts", "de-", 3413, "x", "de"},
        {"a tag of 5,000 parts", "de-", 5000, "de,de", "de"},
        {"the last range that is read", "fr,", 31, "de", "de"},
        {"the first that is not", "fr,", 32, "de", "en"},
        {"thousands of ranges", "fr;q=0.5,", 20000, "de", "en"},
        {"thousands of weights that grow", "fr;q=0.1,fr;q=0.2,", 9000, "",
         "en"},
        {"de and thousands of ranges", "de,", 50000, "", "de"},
        {"thousands of commas", ",", 200000, "de", "en"},
        {"thousands of parameters", "de;q=1;", 20000, "", "en"},
        {"NUL and control bytes", "\x01\x7F", 5000, "", "en"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check(rows[i].name,
              repeat(storage, rows[i].piece, rows[i].times, rows[i].end),
              "en de", rows[i].want);
}

static void
test_tags(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        {"de", true},         {"pt-BR", true},         {"zh-Hant-TW", true},
        {"es-419", true},     {"i-klingon", true},     {"abcdefgh", true},
        {"abcdefghi", false}, {"de-123456789", false}, {"", false},
        {"-", false},         {"de-", false},          {"4de", false},
        {"de_AT", false},     {"de.txt", false},       {"*", false},
        {"../de", false},     {"d e", false},          {"d\xC3\xA4", false},
    };

    (void)state;
    assert_false(pst_language_is_tag(PST_STR_NONE));
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        if (pst_language_is_tag(pst_str_from(rows[i].text)) != rows[i].want)
            fail_msg("'%s': wrong", rows[i].text);
}

static void
test_truncated(void **state)
{
    static const struct {
        const char *tag;
        size_t want;
    } rows[] = {{"de", 0},         {"", 0},          {"de-AT", 2},
                {"zh-Hant-TW", 7}, {"de-x-y", 2},    {"de-a-bc-d", 7},
                {"x-de", 1},       {"de-AT-u-co", 5}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        assert_int_equal(pst_language_truncated_len(pst_str_from(rows[i].tag)),
                         rows[i].want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_long_headers),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_truncated),
    };

    return cmocka_run_group_tests_name("accept_language", tests, NULL, NULL);
}
