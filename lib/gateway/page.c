/* SPDX-License-Identifier: ISC */
/*
 * page.c - send the login, logout and error pages, which work without scripts,
 * and errors as JSON.
 */
#include "gateway/page.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "gateway/page_html.h"

/*
 * What pages say of an error. One text stands for errors between which a user
 * need not distinguish, or must not: why a token was refused. 0, which is no
 * text of an error, stands for PAGE_TEXT_ERROR_INTERNAL.
 */
static const enum page_text error_texts[PST_ERR_COUNT] = {
    [PST_MALFORMED] = PAGE_TEXT_ERROR_MALFORMED,
    [PST_DUPLICATE] = PAGE_TEXT_ERROR_MALFORMED,
    [PST_LOGIN_SHAPE] = PAGE_TEXT_ERROR_DOCUMENT,
    [PST_SECRET_FIELD] = PAGE_TEXT_ERROR_DOCUMENT,
    [PST_DOCUMENT_NOT_ALLOWED] = PAGE_TEXT_ERROR_DOCUMENT,
    [PST_HASH_MISMATCH] = PAGE_TEXT_ERROR_MALFORMED,
    [PST_PARSE_FAILED] = PAGE_TEXT_ERROR_MALFORMED,
    [PST_FORGED] = PAGE_TEXT_ERROR_SESSION,
    [PST_EXPIRED] = PAGE_TEXT_ERROR_SESSION,
    [PST_REVOKED] = PAGE_TEXT_ERROR_SESSION,
    [PST_REFUSED] = PAGE_TEXT_ERROR_CREDENTIALS,
    [PST_NO_SESSION] = PAGE_TEXT_ERROR_NO_SESSION,
    [PST_CROSS_SITE] = PAGE_TEXT_ERROR_CROSS_SITE,
    [PST_STALE_FORM] = PAGE_TEXT_ERROR_STALE_FORM,
    [PST_FORBIDDEN] = PAGE_TEXT_ERROR_FORBIDDEN,
    [PST_STORE_FORBIDS] = PAGE_TEXT_ERROR_STORE,
    [PST_NOT_FOUND] = PAGE_TEXT_ERROR_NOT_FOUND,
    [PST_BAD_METHOD] = PAGE_TEXT_ERROR_METHOD,
    [PST_BODY_LATE] = PAGE_TEXT_ERROR_LATE,
    [PST_TOO_LARGE] = PAGE_TEXT_ERROR_TOO_LARGE,
    [PST_BAD_TYPE] = PAGE_TEXT_ERROR_TYPE,
    [PST_THROTTLED] = PAGE_TEXT_ERROR_THROTTLED,
    [PST_UPSTREAM_DOWN] = PAGE_TEXT_ERROR_BACKEND,
    [PST_UPSTREAM_BROKEN] = PAGE_TEXT_ERROR_BACKEND,
    [PST_UPSTREAM_TIMEOUT] = PAGE_TEXT_ERROR_BACKEND,
    [PST_STORE_DOWN] = PAGE_TEXT_ERROR_STORE,
    [PST_UNCONFIRMED] = PAGE_TEXT_ERROR_STORE,
    [PST_NO_MEMORY] = PAGE_TEXT_ERROR_BUSY,
    [PST_OVERLOADED] = PAGE_TEXT_ERROR_BUSY,
};

static void
page_emit_error(struct page *page, enum pst_err e)
{
    enum page_text text = error_texts[e];

    page_emit_text(page, "<p id=\"message\" role=\"alert\">",
                   text ? text : PAGE_TEXT_ERROR_INTERNAL, "</p>\n");
}

static void
page_emit_form_start(struct page *page, struct pst_str action,
                     struct pst_str token, struct pst_str return_to)
{
    page_emit(page, "<form method=\"post\"");
    page_emit_between(page, " action=\"", action, "\"");
    page_emit(page, ">\n");
    page_emit_between(
        page, "<input type=\"hidden\" name=\"" PAGE_CSRF_FIELD "\" value=\"",
        token, "\">\n");
    if (return_to.len <= PST_RETURN_TO_MAX)
        page_emit_between(page,
                          "<input type=\"hidden\" name=\"return_to\" value=\"",
                          return_to, "\">\n");
}

/*
 * The two fields. The focus is on the next one to fill in: the password if the
 * e-mail address is there already.
 */
static void
page_emit_login_fields(struct page *page, const struct page_login_form *form)
{
    const char *error_attributes =
        form->error == PST_REFUSED
            ? " aria-invalid=\"true\" aria-describedby=\"message\""
        : form->error ? " aria-describedby=\"message\""
                      : "";
    bool has_email = form->email.len > 0 && form->email.len <= PAGE_EMAIL_MAX;

    page_emit_text(page, "<label for=\"email\">", PAGE_TEXT_LOGIN_EMAIL,
                   "</label>\n"
                   "<input id=\"email\" name=\"email\" type=\"text\" "
                   "inputmode=\"email\" autocomplete=\"username\" "
                   "autocapitalize=\"none\" spellcheck=\"false\" required");
    page_emit(page, error_attributes);
    if (has_email)
        page_emit_between(page, " value=\"", form->email, "\"");
    page_emit(page, has_email ? ">\n" : " autofocus>\n");
    page_emit_text(page, "<label for=\"password\">", PAGE_TEXT_LOGIN_PASSWORD,
                   "</label>\n"
                   "<input id=\"password\" name=\"password\" type=\"password\" "
                   "autocomplete=\"current-password\" required");
    page_emit(page, error_attributes);
    page_emit(page, has_email ? " autofocus>\n" : ">\n");
}

/* The links of the login form; nothing if none is configured. */
static void
page_emit_login_links(struct page *page)
{
    const struct config *config = page->config;
    const struct {
        struct pst_str url;
        enum page_text text;
    } links[] = {{config->reset_url, PAGE_TEXT_LOGIN_RESET},
                 {config->register_url, PAGE_TEXT_LOGIN_REGISTER}};

    if (pst_str_is_absent(config->reset_url) &&
        pst_str_is_absent(config->register_url))
        return;
    page_emit(page, "<p class=\"links\">\n");
    for (size_t i = 0; i < PST_COUNT(links); i++) {
        if (pst_str_is_absent(links[i].url))
            continue;
        page_emit_between(page, "<a href=\"", links[i].url, "\">");
        page_emit_text(page, "", links[i].text, "</a>\n");
    }
    page_emit(page, "</p>\n");
}

enum pst_err
page_send_login(struct response *res, const struct request *req,
                const struct config *config, const struct page_login_form *form)
{
    struct page page;

    page_start(&page, res, req, config, PAGE_TEXT_LOGIN_TITLE, form->error);
    if (form->error)
        page_emit_error(&page, form->error);
    if (form->is_cookie_dropped)
        page_emit_text(&page, "<p role=\"alert\">", PAGE_TEXT_LOGIN_INSECURE,
                       "</p>\n");
    page_emit_form_start(&page, form->action, form->token, form->return_to);
    page_emit_login_fields(&page, form);
    page_emit(&page, "<div class=\"tick\"><input id=\"remember\" "
                     "name=\"rememberMe\" type=\"checkbox\" value=\"true\"");
    page_emit(&page, form->remember ? " checked>" : ">");
    page_emit_text(&page, "<label for=\"remember\">", PAGE_TEXT_LOGIN_REMEMBER,
                   "</label></div>\n");
    page_emit_text(&page, "<button type=\"submit\">", PAGE_TEXT_LOGIN_BUTTON,
                   "</button>\n</form>\n");
    page_emit_login_links(&page);
    response_set_error(res, form->error);
    return page_send(&page, pst_err_status(form->error));
}

enum pst_err
page_send_logout(struct response *res, const struct request *req,
                 const struct config *config,
                 const struct page_logout_form *form)
{
    struct page page;

    page_start(&page, res, req, config,
               form->everywhere ? PAGE_TEXT_LOGOUT_EVERYWHERE_TITLE
                                : PAGE_TEXT_LOGOUT_TITLE,
               form->error);
    if (form->error)
        page_emit_error(&page, form->error);
    if (form->everywhere)
        page_emit_text(&page, "<p>", PAGE_TEXT_LOGOUT_EVERYWHERE_TEXT,
                       "</p>\n");
    page_emit_form_start(&page, form->action, form->token, form->return_to);
    if (form->everywhere)
        page_emit(&page, "<input type=\"hidden\" name=\"everywhere\" "
                         "value=\"1\">\n");
    page_emit_text(&page, "<button type=\"submit\" autofocus>",
                   PAGE_TEXT_LOGOUT_BUTTON, "</button>\n</form>\n");
    response_set_error(res, form->error);
    return page_send(&page, pst_err_status(form->error));
}

/* Drop all headers that an error must not have. */
static void
page_keep_error_headers(struct response *res, struct pst_str token_header)
{
    const struct pst_str kept_names[] = {
        PST_STR("Set-Cookie"),
        PST_STR("WWW-Authenticate"),
        PST_STR("Allow"),
        PST_STR("Retry-After"),
        PST_STR("Vary"),
        PST_STR("Access-Control-Allow-Origin"),
        PST_STR("Access-Control-Allow-Credentials"),
        PST_STR("Access-Control-Expose-Headers"),
        PST_STR("Access-Control-Allow-Methods"),
        PST_STR("Access-Control-Allow-Headers"),
        PST_STR("Access-Control-Max-Age"),
        token_header,
        PST_STR_NONE,
    };

    response_reset(res, kept_names);
}

static enum pst_err
page_send_error_html(struct response *res, const struct request *req,
                     const struct config *config, enum pst_err e)
{
    struct page page;

    page_start(&page, res, req, config, PAGE_TEXT_ERROR_TITLE, false);
    page_emit_error(&page, e);
    page_emit_text(&page, "<p class=\"help\">", PAGE_TEXT_ERROR_HELP, "\n");
    page_emit_between(&page, "<code>", pst_str_from(pst_err_name(e)),
                      "</code>\n");
    page_emit_between(&page, "<code>", pst_str_from(req->id), "</code></p>\n");
    return page_send(&page, pst_err_status(e));
}

/* Uses no memory of the arena, because a full arena may be the error. */
static enum pst_err
page_send_error_json(struct response *res, const struct request *req,
                     enum pst_err e)
{
    char storage[512];
    struct pst_str json;
    struct pst_buf buf;
    enum pst_err failed;

    pst_buf_init(&buf, storage, sizeof(storage));
    response_emit_error(&buf, req, e);
    failed = pst_buf_finish(&buf, &json);
    if (failed)
        return failed;
    return response_send_json(res, pst_err_status(e), json);
}

enum pst_err
page_send_error(struct response *res, const struct request *req,
                const struct config *config, enum pst_err e)
{
    enum pst_err sent;

    /* Never send a success, even if the caller passes one by mistake. */
    if (pst_err_status(e) < 400)
        e = PST_INTERNAL;
    page_keep_error_headers(res, config->auth_token_header);
    response_add_vary(res, PST_STR("Accept, Sec-Fetch-Mode"));
    response_set_error(res, e);
    if (request_is_navigation(req)) {
        sent = page_send_error_html(res, req, config, e);
        if (sent == PST_OK || res->begun)
            return sent;
    }
    page_keep_error_headers(res, config->auth_token_header);
    return page_send_error_json(res, req, e);
}
