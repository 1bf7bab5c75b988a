/* SPDX-License-Identifier: ISC */
/*
 * cors.c - the answers that let a listed origin's page work with us.
 */
#include "gateway/cors.h"

#include "base/limits.h"
#include "http/origin.h"
#include "server/config_check.h"

/* How long a browser may remember a preflight: Chromium's own ceiling. */
#define MAX_AGE "7200"

struct pst_text
cors_passed_header(const struct config *config, size_t index)
{
    if (index < CONFIG_PASSED_COUNT)
        return config_passed_headers[index];
    index -= CONFIG_PASSED_COUNT;
    return index < config->forward_header_count ? config->forward_headers[index]
                                                : PST_NO_TEXT;
}

static bool
is_listed(const struct config *config, const struct request *req)
{
    const struct pst_origin_rules rules = {PST_NO_TEXT, config->origins,
                                           config->origin_count};

    return pst_origin_is_listed(&rules, req->origin);
}

/* What a page may read besides: our token, and how long it is to wait. */
static void
expose(const struct config *config, struct reply *rep)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, rep->arena, PST_HEADERS_MAX);
    if (config->methods & METHOD_BEARER) {
        pst_buf_add(&buf, config->auth_token_header);
        pst_buf_add_string(&buf, ", ");
    }
    pst_buf_add_string(&buf, "Retry-After");
    reply_put(rep, PST_TEXT("Access-Control-Expose-Headers"),
              pst_buf_text(&buf));
}

void
cors_allow(const struct gate *gate, const struct request *req,
           struct reply *rep)
{
    const struct config *config = gate->config;

    reply_vary(rep, PST_TEXT("Origin"));
    if (!is_listed(config, req))
        return;
    reply_put(rep, PST_TEXT("Access-Control-Allow-Origin"), req->origin);
    reply_put(rep, PST_TEXT("Access-Control-Allow-Credentials"),
              PST_TEXT("true"));
    expose(config, rep);
}

static void
emit_passed(struct pst_buf *buf, const struct config *config)
{
    pst_buf_add_string(buf, "Authorization, traceparent, tracestate");
    for (size_t i = 0;; i++) {
        struct pst_text name = cors_passed_header(config, i);

        if (pst_text_is_absent(name))
            return;
        pst_buf_add_string(buf, ", ");
        pst_buf_add(buf, name);
    }
}

enum pst_err
cors_preflight(const struct gate *gate, const struct request *req,
               struct reply *rep, const char *methods)
{
    struct pst_text names;
    struct pst_buf buf;
    enum pst_err e;

    reply_set_status(rep, 204);
    reply_put(rep, PST_TEXT("Allow"), pst_text_from(methods));
    reply_vary(rep, PST_TEXT("Access-Control-Request-Method, "
                             "Access-Control-Request-Headers"));
    if (!is_listed(gate->config, req))
        return reply_begin(rep);
    pst_buf_init_arena(&buf, rep->arena, PST_PAGE_MAX);
    emit_passed(&buf, gate->config);
    e = pst_buf_end(&buf, &names);
    if (e)
        return e;
    reply_put(rep, PST_TEXT("Access-Control-Allow-Methods"),
              pst_text_from(methods));
    reply_put(rep, PST_TEXT("Access-Control-Allow-Headers"), names);
    reply_put(rep, PST_TEXT("Access-Control-Max-Age"), PST_TEXT(MAX_AGE));
    return reply_begin(rep);
}
