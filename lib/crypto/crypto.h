/* SPDX-License-Identifier: ISC */
/*
 * crypto.h - the door to libgcrypt: the few primitives we use, and no other.
 */
#ifndef POSTERN_CRYPTO_CRYPTO_H
#define POSTERN_CRYPTO_CRYPTO_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

/*
 * Start libgcrypt once per process, before any thread: version check, secure
 * memory. Calling again is harmless. PST_OK or PST_INTERNAL.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_crypto_init(void);

/* len bytes from the system's generator. PST_OK or PST_NO_RANDOM. */
PST_MUST_USE PST_EXPORT enum pst_err pst_crypto_random(void *out, size_t len);

/* Secure (locked, wiped) memory; NULL when there is none left. */
PST_EXPORT void *pst_crypto_secure_alloc(size_t len);
PST_EXPORT void pst_crypto_secure_free(void *ptr);

/* Wipe, in a way the compiler does not drop. */
PST_EXPORT void pst_crypto_wipe(void *ptr, size_t len);

/*
 * The one comparison of secrets: constant in time for equal lengths, false
 * for unequal ones, and false when either is empty, so that nothing missing
 * ever equals something missing.
 */
PST_EXPORT bool pst_crypto_equal(struct pst_bytes a, struct pst_bytes b);

PST_EXPORT void pst_crypto_sha256(struct pst_bytes data,
                                  uint8_t out[static PST_HASH_LEN]);

/* HMAC-SHA-256 (RFC 2104). A key of any length. PST_OK or PST_INTERNAL. */
PST_MUST_USE PST_EXPORT enum pst_err
pst_crypto_hmac(struct pst_bytes key, struct pst_bytes data,
                uint8_t out[static PST_HASH_LEN]);

/* HKDF-Extract (RFC 5869 2.2); an empty salt is PST_HASH_LEN zeros. */
PST_MUST_USE PST_EXPORT enum pst_err
pst_crypto_hkdf_extract(struct pst_bytes salt, struct pst_bytes secret,
                        uint8_t prk[static PST_HASH_LEN]);

/*
 * HKDF-Expand (RFC 5869 2.3).
 *   len  1..255*PST_HASH_LEN
 * Returns PST_OK, PST_TOO_LARGE (len), PST_INTERNAL.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_crypto_hkdf_expand(const uint8_t prk[static PST_HASH_LEN],
                       struct pst_bytes info, uint8_t *out, size_t len);

/*
 * AES-256-GCM (NIST SP 800-38D), 96-bit nonce, 128-bit tag.
 *   out  plain.len bytes; may not overlap plain
 * Returns PST_OK or PST_INTERNAL.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_crypto_seal(const uint8_t key[static PST_KEY_LEN],
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes plain, uint8_t *out,
                uint8_t tag[static PST_TAG_LEN]);

/*
 * Open what pst_crypto_seal() made; the tag is checked before out is written
 * for good, and out is wiped when it is wrong.
 *   tag  exactly PST_TAG_LEN bytes, else PST_FORGED
 * Returns PST_OK, PST_FORGED, PST_INTERNAL.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_crypto_open(const uint8_t key[static PST_KEY_LEN],
                const uint8_t nonce[static PST_NONCE_LEN], struct pst_bytes aad,
                struct pst_bytes sealed, struct pst_bytes tag, uint8_t *out);

#endif
