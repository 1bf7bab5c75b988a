/* SPDX-License-Identifier: ISC */
/*
 * hidden_claims.h - the backend's tokens in a signed session token, whose other
 * claims anyone can read: upstream and refresh are each a JWE of its own.
 */
#ifndef POSTERN_SESSION_HIDDEN_CLAIMS_H
#define POSTERN_SESSION_HIDDEN_CLAIMS_H

#include "crypto/token.h"
#include "session/session.h"

#define PST_HIDDEN_CLAIM_COUNT 2

/*
 * Replace the claims by what is in them. An absent one stays absent.
 *   session  as pst_claims_parse() read it; its slices live as long as arena.
 *            On failure its claims are meaningless
 * Returns PST_OK, PST_FORGED, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err pst_hidden_claims_open(const struct pst_keyring *ring,
                                                 struct pst_arena *arena,
                                                 struct pst_session *session);

/*
 * Replace the claims by a JWE of each, under the first secret.
 *   now      unix seconds: chooses the day of the key
 *   nonces   random bytes, used once
 *   session  on failure, its claims are meaningless
 * Returns PST_OK, PST_TOO_LARGE, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err pst_hidden_claims_seal(
    const struct pst_keyring *ring, struct pst_arena *arena, int64_t now,
    uint8_t nonces[static PST_HIDDEN_CLAIM_COUNT][PST_NONCE_LEN],
    struct pst_session *session);

#endif
