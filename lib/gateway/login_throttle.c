/* SPDX-License-Identifier: ISC */
/*
 * login_throttle.c - the budgets of one login.
 */
#include "gateway/login_throttle.h"

#include "gateway/client_address.h"
#include "gateway/session_registry.h"

static struct throttle
throttle_of(const struct gate *gate)
{
    return (struct throttle){gate->store, gate->config->login_per_account,
                             gate->config->login_per_address};
}

static enum pst_err
refuse(const struct gate *gate, const struct request *req, struct reply *rep,
       int64_t wait)
{
    struct pst_buf buf;
    char digits[24];

    pst_buf_init(&buf, digits, sizeof(digits));
    pst_buf_add_number(&buf, wait);
    reply_put(rep, PST_TEXT("Retry-After"), pst_buf_text(&buf));
    LOG_EVENT(gate->log, LEVEL_WARNING, "login-throttled",
              LOG_STRING("request", req->id),
              LOG_TEXT("address", req->remote_addr),
              LOG_NUMBER("retry_after", wait));
    return PST_THROTTLED;
}

static enum pst_err
acquire(struct gate *gate, const struct request *req, struct reply *rep,
        const struct throttle_login *login, struct throttle_attempt *attempt)
{
    const struct throttle throttle = throttle_of(gate);
    int64_t wait = 0;
    enum pst_err e;

    if (!gate->store)
        return PST_OK;
    e = throttle_acquire(&throttle, login, gate->now, attempt, &wait);
    if (e == PST_THROTTLED)
        return refuse(gate, req, rep, wait);
    return roster_told(gate, req, e);
}

enum pst_err
login_budget_acquire(struct login_budget *budget, struct gate *gate,
                     const struct request *req, struct reply *rep,
                     struct pst_text name)
{
    struct throttle_login login = {.name = name, .address = req->remote_addr};
    enum pst_err e = PST_OK;

    *budget = (struct login_budget){.gate = gate, .name = name};
    if (!pst_text_is_absent(name) && !pst_text_is_utf8(name))
        return PST_MALFORMED;
    proxies_note_login(gate, req);
    if (gate->config->methods & METHOD_COOKIE)
        e = device_open(gate, req->arena, req->cookie, &budget->device);
    if (e)
        return e;
    login.device = device_id(&budget->device, name);
    return acquire(gate, req, rep, &login, &budget->attempt);
}

void
login_budget_refund(struct login_budget *budget)
{
    const struct throttle throttle = throttle_of(budget->gate);

    if (throttle.store)
        (void)!throttle_refund(&throttle, &budget->attempt, budget->gate->now);
}

void
login_budget_reset(struct login_budget *budget, struct reply *rep,
                   bool by_cookie)
{
    const struct throttle throttle = throttle_of(budget->gate);
    struct pst_text line;

    if (!throttle.store || pst_text_is_absent(budget->name))
        return;
    (void)!throttle_reset(&throttle, &budget->attempt, budget->gate->now);
    /* Without a limit there is nothing that others could use up. */
    if (by_cookie && throttle.account.limit > 0 &&
        device_issue(budget->gate, rep->arena, &budget->device, budget->name,
                     &line) == PST_OK)
        reply_put_cookie(rep, line);
}

bool
login_budget_is_named(const struct login_budget *budget, struct pst_text name)
{
    return name.len > 0 && pst_text_equal(budget->name, name);
}

enum pst_err
login_throttle_address(struct gate *gate, const struct request *req,
                       struct reply *rep)
{
    const struct throttle throttle = throttle_of(gate);
    struct throttle_attempt attempt = {.count = 0};
    int64_t wait = 0;
    enum pst_err e;

    if (!gate->store)
        return PST_OK;
    e = throttle_acquire_address(&throttle, req->remote_addr, gate->now,
                                 &attempt, &wait);
    if (e == PST_THROTTLED)
        return refuse(gate, req, rep, wait);
    return roster_told(gate, req, e);
}

enum pst_err
login_throttle_password(struct gate *gate, const struct request *req,
                        struct reply *rep, const struct visit *visit)
{
    const struct throttle throttle = throttle_of(gate);
    const struct throttle_login nobody = {.name = PST_NO_TEXT,
                                          .address = req->remote_addr};
    struct throttle_attempt attempt = {.count = 0};
    int64_t wait = 0;
    enum pst_err e;

    if (!visit->has_session || visit->session.sub.len == 0)
        return acquire(gate, req, rep, &nobody, &attempt);
    if (!gate->store)
        return PST_OK;
    e = throttle_acquire_subject(&throttle, visit->session.sub, gate->now,
                                 &attempt, &wait);
    if (e == PST_THROTTLED)
        return refuse(gate, req, rep, wait);
    return roster_told(gate, req, e);
}
