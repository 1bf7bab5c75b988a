/* SPDX-License-Identifier: ISC */
/*
 * documents.c - measure the time to find a document: in the cache (by text, by
 * hash), by parsing a million new ones, and in a manifest of 5,000.
 *
 *   documents
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "gateway/document_lookup.h"

#define ROUNDS 100 /* the fastest one counts: machines are shared */
#define HITS 20000 /* per round */
#define MISSES 1000000
#define LISTED 5000

/* The document of query-200b.json. The target is 300 ns. */
static const char active_order[] =
    "query ActiveOrder($id: ID!) { activeOrder(id: $id) { id code state lines "
    "{ id sku name price { amount currency } inStock } } }";

static const struct pst_graphql_root_field logins[] = {
    {{"login", 5}, PST_GRAPHQL_MUTATION, false}};
static const struct pst_str secrets[] = {{"token", 5}};
static const struct pst_graphql_rules rules = {
    .logins = logins, .login_count = 1, .secrets = secrets, .secret_count = 1};

static double
seconds(void)
{
    struct timespec now;

    PST_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
report(const char *what, double nanoseconds)
{
    printf("%-44s %10.1f ns\n", what, nanoseconds);
}

static struct document_lookup *
open_documents(const char *manifest)
{
    const struct document_lookup_options options = {.rules = &rules,
                                                    .size_max =
                                                        16 * 1024 * 1024,
                                                    .is_persistent = true,
                                                    .manifest = manifest};
    struct document_lookup *documents = NULL;
    char reason[256];

    PST_REQUIRE(document_lookup_new(&documents, &options, reason,
                                    sizeof(reason)) == PST_OK);
    return documents;
}

struct bench {
    struct document_lookup *documents;
    struct pst_arena *arena;
    struct pst_str text;
    struct pst_str id;
    uint8_t hash[PST_HASH_LEN];
};

static void
find_text(struct bench *bench)
{
    const struct pst_graphql_summary *summary;
    struct pst_graphql_error error;

    PST_REQUIRE(document_lookup_read(bench->documents, bench->arena,
                                     bench->text, &summary, &error) == PST_OK);
    PST_REQUIRE(summary->text.len == bench->text.len);
    pst_arena_reset(bench->arena);
}

static void
find_hash(struct bench *bench)
{
    const struct pst_graphql_summary *summary;

    PST_REQUIRE(document_lookup_find_hash(bench->documents, bench->arena,
                                          bench->hash, &summary) == PST_OK);
    pst_arena_reset(bench->arena);
}

static void
find_id(struct bench *bench)
{
    const struct pst_graphql_summary *summary;

    PST_REQUIRE(document_lookup_find_id(bench->documents, bench->arena,
                                        bench->id, &summary) == PST_OK);
    pst_arena_reset(bench->arena);
}

static void
reset_arena(struct bench *bench)
{
    pst_arena_reset(bench->arena);
}

static void
measure(const char *what, struct bench *bench, void (*run)(struct bench *bench))
{
    double best = 1e9;

    for (size_t round = 0; round < ROUNDS; round++) {
        double started = seconds();
        double spent;

        for (size_t i = 0; i < HITS; i++)
            run(bench);
        spent = (seconds() - started) * 1e9 / HITS;
        best = spent < best ? spent : best;
    }
    report(what, best);
}

/* Parse a million documents once each. The one that was in use must still be
 * cached afterwards. */
static void
measure_misses(struct bench *bench)
{
    struct pst_str text = bench->text;
    char other[sizeof(active_order) + 16];
    double started = seconds();

    for (size_t i = 0; i < MISSES; i++) {
        int len = snprintf(other, sizeof(other), "%s#%zu", active_order, i);

        bench->text = (struct pst_str){other, (size_t)len};
        find_text(bench);
    }
    report("new, parsed and cached", (seconds() - started) * 1e9 / MISSES);
    bench->text = text;
    find_hash(bench);
}

static void
measure_manifest(struct bench *bench)
{
    char path[] = "/tmp/postern-bench-XXXXXX";
    int descriptor = mkstemp(path);
    FILE *file = fdopen(descriptor, "w");
    double started;

    PST_REQUIRE(file);
    for (size_t i = 0; i < LISTED; i++)
        fprintf(file, "%s\"%064zx\":\"%s#%zu\"", i > 0 ? ",\n" : "{", i,
                active_order, i);
    PST_REQUIRE(fprintf(file, "}\n") > 0 && fclose(file) == 0);
    started = seconds();
    bench->documents = open_documents(path);
    report("a manifest's document at start, of 5,000",
           (seconds() - started) * 1e9 / LISTED);
    PST_REQUIRE(unlink(path) == 0);
    measure("found in the manifest by id", bench, find_id);
    document_lookup_free(&bench->documents);
}

int
main(void)
{
    char id[65];
    struct bench bench = {.text = pst_str_from(active_order), .id = {id, 64}};
    const struct pst_graphql_summary *summary;
    struct pst_graphql_error error;

    (void)snprintf(id, sizeof(id), "%064x", 1);
    PST_REQUIRE(pst_crypto_init() == PST_OK);
    PST_REQUIRE(pst_arena_new(&bench.arena, PST_ARENA_SIZE) == PST_OK);
    bench.documents = open_documents(NULL);
    pst_crypto_sha256(pst_str_bytes(bench.text), bench.hash);
    PST_REQUIRE(document_lookup_persist(bench.documents, bench.arena,
                                        bench.text, bench.hash, &summary,
                                        &error) == PST_OK);
    pst_arena_reset(bench.arena);
    measure("seen before, by text, and the arena's reset", &bench, find_text);
    measure("the same by hash", &bench, find_hash);
    measure("the reset of an empty arena", &bench, reset_arena);
    measure_misses(&bench);
    document_lookup_free(&bench.documents);
    measure_manifest(&bench);
    pst_arena_free(&bench.arena);
    return 0;
}
