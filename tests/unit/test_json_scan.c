/* SPDX-License-Identifier: ISC */
/*
 * test_json_scan.c - the tokens of JSON, and strings decoded.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "codec/json_scan.h"

static struct pst_json_scan
scan_of(const char *text)
{
    return (struct pst_json_scan){.text = pst_str_from(text)};
}

static void
check_text(const char *row, struct pst_str got, const char *want)
{
    if (!pst_str_equal(got, pst_str_from(want)))
        fail_msg("%s: got [%.*s], want [%s]", row, (int)got.len,
                 got.ptr ? got.ptr : "", want ? want : "");
}

static void
test_number(void **state)
{
    static const struct {
        const char *in;
        const char *want; /* NULL: none */
        bool whole;
    } rows[] = {
        {"0", "0", true},
        {"-0,", "-0", true},
        {"10]", "10", true},
        {"01", "0", true},
        {"12.50e-07 ", "12.50e-07", false},
        {"1E+2}", "1E+2", false},
        {"1e5.5", "1e5", false},
        {"1.0", "1.0", false},
        {"-", NULL, false},
        {"", NULL, false},
        {"+1", NULL, false},
        {".5", NULL, false},
        {"1.", NULL, false},
        {"1.e1", NULL, false},
        {"1e", NULL, false},
        {"1e-", NULL, false},
        {"1e+-1", NULL, false},
        {"--1", NULL, false},
        {"x", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_json_scan scan = scan_of(rows[i].in);
        struct pst_str text = PST_STR_NONE;
        bool whole = false;
        bool taken = pst_json_scan_number(&scan, &text, &whole);

        if (taken != (rows[i].want != NULL))
            fail_msg("%s: is %staken", rows[i].in, taken ? "" : "not ");
        if (!taken)
            continue;
        check_text(rows[i].in, text, rows[i].want);
        assert_int_equal(scan.at, text.len);
        if (whole != rows[i].whole)
            fail_msg("%s: is %swhole", rows[i].in, whole ? "" : "not ");
    }
}

static void
test_string(void **state)
{
    static const struct {
        const char *in;
        const char *want; /* NULL: none */
        size_t at;
    } rows[] = {
        {"\"\"", "", 2},
        {"\"a\" ", "a", 3},
        {"\"a\\\"b\",", "a\\\"b", 6},
        {"\"\\\\\"\"", "\\\\", 4},
        {"a", NULL, 0},
        {"", NULL, 0},
        {"\"", NULL, 0},
        {"\"a", NULL, 0},
        {"\"a\\", NULL, 0},
        {"\"a\\\"", NULL, 0},
        {"\"a\nb\"", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_json_scan scan = scan_of(rows[i].in);
        struct pst_str raw = PST_STR_NONE;
        bool taken = pst_json_scan_string(&scan, &raw);

        if (taken != (rows[i].want != NULL))
            fail_msg("%s: is %staken", rows[i].in, taken ? "" : "not ");
        check_text(rows[i].in, raw, rows[i].want);
        if (taken)
            assert_int_equal(scan.at, rows[i].at);
    }
}

/* A byte by byte version of pst_json_scan_string(). */
static bool
scan_slowly(struct pst_str text, size_t *end)
{
    size_t at = 1;

    while (at < text.len && text.ptr[at] != '"') {
        if ((unsigned char)text.ptr[at] < ' ')
            return false;
        at += text.ptr[at] == '\\' ? 2 : 1;
    }
    *end = at;
    return at < text.len;
}

/*
 * A byte that ends a string, or that is not allowed in it, is found at any
 * place.
 */
static void
test_string_places(void **state)
{
    static const char bytes[] = "\"\\\n\x1f\x00 !#[]\x7f\x80\xa0\xa2\xdc\xff";

    (void)state;
    for (size_t len = 1; len < 28; len++) {
        for (size_t place = 1; place < len; place++) {
            for (size_t i = 0; i < 2 * (sizeof(bytes) - 1); i++) {
                char *text = test_malloc(len);
                struct pst_json_scan scan = {.text = {text, len}};
                struct pst_str raw = PST_STR_NONE;
                size_t end = 0;
                bool is_string;

                memset(text, 'a', len);
                text[0] = text[len - 1] = '"';
                text[place] = bytes[i / 2];
                if (i % 2 && place > 3)
                    text[place - 2] = '\\';
                is_string = scan_slowly(scan.text, &end);
                assert_int_equal(pst_json_scan_string(&scan, &raw), is_string);
                if (is_string)
                    assert_int_equal(raw.len, end - 1);
                test_free(text);
            }
        }
    }
}

static void
test_value(void **state)
{
    static const struct {
        const char *in;
        const char *want; /* what is skipped; NULL: it does not end */
    } rows[] = {
        {"1.5,2", "1.5"},
        {"null]", "null"},
        {"true}", "true"},
        {"false ", "false"},
        {"\"]\",1", "\"]\""},
        {"[],1", "[]"},
        {"[[],{\"]\":\"}\"}],1", "[[],{\"]\":\"}\"}]"},
        {"{ \"a\" : [ 1 , \"\\\"]\" ] } , 2", "{ \"a\" : [ 1 , \"\\\"]\" ] }"},
        {"", NULL},
        {"[", NULL},
        {"[[]", NULL},
        {"{\"a", NULL},
        {"\"a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_json_scan scan = scan_of(rows[i].in);

        if (pst_json_scan_skip_value(&scan) != (rows[i].want != NULL))
            fail_msg("%s: is %spassed", rows[i].in, rows[i].want ? "not " : "");
        if (rows[i].want)
            check_text(rows[i].in, pst_json_scan_since(&scan, 0), rows[i].want);
    }
}

static void
test_unescape(void **state)
{
    static const char *const refused[] = {
        "\\",      "\\x",   "\\u",        "\\u12",   "\\u12g4",
        "\\U0041", "ab\\q", "\\ud800\\u", "\\u 041", "\\'",
    };
    struct pst_json_unescape string = {.rest = PST_STR("ab\\nc\\ud83d\\ude00")};
    struct pst_str run;

    (void)state;
    assert_true(pst_json_unescape_next(&string, &run));
    check_text("a run", run, "ab");
    assert_true(pst_json_unescape_next(&string, &run));
    check_text("an escape", run, "\n");
    assert_true(pst_json_unescape_next(&string, &run));
    check_text("one letter", run, "c");
    assert_true(pst_json_unescape_next(&string, &run));
    check_text("a pair", run, "\xF0\x9F\x98\x80");
    assert_int_equal(string.rest.len, 0);
    assert_false(string.lone);
    for (size_t i = 0; i < PST_COUNT(refused); i++) {
        bool good = true;

        string = (struct pst_json_unescape){.rest = pst_str_from(refused[i])};
        while (good && string.rest.len > 0)
            good = pst_json_unescape_next(&string, &run);
        if (good)
            fail_msg("%s: is decoded", refused[i]);
    }
}

static void
test_lone(void **state)
{
    static const char *const halves[] = {
        "\\ud800",        "\\udfff",        "\\udbff\\udbff",
        "\\ud800\\ue000", "\\udc00\\ud800", "\\ud800a",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(halves); i++) {
        struct pst_json_unescape string = {.rest = pst_str_from(halves[i])};
        struct pst_str run;

        assert_true(pst_json_unescape_next(&string, &run));
        check_text(halves[i], run, "\xEF\xBF\xBD");
        if (!string.lone || string.rest.len != strlen(halves[i]) - 6)
            fail_msg("%s: is taken for a pair", halves[i]);
    }
}

/* A whole string: decoded, with half of a surrogate pair, or refused. */
static void
test_unescape_all(void **state)
{
    static const struct {
        const char *raw;
        const char *want; /* NULL: refused */
        bool lone;
    } rows[] = {
        {"", "", false},
        {"plain", "plain", false},
        {"a\\n\\u00e9b",
         "a\n\xC3\xA9"
         "b",
         false},
        {"x\\ud83dy", "x\xEF\xBF\xBDy", true},
        {"ab\\q", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char storage[32];
        struct pst_buf buf;
        bool lone = false;

        pst_buf_init(&buf, storage, sizeof(storage));
        if (pst_json_unescape_all(&buf, pst_str_from(rows[i].raw), &lone) !=
            (rows[i].want != NULL))
            fail_msg("%s: is %srefused", rows[i].raw,
                     rows[i].want ? "" : "not ");
        if (rows[i].want)
            check_text(rows[i].raw, pst_buf_str(&buf), rows[i].want);
        assert_int_equal(lone, rows[i].lone);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),        cmocka_unit_test(test_string),
        cmocka_unit_test(test_string_places), cmocka_unit_test(test_value),
        cmocka_unit_test(test_unescape),      cmocka_unit_test(test_lone),
        cmocka_unit_test(test_unescape_all),
    };

    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
