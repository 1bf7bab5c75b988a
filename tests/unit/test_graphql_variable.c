/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_variable.c - variables of an operation, and descriptions.
 */
#include "graphql/variable.h"

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

/* Parse variables and print them in a normal form. NULL: refused. */
static const char *
read_variables(struct pst_arena *arena, const char *text,
               struct pst_graphql_error *error)
{
    static char out[512];
    const struct pst_graphql_variable *first = NULL;
    static struct graphql_parser parser;
    struct pst_str whole;
    struct pst_buf buf;

    assert_int_equal(
        graphql_parser_init(&parser, arena, pst_str_from(text), error), PST_OK);
    if (!graphql_parse_variables(&parser, &first)) {
        assert_int_not_equal(parser.result, PST_OK);
        return NULL;
    }
    assert_int_equal(parser.result, PST_OK);
    assert_int_equal(parser.lexer.kind, GRAPHQL_END);
    assert_int_equal(parser.depth, 0);
    pst_buf_init(&buf, out, sizeof(out) - 1);
    graphql_text_variables(&buf, first);
    assert_int_equal(pst_buf_finish(&buf, &whole), PST_OK);
    out[whole.len] = '\0';
    return out;
}

static void
test_accepted(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"($a:Int)", "($a:Int)"},
        {"($ a : Int ,)", "($a:Int)"},
        {"($a:Int!)", "($a:Int!)"},
        {"($a:[Int])", "($a:[Int])"},
        {"($a:[[Int!]!]!)", "($a:[[Int!]!]!)"},
        {"($a:[ Int , ! ] !)", "($a:[ Int , ! ] !)"},
        {"($a:[#x\nInt])", "($a:[#x\nInt])"},
        {"($a:Int=1)", "($a:Int=1)"},
        {"($a:I={b:[1{c:D}]}$b:On)", "($a:I={b:[1,{c:~D}]},$b:On)"},
        {"($a:S=\"\"\" x \"\"\")", "($a:S=\" x \")"},
        {"($a:Int@d,$b:Int=1@d(e:1)@f)", "($a:Int@d,$b:Int=1@d(e:1)@f)"},
        {"(\"d\"$a:Int\"\"\"e\"\"\"$b:Int)", "($a:Int,$b:Int)"},
        {"($on:Int$null:Int$a:null)", "($on:Int,$null:Int,$a:null)"},
    };
    struct pst_graphql_error error;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *got = read_variables(*state, rows[i][0], &error);

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
    } rows[] = {
        {"()", "a list of variables must not be empty", 2},
        {"(a:Int)", "found the name \"a\", expected a variable or", 2},
        {"($)", "expected the variable's name after \"$\"", 3},
        {"($a)", "expected \":\" and a type after the variable's name", 4},
        {"($a:)", "found \")\", expected a type", 5},
        {"($a:1)", "found the number \"1\", expected a type", 5},
        {"($a:[])", "found \"]\", expected a type", 6},
        {"($a:[Int)", "found \")\", expected \"]\"", 9},
        {"($a:[[Int])", "found \")\", expected \"]\"", 11},
        {"($a:Int])", "found \"]\", expected a variable or \")\"", 8},
        {"($a:Int!!)", "found \"!\", expected a variable or \")\"", 9},
        {"($a:!Int)", "found \"!\", expected a type", 5},
        {"($a:Int=)", "found \")\", expected a value", 9},
        {"($a:Int=$b)", "a variable is not allowed in a default value", 9},
        {"($a:Int@d(x:$b))", "a variable is not allowed in a default", 13},
        {"($a:Int@d=1)", "found \"=\", expected a variable or \")\"", 10},
        {"($a:Int", "found the end of the document, expected a variable", 8},
        {"(\"d\")", "found \")\", expected a variable", 5},
        {"(\"d\" \"e\" $a:Int)", "found a string, expected a variable", 6},
        {"($a:Int,$a:ID)", "the variable \"a\" occurs twice", 10},
        {"($a:Int,$b:Int,$a:ID)", "the variable \"a\" occurs twice", 17},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error = {.message = "accepted"};
        const char *got = read_variables(*state, rows[i].text, &error);

        if (got || !strstr(error.message, rows[i].message) ||
            error.location.line != 1 || error.location.column != rows[i].column)
            fail_msg("%s: %s in column %u", rows[i].text, error.message,
                     error.location.column);
        pst_arena_reset(*state);
    }
}

/* The descriptions that were skipped, quotes included. */
static void
test_descriptions(void **state)
{
    static const char *const want[] = {"\"d\"", "\"\"\"e\"\"\"", "\"\""};
    const struct graphql_description *description;
    struct pst_graphql_error error;
    static struct graphql_parser parser;

    assert_int_equal(graphql_parser_init(&parser, *state,
                                         PST_STR("\"d\" \"\"\"e\"\"\" \"\" x"),
                                         &error),
                     PST_OK);
    for (size_t i = 0; i < PST_COUNT(want); i++)
        assert_true(graphql_skip_description(&parser));
    assert_int_equal(parser.lexer.kind, GRAPHQL_NAME);
    assert_true(graphql_skip_description(&parser));
    assert_int_equal(parser.lexer.kind, GRAPHQL_NAME);
    description = parser.descriptions;
    for (size_t i = 0; i < PST_COUNT(want); i++) {
        assert_non_null(description);
        assert_true(
            pst_str_equal(description->spelling, pst_str_from(want[i])));
        description = description->next;
    }
    assert_null(description);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accepted),
        TEST(test_refused),
        TEST(test_descriptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
