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
 *
 * Before a refresh token is sent to the backend, the record is marked with the
 * time. The lock of the refresh may be lost meanwhile (a lease of Redis); the
 * mark then says to whoever gets it next that the token is spent, unless newer
 * ones follow.
 */
#ifndef POSTERN_GATEWAY_STORED_TOKENS_H
#define POSTERN_GATEWAY_STORED_TOKENS_H

#include "gateway/auth.h"
#include "gateway/context.h"
#include "session/session.h"

/*
 * Store the tokens of a session, with its public fields.
 *   session  a user's, with a refresh token
 *   sent     the mark: unix seconds; 0: not sent
 * Returns PST_OK, PST_STORE_DOWN, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err stored_tokens_put(struct context *ctx,
                                            struct pst_arena *arena,
                                            const struct pst_session *session,
                                            int64_t sent);

/*
 * The same, and make sure that the session is not revoked; if it is, nothing
 * stays in the store. A failure of the store is logged.
 * Returns also PST_REVOKED.
 */
PST_MUST_USE enum pst_err
stored_tokens_prepare(struct context *ctx, struct request *req,
                      const struct pst_session *session, int64_t sent);

/* stored_tokens_put() without the mark, but PST_REVOKED where there are none: a
 * revocation has deleted them, and a late request must not bring them back. */
PST_MUST_USE enum pst_err
stored_tokens_replace(struct context *ctx, struct pst_arena *arena,
                      const struct pst_session *session);

/*
 * After a refresh: store the new tokens of a session, and make sure that it is
 * not revoked. A store that does not answer is asked again. A failure is
 * logged, and is none: the client may get the tokens in its cookie. auth  for
 * the log Returns PST_OK or PST_REVOKED.
 */
PST_MUST_USE enum pst_err stored_tokens_keep(struct context *ctx,
                                             struct request *req,
                                             const struct auth *auth,
                                             const struct pst_session *session);

/*
 * Read the stored tokens of a session.
 *   stored  set on PST_OK to the session as it was stored: the same sid, sub
 *           and a refresh token. Its slices live as long as the arena
 *   sent    set on PST_OK to the mark; 0: none
 * Returns PST_OK; PST_NOT_FOUND (none, or they do not open: the secret is gone,
 * or somebody changed them); PST_STORE_DOWN; PST_NO_MEMORY; PST_INTERNAL.
 */
PST_MUST_USE enum pst_err stored_tokens_get(struct context *ctx,
                                            struct pst_arena *arena,
                                            const struct pst_session *session,
                                            struct pst_session *stored,
                                            int64_t *sent);

/*
 * Take the stored tokens, with the name and the public fields, if they are
 * newer. Where a refresh could not be stored, they are older than those of the
 * cookie. A failure of the store is logged.
 *   has_adopted  set: they were newer
 *   sent         set to the mark of the session's tokens; 0: none
 * Returns PST_OK, also where there are none; else as stored_tokens_get().
 */
PST_MUST_USE enum pst_err stored_tokens_adopt(struct context *ctx,
                                              struct request *req,
                                              struct pst_session *session,
                                              bool *has_adopted, int64_t *sent);

/*
 * Wait for the lock of a session's tokens: who holds it may refresh them.
 * ctx->refresh is set on PST_OK.
 *   timeout     seconds; 0: do not wait
 *   has_waited  set: it was not free
 * Returns what store_lock_acquire() returns, and PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err stored_tokens_lock(struct context *ctx,
                                             struct request *req,
                                             const struct pst_session *session,
                                             int64_t timeout, bool *has_waited);

/* Release it; does nothing if it is not held. */
void stored_tokens_unlock(struct context *ctx);

#endif
