/* SPDX-License-Identifier: ISC */
/*
 * token_refresh.h - send the backend the refresh document, and read the new
 * tokens. gateway/session_refresh.h decides when, and what becomes of the
 * session.
 */
#ifndef POSTERN_GATEWAY_TOKEN_REFRESH_H
#define POSTERN_GATEWAY_TOKEN_REFRESH_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "session/session.h"
#include "upstream/backend_login.h"

/* How a refresh went. */
enum token_refresh_result {
    TOKEN_REFRESH_GRANTED,
    TOKEN_REFRESH_REFUSED, /* errors, null, 400, 401 or 403 */
    TOKEN_REFRESH_FAILED,  /* the backend did not answer, or with something
                              that is no answer: a 5xx, 429, HTML, a document
                              that does not fit the schema, an error whose code
                              is that of a failure; while the old token is
                              valid, errors without a code */
};

struct token_refresh {
    enum token_refresh_result result;
    enum pst_err error;         /* FAILED: for the client; PST_UPSTREAM_… */
    struct pst_str reason;      /* REFUSED: for the log */
    struct pst_session session; /* GRANTED: with the new tokens */
    int64_t now;                /* unix seconds, when the backend was asked */
    struct pst_str sub; /* GRANTED: whose they are; absent: it does not say */
};

/*
 * Give the request an arena for a refresh. Its own one may be nearly full, and
 * what the backend gives must not be lost for lack of memory.
 *   own  set on PST_OK: the request's own arena, which is to be put back, and
 *        frees the other one at its reset
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err token_refresh_begin_memory(struct request *req,
                                                     struct pst_arena **own);

/*
 * Refresh the tokens of a session. Nothing is stored or issued.
 *
 * The request is sent once. Neither a closed connection nor the client, which
 * may go away meanwhile, makes us send it again or abort it: a backend that
 * rotates refresh tokens spends the old one when it gets it, and may end all
 * sessions of its family when it gets it again. The request has no
 * Authorization: an expired token is refused by some backends before they look
 * at the document, and the refresh token says whose it is.
 *
 * What the answer lacks:
 *   - a new refresh token: the old one stays good (RFC 6749 section 6)
 *   - an end of the new token: it lives as long as the one before it did. So
 *     does one whose end has passed already: the clocks differ
 *   - a subject: the session's stays. Name and public fields stay in any case:
 *     a refresh document selects fewer fields than a login
 *
 *   session  has a refresh token
 *   now      unix seconds
 *   out      set on PST_OK; slices live as long as the arena
 * Returns PST_OK, PST_NO_MEMORY, PST_OVERLOADED (the lock of the refresh was
 * lost; nothing was sent).
 */
PST_MUST_USE enum pst_err token_refresh_run(struct context *ctx,
                                            struct request *req,
                                            const struct pst_session *session,
                                            int64_t now,
                                            struct token_refresh *out);

/*
 * After a login: add its refresh token to what the session is made of. Without
 * one, or without the end of the backend's token, the session lasts as long as
 * without POSTERN_REFRESH_DOCUMENT; the log says so.
 * Returns PST_OK, PST_UPSTREAM_BROKEN (the tokens are longer than a session
 * holds, which is logged), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
token_refresh_grant(const struct context *ctx, struct request *req,
                    const struct backend_outcome *outcome,
                    struct auth_grant *grant);

#endif
