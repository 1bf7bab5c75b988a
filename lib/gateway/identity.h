/* SPDX-License-Identifier: ISC */
/*
 * identity.h - ask the backend who a token belongs to, and keep the session
 * in step with what its answers do to that token (design 2.5, "Who").
 *
 * Who somebody is comes only from answers to our own documents: a new token
 * in the answer to a client's document says that something changed, and the
 * backend is asked what.
 */
#ifndef POSTERN_GATEWAY_IDENTITY_H
#define POSTERN_GATEWAY_IDENTITY_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "upstream/backend_identity.h"
#include "upstream/credentials.h"

/*
 * Ask who it is, with the token and nothing else of the client's.
 *   upstream  what to ask with, as in struct pst_session; the answer may
 *             change it. Absent: nobody is asked, and it is NOBODY
 *   out       set on PST_OK; UNKNOWN where the backend did not say
 * Returns PST_OK, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err identity_query(struct context *ctx,
                                         struct request *req,
                                         struct pst_str *upstream,
                                         struct backend_identity *out);

/*
 * Before a request is forwarded: is it still known whose the session is? Asks
 * where it is unknown, and where POSTERN_REVALIDATE says it is time. A session
 * that belongs to nobody any more, or to somebody else, is ended.
 * Returns PST_OK; PST_UPSTREAM_BROKEN (the backend did not say: nothing may be
 * forwarded); PST_UNCONFIRMED (a request beside this one has found out, and its
 * answer has the new session); what auth_begin_session() and auth_end_session()
 * may.
 */
PST_MUST_USE enum pst_err identity_revalidate(struct context *ctx,
                                              struct request *req,
                                              struct response *res,
                                              struct auth *auth);

/*
 * Follow, in the reply, what an answer to a client's document did to the
 * backend's session. Another token: the backend is asked who it is; a new
 * session begins only where that is somebody else than before. The end of it:
 * ours ends. Nothing changed: nothing is set.
 * Returns PST_OK; PST_THROTTLED (too many sessions were begun without a
 * password from this address); what auth_begin_session() may.
 */
PST_MUST_USE enum pst_err
identity_apply_update(struct context *ctx, struct request *req,
                      struct response *res, struct auth *auth,
                      const struct credentials_update *update);

/* The material of a session of this owner. */
struct auth_grant identity_make_grant(const struct context *ctx,
                                      const struct backend_identity *identity,
                                      struct pst_str upstream);

/*
 * auth_begin_session(), with a line in the log where it fails for a reason that
 * an administrator can do something about. Returns PST_INTERNAL for a session
 * that is too large, PST_UPSTREAM_BROKEN for a token that has already ended.
 */
PST_MUST_USE enum pst_err
identity_begin_session(struct context *ctx, const struct request *req,
                       struct response *res, struct auth *auth,
                       const struct auth_grant *grant);

/*
 * Send the backend its logout document with a session's token. Whether it is
 * to be told at all is for the caller to know (POSTERN_UPSTREAM_LOGOUT).
 * Returns PST_NO_MEMORY or what forward_buffered() does; the backend's answer
 * is not looked at.
 */
PST_MUST_USE enum pst_err identity_logout(struct context *ctx,
                                          struct request *req,
                                          struct pst_str upstream);

/*
 * The backend's session lives, and nobody holds it: end it, if we may and can.
 * Where a logout ends the user's other sessions too, it is left to expire.
 */
void identity_end_orphan(struct context *ctx, struct request *req,
                         struct pst_str upstream);

#endif
