/* SPDX-License-Identifier: ISC */
/*
 * cipher_cache.c - the ciphers that a keyring keeps for its keys.
 */
#include "crypto/cipher_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Ciphers in secure memory, 2 KiB each, that nobody uses at the moment. */
#define IDLE_MAX 8

struct idle_cipher {
    struct pst_cipher *cipher;
    struct pst_kid kid;
    enum pst_purpose purpose;
};

struct cipher_cache {
    pthread_mutex_t lock;
    size_t count;
    struct idle_cipher idle[IDLE_MAX]; /* the last one was released last */
};

struct cipher_cache *
cipher_cache_new(void)
{
    struct cipher_cache *cache = calloc(1, sizeof(*cache));

    if (cache)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void
cipher_cache_free(struct cipher_cache **cache)
{
    if (!*cache)
        return;
    for (size_t i = 0; i < (*cache)->count; i++)
        pst_cipher_close(&(*cache)->idle[i].cipher);
    pthread_mutex_destroy(&(*cache)->lock);
    free(*cache);
    *cache = NULL;
}

static bool
idle_cipher_is(const struct idle_cipher *idle, const struct pst_kid *kid,
               enum pst_purpose purpose)
{
    return idle->purpose == purpose && idle->kid.day == kid->day &&
           memcmp(idle->kid.id, kid->id, sizeof(kid->id)) == 0;
}

/* Take a cipher out of the cache. Under its lock. */
static struct pst_cipher *
cipher_cache_remove(struct cipher_cache *cache, size_t place)
{
    struct pst_cipher *cipher = cache->idle[place].cipher;

    cache->count--;
    memmove(&cache->idle[place], &cache->idle[place + 1],
            (cache->count - place) * sizeof(cache->idle[0]));
    return cipher;
}

static struct pst_cipher *
cipher_cache_take(struct cipher_cache *cache, const struct pst_kid *kid,
                  enum pst_purpose purpose)
{
    struct pst_cipher *cipher = NULL;

    pthread_mutex_lock(&cache->lock);
    for (size_t i = cache->count; i > 0 && !cipher; i--) {
        if (idle_cipher_is(&cache->idle[i - 1], kid, purpose))
            cipher = cipher_cache_remove(cache, i - 1);
    }
    pthread_mutex_unlock(&cache->lock);
    return cipher;
}

enum pst_err
cipher_acquire(const struct pst_keyring *ring, const struct pst_kid *kid,
               enum pst_purpose purpose, struct pst_cipher **out)
{
    struct pst_cipher *cipher =
        cipher_cache_take(pst_keyring_ciphers(ring), kid, purpose);
    struct pst_key key;
    enum pst_err e;

    if (cipher) {
        *out = cipher;
        return PST_OK;
    }
    e = pst_keyring_key(ring, kid, PST_A256GCM, purpose, &key);
    if (e)
        return e;
    e = pst_cipher_open(out, key.bytes);
    pst_crypto_wipe(&key, sizeof(key));
    return e;
}

void
cipher_release(const struct pst_keyring *ring, const struct pst_kid *kid,
               enum pst_purpose purpose, struct pst_cipher *cipher)
{
    struct cipher_cache *cache = pst_keyring_ciphers(ring);
    struct pst_cipher *closed = NULL;

    if (!pst_cipher_is_secure(cipher)) {
        pst_cipher_close(&cipher);
        return;
    }
    pthread_mutex_lock(&cache->lock);
    if (cache->count == IDLE_MAX)
        closed = cipher_cache_remove(cache, 0);
    cache->idle[cache->count++] = (struct idle_cipher){cipher, *kid, purpose};
    pthread_mutex_unlock(&cache->lock);
    pst_cipher_close(&closed);
}
