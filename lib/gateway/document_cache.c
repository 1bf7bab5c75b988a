/* SPDX-License-Identifier: ISC */
/*
 * document_cache.c - a segmented LRU cache of parsed GraphQL documents: two
 * hash tables (by text, by SHA-256) and two lists (probation, protected).
 *
 * One lock guards it. Texts are hashed and compared outside the lock.
 */
#include "gateway/document_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Approximate overhead of malloc() for a block; a document is two blocks. */
#define BLOCK_OVERHEAD 16

/* One hash bucket for this many bytes of documents. */
#define BYTES_PER_BUCKET 1024
#define BUCKETS_MIN 16

/* The share of memory for protected documents. */
#define PROTECTED_SHARE(size) ((size) / 5 * 4)

struct document_list;

struct document {
    atomic_size_t references;
    struct pst_graphql_summary *summary;
    struct pst_str text; /* part of summary, or of own_text */
    size_t size;

    /* The fields below belong to the cache, under its lock. */
    uint64_t text_key;
    uint64_t hash_key;
    struct document *next_text; /* in its bucket */
    struct document *next_hash;
    struct document_list *list; /* NULL: not in a cache */
    struct document *newer;
    struct document *older;
    bool has_hash;
    uint8_t hash[PST_HASH_LEN];

    char own_text[]; /* if the text differs from summary->text */
};

struct document_list {
    struct document *newest;
    struct document *oldest;
    size_t size; /* bytes of its documents */
};

struct document_cache {
    pthread_mutex_t lock; /* for all fields below except the key */
    struct pst_siphash_key key;
    struct document_list probation; /* not found since they were put */
    struct document_list protected; /* found again */
    size_t size_max;                /* limit in bytes, without the tables */
    size_t bucket_mask;
    struct document **by_text; /* buckets, one block with by_hash */
    struct document **by_hash;
};

/* Documents. */

enum pst_err
document_new(struct document **out, struct pst_str text,
             struct pst_graphql_summary *summary)
{
    bool is_same = pst_str_equal(text, summary->text);
    size_t own_size = sizeof(struct document) + (is_same ? 0 : text.len);
    struct document *document = malloc(own_size);

    if (!document)
        return PST_NO_MEMORY;
    memset(document, 0, sizeof(*document));
    atomic_init(&document->references, 1);
    document->summary = summary;
    document->size = own_size + summary->size + 2 * BLOCK_OVERHEAD;
    document->text = summary->text;
    if (!is_same) {
        memcpy(document->own_text, text.ptr, text.len);
        document->text = (struct pst_str){document->own_text, text.len};
    }
    *out = document;
    return PST_OK;
}

void
document_release(void *handle)
{
    struct document *document = handle;

    if (atomic_fetch_sub(&document->references, 1) > 1)
        return;
    if (document->text.ptr == document->own_text)
        explicit_bzero(document->own_text, document->text.len);
    pst_graphql_summary_free(&document->summary);
    free(document);
}

const struct pst_graphql_summary *
document_summary(const struct document *document)
{
    return document->summary;
}

/* Lists. */

static void
document_list_remove(struct document *document)
{
    struct document_list *list = document->list;

    if (document->newer)
        document->newer->older = document->older;
    else
        list->newest = document->older;
    if (document->older)
        document->older->newer = document->newer;
    else
        list->oldest = document->newer;
    list->size -= document->size;
    document->list = NULL;
}

static void
document_list_add(struct document_list *list, struct document *document)
{
    document->list = list;
    document->newer = NULL;
    document->older = list->newest;
    if (list->newest)
        list->newest->newer = document;
    else
        list->oldest = document;
    list->newest = document;
    list->size += document->size;
}

/* Count a use: move the document to the front of the protected list. What no
 * longer fits there goes back on probation. */
static void
document_promote(struct document_cache *cache, struct document *document)
{
    if (cache->protected.newest == document)
        return;
    document_list_remove(document);
    document_list_add(&cache->protected, document);
    while (cache->protected.size > PROTECTED_SHARE(cache->size_max)) {
        struct document *oldest = cache->protected.oldest;

        PST_REQUIRE(oldest);
        document_list_remove(oldest);
        document_list_add(&cache->probation, oldest);
    }
}

/* Tables. */

static uint64_t
document_hash_key(const struct document_cache *cache, const void *ptr,
                  size_t len)
{
    return pst_siphash(&cache->key, (struct pst_bytes){ptr, len});
}

static struct document **
document_text_bucket(const struct document_cache *cache, uint64_t key)
{
    return &cache->by_text[key & cache->bucket_mask];
}

static struct document **
document_hash_bucket(const struct document_cache *cache, uint64_t key)
{
    return &cache->by_hash[key & cache->bucket_mask];
}

static struct document *
cache_lookup_text(const struct document_cache *cache, uint64_t key, size_t len)
{
    struct document *document = *document_text_bucket(cache, key);

    while (document && (document->text_key != key || document->text.len != len))
        document = document->next_text;
    return document;
}

static struct document *
cache_lookup_hash(const struct document_cache *cache, uint64_t key,
                  const uint8_t *hash)
{
    struct document *document = *document_hash_bucket(cache, key);

    while (document && memcmp(document->hash, hash, PST_HASH_LEN) != 0)
        document = document->next_hash;
    return document;
}

/* Remove a document from its list and the tables, and drop the cache's
 * reference. */
static void
cache_evict_document(struct document_cache *cache, struct document *document)
{
    struct document **link = document_text_bucket(cache, document->text_key);

    while (*link != document)
        link = &(*link)->next_text;
    *link = document->next_text;
    if (document->has_hash) {
        link = document_hash_bucket(cache, document->hash_key);
        while (*link != document)
            link = &(*link)->next_hash;
        *link = document->next_hash;
    }
    document_list_remove(document);
    document_release(document);
}

static void
cache_evict_to_limit(struct document_cache *cache)
{
    while (cache->probation.size + cache->protected.size > cache->size_max)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it left its list */
        cache_evict_document(cache, cache->probation.oldest
                                        ? cache->probation.oldest
                                        : cache->protected.oldest);
}

enum pst_err
document_cache_new(struct document_cache **out, size_t size_max,
                   const struct pst_siphash_key *key)
{
    struct document_cache *cache = calloc(1, sizeof(*cache));
    size_t buckets = BUCKETS_MIN;
    size_t table_size;

    if (!cache)
        return PST_NO_MEMORY;
    while (buckets < size_max / BYTES_PER_BUCKET && buckets < SIZE_MAX / 64)
        buckets *= 2;
    cache->by_text = calloc(2 * buckets, sizeof(struct document *));
    if (!cache->by_text) {
        free(cache);
        return PST_NO_MEMORY;
    }
    PST_REQUIRE(pthread_mutex_init(&cache->lock, NULL) == 0);
    cache->key = *key;
    cache->by_hash = cache->by_text + buckets;
    cache->bucket_mask = buckets - 1;
    table_size = 2 * buckets * sizeof(struct document *);
    cache->size_max = size_max > table_size ? size_max - table_size : 0;
    *out = cache;
    return PST_OK;
}

void
document_cache_free(struct document_cache **cache)
{
    if (!*cache)
        return;
    while ((*cache)->probation.oldest)
        cache_evict_document(*cache, (*cache)->probation.oldest);
    while ((*cache)->protected.oldest)
        cache_evict_document(*cache, (*cache)->protected.oldest);
    pthread_mutex_destroy(&(*cache)->lock);
    free((*cache)->by_text);
    free(*cache);
    *cache = NULL;
}

/* Take a reference for the caller, if there is a document. Needs the lock. */
static struct document *
cache_acquire_document(struct document_cache *cache, struct document *document)
{
    if (!document)
        return NULL;
    document_promote(cache, document);
    atomic_fetch_add(&document->references, 1);
    return document;
}

struct document *
document_cache_find_text(struct document_cache *cache, struct pst_str text)
{
    uint64_t key = document_hash_key(cache, text.ptr, text.len);
    struct document *document;

    pthread_mutex_lock(&cache->lock);
    document =
        cache_acquire_document(cache, cache_lookup_text(cache, key, text.len));
    pthread_mutex_unlock(&cache->lock);
    if (!document || pst_str_equal(document->text, text))
        return document;
    document_release(document); /* a hash collision */
    return NULL;
}

struct document *
document_cache_find_hash(struct document_cache *cache,
                         const uint8_t hash[static PST_HASH_LEN])
{
    uint64_t key = document_hash_key(cache, hash, PST_HASH_LEN);
    struct document *document;

    pthread_mutex_lock(&cache->lock);
    document =
        cache_acquire_document(cache, cache_lookup_hash(cache, key, hash));
    pthread_mutex_unlock(&cache->lock);
    return document;
}

/* Add a document to the table by SHA-256. */
static void
cache_index_by_hash(struct document_cache *cache, struct document *document,
                    const uint8_t *hash)
{
    struct document **bucket;

    document->has_hash = true;
    memcpy(document->hash, hash, PST_HASH_LEN);
    document->hash_key = document_hash_key(cache, hash, PST_HASH_LEN);
    bucket = document_hash_bucket(cache, document->hash_key);
    document->next_hash = *bucket;
    *bucket = document;
}

static void
cache_insert_document(struct document_cache *cache, struct document *document,
                      uint64_t key)
{
    struct document **bucket = document_text_bucket(cache, key);

    atomic_fetch_add(&document->references, 1);
    document->text_key = key;
    document->next_text = *bucket;
    *bucket = document;
    document_list_add(&cache->probation, document);
}

void
document_cache_put(struct document_cache *cache, struct document *document,
                   const uint8_t *hash)
{
    uint64_t key =
        document_hash_key(cache, document->text.ptr, document->text.len);
    struct document *existing;

    pthread_mutex_lock(&cache->lock);
    existing = cache_lookup_text(cache, key, document->text.len);
    if (!existing) {
        cache_insert_document(cache, document, key);
        existing = document;
    }
    /* If two texts collide, the first one stays. */
    if (hash && !existing->has_hash &&
        (existing == document || pst_str_equal(existing->text, document->text)))
        cache_index_by_hash(cache, existing, hash);
    cache_evict_to_limit(cache);
    pthread_mutex_unlock(&cache->lock);
}
