/* SPDX-License-Identifier: ISC */
/*
 * secure_cookie.c - notice that a browser will drop our Secure cookie, because
 * the site is not https.
 */
#include "gateway/secure_cookie.h"

#include <stdatomic.h>

#include "gateway/browser_family.h"
#include "server/request_origin.h"

bool
secure_cookie_is_loopback(struct pst_str origin)
{
    static const struct pst_str hosts[] = {{"http://localhost", 16},
                                           {"http://127.0.0.1", 16},
                                           {"http://[::1]", 12}};

    for (size_t i = 0; i < PST_COUNT(hosts); i++)
        if (pst_str_starts(origin, hosts[i]) &&
            (origin.len == hosts[i].len || origin.ptr[hosts[i].len] == ':'))
            return true;
    return false;
}

static bool
is_safari(const struct request *req)
{
    return pst_str_equal(
        browser_family(request_header(req, PST_STR("User-Agent"))),
        PST_STR("Safari"));
}

static void
log_dropped_cookie(const struct context *ctx, const struct request *req,
                   struct pst_str origin)
{
    static atomic_bool is_logged;

    if (atomic_exchange(&is_logged, true))
        return;
    LOG_EVENT(ctx->log, LEVEL_WARNING, "secure-cookie-dropped",
              LOG_C_STRING("request", req->id), LOG_STR("origin", origin),
              LOG_C_STRING("reason",
                           "browsers drop a Secure cookie that comes over "
                           "http, so that logins have no effect: use https; "
                           "if a proxy in front does, set POSTERN_ORIGIN"));
}

bool
secure_cookie_is_dropped(const struct context *ctx, const struct request *req)
{
    const struct config *config = ctx->config;
    struct pst_str origin = request_own_origin(req, config->origin);
    bool is_dropped;

    if (!config->cookie.secure || !(config->methods & TOKEN_METHOD_COOKIE) ||
        !pst_str_starts(origin, PST_STR("http://")))
        return false;
    is_dropped = secure_cookie_is_loopback(origin)
                     ? is_safari(req)
                     : pst_str_is_absent(req->sec_fetch_site);
    if (is_dropped)
        log_dropped_cookie(ctx, req, origin);
    return is_dropped;
}
