/* SPDX-License-Identifier: ISC */
/*
 * document_lookup.c - look up a GraphQL document in the manifest or the cache,
 * or parse it; keep automatic persisted queries.
 */
#include "gateway/document_lookup.h"

#include <stdio.h>
#include <string.h>

#include "crypto/crypto.h"
#include "gateway/document_cache.h"
#include "gateway/manifest.h"

struct document_lookup {
    const struct pst_graphql_rules *rules;
    bool is_manifest_only;
    struct manifest *manifest;    /* NULL: there is none */
    struct document_cache *cache; /* NULL: nothing is cached */
};

static enum pst_err
documents_init(struct document_lookup *documents,
               const struct document_lookup_options *options,
               struct config_error *message)
{
    struct pst_siphash_key key;
    enum pst_err e = pst_crypto_random(&key, sizeof(key));

    if (!e && options->manifest)
        e = manifest_new(&documents->manifest, options->manifest,
                         options->rules, &key, message);
    if (!e && options->is_persistent)
        e = document_cache_new(&documents->cache, options->size_max, &key);
    return e;
}

enum pst_err
document_lookup_new(struct document_lookup **out,
                    const struct document_lookup_options *options,
                    char *message, size_t message_size)
{
    struct document_lookup *documents = calloc(1, sizeof(*documents));
    struct config_error reason = {""};
    enum pst_err e;

    PST_REQUIRE(options->manifest || !options->is_manifest_only);
    if (!documents)
        return PST_NO_MEMORY;
    documents->rules = options->rules;
    documents->is_manifest_only = options->is_manifest_only;
    e = documents_init(documents, options, &reason);
    if (e == PST_BAD_CONFIG)
        (void)snprintf(message, message_size, "%s", reason.message);
    if (e) {
        document_lookup_free(&documents);
        return e;
    }
    *out = documents;
    return PST_OK;
}

void
document_lookup_free(struct document_lookup **documents)
{
    if (!*documents)
        return;
    manifest_free(&(*documents)->manifest);
    document_cache_free(&(*documents)->cache);
    free(*documents);
    *documents = NULL;
}

bool
document_lookup_is_persistent(const struct document_lookup *documents)
{
    return documents->cache != NULL;
}

static const struct pst_graphql_summary *
find_manifest_document(const struct document_lookup *documents,
                       struct pst_str text)
{
    if (!documents->manifest)
        return NULL;
    return manifest_find_text(documents->manifest, text);
}

/* Let the arena drop the caller's reference. */
static enum pst_err
defer_document_release(struct pst_arena *arena, struct document *document,
                       const struct pst_graphql_summary **summary)
{
    enum pst_err e = pst_arena_defer(arena, document_release, document);

    if (e) {
        document_release(document);
        return e;
    }
    *summary = document_summary(document);
    return PST_OK;
}

static enum pst_err
parse_new_document(const struct document_lookup *documents, struct pst_str text,
                   struct document **out, struct pst_graphql_error *error)
{
    struct pst_graphql_summary *summary;
    enum pst_err e =
        pst_graphql_summary_parse(text, documents->rules, &summary, error);

    if (e)
        return e;
    e = document_new(out, text, summary);
    if (e)
        pst_graphql_summary_free(&summary);
    return e;
}

static struct document *
find_cached_document(const struct document_lookup *documents,
                     struct pst_str text)
{
    if (!documents->cache || text.len > DOCUMENTS_TEXT_MAX)
        return NULL;
    return document_cache_find_text(documents->cache, text);
}

/* Cache a document, unless it logs in or checks a password: its text can
 * contain one. */
static void
cache_parsed_document(const struct document_lookup *documents,
                      struct document *document, struct pst_str text,
                      const uint8_t *hash)
{
    const struct pst_graphql_summary *summary = document_summary(document);

    if (documents->cache && text.len <= DOCUMENTS_TEXT_MAX &&
        !summary->has_login && !summary->has_password)
        document_cache_put(documents->cache, document, hash);
}

enum pst_err
document_lookup_read(struct document_lookup *documents, struct pst_arena *arena,
                     struct pst_str text,
                     const struct pst_graphql_summary **summary,
                     struct pst_graphql_error *error)
{
    const struct pst_graphql_summary *listed =
        find_manifest_document(documents, text);
    struct document *document;
    enum pst_err e;

    if (listed) {
        *summary = listed;
        return PST_OK;
    }
    if (documents->is_manifest_only)
        return PST_DOCUMENT_NOT_ALLOWED;
    document = find_cached_document(documents, text);
    if (!document) {
        e = parse_new_document(documents, text, &document, error);
        if (e)
            return e;
        cache_parsed_document(documents, document, text, NULL);
    }
    return defer_document_release(arena, document, summary);
}

enum pst_err
document_lookup_persist(struct document_lookup *documents,
                        struct pst_arena *arena, struct pst_str text,
                        const uint8_t hash[static DOCUMENTS_HASH_LEN],
                        const struct pst_graphql_summary **summary,
                        struct pst_graphql_error *error)
{
    const struct pst_graphql_summary *listed =
        find_manifest_document(documents, text);
    uint8_t own_hash[DOCUMENTS_HASH_LEN];
    struct document *document;
    enum pst_err e;

    if (!listed && documents->is_manifest_only)
        return PST_DOCUMENT_NOT_ALLOWED;
    pst_crypto_sha256(pst_str_bytes(text), own_hash);
    if (memcmp(own_hash, hash, sizeof(own_hash)) != 0)
        return PST_HASH_MISMATCH;
    if (listed) {
        *summary = listed;
        return PST_OK;
    }
    document = find_cached_document(documents, text);
    if (!document) {
        e = parse_new_document(documents, text, &document, error);
        if (e)
            return e;
    }
    cache_parsed_document(documents, document, text, hash);
    return defer_document_release(arena, document, summary);
}

enum pst_err
document_lookup_find_hash(struct document_lookup *documents,
                          struct pst_arena *arena,
                          const uint8_t hash[static DOCUMENTS_HASH_LEN],
                          const struct pst_graphql_summary **summary)
{
    const struct pst_graphql_summary *listed =
        documents->manifest ? manifest_find_hash(documents->manifest, hash)
                            : NULL;
    struct document *document = NULL;

    if (listed) {
        *summary = listed;
        return PST_OK;
    }
    if (documents->cache)
        document = document_cache_find_hash(documents->cache, hash);
    if (!document)
        return PST_NOT_FOUND;
    return defer_document_release(arena, document, summary);
}

enum pst_err
document_lookup_find_id(struct document_lookup *documents,
                        struct pst_arena *arena, struct pst_str id,
                        const struct pst_graphql_summary **summary)
{
    const struct pst_graphql_summary *listed =
        documents->manifest ? manifest_find_id(documents->manifest, id) : NULL;

    (void)arena; /* summaries of the manifest live as long as `documents` */
    if (!listed)
        return PST_NOT_FOUND;
    *summary = listed;
    return PST_OK;
}
