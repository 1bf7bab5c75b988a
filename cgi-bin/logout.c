/* SPDX-License-Identifier: ISC */
/*
 * logout.c - end the session: at the backend, in the registry and in the
 * browser. GET asks for confirmation.
 */
#include "base/limits.h"
#include "codec/json.h"
#include "codec/json_check.h"
#include "gateway/auth_session.h"
#include "gateway/csrf_token.h"
#include "gateway/identity.h"
#include "gateway/page.h"
#include "gateway/program.h"
#include "gateway/session_order.h"
#include "gateway/session_refresh.h"
#include "gateway/session_registry.h"
#include "http/form.h"
#include "server/request_body.h"

/* The options of a logout. */
struct options {
    struct pst_str return_to;
    struct pst_str token; /* gateway/csrf_token.h */
    bool is_json;         /* else a form, or an empty body */
    bool everywhere;      /* end all sessions of the user */
    enum pst_err reason;  /* why confirmation is asked again, or PST_OK */
};

static enum pst_err
logout_parse_form(struct request *req, struct pst_str text,
                  struct options *options)
{
    struct pst_str everywhere;
    struct pst_form form;
    enum pst_err e;

    e = pst_form_parse(req->arena, text, &form);
    if (e)
        return e;
    e = pst_form_get(&form, PST_STR("return_to"), &options->return_to);
    if (e && e != PST_NOT_FOUND)
        return e;
    e = pst_form_get(&form, PST_STR(PAGE_CSRF_FIELD), &options->token);
    if (e && e != PST_NOT_FOUND)
        return e;
    e = pst_form_get(&form, PST_STR("everywhere"), &everywhere);
    if (e && e != PST_NOT_FOUND)
        return e;
    if (!e && pst_str_equal(everywhere, PST_STR("1")))
        options->everywhere = true;
    return PST_OK;
}

static enum pst_err
logout_parse_json(struct request *req, struct pst_str text,
                  struct options *options)
{
    const struct pst_json *value;
    const struct pst_json *root;
    int64_t number = 0;
    bool is_true = false;
    enum pst_err e;

    e = pst_json_parse(req->arena, pst_json_skip_mark(text), &root);
    if (e)
        return e;
    if (pst_json_kind(root) != PST_JSON_OBJECT)
        return PST_MALFORMED;
    value = pst_json_at(root, PST_STR("/everywhere"));
    /* The query string may have set it already. */
    if ((pst_json_integer(value, &number) == PST_OK && number == 1) ||
        (pst_json_bool(value, &is_true) == PST_OK && is_true) ||
        pst_str_equal(pst_json_string(value), PST_STR("1")))
        options->everywhere = true;
    return PST_OK;
}

/*
 * An empty POST without a Content-Type is accepted, since fetch() sends that.
 * If there is a Content-Type, it must be right even without a body.
 */
static enum pst_err
logout_parse_body(struct request *req, struct options *options)
{
    struct pst_str type = request_media_type(req);
    struct pst_str body;
    enum pst_err e;

    options->is_json = pst_str_equal_nocase(type, PST_STR("application/json"));
    if (!options->is_json && pst_str_trim(req->content_type).len > 0 &&
        !pst_str_equal_nocase(type,
                              PST_STR("application/x-www-form-urlencoded")))
        return PST_BAD_TYPE;
    e = request_read_whole_body(req, PST_LOGIN_BODY_MAX, &body);
    if (e || body.len == 0)
        return e;
    if (options->is_json)
        return logout_parse_json(req, body, options);
    return pst_str_is_absent(type) ? PST_BAD_TYPE
                                   : logout_parse_form(req, body, options);
}

static enum pst_err
logout_parse_options(struct request *req, struct options *options)
{
    enum pst_err e;

    *options = (struct options){.return_to = PST_STR_NONE};
    e = logout_parse_form(req, req->query, options);
    if (e)
        return e;
    options->token = PST_STR_NONE; /* URLs leak into logs and Referer */
    return logout_parse_body(req, options);
}

/*
 * A CSRF token is needed for what a form of another site could send: a form or
 * an empty body, with a session in a cookie. Such a form cannot send JSON or a
 * bearer token.
 */
static bool
logout_needs_csrf_token(const struct auth *auth, const struct options *options)
{
    return auth->has_session && auth->carrier == AUTH_BY_COOKIE &&
           !options->is_json;
}

/*
 * Log out at the backend. The session has ended already, so that neither a
 * backend that is down nor a request that holds the session's order can keep it
 * alive: whoever stole its cookie could send one.
 *   auth  as it was before
 */
static enum pst_err
logout_at_backend(struct context *ctx, struct request *req, struct auth *auth,
                  bool everywhere)
{
    enum config_logout rule = ctx->config->upstream_logout;
    bool has_waited;

    if (!auth->has_session || rule == LOGOUT_NEVER ||
        pst_str_is_absent(auth_upstream(auth)) ||
        (rule == LOGOUT_EVERYWHERE && !everywhere))
        return PST_OK;
    /* Logging out goes ahead where waiting is in vain. */
    (void)!session_order_begin(ctx, req, auth, &has_waited);
    session_refresh_for_logout(ctx, req, auth);
    return identity_logout(ctx, req, auth_upstream(auth));
}

/* Answer with the confirmation form and a new CSRF token. */
static enum pst_err
logout_show_confirmation(struct context *ctx, struct request *req,
                         struct response *res, struct auth *auth,
                         const struct options *options)
{
    struct page_logout_form page = {
        .action = request_variable(req, "SCRIPT_NAME"),
        .return_to = options->return_to,
        .error = options->reason,
        .everywhere = options->everywhere,
    };
    enum pst_err e;

    e = auth_renew_if_due(ctx, req, res, auth);
    if (e)
        return e;
    e = csrf_token_make(ctx, req->arena, auth, CSRF_TOKEN_LOGOUT, &page.token);
    if (e)
        return e;
    return page_send_logout(res, req, ctx->config, &page);
}

/* End this session, or all sessions of the user. Returns PST_STORE_DOWN if the
 * store cannot record that. */
static enum pst_err
logout_end_sessions(struct context *ctx, struct request *req,
                    struct response *res, struct auth *auth, bool everywhere)
{
    enum pst_err revoke_error = PST_OK;
    enum pst_err e;

    /* Without a store sessions cannot be revoked: then it is the backend's
     * logout that ends all of them, or none. */
    if (everywhere && !ctx->store &&
        ctx->config->upstream_logout != LOGOUT_EVERYWHERE)
        revoke_error = PST_STORE_DOWN;
    else if (everywhere && auth->has_session)
        revoke_error = registry_revoke_all(ctx, req, &auth->session);
    e = auth_end_browser_sessions(ctx, req, res, auth);
    return e ? e : revoke_error;
}

static enum pst_err
logout_end_session(struct context *ctx, struct request *req,
                   struct response *res, struct auth *auth)
{
    struct auth ended;
    enum pst_err backend_error;
    struct options options;
    enum pst_err e;

    e = logout_parse_options(req, &options);
    if (e)
        return e;
    if (logout_needs_csrf_token(auth, &options))
        e = csrf_token_check(ctx, req, auth, CSRF_TOKEN_LOGOUT, options.token);
    options.reason = e;
    if (e == PST_STALE_FORM && request_is_navigation(req))
        return logout_show_confirmation(ctx, req, res, auth, &options);
    if (e)
        return e;
    session_refresh_adopt(ctx, req, auth);
    ended = *auth;
    e = logout_end_sessions(ctx, req, res, auth, options.everywhere);
    backend_error = logout_at_backend(ctx, req, &ended, options.everywhere);
    LOG_EVENT(ctx->log, LEVEL_INFO, "logout", LOG_C_STRING("request", req->id),
              LOG_C_STRING("session",
                           auth_log_id(&ended, (char[AUTH_LOG_ID_SIZE]){0})),
              LOG_STR("subject",
                      ended.has_session ? ended.session.sub : PST_STR_NONE),
              LOG_C_STRING("everywhere", options.everywhere ? "yes" : "no"),
              LOG_C_STRING("backend", pst_err_code(backend_error)));
    /* Without a store, only the backend could end the other sessions. */
    if (!e && options.everywhere && !ctx->store)
        e = backend_error;
    if (e)
        return e;
    if (request_is_navigation(req))
        return response_redirect(res, options.return_to,
                                 ctx->config->logout_redirect);
    return response_send_json(
        res, 200, PST_STR("{\"data\":{\"logout\":{\"success\":true}}}"));
}

/*
 * Authenticate. If the store is down, the cookies are cleared all the same. A
 * copy of the token may remain valid, and the error in the answer says so.
 */
static enum pst_err
logout_authenticate(struct context *ctx, struct request *req,
                    struct response *res, struct auth *auth)
{
    static const struct auth_rules rules = {.methods =
                                                "GET, HEAD, POST, OPTIONS"};
    enum pst_err e = authenticate(ctx, req, res, &rules, auth);

    if (e == PST_STORE_DOWN && pst_str_equal(req->method, PST_STR("POST")))
        (void)!auth_end_browser_sessions(ctx, req, res, auth);
    return e;
}

static enum pst_err
logout(struct context *ctx, struct request *req, struct response *res)
{
    struct auth auth;
    struct options options;
    enum pst_err e;

    e = logout_authenticate(ctx, req, res, &auth);
    if (e || res->begun)
        return e;
    if (pst_str_equal(req->method, PST_STR("POST")))
        return logout_end_session(ctx, req, res, &auth);
    options = (struct options){.return_to = PST_STR_NONE};
    e = logout_parse_form(req, req->query, &options);
    if (e)
        return e;
    return logout_show_confirmation(ctx, req, res, &auth, &options);
}

int
main(int argc, char **argv)
{
    return program_serve(argc, argv, "logout", PROGRAM_USES_BACKEND, logout);
}
