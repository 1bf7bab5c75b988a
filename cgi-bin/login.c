/* SPDX-License-Identifier: ISC */
/*
 * login.c - log in at the backend, by GraphQL, JSON or a form, and issue a
 * session. GET shows the form.
 */
#include "gateway/login.h"
#include "base/limits.h"
#include "codec/json.h"
#include "codec/json_check.h"
#include "gateway/auth_session.h"
#include "gateway/csrf_token.h"
#include "gateway/page.h"
#include "gateway/program.h"
#include "gateway/proxy.h"
#include "gateway/secure_cookie.h"
#include "http/form.h"
#include "server/request_body.h"
#include "upstream/backend_identity.h"

/* JSON and GraphQL. */

static enum pst_err
login_answer_json(struct request *req, struct response *res,
                  const struct auth *auth)
{
    struct pst_str body;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, req->arena, PST_WHO_MAX + 256);
    pst_buf_add_string(&buf, "{\"data\":{\"login\":");
    backend_emit_public_fields(&buf, auth->session.who, auth->session.exp);
    pst_buf_add_string(&buf, "}}");
    e = pst_buf_finish(&buf, &body);
    if (e)
        return e;
    return response_send_json(res, 200, body);
}

/*
 * Parse {"email"|"username", "password", "rememberMe"}.
 *   reason  set on PST_MALFORMED, for the log
 */
static enum pst_err
login_parse_credentials(const struct pst_json *root,
                        struct login_credentials *credentials,
                        const char **reason)
{
    const struct pst_json *remember = pst_json_at(root, PST_STR("/rememberMe"));
    const struct pst_json *email = pst_json_at(root, PST_STR("/email"));
    const struct pst_json *username = pst_json_at(root, PST_STR("/username"));

    *credentials = (struct login_credentials){
        .username = pst_json_string(email ? email : username),
        .password = pst_json_string(pst_json_at(root, PST_STR("/password"))),
    };
    if (pst_json_kind(root) != PST_JSON_OBJECT)
        *reason = "the body is not an object";
    else if (email && username)
        *reason = "email and username are both given";
    else if (credentials->username.len == 0)
        *reason = "email or username must be a non-empty string";
    else if (pst_str_is_absent(credentials->password))
        *reason = "password must be a string";
    else if (remember && pst_json_kind(remember) != PST_JSON_NULL &&
             pst_json_bool(remember, &credentials->remember) != PST_OK)
        *reason = "rememberMe must be true, false or null";
    else
        return PST_OK;
    return PST_MALFORMED;
}

static void
login_log_refusal(const struct context *ctx, const struct request *req,
                  enum pst_err e, const char *reason)
{
    LOG_EVENT(
        ctx->log, LEVEL_INFO, "request-refused",
        LOG_C_STRING("request", req->id), LOG_C_STRING("code", pst_err_name(e)),
        LOG_C_STRING("reason", reason), LOG_STR("address", req->remote_addr));
}

/* Is this JSON a GraphQL request, with a document or the id of one? */
static bool
login_is_graphql(const struct pst_json *root)
{
    static const char *const members[] = {"query", "extensions", "id",
                                          "documentId", "doc_id"};

    for (size_t i = 0; i < PST_COUNT(members); i++)
        if (pst_json_get(root, pst_str_from(members[i])))
            return true;
    return pst_json_kind(root) == PST_JSON_ARRAY;
}

static enum pst_err
login_by_json(struct context *ctx, struct request *req, struct response *res,
              struct auth *auth)
{
    struct login_credentials credentials;
    const struct pst_json *root;
    const char *reason =
        "the body is not JSON, or is ambiguous JSON (a member twice)";
    struct pst_str body;
    enum pst_err e;

    e = request_read_whole_body(req, PST_LOGIN_BODY_MAX, &body);
    if (e)
        return e;
    e = pst_json_parse(req->arena, pst_json_skip_mark(body), &root);
    if (!e && login_is_graphql(root))
        return proxy_login(ctx, req, res, auth);
    if (!e)
        e = login_parse_credentials(root, &credentials, &reason);
    if (e == PST_MALFORMED)
        login_log_refusal(ctx, req, e, reason);
    if (e)
        return e;
    e = login_with_credentials(ctx, req, res, auth, &credentials);
    if (e)
        return e;
    e = login_answer_json(req, res, auth);
    if (e)
        login_withdraw(ctx, req, res, auth);
    return e;
}

/* The form. */

struct form {
    struct login_credentials credentials;
    struct pst_str return_to;
    struct pst_str token; /* gateway/csrf_token.h */
    enum pst_err reason;  /* why the form is shown again, or PST_OK */
};

/* Get a field that may occur once, or "" if it is missing. */
static enum pst_err
login_form_get_field(const struct pst_form *form, struct pst_str name,
                     struct pst_str *out)
{
    enum pst_err e = pst_form_get(form, name, out);

    if (e == PST_NOT_FOUND)
        *out = PST_STR("");
    return e == PST_NOT_FOUND ? PST_OK : e;
}

static enum pst_err
login_form_parse(const struct pst_form *fields, struct form *form)
{
    struct pst_str username;
    struct pst_str remember;
    enum pst_err e;

    e = login_form_get_field(fields, PST_STR("email"),
                             &form->credentials.username);
    if (e)
        return e;
    e = login_form_get_field(fields, PST_STR("username"), &username);
    if (e)
        return e;
    if (username.len > 0 && form->credentials.username.len > 0)
        return PST_MALFORMED;
    if (username.len > 0)
        form->credentials.username = username;
    e = login_form_get_field(fields, PST_STR("password"),
                             &form->credentials.password);
    if (e)
        return e;
    e = login_form_get_field(fields, PST_STR("rememberMe"), &remember);
    if (e)
        return e;
    form->credentials.remember = pst_str_equal(remember, PST_STR("on")) ||
                                 pst_str_equal(remember, PST_STR("true")) ||
                                 pst_str_equal(remember, PST_STR("1"));
    e = login_form_get_field(fields, PST_STR(PAGE_CSRF_FIELD), &form->token);
    if (e)
        return e;
    return login_form_get_field(fields, PST_STR("return_to"), &form->return_to);
}

/* Answer with the form and a new CSRF token. */
static enum pst_err
login_form_show(struct context *ctx, struct request *req, struct response *res,
                struct auth *auth, const struct form *form)
{
    struct page_login_form page = {
        .action = request_variable(req, "SCRIPT_NAME"),
        .email = form->credentials.username,
        .return_to = form->return_to,
        .error = form->reason,
        .remember = form->credentials.remember,
        .is_cookie_dropped = secure_cookie_is_dropped(ctx, req),
    };
    enum pst_err e;

    e = auth_renew_if_due(ctx, req, res, auth);
    if (e)
        return e;
    e = csrf_token_make(ctx, req->arena, auth, CSRF_TOKEN_LOGIN, &page.token);
    if (e)
        return e;
    return page_send_login(res, req, ctx->config, &page);
}

/* Is this an error that the user can do something about? */
static bool
login_form_shows_error(enum pst_err e)
{
    return e == PST_REFUSED || e == PST_THROTTLED || e == PST_UPSTREAM_DOWN ||
           e == PST_UPSTREAM_BROKEN || e == PST_UPSTREAM_TIMEOUT ||
           e == PST_STORE_DOWN || e == PST_STALE_FORM;
}

static enum pst_err
login_by_form(struct context *ctx, struct request *req, struct response *res,
              struct auth *auth)
{
    struct pst_form fields;
    struct pst_str body;
    struct form form = {.return_to = PST_STR_NONE};
    enum pst_err e;

    e = request_read_whole_body(req, PST_LOGIN_BODY_MAX, &body);
    if (e)
        return e;
    e = pst_form_parse(req->arena, body, &fields);
    if (!e)
        e = login_form_parse(&fields, &form);
    if (e == PST_MALFORMED || e == PST_DUPLICATE)
        login_log_refusal(ctx, req, e,
                          "the form has a field twice, or both email and "
                          "username, or is not form data");
    if (e)
        return e;
    e = csrf_token_check(ctx, req, auth, CSRF_TOKEN_LOGIN, form.token);
    if (!e)
        e = form.credentials.username.len > 0
                ? login_with_credentials(ctx, req, res, auth, &form.credentials)
                : PST_REFUSED;
    form.reason = e;
    if (ctx->config->login_page && login_form_shows_error(e))
        return login_form_show(ctx, req, res, auth, &form);
    if (e)
        return e;
    e = response_redirect(res, form.return_to, ctx->config->login_redirect);
    if (e)
        login_withdraw(ctx, req, res, auth);
    return e;
}

static enum pst_err
login_form_show_empty(struct context *ctx, struct request *req,
                      struct response *res, struct auth *auth)
{
    struct form form = {.return_to = PST_STR_NONE};
    struct pst_form fields;
    enum pst_err e;

    e = pst_form_parse(req->arena, req->query, &fields);
    if (e)
        return e;
    e = login_form_get_field(&fields, PST_STR("return_to"), &form.return_to);
    if (e)
        return e;
    return login_form_show(ctx, req, res, auth, &form);
}

static enum pst_err
login(struct context *ctx, struct request *req, struct response *res)
{
    static const struct auth_rules rules = {.methods =
                                                "GET, HEAD, POST, OPTIONS"};
    struct pst_str type = request_media_type(req);
    struct auth auth;
    enum pst_err e;

    e = authenticate(ctx, req, res, &rules, &auth);
    if (e || res->begun)
        return e;
    if (!pst_str_equal(req->method, PST_STR("POST")))
        return ctx->config->login_page
                   ? login_form_show_empty(ctx, req, res, &auth)
                   : PST_NOT_FOUND;
    if (!request_has_utf8_charset(req))
        return PST_BAD_TYPE;
    (void)secure_cookie_is_dropped(ctx, req); /* logs it, for scripts too */
    if (pst_str_equal_nocase(type, PST_STR("application/json")))
        return login_by_json(ctx, req, res, &auth);
    if (pst_str_equal_nocase(type,
                             PST_STR("application/x-www-form-urlencoded")))
        return login_by_form(ctx, req, res, &auth);
    return PST_BAD_TYPE;
}

int
main(int argc, char **argv)
{
    return program_serve(argc, argv, "login", PROGRAM_USES_BACKEND, login);
}
