/* SPDX-License-Identifier: ISC */
/*
 * handler.c - handle one request: parse it, call the program's handler,
 * complete the answer, and log it.
 */
#include "gateway/handler.h"

#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "engine/wait.h"
#include "gateway/client_address.h"
#include "gateway/cors.h"
#include "gateway/page.h"
#include "gateway/session_order.h"

/* A sink in front of another: counts the body, and omits it for HEAD. */
struct meter {
    const struct response_sink *sink;
    int64_t begun_ms;     /* of the request: clock_ms() */
    bool is_head_written; /* the head is written in one piece */
    bool omits_body;
    int64_t bytes; /* of body */
};

static enum pst_err
meter_write(void *context, struct pst_str piece)
{
    struct meter *meter = context;

    if (!meter->is_head_written) {
        meter->is_head_written = true;
    } else if (meter->omits_body) {
        return PST_OK;
    } else {
        meter->bytes += (int64_t)piece.len;
    }
    return meter->sink->write(meter->sink->context, piece);
}

static enum pst_err
meter_flush(void *context)
{
    const struct meter *meter = context;

    return meter->sink->flush(meter->sink->context);
}

static enum pst_err
meter_finish(void *context)
{
    const struct response_sink *sink = ((const struct meter *)context)->sink;

    return sink->finish ? sink->finish(sink->context)
                        : sink->flush(sink->context);
}

static bool
meter_discard(void *context)
{
    struct meter *meter = context;
    const struct response_sink *sink = meter->sink;

    if (!sink->discard || !sink->discard(sink->context))
        return false;
    meter->is_head_written = false;
    meter->bytes = 0;
    return true;
}

/* Answer with an error. If that fails, answer with the error that made it
 * fail. */
static enum pst_err
handler_answer_error(const struct context *ctx, const struct request *req,
                     struct response *res, enum pst_err e)
{
    char storage[512];
    struct pst_buf buf;
    struct pst_str body;
    enum pst_err answer_error = page_send_error(res, req, ctx->config, e);

    if (!answer_error || res->begun)
        return answer_error;
    answer_error = answer_error == PST_NO_MEMORY ? PST_NO_MEMORY : PST_INTERNAL;
    response_reset(res, NULL);
    pst_buf_init(&buf, storage, sizeof(storage));
    response_emit_error(&buf, req, answer_error);
    e = pst_buf_finish(&buf, &body);
    if (e)
        return e;
    return response_send_json(res, pst_err_status(answer_error), body);
}

static void
handler_log_request(const struct context *ctx, const struct request *req,
                    const struct response *res, const struct meter *meter,
                    enum pst_err e)
{
    const int status = res->begun ? res->status : pst_err_status(e);
    const char *code = NULL;

    if (e || res->error) /* or: a form that says what was wrong */
        code = pst_err_code(e ? e : res->error);

    /* Neither path nor query string: they may contain a token. */
    LOG_EVENT(ctx->log, LEVEL_INFO, "request", LOG_C_STRING("request", req->id),
              LOG_STR("method", req->method), LOG_NUMBER("status", status),
              LOG_NUMBER("ms", clock_ms() - meter->begun_ms),
              LOG_NUMBER("bytes", meter->bytes), LOG_C_STRING("error", code));
}

bool
handler_run(struct context *ctx, struct pst_arena *arena,
            const struct request_input *input, const struct response_sink *sink,
            handler_fn *handler)
{
    struct meter meter = {.sink = sink, .begun_ms = wait_now()};
    const struct response_sink metered = {meter_write, meter_flush, &meter,
                                          meter_finish, meter_discard};
    uint8_t random[REQUEST_RANDOM_LEN] = {0};
    struct request req;
    struct response *res;
    enum pst_err random_error;
    enum pst_err e;
    bool is_whole;

    pst_arena_reset(arena);
    /* Not on the stack, of which a request that waits keeps the whole pages. */
    res = pst_arena_alloc(arena, sizeof(*res));
    PST_REQUIRE(res);
    ctx->now = (int64_t)time(NULL);
    ctx->started_ms = meter.begun_ms;
    random_error = ctx->random(random, sizeof(random));
    response_init(res, arena, &metered);
    e = request_init(&req, arena, input, random);
    req.remote_addr = client_address_find(
        ctx->config->trusted_proxies, ctx->config->trusted_proxy_count,
        req.remote_addr, request_header(&req, PST_STR("X-Forwarded-For")));
    meter.omits_body = pst_str_equal(req.method, PST_STR("HEAD"));
    if (random_error)
        e = random_error;
    if (!e && input->is_overloaded)
        e = PST_OVERLOADED;
    if (e && !req.authorizer)
        cors_allow_origin(ctx, &req, res); /* no handler will do so */
    if (!e)
        e = handler(ctx, &req, res);
    session_order_end(ctx);
    if (!e && !res->begun)
        e = PST_INTERNAL; /* a handler must answer */
    is_whole = !e;
    if (e && e != PST_CLIENT_GONE && response_discard(res))
        is_whole = handler_answer_error(ctx, &req, res, e) == PST_OK;
    if (is_whole)
        is_whole = response_finish(res) == PST_OK;
    if (!is_whole && !e)
        e = PST_CLIENT_GONE;
    handler_log_request(ctx, &req, res, &meter, e);
    pst_arena_reset(arena);
    return is_whole;
}
