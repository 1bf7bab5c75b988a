/* SPDX-License-Identifier: ISC */
/*
 * session_order.c - let the POSTs of one session reach the backend one after
 * another: each holds a lock in the store.
 */
#include "gateway/session_order.h"

#include "base/clock.h"
#include "gateway/session_registry.h"
#include "store/store_lock.h"

static void
log_order_failure(const struct context *ctx, const struct request *req,
                  const char *reason)
{
    LOG_EVENT(ctx->log, LEVEL_WARNING, "order-failed",
              LOG_C_STRING("request", req->id), LOG_C_STRING("reason", reason));
}

enum pst_err
session_order_begin(struct context *ctx, const struct request *req,
                    const struct auth *auth, bool *has_waited)
{
    struct wait_limit limit = {.client = req->source.descriptor};
    struct store_lock *lock;
    struct store_id sid;
    enum pst_err e;

    *has_waited = false;
    if (!ctx->config->ordered || !auth->has_session)
        return PST_OK;
    lock = pst_arena_alloc(req->arena, sizeof(*lock));
    if (!lock)
        return PST_NO_MEMORY;
    store_id_sid(auth->session.sid, &sid);
    limit.deadline = clock_ms() + ctx->config->first_byte_timeout * 1000;
    e = store_lock_acquire(ctx->store, lock, &sid, &limit, has_waited);
    if (!e)
        ctx->order = lock;
    if (e == PST_OVERLOADED)
        log_order_failure(ctx, req,
                          "earlier requests of the session took longer than "
                          "POSTERN_FIRST_BYTE_TIMEOUT");
    return registry_log_store_error(ctx, req, e);
}

enum pst_err
session_order_check(const struct context *ctx, const struct request *req)
{
    if ((!ctx->order || store_lock_is_held(ctx->order)) &&
        (!ctx->refresh || store_lock_is_held(ctx->refresh)))
        return PST_OK;
    log_order_failure(ctx, req,
                      "the lease in Redis ran out: this process was stopped, "
                      "or Redis did not answer");
    return PST_OVERLOADED;
}

void
session_order_end(struct context *ctx)
{
    if (ctx->order)
        store_lock_release(ctx->order);
    ctx->order = NULL;
}
