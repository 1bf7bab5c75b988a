/* SPDX-License-Identifier: ISC */
/*
 * session_open.c - open the session of a request: verify its token, its times
 * and revocation; choose among several cookies.
 */
#include "gateway/session_open.h"

#include <string.h>

#include "gateway/session_registry.h"
#include "gateway/token_transport.h"

bool
session_is_token_error(enum pst_err e)
{
    return e == PST_FORGED || e == PST_EXPIRED || e == PST_REVOKED ||
           e == PST_DUPLICATE;
}

enum pst_err
session_open_token(struct context *ctx, const struct request *req,
                   enum pst_purpose purpose, struct pst_str token,
                   struct session_opened *out)
{
    enum pst_err e;

    *out = (struct session_opened){.is_set = false};
    e = transport_verify(ctx, req->arena,
                         (struct transport_token){purpose, token},
                         &out->session, &out->is_from_older_secret);
    if (e)
        return registry_log_store_error(ctx, req, e);
    out->is_set = true;
    e = pst_session_check(&out->session, &ctx->config->timeouts, ctx->now);
    if (e)
        return e;
    e = registry_check(ctx, req, &out->session);
    out->is_unchecked = e == PST_STORE_DOWN;
    return e;
}

static bool
is_same_session(const struct pst_session *a, const struct pst_session *b)
{
    return memcmp(a->sid, b->sid, PST_SID_LEN) == 0;
}

static bool
is_newer_session(const struct pst_session *a, const struct pst_session *b)
{
    return a->seen > b->seen || (a->seen == b->seen && a->iat > b->iat);
}

static void
log_cookie_conflict(const struct context *ctx, const struct request *req,
                    enum session_cookies_kind kind, size_t count)
{
    LOG_EVENT(
        ctx->log, LEVEL_WARNING, "session-cookies-conflict",
        LOG_C_STRING("request", req->id),
        LOG_STR("cookie", session_cookies_describe(ctx->config, kind).name),
        LOG_NUMBER("count", (int64_t)count));
}

/* Is the cookie just opened better than the best one so far? */
static bool
is_better_session(const struct session_opened *candidate, enum pst_err e,
                  const struct session_opened *best, enum pst_err best_e)
{
    if (best_e == PST_OK)
        return e == PST_OK &&
               is_newer_session(&candidate->session, &best->session);
    return e == PST_OK || candidate->is_set;
}

enum pst_err
session_open_cookies(struct context *ctx, const struct request *req,
                     const struct session_cookies *cookies,
                     enum session_cookies_kind kind, struct session_opened *out)
{
    const enum pst_purpose purpose =
        kind == SESSION_COOKIES_GUEST ? PST_PURPOSE_GUEST : PST_PURPOSE_COOKIE;
    size_t count = cookies->count[kind];
    bool is_conflict = count > SESSION_COOKIES_MAX;
    enum pst_err outcome = PST_NO_SESSION;
    struct session_opened candidate;

    *out = (struct session_opened){.is_set = false};
    for (size_t i = 0; i < count && !is_conflict; i++) {
        enum pst_err e = session_open_token(
            ctx, req, purpose, cookies->values[kind][i], &candidate);

        if (e && !session_is_token_error(e)) {
            *out = candidate;
            return e;
        }
        is_conflict = outcome == PST_OK && !e &&
                      !is_same_session(&candidate.session, &out->session);
        if (is_better_session(&candidate, e, out, outcome))
            *out = candidate;
        if (outcome != PST_OK)
            outcome = e;
    }
    if (!is_conflict)
        return outcome;
    log_cookie_conflict(ctx, req, kind, count);
    *out = (struct session_opened){.is_set = false};
    return PST_DUPLICATE;
}
