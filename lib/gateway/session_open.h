/* SPDX-License-Identifier: ISC */
/*
 * session_open.h - open a request's token, and of several cookies of one name
 * choose the one that is the session (design 2.1).
 */
#ifndef POSTERN_GATEWAY_SESSION_OPEN_H
#define POSTERN_GATEWAY_SESSION_OPEN_H

#include "gateway/context.h"
#include "gateway/session_cookies.h"
#include "session/session.h"

/* What a token turned out to hold. */
struct session_opened {
    bool is_set;       /* session is set; only PST_OK says that it is good */
    bool is_unchecked; /* it is set, but the store did not answer */
    bool is_stale;     /* an older secret sealed it */
    struct pst_session session;
};

/* Does e say that a token is not good, and not that something failed? */
bool session_is_token_error(enum pst_err e);

/*
 * Open one token: its seal, then the clocks, then revocation.
 *   out  set in any case, as far as it came
 * Returns PST_OK; PST_FORGED, PST_EXPIRED, PST_REVOKED; PST_STORE_DOWN,
 * PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err session_open_token(struct context *ctx,
                                             const struct request *req,
                                             enum pst_purpose purpose,
                                             struct pst_str token,
                                             struct session_opened *out);

/*
 * Open the cookies of one kind (SESSION_COOKIES_USER or SESSION_COOKIES_GUEST).
 * When exactly one opens, it is the session; of several copies of one session
 * the newest is; of different sessions none is: all but one were planted, and
 * nothing tells which. Returns as session_open_token(); PST_NO_SESSION when
 * there is none; PST_DUPLICATE when they are of different sessions, or too
 * many.
 */
PST_MUST_USE enum pst_err
session_open_cookies(struct context *ctx, const struct request *req,
                     const struct session_cookies *cookies,
                     enum session_cookies_kind kind,
                     struct session_opened *out);

#endif
