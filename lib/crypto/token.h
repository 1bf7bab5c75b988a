/* SPDX-License-Identifier: ISC */
/*
 * token.h - the compact JWE (RFC 7516) and JWS (RFC 7515) that carry claims.
 *
 * The header a token must have is rebuilt from its kid and compared byte by
 * byte before any key is used: a token names a key, and chooses nothing.
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

/* Everything about a token but its content. */
struct pst_token_use {
    const struct pst_keyring *ring;
    enum pst_purpose purpose;
    enum pst_token_format format;
};

/*
 * Make a token.
 *   now     unix seconds: chooses the day of the key
 *   nonce   fresh random bytes, never used before (not used when signed)
 *   claims  1..PST_CLAIMS_MAX bytes
 *   buf     gets the token; spoilt on failure
 * Returns PST_OK, PST_TOO_LARGE, PST_NO_MEMORY, PST_INTERNAL.
 * Source: RFC 7516 5.1 with RFC 7518 4.5 and 5.3; RFC 7515 5.1.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_token_seal(const struct pst_token_use *use, int64_t now,
               const uint8_t nonce[static PST_NONCE_LEN], struct pst_str claims,
               struct pst_buf *buf);

/*
 * Open a token of exactly this use.
 *   token   what came from the wire, 1..PST_TOKEN_MAX bytes
 *   claims  set on PST_OK only; lives as long as arena
 *   kid     set on PST_OK only; may be NULL
 * Returns PST_OK, PST_FORGED (whatever is wrong with it), PST_NO_MEMORY,
 * PST_INTERNAL. Clocks are session/session.h's affair.
 * Source: RFC 7516 5.2; RFC 7515 5.2.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_token_open(const struct pst_token_use *use, struct pst_arena *arena,
               struct pst_str token, struct pst_str *claims,
               struct pst_kid *kid);

/*
 * The key that opens a token, as a JWK (RFC 7517): {"kty":"oct","alg":…,
 * "kid":…,"k":…}. The token itself is not opened.
 * Returns PST_OK, PST_FORGED (not a token of ours), PST_NO_MEMORY,
 * PST_INTERNAL.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_token_jwk(const struct pst_token_use *use, struct pst_arena *arena,
              struct pst_str token, struct pst_buf *buf);

#endif
