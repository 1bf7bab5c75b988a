/* SPDX-License-Identifier: ISC */
/*
 * cors.c - CORS: allow the pages of listed origins to send requests and read
 * the responses.
 */
#include "gateway/cors.h"

#include "base/limits.h"
#include "http/origin.h"
#include "server/config_names.h"

/* Seconds for which a browser may cache a preflight: the limit of Chromium. */
#define MAX_AGE "7200"

struct pst_str
cors_get_forward_header(const struct config *config, size_t index)
{
    if (index < CONFIG_DEFAULT_FORWARD_COUNT)
        return config_default_forward_headers[index];
    index -= CONFIG_DEFAULT_FORWARD_COUNT;
    return index < config->forward_header_count ? config->forward_headers[index]
                                                : PST_STR_NONE;
}

static bool
cors_is_origin_listed(const struct config *config, const struct request *req)
{
    const struct pst_origin_rules rules = {PST_STR_NONE, config->origins,
                                           config->origin_count};

    return pst_origin_is_listed(&rules, req->origin);
}

/* Let a page read the token header and Retry-After. */
static void
cors_expose_headers(const struct config *config, struct response *res)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, res->arena, PST_HEADERS_MAX);
    if (config->methods & TOKEN_METHOD_BEARER) {
        pst_buf_add(&buf, config->auth_token_header);
        pst_buf_add_string(&buf, ", ");
    }
    pst_buf_add_string(&buf, "Retry-After");
    response_set_header(res, PST_STR("Access-Control-Expose-Headers"),
                        pst_buf_str(&buf));
}

void
cors_allow_origin(const struct context *ctx, const struct request *req,
                  struct response *res)
{
    const struct config *config = ctx->config;

    response_add_vary(res, PST_STR("Origin"));
    if (!cors_is_origin_listed(config, req))
        return;
    response_set_header(res, PST_STR("Access-Control-Allow-Origin"),
                        req->origin);
    response_set_header(res, PST_STR("Access-Control-Allow-Credentials"),
                        PST_STR("true"));
    cors_expose_headers(config, res);
}

static void
cors_emit_allowed_headers(struct pst_buf *buf, const struct config *config)
{
    pst_buf_add_string(buf, "Authorization, traceparent, tracestate");
    for (size_t i = 0;; i++) {
        struct pst_str name = cors_get_forward_header(config, i);

        if (pst_str_is_absent(name))
            return;
        pst_buf_add_string(buf, ", ");
        pst_buf_add(buf, name);
    }
}

enum pst_err
cors_answer_preflight(const struct context *ctx, const struct request *req,
                      struct response *res, const char *methods)
{
    struct pst_str names;
    struct pst_buf buf;
    enum pst_err e;

    response_set_status(res, 204);
    response_set_header(res, PST_STR("Allow"), pst_str_from(methods));
    response_add_vary(res, PST_STR("Access-Control-Request-Method, "
                                   "Access-Control-Request-Headers"));
    if (!cors_is_origin_listed(ctx->config, req))
        return response_begin(res);
    pst_buf_init_arena(&buf, res->arena, PST_PAGE_MAX);
    cors_emit_allowed_headers(&buf, ctx->config);
    e = pst_buf_finish(&buf, &names);
    if (e)
        return e;
    response_set_header(res, PST_STR("Access-Control-Allow-Methods"),
                        pst_str_from(methods));
    response_set_header(res, PST_STR("Access-Control-Allow-Headers"), names);
    response_set_header(res, PST_STR("Access-Control-Max-Age"),
                        PST_STR(MAX_AGE));
    return response_begin(res);
}
