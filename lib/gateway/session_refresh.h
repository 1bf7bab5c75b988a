/* SPDX-License-Identifier: ISC */
/*
 * session_refresh.h - replace the backend's token of a session before it ends
 * (POSTERN_REFRESH_DOCUMENT).
 *
 * When. A session with a refresh token ends by its own clocks, not with the
 * backend's token. Who is about to send that token first calls
 * session_refresh(): query, authorize where it hands the token out, and a login
 * that sends it along. A logout at the backend calls the other two functions.
 * In the last quarter of the token's life, at most a minute, the token is
 * refreshed (session/refresh.h). A token that is still good costs nothing: no
 * read of the store.
 *
 * Once. A refresh is no request to repeat: a backend that rotates refresh
 * tokens spends the old one when it gets it, and one that detects reuse ends
 * the session for a second use. So of all parallel requests, in all processes
 * and machines, one refreshes: it holds a lock in the store
 * (store/store_lock.h). It stores the new tokens (gateway/stored_tokens.h)
 * before anything else. All others, and later ones with an older cookie, take
 * them from there; who had to wait for the lock and finds nothing new does not
 * try again, because the one before it has just failed. The lock is another one
 * than that of POSTERN_ORDERED: its holder never waits for that one, so a
 * request may hold both, and a GET does not wait for ordered requests.
 *
 * Losing nothing. The client may go away while the backend answers: the refresh
 * goes on (is_detached in gateway/forward.h; SIGTERM waits in plain CGI). The
 * tokens are stored once before the refresh, too: so a store that cannot be
 * written is found while nothing is spent, and a revocation in between, which
 * deletes the record, keeps the new tokens from being stored. That first write
 * also marks the tokens as sent. Where the lock is lost while the backend
 * answers (a lease of Redis), whoever gets it next finds the mark, and treats
 * the refresh as one that failed, until POSTERN_FIRST_BYTE_TIMEOUT has passed.
 * What remains is a process that is killed, or a store that fails, between the
 * backend's answer and the second write: then a later request sends the old
 * refresh token.
 *
 * What follows from the answer.
 *   - granted: the session is issued again, just before the response's head,
 *     after another look at whether it is revoked
 *   - refused (errors, null, 4xx), or the tokens of another user: the session
 *     ends, as when the backend ends its own
 *   - no answer, a 5xx, 429, HTML, an error with the code of a failure: the
 *     session stays. While the old token is valid the request goes on with it,
 *     else it fails. Errors without a code may be either: they are a failure
 *     while the old token is valid, and then a refusal
 *   - revoked meanwhile: the new tokens are dropped, and ended at the backend
 *     as POSTERN_UPSTREAM_LOGOUT says. No cookie is cleared: the browser may
 *     have a newer session
 * With a who document, the backend is asked whose the new token is before it is
 * used. Until it has said so, the stored tokens are marked (asked is 0), and
 * whoever takes them asks.
 */
#ifndef POSTERN_GATEWAY_SESSION_REFRESH_H
#define POSTERN_GATEWAY_SESSION_REFRESH_H

#include "gateway/auth_session.h"
#include "gateway/context.h"

/*
 * Make sure that the session's token may be sent.
 *   auth  its session gets new tokens, and is_renewal_due is set: call
 *         auth_renew_if_due() before the response. has_session is false where
 *         it ended
 * Returns PST_OK, also where nothing was due; PST_NO_SESSION (it has ended, or
 * is revoked); PST_UPSTREAM_DOWN, PST_UPSTREAM_TIMEOUT, PST_UPSTREAM_BROKEN;
 * PST_STORE_DOWN; PST_OVERLOADED; PST_CLIENT_GONE; PST_NO_MEMORY;
 * PST_NO_RANDOM; PST_INTERNAL.
 */
PST_MUST_USE enum pst_err session_refresh(struct context *ctx,
                                          struct request *req,
                                          struct response *res,
                                          struct auth *auth);

/* Before a logout revokes the session and deletes its stored tokens: take the
 * newest ones, if the session's own are due. Failures are ignored. */
void session_refresh_adopt(struct context *ctx, struct request *req,
                           struct auth *auth);

/*
 * The token for the backend's logout, after the session was revoked: a new one
 * where the old one has ended, and nobody else is refreshing it. It is not
 * stored.
 *   auth  as it was before; its session gets the new token
 */
void session_refresh_for_logout(struct context *ctx, struct request *req,
                                struct auth *auth);

#endif
