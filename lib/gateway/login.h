/* SPDX-License-Identifier: ISC */
/*
 * login.h - log in with credentials (JSON or a form), or with a client's
 * GraphQL mutation sent to `login` or `query`.
 */
#ifndef POSTERN_GATEWAY_LOGIN_H
#define POSTERN_GATEWAY_LOGIN_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "gateway/graphql_request.h"
#include "gateway/login_match.h"
#include "graphql/summary.h"
#include "upstream/backend_request.h"

/*
 * Log in with credentials, using the first login document. The caller sets the
 * response's status and body; if it cannot, it calls login_withdraw().
 * Returns PST_OK (auth holds the new session, its cookie or header is in the
 * response), PST_REFUSED, or another error of login_attempt_run().
 */
PST_MUST_USE enum pst_err
login_with_credentials(struct context *ctx, struct request *req,
                       struct response *res, struct auth *auth,
                       const struct login_credentials *credentials);

/*
 * End the session that a login has just begun, because an error is answered: it
 * is revoked, ended at the backend as an orphan, and its cookie and header are
 * removed from the response. Nothing, if the response was sent.
 */
void login_withdraw(struct context *ctx, struct request *req,
                    struct response *res, struct auth *auth);

/* A client's GraphQL login: an operation with a login field at its root. */
struct login_graphql_request {
    const struct graphql_request_list *list;
    const struct graphql_request *gql;         /* the login in the list */
    struct pst_str document;                   /* its text */
    const struct pst_graphql_summary *summary; /* of that text */
};

/*
 * Log in with a client's mutation, and send the whole response. If the
 * backend's token is in JSON, the configured document is sent and its answer is
 * given the client's shape. If it is in a header or cookie, the client's
 * document is sent, and the backend is then asked who the user is. A refusal by
 * the backend is answered with its own JSON.
 *   reason  set on PST_LOGIN_SHAPE and PST_SECRET_FIELD: what is wrong
 * Returns PST_OK (also after such a refusal),
 * PST_LOGIN_SHAPE, PST_SECRET_FIELD, PST_MALFORMED, PST_REFUSED (a refusal that
 * is not JSON), or another error of login_attempt_run().
 */
PST_MUST_USE enum pst_err
login_with_graphql(struct context *ctx, struct request *req,
                   struct response *res, struct auth *auth,
                   const struct login_graphql_request *login,
                   struct login_reason *reason);

#endif
