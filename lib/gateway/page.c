/* SPDX-License-Identifier: ISC */
/*
 * page.c - send the login, logout and error pages, which work without scripts,
 * and errors as JSON.
 */
#include "gateway/page.h"

#include "base/buffer.h"
#include "base/limits.h"

/*
 * The style sheet, which is part of each page. The policy below contains its
 * hash, so that the browser applies no other text; a unit test computes it.
 */
#define STYLE                                                            \
    ":root{color-scheme:light dark;--line:#767676;"                      \
    "--warn:#b3261e;--focus:#0b57d0}"                                    \
    "@media(prefers-color-scheme:dark){:root{--line:#8e8e8e;"            \
    "--warn:#f2b8b5;--focus:#a8c7fa}}"                                   \
    "*{box-sizing:border-box}"                                           \
    "body{margin:0;font:1rem/1.5 system-ui,sans-serif}"                  \
    "main{max-width:24rem;margin:0 auto;padding:2rem 1rem}"              \
    "h1{font-size:1.5rem;line-height:1.2;margin:0 0 1rem}"               \
    ".site{margin:0 0 .5rem;overflow-wrap:anywhere}"                     \
    "label{display:block;margin:1rem 0 .25rem}"                          \
    "input,button{font:inherit;min-height:2.75rem;padding:.5rem .75rem;" \
    "border:1px solid var(--line);border-radius:.375rem}"                \
    "input{width:100%}"                                                  \
    ".tick{display:flex;align-items:center;gap:.5rem}"                   \
    ".tick input{width:1.25rem;height:1.25rem;min-height:0;"             \
    "margin:0}"                                                          \
    ".tick label{margin:0}"                                              \
    ".tick,button{margin-top:1rem}"                                      \
    "button{width:100%;font-weight:600;cursor:pointer}"                  \
    ":focus-visible{outline:3px solid var(--focus);outline-offset:2px}"  \
    "[role=alert]{border-left:.25rem solid;padding-left:.75rem;"         \
    "color:var(--warn)}"                                                 \
    "[role=alert]::first-letter{text-transform:uppercase}"               \
    "code{overflow-wrap:anywhere}"

#define STYLE_HASH "iBFMe8Sm/g3DMICFdBfMNvCeYjhqT7LqrBU5JGGYUtM="

#define CSP_START "default-src 'none'; style-src 'sha256-" STYLE_HASH "'"
#define CSP_END "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
#define CSP CSP_START CSP_END

/* With POSTERN_STYLESHEET, and the images and fonts that it may use. */
#define CSP_WITH_STYLESHEET \
    CSP_START " 'self'; img-src 'self'; font-src 'self'" CSP_END

/* The reference for a character that is special in HTML, or NULL. */
static const char *
html_character_reference(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Write text as HTML, without its control bytes. */
static void
html_emit_escaped(struct pst_buf *buf, struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *name = html_character_reference(text.ptr[i]);

        if (name)
            pst_buf_add_string(buf, name);
        else if (c >= 0x20 && c != 0x7F)
            pst_buf_add_char(buf, text.ptr[i]);
    }
}

/* Write before, the escaped text, and after; nothing if text is absent. */
static void
html_emit_between(struct pst_buf *buf, const char *before, struct pst_str text,
                  const char *after)
{
    if (pst_str_is_absent(text))
        return;
    pst_buf_add_string(buf, before);
    html_emit_escaped(buf, text);
    pst_buf_add_string(buf, after);
}

/* The beginning of a page: title, style sheets, heading. */
static void
page_emit_start(struct pst_buf *buf, const struct config *config,
                const char *before_title, const char *title)
{
    pst_buf_add_string(buf, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                            "<meta charset=\"utf-8\">\n"
                            "<meta name=\"viewport\" "
                            "content=\"width=device-width, initial-scale=1\">\n"
                            "<title>");
    pst_buf_add_string(buf, before_title);
    pst_buf_add_string(buf, title);
    html_emit_between(buf, " - ", config->site_name, "");
    pst_buf_add_string(buf, "</title>\n<style>" STYLE "</style>\n");
    html_emit_between(buf, "<link rel=\"stylesheet\" href=\"",
                      config->stylesheet, "\">\n");
    pst_buf_add_string(buf, "</head>\n<body>\n<main>\n");
    html_emit_between(buf, "<p class=\"site\">", config->site_name, "</p>\n");
    pst_buf_add_string(buf, "<h1>");
    pst_buf_add_string(buf, title);
    pst_buf_add_string(buf, "</h1>\n");
}

static void
page_emit_end(struct pst_buf *buf)
{
    pst_buf_add_string(buf, "</main>\n</body>\n</html>\n");
}

static void
page_emit_form_start(struct pst_buf *buf, struct pst_str action,
                     struct pst_str token, struct pst_str return_to)
{
    pst_buf_add_string(buf, "<form method=\"post\"");
    html_emit_between(buf, " action=\"", action, "\"");
    pst_buf_add_string(buf, ">\n");
    html_emit_between(
        buf, "<input type=\"hidden\" name=\"" PAGE_CSRF_FIELD "\" value=\"",
        token, "\">\n");
    html_emit_between(buf, "<input type=\"hidden\" name=\"return_to\" value=\"",
                      return_to, "\">\n");
}

static enum pst_err
page_send_html(struct response *res, const struct config *config, int status,
               const struct pst_buf *buf)
{
    bool has_stylesheet = !pst_str_is_absent(config->stylesheet);
    struct pst_str html;
    enum pst_err e = pst_buf_finish(buf, &html);

    if (e)
        return e;
    response_set_header(res, PST_STR("Content-Security-Policy"),
                        has_stylesheet ? PST_STR(CSP_WITH_STYLESHEET)
                                       : PST_STR(CSP));
    /* Not no-referrer: with it, browsers post a form with "Origin: null", which
     * is accepted only with a Sec-Fetch-Site. */
    response_set_header(res, PST_STR("Referrer-Policy"),
                        PST_STR("same-origin"));
    response_set_header(res, PST_STR("X-Frame-Options"), PST_STR("DENY"));
    response_set_header(res, PST_STR("Cache-Control"), PST_STR("no-store"));
    return response_send(res, status, PST_STR("text/html; charset=utf-8"),
                         html);
}

/*
 * The two fields. The focus is on the next one to fill in: the password if the
 * e-mail address is there already.
 */
static void
page_emit_login_fields(struct pst_buf *buf, const struct page_login_form *page)
{
    const char *describedby_attribute =
        pst_str_is_absent(page->message) ? "" : " aria-describedby=\"message\"";
    bool has_email = page->email.len > 0;

    pst_buf_add_string(buf, "<label for=\"email\">E-mail address</label>\n"
                            "<input id=\"email\" name=\"email\" type=\"text\" "
                            "inputmode=\"email\" autocomplete=\"username\" "
                            "autocapitalize=\"none\" spellcheck=\"false\" "
                            "required");
    pst_buf_add_string(buf, describedby_attribute);
    html_emit_between(buf, " value=\"", page->email, "\"");
    pst_buf_add_string(buf, has_email ? ">\n" : " autofocus>\n");
    pst_buf_add_string(buf, "<label for=\"password\">Password</label>\n"
                            "<input id=\"password\" name=\"password\" "
                            "type=\"password\" "
                            "autocomplete=\"current-password\" required");
    pst_buf_add_string(buf, describedby_attribute);
    pst_buf_add_string(buf, has_email ? " autofocus>\n" : ">\n");
}

enum pst_err
page_send_login(struct response *res, const struct config *config, int status,
                const struct page_login_form *page)
{
    bool has_error = !pst_str_is_absent(page->message);
    struct pst_buf buf;

    pst_buf_init_arena(&buf, res->arena, PST_PAGE_MAX);
    page_emit_start(&buf, config, has_error ? "Error: " : "", "Log in");
    html_emit_between(&buf, "<p id=\"message\" role=\"alert\">", page->message,
                      "</p>\n");
    if (page->is_cookie_dropped)
        pst_buf_add_string(&buf,
                           "<p role=\"alert\">Your browser will not keep you "
                           "logged in here, because this page did not come "
                           "over https.</p>\n");
    page_emit_form_start(&buf, page->action, page->token, page->return_to);
    page_emit_login_fields(&buf, page);
    pst_buf_add_string(&buf, "<div class=\"tick\"><input id=\"remember\" "
                             "name=\"rememberMe\" type=\"checkbox\" "
                             "value=\"true\"");
    pst_buf_add_string(&buf, page->remember ? " checked>" : ">");
    pst_buf_add_string(&buf, "<label for=\"remember\">Keep me logged in"
                             "</label></div>\n"
                             "<button type=\"submit\">Log in</button>\n"
                             "</form>\n");
    page_emit_end(&buf);
    return page_send_html(res, config, status, &buf);
}

enum pst_err
page_send_logout(struct response *res, const struct config *config, int status,
                 const struct page_logout_form *page)
{
    bool has_error = !pst_str_is_absent(page->message);
    struct pst_buf buf;

    pst_buf_init_arena(&buf, res->arena, PST_PAGE_MAX);
    page_emit_start(&buf, config, has_error ? "Error: " : "",
                    page->everywhere ? "Log out everywhere?" : "Log out?");
    html_emit_between(&buf, "<p id=\"message\" role=\"alert\">", page->message,
                      "</p>\n");
    page_emit_form_start(&buf, page->action, page->token, page->return_to);
    if (page->everywhere)
        pst_buf_add_string(&buf, "<input type=\"hidden\" name=\"everywhere\" "
                                 "value=\"1\">\n");
    pst_buf_add_string(&buf, "<button type=\"submit\" autofocus>Log out"
                             "</button>\n</form>\n");
    page_emit_end(&buf);
    return page_send_html(res, config, status, &buf);
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
    struct pst_buf buf;

    pst_buf_init_arena(&buf, res->arena, PST_PAGE_MAX);
    page_emit_start(&buf, config, "", "Error");
    pst_buf_add_string(&buf, "<p role=\"alert\">The request failed: ");
    html_emit_escaped(&buf, pst_str_from(pst_err_text(e)));
    pst_buf_add_string(&buf,
                       ".</p>\n<p>If you ask for help, quote this number: "
                       "<code>");
    html_emit_escaped(&buf, pst_str_from(req->id));
    pst_buf_add_string(&buf, "</code></p>\n");
    page_emit_end(&buf);
    return page_send_html(res, config, pst_err_status(e), &buf);
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
    response_set_error_headers(res, e);
    if (request_is_navigation(req)) {
        sent = page_send_error_html(res, req, config, e);
        if (sent == PST_OK || res->begun)
            return sent;
    }
    page_keep_error_headers(res, config->auth_token_header);
    return page_send_error_json(res, req, e);
}
