/* SPDX-License-Identifier: ISC */
/*
 * cipher_cache.h - the ciphers that a keyring keeps for its keys: a new one
 * costs as much as opening a token with it.
 */
#ifndef POSTERN_CRYPTO_CIPHER_CACHE_H
#define POSTERN_CRYPTO_CIPHER_CACHE_H

#include "crypto/crypto.h"
#include "crypto/keyring.h"

struct cipher_cache;

/* Make a cache; a keyring owns it. NULL: no memory. */
struct cipher_cache *cipher_cache_new(void);

/* Wipe and close the ciphers, free, and clear the caller's pointer. NULL inside
 * is allowed. */
void cipher_cache_free(struct cipher_cache **cache);

/*
 * Get the cipher of a key for this thread alone, until it is released.
 *   out  set on PST_OK
 * Returns PST_OK, PST_FORGED (no secret has the id), PST_INTERNAL.
 */
PST_MUST_USE enum pst_err cipher_acquire(const struct pst_keyring *ring,
                                         const struct pst_kid *kid,
                                         enum pst_purpose purpose,
                                         struct pst_cipher **out);

/* Give it back: it is kept, or closed. The same arguments as above. */
void cipher_release(const struct pst_keyring *ring, const struct pst_kid *kid,
                    enum pst_purpose purpose, struct pst_cipher *cipher);

#endif
