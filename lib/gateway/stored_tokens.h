/* SPDX-License-Identifier: ISC */
/*
 * stored_tokens.h - the newest tokens of a session, in the store: what older
 * copies of its cookie or bearer token do not have.
 *
 * The record is the claims of the session, sealed under a key that is derived
 * from our secret, for the purpose `store`, and from the session's id: the
 * store knows only that id's hash, so neither it nor our secret alone opens the
 * record. It begins with the kid of that secret, and lives as long as the
 * session: an older copy may arrive until then.
 */
#ifndef POSTERN_GATEWAY_STORED_TOKENS_H
#define POSTERN_GATEWAY_STORED_TOKENS_H

#include "gateway/context.h"
#include "session/session.h"

/*
 * Store the tokens of a session, with its public fields.
 *   session  a user's, with a refresh token
 * Returns PST_OK, PST_STORE_DOWN, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err stored_tokens_put(struct context *ctx,
                                            struct pst_arena *arena,
                                            const struct pst_session *session);

/*
 * The same, and make sure that the session is not revoked; if it is, nothing
 * stays in the store. A failure of the store is logged.
 * Returns also PST_REVOKED.
 */
PST_MUST_USE enum pst_err
stored_tokens_prepare(struct context *ctx, struct request *req,
                      const struct pst_session *session);

/* stored_tokens_put(), but PST_REVOKED where there are none: a revocation has
 * deleted them, and a late request must not bring them back. */
PST_MUST_USE enum pst_err
stored_tokens_replace(struct context *ctx, struct pst_arena *arena,
                      const struct pst_session *session);

/*
 * Read the stored tokens of a session.
 *   stored  set on PST_OK to the session as it was stored: the same sid, sub
 *           and a refresh token. Its slices live as long as the arena
 * Returns PST_OK; PST_NOT_FOUND (none, or they do not open: the secret is gone,
 * or somebody changed them); PST_STORE_DOWN; PST_NO_MEMORY; PST_INTERNAL.
 */
PST_MUST_USE enum pst_err stored_tokens_get(struct context *ctx,
                                            struct pst_arena *arena,
                                            const struct pst_session *session,
                                            struct pst_session *stored);

#endif
