/* SPDX-License-Identifier: ISC */
/*
 * handler.c - one request from its variables to the end of its answer.
 */
#include "gateway/handler.h"

#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "gateway/client_address.h"
#include "gateway/cors.h"
#include "gateway/page.h"

/* A sink in front of another: counts, and keeps a body from HEAD. */
struct meter {
    const struct reply_sink *sink;
    int64_t begin;    /* of the request: ticks */
    bool is_head_out; /* the head, which is one piece, has been written */
    bool is_head_only;
    int64_t octets; /* of body */
};

static enum pst_err
meter_write(void *context, struct pst_text piece)
{
    struct meter *meter = context;

    if (!meter->is_head_out) {
        meter->is_head_out = true;
    } else if (meter->is_head_only) {
        return PST_OK;
    } else {
        meter->octets += (int64_t)piece.len;
    }
    return meter->sink->write(meter->sink->context, piece);
}

static enum pst_err
meter_flush(void *context)
{
    const struct meter *meter = context;

    return meter->sink->flush(meter->sink->context);
}

/* Answer with an error; when there is no memory for that, with that one. */
static enum pst_err
answer_error(const struct gate *gate, const struct request *req,
             struct reply *rep, enum pst_err e)
{
    char storage[512];
    struct pst_buf buf;
    struct pst_text body;
    enum pst_err failed = page_error(rep, req, gate->config, e);

    if (!failed || rep->begun)
        return failed;
    failed = failed == PST_NO_MEMORY ? PST_NO_MEMORY : PST_INTERNAL;
    reply_reset(rep, NULL);
    pst_buf_init(&buf, storage, sizeof(storage));
    reply_emit_error(&buf, req, failed);
    e = pst_buf_end(&buf, &body);
    if (e)
        return e;
    return reply_json(rep, pst_err_status(failed), body);
}

static void
log_request(const struct gate *gate, const struct request *req, int status,
            const struct meter *meter, enum pst_err e)
{
    const char *code = e ? pst_err_code(e) : NULL;

    /* Neither path nor query string: a token might stand there. */
    LOG_EVENT(gate->log, LEVEL_INFO, "request", LOG_STRING("request", req->id),
              LOG_TEXT("method", req->method), LOG_NUMBER("status", status),
              LOG_NUMBER("ms", ticks_ms() - meter->begin),
              LOG_NUMBER("octets", meter->octets), LOG_STRING("error", code));
}

bool
gate_handle(struct gate *gate, struct pst_arena *arena,
            const struct request_origin *origin, const struct reply_sink *sink,
            gate_handler *handler)
{
    struct meter meter = {.sink = sink, .begin = ticks_ms()};
    const struct reply_sink metered = {meter_write, meter_flush, &meter};
    uint8_t random[REQUEST_RANDOM_LEN] = {0};
    struct request req;
    struct reply rep;
    enum pst_err no_random;
    enum pst_err e;
    bool is_whole;

    pst_arena_reset(arena);
    gate->now = (int64_t)time(NULL);
    no_random = gate->random(random, sizeof(random));
    reply_init(&rep, arena, &metered);
    e = request_init(&req, arena, origin, random);
    req.remote_addr = proxies_client(
        gate->config->trusted_proxies, gate->config->trusted_proxy_count,
        req.remote_addr, request_header(&req, PST_TEXT("X-Forwarded-For")));
    meter.is_head_only = pst_text_equal(req.method, PST_TEXT("HEAD"));
    if (no_random)
        e = no_random;
    if (e && !req.authorizer)
        cors_allow(gate, &req, &rep); /* no program was asked */
    if (!e)
        e = handler(gate, &req, &rep);
    if (!e && !rep.begun)
        e = PST_INTERNAL; /* a handler has to say something */
    is_whole = !e;
    if (e && e != PST_CLIENT_GONE && !rep.begun)
        is_whole = answer_error(gate, &req, &rep, e) == PST_OK;
    if (is_whole)
        is_whole = reply_flush(&rep) == PST_OK;
    if (!is_whole && !e)
        e = PST_CLIENT_GONE;
    log_request(gate, &req, rep.begun ? rep.status : pst_err_status(e), &meter,
                e);
    pst_arena_reset(arena);
    return is_whole;
}
