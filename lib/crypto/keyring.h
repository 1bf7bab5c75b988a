/* SPDX-License-Identifier: ISC */
/*
 * keyring.h - derive keys from the configured secrets (HKDF, RFC 5869).
 *
 * Each secret is extracted once (section 2.2). A key is expanded from it
 * (section 2.3) for one algorithm, one purpose, one audience and one day. So a
 * token of one purpose cannot be used for another purpose, nor on another site,
 * and no key seals so many tokens that it comes near the limit of GCM's random
 * nonces (NIST SP 800-38D 8.3). A keyring does not change once it is made, so
 * threads share it; it keeps the keys that it derived, and ciphers for them,
 * under locks of its own, until it is freed.
 */
#ifndef POSTERN_CRYPTO_KEYRING_H
#define POSTERN_CRYPTO_KEYRING_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

struct cipher_cache;
struct pst_keyring;

/* White space that separates secrets, for pst_str_next_token(). */
#define PST_SECRET_SEPARATORS " \t\r\n"

/* X(purpose, name): what a token is for. Names are part of the derivation. */
#define PST_PURPOSES(X)                 \
    X(PST_PURPOSE_COOKIE, "cookie")     \
    X(PST_PURPOSE_GUEST, "guest")       \
    X(PST_PURPOSE_BEARER, "bearer")     \
    X(PST_PURPOSE_CSRF, "csrf")         \
    X(PST_PURPOSE_DEVICE, "device")     \
    X(PST_PURPOSE_UPSTREAM, "upstream") \
    X(PST_PURPOSE_STORE, "store")

#define PST_PURPOSE_ENUM(purpose, name) purpose,
enum pst_purpose { PST_PURPOSES(PST_PURPOSE_ENUM) PST_PURPOSE_COUNT };
#undef PST_PURPOSE_ENUM

/* The algorithm of a key. The key decides it, never the token. */
enum pst_algorithm { PST_A256GCM, PST_HS256, PST_ALGORITHM_COUNT };

/* A key id of a token: "<id>.<day>". */
struct pst_kid {
    char id[PST_KID_ID_LEN]; /* names the secret; base64url alphabet */
    int64_t day;             /* unix time / 86400, 0..9999999 */
};

/* A derived key; wipe it with pst_crypto_wipe() after use. */
struct pst_key {
    uint8_t bytes[PST_KEY_LEN];
};

/* The name of a purpose, such as "cookie". */
const char *pst_purpose_name(enum pst_purpose purpose);

/*
 * Make a keyring, in secure memory.
 *   out       set on PST_OK; the caller frees it with pst_keyring_free()
 *   secrets   1..PST_SECRETS_MAX, separated by white space; the first one seals
 *             new tokens, the others only open old ones
 *   audience  1..PST_AUDIENCE_MAX bytes
 *   reason    set on failure to a literal text; never holds a part of a secret
 * Returns PST_OK, PST_BAD_CONFIG (no secret, too many, a weak one as in
 * crypto/secret.h, the same one twice, a bad audience), PST_NO_MEMORY,
 * PST_INTERNAL.
 */
PST_MUST_USE enum pst_err pst_keyring_new(struct pst_keyring **out,
                                          struct pst_str secrets,
                                          struct pst_str audience,
                                          const char **reason);

/* Wipe, free, and clear the caller's pointer. NULL inside is allowed. */
void pst_keyring_free(struct pst_keyring **ring);

/* The kid under which tokens are sealed at `now` (unix seconds, >= 0). */
struct pst_kid pst_keyring_kid(const struct pst_keyring *ring, int64_t now);

/* Does kid name the first secret, of any day? */
bool pst_keyring_is_first(const struct pst_keyring *ring,
                          const struct pst_kid *kid);

/*
 * Derive the key that kid names.
 *   out  set on PST_OK
 * Returns PST_OK, PST_FORGED (no secret has this id), PST_INTERNAL.
 * Source: RFC 5869 2.3; the info string is in postern-token(5).
 */
PST_MUST_USE enum pst_err pst_keyring_key(const struct pst_keyring *ring,
                                          const struct pst_kid *kid,
                                          enum pst_algorithm algorithm,
                                          enum pst_purpose purpose,
                                          struct pst_key *out);

/* The ciphers of its keys (crypto/cipher_cache.h). */
struct cipher_cache *pst_keyring_ciphers(const struct pst_keyring *ring);

/* Write "<id>.<day>", the day without leading zeros. */
void pst_kid_emit(struct pst_buf *buf, const struct pst_kid *kid);

/* Parse exactly what pst_kid_emit() writes. PST_OK or PST_FORGED. */
PST_MUST_USE enum pst_err pst_kid_parse(struct pst_str text,
                                        struct pst_kid *out);

#endif
