/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_analyze.c - the analysis of parsed documents: root fields of
 * each operation, secret fields of each scope, and the limits on the work.
 * test_graphql_summary.c has the rows about what counts as what.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "failing.h"
#include "graphql/analyze.h"

static const struct pst_graphql_root_field logins[] = {
    {{"login", 5}, PST_GRAPHQL_MUTATION, false},
};
static const struct pst_graphql_root_field passwords[] = {
    {{"verify", 6}, PST_GRAPHQL_QUERY, true},
};
static const struct pst_str secrets[] = {{"token", 5}};
static const struct pst_graphql_root_field allowed[] = {
    {{"checkout", 8}, PST_GRAPHQL_QUERY, true},
};
static const struct pst_graphql_rules rules = {
    logins,  PST_COUNT(logins),  passwords, PST_COUNT(passwords),
    secrets, PST_COUNT(secrets), allowed,   PST_COUNT(allowed),
};

static struct pst_arena *arena;

static enum pst_err
analyze(struct pst_str text, struct graphql_analysis *out)
{
    const struct pst_graphql_document *document = NULL;
    struct pst_graphql_error error = {.message = ""};

    if (pst_graphql_parse(arena, text, &document, &error) != PST_OK)
        fail_msg("%.*s: %s", (int)text.len, text.ptr, error.message);
    return graphql_analyze(document, &rules, out);
}

static void
test_operations(void **state)
{
    struct pst_str text =
        PST_STR("query A($x: X) { a ...F } mutation B { login { id } ...F } "
                "query C { verify } fragment F on T { f }");
    static const char *const roots[] = {"a", "f", "login", "f", "verify"};
    struct graphql_analysis analysis;

    (void)state;
    assert_int_equal(analyze(text, &analysis), PST_OK);
    assert_int_equal(analysis.root_count, PST_COUNT(roots));
    assert_int_equal(analysis.name_bytes, strlen("afloginfverify"));
    for (size_t i = 0; i < PST_COUNT(roots); i++)
        assert_true(pst_str_equal(analysis.roots[i], pst_str_from(roots[i])));
    assert_int_equal(analysis.operations[0].root_start, 0);
    assert_int_equal(analysis.operations[0].root_count, 2);
    assert_int_equal(analysis.operations[0].variable_count, 1);
    assert_false(analysis.operations[0].has_login);
    assert_int_equal(analysis.operations[1].root_start, 2);
    assert_int_equal(analysis.operations[1].root_count, 2);
    assert_true(analysis.operations[1].has_login);
    assert_int_equal(analysis.operations[2].root_start, 4);
    assert_true(analysis.operations[2].has_password);
    assert_true(pst_str_is_absent(analysis.secrets[0].name));
    graphql_analysis_fini(&analysis);
    assert_null(analysis.operations);
    assert_null(analysis.roots);
}

/* Each scope has its own first secret field. */
static void
test_scopes(void **state)
{
    struct pst_str text =
        PST_STR("mutation { checkout { token } login { token } a { token } }");
    static const uint32_t columns[] = {
        [GRAPHQL_SCOPE_OTHER] = 51,
        [GRAPHQL_SCOPE_LOGIN] = 39,
        [GRAPHQL_SCOPE_ALLOWED] = 23,
    };
    struct graphql_analysis analysis;

    (void)state;
    assert_int_equal(analyze(text, &analysis), PST_OK);
    for (size_t i = 0; i < GRAPHQL_SCOPE_COUNT; i++) {
        assert_true(pst_str_equal(analysis.secrets[i].name, PST_STR("token")));
        assert_int_equal(analysis.secrets[i].location.column, columns[i]);
    }
    graphql_analysis_fini(&analysis);
}

/* Of several secret fields the first in the document is reported, in whatever
 * order the fragments are read. */
static void
test_first_location(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
        uint32_t column;
    } rows[] = {
        {"{ a { token } b { token } }", 1, 7},
        {"{ a { ...F token } }\nfragment F on T { token }", 1, 12},
        {"{ a { ...F\n\ntoken } }\nfragment F on T { token }", 3, 1},
        {"fragment F on T { token } query { a { ...F token } }", 1, 19},
        {"fragment F on T { token }\n{ a { ...F token } }", 1, 19},
        {"fragment F on T { a { b { token } } }\n{ a { token ...F } }", 1, 27},
        {"fragment F on T { token }\n{ a { token ...F } }", 1, 19},
        {"fragment F on T { token } query { a { token ...F } }", 1, 19},
    };
    struct graphql_analysis analysis;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct pst_graphql_location *found =
            &analysis.secrets[GRAPHQL_SCOPE_OTHER].location;

        pst_arena_reset(arena);
        assert_int_equal(analyze(pst_str_from(rows[i].text), &analysis),
                         PST_OK);
        if (found->line != rows[i].line || found->column != rows[i].column)
            fail_msg("%s: line %u, column %u", rows[i].text,
                     (unsigned)found->line, (unsigned)found->column);
        graphql_analysis_fini(&analysis);
    }
}

/* A failed analysis leaves *out alone and has nothing to free. */
static void
test_too_large(void **state)
{
    static char text[2 * PST_GRAPHQL_ROOTS_MAX + 8];
    struct graphql_analysis analysis = {.root_count = 7};
    size_t len = 0;

    (void)state;
    text[len++] = '{';
    for (size_t i = 0; i <= PST_GRAPHQL_ROOTS_MAX; i++) {
        text[len++] = ' ';
        text[len++] = 'a';
    }
    text[len++] = '}';
    assert_int_equal(analyze((struct pst_str){text, len}, &analysis),
                     PST_TOO_LARGE);
    assert_int_equal(analysis.root_count, 7);
    memcpy(text + 1, "    ", 4); /* two fields fewer */
    assert_int_equal(analyze((struct pst_str){text, len}, &analysis), PST_OK);
    assert_int_equal(analysis.root_count, PST_GRAPHQL_ROOTS_MAX - 1);
    graphql_analysis_fini(&analysis);
}

/* Each allocation of the analysis fails in turn. */
static void
test_no_memory(void **state)
{
    struct pst_str text = PST_STR("{ a b c d e f g h i j k l m n o p q ...F } "
                                  "fragment F on T { x { token } }");
    const struct pst_graphql_document *document = NULL;
    struct pst_graphql_error error;
    bool has_failed = true;

    (void)state;
    assert_int_equal(pst_graphql_parse(arena, text, &document, &error), PST_OK);
    for (size_t n = 1; has_failed; n++) {
        struct graphql_analysis analysis = {.operations = NULL};
        enum pst_err e;

        assert_true(n < 100);
        failing_at(n);
        e = graphql_analyze(document, &rules, &analysis);
        has_failed = failing_has_failed();
        if (e != (has_failed ? PST_NO_MEMORY : PST_OK))
            fail_msg("allocation %zu: %s", n, pst_err_code(e));
        assert_true(has_failed == (analysis.operations == NULL));
        graphql_analysis_fini(&analysis);
    }
}

static int
reset_arena(void **state)
{
    (void)state;
    pst_arena_reset(arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_operations, reset_arena),
        cmocka_unit_test_teardown(test_scopes, reset_arena),
        cmocka_unit_test_teardown(test_first_location, reset_arena),
        cmocka_unit_test_teardown(test_too_large, reset_arena),
        cmocka_unit_test_teardown(test_no_memory, reset_arena),
    };
    int failed;

    if (pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pst_arena_free(&arena);
    return failed;
}
