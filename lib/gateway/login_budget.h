/* SPDX-License-Identifier: ISC */
/*
 * login_budget.h - apply the rate limits of store/throttle.h to a login
 * request: acquire an attempt from the budgets of account and address, and
 * refund or reset it afterwards.
 */
#ifndef POSTERN_GATEWAY_LOGIN_BUDGET_H
#define POSTERN_GATEWAY_LOGIN_BUDGET_H

#include "gateway/auth.h"
#include "gateway/context.h"
#include "gateway/known_device.h"
#include "store/throttle.h"

struct login_budget {
    struct context *ctx;
    struct pst_str name;        /* absent: counted only by address */
    struct known_device device; /* the browser that sent the request */
    struct throttle_attempt attempt;
};

/*
 * Acquire one login attempt.
 *   name  the name that the login is for, byte for byte; absent: it has none
 * Returns PST_OK, PST_THROTTLED (Retry-After is in the response), PST_MALFORMED
 * (the name is not UTF-8), PST_STORE_DOWN, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err login_budget_acquire(struct login_budget *budget,
                                               struct context *ctx,
                                               const struct request *req,
                                               struct response *res,
                                               struct pst_str name);

/* Refund the attempt: no password was checked. Errors are ignored. */
void login_budget_refund(struct login_budget *budget);

/*
 * Reset the budgets after a right password, and mark the browser as known to
 * the account. by_cookie  the session is in a cookie, so the client is a
 * browser
 */
void login_budget_reset(struct login_budget *budget, struct response *res,
                        bool by_cookie);

/* Is the login for exactly this name? A similar name is not enough: it can be
 * an attacker's own account. */
bool login_budget_has_name(const struct login_budget *budget,
                           struct pst_str name);

/*
 * Count a user's session that begins without a password, by address.
 * Returns PST_OK, PST_THROTTLED, PST_STORE_DOWN, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
login_budget_acquire_address(struct context *ctx, const struct request *req,
                             struct response *res);

/*
 * Count a request that checks a password and is not a login: by the session's
 * subject, or without a session by address. It is never refunded, because we
 * cannot tell from the answer whether the password was right.
 * Returns PST_OK, PST_THROTTLED, PST_STORE_DOWN, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err
login_budget_acquire_password(struct context *ctx, const struct request *req,
                              struct response *res, const struct auth *auth);

#endif
