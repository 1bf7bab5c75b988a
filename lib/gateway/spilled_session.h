/* SPDX-License-Identifier: ISC */
/*
 * spilled_session.h - a session that is too large for its token: its sealed
 * claims are kept in the store, and the key to them in the token.
 *
 * Only the token has the key. So neither the store nor our secret alone opens
 * the claims. The key is derived from our secret and the session's id; the
 * store knows only the id's hash.
 */
#ifndef POSTERN_GATEWAY_SPILLED_SESSION_H
#define POSTERN_GATEWAY_SPILLED_SESSION_H

#include "gateway/context.h"
#include "session/session.h"

/*
 * Replace the session from a token by its claims in the store. A session that
 * is not spilled stays unchanged.
 * Returns PST_OK, PST_FORGED, PST_REVOKED (not in the store, or there is no
 * store), PST_STORE_DOWN, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err spilled_session_fetch(struct context *ctx,
                                                struct pst_arena *arena,
                                                struct pst_session *session);

/*
 * Seal a session for the store.
 *   reduced  set on PST_OK: what goes into the token, namely the claims without
 *            `who` and `refresh`, and the key
 *   blob     set on PST_OK: what the store is to keep
 * Both live as long as the arena and the session.
 * Returns PST_OK, PST_TOO_LARGE (no store, or more than PST_SPILL_MAX bytes),
 * PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
spilled_session_make(struct context *ctx, struct pst_arena *arena,
                     const struct pst_session *session,
                     struct pst_session *reduced, struct pst_bytes *blob);

/*
 * Store the blob of a session whose token was issued before. Where it was
 * spilled already, the blob is only replaced: a late request must not bring
 * back a revoked session.
 * Returns PST_OK, PST_REVOKED, PST_STORE_DOWN, PST_TOO_LARGE, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
spilled_session_update(struct context *ctx, const struct pst_session *session,
                       struct pst_bytes blob);

#endif
