/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_value.c - values, arguments and directives.
 */
#include "graphql/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graphql_text.h"

static int
set_up(void **state)
{
    struct pst_arena *arena = NULL;

    if (pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK)
        return -1;
    *state = arena;
    return 0;
}

static int
tear_down(void **state)
{
    struct pst_arena *arena = *state;

    pst_arena_free(&arena);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Parse directives and print them in a normal form. NULL: refused. */
static const char *
read_directives(struct pst_arena *arena, const char *text, bool is_const,
                struct pst_graphql_error *error)
{
    static char out[512];
    const struct pst_graphql_directive *directives = NULL;
    static struct graphql_parser parser;
    struct pst_str whole;
    struct pst_buf buf;

    assert_int_equal(
        graphql_parser_init(&parser, arena, pst_str_from(text), error), PST_OK);
    if (!graphql_parse_directives(&parser, is_const, &directives)) {
        assert_int_not_equal(parser.result, PST_OK);
        return NULL;
    }
    assert_int_equal(parser.result, PST_OK);
    assert_int_equal(parser.lexer.kind, GRAPHQL_END);
    assert_int_equal(parser.depth, 0);
    pst_buf_init(&buf, out, sizeof(out) - 1);
    graphql_text_directives(&buf, directives);
    assert_int_equal(pst_buf_finish(&buf, &whole), PST_OK);
    out[whole.len] = '\0';
    return out;
}

static void
test_accepted(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"@a @b, @ c", "@a@b@c"},
        {"@a@a", "@a@a"},
        {"@a(b:1)", "@a(b:1)"},
        {"@a(b:-0,c:1.50,d:1E5)", "@a(b:-0,c:%1.50,d:%1E5)"},
        {"@a(b:true c:false d:null e:TRUE f:nul)",
         "@a(b:true,c:false,d:null,e:~TRUE,f:~nul)"},
        {"@a(b:$c,d:$ e)", "@a(b:$c,d:$e)"},
        {"@a(b:\"x\\ty\" c:\"\" d:\"plain\")",
         "@a(b:\"x\ty\",c:\"\",d:\"plain\")"},
        {"@a(b:\"\"\"\n  x\n   y\"\"\")", "@a(b:\"x\n y\")"},
        {"@a(b:[])", "@a(b:[])"},
        {"@a(b:{})", "@a(b:{})"},
        {"@a(b:[1[2,[]]\"x\"{c:[$d]}])", "@a(b:[1,[2,[]],\"x\",{c:[$d]}])"},
        {"@a(b:{c:{d:{}}e:[{f:1}{f:2}]},g:2)",
         "@a(b:{c:{d:{}},e:[{f:1},{f:2}]},g:2)"},
        {"@a(b:[1-2])", "@a(b:[1,-2])"},
        {"@a(b:[\"x\"\"y\"])", "@a(b:[\"x\",\"y\"])"},
        {"@a(null:1 true:2 on:3)", "@a(null:1,true:2,on:3)"},
        {"@a(b:{c:\"\"\"x\"\"\"})", "@a(b:{c:\"x\"})"},
    };
    struct pst_graphql_error error;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *got = read_directives(*state, rows[i][0], false, &error);

        if (!got || strcmp(got, rows[i][1]) != 0)
            fail_msg("%s: %s", rows[i][0], got ? got : error.message);
        pst_arena_reset(*state);
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* a part of it */
        uint32_t column;
        bool is_const;
    } rows[] = {
        {"@", "found the end of the document, expected the directive's name", 2,
         false},
        {"@1", "found the number \"1\", expected the directive's name", 2,
         false},
        {"@a()", "an argument list must not be empty: leave the parentheses", 4,
         false},
        {"@a(", "expected an argument's name or \")\"", 4, false},
        {"@a(b", "expected \":\" after the argument's name", 5, false},
        {"@a(b:", "found the end of the document, expected a value", 6, false},
        {"@a(b:)", "found \")\", expected a value", 6, false},
        {"@a(b:1", "expected an argument's name or \")\"", 7, false},
        {"@a(b:1,b:2)", "the argument \"b\" occurs twice", 8, false},
        {"@a(a:1 b:1 c:1 d:1 e:1 f:1 g:1 h:1 i:1 c:2)",
         "the argument \"c\" occurs twice", 40, false},
        {"@a(b:{c:1 d:2 c:3})", "the input field \"c\" occurs twice", 15,
         false},
        {"@a(b:[{c:1}{c:1 c:1}])", "the input field \"c\" occurs twice", 17,
         false},
        {"@a(b:[1", "expected a value or \"]\"", 8, false},
        {"@a(b:[1}])", "found \"}\", expected a value or \"]\"", 8, false},
        {"@a(b:{c})", "expected \":\" after the input field's name", 8, false},
        {"@a(b:{c:})", "found \"}\", expected a value", 9, false},
        {"@a(b:{c:1", "expected an input field's name or \"}\"", 10, false},
        {"@a(b:{1:2})", "expected an input field's name or \"}\"", 7, false},
        {"@a(b:{c:1])", "expected an input field's name or \"}\"", 10, false},
        {"@a(b:$)", "expected the variable's name after \"$\"", 7, false},
        {"@a(b:@c)", "found \"@\", expected a value", 6, false},
        {"@a(b:\"\"\"x\"\"\" \"\")", "found a string, expected an argument", 14,
         false},
        {"@a(b:[\"\"\"x\"\"\"])", "a block string is not allowed in a list", 7,
         false},
        {"@a(b:[{c:[\"\"\"\"\"\"]}])",
         "a block string is not allowed in a list", 11, false},
        {"@a(b:$c)", "a variable is not allowed in a default value", 6, true},
        {"@a(b:[{c:$d}])", "a variable is not allowed in a default value", 10,
         true},
        {"@a(b:1c:2)", "a number must not be followed by a name", 7, false},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error = {.message = "accepted"};
        const char *got =
            read_directives(*state, rows[i].text, rows[i].is_const, &error);

        if (got || !strstr(error.message, rows[i].message) ||
            error.location.line != 1 || error.location.column != rows[i].column)
            fail_msg("%s: %s in column %u", rows[i].text, error.message,
                     error.location.column);
        pst_arena_reset(*state);
    }
}

/* Many input fields, all different or with one duplicate. */
static void
test_many_arguments(void **state)
{
    static char text[4000 * 8];
    struct pst_graphql_error error;
    struct pst_graphql_value value = {.kind = PST_GRAPHQL_NULL};

    for (int twice = 0; twice <= 1; twice++) {
        static struct graphql_parser parser;
        struct pst_buf buf;

        pst_buf_init(&buf, text, sizeof(text) - 1);
        pst_buf_add_char(&buf, '{');
        for (int i = 0; i < 3000; i++) {
            pst_buf_add_char(&buf, 'a');
            pst_buf_add_number(&buf, i);
            pst_buf_add_string(&buf, ":1 ");
        }
        pst_buf_add_string(&buf, twice ? "a7:1}" : "b:1}");
        text[pst_buf_str(&buf).len] = '\0';
        assert_int_equal(
            graphql_parser_init(&parser, *state, pst_str_from(text), &error),
            PST_OK);
        assert_int_equal(graphql_parse_value(&parser, &value, false), !twice);
        pst_arena_reset(*state);
    }
    assert_non_null(strstr(error.message, "\"a7\" occurs twice"));
}

/* Exactly at the limit, and one above. */
static void
test_depth(void **state)
{
    for (size_t depth = PST_GRAPHQL_DEPTH; depth <= PST_GRAPHQL_DEPTH + 1;
         depth++) {
        char text[2 * PST_GRAPHQL_DEPTH + 3];
        struct pst_graphql_error error;
        static struct graphql_parser parser;
        struct pst_graphql_value value = {.kind = PST_GRAPHQL_NULL};

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        assert_int_equal(
            graphql_parser_init(&parser, *state, pst_str_from(text), &error),
            PST_OK);
        assert_int_equal(graphql_parse_value(&parser, &value, false),
                         depth == PST_GRAPHQL_DEPTH);
        if (depth == PST_GRAPHQL_DEPTH)
            continue;
        assert_int_equal(parser.result, PST_TOO_LARGE);
        assert_non_null(strstr(error.message, "deeper than 200 levels"));
        assert_int_equal(error.location.column, depth);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accepted),
        TEST(test_refused),
        TEST(test_many_arguments),
        TEST(test_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
