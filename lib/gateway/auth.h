/* SPDX-License-Identifier: ISC */
/*
 * auth.h - who is asking: find the token in the request, open it, and see
 * whether a request from there may change anything. What becomes of the session
 * is said by gateway/auth_session.h.
 */
#ifndef POSTERN_GATEWAY_AUTH_H
#define POSTERN_GATEWAY_AUTH_H

#include "gateway/context.h"
#include "gateway/session_cookies.h"
#include "session/session.h"

enum auth_carrier {
    AUTH_BY_NOTHING, /* the request carried no token */
    AUTH_BY_COOKIE,
    AUTH_BY_BEARER,
};

struct auth {
    enum auth_carrier carrier; /* of the request, and of the answer */
    bool has_session;          /* session is set and good */
    bool is_by_password;       /* it began with this request, by a password */
    bool is_unchecked;         /* it is set, but the store did not answer */
    bool is_renewal_due;       /* auth_renew_if_due() will renew it */

    /* session is set, and was a remembered one: it need not be good now. */
    bool was_remembered;
    struct pst_session session;
    struct pst_str bearer; /* our token, where the reply hands one out */
    char log_id[9]; /* first 8 hex digits of the hash of the sid, or "" */

    struct session_cookies
        cookies; /* what the request sent, if they were looked at */
    bool keeps_dead_cookies;
    bool is_dead[SESSION_COOKIES_KINDS]; /* sent, and none of them is a session
                                          */

    /* The session of a guest's cookie that came beside a user's: opened when
     * it is first asked for. */
    bool is_guest_opened;
    bool has_guest;
    struct pst_session guest;
};

/* What a program lets authenticate() do. */
struct auth_rules {
    const char *methods; /* such as "GET, HEAD, POST, OPTIONS" */

    /* A cookie that does not open is not cleared: the answer may be a late
     * one, and what it clears may be the cookie of a login since. */
    bool keeps_dead_cookies;
};

/*
 * Find and open the request's session, by design 2.1:
 *   bearer method on and Authorization: Bearer there: that token, and no
 *   cookie is looked at; with nothing after "Bearer" there is no session; one
 *   that does not open: empty token header, then (unless dead bearers are
 *   guests) WWW-Authenticate and PST_FORGED;
 *   else cookie method on: our cookies (gateway/session_open.h), the user's
 * before the guest's; where none opens, there is no session. Sets no cookie:
 * auth_clear_dead_cookies() and auth_renew_if_due() do. Returns PST_OK (look at
 * has_session), PST_FORGED, PST_STORE_DOWN (look at is_unchecked),
 * PST_NO_MEMORY, PST_NO_RANDOM, PST_INTERNAL. All reasons for a token not to
 * open look alike.
 */
PST_MUST_USE enum pst_err auth_open_session(struct context *ctx,
                                            const struct request *req,
                                            struct response *res,
                                            struct auth *auth);

/* Clear in the reply the cookies that came and are no session. */
void auth_clear_dead_cookies(const struct context *ctx, struct response *res,
                             const struct auth *auth);

/*
 * May a request from where this one comes change anything (design 2.7)?
 * Returns PST_OK or PST_CROSS_SITE.
 */
PST_MUST_USE enum pst_err auth_check_cross_site(struct context *ctx,
                                                const struct request *req,
                                                const struct auth *auth);

/*
 * What every program but authorize does first: a listed origin may read the
 * answer (gateway/cors.h); is there such a path and method; which session is
 * it; clear dead cookies; may a request from there change anything. Whether the
 * session is due for renewal is only noted: auth_renew_if_due(). Returns
 * PST_OK; where res->begun is set then, the request was an OPTIONS and is
 * answered. Else PST_NOT_FOUND (something after the program's path),
 * PST_BAD_METHOD, PST_CROSS_SITE, or what auth_open_session() gives.
 */
PST_MUST_USE enum pst_err authenticate(struct context *ctx,
                                       const struct request *req,
                                       struct response *res,
                                       const struct auth_rules *rules,
                                       struct auth *auth);

/*
 * Tell a client by bearer to forget its token: the token header without a
 * value. Behind lighttpd, which drops such a header, it is the token of a new
 * session of nobody, without a token of the backend.
 */
void auth_clear_bearer(struct context *ctx, const struct request *req,
                       struct response *res);

/* Set the mark from the session's id. */
void auth_set_log_id(struct auth *auth);

/* What the backend is to be sent for this session: its jar, or absent. */
struct pst_str auth_upstream(const struct auth *auth);

#endif
