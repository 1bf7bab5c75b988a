/* SPDX-License-Identifier: ISC */
/*
 * login_budget.c - apply the rate limits of store/throttle.h to a login
 * request: acquire an attempt, refund or reset it, and set Retry-After.
 */
#include "gateway/login_budget.h"

#include "gateway/client_address.h"
#include "gateway/session_registry.h"

static struct throttle
throttle_from_context(const struct context *ctx)
{
    return (struct throttle){ctx->store, ctx->config->login_per_account,
                             ctx->config->login_per_address};
}

static enum pst_err
refuse_throttled(const struct context *ctx, const struct request *req,
                 struct response *res, int64_t wait)
{
    struct pst_buf buf;
    char digits[24];

    pst_buf_init(&buf, digits, sizeof(digits));
    pst_buf_add_number(&buf, wait);
    response_set_header(res, PST_STR("Retry-After"), pst_buf_str(&buf));
    LOG_EVENT(ctx->log, LEVEL_WARNING, "login-throttled",
              LOG_C_STRING("request", req->id),
              LOG_STR("address", req->remote_addr),
              LOG_NUMBER("retry_after", wait));
    return PST_THROTTLED;
}

static enum pst_err
acquire_login_attempt(struct context *ctx, const struct request *req,
                      struct response *res, const struct throttle_login *login,
                      struct throttle_attempt *attempt)
{
    const struct throttle throttle = throttle_from_context(ctx);
    int64_t wait = 0;
    enum pst_err e;

    if (!ctx->store)
        return PST_OK;
    e = throttle_acquire(&throttle, login, ctx->now, attempt, &wait);
    if (e == PST_THROTTLED)
        return refuse_throttled(ctx, req, res, wait);
    return registry_log_store_error(ctx, req, e);
}

enum pst_err
login_budget_acquire(struct login_budget *budget, struct context *ctx,
                     const struct request *req, struct response *res,
                     struct pst_str name)
{
    struct throttle_login login = {.name = name, .address = req->remote_addr};
    enum pst_err e = PST_OK;

    *budget = (struct login_budget){.ctx = ctx, .name = name};
    if (!pst_str_is_absent(name) && !pst_str_is_utf8(name))
        return PST_MALFORMED;
    client_address_note_login(ctx, req);
    if (ctx->config->methods & TOKEN_METHOD_COOKIE)
        e = known_device_open(ctx, req->arena, req->cookie, &budget->device);
    if (e)
        return e;
    login.device = known_device_id(&budget->device, name);
    return acquire_login_attempt(ctx, req, res, &login, &budget->attempt);
}

void
login_budget_refund(struct login_budget *budget)
{
    const struct throttle throttle = throttle_from_context(budget->ctx);

    if (throttle.store)
        (void)!throttle_refund(&throttle, &budget->attempt, budget->ctx->now);
}

void
login_budget_reset(struct login_budget *budget, struct response *res,
                   bool by_cookie)
{
    const struct throttle throttle = throttle_from_context(budget->ctx);
    struct pst_str line;

    if (!throttle.store || pst_str_is_absent(budget->name))
        return;
    (void)!throttle_reset(&throttle, &budget->attempt, budget->ctx->now);
    /* Known devices have a budget of their own; without a limit none is
     * needed. */
    if (by_cookie && throttle.account.limit > 0 &&
        known_device_issue(budget->ctx, res->arena, &budget->device,
                           budget->name, &line) == PST_OK)
        response_set_cookie(res, line);
}

bool
login_budget_has_name(const struct login_budget *budget, struct pst_str name)
{
    return name.len > 0 && pst_str_equal(budget->name, name);
}

enum pst_err
login_budget_acquire_address(struct context *ctx, const struct request *req,
                             struct response *res)
{
    const struct throttle throttle = throttle_from_context(ctx);
    struct throttle_attempt attempt = {.count = 0};
    int64_t wait = 0;
    enum pst_err e;

    if (!ctx->store)
        return PST_OK;
    e = throttle_acquire_address(&throttle, req->remote_addr, ctx->now,
                                 &attempt, &wait);
    if (e == PST_THROTTLED)
        return refuse_throttled(ctx, req, res, wait);
    return registry_log_store_error(ctx, req, e);
}

enum pst_err
login_budget_acquire_password(struct context *ctx, const struct request *req,
                              struct response *res, const struct auth *auth)
{
    const struct throttle throttle = throttle_from_context(ctx);
    const struct throttle_login anonymous = {.name = PST_STR_NONE,
                                             .address = req->remote_addr};
    struct throttle_attempt attempt = {.count = 0};
    int64_t wait = 0;
    enum pst_err e;

    if (!auth->has_session || auth->session.sub.len == 0)
        return acquire_login_attempt(ctx, req, res, &anonymous, &attempt);
    if (!ctx->store)
        return PST_OK;
    e = throttle_acquire_subject(&throttle, auth->session.sub, ctx->now,
                                 &attempt, &wait);
    if (e == PST_THROTTLED)
        return refuse_throttled(ctx, req, res, wait);
    return registry_log_store_error(ctx, req, e);
}
