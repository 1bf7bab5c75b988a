/* SPDX-License-Identifier: ISC */
/*
 * crypto.h - the only file that calls libgcrypt: random bytes, SHA-256, HMAC,
 * HKDF and AES-GCM.
 */
#ifndef POSTERN_CRYPTO_CRYPTO_H
#define POSTERN_CRYPTO_CRYPTO_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

/*
 * Initialize libgcrypt: check its version, and set up secure memory. To be
 * called before threads are started; calling it again does nothing.
 * Returns PST_OK or PST_INTERNAL.
 */
PST_MUST_USE enum pst_err pst_crypto_init(void);

/*
 * Fill out with len bytes from the system's random generator.
 * Returns PST_OK, or PST_NO_RANDOM with out wiped.
 */
PST_MUST_USE enum pst_err pst_crypto_random(void *out, size_t len);

/* Allocate memory that is locked and wiped when freed; NULL: none is left. */
void *pst_crypto_secure_alloc(size_t len);
void pst_crypto_secure_free(void *ptr);

/* Wipe memory; the compiler does not optimize this away. */
void pst_crypto_wipe(void *ptr, size_t len);

/*
 * Compare secrets. The time does not depend on the bytes. False when the
 * lengths differ, and when both are empty: a missing value must not equal
 * another missing value.
 */
bool pst_crypto_equal(struct pst_bytes a, struct pst_bytes b);

/* SHA-256 (FIPS 180-4). */
void pst_crypto_sha256(struct pst_bytes data, uint8_t out[static PST_HASH_LEN]);

/* SHA-1: only where a protocol names things by it, never for security. */
void pst_crypto_sha1(struct pst_bytes data, uint8_t out[static PST_SHA1_LEN]);

/* HMAC-SHA-256 (RFC 2104), with a key of any length. PST_OK or PST_INTERNAL. */
PST_MUST_USE enum pst_err pst_crypto_hmac(struct pst_bytes key,
                                          struct pst_bytes data,
                                          uint8_t out[static PST_HASH_LEN]);

/*
 * HKDF-Extract (RFC 5869 2.2). An empty salt means PST_HASH_LEN zeros.
 * Returns PST_OK or PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
pst_crypto_hkdf_extract(struct pst_bytes salt, struct pst_bytes secret,
                        uint8_t prk[static PST_HASH_LEN]);

/*
 * HKDF-Expand (RFC 5869 2.3).
 *   out  gets len bytes; wiped on PST_INTERNAL
 *   len  1..255*PST_HASH_LEN
 * Returns PST_OK, PST_TOO_LARGE (len), PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
pst_crypto_hkdf_expand(const uint8_t prk[static PST_HASH_LEN],
                       struct pst_bytes info, uint8_t *out, size_t len);

/* AES-256-GCM (NIST SP 800-38D) with a key, for one message after the other.
 * One thread at a time may use it. */
struct pst_cipher;

/*
 * Open a cipher: in secure memory, unless the process has many there.
 *   out  set on PST_OK; the caller closes it, which wipes it
 * Returns PST_OK or PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
pst_cipher_open(struct pst_cipher **out, const uint8_t key[static PST_KEY_LEN]);

/* Wipe, close, and clear the caller's pointer. NULL inside is allowed. */
void pst_cipher_close(struct pst_cipher **cipher);

/* Is it in secure memory? */
bool pst_cipher_is_secure(const struct pst_cipher *cipher);

/*
 * Encrypt and authenticate.
 *   nonce  never used before with this key
 *   aad    authenticated, but not encrypted
 *   out    gets plain.len bytes; may not overlap plain
 * Returns PST_OK or PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
pst_cipher_seal(struct pst_cipher *cipher,
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes plain, uint8_t *out,
                uint8_t tag[static PST_TAG_LEN]);

/*
 * Verify and decrypt what pst_cipher_seal() made.
 *   tag  any other length than PST_TAG_LEN is PST_FORGED
 *   out  gets sealed.len bytes; wiped when the tag is wrong
 * Returns PST_OK, PST_FORGED (the tag is wrong), PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
pst_cipher_unseal(struct pst_cipher *cipher,
                  const uint8_t nonce[static PST_NONCE_LEN],
                  struct pst_bytes aad, struct pst_bytes sealed,
                  struct pst_bytes tag, uint8_t *out);

/* The same two for a key of one message. */
PST_MUST_USE enum pst_err
pst_crypto_seal(const uint8_t key[static PST_KEY_LEN],
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes plain, uint8_t *out,
                uint8_t tag[static PST_TAG_LEN]);
PST_MUST_USE enum pst_err
pst_crypto_open(const uint8_t key[static PST_KEY_LEN],
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes sealed, struct pst_bytes tag, uint8_t *out);

#endif
