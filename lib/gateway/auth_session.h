/* SPDX-License-Identifier: ISC */
/*
 * auth_session.h - begin a session, renew it, end it, and say so in the reply.
 */
#ifndef POSTERN_GATEWAY_AUTH_SESSION_H
#define POSTERN_GATEWAY_AUTH_SESSION_H

#include "gateway/auth.h"

/* What a login found out: the material of a new session. */
struct auth_grant {
    struct pst_str sub; /* empty: a guest */
    struct pst_str name;
    struct pst_str who;      /* JSON object */
    struct pst_str upstream; /* JSON: see struct pst_session; or absent */
    bool is_unknown;         /* sub is empty, but it may be a user */
    int64_t asked;           /* unix seconds: when the backend said who it is;
                                0: it did not */
    int64_t backend_end;     /* unix seconds; 0: not told */
    bool remember;
    bool by_password; /* it begins even where the session before it was ended
                         meanwhile: it does not follow from that one */
};

/*
 * The backend's token of the visitor's guest session, which goes along with a
 * login so that a cart follows its owner: of the session itself, or of the
 * guest's cookie beside a user's.
 *   upstream  set on PST_OK; absent when there is no guest, or it has none
 * Returns PST_OK, or what session_open_cookies() gives for what failed.
 */
PST_MUST_USE enum pst_err auth_guest_upstream(struct context *ctx,
                                              const struct request *req,
                                              struct auth *auth,
                                              struct pst_str *upstream);

/*
 * Begin a new session with a new id, in the place of whatever there was (one
 * step of the store: registry_replace()), and hand it out in the reply: by the
 * carrier of the request, or by every method that is on when the request
 * carried none (to a same-origin browser by cookie alone, for scripts can read
 * a header). A user's session ends the guest's and clears its cookie; a cookie
 * that came and is not replaced by the new one is cleared in every variant.
 *   auth  set on PST_OK to the new session, and its bearer token where one
 *          was handed out
 * Returns PST_OK; PST_EXPIRED (the backend's token has already ended);
 * PST_TOO_LARGE (does not fit, which the caller logs); PST_MALFORMED (a name
 * that is no UTF-8); PST_REVOKED (the session before was ended meanwhile, and
 * not by_password); PST_STORE_DOWN, PST_OVERLOADED, PST_NO_RANDOM,
 * PST_NO_MEMORY, PST_INTERNAL. On failure nothing is handed out.
 */
PST_MUST_USE enum pst_err auth_begin_session(struct context *ctx,
                                             const struct request *req,
                                             struct response *res,
                                             struct auth *auth,
                                             const struct auth_grant *grant);

/*
 * Hand out the session as it is now, after asking the store whether it has
 * ended meanwhile: for a changed upstream token, which must be handed out.
 * Returns PST_OK, PST_REVOKED (ended meanwhile), PST_STORE_DOWN,
 * PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err auth_renew_session(struct context *ctx,
                                             const struct request *req,
                                             struct response *res,
                                             struct auth *auth);

/*
 * To be called just before the answer: renew the session if it is due, unless
 * it has ended since auth_open_session(), for a late renewal must not bring
 * back what a logout took away. Then has_session is false. While the store does
 * not answer nothing is renewed; the next request will be. Returns PST_OK,
 * PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err auth_renew_if_due(struct context *ctx,
                                            const struct request *req,
                                            struct response *res,
                                            struct auth *auth);

/*
 * End it: in the reply (its cookie cleared in every variant, empty token
 * header, as the methods say), and in the store, wherever it was copied.
 * Returns PST_OK or PST_STORE_DOWN; the reply is set either way.
 */
PST_MUST_USE enum pst_err auth_end_session(struct context *ctx,
                                           const struct request *req,
                                           struct response *res,
                                           struct auth *auth);

/*
 * auth_end_session(), and whatever else of ours the browser has: the guest's
 * session beside the user's, and cookies under older names. For a logout.
 * Returns PST_OK, PST_STORE_DOWN, PST_NO_MEMORY, PST_INTERNAL; the reply is set
 * either way.
 */
PST_MUST_USE enum pst_err auth_end_browser_sessions(struct context *ctx,
                                                    const struct request *req,
                                                    struct response *res,
                                                    struct auth *auth);

#endif
