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

enum visit_carrier {
    VISIT_BY_NOTHING, /* the request carried no token */
    VISIT_BY_COOKIE,
    VISIT_BY_BEARER,
};

struct visit {
    enum visit_carrier carrier; /* of the request, and of the answer */
    bool has_session;           /* session is set and good */
    bool is_by_password;        /* it began with this request, by a password */
    bool is_unchecked;          /* it is set, but the store did not answer */
    bool is_due;                /* visit_finish() will renew it */

    /* session is set, and was a remembered one: it need not be good now. */
    bool was_remembered;
    struct pst_session session;
    struct pst_text bearer; /* our token, where the reply hands one out */
    char mark[9]; /* first 8 hex digits of the hash of the sid, or "" */

    struct cookies cookies; /* what the request sent, if they were looked at */
    bool keeps_dead_cookies;
    bool is_dead[COOKIES_KINDS]; /* sent, and none of them is a session */

    /* The session of a guest's cookie that came beside a user's: opened when
     * it is first asked for. */
    bool is_guest_opened;
    bool has_guest;
    struct pst_session guest;
};

/* What a program lets visit_enter() do. */
struct visit_rules {
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
 * visit_clear_dead() and visit_finish() do. Returns PST_OK (look at
 * has_session), PST_FORGED, PST_STORE_DOWN (look at is_unchecked),
 * PST_NO_MEMORY, PST_NO_RANDOM, PST_INTERNAL. All reasons for a token not to
 * open look alike.
 */
PST_MUST_USE enum pst_err visit_open(struct gate *gate,
                                     const struct request *req,
                                     struct reply *rep, struct visit *visit);

/* Clear in the reply the cookies that came and are no session. */
void visit_clear_dead(const struct gate *gate, struct reply *rep,
                      const struct visit *visit);

/*
 * May a request from where this one comes change anything (design 2.7)?
 * Returns PST_OK or PST_CROSS_SITE.
 */
PST_MUST_USE enum pst_err visit_check_site(struct gate *gate,
                                           const struct request *req,
                                           const struct visit *visit);

/*
 * What every program but authorize does first: a listed origin may read the
 * answer (gateway/cors.h); is there such a path and method; which session is
 * it; clear dead cookies; may a request from there change anything. Whether the
 * session is due for renewal is only noted: visit_finish(). Returns PST_OK;
 * where rep->begun is set then, the request was an OPTIONS and is answered.
 * Else PST_NOT_FOUND (something after the program's path), PST_BAD_METHOD,
 * PST_CROSS_SITE, or what visit_open() gives.
 */
PST_MUST_USE enum pst_err
visit_enter(struct gate *gate, const struct request *req, struct reply *rep,
            const struct visit_rules *rules, struct visit *visit);

/*
 * Tell a client by bearer to forget its token: the token header without a
 * value. Behind lighttpd, which drops such a header, it is the token of a new
 * session of nobody, without a token of the backend.
 */
void visit_forget_bearer(struct gate *gate, const struct request *req,
                         struct reply *rep);

/* Set the mark from the session's id. */
void visit_set_mark(struct visit *visit);

/* What the backend is to be sent for this session: its jar, or absent. */
struct pst_text visit_upstream(const struct visit *visit);

#endif
