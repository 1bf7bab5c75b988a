/* SPDX-License-Identifier: ISC */
/*
 * signin.h - a login, whichever way it came: credentials in JSON or a form,
 * or the client's own GraphQL mutation through `login` or `query`.
 */
#ifndef GATE_SIGNIN_H
#define GATE_SIGNIN_H

#include "backend.h"
#include "forward.h"
#include "gate.h"
#include "operation.h"
#include "visit_issue.h"

/*
 * Log in with credentials: the backend's login mutation, then a new session
 * in the reply. The reply's status and body are the caller's.
 * Returns PST_OK (visit holds the new session), PST_REFUSED, PST_THROTTLED
 * (with Retry-After in the reply), PST_STORE_DOWN, PST_UPSTREAM_…,
 * PST_TOO_LARGE as PST_INTERNAL, and what visit_begin() may.
 */
PST_MUST_USE enum pst_err
signin_with(struct gate *gate, struct request *req, struct reply *rep,
            struct visit *visit, const struct backend_credentials *credentials);

/*
 * Pass a client's GraphQL request on, hold the answer, and treat it as a
 * login if it is one: the session in the reply, the secret in the body taken
 * out (null) or replaced by our bearer token, everything else as it came. A
 * refusal is the backend's own answer. what  the request, from
 * operation_read_body() Sends the whole reply.
 */
PST_MUST_USE enum pst_err signin_relay(struct gate *gate, struct request *req,
                                       struct reply *rep, struct visit *visit,
                                       const struct operation *what);

/*
 * Send the backend its logout document with a session's token. Whether it is
 * to be told at all is for the caller to know (POSTERN_UPSTREAM_LOGOUT).
 * Returns PST_NO_MEMORY or what forward_hold() does; the backend's answer is
 * not looked at.
 */
PST_MUST_USE enum pst_err signin_log_out(struct gate *gate, struct request *req,
                                         struct pst_text upstream);

/*
 * Follow what an answer did to the backend's own session, in the reply: a
 * token of another session makes one of ours that names nobody until a login
 * says who; the end of it ends ours. Nothing changed: nothing is set.
 * Returns PST_OK, or what visit_begin() may.
 */
PST_MUST_USE enum pst_err signin_follow(struct gate *gate,
                                        const struct request *req,
                                        struct reply *rep, struct visit *visit,
                                        const struct jar_news *news);

#endif
