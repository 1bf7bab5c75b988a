/* SPDX-License-Identifier: ISC */
/*
 * document_lookup.h - look up a GraphQL document in the manifest or the cache,
 * or parse it, to get its summary (graphql/summary.h); and keep automatic
 * persisted queries.
 *
 * One object per process. All functions are thread-safe. The cache compares
 * whole texts, so a hash collision cannot return another document's summary.
 * Its memory is bounded, and documents seen once cannot evict those in use.
 */
#ifndef POSTERN_GATEWAY_DOCUMENT_LOOKUP_H
#define POSTERN_GATEWAY_DOCUMENT_LOOKUP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "graphql/summary.h"

#define DOCUMENTS_HASH_LEN PST_HASH_LEN /* SHA-256 */
#define DOCUMENTS_TEXT_MAX (64 * 1024)  /* bytes of a cached document */

struct document_lookup;

/* Options of document_lookup_new(). */
struct document_lookup_options {
    const struct pst_graphql_rules *rules; /* outlives the object */
    size_t size_max;       /* memory limit of the cache, in bytes */
    bool is_persistent;    /* use the cache; false in plain CGI, where the
                              process ends after one request */
    const char *manifest;  /* file, or NULL: none */
    bool is_manifest_only; /* refuse all other documents */
};

/*
 * Create the object; reads and parses the manifest.
 *   out      set on PST_OK; free it with document_lookup_free()
 *   message  of message_size bytes, at least 256; set on PST_BAD_CONFIG: what
 *            is wrong with the manifest, with file, document id, line and
 *            column. It follows the variable's name ("names /etc/…, whose
 *            document …")
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, PST_NO_RANDOM.
 */
PST_MUST_USE enum pst_err
document_lookup_new(struct document_lookup **out,
                    const struct document_lookup_options *options,
                    char *message, size_t message_size);

/* Free the object, and set *documents to NULL. A NULL *documents is allowed. */
void document_lookup_free(struct document_lookup **documents);

/* Is the cache in use? */
bool document_lookup_is_persistent(const struct document_lookup *documents);

/*
 * Find the summary of a text; parse it if it is not known. It is then cached,
 * unless it is longer than DOCUMENTS_TEXT_MAX, or logs in or checks a password:
 * such a text can contain a password.
 *   arena    the summary is valid until its reset
 *   summary  set on PST_OK
 *   error    set on PST_MALFORMED and PST_TOO_LARGE
 * Returns PST_OK, PST_MALFORMED, PST_TOO_LARGE, PST_NO_MEMORY; or
 * PST_DOCUMENT_NOT_ALLOWED (is_manifest_only, and the manifest does not list
 * the text).
 */
PST_MUST_USE enum pst_err
document_lookup_read(struct document_lookup *documents, struct pst_arena *arena,
                     struct pst_str text,
                     const struct pst_graphql_summary **summary,
                     struct pst_graphql_error *error);

/*
 * The same, and register the text as an automatic persisted query. Texts that
 * document_lookup_read() does not cache are not registered.
 *   hash  SHA-256 that the client sent
 * Also returns PST_HASH_MISMATCH (hash is not the SHA-256 of the text).
 */
PST_MUST_USE enum pst_err
document_lookup_persist(struct document_lookup *documents,
                        struct pst_arena *arena, struct pst_str text,
                        const uint8_t hash[static DOCUMENTS_HASH_LEN],
                        const struct pst_graphql_summary **summary,
                        struct pst_graphql_error *error);

/*
 * Find a persisted query, or a document of the manifest, by the SHA-256 of its
 * text.
 * Returns PST_OK, PST_NOT_FOUND, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
document_lookup_find_hash(struct document_lookup *documents,
                          struct pst_arena *arena,
                          const uint8_t hash[static DOCUMENTS_HASH_LEN],
                          const struct pst_graphql_summary **summary);

/* Find a document of the manifest by its id. Returns PST_OK or PST_NOT_FOUND.
 */
PST_MUST_USE enum pst_err
document_lookup_find_id(struct document_lookup *documents,
                        struct pst_arena *arena, struct pst_str id,
                        const struct pst_graphql_summary **summary);

#endif
