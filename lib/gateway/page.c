/* SPDX-License-Identifier: ISC */
/*
 * page.c - the login form, the log-out question and the error page: plain
 * HTML that works without a script, and shows nothing it was not given.
 */
#include "gateway/page.h"

#include "base/buffer.h"
#include "base/limits.h"

/*
 * The one style sheet, inside each page. The policy below names its hash, so
 * the browser applies this text and no other; a unit test computes it anew.
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

#define POLICY_BEFORE "default-src 'none'; style-src 'sha256-" STYLE_HASH "'"
#define POLICY_AFTER \
    "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
#define POLICY POLICY_BEFORE POLICY_AFTER

/* With a style sheet of the owner's, and what that may use. */
#define POLICY_WITH_SHEET \
    POLICY_BEFORE " 'self'; img-src 'self'; font-src 'self'" POLICY_AFTER

/* The name of a character that HTML reads as its own, or NULL. */
static const char *
reference(char c)
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

/* Text for HTML: the five as references, control bytes dropped. */
static void
emit_escaped(struct pst_buf *buf, struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *name = reference(text.ptr[i]);

        if (name)
            pst_buf_add_string(buf, name);
        else if (c >= 0x20 && c != 0x7F)
            pst_buf_add_char(buf, text.ptr[i]);
    }
}

/* before, text, after: or nothing at all when text is absent. */
static void
emit_around(struct pst_buf *buf, const char *before, struct pst_text text,
            const char *after)
{
    if (pst_text_is_absent(text))
        return;
    pst_buf_add_string(buf, before);
    emit_escaped(buf, text);
    pst_buf_add_string(buf, after);
}

/* Where a page stands on the site, in its head: title, style, heading. */
static void
emit_top(struct pst_buf *buf, const struct config *config,
         const char *before_title, const char *title)
{
    pst_buf_add_string(buf, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                            "<meta charset=\"utf-8\">\n"
                            "<meta name=\"viewport\" "
                            "content=\"width=device-width, initial-scale=1\">\n"
                            "<title>");
    pst_buf_add_string(buf, before_title);
    pst_buf_add_string(buf, title);
    emit_around(buf, " - ", config->site_name, "");
    pst_buf_add_string(buf, "</title>\n<style>" STYLE "</style>\n");
    emit_around(buf, "<link rel=\"stylesheet\" href=\"", config->stylesheet,
                "\">\n");
    pst_buf_add_string(buf, "</head>\n<body>\n<main>\n");
    emit_around(buf, "<p class=\"site\">", config->site_name, "</p>\n");
    pst_buf_add_string(buf, "<h1>");
    pst_buf_add_string(buf, title);
    pst_buf_add_string(buf, "</h1>\n");
}

static void
emit_end(struct pst_buf *buf)
{
    pst_buf_add_string(buf, "</main>\n</body>\n</html>\n");
}

static void
emit_form(struct pst_buf *buf, struct pst_text action, struct pst_text token,
          struct pst_text return_to)
{
    pst_buf_add_string(buf, "<form method=\"post\"");
    emit_around(buf, " action=\"", action, "\"");
    pst_buf_add_string(buf, ">\n");
    emit_around(buf,
                "<input type=\"hidden\" name=\"" PAGE_TOKEN_FIELD "\" value=\"",
                token, "\">\n");
    emit_around(buf, "<input type=\"hidden\" name=\"return_to\" value=\"",
                return_to, "\">\n");
}

static enum pst_err
send_page(struct reply *rep, const struct config *config, int status,
          const struct pst_buf *buf)
{
    bool has_sheet = !pst_text_is_absent(config->stylesheet);
    struct pst_text html;
    enum pst_err e = pst_buf_end(buf, &html);

    if (e)
        return e;
    reply_put(rep, PST_TEXT("Content-Security-Policy"),
              has_sheet ? PST_TEXT(POLICY_WITH_SHEET) : PST_TEXT(POLICY));
    /* Not no-referrer: under it browsers post a form with "Origin: null", which
     * is taken only from those that also send Sec-Fetch-Site. */
    reply_put(rep, PST_TEXT("Referrer-Policy"), PST_TEXT("same-origin"));
    reply_put(rep, PST_TEXT("X-Frame-Options"), PST_TEXT("DENY"));
    reply_put(rep, PST_TEXT("Cache-Control"), PST_TEXT("no-store"));
    return reply_whole(rep, status, PST_TEXT("text/html; charset=utf-8"), html);
}

/*
 * The two fields. The one to type in next has the focus: the password when
 * the name is known already. Both may be pasted into and filled in.
 */
static void
emit_credentials(struct pst_buf *buf, const struct page_login *page)
{
    const char *described = pst_text_is_absent(page->message)
                                ? ""
                                : " aria-describedby=\"message\"";
    bool typed = page->email.len > 0;

    pst_buf_add_string(buf, "<label for=\"email\">E-mail address</label>\n"
                            "<input id=\"email\" name=\"email\" type=\"text\" "
                            "inputmode=\"email\" autocomplete=\"username\" "
                            "autocapitalize=\"none\" spellcheck=\"false\" "
                            "required");
    pst_buf_add_string(buf, described);
    emit_around(buf, " value=\"", page->email, "\"");
    pst_buf_add_string(buf, typed ? ">\n" : " autofocus>\n");
    pst_buf_add_string(buf, "<label for=\"password\">Password</label>\n"
                            "<input id=\"password\" name=\"password\" "
                            "type=\"password\" "
                            "autocomplete=\"current-password\" required");
    pst_buf_add_string(buf, described);
    pst_buf_add_string(buf, typed ? " autofocus>\n" : ">\n");
}

enum pst_err
page_login(struct reply *rep, const struct config *config, int status,
           const struct page_login *page)
{
    bool wrong = !pst_text_is_absent(page->message);
    struct pst_buf buf;

    pst_buf_init_arena(&buf, rep->arena, PST_PAGE_MAX);
    emit_top(&buf, config, wrong ? "Error: " : "", "Log in");
    emit_around(&buf, "<p id=\"message\" role=\"alert\">", page->message,
                "</p>\n");
    emit_form(&buf, page->action, page->token, page->return_to);
    emit_credentials(&buf, page);
    pst_buf_add_string(&buf, "<div class=\"tick\"><input id=\"remember\" "
                             "name=\"rememberMe\" type=\"checkbox\" "
                             "value=\"true\"");
    pst_buf_add_string(&buf, page->remember ? " checked>" : ">");
    pst_buf_add_string(&buf, "<label for=\"remember\">Keep me logged in"
                             "</label></div>\n"
                             "<button type=\"submit\">Log in</button>\n"
                             "</form>\n");
    emit_end(&buf);
    return send_page(rep, config, status, &buf);
}

enum pst_err
page_logout(struct reply *rep, const struct config *config, int status,
            const struct page_logout *page)
{
    bool wrong = !pst_text_is_absent(page->message);
    struct pst_buf buf;

    pst_buf_init_arena(&buf, rep->arena, PST_PAGE_MAX);
    emit_top(&buf, config, wrong ? "Error: " : "",
             page->everywhere ? "Log out everywhere?" : "Log out?");
    emit_around(&buf, "<p id=\"message\" role=\"alert\">", page->message,
                "</p>\n");
    emit_form(&buf, page->action, page->token, page->return_to);
    if (page->everywhere)
        pst_buf_add_string(&buf, "<input type=\"hidden\" name=\"everywhere\" "
                                 "value=\"1\">\n");
    pst_buf_add_string(&buf, "<button type=\"submit\" autofocus>Log out"
                             "</button>\n</form>\n");
    emit_end(&buf);
    return send_page(rep, config, status, &buf);
}

/* Drop all but what an error must still tell. */
static void
keep_what_matters(struct reply *rep, struct pst_text token_header)
{
    const struct pst_text kept[] = {
        PST_TEXT("Set-Cookie"),
        PST_TEXT("WWW-Authenticate"),
        PST_TEXT("Allow"),
        PST_TEXT("Retry-After"),
        PST_TEXT("Vary"),
        PST_TEXT("Access-Control-Allow-Origin"),
        PST_TEXT("Access-Control-Allow-Credentials"),
        PST_TEXT("Access-Control-Expose-Headers"),
        PST_TEXT("Access-Control-Allow-Methods"),
        PST_TEXT("Access-Control-Allow-Headers"),
        PST_TEXT("Access-Control-Max-Age"),
        token_header,
        PST_NO_TEXT,
    };

    reply_reset(rep, kept);
}

static enum pst_err
send_error_page(struct reply *rep, const struct request *req,
                const struct config *config, enum pst_err e)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, rep->arena, PST_PAGE_MAX);
    emit_top(&buf, config, "", "Sorry");
    pst_buf_add_string(&buf, "<p role=\"alert\">This did not work: ");
    emit_escaped(&buf, pst_text_from(pst_err_text(e)));
    pst_buf_add_string(&buf, ".</p>\n<p>If you ask for help, give this number: "
                             "<code>");
    emit_escaped(&buf, pst_text_from(req->id));
    pst_buf_add_string(&buf, "</code></p>\n");
    emit_end(&buf);
    return send_page(rep, config, pst_err_status(e), &buf);
}

/* Needs nothing of the arena, which may be the very thing that is spent. */
static enum pst_err
send_error_json(struct reply *rep, const struct request *req, enum pst_err e)
{
    char storage[512];
    struct pst_text json;
    struct pst_buf buf;
    enum pst_err failed;

    pst_buf_init(&buf, storage, sizeof(storage));
    reply_emit_error(&buf, req, e);
    failed = pst_buf_end(&buf, &json);
    if (failed)
        return failed;
    return reply_json(rep, pst_err_status(e), json);
}

enum pst_err
page_error(struct reply *rep, const struct request *req,
           const struct config *config, enum pst_err e)
{
    enum pst_err sent;

    /* A caller that errs about having erred must not open the door (L26). */
    if (pst_err_status(e) < 400)
        e = PST_INTERNAL;
    keep_what_matters(rep, config->auth_token_header);
    reply_vary(rep, PST_TEXT("Accept, Sec-Fetch-Mode"));
    if (e == PST_OVERLOADED || e == PST_NO_MEMORY)
        reply_put(rep, PST_TEXT("Retry-After"), PST_TEXT("1"));
    if (request_is_navigation(req)) {
        sent = send_error_page(rep, req, config, e);
        if (sent == PST_OK || rep->begun)
            return sent;
    }
    keep_what_matters(rep, config->auth_token_header);
    return send_error_json(rep, req, e);
}
