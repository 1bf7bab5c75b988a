/* SPDX-License-Identifier: ISC */
/*
 * document_cache.h - documents that were read before, in bounded memory
 * shared by the threads of a process.
 *
 * A document is found by its text, under a keyed hash, or by its SHA-256 when
 * it was put so. It stays alive while anybody holds a reference. When memory
 * is spent, those go first that were put and never found again; one that was
 * found again is safe from any number of them (a segmented LRU list).
 */
#ifndef POSTERN_GATEWAY_DOCUMENT_CACHE_H
#define POSTERN_GATEWAY_DOCUMENT_CACHE_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "base/str.h"
#include "graphql/meaning.h"

/* A text and what it means; counted references, never changed. */
struct document;

/*
 * Make one, with one reference.
 *   text     as it came; copied
 *   meaning  of it; belongs to the document on PST_OK
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err document_new(struct document **out,
                                       struct pst_str text,
                                       struct pst_graphql_meaning *meaning);

/* Give a reference back; void *, so that an arena can do it. */
void document_release(void *document);

const struct pst_graphql_meaning *
document_meaning(const struct document *document);

struct document_cache;

/*
 * Make one that remembers at most size_max bytes, its tables included.
 *   key  random; copied
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err document_cache_new(struct document_cache **out,
                                             size_t size_max,
                                             const struct pst_siphash_key *key);

/* Free it and its references, and clear the caller's pointer. */
void document_cache_free(struct document_cache **cache);

/*
 * Find the document of exactly this text, which counts as a use of it.
 * Returns it with a reference, or NULL.
 */
struct document *document_cache_find_text(struct document_cache *cache,
                                          struct pst_str text);

/* The same by the SHA-256 under which it was put. */
struct document *
document_cache_find_hash(struct document_cache *cache,
                         const uint8_t hash[static PST_HASH_LEN]);

/*
 * Remember a document, with a reference of the cache's own. One of the same
 * text that is there already stays; it gets the hash.
 *   hash  SHA-256 of its text, to be found by that too; NULL: only by text
 */
void document_cache_put(struct document_cache *cache, struct document *document,
                        const uint8_t *hash);

/* Bytes remembered now, tables included. */
size_t document_cache_size(struct document_cache *cache);

#endif
