/* SPDX-License-Identifier: ISC */
/*
 * graphql.c - measure the time to parse a GraphQL document, including the
 * arena's reset.
 *
 *   graphql FILE
 *
 * FILE is a request in JSON; its member "query" is the document. Prints the
 * median and the minimum of many rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "codec/json.h"
#include "graphql/parser.h"

#define ROUNDS 2001
#define PER_ROUND 500

static double rounds[ROUNDS];

static double
nanoseconds(void)
{
    struct timespec now;

    PST_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void
measure(struct pst_arena *arena, struct pst_str text)
{
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;

    for (int i = 0; i < ROUNDS; i++) {
        const double begin = nanoseconds();

        for (int k = 0; k < PER_ROUND; k++) {
            PST_REQUIRE(pst_graphql_parse(arena, text, &document, &error) ==
                        PST_OK);
            pst_arena_reset(arena);
        }
        rounds[i] = (nanoseconds() - begin) / PER_ROUND;
    }
    qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
    (void)printf("%zu bytes: median %.0f ns, best %.0f ns\n", text.len,
                 rounds[ROUNDS / 2], rounds[0]);
}

/* Read the document of a request. It is valid until the arena's reset. */
static enum pst_err
read_document(struct pst_arena *arena, const char *path, struct pst_str *out)
{
    static char text[64 * 1024];
    const struct pst_json *root;
    const struct pst_json *query;
    FILE *file = fopen(path, "rb");
    size_t len;
    enum pst_err e;

    if (!file)
        return PST_NOT_FOUND;
    len = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    e = pst_json_parse(arena, (struct pst_str){text, len}, &root);
    if (e)
        return e;
    query = pst_json_at(root, PST_STR("/query"));
    if (!query)
        return PST_NOT_FOUND;
    *out = pst_json_string(query);
    return PST_OK;
}

int
main(int argc, char **argv)
{
    struct pst_arena *kept = NULL;
    struct pst_arena *arena = NULL;
    struct pst_str text;
    enum pst_err e = PST_MALFORMED;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: graphql FILE\n");
        return 2;
    }
    if (pst_arena_new(&kept, PST_ARENA_SIZE) == PST_OK &&
        pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK)
        e = read_document(kept, argv[1], &text);
    if (e)
        (void)fprintf(stderr, "graphql: %s: %s\n", argv[1], pst_err_code(e));
    else
        measure(arena, text);
    pst_arena_free(&arena);
    pst_arena_free(&kept);
    return e ? 1 : 0;
}
