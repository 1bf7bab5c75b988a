/* SPDX-License-Identifier: ISC */
/*
 * identity.h - ask the backend who a user is, and update, replace or end the
 * session accordingly.
 *
 * Identity comes only from responses to our own documents. A new token in the
 * response to a client's document only shows that something changed; the
 * backend is then asked what.
 */
#ifndef POSTERN_GATEWAY_IDENTITY_H
#define POSTERN_GATEWAY_IDENTITY_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "upstream/backend_identity.h"
#include "upstream/credentials.h"

/*
 * Ask who the user is, with the credentials and nothing of the client's.
 *   upstream  the credentials, as in struct pst_session; the response may
 *             change them. Absent: nothing is asked, and the result is a guest
 *   out       set on PST_OK; PST_IDENTITY_UNKNOWN if the backend did not say
 * Returns PST_OK, PST_NO_MEMORY, PST_CLIENT_GONE.
 */
PST_MUST_USE enum pst_err identity_query(struct context *ctx,
                                         struct request *req,
                                         struct pst_str *upstream,
                                         struct backend_identity *out);

/*
 * Before a request is forwarded: ask again who the user is, where that is
 * unknown, or POSTERN_REVALIDATE seconds have passed. A session that belongs to
 * no user any more, or to another one, is ended.
 * Returns PST_OK; PST_UPSTREAM_BROKEN (the backend did not say: nothing may be
 * forwarded); PST_UNCONFIRMED (a parallel request found out, and its response
 * has the new session); what auth_begin_session() and auth_end_session()
 * return.
 */
PST_MUST_USE enum pst_err identity_revalidate(struct context *ctx,
                                              struct request *req,
                                              struct response *res,
                                              struct auth *auth);

/*
 * Apply what the response to a client's document did to the backend's session.
 * Another token: ask who the user is; a new session begins only for another
 * user. The token ended: our session ends. No change: nothing is issued.
 * Returns PST_OK; PST_THROTTLED (too many sessions were begun without a
 * password from this address); PST_UPSTREAM_BROKEN (more credentials than a
 * session holds); what auth_begin_session() returns.
 */
PST_MUST_USE enum pst_err
identity_apply_update(struct context *ctx, struct request *req,
                      struct response *res, struct auth *auth,
                      const struct credentials_update *update);

/* Log what the backend said of a session's user: identity-changed, … */
void identity_log(const struct context *ctx, const struct request *req,
                  const char *event, const struct auth *auth,
                  const struct backend_identity *identity);

/*
 * End the session, since the backend has ended its own; unless it was revoked
 * meanwhile: then has_session becomes false, and no cookie is cleared.
 * Returns PST_OK, or what auth_end_session() returns.
 */
PST_MUST_USE enum pst_err identity_end_session(struct context *ctx,
                                               struct request *req,
                                               struct response *res,
                                               struct auth *auth);

/* What a session of this user is made of. */
struct auth_grant identity_make_grant(const struct context *ctx,
                                      const struct backend_identity *identity,
                                      struct pst_str upstream);

/*
 * auth_begin_session(), and log a failure that an administrator can repair.
 * Returns PST_INTERNAL for a session that is too large, PST_UPSTREAM_BROKEN for
 * a token that has already ended, else what auth_begin_session() returns.
 */
PST_MUST_USE enum pst_err
identity_begin_session(struct context *ctx, const struct request *req,
                       struct response *res, struct auth *auth,
                       const struct auth_grant *grant);

/*
 * Send the backend its logout document with these credentials, also when the
 * client has gone. The caller checks whether it is to be sent
 * (POSTERN_UPSTREAM_LOGOUT). Returns PST_NO_MEMORY or what forward_buffered()
 * returns. That the backend answers with an error is logged only.
 */
PST_MUST_USE enum pst_err identity_logout(struct context *ctx,
                                          struct request *req,
                                          struct pst_str upstream);

/*
 * End a session at the backend that no session of ours holds, if
 * POSTERN_UPSTREAM_LOGOUT is always. Where a logout ends the user's other
 * sessions too, it is left to expire.
 */
void identity_end_orphan(struct context *ctx, struct request *req,
                         struct pst_str upstream);

#endif
