/* SPDX-License-Identifier: ISC */
/*
 * test_document_cache.c - documents are found by their exact text, memory is
 * bounded, and documents seen once cannot evict those in use.
 *
 * The test replaces pst_siphash(), to make texts collide, and
 * pst_graphql_summary_free(), to count the memory of live documents.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "failing.h"
#include "gateway/document_cache.h"

#define SIZE (256 * 1024)

static bool is_colliding;

/* FNV-1a instead of SipHash. */
uint64_t
pst_siphash(const struct pst_siphash_key *key, struct pst_bytes data)
{
    uint64_t hash = key->words[0];

    for (size_t i = 0; i < data.len; i++)
        hash = (hash ^ data.ptr[i]) * 0x100000001b3u;
    return is_colliding ? 7 : hash ^ hash >> 29;
}

static struct document_cache *
make_cache(size_t size)
{
    static const struct pst_siphash_key key = {{0xcbf29ce484222325u, 0}};
    struct document_cache *cache = NULL;

    assert_int_equal(document_cache_new(&cache, size, &key), PST_OK);
    return cache;
}

/* A summary that knows how much memory its document takes. */
struct counted_summary {
    struct pst_graphql_summary summary; /* the first member */
    size_t document_bytes;
    char text[];
};

/* Heap memory of all documents that are not freed, without hash tables. */
static atomic_size_t live_bytes;

void
pst_graphql_summary_free(struct pst_graphql_summary **summary)
{
    struct counted_summary *counted = (struct counted_summary *)*summary;

    atomic_fetch_sub(&live_bytes, counted->document_bytes);
    free(counted);
    *summary = NULL;
}

/*
 * Make a document.
 *   forwarded  the text of its summary; NULL: text
 */
static struct document *
make_document(const char *text, const char *forwarded)
{
    struct pst_str copy = pst_str_from(forwarded ? forwarded : text);
    size_t size = sizeof(struct counted_summary) + copy.len;
    struct counted_summary *counted = malloc(size);
    struct document *document = NULL;

    assert_non_null(counted);
    memcpy(counted->text, copy.ptr, copy.len);
    counted->summary = (struct pst_graphql_summary){
        .text = {counted->text, copy.len}, .size = size};
    assert_int_equal(
        document_new(&document, pst_str_from(text), &counted->summary), PST_OK);
    counted->document_bytes =
        malloc_usable_size(document) + malloc_usable_size(counted);
    atomic_fetch_add(&live_bytes, counted->document_bytes);
    return document;
}

static void
put(struct document_cache *cache, const char *text, const uint8_t *hash)
{
    struct document *document = make_document(text, NULL);

    document_cache_put(cache, document, hash);
    document_release(document);
}

/* The n-th of many texts, each of about 120 bytes. */
static const char *
text_of(size_t n, char storage[static 128])
{
    (void)snprintf(storage, 128, "query Q%zu { products(page: %080zu) { id } }",
                   n, n);
    return storage;
}

/* Is the text found, with the right summary? Counts as a use. */
static bool
is_found(struct document_cache *cache, const char *text)
{
    struct document *document =
        document_cache_find_text(cache, pst_str_from(text));

    if (!document)
        return false;
    assert_true(
        pst_str_equal(document_summary(document)->text, pst_str_from(text)));
    document_release(document);
    return true;
}

static bool
is_found_by_hash(struct document_cache *cache, const uint8_t *hash,
                 const char *want)
{
    struct document *document = document_cache_find_hash(cache, hash);

    if (!document)
        return false;
    assert_true(
        pst_str_equal(document_summary(document)->text, pst_str_from(want)));
    document_release(document);
    return true;
}

static void
test_found_by_text(void **state)
{
    struct document_cache *cache = make_cache(SIZE);

    (void)state;
    assert_false(is_found(cache, "{a}"));
    put(cache, "{a}", NULL);
    put(cache, "{b}", NULL);
    assert_true(is_found(cache, "{a}"));
    assert_true(is_found(cache, "{b}"));
    assert_false(is_found(cache, "{c}"));
    assert_false(is_found(cache, "{a} "));
    document_cache_free(&cache);
    assert_null(cache);
    document_cache_free(&cache);
}

static void
test_found_by_hash(void **state)
{
    static const uint8_t hash[PST_HASH_LEN] = {1, 2, 3};
    static const uint8_t other[PST_HASH_LEN] = {1, 2, 4};
    struct document_cache *cache = make_cache(SIZE);

    (void)state;
    put(cache, "{a}", NULL);
    assert_false(is_found_by_hash(cache, hash, "{a}"));
    put(cache, "{a}", hash); /* known already: it gets the hash */
    assert_true(is_found_by_hash(cache, hash, "{a}"));
    assert_false(is_found_by_hash(cache, other, "{a}"));
    put(cache, "{b}", other);
    assert_true(is_found_by_hash(cache, other, "{b}"));
    assert_true(is_found_by_hash(cache, hash, "{a}"));
    assert_true(is_found(cache, "{b}"));
    document_cache_free(&cache);
}

/* L33, L67: an equal hash does not mean an equal text. The cache never confuses
 * two texts with the same hash, at any length. */
static void
test_colliding_texts(void **state)
{
    static const uint8_t hash[PST_HASH_LEN] = {1};
    static const uint8_t other[PST_HASH_LEN] = {2};
    struct document_cache *cache = make_cache(SIZE);

    (void)state;
    is_colliding = true;
    put(cache, "{harmless}", NULL);
    assert_false(is_found(cache, "{evil____}"));
    put(cache, "{evil____}", other); /* which the first must not get */
    assert_false(is_found_by_hash(cache, other, "{harmless}"));
    put(cache, "{harmless}", hash);
    put(cache, "{evil____}", other);
    assert_true(is_found(cache, "{harmless}"));
    assert_false(is_found(cache, "{evil____}"));
    assert_true(is_found_by_hash(cache, hash, "{harmless}"));
    assert_false(is_found_by_hash(cache, other, "{harmless}"));
    put(cache, "{longer_one}", other);
    assert_true(is_found(cache, "{longer_one}"));
    assert_true(is_found_by_hash(cache, other, "{longer_one}"));
    document_cache_free(&cache);
    is_colliding = false;
}

/* The key is the client's text, not the forwarded text (without BOM or
 * descriptions). */
static void
test_text_as_it_came(void **state)
{
    struct document_cache *cache = make_cache(SIZE);
    struct document *document = make_document("\xEF\xBB\xBF{a}", "{a}");

    (void)state;
    document_cache_put(cache, document, NULL);
    document_release(document);
    assert_false(is_found(cache, "{a}"));
    document = document_cache_find_text(cache, pst_str_from("\xEF\xBB\xBF{a}"));
    assert_non_null(document);
    assert_true(
        pst_str_equal(document_summary(document)->text, pst_str_from("{a}")));
    document_release(document);
    document_cache_free(&cache);
}

/* Many documents that are seen once do not evict those in use. */
static void
test_scan_resistance(void **state)
{
    struct document_cache *cache = make_cache(SIZE);
    char text[128];
    size_t next = 1000;

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        put(cache, text_of(i, text), NULL);
        assert_true(is_found(cache, text));
    }
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < 20000; i++) {
            put(cache, text_of(next++, text), NULL);
            if (atomic_load(&live_bytes) > SIZE)
                fail_msg("%zu bytes", atomic_load(&live_bytes));
        }
        for (size_t i = 0; i < 100; i++)
            if (!is_found(cache, text_of(i, text)))
                fail_msg("round %zu: %zu was evicted", round, i);
    }
    /* Of the others, the cache has the newest and not the oldest. */
    assert_true(is_found(cache, text_of(next - 1, text)));
    assert_false(is_found(cache, text_of(1000, text)));
    document_cache_free(&cache);
}

/* A client that uses each document twice does not evict a document that is in
 * use all the time, and leaves room for new ones. */
static void
test_used_twice(void **state)
{
    struct document_cache *cache = make_cache(SIZE);
    char text[128];

    (void)state;
    put(cache, "{ours}", NULL);
    for (size_t i = 0; i < 20000; i++) {
        put(cache, text_of(i, text), NULL);
        assert_true(is_found(cache, text));
        assert_true(atomic_load(&live_bytes) <= SIZE);
        if (i % 100 == 0)
            assert_true(is_found(cache, "{ours}"));
    }
    put(cache, "{new}", NULL);
    for (size_t i = 0; i < 50; i++)
        put(cache, text_of(50000 + i, text), NULL);
    assert_true(is_found(cache, "{new}"));
    document_cache_free(&cache);
}

/* The limit counts bytes, not documents. */
static void
test_bounded_in_bytes(void **state)
{
    static const uint8_t zeros[PST_HASH_LEN];
    struct document_cache *cache = make_cache(SIZE);
    static char text[64 * 1024 + 1];

    (void)state;
    for (size_t i = 0; i < 400; i++) {
        uint8_t hash[PST_HASH_LEN];
        size_t len = 10 + i * 7919 % (sizeof(text) - 10);

        memcpy(hash, zeros, sizeof(hash));
        memcpy(hash, &i, sizeof(i));
        memset(text, 'a' + (int)(i % 26), len);
        text[len] = '\0';
        put(cache, text, hash);
        (void)is_found_by_hash(cache, hash, text);
        assert_true(atomic_load(&live_bytes) <= SIZE);
    }
    document_cache_free(&cache);
    cache = make_cache(0);
    put(cache, "{a}", zeros);
    assert_false(is_found(cache, "{a}"));
    assert_false(is_found_by_hash(cache, zeros, "{a}"));
    document_cache_free(&cache);
}

/* A reference keeps a document alive after eviction and after the cache. */
static void
test_reference(void **state)
{
    struct document_cache *cache = make_cache(SIZE);
    struct document *document;
    char text[128];

    (void)state;
    put(cache, "{held}", NULL);
    document = document_cache_find_text(cache, PST_STR("{held}"));
    assert_non_null(document);
    for (size_t i = 0; i < 5000; i++) {
        put(cache, text_of(i, text), NULL);
        (void)is_found(cache, text);
    }
    assert_false(is_found(cache, "{held}"));
    document_cache_free(&cache);
    assert_true(
        pst_str_equal(document_summary(document)->text, PST_STR("{held}")));
    document_release(document);
}

struct job {
    struct document_cache *cache;
    size_t number;
};

/* Find and put some documents that all threads share, and many others. */
static void *
work(void *context)
{
    const struct job *job = context;
    char text[128];
    size_t found = 0;

    for (size_t i = 0; i < 3000; i++) {
        size_t n = i % 3 > 0 ? i % 40 : job->number * 1000000 + i;
        uint8_t hash[PST_HASH_LEN] = {(uint8_t)n, (uint8_t)(n >> 8),
                                      (uint8_t)(n >> 16), (uint8_t)(n >> 24)};

        text_of(n, text);
        if (is_found(job->cache, text))
            found++;
        else
            put(job->cache, text, i % 2 ? hash : NULL);
        (void)is_found_by_hash(job->cache, hash, text);
    }
    return found > 1000 ? context : NULL;
}

static void
test_threads(void **state)
{
    struct document_cache *cache = make_cache(64 * 1024);
    struct job jobs[8];
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        jobs[i] = (struct job){cache, i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        void *result = NULL;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &jobs[i]);
    }
    assert_true(atomic_load(&live_bytes) <= 64 * 1024);
    document_cache_free(&cache);
    assert_int_equal(atomic_load(&live_bytes), 0);
}

static void
test_no_memory(void **state)
{
    static const struct pst_siphash_key key = {{1, 2}};
    struct pst_graphql_summary summary = {.text = PST_STR("{a}")};
    struct document_cache *cache = NULL;
    struct document *document = NULL;

    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        failing_at(n);
        assert_int_equal(document_cache_new(&cache, SIZE, &key), PST_NO_MEMORY);
        assert_true(failing_has_failed());
        assert_null(cache);
    }
    failing_at(1);
    assert_int_equal(document_new(&document, PST_STR("{a}"), &summary),
                     PST_NO_MEMORY);
    assert_true(failing_has_failed());
    assert_null(document);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_by_text),
        cmocka_unit_test(test_found_by_hash),
        cmocka_unit_test(test_colliding_texts),
        cmocka_unit_test(test_text_as_it_came),
        cmocka_unit_test(test_scan_resistance),
        cmocka_unit_test(test_used_twice),
        cmocka_unit_test(test_bounded_in_bytes),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
