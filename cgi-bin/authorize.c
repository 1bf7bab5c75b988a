/* SPDX-License-Identifier: ISC */
/*
 * authorize.c - tell a web server whether a request for one of its own pages
 * has a session: yes, and whose; or no, and where to log in. Which pages need a
 * session is configured in the web server: there are no path rules here.
 */
#include "base/buffer.h"
#include "base/limits.h"
#include "codec/date.h"
#include "codec/percent.h"
#include "gateway/auth_session.h"
#include "gateway/program.h"
#include "gateway/session_refresh.h"
#include "http/redirect.h"
#include "upstream/credentials.h"

/*
 * A web server's configuration sets this variable if it calls authorize by a
 * subrequest, like nginx's auth_request. Its value is the URI that the browser
 * has requested. It also means that the server understands no other statuses
 * than 2xx, 401 and 403. A client cannot set it: variables of headers begin
 * with HTTP_.
 */
#define AUTH_REQUEST_VARIABLE "AUTH_REQUEST"

/* One fact about the user, for the page's program. */
struct identity_header {
    struct pst_str variable; /* its name if we are a FastCGI authorizer */
    struct pst_str header;   /* its name if we are a responder */
    struct pst_str value;
};

/* Can this be the value of a header, without control characters? */
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

/* Web servers trim header values: " 7" would become the subject "7". */
static bool
is_trimmed(struct pst_str text)
{
    return pst_str_trim(text).len == text.len;
}

/* The name, or "" if a web server would change it. */
static struct pst_str
identity_header_name(const struct pst_session *session)
{
    return is_trimmed(session->name) ? session->name : PST_STR("");
}

/* No client sees the token: an authorizer's headers are for the server, and so
 * are those of a subrequest. Without either a client may be asking. */
static bool
hands_out_token(const struct context *ctx, const struct request *req)
{
    return ctx->config->authorize_upstream &&
           (req->authorizer ||
            !pst_str_is_absent(request_variable(req, AUTH_REQUEST_VARIABLE)));
}

/*
 * The header with the backend's token, for the web server's own proxy; absent
 * unless POSTERN_AUTHORIZE_UPSTREAM is on, and where the backend's credentials
 * are cookies.
 */
static enum pst_err
upstream_authorization(const struct context *ctx, const struct request *req,
                       const struct pst_session *session, struct pst_str *out)
{
    struct pst_str name = PST_STR_NONE;
    struct pst_str value = PST_STR_NONE;
    enum pst_err e;

    *out = PST_STR_NONE;
    if (!hands_out_token(ctx, req))
        return PST_OK;
    e = credentials_emit_header(req->arena, session->upstream, &name, &value);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORBIDDEN;
    if (pst_str_equal(name, PST_STR("Authorization")))
        *out = value;
    return PST_OK;
}

/*
 * Allow the request, and add who the user is. Returns PST_FORBIDDEN if a header
 * would change the identity: a page must not take one user for another.
 */
static enum pst_err
authorize_allow(const struct context *ctx, struct request *req,
                struct response *res, const struct pst_session *session)
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
        {PST_STR("Variable-SESSION_AUTHORIZATION"),
         PST_STR("X-Session-Authorization"), PST_STR_NONE},
    };
    const size_t last = PST_COUNT(identity_headers) - 1;
    char date[32];
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init(&buf, date, sizeof(date));
    pst_date_emit_rfc3339(&buf, session->exp);
    identity_headers[last - 1].value = pst_buf_str(&buf);
    e = upstream_authorization(ctx, req, session,
                               &identity_headers[last].value);
    if (e)
        return e;
    if (!is_trimmed(session->sub))
        return PST_FORBIDDEN;
    for (size_t i = 0; i < PST_COUNT(identity_headers); i++) {
        if (pst_str_is_absent(identity_headers[i].value))
            continue;
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

/* Has the backend confirmed the user recently? `query` asks it at an interval,
 * POSTERN_REVALIDATE, while the session is in use; twice that is accepted. */
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
 * Check the session. Returns PST_OK for a user that has logged in and a request
 * that is not cross-site. Guests are refused, since they have no subject; a
 * user whose identity is not known yet gets PST_UNCONFIRMED, and may retry.
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

/* A URI without its query string. */
static struct pst_str
uri_path(struct pst_str uri)
{
    return pst_str_first(uri, pst_str_index(uri, '?'));
}

/*
 * The URI that the browser has requested; absent if it is not known. A client
 * may have forged it. It decides only where a login leads to, and
 * pst_redirect_is_local() checks it there.
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
    /* The URI of authorize itself: the web server does not pass the page's. */
    if (!req->authorizer &&
        pst_str_equal(uri_path(uri), request_variable(req, "SCRIPT_NAME")))
        return PST_STR_NONE;
    return uri;
}

/*
 * Make the URL of the login page, with return_to if the browser can request the
 * page again after the login. Absent if the page is the login page itself: that
 * would be a redirect loop.
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

/* Answer 401 with the login URL in a header: the web server makes a redirect of
 * it (nginx: error_page). */
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

/* Refuse the request; a browser that navigates is sent to the login page. */
static enum pst_err
authorize_refuse(const struct context *ctx, struct request *req,
                 struct response *res, enum pst_err reason)
{
    struct pst_str login;
    enum pst_err e;

    /* If sessions cannot be checked, nobody is allowed, and a login would not
     * help. Not 503, which nginx's auth_request turns into 500. */
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

/*
 * A CORS preflight (Fetch standard, section 3.2.2). Browsers send it without a
 * cookie, so it can only be refused, or passed to the page without a user.
 */
static bool
is_preflight(const struct request *req)
{
    return pst_str_equal(req->method, PST_STR("OPTIONS")) &&
           req->origin.len > 0 &&
           request_header(req, PST_STR("Access-Control-Request-Method")).len >
               0;
}

static enum pst_err
authorize(struct context *ctx, struct request *req, struct response *res)
{
    struct auth auth;
    enum pst_err e;

    if (ctx->config->authorize_preflight && is_preflight(req))
        return response_send(res, 200, PST_STR("text/plain; charset=utf-8"),
                             PST_STR(""));
    e = authorize_check(ctx, req, res, &auth);
    if (!e && hands_out_token(ctx, req))
        e = session_refresh(ctx, req, res, &auth);
    /* Not every web server sends an authorizer's cookie to the browser. If it
     * does not, the old token stays valid. */
    if (!e)
        e = auth_renew_if_due(ctx, req, res, &auth);
    if (!e && !auth.has_session) /* it has been revoked meanwhile */
        e = PST_NO_SESSION;
    if (!e)
        e = authorize_allow(ctx, req, res, &auth.session);
    return e && !res->begun ? authorize_refuse(ctx, req, res, e) : e;
}

int
main(int argc, char **argv)
{
    return program_serve(argc, argv, "authorize", PROGRAM_REFRESHES_TOKENS,
                         authorize);
}
