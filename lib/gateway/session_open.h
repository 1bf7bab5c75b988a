/* SPDX-License-Identifier: ISC */
/*
 * session_open.h - open the session of a request: verify its token, its times
 * and revocation; choose among several cookies.
 */
#ifndef POSTERN_GATEWAY_SESSION_OPEN_H
#define POSTERN_GATEWAY_SESSION_OPEN_H

#include "gateway/context.h"
#include "gateway/session_cookies.h"
#include "session/session.h"

/* The session in a token. */
struct session_opened {
    bool is_set;       /* session is set; it is valid only after PST_OK */
    bool is_unchecked; /* it is set, but the store did not answer */
    bool is_from_older_secret; /* an older secret sealed it */
    struct pst_session session;
};

/* Is e about an invalid token, and not a failure of our own? */
bool session_is_token_error(enum pst_err e);

/*
 * Open one token: check its seal, then its times, then revocation.
 *   out  always set, as far as the checks went
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
 * If one opens, it is the session. Of several copies of one session the newest
 * counts. Of different sessions none does: an attacker can plant a cookie, and
 * nothing shows which one is planted.
 * Returns as session_open_token(); PST_NO_SESSION when there is no cookie;
 * PST_DUPLICATE when there are different sessions or too many cookies.
 */
PST_MUST_USE enum pst_err
session_open_cookies(struct context *ctx, const struct request *req,
                     const struct session_cookies *cookies,
                     enum session_cookies_kind kind,
                     struct session_opened *out);

#endif
