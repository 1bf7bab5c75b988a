/* SPDX-License-Identifier: ISC */
/*
 * test_json_emit.c - strings and values written, and texts with a secret
 * replaced, byte by byte.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "codec/json.h"
#include "codec/json_emit.h"

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
        fail_msg("%s: is not JSON: %s", row, pst_err_code(e));
    return value;
}

static struct pst_str
emitted(struct pst_str text)
{
    struct pst_buf buf;
    struct pst_str out = PST_STR_NONE;

    pst_buf_init_arena(&buf, arena, ARENA_SIZE);
    pst_json_emit_string(&buf, text);
    assert_int_equal(pst_buf_finish(&buf, &out), PST_OK);
    return out;
}

#define BAD "\xEF\xBF\xBD" /* U+FFFD */

static void
test_emit_string(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in;
        struct pst_str want;
    } rows[] = {
        {"empty", T(""), T("\"\"")},
        {"absent", NONE, T("\"\"")},
        {"plain", T("Hello, you / me"), T("\"Hello, you / me\"")},
        {"quote, backslash", T("\"a\\"), T("\"\\\"a\\\\\"")},
        {"short escapes", T("\b\f\n\r\t"), T("\"\\b\\f\\n\\r\\t\"")},
        {"NUL inside", T("a\0b"), T("\"a\\u0000b\"")},
        {"other control", T("\x01\x0B\x1F\x7F"),
         T("\"\\u0001\\u000b\\u001f\\u007f\"")},
        {"end of script", T("</script>&amp;"),
         T("\"\\u003c/script\\u003e\\u0026amp;\"")},
        {"two bytes", T("caf\xC3\xA9"), T("\"caf\xC3\xA9\"")},
        {"three bytes", T("\xE2\x82\xAC"), T("\"\xE2\x82\xAC\"")},
        {"four bytes", T("\xF0\x9F\x98\x80!"), T("\"\xF0\x9F\x98\x80!\"")},
        {"latin-1", T("caf\xE9!"), T("\"caf" BAD "!\"")},
        {"continuation only", T("\x80\xBF"), T("\"" BAD BAD "\"")},
        {"two bytes cut", T("\xC3"), T("\"" BAD "\"")},
        {"two bytes broken", T("\xC3\xC3\xA9"), T("\"" BAD "\xC3\xA9\"")},
        {"three bytes cut", T("\xE2\x82"), T("\"" BAD BAD "\"")},
        {"three bytes broken",
         T("\xE2\x82"
           "a"),
         T("\"" BAD BAD "a\"")},
        {"four bytes cut", T("\xF0\x9F\x98"), T("\"" BAD BAD BAD "\"")},
        {"overlong slash", T("\xC0\xAF"), T("\"" BAD BAD "\"")},
        {"surrogate", T("\xED\xA0\x80"), T("\"" BAD BAD BAD "\"")},
        {"above U+10FFFF", T("\xF4\x90\x80\x80"), T("\"" BAD BAD BAD BAD "\"")},
        {"0xFE 0xFF", T("\xFE\xFF"), T("\"" BAD BAD "\"")},
        {"broken before a quote", T("\xC3\""), T("\"" BAD "\\\"\"")},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_text(rows[i].name, emitted(rows[i].in), rows[i].want);
}

static struct pst_str
emitted_value(const char *row, const struct pst_json *value)
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
test_emit(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {" { \"b\" : [ 1 , 2.50 , { } ] , \"a\" : null } ",
         "{\"b\":[1,2.50,{}],\"a\":null}"},
        {"[true,false,[],[[]],\"\\u00e9\\/<\"]",
         "[true,false,[],[[]],\"\xC3\xA9/\\u003c\"]"},
        {"{\"\\\"\\u000a\":\"\\ud83d\\ude00\\ud83d\"}",
         "{\"\\\"\\n\":\"\xF0\x9F\x98\x80\xEF\xBF\xBD\"}"},
        {"[12345678901234567890,1.0E+2,-0.0,-0]",
         "[12345678901234567890,1.0E+2,-0.0,-0]"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str text = emitted_value(
            rows[i].in, parsed(rows[i].in, pst_str_from(rows[i].in)));
        char again[256];

        check_text(rows[i].in, text, pst_str_from(rows[i].want));
        assert_true(text.len < sizeof(again));
        text.ptr = memcpy(again, text.ptr, text.len);
        check_text(rows[i].in, emitted_value(again, parsed(again, text)),
                   pst_str_from(rows[i].want));
    }
}

/* A value larger than its buffer is an error. */
static void
test_emit_too_large(void **state)
{
    const struct pst_json *value =
        parsed("row", PST_STR("{\"a\":[1,2,3],\"b\":\"x\"}"));
    struct pst_str out = PST_STR_NONE;
    struct pst_buf buf;
    char small[10];

    (void)state;
    pst_buf_init(&buf, small, sizeof(small));
    pst_json_emit(&buf, value);
    assert_int_equal(pst_buf_finish(&buf, &out), PST_TOO_LARGE);
}

/* Each byte, written and parsed again, is itself or U+FFFD. */
static void
test_every_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        char row[16];
        struct pst_str text = {&c, 1};
        struct pst_str out;

        pst_arena_reset(arena);
        (void)snprintf(row, sizeof(row), "0x%02X", byte);
        out = emitted(text);
        for (size_t i = 0; i < out.len; i++) {
            if ((unsigned char)out.ptr[i] < ' ' ||
                memchr("<>&\x7F", out.ptr[i], 4))
                fail_msg("%s: is not escaped", row);
        }
        check_text(row, pst_json_string(parsed(row, out)),
                   byte < 0x80 ? text : PST_STR(BAD));
    }
}

/* Each character of Unicode, written and parsed again, is itself. */
static void
test_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 37) {
        char escape[20];
        char row[16];
        struct pst_str text;

        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        pst_arena_reset(arena);
        (void)snprintf(row, sizeof(row), "U+%04X", (unsigned)c);
        if (c < 0x10000)
            (void)snprintf(escape, sizeof(escape), "\"\\u%04x\"", (unsigned)c);
        else
            (void)snprintf(escape, sizeof(escape), "\"\\u%04X\\u%04x\"",
                           (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                           (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
        text = pst_json_string(parsed(row, pst_str_from(escape)));
        if (text.len == 0 || !pst_str_is_utf8(text))
            fail_msg("%s: is not decoded to UTF-8", row);
        check_text(row, pst_json_string(parsed(row, emitted(text))), text);
    }
}

static void
test_redact(void **state)
{
    static const struct {
        const char *name;
        struct pst_str in;
        struct pst_str secret;
        struct pst_str want;
    } rows[] = {
        {"a value", T("{\"secret\":\"fnED\"}"), T("fnED"),
         T("{\"secret\":null}")},
        {"white space stays", T(" {\t\"s\" :\n\"fnED\" ,\r\"n\" : 1 }\n"),
         T("fnED"), T(" {\t\"s\" :\nnull ,\r\"n\" : 1 }\n")},
        {"numbers stay", T("[1.0E+2,\"x\",12345678901234567890,-0]"), T("x"),
         T("[1.0E+2,null,12345678901234567890,-0]")},
        {"escapes of others stay", T("[\"\\u0041\\/\",\"x\",\"\\ud83d\"]"),
         T("x"), T("[\"\\u0041\\/\",null,\"\\ud83d\"]")},
        {"spelled with escapes", T("[\"f\\u006e\\u0045D\"]"), T("fnED"),
         T("[null]")},
        {"spelled with a slash", T("[\"a\\/b\",\"a/b\"]"), T("a/b"),
         T("[null,null]")},
        {"a pair", T("[\"\\uD83d\\uDe00\"]"), T("\xF0\x9F\x98\x80"),
         T("[null]")},
        {"every time", T("{\"a\":\"x\",\"b\":[\"x\",{\"c\":\"x\"}]}"), T("x"),
         T("{\"a\":null,\"b\":[null,{\"c\":null}]}")},
        {"the whole text", T(" \"x\" "), T("x"), T(" null ")},
        {"a name", T("{\"x\" :1}"), T("x"), T("{\"secret\" :1}")},
        {"inside a longer string",
         T("[\"a\\nsixteen bytes 16 z\",\"SIXTEEN BYTES 16\"]"),
         T("sixteen bytes 16"), T("[null,\"SIXTEEN BYTES 16\"]")},
        {"inside, with escapes", T("[\"\\u0020\\u0073ixteen bytes 16\\t\"]"),
         T("sixteen bytes 16"), T("[null]")},
        {"inside, after its own beginning",
         T("[\"aaaaaaaaaaaaaaaaaaab\",\"aaaaaaaaaaaaaaa\"]"),
         T("aaaaaaaaaaaaaaab"), T("[null,\"aaaaaaaaaaaaaaa\"]")},
        {"one byte less", T("[\"xfifteen bytes..\"]"), T("fifteen bytes.."),
         T("[\"xfifteen bytes..\"]")},
        {"a longer string", T("[\"fnEDx\",\"xfnED\"]"), T("fnED"),
         T("[\"fnEDx\",\"xfnED\"]")},
        {"a prefix of it", T("[\"fnE\",\"\"]"), T("fnED"), T("[\"fnE\",\"\"]")},
        {"other case", T("[\"FNED\"]"), T("fnED"), T("[\"FNED\"]")},
        {"a number like it", T("[123]"), T("123"), T("[123]")},
        {"a word like it", T("[true,\"true\"]"), T("true"), T("[true,null]")},
        {"quotes inside", T("[\"\\\"x\\\"\"]"), T("x"), T("[\"\\\"x\\\"\"]")},
        {"a quote is it", T("[\"\\\"\"]"), T("\""), T("[null]")},
        {"a backslash before the end", T("[\"\\\\\",\"x\"]"), T("x"),
         T("[\"\\\\\",null]")},
        {"a bracket is it", T("[\"]\"]"), T("]"), T("[null]")},
        {"with a NUL", T("[\"a\\u0000b\",\"a\"]"), T("a\0b"),
         T("[null,\"a\"]")},
        {"none", T("{}"), T("x"), T("{}")},
        {"empty", T(""), T("x"), T("")},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_buf buf;
        struct pst_str out = PST_STR_NONE;

        pst_arena_reset(arena);
        pst_buf_init_arena(&buf, arena, ARENA_SIZE);
        pst_json_redact(&buf, rows[i].in, rows[i].secret, PST_STR("null"));
        assert_int_equal(pst_buf_finish(&buf, &out), PST_OK);
        check_text(rows[i].name, out, rows[i].want);
    }
}

/* Replaced by a string; and without room for it. */
static void
test_redact_replacement(void **state)
{
    const struct pst_str text = PST_STR("{\"a\":\"x\", \"b\":\"x\"}");
    struct pst_str out = PST_STR_NONE;
    struct pst_buf buf;
    char small[24];

    (void)state;
    pst_buf_init_arena(&buf, arena, ARENA_SIZE);
    pst_json_redact(&buf, text, PST_STR("x"), PST_STR("\"ey..Q\""));
    assert_int_equal(pst_buf_finish(&buf, &out), PST_OK);
    check_text("ours", out, PST_STR("{\"a\":\"ey..Q\", \"b\":\"ey..Q\"}"));
    pst_buf_init(&buf, small, sizeof(small));
    pst_json_redact(&buf, text, PST_STR("x"), PST_STR("\"ey..Q\""));
    assert_int_equal(pst_buf_finish(&buf, &out), PST_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emit_string),
        cmocka_unit_test(test_emit),
        cmocka_unit_test(test_emit_too_large),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_redact),
        cmocka_unit_test(test_redact_replacement),
    };

    return cmocka_run_group_tests_name("json_emit", tests, set_up, tear_down);
}
