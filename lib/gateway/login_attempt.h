/* SPDX-License-Identifier: ISC */
/*
 * login_attempt.h - carry out one login attempt: count it, ask the backend,
 * decide whether it succeeded, and begin the session. login.h reads the request
 * and answers it.
 */
#ifndef POSTERN_GATEWAY_LOGIN_ATTEMPT_H
#define POSTERN_GATEWAY_LOGIN_ATTEMPT_H

#include "gateway/auth_session.h"
#include "gateway/context.h"
#include "gateway/forward.h"
#include "gateway/login_budget.h"
#include "gateway/login_shape.h"
#include "server/login_document.h"
#include "upstream/backend_login.h"

struct login_attempt {
    struct context *ctx;
    struct request *req;
    struct response *res;
    struct auth *auth;

    /* Set by the caller before login_attempt_run(). */
    const struct login_document *matched; /* NULL: a social login, which only
                                             the backend understands */
    const struct login_document
        *sent_document;              /* the configured document that
                                        is sent; NULL: the client's */
    const struct login_shape *shape; /* of the client's answer; NULL: the
                                        backend's answer is passed on */
    struct forward_request sent;
    struct pst_str name; /* whose account it is; absent: unknown */
    bool remember;

    /* Set by login_attempt_run(). */
    struct forward_response received;
    struct backend_outcome outcome;
    struct pst_str upstream; /* credentials of the new session; or absent */
    struct backend_identity identity;
    struct login_budget budget;
    bool is_new_token; /* the response replaced the token in header or cookie */
    bool is_schema_mismatch; /* the client's document does not fit the schema */
    int64_t started_ms;      /* clock_ms() when the request was read */
};

/* Allocate an attempt in the request's arena. Returns NULL if it is full. */
struct login_attempt *login_attempt_new(struct context *ctx,
                                        struct request *req,
                                        struct response *res,
                                        struct auth *auth);

/* Is the backend's token in the JSON of its answers (POSTERN_UPSTREAM_TOKEN)?
 */
bool login_attempt_has_json_token(const struct login_attempt *attempt);

/*
 * Set the credentials that are sent with the login: those of a guest session,
 * so that a guest's cart becomes the user's. A user's own are sent only if no
 * password is checked, as in a refresh; none if their token has ended and is
 * not refreshed.
 */
PST_MUST_USE enum pst_err
login_attempt_set_credentials(struct login_attempt *attempt);

/*
 * Carry out the attempt. After an error that follows the backend's answer it
 * waits until POSTERN_LOGIN_FLOOR has passed; after PST_REFUSED the caller must
 * call login_attempt_on_failure(), which does.
 * Returns PST_OK (the session has begun; its cookie or header is in the
 * response); PST_REFUSED; PST_THROTTLED (Retry-After is in the response);
 * PST_LOGIN_SHAPE; PST_STORE_DOWN; PST_MALFORMED (the name is not UTF-8);
 * PST_UPSTREAM_…, what session_order_begin() returns, and what
 * auth_begin_session() returns.
 */
PST_MUST_USE enum pst_err login_attempt_run(struct login_attempt *attempt);

/*
 * After PST_REFUSED: log it, keep a guest's credentials up to date, and wait
 * for POSTERN_LOGIN_FLOOR. Returns PST_OK, or why the session cannot be
 * updated.
 */
PST_MUST_USE enum pst_err
login_attempt_on_failure(struct login_attempt *attempt);

#endif
