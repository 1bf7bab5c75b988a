/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_lexer.c - tokens, their locations, and refused characters.
 */
#include "graphql/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

static const char *
kind_name(enum graphql_token_kind kind)
{
    static char punctuator[2];

    switch (kind) {
    case GRAPHQL_END:
        return "end";
    case GRAPHQL_NAME:
        return "name";
    case GRAPHQL_INT:
        return "int";
    case GRAPHQL_FLOAT:
        return "float";
    case GRAPHQL_STRING:
        return "string";
    case GRAPHQL_BLOCK_STRING:
        return "block";
    case GRAPHQL_SPREAD:
        return "spread";
    case GRAPHQL_ERROR:
        return "error";
    default:
        punctuator[0] = (char)kind;
        return punctuator;
    }
}

/* All tokens as "kind spelling@line:column|…", or an error. */
static enum pst_err
read_all(struct pst_str text, char *out, size_t size,
         struct pst_graphql_error *error)
{
    struct graphql_lexer lexer;
    struct pst_buf buf;
    struct pst_str whole;

    graphql_lexer_init(&lexer, text, error);
    pst_buf_init(&buf, out, size - 1);
    do {
        const enum pst_err e = graphql_lexer_next(&lexer);

        if (e) {
            assert_int_equal(lexer.kind, GRAPHQL_ERROR);
            return e;
        }
        pst_buf_add_string(&buf, kind_name(lexer.kind));
        pst_buf_add_char(&buf, ' ');
        pst_buf_add(&buf, graphql_lexer_spelling(&lexer));
        pst_buf_add_char(&buf, '@');
        pst_buf_add_number(&buf, lexer.location.line);
        pst_buf_add_char(&buf, ':');
        pst_buf_add_number(&buf, lexer.location.column);
        pst_buf_add_char(&buf, '|');
    } while (lexer.kind != GRAPHQL_END);
    assert_int_equal(pst_buf_finish(&buf, &whole), PST_OK);
    out[whole.len] = '\0';
    return PST_OK;
}

static void
test_tokens(void **state)
{
    static const char *const rows[][2] = {
        {"", "end @1:1|"},
        {" ,\t\n # x\n", "end @3:1|"},
        {"!$&()...:=@[]{|}?", "! !@1:1|$ $@1:2|& &@1:3|( (@1:4|) )@1:5|"
                              "spread ...@1:6|: :@1:9|= =@1:10|@ @@1:11|"
                              "[ [@1:12|] ]@1:13|{ {@1:14|| |@1:15|} }@1:16|"
                              "? ?@1:17|end @1:18|"},
        {"_a1 B-1 2.5", "name _a1@1:1|name B@1:5|int -1@1:6|float 2.5@1:9|"
                        "end @1:12|"},
        {"\"x\\n\" \"\"\"y\"\"\" \"\"",
         "string \"x\\n\"@1:1|block \"\"\"y\"\"\"@1:7|string \"\"@1:15|"
         "end @1:17|"},
        {"\xEF\xBB\xBF"
         "a",
         "name a@1:1|end @1:2|"},
        {"a\r\nb\n\nc", "name a@1:1|name b@2:1|name c@4:1|end @4:2|"},
        {"#\xC3\xA9 \xF0\x9F\x98\x80\t\"\\\r\na", "name a@2:1|end @2:2|"},
        {"\"\xC3\xA9\xF0\x9F\x98\x80\"a",
         "string \"\xC3\xA9\xF0\x9F\x98\x80\"@1:1|name a@1:5|end @1:6|"},
        {"a#", "name a@1:1|end @1:3|"},
        {"a#x", "name a@1:1|end @1:4|"},
        {"...a", "spread ...@1:1|name a@1:4|end @1:5|"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error;
        char got[512];
        const enum pst_err e =
            read_all(pst_str_from(rows[i][0]), got, sizeof(got), &error);

        if (e || strcmp(got, rows[i][1]) != 0)
            fail_msg("row %zu: %s", i, e ? error.message : got);
    }
}

/* A character at which only some parsers end a comment could hide a field. */
static void
test_refused_between_tokens(void **state)
{
    static const struct {
        struct pst_str text;
        const char *message; /* a part of it */
        uint32_t column;
    } rows[] = {
#define T(literal) {"" literal, sizeof(literal) - 1}
        {T("a\x0B"), "U+000B is not allowed outside strings", 2},
        {T("\x0C"), "U+000C is not allowed outside strings", 1},
        {T("\0"), "U+0000 is not allowed outside strings", 1},
        {T("a\x7F"), "U+007F is not allowed outside strings", 2},
        {T(" \xC2\x85"), "U+0085 is not allowed outside strings", 2},
        {T("\xE2\x80\xA8"), "U+2028 is not allowed outside strings", 1},
        {T("\xE2\x80\xA9"), "U+2029 is not allowed outside strings", 1},
        {T("a\rb"), "carriage return must be followed", 2},
        {T("a\r"), "carriage return must be followed", 2},
        {T("a\r\r\n"), "carriage return must be followed", 2},
        {T("a\xEF\xBB\xBF"), "byte order mark", 2},
        {T("\xEF\xBB\xBF\xEF\xBB\xBF"), "byte order mark", 1},
        {T("#\x0B"), "U+000B is not allowed outside strings", 2},
        {T("#\0"), "U+0000 is not allowed outside strings", 2},
        {T("#\x7F"), "U+007F is not allowed outside strings", 2},
        {T("#\xC2\x85"), "U+0085 is not allowed outside strings", 2},
        {T("#\xC2\x9F"), "U+009F is not allowed outside strings", 2},
        {T("#\xE2\x80\xA8"), "U+2028 is not allowed outside strings", 2},
        {T("#\xE2\x80\xA9"), "U+2029 is not allowed outside strings", 2},
        {T("#\xC3\xA9\xEF\xBB\xBF"), "byte order mark", 3},
        {T("# a\rb"), "carriage return must be followed", 4},
        {T("#\r"), "carriage return must be followed", 2},
        {T("#\xFF"), "not valid UTF-8", 2},
        {T("\xED\xA0\x80"), "not valid UTF-8", 1},
        {T("\xC2\xA0"), "unexpected character U+00A0", 1},
        {T("\xE2\x80\x83"), "unexpected character U+2003", 1},
        {T("\xC3\xA9"), "unexpected character U+00E9", 1},
        {T("+1"), "unexpected character \"+\"", 1},
        {T("a;"), "unexpected character \";\"", 2},
        {T("%"), "unexpected character \"%\"", 1},
        {T(".5"), "unexpected character \".\"", 1},
        {T(".."), "unexpected character \".\"", 1},
        {T("...."), "unexpected character \".\"", 4},
        {T("\\"), "unexpected character \"\\\"", 1},
        {T("'x'"), "unexpected character \"'\"", 1},
#undef T
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error = {.message = ""};
        char got[512];
        const enum pst_err e = read_all(rows[i].text, got, sizeof(got), &error);

        if (e != PST_MALFORMED || !strstr(error.message, rows[i].message) ||
            error.location.column != rows[i].column || error.location.line != 1)
            fail_msg("row %zu: %s in column %u", i, error.message,
                     error.location.column);
    }
}

static void
test_describe(void **state)
{
    static const char *const rows[][2] = {
        {"", "the end of the document"},
        {"\"x\"", "a string"},
        {"\"\"\"x\"\"\"", "a string"},
        {"abc", "the name \"abc\""},
        {"12", "the number \"12\""},
        {"1.5", "the number \"1.5\""},
        {"...", "\"...\""},
        {"}", "\"}\""},
        {"a123456789b123456789c123456789d123456789e",
         "the name \"a123456789b123456789c123456789d123456789...\""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error;
        struct graphql_lexer lexer;
        char got[80];

        graphql_lexer_init(&lexer, pst_str_from(rows[i][0]), &error);
        assert_int_equal(graphql_lexer_next(&lexer), PST_OK);
        graphql_lexer_describe(&lexer, got, sizeof(got));
        assert_string_equal(got, rows[i][1]);
    }
}

static void
test_values(void **state)
{
    static const char *const rows[][2] = {
        {"\"a\\tb\"", "a\tb"},
        {"\"\"\"\n  a\n   b\n\"\"\"", "a\n b"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error;
        struct graphql_lexer lexer;
        char got[80];
        size_t len;

        graphql_lexer_init(&lexer, pst_str_from(rows[i][0]), &error);
        assert_int_equal(graphql_lexer_next(&lexer), PST_OK);
        assert_true(lexer.is_encoded);
        len = graphql_lexer_value(&lexer, got);
        got[len] = '\0';
        assert_string_equal(got, rows[i][1]);
    }
}

/* Exactly at the limit, and one above. */
static void
test_token_limit(void **state)
{
    static char text[2 * PST_GRAPHQL_TOKENS_MAX + 2];
    struct pst_graphql_error error;
    struct graphql_lexer lexer;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "a ", 2);
    graphql_lexer_init(&lexer, (struct pst_str){text, sizeof(text) - 2},
                       &error);
    for (int i = 0; i < PST_GRAPHQL_TOKENS_MAX; i++)
        assert_int_equal(graphql_lexer_next(&lexer), PST_OK);
    assert_int_equal(graphql_lexer_next(&lexer), PST_OK);
    assert_int_equal(lexer.kind, GRAPHQL_END);
    graphql_lexer_init(&lexer, (struct pst_str){text, sizeof(text)}, &error);
    for (int i = 0; i < PST_GRAPHQL_TOKENS_MAX; i++)
        assert_int_equal(graphql_lexer_next(&lexer), PST_OK);
    assert_int_equal(graphql_lexer_next(&lexer), PST_TOO_LARGE);
    assert_non_null(strstr(error.message, "more than 15000 tokens"));
    assert_int_equal(error.location.column, sizeof(text) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_refused_between_tokens),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_token_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
