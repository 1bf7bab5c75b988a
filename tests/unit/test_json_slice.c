/* SPDX-License-Identifier: ISC */
/*
 * test_json_slice.c - members, elements and strings of a checked text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/json_check.h"
#include "codec/json_slice.h"

static struct pst_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static struct pst_str
checked(const char *json)
{
    struct pst_str value = PST_STR_NONE;
    struct pst_json_error error;

    assert_int_equal(pst_json_check(arena, pst_str_from(json), &value, &error),
                     PST_OK);
    return value;
}

static void
check_text(const char *row, struct pst_str got, const char *want)
{
    if (!pst_str_equal(got, pst_str_from(want)))
        fail_msg("%s: got [%.*s], want [%s]", row, (int)got.len,
                 got.ptr ? got.ptr : "", want);
}

#define OBJECT                                                    \
    " { \"a\" : 1 ,\"\\u0062\":\"x,}\\\"\" , \"c\":[ 1 , {} ],\n" \
    "\"d\":123456789012345678901234567890,\"\" : { \"a\":null } } "

static void
test_members(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } want[] = {
        {"a", "1"},
        {"\\u0062", "\"x,}\\\"\""},
        {"c", "[ 1 , {} ]"},
        {"d", "123456789012345678901234567890"},
        {"", "{ \"a\":null }"},
    };
    struct pst_str rest = checked(OBJECT);
    struct pst_str name, value;
    size_t count = 0;

    (void)state;
    while (pst_json_slice_next_member(&rest, &name, &value)) {
        assert_true(count < PST_COUNT(want));
        check_text("name", name, want[count].name);
        check_text("value", value, want[count].value);
        count++;
    }
    assert_int_equal(count, PST_COUNT(want));
}

static void
test_find_member(void **state)
{
    struct pst_str object = checked(OBJECT);
    struct pst_str value;

    (void)state;
    assert_true(pst_json_slice_member(object, PST_STR("b"), &value));
    check_text("b", value, "\"x,}\\\"\"");
    assert_true(pst_json_slice_member(object, PST_STR(""), &value));
    assert_false(pst_json_slice_member(object, PST_STR("B"), &value));
    assert_false(pst_json_slice_member(object, PST_STR("\\u0062"), &value));
    assert_false(
        pst_json_slice_member(checked("[{\"a\":1}]"), PST_STR("a"), &value));
    assert_false(pst_json_slice_member(checked("{}"), PST_STR(""), &value));
    assert_false(pst_json_slice_member(PST_STR_NONE, PST_STR(""), &value));
}

static void
test_elements(void **state)
{
    struct pst_str array = checked("[ 1 ,[2,3] , {\"a\":[]},\"]\"\t]");
    static const char *const want[] = {"1", "[2,3]", "{\"a\":[]}", "\"]\""};
    struct pst_str rest = array;
    struct pst_str value;
    size_t count = 0;

    (void)state;
    while (pst_json_slice_next_element(&rest, &value))
        check_text("element", value, want[count++]);
    assert_int_equal(count, PST_COUNT(want));
    assert_true(pst_json_slice_element(array, 2, &value));
    check_text("2", value, want[2]);
    assert_false(pst_json_slice_element(array, 4, &value));
    assert_false(pst_json_slice_element(checked("[ ]"), 0, &value));
    assert_false(pst_json_slice_element(checked("{\"a\":1}"), 0, &value));
    assert_false(pst_json_slice_element(checked("1"), 0, &value));
}

static void
test_kinds(void **state)
{
    static const struct {
        const char *in;
        enum pst_json_kind kind;
    } rows[] = {
        {"", PST_JSON_ABSENT},
        {"null", PST_JSON_NULL},
        {"true", PST_JSON_BOOL},
        {"false", PST_JSON_BOOL},
        {"0", PST_JSON_INTEGER},
        {"-0", PST_JSON_NUMBER}, /* as in json.h: its spelling is kept */
        {"-9223372036854775808", PST_JSON_INTEGER},
        {"9223372036854775807", PST_JSON_INTEGER},
        {"9223372036854775808", PST_JSON_NUMBER},
        {"1.0", PST_JSON_NUMBER},
        {"1e2", PST_JSON_NUMBER},
        {"\"1\"", PST_JSON_STRING},
        {"[]", PST_JSON_ARRAY},
        {"{}", PST_JSON_OBJECT},
    };
    int64_t number = 0;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        assert_int_equal(pst_json_slice_kind(pst_str_from(rows[i].in)),
                         rows[i].kind);
    assert_int_equal(pst_json_slice_integer(PST_STR("-120"), &number), PST_OK);
    assert_int_equal(number, -120);
    assert_int_equal(pst_json_slice_integer(PST_STR("-"), &number),
                     PST_MALFORMED);
    assert_int_equal(pst_json_slice_integer(PST_STR(""), &number),
                     PST_MALFORMED);
    assert_int_equal(pst_json_slice_integer(PST_STR("\"1\""), &number),
                     PST_MALFORMED);
}

static void
test_names(void **state)
{
    static const struct {
        const char *raw;
        const char *text;
        bool is_same;
        bool is_folded;
    } rows[] = {
        {"query", "query", true, true},
        {"\\u0071uery", "query", true, true},
        {"Query", "query", false, true},
        {"QUER\\u0059", "query", false, true},
        {"quer", "query", false, false},
        {"queryy", "query", false, false},
        {"", "", true, true},
        {"", "query", false, false},
        {"\\/", "/", true, true},
        {"per\xC5\xBFi\\u017ftedQuery", "persistedQuery", false, true},
        {"\xE2\x84\xAA", "k", false, true},
        {"\\u212A", "k", false, true},
        {"\xC5\xBE", "s", false, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str raw = pst_str_from(rows[i].raw);
        struct pst_str text = pst_str_from(rows[i].text);

        if (pst_json_slice_equal(raw, text) != rows[i].is_same ||
            pst_json_slice_equal_nocase(raw, text) != rows[i].is_folded)
            fail_msg("%s and %s", rows[i].raw, rows[i].text);
    }
}

static void
test_strings(void **state)
{
    struct pst_str json = checked("\"plain\"");
    struct pst_str out;
    size_t used = pst_arena_used(arena);

    (void)state;
    assert_int_equal(pst_json_slice_string(arena, json, 100, &out), PST_OK);
    check_text("plain", out, "plain");
    assert_ptr_equal(out.ptr, json.ptr + 1);
    assert_int_equal(pst_arena_used(arena), used);

    json = checked("\"\\n\\u00e9\\uD83D\\uDE00\\\"x\"");
    for (size_t most = 0; most < 100; most += 50) {
        assert_int_equal(pst_json_slice_string(arena, json, most, &out),
                         PST_OK);
        check_text("escapes", out, "\n\xC3\xA9\xF0\x9F\x98\x80\"x");
    }
    assert_int_equal(pst_json_slice_string(arena, checked("\"\""), 9, &out),
                     PST_OK);
    assert_false(pst_str_is_absent(out));
    assert_int_equal(out.len, 0);
    assert_int_equal(pst_json_slice_string(arena, checked("12"), 9, &out),
                     PST_OK);
    assert_true(pst_str_is_absent(out));
    assert_int_equal(
        pst_json_slice_string(arena, checked("\"\\ud800x\""), 9, &out),
        PST_MALFORMED);
    for (size_t n = 1; n < 4; n++) {
        pst_arena_fail_at(arena, n);
        assert_int_equal(pst_json_slice_string(arena, json, 0, &out),
                         PST_NO_MEMORY);
    }
    pst_arena_fail_at(arena, 1);
    assert_int_equal(pst_json_slice_string(arena, json, 100, &out),
                     PST_NO_MEMORY);
}

/* A text that is not JSON is not read beyond its end. */
static void
test_not_checked(void **state)
{
    static const char *const texts[] = {
        "{\"a\":{\"b\":[1,\"\\u0061\",{}]},\"c\":\"\\",
        "[[[[1,2],\"\\",
        "{\"a\" \"b\"}",
        "{1:2}",
        "[}{]",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(texts); i++) {
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            char *copy = test_malloc(len + 1);
            struct pst_str text = {copy, len};
            struct pst_str name, value, rest = text;

            memcpy(copy, texts[i], len);
            while (pst_json_slice_next_member(&rest, &name, &value))
                (void)pst_json_slice_kind(value);
            rest = text;
            while (pst_json_slice_next_element(&rest, &value))
                assert_true(pst_json_slice_string(arena, value, 10, &name) !=
                            PST_NO_MEMORY);
            (void)pst_json_slice_equal_nocase(text, PST_STR("{"));
            test_free(copy);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_elements, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_checked, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("json_slice", tests, NULL, NULL);
}
