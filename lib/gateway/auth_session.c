/* SPDX-License-Identifier: ISC */
/*
 * auth_session.c - begin, renew and end sessions: in the store, and by the
 * tokens and cookies of the response.
 */
#include "gateway/auth_session.h"

#include "gateway/session_open.h"
#include "gateway/session_registry.h"
#include "gateway/token_transport.h"

/* A response uses the carrier of its request. A first token uses every method
 * that is on, except a header to a page of our own: its scripts could read it.
 */
static unsigned
token_methods(const struct context *ctx, const struct request *req,
              const struct auth *auth)
{
    unsigned methods = ctx->config->methods;

    switch (auth->carrier) {
    case AUTH_BY_COOKIE:
        return TOKEN_METHOD_COOKIE;
    case AUTH_BY_BEARER:
        return TOKEN_METHOD_BEARER;
    case AUTH_BY_NOTHING:
        break;
    }
    if ((methods & TOKEN_METHOD_COOKIE) &&
        pst_str_equal(req->sec_fetch_site, PST_STR("same-origin")))
        return TOKEN_METHOD_COOKIE;
    return methods;
}

static enum session_cookies_kind
session_cookie_kind(const struct pst_session *session)
{
    return pst_session_is_guest(session) ? SESSION_COOKIES_GUEST
                                         : SESSION_COOKIES_USER;
}

static void
put_session_tokens(struct context *ctx, struct response *res, struct auth *auth,
                   const struct transport *issued)
{
    if (issued->cookie.len > 0)
        response_set_cookie(res, issued->cookie);
    if (issued->bearer.len > 0)
        response_set_header(res, ctx->config->auth_token_header,
                            issued->bearer);
    auth->bearer = issued->bearer;
}

/* Did the request have other cookies of this kind beside the session's? */
static bool
has_other_cookies(const struct auth *auth, enum session_cookies_kind kind)
{
    return auth->cookies.count[kind] > 1 || auth->is_dead[kind];
}

/* Open the guest's cookie beside a user's. One that does not open is not an
 * error. */
static enum pst_err
open_guest_session(struct context *ctx, const struct request *req,
                   struct auth *auth)
{
    struct session_opened opened;
    enum pst_err e;

    if (auth->is_guest_opened || auth->is_dead[SESSION_COOKIES_GUEST])
        return PST_OK;
    e = session_open_cookies(ctx, req, &auth->cookies, SESSION_COOKIES_GUEST,
                             &opened);
    if (e && e != PST_NO_SESSION && !session_is_token_error(e))
        return e;
    auth->is_guest_opened = true;
    auth->has_guest = !e;
    auth->guest = opened.session;
    return PST_OK;
}

/* Is the session a user's? Then a guest's may exist beside it. */
static bool
is_user_session(const struct auth *auth)
{
    return auth->has_session && !pst_session_is_guest(&auth->session);
}

enum pst_err
auth_guest_upstream(struct context *ctx, const struct request *req,
                    struct auth *auth, struct pst_str *upstream)
{
    enum pst_err e;

    *upstream = PST_STR_NONE;
    if (!is_user_session(auth)) {
        *upstream = auth_upstream(auth);
        return PST_OK;
    }
    e = open_guest_session(ctx, req, auth);
    if (!e && auth->has_guest)
        *upstream = auth->guest.upstream;
    return e;
}

/*
 * Clear what would conflict with the new cookie: other variants of its name;
 * the cookie of the session before it; for a user, a guest's and that of the
 * older name. A new guest's cookie leaves a user's alone, unless it replaces
 * it.
 */
static void
clear_replaced_cookies(const struct context *ctx, struct response *res,
                       const struct auth *auth, const struct auth *fresh)
{
    enum session_cookies_kind kind = session_cookie_kind(&fresh->session);
    const size_t *count = auth->cookies.count;

    if (has_other_cookies(auth, kind))
        session_cookies_clear(ctx->config, res, kind);
    if (is_user_session(fresh)) {
        if (count[SESSION_COOKIES_GUEST] > 0)
            session_cookies_clear(ctx->config, res, SESSION_COOKIES_GUEST);
        if (count[SESSION_COOKIES_OLDER] > 0)
            session_cookies_clear(ctx->config, res, SESSION_COOKIES_OLDER);
    } else if (is_user_session(auth) && count[SESSION_COOKIES_USER] > 0) {
        session_cookies_clear(ctx->config, res, SESSION_COOKIES_USER);
    }
}

/* How often a session is sealed. In the second of a "log out everywhere" it is
 * sealed again with a later start; another such second right after it is too
 * busy. */
#define ISSUE_TRIES_MAX 3

/* The sessions that a new one ends: the session before it, and, where a user's
 * replaces a user's, the guest's beside it. */
static enum pst_err
find_replaced_sessions(struct context *ctx, const struct request *req,
                       struct auth *auth, const struct auth *fresh,
                       struct registry_replacement *replaced)
{
    enum pst_err e = PST_OK;

    replaced->old = auth->has_session ? &auth->session : NULL;
    if (is_user_session(fresh) && is_user_session(auth))
        e = open_guest_session(ctx, req, auth);
    if (!e && is_user_session(fresh) && is_user_session(auth) &&
        auth->has_guest)
        replaced->guest = &auth->guest;
    return e;
}

/*
 * Seal the new session, replace the old one by it in one step of the store, and
 * only then put it into the response: if a step fails, nothing is issued.
 */
static enum pst_err
establish_session(struct context *ctx, const struct request *req,
                  struct response *res, struct auth *auth, struct auth *fresh)
{
    struct registry_replacement replaced = {.requires_old =
                                                !fresh->is_by_password};
    enum pst_err e = find_replaced_sessions(ctx, req, auth, fresh, &replaced);
    struct transport issued;

    if (!e)
        e = PST_EXPIRED;
    for (unsigned i = 0; i < ISSUE_TRIES_MAX && e == PST_EXPIRED; i++) {
        e = transport_issue(ctx, res->arena, token_methods(ctx, req, auth),
                            &fresh->session, &issued);
        if (e)
            return e;
        replaced.blob = issued.blob;
        e = registry_replace(ctx, req, &replaced, &fresh->session);
    }
    if (e == PST_REVOKED)
        LOG_EVENT(ctx->log, LEVEL_INFO, "session-revoked-meanwhile",
                  LOG_C_STRING("request", req->id),
                  LOG_C_STRING("session",
                               auth_log_id(auth, (char[AUTH_LOG_ID_SIZE]){0})));
    if (e)
        return e == PST_EXPIRED ? PST_OVERLOADED : e;
    clear_replaced_cookies(ctx, res, auth, fresh);
    put_session_tokens(ctx, res, fresh, &issued);
    *auth = *fresh;
    return PST_OK;
}

/*
 * Set the times of a session that begins. With a refresh token it does not end
 * with the backend's token. A token whose end is unknown cannot be refreshed in
 * time, so its refresh token is not kept: one secret less.
 */
static enum pst_err
start_session_clocks(const struct context *ctx, const struct auth_grant *grant,
                     struct pst_session *session)
{
    int64_t backend_end = grant->backend_end;

    if (!pst_str_is_absent(grant->refresh) && backend_end > ctx->now) {
        session->refresh = grant->refresh;
        session->token_begun = ctx->now;
        session->token_end = backend_end;
        backend_end = 0;
    }
    return pst_session_start(session, &ctx->config->timeouts, ctx->now,
                             backend_end);
}

enum pst_err
auth_begin_session(struct context *ctx, const struct request *req,
                   struct response *res, struct auth *auth,
                   const struct auth_grant *grant)
{
    struct auth fresh = {.carrier = auth->carrier,
                         .has_session = true,
                         .is_by_password = grant->by_password};
    struct pst_session *session = &fresh.session;
    enum pst_err e;

    session->sub = grant->sub;
    session->name = grant->name;
    session->who = grant->who;
    session->upstream = grant->upstream;
    session->known = grant->is_unknown    ? PST_IDENTITY_UNKNOWN
                     : grant->sub.len > 0 ? PST_IDENTITY_KNOWN
                                          : PST_IDENTITY_GUEST;
    session->asked = grant->asked;
    session->remember = grant->remember;
    /* Always a new id. Session fixation: a cookie that an attacker planted
     * before the login is worth nothing after it. */
    e = ctx->random(session->sid, sizeof(session->sid));
    if (e)
        return e;
    e = start_session_clocks(ctx, grant, session);
    if (e)
        return e;
    fresh.has_log_id = true;
    return establish_session(ctx, req, res, auth, &fresh);
}

/*
 * A session that was revoked while this request was processed stays revoked:
 * the token issued here has its id, which the registry refuses.
 */
enum pst_err
auth_renew_session(struct context *ctx, const struct request *req,
                   struct response *res, struct auth *auth)
{
    enum session_cookies_kind kind = session_cookie_kind(&auth->session);
    struct transport issued;
    enum pst_err e;

    e = registry_check(ctx, req, &auth->session);
    if (e)
        return e;
    pst_session_touch(&auth->session, &ctx->config->timeouts, ctx->now);
    e = transport_reissue(ctx, res->arena, token_methods(ctx, req, auth),
                          &auth->session, &issued);
    if (e)
        return e == PST_TOO_LARGE ? PST_INTERNAL
                                  : registry_log_store_error(ctx, req, e);
    /* An error only leaves the user's list of sessions a little behind. */
    (void)!registry_touch(ctx, req, &auth->session);
    if (!auth->keeps_dead_cookies && has_other_cookies(auth, kind))
        session_cookies_clear(ctx->config, res, kind);
    put_session_tokens(ctx, res, auth, &issued);
    auth->is_renewal_due = false;
    return PST_OK;
}

enum pst_err
auth_renew_if_due(struct context *ctx, const struct request *req,
                  struct response *res, struct auth *auth)
{
    /* A renewal leaves one of several copies, in the configured variant. */
    bool has_copies =
        auth->carrier == AUTH_BY_COOKIE && !auth->keeps_dead_cookies &&
        has_other_cookies(auth, session_cookie_kind(&auth->session));
    enum pst_err e;

    if (!auth->has_session || (!auth->is_renewal_due && !has_copies))
        return PST_OK;
    e = auth_renew_session(ctx, req, res, auth);
    if (e == PST_REVOKED)
        auth->has_session = false;
    return e == PST_REVOKED || e == PST_STORE_DOWN ? PST_OK : e;
}

enum pst_err
auth_end_session(struct context *ctx, const struct request *req,
                 struct response *res, struct auth *auth)
{
    bool is_set = auth->has_session || auth->is_unchecked;
    unsigned methods = token_methods(ctx, req, auth);
    enum pst_err e = PST_OK;

    if (methods & TOKEN_METHOD_COOKIE)
        session_cookies_clear(ctx->config, res,
                              is_set ? session_cookie_kind(&auth->session)
                                     : SESSION_COOKIES_USER);
    if (methods & TOKEN_METHOD_BEARER)
        auth_clear_bearer(ctx, req, res);
    if (is_set)
        e = registry_revoke(ctx, req, &auth->session);
    auth->has_session = false;
    auth->is_unchecked = false;
    auth->is_renewal_due = false;
    return e;
}

enum pst_err
auth_end_browser_sessions(struct context *ctx, const struct request *req,
                          struct response *res, struct auth *auth)
{
    bool has_guest_beside = is_user_session(auth);
    enum pst_err guest = PST_OK;
    enum pst_err e = auth_end_session(ctx, req, res, auth);

    if (!(token_methods(ctx, req, auth) & TOKEN_METHOD_COOKIE))
        return e;
    if (has_guest_beside)
        guest = open_guest_session(ctx, req, auth);
    if (!guest && auth->has_guest)
        guest = registry_revoke(ctx, req, &auth->guest);
    /* The user's cookie last: curl (7.88 and before) with one file for -b and
     * -c keeps only the clearing of the last line. */
    for (unsigned kind = SESSION_COOKIES_KINDS; kind-- > 0;) {
        if (kind == SESSION_COOKIES_USER || auth->cookies.count[kind] > 0)
            session_cookies_clear(ctx->config, res, kind);
    }
    return e ? e : guest;
}
