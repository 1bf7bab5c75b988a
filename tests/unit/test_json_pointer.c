/* SPDX-License-Identifier: ISC */
/*
 * test_json_pointer.c - which pointers are valid, and what they point to among
 * parsed values and in a text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "codec/json.h"
#include "codec/json_pointer.h"

#define ARENA_SIZE (64 * 1024)

/* PST_STR() for static tables, where a compound literal is not allowed. */
#define T(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }
#define NONE    \
    {           \
        NULL, 0 \
    }

static struct pst_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static void
check_text(const char *row, struct pst_str got, struct pst_str want)
{
    if (!pst_str_equal(got, want))
        fail_msg("%s: got [%.*s] (%zu), want [%.*s] (%zu)", row, (int)got.len,
                 got.ptr ? got.ptr : "", got.len, (int)want.len,
                 want.ptr ? want.ptr : "", want.len);
}

static const struct pst_json *
parsed(const char *row, struct pst_str text)
{
    const struct pst_json *value = NULL;
    enum pst_err e = pst_json_parse(arena, text, &value);

    if (e)
        fail_msg("%s: is no JSON: %s", row, pst_err_code(e));
    return value;
}

static struct pst_str
emitted(const char *row, const struct pst_json *value)
{
    struct pst_buf buf;
    struct pst_str text = PST_STR_NONE;

    pst_buf_init_arena(&buf, arena, ARENA_SIZE);
    pst_json_emit(&buf, value);
    if (pst_buf_finish(&buf, &text) != PST_OK)
        fail_msg("%s: is not written", row);
    return text;
}

static void
test_is_pointer(void **state)
{
    static const struct {
        struct pst_str in;
        bool want;
    } rows[] = {
        {T(""), true},          {NONE, true},      {T("/"), true},
        {T("//"), true},        {T("/a"), true},   {T("/a/0/b"), true},
        {T("/~0~1"), true},     {T("/~01"), true}, {T("/ "), true},
        {T("/\xC3\xA9"), true}, {T("a"), false},   {T("a/b"), false},
        {T("#/a"), false},      {T(" /a"), false}, {T("/~"), false},
        {T("/a~"), false},      {T("/~2"), false}, {T("/~/0"), false},
        {T("/~~0"), false},     {T("~0"), false},  {T("/a/b~a"), false},
        {T("0"), false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (pst_json_is_pointer(rows[i].in) != rows[i].want)
            fail_msg("\"%.*s\" is %sa pointer", (int)rows[i].in.len,
                     rows[i].in.ptr, rows[i].want ? "" : "not ");
    }
}

/* The document of RFC 6901 section 5, and a few more members. */
static const struct pst_str pointed =
    T("{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2,"
      "\"e^f\": 3, \"g|h\": 4, \"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7,"
      "\"m~n\": 8, \"deep\": {\"\": {\"\": 9}, \"01\": 10, \"x\": null,"
      "\"~1\": 11, \"\\u0041\": 12}}");

static void
test_pointers(void **state)
{
    static const struct {
        const char *pointer;
        const char *want; /* as it is emitted; NULL: there is none */
    } rows[] = {
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/g|h", "4"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/foo/1", "\"baz\""},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/00", NULL},
        {"/foo/01", NULL},
        {"/foo/+1", NULL},
        {"/foo/-1", NULL},
        {"/foo/ 1", NULL},
        {"/foo/1x", NULL},
        {"/foo/1 ", NULL},
        {"/foo/0x1", NULL},
        {"/foo/1.0", NULL},
        {"/foo/", NULL},
        {"/foo/18446744073709551616", NULL},
        {"/foo/0/0", NULL},
        {"/foo/0/", NULL},
        {"/fo", NULL},
        {"/fooo", NULL},
        {"/Foo", NULL},
        {"foo", NULL},
        {"#/foo", NULL},
        {"/m~n", NULL},
        {"/m~2n", NULL},
        {"/m~", NULL},
        {"/a/b", NULL},
        {"//", NULL},
        {"/deep/", "{\"\":9}"},
        {"/deep//", "9"},
        {"/deep/01", "10"},
        {"/deep/x", "null"},
        {"/deep/x/y", NULL},
        {"/deep/~01", "11"},
        {"/deep/~1", NULL},
        {"/deep/A", "12"},
    };
    const struct pst_json *root = parsed("root", pointed);

    (void)state;
    assert_ptr_equal(pst_json_at(root, PST_STR("")), root);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_json *value =
            pst_json_at(root, pst_str_from(rows[i].pointer));

        if (!value != !rows[i].want)
            fail_msg("%s: is %sthere", rows[i].pointer, value ? "" : "not ");
        if (value)
            check_text(rows[i].pointer, emitted(rows[i].pointer, value),
                       pst_str_from(rows[i].want));
        assert_null(pst_json_at(NULL, pst_str_from(rows[i].pointer)));
    }
    assert_null(pst_json_at(NULL, PST_STR("")));
}

/* Unusual white space and spelling: the slice is exactly these bytes. */
#define ODD                                                            \
    " \t{\r\n\"data\" :\t{\"login\": { \"secret\" :\"fn\\u0045D\\n\" " \
    ",\"n\":1.0E+2 ,\"big\":12345678901234567890,\"\\u0061\\/b\":"     \
    "[ 1 , [ ] ,\t{ \"]\" : \"}\\\"\" } ,null]\n, \"\":  \"\" ,"       \
    "\"~\":-0 } } ,\"list\" : [\n] , \"x\":true } \r\n"

static void
test_locate(void **state)
{
    static const struct {
        const char *pointer;
        const char *want; /* NULL: PST_NOT_FOUND */
    } rows[] = {
        {"/data/login/secret", "\"fn\\u0045D\\n\""},
        {"/data/login/n", "1.0E+2"},
        {"/data/login/big", "12345678901234567890"},
        {"/data/login/a~1b", "[ 1 , [ ] ,\t{ \"]\" : \"}\\\"\" } ,null]"},
        {"/data/login/a~1b/0", "1"},
        {"/data/login/a~1b/1", "[ ]"},
        {"/data/login/a~1b/2", "{ \"]\" : \"}\\\"\" }"},
        {"/data/login/a~1b/2/]", "\"}\\\"\""},
        {"/data/login/a~1b/3", "null"},
        {"/data/login/", "\"\""},
        {"/data/login/~0", "-0"},
        {"/list", "[\n]"},
        {"/x", "true"},
        {"/data/login/a~1b/4", NULL},
        {"/data/login/a~1b/01", NULL},
        {"/data/login/a~1b/-", NULL},
        {"/data/login/a~1b/", NULL},
        {"/data/login/a~1b/1/0", NULL},
        {"/data/login/a~1b/18446744073709551616", NULL},
        {"/list/0", NULL},
        {"/x/0", NULL},
        {"/x/", NULL},
        {"/data/login/n/0", NULL},
        {"/data/secret", NULL},
        {"/data/login/secre", NULL},
        {"/data/login/secrets", NULL},
        {"/data/login/\\u0061~1b", NULL},
        {"/", NULL},
        {"data", NULL},
        {"/data/login/~", NULL},
        {"/]", NULL},
    };
    const struct pst_str text = PST_STR(ODD);

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *pointer = rows[i].pointer;
        struct pst_str slice = PST_STR_NONE;
        enum pst_err e = pst_json_locate(text, pst_str_from(pointer), &slice);

        if (e != (rows[i].want ? PST_OK : PST_NOT_FOUND))
            fail_msg("%s: %s", pointer, pst_err_code(e));
        check_text(pointer, slice, pst_str_from(rows[i].want));
        assert_true(e == PST_NOT_FOUND ||
                    (slice.ptr >= text.ptr && slice.ptr < text.ptr + text.len));
    }
}

/* Texts that are one value, with the pointer to the whole text. */
static void
test_locate_whole(void **state)
{
    static const struct {
        struct pst_str in;
        struct pst_str want;
    } rows[] = {
        {T(" 1 "), T("1")},
        {T("1.0E+2"), T("1.0E+2")},
        {T("\t\"a b\"\n"), T("\"a b\"")},
        {T("null"), T("null")},
        {T("\r{ } "), T("{ }")},
        {T("[[],{}]"), T("[[],{}]")},
        {T("[\"]\"]"), T("[\"]\"]")},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str slice = PST_STR_NONE;

        assert_int_equal(pst_json_locate(rows[i].in, PST_STR(""), &slice),
                         PST_OK);
        check_text(rows[i].in.ptr, slice, rows[i].want);
    }
}

/* The located bytes are the value that pst_json_at() finds. */
static void
check_same_value(struct pst_str text, struct pst_str pointer)
{
    const struct pst_json *value = pst_json_at(parsed("text", text), pointer);
    struct pst_str slice = PST_STR_NONE;

    if (pst_json_locate(text, pointer, &slice) != PST_OK) {
        if (value)
            fail_msg("%.*s: at() finds it alone", (int)pointer.len,
                     pointer.ptr);
        return;
    }
    check_text(pointer.ptr, emitted("slice", parsed("slice", slice)),
               emitted("value", value));
}

static void
test_locate_is_at(void **state)
{
    static const char *const pointers[] = {
        "",       "/",      "/a",   "/a/0",  "/a/1",    "/a/1/b", "/a/2",
        "/~1",    "/~0",    "/~01", "/a/01", "/a/1/b/", "//",     "/A",
        "/a/1/x", "/a/1/b", "/nul", "/null", "/a/-",    "/a/1/",  "/a~1",
    };
    const struct pst_str text =
        PST_STR("{\"\":{\"\":1},\"\\u0041\":2,\"a\":[ 0.50 ,{\"b\":\"\\/\","
                "\"x\":null}],\"/\":3,\"~\":4,\"~1\":5,\"null\":null}");

    (void)state;
    for (size_t i = 0; i < PST_COUNT(pointers); i++) {
        pst_arena_reset(arena);
        check_same_value(text, pst_str_from(pointers[i]));
    }
}

/* With a text that is not JSON, no slice is outside the text. */
static void
test_locate_broken(void **state)
{
    static const char *const texts[] = {
        "",          " ",           "{",          "{\"a\"",   "{\"a\":",
        "{\"a\":\"", "{\"a\":\"\\", "{\"b\":[1,", "{\"b\":}", "{\"b\":1 \"a\":",
        "[",         "[1",          "\"a",        "{a:1}",    "{\"\\u00\":1}",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(texts); i++) {
        struct pst_str slice = PST_STR("unset");

        if (pst_json_locate(pst_str_from(texts[i]), PST_STR("/a"), &slice) !=
            PST_NOT_FOUND)
            fail_msg("%s: something is found", texts[i]);
        check_text(texts[i], slice, PST_STR("unset"));
    }
}

/* Tokens and names, among parsed values and in a text. */
static void
test_tokens(void **state)
{
    static const struct {
        const char *token;
        const char *name;
        bool want;
    } rows[] = {
        {"", "", true},         {"a", "a", true},    {"a", "", false},
        {"", "a", false},       {"a", "ab", false},  {"ab", "a", false},
        {"~0", "~", true},      {"~1", "/", true},   {"~01", "~1", true},
        {"~1~0x", "/~x", true}, {"~0", "~0", false}, {"~1", "~", false},
        {"a", "A", false},      {"%41", "A", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str slice = PST_STR_NONE;
        struct pst_str text, pointer;
        char text_storage[40], pointer_storage[20];

        pst_arena_reset(arena);
        text = (struct pst_str){
            text_storage,
            (size_t)snprintf(text_storage, sizeof(text_storage),
                             "{\"other\":1,\"%s\":2}", rows[i].name)};
        pointer = (struct pst_str){pointer_storage,
                                   (size_t)snprintf(pointer_storage,
                                                    sizeof(pointer_storage),
                                                    "/%s", rows[i].token)};
        if ((pst_json_locate(text, pointer, &slice) == PST_OK) !=
                rows[i].want ||
            (pst_json_at(parsed(rows[i].name, text), pointer) != NULL) !=
                rows[i].want)
            fail_msg("%s is %s%s", rows[i].token, rows[i].want ? "not " : "",
                     rows[i].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_pointer),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_locate),
        cmocka_unit_test(test_locate_whole),
        cmocka_unit_test(test_locate_is_at),
        cmocka_unit_test(test_locate_broken),
    };

    return cmocka_run_group_tests_name("json_pointer", tests, set_up,
                                       tear_down);
}
