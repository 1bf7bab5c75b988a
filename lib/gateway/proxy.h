/* SPDX-License-Identifier: ISC */
/*
 * proxy.h - answer a client's GraphQL request: check it, then log in, or
 * forward it to the backend and return the response.
 */
#ifndef POSTERN_GATEWAY_PROXY_H
#define POSTERN_GATEWAY_PROXY_H

#include "gateway/auth_session.h"
#include "gateway/context.h"

/*
 * Read the request and answer it. A login is carried out here. A request that
 * may not be forwarded gets a GraphQL error. Any other goes to the backend with
 * the session's token, and the response is streamed back.
 *   auth  from authenticate()
 * Returns PST_OK when the response was sent, or the error to answer with; the
 * cause is in the log.
 */
PST_MUST_USE enum pst_err proxy_request(struct context *ctx,
                                        struct request *req,
                                        struct response *res,
                                        struct auth *auth);

/* The same for the login program: anything but a login is refused. */
PST_MUST_USE enum pst_err proxy_login(struct context *ctx, struct request *req,
                                      struct response *res, struct auth *auth);

#endif
