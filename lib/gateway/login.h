/* SPDX-License-Identifier: ISC */
/*
 * login.h - a login, whichever way it came: credentials in JSON or a form,
 * or the client's own GraphQL mutation through `login` or `query`
 * (design 2.5).
 */
#ifndef POSTERN_GATEWAY_LOGIN_H
#define POSTERN_GATEWAY_LOGIN_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "gateway/graphql_request.h"
#include "gateway/login_match.h"
#include "graphql/document.h"
#include "upstream/backend_request.h"

/*
 * Log in with credentials: the first login document, then a new session in
 * the reply. The reply's status and body are the caller's.
 * Returns PST_OK (visit holds the new session), PST_REFUSED, PST_THROTTLED
 * (with Retry-After in the reply), PST_STORE_DOWN, PST_UPSTREAM_…,
 * PST_MALFORMED (a name that is no UTF-8), and what auth_begin_session() may.
 */
PST_MUST_USE enum pst_err
login_with_credentials(struct context *ctx, struct request *req,
                       struct response *res, struct auth *auth,
                       const struct login_credentials *credentials);

/* A client's GraphQL login: an operation with a login field at its root. */
struct login_graphql_request {
    const struct graphql_request_list *list;
    const struct graphql_request *gql;         /* the one of the list */
    struct pst_str document;                   /* its text */
    const struct pst_graphql_meaning *meaning; /* of that text */
};

/*
 * Carry out a client's login. Token in JSON: our own document is sent, and
 * its answer given the client's shape. Token in a header or cookie: the
 * client's is sent, written anew, and the backend asked who it is. Sends the
 * whole reply; a refusal is the backend's own answer.
 * Returns PST_OK; PST_LOGIN_SHAPE, PST_SECRET_FIELD and PST_MALFORMED (why is
 * set); as login_with_credentials() but for PST_REFUSED.
 */
PST_MUST_USE enum pst_err
login_with_graphql(struct context *ctx, struct request *req,
                   struct response *res, struct auth *auth,
                   const struct login_graphql_request *login,
                   struct login_reason *reason);

#endif
