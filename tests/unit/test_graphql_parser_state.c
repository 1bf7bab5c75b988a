/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_parser_state.c - tokens, errors, levels and memory, as all parts
 * of the parser use them.
 */
#include "graphql/parser_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct graphql_parser parser;
static struct pst_graphql_error error;

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

static void
begin(void **state, const char *text)
{
    error = (struct pst_graphql_error){.message = ""};
    assert_int_equal(
        graphql_parser_init(&parser, *state, pst_str_from(text), &error),
        PST_OK);
}

static void
test_expects(void **state)
{
    struct pst_str name = PST_STR_NONE;

    begin(state, "on : {");
    assert_true(graphql_is_keyword(&parser, PST_STR("on")));
    assert_false(graphql_is_keyword(&parser, PST_STR("o")));
    assert_true(graphql_expect_name(&parser, &name, "a name"));
    assert_true(pst_str_equal(name, PST_STR("on")));
    assert_false(graphql_is_keyword(&parser, PST_STR(":")));
    assert_true(graphql_expect_token(&parser, GRAPHQL_COLON, "\":\""));
    assert_int_equal(parser.result, PST_OK);
    assert_false(graphql_expect_name(&parser, &name, "a name"));
    assert_int_equal(parser.result, PST_MALFORMED);
    assert_string_equal(error.message, "found \"{\", expected a name");
    assert_int_equal(error.location.column, 6);
}

/* The first error stays: a later one is about what followed it. */
static void
test_first_error_stays(void **state)
{
    begin(state, "a \x01");
    graphql_parser_advance(&parser);
    assert_int_equal(parser.lexer.kind, GRAPHQL_ERROR);
    assert_int_equal(parser.result, PST_MALFORMED);
    assert_false(graphql_refuse_token(&parser, "a name"));
    assert_false(graphql_refuse_message(&parser, "another message"));
    assert_non_null(strstr(error.message, "U+0001"));
    begin(state, "a");
    assert_false(graphql_refuse_message(&parser, "a message"));
    assert_string_equal(error.message, "a message");
}

static void
test_levels(void **state)
{
    begin(state, "a");
    for (unsigned i = 0; i < PST_GRAPHQL_DEPTH; i++)
        assert_true(graphql_push_level(&parser));
    parser.depth--;
    assert_int_equal(parser.max_depth, PST_GRAPHQL_DEPTH);
    assert_true(graphql_push_level(&parser));
    assert_false(graphql_push_level(&parser));
    assert_int_equal(parser.result, PST_TOO_LARGE);
    assert_int_equal(parser.depth, PST_GRAPHQL_DEPTH);
    assert_non_null(strstr(error.message, "deeper than 200 levels"));
}

static void
test_unique(void **state)
{
    static const char text[] = "a\nb a";
    struct graphql_name names[] = {
        {{text + 4, 1}, NULL}, {{text + 2, 1}, NULL}, {{text, 1}, NULL}};

    begin(state, text);
    assert_true(graphql_check_unique(&parser, names, 2, "field"));
    assert_false(graphql_check_unique(&parser, names, 3, "field"));
    assert_int_equal(parser.result, PST_MALFORMED);
    assert_string_equal(error.message,
                        "the field \"a\" occurs twice: remove one of them");
    assert_int_equal(error.location.line, 2);
    assert_int_equal(error.location.column, 3);
}

static void
test_allocates_zeroed(void **state)
{
    const char *object;

    begin(state, "a");
    object = graphql_parser_alloc(&parser, 100);
    assert_non_null(object);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(object[i], 0);
    assert_null(graphql_parser_alloc(&parser, SIZE_MAX / 2));
    assert_int_equal(parser.result, PST_NO_MEMORY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_expects), TEST(test_first_error_stays), TEST(test_levels),
        TEST(test_unique),  TEST(test_allocates_zeroed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
