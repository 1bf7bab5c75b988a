/* SPDX-License-Identifier: ISC */
/*
 * authorize.c - may this visitor have a page that is not ours? Yes, and who
 * it is; or no, and where to log in. Which pages are asked about is the web
 * server's affair: there are no path rules here (L22).
 */
#include "base/buffer.h"
#include "base/limits.h"
#include "codec/date.h"
#include "codec/percent.h"
#include "gateway/auth_session.h"
#include "gateway/program.h"
#include "http/redirect.h"

/*
 * Set by a web server's configuration (never by a client: no header becomes a
 * variable without HTTP_) where the question is asked by a subrequest. Its
 * value is the URI that the browser asked for, and its presence says that the
 * server understands 2xx, 401 and 403 only, as nginx's auth_request does.
 */
#define AUTH_REQUEST_VARIABLE "AUTH_REQUEST"

/* What is told of an allowed visitor, in either role. */
struct identity_header {
    struct pst_str variable; /* to a FastCGI authorizer's server */
    struct pst_str header;   /* to whoever asked a responder */
    struct pst_str value;
};

/* A header can carry it, and a program behind it reads what we wrote. */
static bool
is_header_safe(struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];

        if (byte < 0x20 || byte == 0x7F)
            return false;
    }
    return true;
}

/* White space around it would be lost on the way: " 7" would become "7". */
static bool
is_trimmed(struct pst_str text)
{
    return pst_str_trim(text).len == text.len;
}

/* A name that would become another one on the way is not told at all. */
static struct pst_str
identity_header_name(const struct pst_session *session)
{
    return is_trimmed(session->name) ? session->name : PST_STR("");
}

/*
 * The one way in. PST_FORBIDDEN where an identity cannot be told without
 * being changed: a page behind us must not take one user for another.
 */
static enum pst_err
authorize_allow(struct request *req, struct response *res,
                const struct pst_session *session)
{
    struct identity_header identity_headers[] = {
        {PST_STR("Variable-REMOTE_USER"), PST_STR("X-Session-User"),
         session->sub},
        {PST_STR("Variable-SESSION_SUBJECT"), PST_STR("X-Session-Subject"),
         session->sub},
        {PST_STR("Variable-SESSION_NAME"), PST_STR("X-Session-Name"),
         identity_header_name(session)},
        {PST_STR("Variable-SESSION_EXPIRES"), PST_STR("X-Session-Expires"),
         PST_STR_NONE},
    };
    struct pst_str *expires =
        &identity_headers[PST_COUNT(identity_headers) - 1].value;
    char date[32];
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init(&buf, date, sizeof(date));
    pst_date_emit_rfc3339(&buf, session->exp);
    *expires = pst_buf_str(&buf);
    if (!is_trimmed(session->sub))
        return PST_FORBIDDEN;
    for (size_t i = 0; i < PST_COUNT(identity_headers); i++) {
        if (!is_header_safe(identity_headers[i].value))
            return PST_FORBIDDEN;
        e = response_try_set_header(res,
                                    req->authorizer
                                        ? identity_headers[i].variable
                                        : identity_headers[i].header,
                                    identity_headers[i].value);
        if (e)
            return e;
    }
    return response_send(res, 200, PST_STR("text/plain; charset=utf-8"),
                         PST_STR(""));
}

/* Who it is was confirmed by the backend, within two of the intervals in which
 * query asks it (L37): a session that nobody uses is not asked for. */
static bool
is_identity_confirmed(const struct context *ctx,
                      const struct pst_session *session)
{
    int64_t since =
        session->asked > session->iat ? session->asked : session->iat;

    return ctx->config->backend.revalidate == 0 ||
           ctx->now - since < 2 * ctx->config->backend.revalidate;
}

/*
 * PST_OK for a visitor with a name, from a place that may ask for this. A
 * guest is nobody in particular, and would be let in under no name at all;
 * whose name is not known yet may ask again.
 */
static enum pst_err
authorize_check(struct context *ctx, struct request *req, struct response *res,
                struct auth *auth)
{
    enum pst_err e = auth_open_session(ctx, req, res, auth);

    if (e)
        return e;
    auth_clear_dead_cookies(ctx, res, auth);
    if (!auth->has_session || pst_session_is_guest(&auth->session))
        return PST_NO_SESSION;
    if (auth->session.known == PST_IDENTITY_UNKNOWN)
        return PST_UNCONFIRMED;
    if (!is_identity_confirmed(ctx, &auth->session))
        return PST_NO_SESSION;
    return auth_check_cross_site(ctx, req, auth);
}

/* The part before the query string. */
static struct pst_str
uri_path(struct pst_str uri)
{
    return pst_str_first(uri, pst_str_index(uri, '?'));
}

/*
 * What the browser asked for, as far as that is known. A client may have
 * chosen it: it decides nothing but where a login leads to (L21), and there it
 * is not believed either (http/redirect.h).
 */
static struct pst_str
requested_uri(const struct request *req)
{
    struct pst_str uri = request_variable(req, AUTH_REQUEST_VARIABLE);

    if (pst_str_is_absent(uri) && !req->authorizer)
        uri = request_header(req, PST_STR("X-Forwarded-Uri"));
    if (!pst_str_is_absent(uri))
        return uri;
    uri = request_variable(req, "REQUEST_URI");
    /* A responder that was asked about itself was not told of the page. */
    if (!req->authorizer &&
        pst_str_equal(uri_path(uri), request_variable(req, "SCRIPT_NAME")))
        return PST_STR_NONE;
    return uri;
}

/*
 * The login page's address, with return_to where the wanted page can be asked
 * for again. Absent when the login page itself is what was asked for: sending
 * the browser there would send it in a circle.
 */
static enum pst_err
authorize_login_url(const struct context *ctx, const struct request *req,
                    struct pst_str *out)
{
    struct pst_str login = ctx->config->login_url;
    struct pst_str uri = requested_uri(req);
    struct pst_buf buf;

    login = pst_str_first(login, pst_str_index(login, '#'));
    *out = PST_STR_NONE;
    if (pst_str_equal(uri_path(uri), uri_path(login)))
        return PST_OK;
    *out = login;
    if (!request_has_safe_method(req) || !pst_redirect_is_local(uri))
        return PST_OK;
    pst_buf_init_arena(&buf, req->arena, 4 * PST_RETURN_TO_MAX);
    pst_buf_add(&buf, login);
    pst_buf_add_string(&buf, uri_path(login).len < login.len ? "&" : "?");
    pst_buf_add_string(&buf, "return_to=");
    pst_percent_encode(&buf, uri);
    if (buf.len > PST_RETURN_TO_MAX)
        return PST_OK;
    return pst_buf_finish(&buf, out);
}

/* 401 for a server that turns it into a redirect itself. */
static enum pst_err
authorize_answer_login_url(const struct context *ctx, struct request *req,
                           struct response *res, struct pst_str login)
{
    struct pst_str body;
    struct pst_buf buf;
    enum pst_err e;

    e = response_try_set_header(
        res, PST_STR("X-Login-Location"),
        pst_redirect_choose(login, ctx->config->login_url));
    if (e)
        return e;
    pst_buf_init_arena(&buf, req->arena, 512);
    response_emit_error(&buf, req, PST_NO_SESSION);
    e = pst_buf_finish(&buf, &body);
    if (e)
        return e;
    return response_send_json(res, pst_err_status(PST_NO_SESSION), body);
}

/* No, and why; to a page's reader: no, and please log in. */
static enum pst_err
authorize_refuse(const struct context *ctx, struct request *req,
                 struct response *res, enum pst_err reason)
{
    struct pst_str login;
    enum pst_err e;

    /* Sessions that cannot be checked are no way in, and no reason to have
     * people type their password. Not 503, which is an error to some servers.
     */
    if (reason == PST_STORE_DOWN)
        return PST_STORE_FORBIDS;
    if (reason != PST_NO_SESSION)
        return reason;
    response_add_vary(res, PST_STR("Accept, Sec-Fetch-Mode"));
    if (!request_is_navigation(req))
        return reason;
    e = authorize_login_url(ctx, req, &login);
    if (e)
        return e;
    if (pst_str_is_absent(login))
        return reason;
    if (!pst_str_is_absent(request_variable(req, AUTH_REQUEST_VARIABLE)))
        return authorize_answer_login_url(ctx, req, res, login);
    return response_redirect(res, login, ctx->config->login_url);
}

static enum pst_err
authorize(struct context *ctx, struct request *req, struct response *res)
{
    struct auth auth;
    enum pst_err e = authorize_check(ctx, req, res, &auth);

    /* Not every server passes an authorizer's cookie on (R65); those that do
     * not lose nothing by it. */
    if (!e)
        e = auth_renew_if_due(ctx, req, res, &auth);
    if (!e && !auth.has_session) /* it ended while we looked */
        e = PST_NO_SESSION;
    if (!e)
        e = authorize_allow(req, res, &auth.session);
    return e && !res->begun ? authorize_refuse(ctx, req, res, e) : e;
}

int
main(int argc, char **argv)
{
    return program_serve(argc, argv, "authorize", authorize);
}
