/* SPDX-License-Identifier: ISC */
/*
 * token.h - encrypt or sign tokens, and open them: compact JWE (RFC 7516) and
 * JWS (RFC 7515).
 *
 * A token names a key and chooses nothing else, such as its algorithm. Before
 * the key is used, the header is built again from the kid, and compared byte by
 * byte:
 *   sealed: {"alg":"dir","enc":"A256GCM","kid":"<id>.<day>"}
 *   signed: {"alg":"HS256","kid":"<id>.<day>","typ":"JWT"}
 */
#ifndef POSTERN_CRYPTO_TOKEN_H
#define POSTERN_CRYPTO_TOKEN_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "crypto/keyring.h"

enum pst_token_format { PST_TOKEN_SEALED, PST_TOKEN_SIGNED };

/* What a token is for, and how it is protected. */
struct pst_token_use {
    const struct pst_keyring *ring;
    enum pst_purpose purpose;
    enum pst_token_format format;
};

/*
 * Seal (encrypt) or sign claims.
 *   now     unix seconds: chooses the day of the key
 *   nonce   new random bytes; ignored for PST_TOKEN_SIGNED
 *   claims  1..PST_CLAIMS_MAX bytes
 *   buf     gets the token; has an error on failure
 * Returns PST_OK, PST_TOO_LARGE, PST_NO_MEMORY, PST_INTERNAL.
 * Source: RFC 7516 5.1 with RFC 7518 4.5 and 5.3; RFC 7515 5.1.
 */
PST_MUST_USE enum pst_err
pst_token_seal(const struct pst_token_use *use, int64_t now,
               const uint8_t nonce[static PST_NONCE_LEN], struct pst_str claims,
               struct pst_buf *buf);

/*
 * Verify a token of exactly this use, and get its claims. Whether they have
 * expired is checked by pst_session_check().
 *   token   from the client; over PST_TOKEN_MAX bytes it is PST_FORGED
 *   claims  set on PST_OK; lives until the arena is reset
 *   kid     set on PST_OK; may be NULL
 * Returns PST_OK, PST_FORGED (anything is wrong with it), PST_NO_MEMORY,
 * PST_INTERNAL.
 * Source: RFC 7516 5.2; RFC 7515 5.2.
 */
PST_MUST_USE enum pst_err pst_token_open(const struct pst_token_use *use,
                                         struct pst_arena *arena,
                                         struct pst_str token,
                                         struct pst_str *claims,
                                         struct pst_kid *kid);

/*
 * Write the key of a token as a JWK (RFC 7517), {"kty":"oct","alg":…,"kid":…,
 * "k":…}, so that other programs can open it. The token itself is not verified.
 * Returns PST_OK, PST_FORGED (the header is not ours, or no secret has its
 * kid), PST_TOO_LARGE (buf), PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err pst_token_jwk(const struct pst_token_use *use,
                                        struct pst_arena *arena,
                                        struct pst_str token,
                                        struct pst_buf *buf);

#endif
