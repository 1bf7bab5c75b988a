/* SPDX-License-Identifier: ISC */
/*
 * forward_headers.c - make the headers of a request to the backend: the
 * client's that are listed, our own, and the session's credentials.
 */
#include "gateway/forward_headers.h"

#include <assert.h>

#include "gateway/cors.h"
#include "gateway/trace_context.h"
#include "server/request_origin.h"

static_assert(REQUEST_TRACE_LEN == TRACE_CONTEXT_IDS_LEN,
              "a request has the random bytes of one traceparent");

/* The client's headers that go along with a login of our own making. */
static const struct pst_str login_headers[] = {
    {"Accept-Language", 15},
    {"vendure-token", 13},
};

static void
add_header(struct forward_header_list *headers, struct pst_str name,
           struct pst_str value)
{
    if (pst_str_is_absent(value))
        return;
    PST_REQUIRE(headers->count < FORWARD_HEADERS_MAX);
    headers->list[headers->count++] = (struct http_header){name, value};
}

/* Add the client's trace, or one of our own: all exchanges of one request are
 * the same trace and span. */
static enum pst_err
add_trace_headers(const struct request *req, enum forward_headers kind,
                  struct forward_header_list *headers)
{
    struct pst_str parent = request_header(req, PST_STR("traceparent"));
    enum pst_err e;

    if (kind != FORWARD_WHO && trace_context_is_parent(parent)) {
        add_header(headers, PST_STR("traceparent"), parent);
        add_header(headers, PST_STR("tracestate"),
                   request_header(req, PST_STR("tracestate")));
        return PST_OK;
    }
    e = trace_context_make_parent(req->arena, req->trace, &parent);
    if (e)
        return e;
    add_header(headers, PST_STR("traceparent"), parent);
    return PST_OK;
}

/* Set and never appended to: a client could put any address into its own
 * X-Forwarded-For. */
static void
add_forwarded_headers(const struct context *ctx, const struct request *req,
                      struct forward_header_list *headers)
{
    struct pst_str host = request_own_origin(req, ctx->config->origin);
    struct pst_str scheme;

    add_header(headers, PST_STR("X-Forwarded-For"), req->remote_addr);
    if (pst_str_is_absent(host) || !pst_str_split(&host, ':', &scheme))
        return;
    add_header(headers, PST_STR("X-Forwarded-Proto"), scheme);
    add_header(headers, PST_STR("X-Forwarded-Host"), pst_str_skip(host, 2));
}

/* The body is ours: these do not pass from the client. */
static bool
is_body_header(struct pst_str name)
{
    return pst_str_equal_nocase(name, PST_STR("Content-Type")) ||
           pst_str_equal_nocase(name, PST_STR("Content-Encoding"));
}

/* The client's headers that are on the list (gateway/cors.h). */
static void
add_client_headers(const struct context *ctx, const struct request *req,
                   bool is_buffered, struct forward_header_list *headers)
{
    for (size_t i = 0;; i++) {
        struct pst_str name = cors_get_forward_header(ctx->config, i);
        bool is_coding = pst_str_equal(name, PST_STR("Accept-Encoding"));

        if (pst_str_is_absent(name))
            break;
        if (!is_body_header(name) && !(is_buffered && is_coding))
            add_header(headers, name, request_header(req, name));
    }
    if (is_buffered)
        add_header(headers, PST_STR("Accept-Encoding"), PST_STR("identity"));
}

/* A client that accepts the newer media type gets its statuses for logins,
 * too. */
static struct pst_str
get_login_accept(const struct request *req)
{
    if (request_accepts(req, PST_STR("application/graphql-response+json")))
        return PST_STR("application/graphql-response+json, "
                       "application/json;q=0.9");
    return PST_STR("application/json");
}

/* For a request of our own making. */
static void
add_own_headers(const struct context *ctx, const struct request *req,
                enum forward_headers kind, struct forward_header_list *headers)
{
    const struct config *config = ctx->config;

    add_header(headers, PST_STR("Accept-Encoding"), PST_STR("identity"));
    if (kind == FORWARD_WHO) {
        add_header(headers, PST_STR("Accept"), PST_STR("application/json"));
        return;
    }
    add_header(headers, PST_STR("Accept"), get_login_accept(req));
    for (size_t i = 0; i < PST_COUNT(login_headers); i++)
        add_header(headers, login_headers[i],
                   request_header(req, login_headers[i]));
    for (size_t i = 0; i < config->forward_header_count; i++)
        add_header(headers, config->forward_headers[i],
                   request_header(req, config->forward_headers[i]));
}

static enum pst_err
add_credentials_header(const struct request *req, struct pst_str upstream,
                       struct forward_header_list *headers)
{
    struct pst_str name;
    struct pst_str value;
    enum pst_err e =
        credentials_emit_header(req->arena, upstream, &name, &value);

    if (!e)
        add_header(headers, name, value);
    return e;
}

enum pst_err
forward_make_headers(const struct context *ctx, const struct request *req,
                     const struct forward_request *outgoing, bool is_buffered,
                     struct forward_header_list *out)
{
    enum pst_err e;

    out->count = 0;
    if (outgoing->headers == FORWARD_CLIENT)
        add_client_headers(ctx, req, is_buffered, out);
    else
        add_own_headers(ctx, req, outgoing->headers, out);
    if (!pst_str_is_absent(outgoing->body) || outgoing->read)
        add_header(out, PST_STR("Content-Type"),
                   pst_str_is_absent(outgoing->type)
                       ? PST_STR("application/json")
                       : outgoing->type);
    e = add_credentials_header(req, outgoing->upstream, out);
    if (e)
        return e;
    add_forwarded_headers(ctx, req, out);
    return add_trace_headers(req, outgoing->headers, out);
}
