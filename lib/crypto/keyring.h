/* SPDX-License-Identifier: ISC */
/*
 * keyring.h - secrets from the configuration, and the keys made of them.
 *
 * Each secret is extracted once (RFC 5869 2.2). A key is expanded from it for
 * one algorithm, one purpose, one audience and one day, so that no token can
 * be used in the role of another, on another site, and no key seals often
 * enough to come near GCM's limit. Immutable once made; shared by threads.
 */
#ifndef POSTERN_CRYPTO_KEYRING_H
#define POSTERN_CRYPTO_KEYRING_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

struct pst_keyring;

/* What stands between secrets, for pst_str_next_token(). */
#define PST_SECRET_SEPARATORS " \t\r\n"

/* What a token is for. The names are part of the derivation. */
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

/* What a key may be used with: the key names the algorithm. */
enum pst_algorithm { PST_A256GCM, PST_HS256, PST_ALGORITHM_COUNT };

/* Which key: parsed from, and written as, "<id>.<day>". */
struct pst_kid {
    char id[PST_KID_ID_LEN]; /* of the base64url alphabet */
    int64_t day;             /* unix time / 86400, 0..9999999 */
};

/* A key on its way into crypto/crypto.h; wipe it with pst_crypto_wipe(). */
struct pst_key {
    uint8_t bytes[PST_KEY_LEN];
};

PST_EXPORT const char *pst_purpose_name(enum pst_purpose purpose);

/*
 * Is one secret good enough? Its bytes are used as they are: nothing is
 * decoded, so there is one reading of it.
 *   reason  set to a sentence when it is not
 * Returns PST_OK or PST_BAD_CONFIG: shorter than PST_SECRET_MIN bytes, longer
 * than PST_SECRET_MAX, fewer than 10 different bytes, one block repeated,
 * a run such as 0123456789 or abcdefgh making up most of it, or a well-known
 * placeholder.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_secret_check(struct pst_str secret,
                                                      const char **reason);

/*
 * Make a ring.
 *   secrets   one or more, separated by white space; the first one seals
 *   audience  1..PST_AUDIENCE_MAX bytes
 *   reason       set to a sentence on failure; never holds a secret
 * Returns PST_OK, PST_BAD_CONFIG, PST_NO_MEMORY, PST_INTERNAL. No secret at
 * all, more than PST_SECRETS_MAX, or one given twice are PST_BAD_CONFIG.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_keyring_new(struct pst_keyring **out,
                                                     struct pst_str secrets,
                                                     struct pst_str audience,
                                                     const char **reason);

PST_EXPORT void pst_keyring_free(struct pst_keyring **ring);

/* The kid under which tokens are sealed at `now` (unix seconds, >= 0). */
PST_EXPORT struct pst_kid pst_keyring_kid(const struct pst_keyring *ring,
                                          int64_t now);

/* True when kid names the first secret, whatever its day. */
PST_EXPORT bool pst_keyring_is_first(const struct pst_keyring *ring,
                                     const struct pst_kid *kid);

/*
 * The key that kid names.
 * Returns PST_OK, PST_FORGED (no such id), PST_INTERNAL.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_keyring_key(const struct pst_keyring *ring, const struct pst_kid *kid,
                enum pst_algorithm algorithm, enum pst_purpose purpose,
                struct pst_key *out);

/* "<id>.<day>", the day without leading zeros. */
PST_EXPORT void pst_kid_emit(struct pst_buf *buf, const struct pst_kid *kid);

/* Read that and nothing else. PST_OK or PST_FORGED. */
PST_MUST_USE PST_EXPORT enum pst_err pst_kid_parse(struct pst_str text,
                                                   struct pst_kid *out);

#endif
