/* SPDX-License-Identifier: ISC */
/*
 * forward.c - send one request to the backend, and stream its response to the
 * client or read it whole.
 */
#include "gateway/forward.h"

#include "gateway/forward_headers.h"
#include "gateway/session_order.h"
#include "http/media_type.h"

/* The context of the functions that http_client_run() calls. */
struct forwarding {
    struct context *ctx;
    struct request *req;
    struct response *res; /* streamed into; NULL: buffered */
    const struct forward_request *outgoing;
    struct forward_response *response;
    const struct forward_hook *hook;
    struct pst_buf buffered;
    bool has_length;     /* the response has a Content-Length */
    bool is_redirect;    /* the response was refused as a redirect */
    bool is_own_failure; /* of outgoing->read(), or the session's order */
    bool is_too_large;   /* the response was refused for its size */
};

static enum pst_err
check_order(void *context)
{
    struct forwarding *forwarding = context;
    enum pst_err e = session_order_check(forwarding->ctx, forwarding->req);

    forwarding->is_own_failure = e != PST_OK;
    return e;
}

static enum pst_err
read_streamed_body(void *context, char *out, size_t size, size_t *len)
{
    struct forwarding *forwarding = context;
    enum pst_err e;

    if (!forwarding->outgoing->read) {
        *len = 0;
        return PST_OK;
    }
    e = forwarding->outgoing->read(forwarding->outgoing->context, out, size,
                                   len);
    /* A slow upload takes effect with its last bytes. */
    if (!e)
        e = session_order_check(forwarding->ctx, forwarding->req);
    forwarding->is_own_failure = e != PST_OK;
    return e;
}

static enum pst_err
receive_header(void *context, struct pst_str name, struct pst_str value)
{
    struct forwarding *forwarding = context;

    return forward_keep_header(forwarding->req->arena,
                               &forwarding->ctx->config->backend,
                               forwarding->response, name, value);
}

/* Does the response come in parts, each when something happens? */
static bool
is_event_stream(const struct response *res)
{
    struct pst_media_type type;

    return pst_media_type_parse(
               response_get_header(res, PST_STR("Content-Type")), &type) ==
               PST_OK &&
           (pst_str_equal_nocase(type.name, PST_STR("text/event-stream")) ||
            pst_str_equal_nocase(type.name, PST_STR("multipart/mixed")));
}

static enum pst_err
receive_head(void *context, int status)
{
    struct forwarding *forwarding = context;
    enum pst_err e;

    forwarding->response->status = status;
    /* A redirect is not followed: it could send the token elsewhere. The
     * client cannot reach the backend's address either. */
    if (status >= 300 && status < 400 && status != 304) {
        forwarding->is_redirect = true;
        return PST_UPSTREAM_BROKEN;
    }
    if (!forwarding->res)
        return PST_OK;
    if (forwarding->hook) {
        e = forwarding->hook->head(forwarding->hook->context,
                                   &forwarding->response->update);
        if (e)
            return e;
    }
    forward_copy_head(forwarding->res, forwarding->response);
    /* It may last for hours. */
    if (forwarding->ctx->order && !forwarding->outgoing->has_mutation &&
        is_event_stream(forwarding->res))
        session_order_end(forwarding->ctx);
    forwarding->has_length = !pst_str_is_absent(
        response_get_header(forwarding->res, PST_STR("Content-Length")));
    return response_begin(forwarding->res);
}

static enum pst_err
receive_body(void *context, struct pst_str piece)
{
    struct forwarding *forwarding = context;

    if (!forwarding->res) {
        pst_buf_add(&forwarding->buffered, piece);
        forwarding->is_too_large = forwarding->buffered.err == PST_TOO_LARGE;
        return forwarding->is_too_large ? PST_UPSTREAM_BROKEN
                                        : forwarding->buffered.err;
    }
    return response_write(forwarding->res, piece);
}

/* A response without a Content-Length may be a stream of events: what has come
 * of it is flushed at once. */
static enum pst_err
flush_body(void *context)
{
    const struct forwarding *forwarding = context;

    if (!forwarding->res || forwarding->has_length)
        return PST_OK;
    return response_flush(forwarding->res);
}

static int64_t
get_body_length(const struct forward_request *outgoing)
{
    if (!pst_str_is_absent(outgoing->body))
        return (int64_t)outgoing->body.len;
    return outgoing->read ? -1 : 0;
}

static void
log_backend_failure(const struct forwarding *forwarding,
                    const struct http_error *error, enum pst_err e)
{
    struct log *log = forwarding->ctx->log;
    const char *reason = forwarding->is_too_large
                             ? "the body of the response is too large"
                             : error->text;

    if (forwarding->is_redirect)
        LOG_EVENT(log, LEVEL_WARNING, "backend-redirects",
                  LOG_C_STRING("request", forwarding->req->id),
                  LOG_NUMBER("status", forwarding->response->status),
                  LOG_STR("target", forwarding->response->location));
    else
        LOG_EVENT(log, LEVEL_WARNING, "backend-failed",
                  LOG_C_STRING("request", forwarding->req->id),
                  LOG_C_STRING("cause", pst_err_code(e)),
                  LOG_C_STRING("reason", reason));
}

static enum pst_err
run_forwarding(struct forwarding *forwarding,
               const struct forward_request *outgoing)
{
    struct context *ctx = forwarding->ctx;
    struct request *req = forwarding->req;
    struct http_exchange exchange;
    struct http_error error;
    struct forward_header_list *headers =
        pst_arena_alloc(req->arena, sizeof(*headers));
    enum pst_err e;

    if (!headers)
        return PST_NO_MEMORY;
    forwarding->outgoing = outgoing;
    e = forward_make_headers(ctx, req, outgoing, forwarding->res == NULL,
                             headers);
    if (e)
        return e;
    exchange = (struct http_exchange){
        .method = outgoing->method,
        .query = outgoing->query,
        .headers = headers->list,
        .header_count = headers->count,
        .whole_body = outgoing->body,
        .body_length = get_body_length(outgoing),
        .is_repeatable = outgoing->is_repeatable,
        .context = forwarding,
        .connected = check_order,
        .read = read_streamed_body,
        .header = receive_header,
        .head = receive_head,
        .body = receive_body,
        .flush = flush_body,
        .client = outgoing->is_detached ? -1 : req->source.descriptor,
    };
    e = http_client_run(ctx->upstream, req->arena, &exchange, &error);
    if (e && e != PST_CLIENT_GONE && !forwarding->is_own_failure)
        log_backend_failure(forwarding, &error, e);
    return e;
}

enum pst_err
forward_stream(struct context *ctx, struct request *req, struct response *res,
               const struct forward_request *outgoing,
               const struct forward_hook *hook)
{
    struct forward_response *response =
        pst_arena_alloc(req->arena, sizeof(*response));
    struct forwarding forwarding = {
        .ctx = ctx, .req = req, .res = res, .response = response, .hook = hook};

    if (!response)
        return PST_NO_MEMORY;
    return run_forwarding(&forwarding, outgoing);
}

enum pst_err
forward_buffered(struct context *ctx, struct request *req,
                 const struct forward_request *outgoing,
                 struct forward_response *response)
{
    struct forwarding forwarding = {
        .ctx = ctx, .req = req, .response = response};
    enum pst_err e;

    *response = (struct forward_response){.status = 0};
    pst_buf_init_heap(&forwarding.buffered, req->arena, PST_BUFFERED_BODY_MAX);
    e = run_forwarding(&forwarding, outgoing);
    if (!e)
        e = pst_buf_finish(&forwarding.buffered, &response->body);
    if (!e)
        e = forward_decode_body(req->arena, response, PST_BUFFERED_BODY_MAX);
    if (!e && response->encoded)
        LOG_EVENT(ctx->log, LEVEL_WARNING, "backend-encodes",
                  LOG_C_STRING("request", req->id),
                  LOG_STR("encoding", forward_content_encoding(response)));
    return e;
}
