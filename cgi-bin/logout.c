/* SPDX-License-Identifier: ISC */
/*
 * logout.c - end the session: at the backend, then in the browser.
 */
#include "base/limits.h"
#include "codec/json.h"
#include "gateway/auth_session.h"
#include "gateway/csrf_token.h"
#include "gateway/identity.h"
#include "gateway/page.h"
#include "gateway/serve.h"
#include "gateway/session_registry.h"
#include "http/form.h"

/* What the request asks for besides. */
struct wish {
    struct pst_text return_to;
    struct pst_text token; /* gateway/csrf_token.h */
    bool is_json;          /* else a form's, or nothing at all */
    bool everywhere;
    enum pst_err why; /* it is asked again; PST_OK: it is not */
};

static enum pst_err
read_form(struct request *req, struct pst_text text, struct wish *wish)
{
    struct pst_text everywhere;
    struct pst_form form;
    enum pst_err e;

    e = pst_form_parse(req->arena, text, &form);
    if (e)
        return e;
    e = pst_form_get(&form, PST_TEXT("return_to"), &wish->return_to);
    if (e && e != PST_ABSENT)
        return e;
    e = pst_form_get(&form, PST_TEXT(PAGE_TOKEN_FIELD), &wish->token);
    if (e && e != PST_ABSENT)
        return e;
    e = pst_form_get(&form, PST_TEXT("everywhere"), &everywhere);
    if (e && e != PST_ABSENT)
        return e;
    if (!e && pst_text_equal(everywhere, PST_TEXT("1")))
        wish->everywhere = true;
    return PST_OK;
}

static enum pst_err
read_json(struct request *req, struct pst_text text, struct wish *wish)
{
    const struct pst_json *value;
    const struct pst_json *root;
    int64_t number = 0;
    bool is_true = false;
    enum pst_err e;

    e = pst_json_parse(req->arena, text, &root);
    if (e)
        return e;
    if (pst_json_kind(root) != PST_JSON_OBJECT)
        return PST_MALFORMED;
    value = pst_json_at(root, PST_TEXT("/everywhere"));
    /* The address may have asked for it already. */
    if ((pst_json_integer(value, &number) == PST_OK && number == 1) ||
        (pst_json_bool(value, &is_true) == PST_OK && is_true) ||
        pst_text_equal(pst_json_text(value), PST_TEXT("1")))
        wish->everywhere = true;
    return PST_OK;
}

/*
 * An empty POST without a type is fine: that is what fetch() sends. A type that
 * is there is judged whether there is a body or not.
 */
static enum pst_err
read_body(struct request *req, struct wish *wish)
{
    struct pst_text type = request_media_type(req);
    struct pst_text body;
    enum pst_err e;

    wish->is_json = pst_text_equal_nocase(type, PST_TEXT("application/json"));
    if (!wish->is_json && pst_text_trim(req->content_type).len > 0 &&
        !pst_text_equal_nocase(type,
                               PST_TEXT("application/x-www-form-urlencoded")))
        return PST_BAD_TYPE;
    e = request_body(req, PST_LOGIN_BODY_MAX, &body);
    if (e || body.len == 0)
        return e;
    if (wish->is_json)
        return read_json(req, body, wish);
    return pst_text_is_absent(type) ? PST_BAD_TYPE : read_form(req, body, wish);
}

static enum pst_err
read_wish(struct request *req, struct wish *wish)
{
    enum pst_err e;

    *wish = (struct wish){.return_to = PST_NO_TEXT};
    e = read_form(req, req->query, wish);
    if (e)
        return e;
    wish->token = PST_NO_TEXT; /* an address is no place for it (R6) */
    return read_body(req, wish);
}

/*
 * The token is for what another site's form could send too: one with a form's
 * type, or with none; not JSON, and no bearer token.
 */
static bool
needs_token(const struct visit *visit, const struct wish *wish)
{
    return visit->has_session && visit->carrier == VISIT_BY_COOKIE &&
           !wish->is_json;
}

/*
 * The backend first, while its token is still at hand. Whatever it says, the
 * session here ends: a backend that is down must not keep a user logged in.
 */
static enum pst_err
tell_backend(struct gate *gate, struct request *req, const struct visit *visit,
             bool everywhere)
{
    enum config_logout rule = gate->config->upstream_logout;

    if (!visit->has_session || rule == LOGOUT_NEVER ||
        pst_text_is_absent(visit_upstream(visit)) ||
        (rule == LOGOUT_EVERYWHERE && !everywhere))
        return PST_OK;
    return identity_log_out(gate, req, visit_upstream(visit));
}

/* The question, with a fresh token. */
static enum pst_err
show_question(struct gate *gate, struct request *req, struct reply *rep,
              struct visit *visit, const struct wish *wish)
{
    struct page_logout page = {
        .action = request_variable(req, "SCRIPT_NAME"),
        .return_to = wish->return_to,
        .message =
            wish->why ? pst_text_from(pst_err_text(wish->why)) : PST_NO_TEXT,
        .everywhere = wish->everywhere,
    };
    enum pst_err e;

    e = visit_finish(gate, req, rep, visit);
    if (e)
        return e;
    e = formtoken_make(gate, req->arena, visit, FORMTOKEN_LOGOUT, &page.token);
    if (e)
        return e;
    return page_logout(rep, gate->config, pst_err_status(wish->why), &page);
}

/* Here, or everywhere; a store that cannot note it down is told of. */
static enum pst_err
end_here(struct gate *gate, struct request *req, struct reply *rep,
         struct visit *visit, bool everywhere)
{
    enum pst_err all = PST_OK;
    enum pst_err e;

    /* Without a store nobody remembers: then it is done only where the
     * backend's own logout does it. */
    if (everywhere && !gate->store &&
        gate->config->upstream_logout != LOGOUT_EVERYWHERE)
        all = PST_STORE_DOWN;
    else if (everywhere && visit->has_session)
        all = roster_end_all(gate, req, &visit->session);
    e = visit_end_all(gate, req, rep, visit);
    return e ? e : all;
}

static enum pst_err
end_session(struct gate *gate, struct request *req, struct reply *rep,
            struct visit *visit)
{
    enum pst_err told;
    struct wish wish;
    enum pst_err e;

    e = read_wish(req, &wish);
    if (e)
        return e;
    if (needs_token(visit, &wish))
        e = formtoken_check(gate, req, visit, FORMTOKEN_LOGOUT, wish.token);
    wish.why = e;
    if (e == PST_STALE_FORM && request_is_navigation(req))
        return show_question(gate, req, rep, visit, &wish);
    if (e)
        return e;
    told = tell_backend(gate, req, visit, wish.everywhere);
    LOG_EVENT(gate->log, LEVEL_INFO, "logout", LOG_STRING("request", req->id),
              LOG_STRING("session", visit->mark),
              LOG_TEXT("subject",
                       visit->has_session ? visit->session.sub : PST_NO_TEXT),
              LOG_STRING("everywhere", wish.everywhere ? "yes" : "no"),
              LOG_STRING("backend", pst_err_code(told)));
    e = end_here(gate, req, rep, visit, wish.everywhere);
    if (e)
        return e;
    if (request_is_navigation(req))
        return reply_redirect(rep, wish.return_to,
                              gate->config->logout_redirect);
    return reply_json(rep, 200,
                      PST_TEXT("{\"data\":{\"logout\":{\"success\":true}}}"));
}

/*
 * A store that is away does not keep a cookie in the browser: it is cleared,
 * but what was copied of it may live on, and the answer says so.
 */
static enum pst_err
enter(struct gate *gate, struct request *req, struct reply *rep,
      struct visit *visit)
{
    static const struct visit_rules rules = {.methods =
                                                 "GET, HEAD, POST, OPTIONS"};
    enum pst_err e = visit_enter(gate, req, rep, &rules, visit);

    if (e == PST_STORE_DOWN && pst_text_equal(req->method, PST_TEXT("POST")))
        (void)!visit_end_all(gate, req, rep, visit);
    return e;
}

static enum pst_err
logout(struct gate *gate, struct request *req, struct reply *rep)
{
    struct visit visit;
    struct wish wish;
    enum pst_err e;

    e = enter(gate, req, rep, &visit);
    if (e || rep->begun)
        return e;
    if (pst_text_equal(req->method, PST_TEXT("POST")))
        return end_session(gate, req, rep, &visit);
    wish = (struct wish){.return_to = PST_NO_TEXT};
    e = read_form(req, req->query, &wish);
    if (e)
        return e;
    return show_question(gate, req, rep, &visit, &wish);
}

int
main(int argc, char **argv)
{
    return gate_serve(argc, argv, "logout", logout);
}
