/* SPDX-License-Identifier: ISC */
/*
 * document_cache.h - a cache of parsed GraphQL documents, in bounded memory,
 * shared by the threads of a process.
 *
 * A document is found by its text (keyed hash), or by its SHA-256 if it was put
 * with one. Reference counts keep it alive. Eviction is a segmented LRU:
 * documents that were never found again go first, so a client that sends many
 * different documents cannot evict those in use.
 */
#ifndef POSTERN_GATEWAY_DOCUMENT_CACHE_H
#define POSTERN_GATEWAY_DOCUMENT_CACHE_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "base/str.h"
#include "graphql/summary.h"

/* A text and its summary; immutable and reference-counted. */
struct document;

/*
 * Create a document, with one reference.
 *   text     as sent by the client; copied
 *   summary  the text's summary; owned by the document on PST_OK
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err document_new(struct document **out,
                                       struct pst_str text,
                                       struct pst_graphql_summary *summary);

/* Drop a reference. The parameter is void * to fit pst_arena_defer(). */
void document_release(void *document);

const struct pst_graphql_summary *
document_summary(const struct document *document);

struct document_cache;

/*
 * Create a cache.
 *   size_max  memory limit in bytes, hash tables included
 *   key       random key of the hash tables; copied
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err document_cache_new(struct document_cache **out,
                                             size_t size_max,
                                             const struct pst_siphash_key *key);

/* Free the cache and its references, and set *cache to NULL. A NULL *cache is
 * allowed. */
void document_cache_free(struct document_cache **cache);

/*
 * Find the document of exactly this text, and count a use of it.
 * Returns it with a new reference, or NULL.
 */
struct document *document_cache_find_text(struct document_cache *cache,
                                          struct pst_str text);

/* The same by the SHA-256 that it was put with. */
struct document *
document_cache_find_hash(struct document_cache *cache,
                         const uint8_t hash[static PST_HASH_LEN]);

/*
 * Add a document; the cache takes a reference of its own. If the cache already
 * has a document of this text, that one stays, and gets the hash.
 *   hash  SHA-256 of the text; NULL: the document is found only by text
 */
void document_cache_put(struct document_cache *cache, struct document *document,
                        const uint8_t *hash);

#endif
