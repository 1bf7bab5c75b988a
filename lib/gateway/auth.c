/* SPDX-License-Identifier: ISC */
/*
 * auth.c - authenticate a request: open its token or cookies, and refuse a
 * request from another site.
 */
#include "gateway/auth.h"

#include "crypto/crypto.h"
#include "gateway/cors.h"
#include "gateway/session_open.h"
#include "gateway/token_transport.h"
#include "http/bearer.h"
#include "http/origin.h"
#include "server/request_origin.h"

const char *
auth_log_id(const struct auth *auth, char id[static AUTH_LOG_ID_SIZE])
{
    uint8_t hash[PST_HASH_LEN];
    struct pst_buf buf;

    pst_buf_init(&buf, id, AUTH_LOG_ID_SIZE);
    if (auth->has_log_id) {
        pst_crypto_sha256((struct pst_bytes){auth->session.sid, PST_SID_LEN},
                          hash);
        pst_buf_add_hex(&buf, (struct pst_bytes){hash, 4});
    }
    pst_buf_add_char(&buf, '\0');
    return id;
}

static void
log_token_refused(const struct context *ctx, const struct request *req,
                  const char *carrier, enum pst_err reason)
{
    LOG_EVENT(ctx->log, LEVEL_INFO, "token-refused",
              LOG_C_STRING("request", req->id),
              LOG_C_STRING("carrier", carrier),
              LOG_C_STRING("cause", pst_err_code(reason)));
}

/* Copy an opened session into auth. e is the result of opening it. */
static void
set_auth_session(const struct context *ctx, struct auth *auth,
                 const struct session_opened *opened, enum pst_err e)
{
    if (!opened->is_set)
        return;
    auth->session = opened->session;
    auth->has_log_id = true;
    auth->was_remembered = opened->session.remember;
    auth->is_unchecked = opened->is_unchecked;
    auth->has_session = !e;
    auth->is_renewal_due =
        !e && (opened->is_from_older_secret ||
               pst_session_is_renewal_due(&auth->session,
                                          &ctx->config->timeouts, ctx->now));
}

/* Issue the token of a new guest session, which is not stored and holds nothing
 * of any user. */
static enum pst_err
issue_empty_token(struct context *ctx, struct pst_arena *arena,
                  struct pst_str *token)
{
    struct pst_session session = {.who = PST_STR("{}"),
                                  .known = PST_IDENTITY_GUEST};
    struct transport issued;
    enum pst_err e = ctx->random(session.sid, sizeof(session.sid));

    if (!e)
        e = pst_session_start(&session, &ctx->config->timeouts, ctx->now, 0);
    if (!e)
        e = transport_issue(ctx, arena, TOKEN_METHOD_BEARER, &session, &issued);
    if (!e)
        *token = issued.bearer;
    return e;
}

void
auth_clear_bearer(struct context *ctx, const struct request *req,
                  struct response *res)
{
    struct pst_str token = PST_STR("");
    enum pst_err e = PST_OK;

    if (pst_str_starts_nocase(request_variable(req, "SERVER_SOFTWARE"),
                              PST_STR("lighttpd")))
        e = issue_empty_token(ctx, res->arena, &token);
    if (!e)
        response_set_header(res, ctx->config->auth_token_header, token);
    else if (!res->deferred_error)
        res->deferred_error = e;
}

static enum pst_err
refuse_bearer_token(struct context *ctx, const struct request *req,
                    struct response *res, enum pst_err reason)
{
    struct pst_buf buf;

    log_token_refused(ctx, req, "bearer", reason);
    auth_clear_bearer(ctx, req, res);
    if (ctx->config->dead_bearer_is_guest)
        return PST_OK;
    pst_buf_init_arena(&buf, res->arena, 256);
    pst_bearer_emit_challenge(&buf, true);
    response_set_header(res, PST_STR("WWW-Authenticate"), pst_buf_str(&buf));
    return PST_FORGED;
}

static enum pst_err
authenticate_bearer(struct context *ctx, const struct request *req,
                    struct response *res, struct auth *auth)
{
    struct session_opened opened = {.is_set = false};
    struct pst_str token;
    enum pst_err e = pst_bearer_parse(req->authorization, &token);

    if (e == PST_NOT_FOUND)
        return PST_OK;
    auth->carrier = AUTH_BY_BEARER;
    res->challenge = PST_STR("Bearer realm=\"postern\"");
    if (!e && token.len == 0)
        return PST_OK; /* a client without a token sends "Bearer" alone */
    if (!e)
        e = session_open_token(ctx, req, PST_PURPOSE_BEARER, token, &opened);
    set_auth_session(ctx, auth, &opened, e);
    return session_is_token_error(e) ? refuse_bearer_token(ctx, req, res, e)
                                     : e;
}

static enum pst_err
authenticate_cookie_kind(struct context *ctx, const struct request *req,
                         enum session_cookies_kind kind, struct auth *auth)
{
    struct session_opened opened;
    enum pst_err e =
        session_open_cookies(ctx, req, &auth->cookies, kind, &opened);

    if (e == PST_NO_SESSION)
        return PST_OK;
    auth->carrier = AUTH_BY_COOKIE;
    set_auth_session(ctx, auth, &opened, e);
    if (!session_is_token_error(e))
        return e;
    log_token_refused(ctx, req, "cookie", e);
    auth->is_dead[kind] = true;
    return PST_OK;
}

/* A guest's cookie is used only where there is no user's session. */
static enum pst_err
authenticate_cookies(struct context *ctx, const struct request *req,
                     struct auth *auth)
{
    enum pst_err e;

    session_cookies_find(ctx->config, req->cookie, &auth->cookies);
    e = authenticate_cookie_kind(ctx, req, SESSION_COOKIES_USER, auth);
    if (!e && !auth->has_session)
        e = authenticate_cookie_kind(ctx, req, SESSION_COOKIES_GUEST, auth);
    return e;
}

enum pst_err
auth_open_session(struct context *ctx, const struct request *req,
                  struct response *res, struct auth *auth)
{
    enum pst_err e = PST_OK;

    *auth = (struct auth){.carrier = AUTH_BY_NOTHING};
    if (ctx->config->methods & TOKEN_METHOD_BEARER) {
        response_add_vary(res, PST_STR("Authorization"));
        e = authenticate_bearer(ctx, req, res, auth);
    }
    if (ctx->config->methods & TOKEN_METHOD_COOKIE) {
        response_add_vary(res, PST_STR("Cookie"));
        if (!e && auth->carrier == AUTH_BY_NOTHING)
            e = authenticate_cookies(ctx, req, auth);
    }
    return e;
}

void
auth_clear_dead_cookies(const struct context *ctx, struct response *res,
                        const struct auth *auth)
{
    for (unsigned kind = 0; kind < SESSION_COOKIES_KINDS; kind++) {
        if (auth->is_dead[kind])
            session_cookies_clear(ctx->config, res, kind);
    }
}

/* A header that a form of another site cannot set: a script that sets it needs
 * a CORS preflight. */
static bool
has_preflight_header(const struct request *req)
{
    static const struct pst_str names[] = {
        {"apollo-require-preflight", 24},
        {"x-apollo-operation-name", 23},
        {"graphql-preflight", 17},
    };

    for (size_t i = 0; i < PST_COUNT(names); i++) {
        if (request_header(req, names[i]).len > 0)
            return true;
    }
    return false;
}

/* A handshake of a WebSocket is a GET, but it opens a channel on which the
 * client acts. The attack: a page of another site opens one with the visitor's
 * cookie; no CORS applies. Browsers always send this header (RFC 6455 section
 * 4.1), and no script can; Apache does not tell an authorizer of Upgrade. */
static bool
is_websocket_handshake(const struct request *req)
{
    return !pst_str_is_absent(
        request_header(req, PST_STR("Sec-WebSocket-Version")));
}

enum pst_err
auth_check_cross_site(struct context *ctx, const struct request *req,
                      const struct auth *auth)
{
    const struct config *config = ctx->config;
    const struct pst_origin_rules rules = {
        request_own_origin(req, config->origin), config->origins,
        config->origin_count};
    const struct pst_origin_facts facts = {
        .origin = req->origin,
        .sec_fetch_site = req->sec_fetch_site,
        .referer = req->referer,
        .safe = request_has_safe_method(req) && !is_websocket_handshake(req),
        /* A token that does not open proves nothing: anyone can make one up. */
        .bearer = auth->carrier == AUTH_BY_BEARER &&
                  (auth->has_session || auth->is_unchecked),
        .form_with_cookie =
            auth->carrier == AUTH_BY_COOKIE &&
            pst_str_equal_nocase(request_media_type(req),
                                 PST_STR("multipart/form-data")),
        .preflighted = has_preflight_header(req),
    };
    enum pst_err e = pst_origin_check(&rules, &facts);

    if (e)
        LOG_EVENT(ctx->log, LEVEL_WARNING, "cross-site-refused",
                  LOG_C_STRING("request", req->id),
                  LOG_STR("origin", req->origin),
                  LOG_STR("sec_fetch_site", req->sec_fetch_site),
                  LOG_STR("own_origin", rules.own));
    return e;
}

static enum pst_err
check_path_and_method(const struct request *req, struct response *res,
                      const char *methods)
{
    if (req->path_info.len > 0)
        return PST_NOT_FOUND;
    if (request_has_method(req, methods))
        return PST_OK;
    response_set_header(res, PST_STR("Allow"), pst_str_from(methods));
    return PST_BAD_METHOD;
}

enum pst_err
authenticate(struct context *ctx, const struct request *req,
             struct response *res, const struct auth_rules *rules,
             struct auth *auth)
{
    enum pst_err site;
    enum pst_err e;

    cors_allow_origin(ctx, req, res);
    e = check_path_and_method(req, res, rules->methods);
    if (e)
        return e;
    if (pst_str_equal(req->method, PST_STR("OPTIONS")))
        return cors_answer_preflight(ctx, req, res, rules->methods);
    e = auth_open_session(ctx, req, res, auth);
    if (e && e != PST_STORE_DOWN)
        return e;
    auth->keeps_dead_cookies = rules->keeps_dead_cookies;
    site = auth_check_cross_site(ctx, req, auth);
    if (site)
        return site;
    if (!auth->keeps_dead_cookies)
        auth_clear_dead_cookies(ctx, res, auth);
    return e;
}

struct pst_str
auth_upstream(const struct auth *auth)
{
    return auth->has_session ? auth->session.upstream : PST_STR_NONE;
}
