/* SPDX-License-Identifier: ISC */
/*
 * forward.c - what passes to the backend, what passes back, and nothing else.
 */
#include "gateway/forward.h"

#include <string.h>

#include "gateway/cors.h"
#include "server/config_names.h"
#include "server/request_origin.h"

/* What goes along with a request that we make ourselves. */
static const struct pst_str own_request_headers[] = {
    {"Accept-Language", 15},
    {"vendure-token", 13},
};

/* Headers of the backend that pass to the client. Vary is merged. */
static const struct pst_str passed_response_headers[FORWARD_RESPONSE_HEADERS] =
    {
        {"Content-Type", 12},
        {"Content-Length", 14},
        {"Content-Encoding", 16},
        {"Content-Language", 16},
        {"ETag", 4},
        {"Last-Modified", 13},
        {"Allow", 5},
        {"Retry-After", 11},
        {"Vary", 4},
};

/* Headers of one request to the backend: those of the client, three of
 * X-Forwarded-*, two of the trace, the token, and three about bodies. */
#define REQUEST_HEADERS_MAX \
    (CONFIG_DEFAULT_FORWARD_COUNT + CONFIG_FORWARD_MAX + 9)

struct headers {
    struct http_header list[REQUEST_HEADERS_MAX];
    size_t count;
};

static void
add_backend_header(struct headers *headers, struct pst_str name,
                   struct pst_str value)
{
    if (pst_str_is_absent(value))
        return;
    PST_REQUIRE(headers->count < REQUEST_HEADERS_MAX);
    headers->list[headers->count++] = (struct http_header){name, value};
}

/* Trace context (W3C Trace Context, section 3.2). */

static bool
is_lower_hex(struct pst_str text)
{
    bool all_zero = true;

    for (size_t i = 0; i < text.len; i++) {
        if (pst_hex_value(text.ptr[i]) < 0 ||
            pst_lower(text.ptr[i]) != text.ptr[i])
            return false;
        all_zero = all_zero && text.ptr[i] == '0';
    }
    return !all_zero;
}

/* "00-<32 hex>-<16 hex>-<2 hex>", neither id all zeros. */
static bool
is_traceparent(struct pst_str text)
{
    static const struct pst_str version = {"00-", 3};

    return text.len == 55 && pst_str_starts(text, version) &&
           text.ptr[35] == '-' && text.ptr[52] == '-' &&
           is_lower_hex(pst_str_first(pst_str_skip(text, 3), 32)) &&
           is_lower_hex(pst_str_first(pst_str_skip(text, 36), 16)) &&
           pst_hex_value(text.ptr[53]) >= 0 && pst_hex_value(text.ptr[54]) >= 0;
}

/* All exchanges of one request are one trace, and its one span. */
static enum pst_err
make_traceparent(const struct request *req, struct pst_str *out)
{
    uint8_t ids[REQUEST_TRACE_LEN];
    struct pst_buf buf;

    memcpy(ids, req->trace, sizeof(ids));
    ids[0] |= 1; /* neither id may be all zeros */
    ids[16] |= 1;
    pst_buf_init_arena(&buf, req->arena, 55);
    pst_buf_add_string(&buf, "00-");
    pst_buf_add_hex(&buf, (struct pst_bytes){ids, 16});
    pst_buf_add_char(&buf, '-');
    pst_buf_add_hex(&buf, (struct pst_bytes){ids + 16, 8});
    pst_buf_add_string(&buf, "-00");
    return pst_buf_finish(&buf, out);
}

static enum pst_err
add_trace_headers(const struct request *req, enum forward_headers kind,
                  struct headers *headers)
{
    struct pst_str parent = request_header(req, PST_STR("traceparent"));
    enum pst_err e;

    if (kind != FORWARD_WHO && is_traceparent(parent)) {
        add_backend_header(headers, PST_STR("traceparent"), parent);
        add_backend_header(headers, PST_STR("tracestate"),
                           request_header(req, PST_STR("tracestate")));
        return PST_OK;
    }
    e = make_traceparent(req, &parent);
    if (e)
        return e;
    add_backend_header(headers, PST_STR("traceparent"), parent);
    return PST_OK;
}

/* The request. */

/* Set, never appended to: what the client says of itself is not evidence. */
static void
add_forwarded_headers(const struct context *ctx, const struct request *req,
                      struct headers *headers)
{
    struct pst_str host = request_own_origin(req, ctx->config->origin);
    struct pst_str scheme;

    add_backend_header(headers, PST_STR("X-Forwarded-For"), req->remote_addr);
    if (pst_str_is_absent(host) || !pst_str_split(&host, ':', &scheme))
        return;
    add_backend_header(headers, PST_STR("X-Forwarded-Proto"), scheme);
    add_backend_header(headers, PST_STR("X-Forwarded-Host"),
                       pst_str_skip(host, 2));
}

/* What the body is, and how the answer is to come, is for us to say. */
static bool
is_body_header(struct pst_str name)
{
    return pst_str_equal_nocase(name, PST_STR("Content-Type")) ||
           pst_str_equal_nocase(name, PST_STR("Content-Encoding"));
}

/* Of the client's headers, those on the list (gateway/cors.h) and no other. An
 * answer that we have to read must come as it is. */
static void
add_client_headers(const struct context *ctx, const struct request *req,
                   bool is_buffered, struct headers *headers)
{
    for (size_t i = 0;; i++) {
        struct pst_str name = cors_get_forward_header(ctx->config, i);
        bool is_coding = pst_str_equal(name, PST_STR("Accept-Encoding"));

        if (pst_str_is_absent(name))
            break;
        if (!is_body_header(name) && !(is_buffered && is_coding))
            add_backend_header(headers, name, request_header(req, name));
    }
    if (is_buffered)
        add_backend_header(headers, PST_STR("Accept-Encoding"),
                           PST_STR("identity"));
}

/* A client that speaks the newer type wants its statuses for logins, too. */
static struct pst_str
accepted_login_type(const struct request *req)
{
    if (pst_str_contains(req->accept,
                         PST_STR("application/graphql-response+json")))
        return PST_STR("application/graphql-response+json, "
                       "application/json;q=0.9");
    return PST_STR("application/json");
}

/* Beside a request of our own, only what is about language and channel. */
static void
add_own_headers(const struct context *ctx, const struct request *req,
                enum forward_headers kind, struct headers *headers)
{
    add_backend_header(headers, PST_STR("Accept-Encoding"),
                       PST_STR("identity"));
    if (kind == FORWARD_WHO) {
        add_backend_header(headers, PST_STR("Accept"),
                           PST_STR("application/json"));
        return;
    }
    add_backend_header(headers, PST_STR("Accept"), accepted_login_type(req));
    for (size_t i = 0; i < PST_COUNT(own_request_headers); i++)
        add_backend_header(headers, own_request_headers[i],
                           request_header(req, own_request_headers[i]));
    for (size_t i = 0; i < ctx->config->forward_header_count; i++)
        add_backend_header(
            headers, ctx->config->forward_headers[i],
            request_header(req, ctx->config->forward_headers[i]));
}

/* The backend's token or cookies. */
static enum pst_err
add_credentials_header(const struct request *req, struct pst_str upstream,
                       struct headers *headers)
{
    struct pst_str name;
    struct pst_str value;
    enum pst_err e =
        credentials_emit_header(req->arena, upstream, &name, &value);

    if (!e)
        add_backend_header(headers, name, value);
    return e;
}

static bool
has_outgoing_body(const struct forward_request *outgoing)
{
    return !pst_str_is_absent(outgoing->body) || outgoing->read;
}

static enum pst_err
make_backend_headers(struct context *ctx, const struct request *req,
                     const struct forward_request *outgoing, bool is_buffered,
                     struct headers *headers)
{
    enum pst_err e;

    headers->count = 0;
    if (outgoing->headers == FORWARD_CLIENT)
        add_client_headers(ctx, req, is_buffered, headers);
    else
        add_own_headers(ctx, req, outgoing->headers, headers);
    if (has_outgoing_body(outgoing))
        add_backend_header(headers, PST_STR("Content-Type"),
                           pst_str_is_absent(outgoing->type)
                               ? PST_STR("application/json")
                               : outgoing->type);
    e = add_credentials_header(req, outgoing->upstream, headers);
    if (e)
        return e;
    add_forwarded_headers(ctx, req, headers);
    return add_trace_headers(req, outgoing->headers, headers);
}

/* The exchange. */

/* What the functions that http_client_run() calls work on. */
struct forwarding {
    struct context *ctx;
    struct request *req;
    struct response *res; /* streamed into; NULL: held */
    const struct forward_request *outgoing;
    size_t body_sent; /* bytes of outgoing->body */
    struct forward_response *response;
    const struct forward_hook *hook;
    struct pst_buf buffered;
    bool has_length;       /* the answer told its length */
    bool is_redirect;      /* and so refused */
    bool is_broken_upload; /* outgoing->read failed: not the backend's fault */
};

static enum pst_err
read_own_body(void *context, char *out, size_t size, size_t *len)
{
    struct forwarding *forwarding = context;
    struct pst_str piece = pst_str_first(
        pst_str_skip(forwarding->outgoing->body, forwarding->body_sent), size);

    memcpy(out, piece.ptr, piece.len);
    forwarding->body_sent += piece.len;
    *len = piece.len;
    return PST_OK;
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
    forwarding->is_broken_upload = e != PST_OK;
    return e;
}

static struct pst_str
get_passed_header_name(struct pst_str name)
{
    for (size_t i = 0; i < PST_COUNT(passed_response_headers); i++) {
        if (pst_str_equal_nocase(name, passed_response_headers[i]))
            return passed_response_headers[i];
    }
    return PST_STR_NONE;
}

/* A token that could not be sent back is none. */
static enum pst_err
receive_token(struct forwarding *forwarding, struct pst_str value)
{
    if (value.len > 0 && !pst_str_is_field_value(value))
        return PST_OK;
    return pst_arena_copy(forwarding->req->arena, value,
                          &forwarding->response->update.token);
}

/* A line too many is no line: the jar would not hold it either. */
static enum pst_err
receive_cookie(struct forwarding *forwarding, struct pst_str value)
{
    struct credentials_update *update = &forwarding->response->update;

    if (update->cookie_count == CREDENTIALS_COOKIES_MAX)
        return PST_OK;
    return pst_arena_copy(forwarding->req->arena, value,
                          &update->cookies[update->cookie_count++]);
}

/* Headers that are lists: several lines of one are one list (RFC 9110
 * section 5.3). */
static bool
is_list_header(struct pst_str name)
{
    return pst_str_equal(name, PST_STR("Vary")) ||
           pst_str_equal(name, PST_STR("Allow")) ||
           pst_str_equal(name, PST_STR("Content-Language"));
}

/* Keep an allowed header; of one that is no list, the last line counts. */
static enum pst_err
keep_response_header(struct forwarding *forwarding, struct pst_str name,
                     struct pst_str value)
{
    struct forward_response *response = forwarding->response;
    struct pst_buf joined;
    struct pst_str had;
    size_t i = 0;

    while (i < response->header_count &&
           !pst_str_equal(response->headers[i].name, name))
        i++;
    had = response->headers[i].value;
    response->headers[i].name = name;
    if (i == response->header_count) {
        response->header_count++;
        had = PST_STR_NONE;
    }
    pst_buf_init_arena(&joined, forwarding->req->arena,
                       had.len + value.len + 2);
    if (had.len > 0 && is_list_header(name)) {
        pst_buf_add(&joined, had);
        pst_buf_add_string(&joined, ", ");
    }
    pst_buf_add(&joined, value);
    return pst_buf_finish(&joined, &response->headers[i].value);
}

static enum pst_err
receive_header(void *context, struct pst_str name, struct pst_str value)
{
    struct forwarding *forwarding = context;
    struct forward_response *response = forwarding->response;
    const struct config_backend *backend = &forwarding->ctx->config->backend;
    struct pst_str known = get_passed_header_name(name);

    if (backend->token_location == TOKEN_IN_HEADER &&
        pst_str_equal_nocase(name, backend->token))
        return receive_token(forwarding, value);
    if (backend->token_location == TOKEN_IN_COOKIE &&
        pst_str_equal_nocase(name, PST_STR("Set-Cookie")))
        return receive_cookie(forwarding, value);
    if (pst_str_equal_nocase(name, PST_STR("Location")))
        return pst_arena_copy(forwarding->req->arena, value,
                              &response->location);
    if (pst_str_is_absent(known) || !pst_str_is_field_value(value))
        return PST_OK;
    if (pst_str_equal(known, PST_STR("Content-Encoding")))
        response->encoded = !pst_str_equal_nocase(value, PST_STR("identity"));
    return keep_response_header(forwarding, known, value);
}

static void
copy_response_headers(struct response *res,
                      const struct forward_response *response)
{
    response_set_status(res, response->status);
    for (size_t i = 0; i < response->header_count; i++) {
        const struct response_header *header = &response->headers[i];

        if (pst_str_equal(header->name, PST_STR("Vary")))
            response_add_vary(res, header->value);
        else
            response_set_header(res, header->name, header->value);
    }
}

static enum pst_err
receive_head(void *context, int status)
{
    struct forwarding *forwarding = context;
    enum pst_err e;

    forwarding->response->status = status;
    /* Never followed, and the client could not follow it either. */
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
    copy_response_headers(forwarding->res, forwarding->response);
    forwarding->has_length = !pst_str_is_absent(
        response_get_header(forwarding->res, PST_STR("Content-Length")));
    return response_begin(forwarding->res);
}

/*
 * An answer that does not tell its length may be a stream of events: what is
 * there goes on at once. One that does is only a matter of time.
 */
static enum pst_err
receive_body(void *context, struct pst_str piece)
{
    struct forwarding *forwarding = context;
    enum pst_err e;

    if (!forwarding->res) {
        pst_buf_add(&forwarding->buffered, piece);
        return forwarding->buffered.err == PST_TOO_LARGE
                   ? PST_UPSTREAM_BROKEN
                   : forwarding->buffered.err;
    }
    e = response_write(forwarding->res, piece);
    if (e || forwarding->has_length)
        return e;
    return response_flush(forwarding->res);
}

static int64_t
body_length(const struct forward_request *outgoing)
{
    if (!pst_str_is_absent(outgoing->body))
        return (int64_t)outgoing->body.len;
    return outgoing->read ? -1 : 0;
}

static void
log_backend_failure(const struct forwarding *forwarding,
                    const struct http_client *upstream, enum pst_err e)
{
    struct log *log = forwarding->ctx->log;

    if (forwarding->is_redirect)
        LOG_EVENT(log, LEVEL_WARNING, "backend-redirects",
                  LOG_C_STRING("request", forwarding->req->id),
                  LOG_NUMBER("status", forwarding->response->status),
                  LOG_STR("target", forwarding->response->location));
    else
        LOG_EVENT(log, LEVEL_WARNING, "backend-failed",
                  LOG_C_STRING("request", forwarding->req->id),
                  LOG_C_STRING("cause", pst_err_code(e)),
                  LOG_C_STRING("reason", http_client_error(upstream)));
}

/* While one answer's head is looked at, another request needs a connection of
 * its own; kept for the next time. */
static enum pst_err
pick_http_client(struct context *ctx, struct http_client **out)
{
    enum pst_err e = PST_OK;

    *out = ctx->upstream;
    if (!ctx->is_upstream_busy)
        return PST_OK;
    if (!ctx->upstream_nested)
        e = http_client_copy(ctx->upstream, &ctx->upstream_nested);
    if (!e)
        *out = ctx->upstream_nested;
    return e;
}

static enum pst_err
run_forwarding(struct forwarding *forwarding,
               const struct forward_request *outgoing)
{
    struct context *ctx = forwarding->ctx;
    struct request *req = forwarding->req;
    bool was_exchanging = ctx->is_upstream_busy;
    struct http_exchange exchange;
    struct http_client *upstream;
    struct headers *headers;
    enum pst_err e;

    headers = pst_arena_alloc(req->arena, sizeof(*headers));
    if (!headers)
        return PST_NO_MEMORY;
    forwarding->outgoing = outgoing;
    e = make_backend_headers(ctx, req, outgoing, forwarding->res == NULL,
                             headers);
    if (!e)
        e = pick_http_client(ctx, &upstream);
    if (e)
        return e;
    exchange = (struct http_exchange){
        .method = outgoing->method,
        .query = outgoing->query,
        .headers = headers->list,
        .header_count = headers->count,
        .body_length = body_length(outgoing),
        .context = forwarding,
        .read = pst_str_is_absent(outgoing->body) ? read_streamed_body
                                                  : read_own_body,
        .header = receive_header,
        .head = receive_head,
        .body = receive_body,
        .client = req->source.descriptor,
    };
    ctx->is_upstream_busy = true;
    e = http_client_run(upstream, req->arena, &exchange);
    ctx->is_upstream_busy = was_exchanging;
    if (e && e != PST_CLIENT_GONE && !forwarding->is_broken_upload)
        log_backend_failure(forwarding, upstream, e);
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
    if (e)
        return e;
    return pst_buf_finish(&forwarding.buffered, &response->body);
}

enum pst_err
forward_send_response(struct response *res,
                      const struct forward_response *response,
                      struct pst_str body)
{
    struct pst_buf length;
    char digits[24];
    enum pst_err e;

    copy_response_headers(res, response);
    if (body.ptr != response->body.ptr)
        response_remove_header(res, PST_STR("ETag"));
    pst_buf_init(&length, digits, sizeof(digits));
    pst_buf_add_number(&length, (int64_t)body.len);
    response_set_header(res, PST_STR("Content-Length"), pst_buf_str(&length));
    e = response_begin(res);
    if (e || body.len == 0)
        return e;
    return response_write(res, body);
}
