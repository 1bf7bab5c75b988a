/* SPDX-License-Identifier: ISC */
/*
 * visit.h - the sentence this project is about: find the token in the
 * request, open it, and say in the reply what became of the session.
 */
#ifndef GATE_VISIT_H
#define GATE_VISIT_H

#include "gate.h"
#include "session.h"

enum visit_carrier {
    VISIT_BY_NOTHING, /* the request carried no token */
    VISIT_BY_COOKIE,
    VISIT_BY_BEARER,
};

struct visit {
    enum visit_carrier carrier; /* of the request, and of the answer */
    bool has_session;           /* session is set and good */
    bool is_unchecked;          /* it is set, but the store did not answer */
    bool is_stale;              /* an older secret sealed it */
    bool is_by_password;        /* it began with this request, by a password */

    /* session is set, and was a remembered one: it need not be good now. */
    bool was_remembered;
    struct pst_session session;
    struct pst_text bearer; /* our token, where the reply hands one out */
    char mark[9]; /* first 8 hex digits of the hash of the sid, or "" */
};

/* What a login found out: the material of a new session. */
struct visit_grant {
    struct pst_text sub; /* empty: a guest */
    struct pst_text name;
    struct pst_text who;      /* JSON object */
    struct pst_text upstream; /* JSON: see struct pst_session */
    int64_t backend_end;      /* unix seconds; 0: not told */
    bool remember;
    bool by_password; /* it begins even where the session before it was ended
                         meanwhile: it does not follow from that one */
};

/*
 * Find and open the request's session, by design 2.1:
 *   bearer method on and Authorization: Bearer there: that token, and no
 *   cookie is looked at; it does not open: empty token header, then (unless
 *   dead bearers are guests) WWW-Authenticate and PST_FORGED;
 *   else cookie method on: our one cookie; it does not open, or there are
 *   two: Set-Cookie in the reply clears it, and there is no session.
 * Returns PST_OK (look at has_session), PST_FORGED, PST_STORE_DOWN (look at
 * is_unchecked), PST_NO_MEMORY, PST_NO_RANDOM, PST_INTERNAL. All reasons for a
 * token not to open look alike.
 */
PST_MUST_USE enum pst_err visit_open(struct gate *gate,
                                     const struct request *req,
                                     struct reply *rep, struct visit *visit);

/*
 * May a request from where this one comes change anything (design 2.7)?
 * Returns PST_OK or PST_CROSS_SITE.
 */
PST_MUST_USE enum pst_err visit_check_site(struct gate *gate,
                                           const struct request *req,
                                           const struct visit *visit);

/*
 * What every program but authorize does first: a listed origin may read the
 * answer (cors.h); is there such a path and method; which session is it; may a
 * request from there change anything; is the session due for renewal.
 *   methods  such as "GET, POST, OPTIONS"
 * Returns PST_OK; where rep->begun is set then, the request was an OPTIONS
 * and is answered. Else PST_NOT_FOUND (something after the program's path),
 * PST_BAD_METHOD, PST_CROSS_SITE, or what visit_open() gives.
 */
PST_MUST_USE enum pst_err visit_enter(struct gate *gate,
                                      const struct request *req,
                                      struct reply *rep, const char *methods,
                                      struct visit *visit);

/*
 * Begin a new session with a new id, in the place of whatever there was (one
 * step of the store: see roster_replace()), and hand it out in the reply: by
 * the carrier of the request, or by every method that is on when the request
 * carried none. visit  set on PST_OK to the new session, and its bearer token
 * where one was handed out Returns PST_OK; PST_EXPIRED (the backend's token has
 * already ended); PST_TOO_LARGE (does not fit, which the caller logs);
 * PST_MALFORMED (a name that is no UTF-8); PST_REVOKED (the session before was
 * ended meanwhile, and not by_password); PST_STORE_DOWN, PST_OVERLOADED,
 * PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL. On failure nothing is handed out.
 */
PST_MUST_USE enum pst_err visit_begin(struct gate *gate,
                                      const struct request *req,
                                      struct reply *rep, struct visit *visit,
                                      const struct visit_grant *grant);

/*
 * Hand out the session as it is now: a changed upstream token, a renewal.
 * Returns PST_OK, PST_REVOKED (ended meanwhile), PST_STORE_DOWN,
 * PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err visit_renew(struct gate *gate,
                                      const struct request *req,
                                      struct reply *rep, struct visit *visit);

/*
 * End it: in the reply (cookie cleared, empty token header, as the methods
 * say), and in the store, wherever it was copied.
 * Returns PST_OK or PST_STORE_DOWN; the reply is set either way.
 */
PST_MUST_USE enum pst_err visit_end(struct gate *gate,
                                    const struct request *req,
                                    struct reply *rep, struct visit *visit);

/* What the backend is to be sent for this session: its jar, or absent. */
struct pst_text visit_upstream(const struct visit *visit);

#endif
