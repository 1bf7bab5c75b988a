/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_selection.c - fields, spreads and inline fragments.
 */
#include "graphql/selection.h"

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

/* Parse a selection set and print it in a normal form. NULL: refused. */
static const char *
read_selections(struct pst_arena *arena, const char *text,
                struct pst_graphql_error *error,
                struct graphql_spread **spreads)
{
    static char out[1024];
    const struct pst_graphql_selection *first = NULL;
    static struct graphql_parser parser;
    struct pst_str whole;
    struct pst_buf buf;

    *spreads = NULL;
    assert_int_equal(
        graphql_parser_init(&parser, arena, pst_str_from(text), error), PST_OK);
    parser.spread_tail = spreads;
    if (!graphql_parse_selection_set(&parser, &first)) {
        assert_int_not_equal(parser.result, PST_OK);
        return NULL;
    }
    assert_int_equal(parser.lexer.kind, GRAPHQL_END);
    for (struct graphql_spread *s = *spreads; s; s = s->next) {
        static const struct pst_graphql_fragment none = {.name = {"", 0}};

        s->selection->fragment = &none;
    }
    pst_buf_init(&buf, out, sizeof(out) - 1);
    graphql_text_selections(&buf, first, true);
    assert_int_equal(pst_buf_finish(&buf, &whole), PST_OK);
    out[whole.len] = '\0';
    return out;
}

static void
test_accepted(void **state)
{
    static const char *const rows[][2] = {
        {"{a}", "{@1:2 a}"},
        {"{ a,b\nc }", "{@1:3 a @1:5 b @2:1 c}"},
        {"{a:b c : d}", "{@1:2 a:b @1:6 c:d}"},
        {"{a(b:1)@c{d}}", "{@1:2 a(b:1)@c{@1:11 d}}"},
        {"{null true on fragment query}",
         "{@1:2 null @1:7 true @1:12 on @1:15 fragment @1:24 query}"},
        {"{on:on}", "{@1:2 on:on}"},
        {"{...on T{a}}", "{@1:2 ...on T{@1:10 a}}"},
        {"{... on on@d{a}}", "{@1:2 ...on on@d{@1:14 a}}"},
        {"{...{a}...@d{b}}", "{@1:2 ...{@1:6 a} @1:8 ...@d{@1:14 b}}"},
        {"{a{b{c}d}e}", "{@1:2 a{@1:4 b{@1:6 c} @1:8 d} @1:10 e}"},
    };
    struct pst_graphql_error error;
    struct graphql_spread *spreads;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *got = read_selections(*state, rows[i][0], &error, &spreads);

        if (!got || strcmp(got, rows[i][1]) != 0)
            fail_msg("%s: %s", rows[i][0], got ? got : error.message);
        assert_null(spreads);
        pst_arena_reset(*state);
    }
}

/* Each spread, with its depth. */
static void
test_spreads(void **state)
{
    static const struct {
        const char *name;
        unsigned depth;
    } want[] = {{"F", 1}, {"G", 2}, {"onX", 3}, {"F", 1}};
    struct pst_graphql_error error;
    struct graphql_spread *spread;
    size_t i = 0;

    assert_non_null(read_selections(*state, "{...F a{... G@d ...{...onX}}...F}",
                                    &error, &spread));
    for (; spread; spread = spread->next, i++) {
        assert_true(i < PST_COUNT(want));
        assert_true(
            pst_str_equal(spread->selection->name, pst_str_from(want[i].name)));
        assert_int_equal(spread->selection->kind, PST_GRAPHQL_SPREAD);
        assert_int_equal(spread->depth, want[i].depth);
    }
    assert_int_equal(i, PST_COUNT(want));
}

static void
test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* a part of it */
        uint32_t column;
    } rows[] = {
        {"", "found the end of the document, expected \"{\"", 1},
        {"a", "found the name \"a\", expected \"{\"", 1},
        {"{}", "a selection set must not be empty", 2},
        {"{a{}}", "a selection set must not be empty", 4},
        {"{...on T{}}", "a selection set must not be empty", 10},
        {"{a", "expected a field, \"...\" or \"}\"", 3},
        {"{a:}", "found \"}\", expected the field's name after its alias", 4},
        {"{a:b:c}", "found \":\", expected a field", 5},
        {"{a!}", "\"!\" and \"?\" on a field are not supported", 3},
        {"{a?}", "\"!\" and \"?\" on a field are not supported", 3},
        {"{a(b:1)!{c}}", "\"!\" and \"?\" on a field are not supported", 8},
        {"{a[!]!}", "found \"[\", expected a field", 3},
        {"{1a}", "a number must not be followed by a name", 3},
        {"{\"a\"}", "found a string, expected a field", 2},
        {"{$a}", "found \"$\", expected a field", 2},
        {"{&a}", "found \"&\", expected a field", 2},
        {"{|a}", "found \"|\", expected a field", 2},
        {"{...}", "found \"}\", expected \"on\", a fragment's name, or \"{\"",
         5},
        {"{...on}", "found \"}\", expected a type's name after \"on\"", 7},
        {"{...on{a}}", "found \"{\", expected a type's name after \"on\"", 7},
        {"{...on T}", "found \"}\", expected \"{\"", 9},
        {"{...@d}", "found \"}\", expected \"{\"", 7},
        {"{...F(a:1)}", "arguments on a fragment spread are not supported", 6},
        {"{...F{a}}", "found \"{\", expected a field", 6},
        {"{...F!}", "found \"!\", expected a field", 6},
        {"{a()}", "an argument list must not be empty", 4},
        {"{a@}", "expected the directive's name", 4},
        {"{a@d@}", "expected the directive's name", 6},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error = {.message = "accepted"};
        struct graphql_spread *spreads;
        const char *got =
            read_selections(*state, rows[i].text, &error, &spreads);

        if (got || !strstr(error.message, rows[i].message) ||
            error.location.line != 1 || error.location.column != rows[i].column)
            fail_msg("%s: %s in column %u", rows[i].text, error.message,
                     error.location.column);
        pst_arena_reset(*state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accepted),
        TEST(test_spreads),
        TEST(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
