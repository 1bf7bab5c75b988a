/* SPDX-License-Identifier: ISC */
/*
 * login_throttle.h - the budgets of one login, from the request to what became
 * of it (store/throttle.h counts them; design 2.5).
 */
#ifndef POSTERN_GATEWAY_LOGIN_THROTTLE_H
#define POSTERN_GATEWAY_LOGIN_THROTTLE_H

#include "gateway/auth.h"
#include "gateway/context.h"
#include "gateway/known_device.h"
#include "store/throttle.h"

struct login_budget {
    struct context *ctx;
    struct pst_str name;        /* as bound; absent: counted by address alone */
    struct known_device device; /* that the request comes from */
    struct throttle_attempt attempt;
};

/*
 * Acquire one attempt, or answer 429.
 *   name  the very bytes that the login is for; absent: it has none
 * Returns PST_OK; PST_THROTTLED (Retry-After is in the reply), PST_MALFORMED
 * (no UTF-8), PST_STORE_DOWN, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err login_budget_acquire(struct login_budget *budget,
                                               struct context *ctx,
                                               const struct request *req,
                                               struct response *res,
                                               struct pst_str name);

/* It was no guess. Failing to give back is no reason to fail. */
void login_budget_refund(struct login_budget *budget);

/*
 * The password was right: budgets are whole again, and a browser is known to
 * this account from now on.
 *   by_cookie  the session went out in a cookie
 */
void login_budget_reset(struct login_budget *budget, struct response *res,
                        bool by_cookie);

/* Is the login for somebody of this very name? One that only looks like it may
 * be an account of the attacker's own. */
bool login_budget_has_name(const struct login_budget *budget,
                           struct pst_str name);

/*
 * Count a user's session that begins without a password, by address.
 * Returns as login_budget_acquire().
 */
PST_MUST_USE enum pst_err login_throttle_address(struct context *ctx,
                                                 const struct request *req,
                                                 struct response *res);

/*
 * Count a request that checks a password and is no login: by the session's
 * subject, or, without one, by address. Never given back, since only a
 * client's document says whether the password was right.
 */
PST_MUST_USE enum pst_err login_throttle_password(struct context *ctx,
                                                  const struct request *req,
                                                  struct response *res,
                                                  const struct auth *auth);

#endif
