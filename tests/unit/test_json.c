/* SPDX-License-Identifier: ISC */
/*
 * test_json.c - what RFC 8259 allows and json-c does not see, and what parsed
 * values are.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "codec/json.h"

#define ARENA_SIZE (64 * 1024)

/* PST_STR() for static tables, where a compound literal is not allowed. */
#define T(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
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

/* Fail with the row's name, unless the two texts are the same bytes. */
static void
check_text(const char *row, struct pst_str got, struct pst_str want)
{
    if (pst_str_is_absent(got) != pst_str_is_absent(want) ||
        !pst_str_equal(got, want))
        fail_msg("%s: got \"%.*s\" (%zu), want \"%.*s\" (%zu)", row,
                 (int)got.len, got.ptr ? got.ptr : "", got.len, (int)want.len,
                 want.ptr ? want.ptr : "", want.len);
}

static void
check_err(const char *row, enum pst_err got, enum pst_err want)
{
    if (got != want)
        fail_msg("%s: got %s, want %s", row, pst_err_code(got),
                 pst_err_code(want));
}

static const struct pst_json *
parsed(const char *row, struct pst_str text)
{
    const struct pst_json *value = NULL;

    pst_arena_reset(arena);
    check_err(row, pst_json_parse(arena, text, &value), PST_OK);
    return value;
}

static struct pst_str
emitted(const char *row, const struct pst_json *value)
{
    struct pst_buf buf;
    struct pst_str text;

    pst_buf_init_arena(&buf, arena, ARENA_SIZE);
    pst_json_emit(&buf, value);
    check_err(row, pst_buf_finish(&buf, &text), PST_OK);
    return text;
}

struct grammar_row {
    const char *name;
    struct pst_str in;
    enum pst_err want;
};

#define ROW(name, in, want)                 \
    {                                       \
        name, {"" in, sizeof(in) - 1}, want \
    }
#define YES(name, in) ROW(name, in, PST_OK)
#define NO(name, in) ROW(name, in, PST_MALFORMED)
#define TWICE(name, in) ROW(name, in, PST_DUPLICATE)

/* RFC 8259. "!" marks what json-c 0.16 accepts even in strict mode. L49 */
static const struct grammar_row grammar[] = {
    /* Section 2: six structural characters, white space. */
    NO("empty", ""),
    NO("white space only", " \t\r\n"),
    YES("white space everywhere",
        "\t\r\n { \t\"a\"\r:\n[ 1 , \t2 ] , \"b\" : { } } \r\n\t"),
    NO("form feed", "\f1"),
    NO("vertical tab", "1\v"),
    NO("no-break space", "\xC2\xA0"
                         "1"),
    NO("byte order mark", "\xEF\xBB\xBF{}"),
    NO("byte order mark only", "\xEF\xBB\xBF"),
    NO("two values", "1 2"),
    NO("two objects", "{}{}"),
    NO("a value and a comma", "1,"),
    NO("a bracket too many", "[]]"),
    NO("a brace too many", "{}}"),
    NO("! NUL behind", "{}\0"),
    NO("! NUL and more behind", "{}\0x"),
    NO("! NUL behind a number", "1\0"),
    NO("NUL before", "\0{}"),
    NO("NUL inside", "[1\0]"),
    NO("comment before", "/*x*/1"),
    NO("comment inside", "[1/**/]"),
    NO("comment to the end of line", "//x\n1"),
    NO("hash comment", "#x\n1"),
    /* Section 3: literal names. */
    YES("true", "true"),
    YES("false", "false"),
    YES("null", "null"),
    NO("TRUE", "TRUE"),
    NO("True", "True"),
    NO("nUll", "nUll"),
    NO("FALSE in an array", "[FALSE]"),
    NO("tru", "tru"),
    NO("nulll", "nulll"),
    NO("truefalse", "[truefalse]"),
    NO("! NaN", "NaN"),
    NO("! NaN inside", "[NaN]"),
    NO("nan", "nan"),
    NO("! Infinity", "Infinity"),
    NO("! -Infinity", "[-Infinity]"),
    NO("undefined", "undefined"),
    /* Section 4: objects. */
    YES("empty object", "{}"),
    YES("empty name", "{\"\":1}"),
    NO("open object", "{"),
    NO("open object behind a member", "{\"a\":1"),
    NO("closed by the other bracket", "{\"a\":1]"),
    NO("comma at the end", "{\"a\":1,}"),
    NO("comma at the beginning", "{,\"a\":1}"),
    NO("comma only", "{,}"),
    NO("two commas", "{\"a\":1,,\"b\":2}"),
    NO("no comma", "{\"a\":1 \"b\":2}"),
    NO("no colon", "{\"a\" 1}"),
    NO("two colons", "{\"a\"::1}"),
    NO("no value", "{\"a\":}"),
    NO("no colon, no value", "{\"a\"}"),
    NO("bare name", "{a:1}"),
    NO("number for a name", "{1:1}"),
    NO("! name in single quotes", "{'a':1}"),
    /* Section 5: arrays. */
    YES("empty array", "[]"),
    YES("mixed array", "[1,\"a\",true,null,[],{}]"),
    NO("open array", "["),
    NO("open array behind an element", "[1"),
    NO("array comma at the end", "[1,]"),
    NO("array comma at the beginning", "[,1]"),
    NO("array two commas", "[1,,2]"),
    NO("array no comma", "[1 2]"),
    NO("array of strings, no comma", "[\"a\"\"b\"]"),
    NO("array closed by a brace", "[}"),
    NO("array with a colon", "[1:2]"),
    NO("closing bracket only", "]"),
    /* Section 6: numbers. */
    YES("zero", "0"),
    YES("minus zero", "-0"),
    YES("-0.0", "-0.0"),
    YES("-0e1", "-0e1"),
    YES("exponent", "1E+2"),
    YES("small exponent", "1e-400"),
    YES("beyond a double", "1e400"),
    YES("fraction and exponent", "-12.50e-07"),
    NO("01", "01"),
    NO("! 00", "00"),
    NO("! -00", "[-00]"),
    NO("! -01", "-01"),
    NO("! 01.5", "[01.5]"),
    NO("+1", "+1"),
    NO("minus only", "-"),
    NO("minus only inside", "[-]"),
    NO("minus letter", "-x"),
    NO("two minuses", "--1"),
    NO("! 1.", "1."),
    NO("! 1. inside", "[1.]"),
    NO("! 1.e1", "1.e1"),
    NO(".5", ".5"),
    NO("! -.5", "[-.5]"),
    NO("1e", "1e"),
    NO("1e+", "[1e+]"),
    NO("two exponents", "[1e1e1]"),
    NO("fraction in the exponent", "[1e5.5]"),
    NO("hexadecimal", "0x1F"),
    NO("digit separator", "1_0"),
    NO("subtraction", "[1-2]"),
    NO("full-width digit", "\xEF\xBC\x91"),
    /* Section 7: strings. */
    YES("empty string", "\"\""),
    YES("every short escape", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    YES("DEL", "\"\x7F\""),
    YES("line separator", "\"\xE2\x80\xA8\""),
    YES("escaped NUL in a value", "\"\\u0000\""),
    YES("surrogate pair", "\"\\ud83d\\ude00\""),
    YES("hex digits of both cases", "\"\\uABcd\""),
    NO("open string", "\"a"),
    NO("single quotes", "'a'"),
    NO("! tab", "\"a\tb\""),
    NO("! line feed", "\"a\nb\""),
    NO("! 0x01", "\"a\x01"
                 "b\""),
    NO("! 0x1F in a name", "{\"a\x1F\":1}"),
    NO("raw NUL in a string", "\"a\0b\""),
    NO("escape at the end", "\"\\"),
    NO("escaped quote at the end", "\"\\\""),
    NO("unknown escape", "\"\\a\""),
    NO("escaped single quote", "\"\\'\""),
    NO("hexadecimal escape", "\"\\x41\""),
    NO("escaped line end", "\"a\\\nb\""),
    NO("escaped NUL byte", "\"\\\0\""),
    NO("capital U", "\"\\U0041\""),
    NO("u and nothing", "\"\\u"),
    NO("u and three digits", "\"\\u123\""),
    NO("u and a letter", "\"\\u12G4\""),
    NO("u and a sign", "\"\\u+123\""),
    NO("bad escape in a name", "{\"\\q\":1}"),
    /* Section 8.1: UTF-8. */
    YES("two, three, four bytes", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""),
    NO("0xFF", "\"\xFF\""),
    NO("0xFF in a name", "{\"\xFF\":1}"),
    NO("! overlong NUL", "\"\xC0\x80\""),
    NO("! overlong slash", "\"\xE0\x80\xAF\""),
    NO("! surrogate as UTF-8", "\"\xED\xA0\x80\""),
    NO("! above U+10FFFF", "\"\xF4\x90\x80\x80\""),
    NO("character cut short", "\"\xE2\x82\""),
    NO("latin-1", "\"caf\xE9\""),
    /* Names: L49, and what json-c cannot represent. */
    NO("! NUL in a name", "{\"a\\u0000b\":1}"),
    NO("! name of one NUL", "{\"\\u0000\":1}"),
    NO("! half a pair in a name", "{\"\\ud800\":1}"),
    NO("! low half in a name", "{\"a\":{\"x\\udc00\":1}}"),
    TWICE("! a member twice", "{\"a\":1,\"a\":2}"),
    TWICE("! the same value twice", "{\"a\":1,\"a\":1}"),
    TWICE("! twice with null", "{\"a\":null,\"a\":null}"),
    TWICE("! twice, not adjacent", "{\"a\":1,\"b\":2,\"a\":3}"),
    TWICE("! twice, spelled differently", "{\"a\":1,\"\\u0061\":2}"),
    TWICE("! twice, the escape first", "{\"\\u0061\":1,\"a\":2}"),
    TWICE("! slash spelled differently", "{\"/\":1,\"\\/\":2}"),
    TWICE("! pair spelled differently",
          "{\"\xF0\x9F\x98\x80\":1,\"\\uD83D\\uDE00\":2}"),
    TWICE("! the empty name twice", "{\"\":1,\"\":2}"),
    TWICE("! twice, one deep", "{\"x\":{\"a\":1,\"a\":2}}"),
    TWICE("! twice, in an array", "[0,{\"a\":1,\"b\":{},\"a\":2}]"),
    TWICE("! twice, four deep", "{\"a\":[{\"a\":{\"b\":1,\"b\":1}}]}"),
    TWICE("! twice around a deeper one", "{\"a\":{\"a\":1},\"a\":2}"),
    YES("the same name in two objects", "{\"a\":{\"a\":1},\"b\":{\"a\":2}}"),
    YES("the same name in an array's objects", "[{\"a\":1},{\"a\":1}]"),
    YES("names of different case", "{\"a\":1,\"A\":2}"),
    YES("name and its prefix", "{\"a\":1,\"ab\":2,\"\":3}"),
    YES("a value like a name", "{\"a\":\"a\",\"b\":\"a\"}"),
    YES("composed and decomposed", "{\"\xC3\xA9\":1,\"e\xCC\x81\":2}"),
};

static void
test_grammar(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(grammar); i++) {
        const struct grammar_row *row = &grammar[i];
        const struct pst_json *value = NULL;
        enum pst_err e;

        pst_arena_reset(arena);
        e = pst_json_parse(arena, row->in, &value);
        check_err(row->name, e, row->want);
        if ((value != NULL) != (row->want == PST_OK))
            fail_msg("%s: the output is %sset", row->name, value ? "" : "not ");
    }
}

/* The parser refuses a text that is truncated at any byte. */
static void
test_truncated(void **state)
{
    const struct pst_str whole = PST_STR(
        "{\"a\":[1,-2.5e+3,true,null,\"\\u0041\\n\xC3\xA9\"],\"b\":{}}");
    char exact[128];

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        struct pst_str text = {memcpy(exact, whole.ptr, len), len};
        const struct pst_json *value = NULL;

        pst_arena_reset(arena);
        if (pst_json_parse(arena, text, &value) != PST_MALFORMED || value)
            fail_msg("the first %zu bytes are accepted", len);
    }
    assert_int_equal(pst_json_kind(parsed("whole", whole)), PST_JSON_OBJECT);
}

/* `depth` containers of one kind around a value. */
static struct pst_str
nested(char *storage, size_t depth, bool objects, const char *inside)
{
    size_t len = 0;

    for (size_t i = 0; i < depth; i++) {
        size_t piece = objects ? 5 : 1;

        memcpy(storage + len, objects ? "{\"a\":" : "[", piece);
        len += piece;
    }
    memcpy(storage + len, inside, strlen(inside));
    len += strlen(inside);
    for (size_t i = 0; i < depth; i++)
        storage[len++] = objects ? '}' : ']';
    return (struct pst_str){storage, len};
}

static void
test_depth(void **state)
{
    static const struct {
        const char *name;
        size_t depth;
        bool objects;
        const char *inside;
        enum pst_err want;
    } rows[] = {
        {"arrays, just so deep", PST_JSON_DEPTH, false, "", PST_OK},
        {"arrays with a value", PST_JSON_DEPTH, false, "1", PST_OK},
        {"arrays, one deeper", PST_JSON_DEPTH + 1, false, "", PST_MALFORMED},
        {"objects, just so deep", PST_JSON_DEPTH, true, "1", PST_OK},
        {"objects, one deeper", PST_JSON_DEPTH + 1, true, "1", PST_MALFORMED},
        {"an array in objects", PST_JSON_DEPTH, true, "[]", PST_MALFORMED},
        {"very deep", 10000, false, "", PST_MALFORMED},
        {"very deep objects", 10000, true, "1", PST_MALFORMED},
    };
    static char storage[70000];
    const struct pst_json *value;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        pst_arena_reset(arena);
        check_err(rows[i].name,
                  pst_json_parse(arena,
                                 nested(storage, rows[i].depth, rows[i].objects,
                                        rows[i].inside),
                                 &value),
                  rows[i].want);
    }
}

/* A length that json-c cannot handle: nothing of the text is read. */
static void
test_too_long(void **state)
{
    struct pst_str text = {"1", (size_t)INT32_MAX + 1};
    const struct pst_json *value = NULL;

    (void)state;
    assert_int_equal(pst_json_parse(arena, text, &value), PST_MALFORMED);
    assert_int_equal(pst_json_parse(arena, PST_STR_NONE, &value),
                     PST_MALFORMED);
    assert_null(value);
}

static void
test_kinds(void **state)
{
    static const struct {
        const char *in;
        enum pst_json_kind want;
        int64_t integer;
        const char *emitted;
    } rows[] = {
        {"null", PST_JSON_NULL, 0, "null"},
        {"true", PST_JSON_BOOL, 0, "true"},
        {"false", PST_JSON_BOOL, 0, "false"},
        {"0", PST_JSON_INTEGER, 0, "0"},
        {"-0", PST_JSON_NUMBER, 0, "-0"}, /* byte for byte */
        {"[-0]", PST_JSON_ARRAY, 0, "[-0]"},
        {" 42 ", PST_JSON_INTEGER, 42, "42"},
        {"-7", PST_JSON_INTEGER, -7, "-7"},
        {"9223372036854775807", PST_JSON_INTEGER, INT64_MAX,
         "9223372036854775807"},
        {"-9223372036854775808", PST_JSON_INTEGER, INT64_MIN,
         "-9223372036854775808"},
        {"9223372036854775808", PST_JSON_NUMBER, 0, "9223372036854775808"},
        {"-9223372036854775809", PST_JSON_NUMBER, 0, "-9223372036854775809"},
        {"18446744073709551615", PST_JSON_NUMBER, 0, "18446744073709551615"},
        {"18446744073709551616", PST_JSON_NUMBER, 0, "18446744073709551616"},
        {"-99999999999999999999", PST_JSON_NUMBER, 0, "-99999999999999999999"},
        {"123456789012345678901234567890", PST_JSON_NUMBER, 0,
         "123456789012345678901234567890"},
        {"1.0", PST_JSON_NUMBER, 0, "1.0"},
        {"1e2", PST_JSON_NUMBER, 0, "1e2"},
        {"1.0E+2", PST_JSON_NUMBER, 0, "1.0E+2"},
        {"-0.0", PST_JSON_NUMBER, 0, "-0.0"},
        {"1e400", PST_JSON_NUMBER, 0, "1e400"},
        {"\"\"", PST_JSON_STRING, 0, "\"\""},
        {"[ ]", PST_JSON_ARRAY, 0, "[]"},
        {"{ }", PST_JSON_OBJECT, 0, "{}"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_json *value =
            parsed(rows[i].in, pst_str_from(rows[i].in));
        int64_t integer = 4711;
        enum pst_err e = pst_json_integer(value, &integer);

        if (pst_json_kind(value) != rows[i].want)
            fail_msg("%s: kind %d, want %d", rows[i].in,
                     (int)pst_json_kind(value), (int)rows[i].want);
        check_err(rows[i].in, e,
                  rows[i].want == PST_JSON_INTEGER ? PST_OK : PST_MALFORMED);
        if (integer != (e ? 4711 : rows[i].integer))
            fail_msg("%s: got %jd", rows[i].in, (intmax_t)integer);
        check_text(rows[i].in, emitted(rows[i].in, value),
                   pst_str_from(rows[i].emitted));
    }
    assert_int_equal(pst_json_kind(NULL), PST_JSON_ABSENT);
}

/* All functions accept an absent value, or one of another kind. */
static void
test_absent(void **state)
{
    const struct pst_json *value = parsed("row", PST_STR("[true,1,\"s\"]"));
    const struct pst_json *array[] = {pst_json_at(value, PST_STR("/0")),
                                      pst_json_at(value, PST_STR("/1")),
                                      pst_json_at(value, PST_STR("/2")), NULL};
    bool truth = false;
    int64_t integer = 7;

    (void)state;
    assert_int_equal(pst_json_bool(array[0], &truth), PST_OK);
    assert_true(truth);
    for (size_t i = 1; i < PST_COUNT(array); i++)
        assert_int_equal(pst_json_bool(array[i], &truth), PST_MALFORMED);
    assert_int_equal(pst_json_integer(NULL, &integer), PST_MALFORMED);
    assert_int_equal(integer, 7);
    check_text("absent", pst_json_string(NULL), PST_STR_NONE);
    check_text("a number", pst_json_string(array[1]), PST_STR_NONE);
    check_text("a string", pst_json_string(array[2]), PST_STR("s"));
    check_text("emitted", emitted("absent", NULL), PST_STR("null"));
    assert_int_equal(pst_json_count(value), 3);
    assert_int_equal(pst_json_count(array[2]), 0);
    assert_int_equal(pst_json_count(NULL), 0);
}

static void
test_strings(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in;
        struct pst_str want;
    } rows[] = {
        {"empty", T("\"\""), T("")},
        {"short escapes", T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
         T("\"\\/\b\f\n\r\t")},
        {"NUL", T("\"a\\u0000b\""), T("a\0b")},
        {"one byte", T("\"\\u007F\""), T("\x7F")},
        {"two bytes", T("\"\\u0080\\u07ff\""), T("\xC2\x80\xDF\xBF")},
        {"three bytes", T("\"\\u0800\\ud7FF\\uE000\\uffff\""),
         T("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF")},
        {"four bytes", T("\"\\uD800\\uDC00\\udbff\\udfff\""),
         T("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")},
        {"RFC 8259 section 7", T("\"\\uD834\\uDD1E\""), T("\xF0\x9D\x84\x9E")},
        {"high half", T("\"\\ud800\""), T("\xEF\xBF\xBD")},
        {"low half", T("\"\\udc00x\""), T("\xEF\xBF\xBDx")},
        {"high half, letter", T("\"\\ud800\\u0041\""),
         T("\xEF\xBF\xBD"
           "A")},
        {"high half, pair", T("\"\\ud800\\ud800\\udc00\""),
         T("\xEF\xBF\xBD\xF0\x90\x80\x80")},
        {"the wrong way round", T("\"\\udc00\\ud800\""),
         T("\xEF\xBF\xBD\xEF\xBF\xBD")},
        {"high half, hex digits", T("\"\\ud800xxdc00\""),
         T("\xEF\xBF\xBDxxdc00")},
        {"high half, other escape", T("\"\\ud800\\n\""), T("\xEF\xBF\xBD\n")},
        {"runs and escapes", T("\"ab\\u0063d\\\\e\xC3\xA9\\n\""),
         T("abcd\\e\xC3\xA9\n")},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_text(rows[i].name,
                   pst_json_string(parsed(rows[i].name, rows[i].in)),
                   rows[i].want);
}

static void
test_members(void **state)
{
    static const char *const names[] = {"z", "a", "", "\xC3\xA9"};
    static const int64_t values[] = {3, 1, 2, 4};
    const struct pst_json *root =
        parsed("root", PST_STR("{\"z\":3,\"a\":1,\"\":2,\"\\u00e9\":4}"));

    (void)state;
    assert_int_equal(pst_json_count(root), PST_COUNT(names));
    for (size_t i = 0; i < PST_COUNT(names); i++) {
        struct pst_str name;
        int64_t value = 0;

        assert_int_equal(
            pst_json_integer(pst_json_member(root, i, &name), &value), PST_OK);
        check_text(names[i], name, pst_str_from(names[i]));
        assert_int_equal(value, values[i]);
    }
}

/* The same members by a walk; other kinds have none. */
static void
test_walk(void **state)
{
    static const char *const names[] = {"z", "a", ""};
    static const char *const values[] = {"3", "null", "[2.50]"};
    const struct pst_json *root =
        parsed("root", PST_STR("{\"z\":3,\"a\":null,\"\":[2.50]}"));
    struct pst_json_members members = pst_json_members(root);
    const struct pst_json *value;
    struct pst_str name;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(names); i++) {
        assert_true(pst_json_next_member(&members, &name, &value));
        check_text(names[i], name, pst_str_from(names[i]));
        check_text(names[i], emitted(names[i], value), pst_str_from(values[i]));
    }
    assert_false(pst_json_next_member(&members, &name, &value));
    members = pst_json_members(NULL);
    assert_false(pst_json_next_member(&members, &name, &value));
    members = pst_json_members(parsed("array", PST_STR("[{\"a\":1}]")));
    assert_false(pst_json_next_member(&members, &name, &value));
    members = pst_json_members(parsed("empty", PST_STR("{}")));
    assert_false(pst_json_next_member(&members, &name, &value));
}

/* Only a number that does not fit an integer has a spelling. */
static void
test_numbers(void **state)
{
    (void)state;
    check_text("large", pst_json_number(parsed("large", PST_STR("1.50e+9"))),
               PST_STR("1.50e+9"));
    check_text("integer", pst_json_number(parsed("integer", PST_STR("12"))),
               PST_STR_NONE);
    check_text("string", pst_json_number(parsed("string", PST_STR("\"1.5\""))),
               PST_STR_NONE);
    check_text("absent", pst_json_number(NULL), PST_STR_NONE);
}

/* A member by its name, byte for byte, and only of an object. */
static void
test_get(void **state)
{
    static const struct {
        struct pst_str name;
        const char *want; /* as it is emitted; NULL: there is none */
    } rows[] = {
        {T("a"), "1"},
        {T(""), "2"},
        {T("a/b"), "3"},
        {T("m~n"), "4"},
        {T("\xC3\xA9"), "5"},
        {T("null"), "null"},
        {T("deep"), "{\"a\":6}"},
        {T("/a"), NULL},
        {T("a~1b"), NULL},
        {T("A"), NULL},
        {T("a\0"), NULL},
        {T("deep/a"), NULL},
        {T("0"), NULL},
    };
    const struct pst_json *root =
        parsed("root", PST_STR("{\"a\":1,\"\":2,\"a/b\":3,\"m~n\":4,\"\\u00e9\""
                               ":5,\"null\":null,\"deep\":{\"a\":6}}"));

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_json *value = pst_json_get(root, rows[i].name);

        if (!value != !rows[i].want)
            fail_msg("%s: is %sthere", rows[i].name.ptr, value ? "" : "not ");
        if (value)
            check_text(rows[i].name.ptr, emitted(rows[i].name.ptr, value),
                       pst_str_from(rows[i].want));
    }
    assert_null(pst_json_get(NULL, PST_STR("a")));
    assert_null(pst_json_get(pst_json_get(root, PST_STR("a")), PST_STR("a")));
    assert_null(pst_json_get(parsed("list", PST_STR("[1]")), PST_STR("0")));
}

static void
test_elements(void **state)
{
    const struct pst_json *root =
        parsed("root", PST_STR("[1,null,\"s\",[2],{\"a\":3}]"));
    static const char *const want[] = {"1", "null", "\"s\"", "[2]",
                                       "{\"a\":3}"};

    (void)state;
    assert_int_equal(pst_json_count(root), PST_COUNT(want));
    for (size_t i = 0; i < PST_COUNT(want); i++)
        check_text(want[i], emitted(want[i], pst_json_element(root, i)),
                   pst_str_from(want[i]));
    assert_int_equal(pst_json_kind(pst_json_element(root, 1)), PST_JSON_NULL);
}

/* When any allocation fails, there is no result and no leak. */
static void
test_no_memory(void **state)
{
    const struct pst_str text =
        PST_STR("{\"a\":[1,2.5,true,null,\"x\\ny\",{\"b\":\"c\"}],"
                "\"a long name that makes the scratch grow, and then some\":"
                "12345678901234567890,\"e\":{}}");
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        const struct pst_json *value = NULL;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = pst_json_parse(arena, text, &value);
        assert_true((value != NULL) == (e == PST_OK));
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 20, 100);
}

/* A text larger than the arena needs little of the arena. */
static void
test_large(void **state)
{
    static char text[4 * ARENA_SIZE];
    const struct pst_json *value;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[0] = '"';
    memcpy(text + sizeof(text) / 2, "\\n", 2);
    text[sizeof(text) - 1] = '"';
    value = parsed("large", (struct pst_str){text, sizeof(text)});
    assert_int_equal(pst_json_string(value).len, sizeof(text) - 3);
    assert_int_equal(pst_json_string(value).ptr[sizeof(text) / 2 - 1], '\n');
    assert_true(pst_arena_used(arena) < 1024);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),   cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_kinds),     cmocka_unit_test(test_absent),
        cmocka_unit_test(test_strings),   cmocka_unit_test(test_members),
        cmocka_unit_test(test_walk),      cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_get),       cmocka_unit_test(test_elements),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests_name("json", tests, set_up, tear_down);
}
