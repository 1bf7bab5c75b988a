/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_validate.c - duplicate names, fragment spreads, cycles and
 * depth.
 */
#include "graphql/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

#define MANY 1000

/* Names of "n" and digits, in one text. */
static char text[MANY * 8];
static struct graphql_name names[MANY];

/* Set name i to "n" and the number. */
static void
put_name(size_t i, unsigned number)
{
    char *at = text + i * 8;

    (void)snprintf(at, 8, "n%u", number);
    names[i] = (struct graphql_name){pst_str_from(at), NULL};
}

static void
test_sorts(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 40; count++) {
        for (size_t i = 0; i < count; i++)
            put_name(i, (unsigned)(i * 7919 % 1009));
        assert_null(graphql_names_sort(names, count));
        for (size_t i = 1; i < count; i++)
            assert_true(names[i - 1].name.len < names[i].name.len ||
                        (names[i - 1].name.len == names[i].name.len &&
                         memcmp(names[i - 1].name.ptr, names[i].name.ptr,
                                names[i].name.len) < 0));
    }
}

/* The first name that repeats an earlier one is found. */
static void
test_finds_duplicates(void **state)
{
    (void)state;
    for (size_t first = 0; first < 20; first++)
        for (size_t second = first + 1; second < 20; second++) {
            const struct graphql_name *found;

            for (size_t i = 0; i < 30; i++)
                put_name(i, (unsigned)i);
            put_name(second, (unsigned)first);
            put_name(25, 24); /* usually sorts behind */
            put_name(26, 1);  /* sorts before */
            found = graphql_names_sort(names, 30);
            assert_non_null(found);
            assert_ptr_equal(found->name.ptr, text + second * 8);
        }
}

static void
test_finds_names(void **state)
{
    static struct graphql_fragment fragments[MANY];

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        put_name(i, (unsigned)(i * 2));
        names[i].fragment = &fragments[i];
    }
    assert_null(graphql_names_sort(names, MANY));
    for (unsigned i = 0; i < MANY; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "n%u", i * 2);
        assert_ptr_equal(graphql_names_find(names, MANY, pst_str_from(name)),
                         &fragments[i]);
        (void)snprintf(name, sizeof(name), "n%u", i * 2 + 1);
        assert_null(graphql_names_find(names, MANY, pst_str_from(name)));
    }
    assert_null(graphql_names_find(names, 0, PST_STR("n0")));
}

/* A graph of fragments: fragment i spreads those in edges[i]. */
struct graph {
    struct graphql_fragment fragments[8];
    struct pst_graphql_selection selections[8][8];
    struct graphql_spread spreads[8][8];
    struct graphql_name names[8];
    size_t count;
};

static void
make_graph(struct graph *graph, const char *const *edges, size_t count)
{
    static const char letters[] = "ABCDEFGH";

    memset(graph, 0, sizeof(*graph));
    graph->count = count;
    for (size_t i = 0; i < count; i++) {
        struct graphql_fragment *fragment = &graph->fragments[i];
        struct graphql_spread **tail = &fragment->spreads;

        fragment->tree.name = (struct pst_str){letters + i, 1};
        fragment->height = 1;
        graph->names[i] = (struct graphql_name){fragment->tree.name, fragment};
        for (size_t k = 0; edges[i][k]; k++) {
            struct graphql_spread *spread = &graph->spreads[i][k];

            graph->selections[i][k].name = (struct pst_str){&edges[i][k], 1};
            graph->selections[i][k].location =
                (struct pst_graphql_location){(uint32_t)i, (uint32_t)k};
            spread->selection = &graph->selections[i][k];
            spread->depth = 1;
            *tail = spread;
            tail = &spread->next;
        }
    }
    assert_null(graphql_names_sort(graph->names, count));
}

static enum pst_err
follow_all(struct graph *graph, struct pst_graphql_error *error)
{
    for (size_t i = 0; i < graph->count; i++) {
        const enum pst_err e = graphql_spreads_resolve(
            graph->fragments[i].spreads, graph->names, graph->count, error);

        if (e)
            return e;
    }
    for (size_t i = 0; i < graph->count; i++) {
        const enum pst_err e =
            graphql_fragment_check_cycles(&graph->fragments[i], error);

        if (e)
            return e;
    }
    return PST_OK;
}

static void
test_follows(void **state)
{
    static const struct {
        const char *edges[5];
        enum pst_err want;
        unsigned height; /* of the first */
    } rows[] = {
        {{""}, PST_OK, 1},
        {{"B", ""}, PST_OK, 2},
        {{"BB", "CC", "DD", ""}, PST_OK, 4},
        {{"DB", "C", "D", ""}, PST_OK, 4},
        {{"CB", "", "B"}, PST_OK, 3},
        {{"A"}, PST_MALFORMED, 0},
        {{"B", "A"}, PST_MALFORMED, 0},
        {{"B", "C", "B"}, PST_MALFORMED, 0},
        {{"", "C", "D", "B"}, PST_MALFORMED, 0},
        {{"BC", "D", "DA", ""}, PST_MALFORMED, 0},
        {{"X"}, PST_MALFORMED, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_graphql_error error;
        static struct graph graph;
        size_t count = 0;
        enum pst_err e;

        while (count < 5 && rows[i].edges[count])
            count++;
        make_graph(&graph, rows[i].edges, count);
        e = follow_all(&graph, &error);
        if (e != rows[i].want ||
            (!e && graph.fragments[0].height != rows[i].height))
            fail_msg("row %zu: %s, height %u", i, pst_err_code(e),
                     graph.fragments[0].height);
    }
}

static void
test_depth_limit(void **state)
{
    static const char *const edges[] = {"B", ""};
    struct pst_graphql_error error;
    static struct graph graph;

    (void)state;
    for (unsigned over = 0; over <= 1; over++) {
        const enum pst_err want = over ? PST_TOO_LARGE : PST_OK;

        make_graph(&graph, edges, 2);
        graph.fragments[1].height = PST_GRAPHQL_DEPTH - 1 + over;
        assert_int_equal(follow_all(&graph, &error), want);
        make_graph(&graph, edges, 2);
        assert_int_equal(follow_all(&graph, &error), PST_OK);
        graph.spreads[0][0].depth = PST_GRAPHQL_DEPTH - 1 + over;
        assert_int_equal(
            graphql_spreads_check_depth(&graph.spreads[0][0], &error), want);
    }
    assert_non_null(strstr(error.message, "deeper than 200 levels"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorts),
        cmocka_unit_test(test_finds_duplicates),
        cmocka_unit_test(test_finds_names),
        cmocka_unit_test(test_follows),
        cmocka_unit_test(test_depth_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
