/* SPDX-License-Identifier: ISC */
/*
 * login.c - credentials in, a session out; by GET, a form for them.
 */
#include "gateway/login.h"
#include "base/limits.h"
#include "codec/json.h"
#include "gateway/auth_session.h"
#include "gateway/csrf_token.h"
#include "gateway/page.h"
#include "gateway/proxy.h"
#include "gateway/serve.h"
#include "http/form.h"
#include "upstream/backend.h"

/* JSON and GraphQL. */

static enum pst_err
answer_json(struct request *req, struct reply *rep, const struct visit *visit)
{
    struct pst_text body;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, req->arena, PST_WHO_MAX + 256);
    pst_buf_add_string(&buf, "{\"data\":{\"login\":");
    backend_emit_public(&buf, visit->session.who, visit->session.exp);
    pst_buf_add_string(&buf, "}}");
    e = pst_buf_end(&buf, &body);
    if (e)
        return e;
    return reply_json(rep, 200, body);
}

/* {"email"|"username", "password", "rememberMe"}: all of their types.
 *   why  of a refusal */
static enum pst_err
read_credentials(const struct pst_json *root,
                 struct backend_credentials *credentials, const char **why)
{
    const struct pst_json *remember =
        pst_json_at(root, PST_TEXT("/rememberMe"));
    const struct pst_json *email = pst_json_at(root, PST_TEXT("/email"));
    const struct pst_json *username = pst_json_at(root, PST_TEXT("/username"));

    *credentials = (struct backend_credentials){
        .username = pst_json_text(email ? email : username),
        .password = pst_json_text(pst_json_at(root, PST_TEXT("/password"))),
    };
    if (pst_json_kind(root) != PST_JSON_OBJECT)
        *why = "the body is no object";
    else if (email && username)
        *why = "email and username are both given";
    else if (credentials->username.len == 0)
        *why = "email or username must be a string that is not empty";
    else if (pst_text_is_absent(credentials->password))
        *why = "password must be a string";
    else if (remember && pst_json_kind(remember) != PST_JSON_NULL &&
             pst_json_bool(remember, &credentials->remember) != PST_OK)
        *why = "rememberMe must be true, false or null";
    else
        return PST_OK;
    return PST_MALFORMED;
}

static void
log_refusal(const struct gate *gate, const struct request *req, enum pst_err e,
            const char *why)
{
    LOG_EVENT(gate->log, LEVEL_INFO, "request-refused",
              LOG_STRING("request", req->id),
              LOG_STRING("code", pst_err_name(e)), LOG_STRING("why", why),
              LOG_TEXT("address", req->remote_addr));
}

/* Does it bring a GraphQL document, in whichever way? */
static bool
is_graphql(const struct pst_json *root)
{
    static const char *const members[] = {"query", "extensions", "id",
                                          "documentId", "doc_id"};

    for (size_t i = 0; i < PST_COUNT(members); i++)
        if (pst_json_get(root, pst_text_from(members[i])))
            return true;
    return pst_json_kind(root) == PST_JSON_ARRAY;
}

static enum pst_err
login_by_json(struct gate *gate, struct request *req, struct reply *rep,
              struct visit *visit)
{
    struct backend_credentials credentials;
    const struct pst_json *root;
    const char *why = "the body is no JSON that every reader reads alike";
    struct pst_text body;
    enum pst_err e;

    e = request_body(req, PST_LOGIN_BODY_MAX, &body);
    if (e)
        return e;
    e = pst_json_parse(req->arena, body, &root);
    if (!e && is_graphql(root))
        return proxy_login(gate, req, rep, visit);
    if (!e)
        e = read_credentials(root, &credentials, &why);
    if (e == PST_MALFORMED)
        log_refusal(gate, req, e, why);
    if (e)
        return e;
    e = login_with_credentials(gate, req, rep, visit, &credentials);
    if (e)
        return e;
    return answer_json(req, rep, visit);
}

/* The form. */

struct form {
    struct backend_credentials credentials;
    struct pst_text return_to;
    struct pst_text token; /* gateway/csrf_token.h */
    enum pst_err why;      /* it is shown again; PST_OK: it is not */
};

/* The one field of this name, or "" where there is none. */
static enum pst_err
field(const struct pst_form *form, struct pst_text name, struct pst_text *out)
{
    enum pst_err e = pst_form_get(form, name, out);

    if (e == PST_ABSENT)
        *out = PST_TEXT("");
    return e == PST_ABSENT ? PST_OK : e;
}

static enum pst_err
read_fields(const struct pst_form *fields, struct form *form)
{
    struct pst_text username;
    struct pst_text remember;
    enum pst_err e;

    e = field(fields, PST_TEXT("email"), &form->credentials.username);
    if (e)
        return e;
    e = field(fields, PST_TEXT("username"), &username);
    if (e)
        return e;
    if (username.len > 0 && form->credentials.username.len > 0)
        return PST_MALFORMED;
    if (username.len > 0)
        form->credentials.username = username;
    e = field(fields, PST_TEXT("password"), &form->credentials.password);
    if (e)
        return e;
    e = field(fields, PST_TEXT("rememberMe"), &remember);
    if (e)
        return e;
    form->credentials.remember = pst_text_equal(remember, PST_TEXT("on")) ||
                                 pst_text_equal(remember, PST_TEXT("true")) ||
                                 pst_text_equal(remember, PST_TEXT("1"));
    e = field(fields, PST_TEXT(PAGE_TOKEN_FIELD), &form->token);
    if (e)
        return e;
    return field(fields, PST_TEXT("return_to"), &form->return_to);
}

/* The form, with a fresh token. */
static enum pst_err
show_form(struct gate *gate, struct request *req, struct reply *rep,
          struct visit *visit, const struct form *form)
{
    struct page_login page = {
        .action = request_variable(req, "SCRIPT_NAME"),
        .email = form->credentials.username,
        .return_to = form->return_to,
        .message =
            form->why ? pst_text_from(pst_err_text(form->why)) : PST_NO_TEXT,
        .remember = form->credentials.remember,
    };
    enum pst_err e;

    e = visit_finish(gate, req, rep, visit);
    if (e)
        return e;
    e = formtoken_make(gate, req->arena, visit, FORMTOKEN_LOGIN, &page.token);
    if (e)
        return e;
    return page_login(rep, gate->config, pst_err_status(form->why), &page);
}

/* What a person can do something about is said in the form. */
static bool
belongs_into_form(enum pst_err e)
{
    return e == PST_REFUSED || e == PST_THROTTLED || e == PST_UPSTREAM_DOWN ||
           e == PST_UPSTREAM_BROKEN || e == PST_UPSTREAM_TIMEOUT ||
           e == PST_STORE_DOWN || e == PST_STALE_FORM;
}

static enum pst_err
login_by_form(struct gate *gate, struct request *req, struct reply *rep,
              struct visit *visit)
{
    struct pst_form fields;
    struct pst_text body;
    struct form form = {.return_to = PST_NO_TEXT};
    enum pst_err e;

    e = request_body(req, PST_LOGIN_BODY_MAX, &body);
    if (e)
        return e;
    e = pst_form_parse(req->arena, body, &fields);
    if (!e)
        e = read_fields(&fields, &form);
    if (e == PST_MALFORMED || e == PST_DUPLICATE)
        log_refusal(gate, req, e,
                    "the form has a field twice, email and username, or "
                    "something that is no form data");
    if (e)
        return e;
    e = formtoken_check(gate, req, visit, FORMTOKEN_LOGIN, form.token);
    if (!e)
        e = form.credentials.username.len > 0
                ? login_with_credentials(gate, req, rep, visit,
                                         &form.credentials)
                : PST_REFUSED;
    form.why = e;
    if (gate->config->login_page && belongs_into_form(e))
        return show_form(gate, req, rep, visit, &form);
    if (e)
        return e;
    return reply_redirect(rep, form.return_to, gate->config->login_redirect);
}

static enum pst_err
empty_form(struct gate *gate, struct request *req, struct reply *rep,
           struct visit *visit)
{
    struct form form = {.return_to = PST_NO_TEXT};
    struct pst_form fields;
    enum pst_err e;

    e = pst_form_parse(req->arena, req->query, &fields);
    if (e)
        return e;
    e = field(&fields, PST_TEXT("return_to"), &form.return_to);
    if (e)
        return e;
    return show_form(gate, req, rep, visit, &form);
}

static enum pst_err
login(struct gate *gate, struct request *req, struct reply *rep)
{
    static const struct visit_rules rules = {.methods =
                                                 "GET, HEAD, POST, OPTIONS"};
    struct pst_text type = request_media_type(req);
    struct visit visit;
    enum pst_err e;

    e = visit_enter(gate, req, rep, &rules, &visit);
    if (e || rep->begun)
        return e;
    if (!pst_text_equal(req->method, PST_TEXT("POST")))
        return gate->config->login_page ? empty_form(gate, req, rep, &visit)
                                        : PST_NOT_FOUND;
    if (!request_is_utf8(req))
        return PST_BAD_TYPE;
    if (pst_text_equal_nocase(type, PST_TEXT("application/json")))
        return login_by_json(gate, req, rep, &visit);
    if (pst_text_equal_nocase(type,
                              PST_TEXT("application/x-www-form-urlencoded")))
        return login_by_form(gate, req, rep, &visit);
    return PST_BAD_TYPE;
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "login", login);
}
