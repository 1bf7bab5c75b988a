/* SPDX-License-Identifier: ISC */
/*
 * auth_session.h - begin, renew and end the session of a request, in the store
 * and in the response.
 */
#ifndef POSTERN_GATEWAY_AUTH_SESSION_H
#define POSTERN_GATEWAY_AUTH_SESSION_H

#include "gateway/auth.h"

/* What a new session is made of. */
struct auth_grant {
    struct pst_str sub; /* the user's id; empty: a guest */
    struct pst_str name;
    struct pst_str who;      /* JSON object: the public fields */
    struct pst_str upstream; /* credentials, JSON (upstream/credentials.h);
                                absent: none */
    bool is_unknown;         /* sub is empty, but it may be a user */
    int64_t asked;           /* unix seconds: when the backend said who the user
                                is; 0: it did not */
    int64_t backend_end;     /* unix seconds: when the token ends; 0: unknown */
    struct pst_str refresh;  /* the refresh token, JSON string; absent: none */
    bool remember;
    bool by_password; /* the session begins even where the one before it was
                         revoked meanwhile: it does not follow from that one */
};

/*
 * The credentials of the guest session, which are sent along with a login so
 * that the backend can move the cart to the user: those of the session itself,
 * or of the guest's cookie beside a user's session.
 *   upstream  set on PST_OK; absent when there is no guest session, or it has
 *             none
 * Returns PST_OK, or what session_open_cookies() returns for a failure.
 */
PST_MUST_USE enum pst_err auth_guest_upstream(struct context *ctx,
                                              const struct request *req,
                                              struct auth *auth,
                                              struct pst_str *upstream);

/*
 * Begin a session with a new id, replace the one before it in one step of the
 * store (registry_replace()), and issue it in the response: by the carrier of
 * the request; where the request had none, by every method that is on, but to a
 * same-origin browser by cookie alone, since scripts can read a header. A
 * user's session ends the guest's and clears its cookie. Every cookie of the
 * request that the new one does not replace is cleared in all variants. auth
 * set on PST_OK to the new session, with its bearer token if it has one Returns
 * PST_OK; PST_EXPIRED (the backend's token has already ended); PST_TOO_LARGE
 * (does not fit; the caller logs it); PST_MALFORMED (a name that is not UTF-8);
 * PST_REVOKED (the session before it was revoked meanwhile, and by_password is
 * false); PST_STORE_DOWN; PST_OVERLOADED; PST_NO_RANDOM; PST_NO_MEMORY;
 * PST_INTERNAL. On failure nothing is issued.
 */
PST_MUST_USE enum pst_err auth_begin_session(struct context *ctx,
                                             const struct request *req,
                                             struct response *res,
                                             struct auth *auth,
                                             const struct auth_grant *grant);

/*
 * Check in the store that the session is not revoked, then issue it as it is
 * now. For changed credentials, which must reach the client.
 * Returns PST_OK, PST_REVOKED, PST_STORE_DOWN, PST_NO_RANDOM, PST_NO_MEMORY,
 * PST_INTERNAL. On failure nothing is issued.
 */
PST_MUST_USE enum pst_err auth_renew_session(struct context *ctx,
                                             const struct request *req,
                                             struct response *res,
                                             struct auth *auth);

/*
 * Renew the session if it is due. Call it just before the response. A session
 * that was revoked since auth_open_session() is not renewed, and has_session
 * becomes false: a late renewal must not undo a logout. While the store does
 * not answer nothing is renewed; the next request will try again. Returns
 * PST_OK, PST_NO_RANDOM, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err auth_renew_if_due(struct context *ctx,
                                            const struct request *req,
                                            struct response *res,
                                            struct auth *auth);

/*
 * End the session: clear its cookie in every variant and send an empty token
 * header, as the methods say; and revoke it in the store, with all its copies.
 * Returns PST_OK or PST_STORE_DOWN; the response is set either way.
 */
PST_MUST_USE enum pst_err auth_end_session(struct context *ctx,
                                           const struct request *req,
                                           struct response *res,
                                           struct auth *auth);

/*
 * For a logout: auth_end_session(), and also the guest's session beside the
 * user's and cookies under older names.
 * Returns PST_OK, PST_STORE_DOWN, PST_NO_MEMORY, PST_INTERNAL; the response is
 * set either way.
 */
PST_MUST_USE enum pst_err auth_end_browser_sessions(struct context *ctx,
                                                    const struct request *req,
                                                    struct response *res,
                                                    struct auth *auth);

#endif
