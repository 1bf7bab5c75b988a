/* SPDX-License-Identifier: ISC */
/*
 * proxy.h - a client's GraphQL request on its way to the backend: read,
 * judged by the rules of design 2.5, and written anew (2.8).
 */
#ifndef POSTERN_GATEWAY_PROXY_H
#define POSTERN_GATEWAY_PROXY_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "gateway/graphql_request.h"

/*
 * Read the request and answer it: a login is carried out, an error of the
 * document's is told, anything else goes to the backend with the session's
 * token and its answer is streamed back.
 *   auth  from authenticate()
 * Returns PST_OK when the reply was sent, or the error to answer with; the
 * cause is in the log.
 */
PST_MUST_USE enum pst_err proxy_request(struct context *ctx,
                                        struct request *req,
                                        struct response *res,
                                        struct auth *auth);

/* The same for the login program: only a login is carried out. */
PST_MUST_USE enum pst_err proxy_login(struct context *ctx, struct request *req,
                                      struct response *res, struct auth *auth);

#endif
