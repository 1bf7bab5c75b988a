/* SPDX-License-Identifier: ISC */
/*
 * page_html.c - write and send one HTML page: its head and style, its texts in
 * the language that the browser asks for, and its headers.
 */
#include "gateway/page_html.h"

#include "base/limits.h"

/*
 * The style sheet, which is part of each page. The policy below contains its
 * hash, so that the browser applies no other text; a unit test computes it.
 * A site's own sheet (POSTERN_STYLESHEET) comes after it and may set the
 * variables of :root. --accent is the same on light and on dark, and the
 * default has enough contrast with both and with --accent-text (WCAG 2.2:
 * 1.4.3 and 1.4.11; an end-to-end test measures it).
 */
#define STYLE                                                            \
    ":root{color-scheme:light dark;--accent:#2563eb;--accent-text:#fff;" \
    "--focus:var(--accent);--page:#f3f4f6;--card:#fff;--text:#1b1d21;"   \
    "--quiet:#5b616e;--line:#767b85;--edge:#dfe2e7;--error:#b3261e;"     \
    "--error-back:#fcecea}"                                              \
    "@media(prefers-color-scheme:dark){:root{--page:#121316;"            \
    "--card:#1d1f24;--text:#e8eaed;--quiet:#a9afba;--line:#8b909a;"      \
    "--edge:#33363d;--error:#f2b8b5;--error-back:#3b1f1d}}"              \
    "@supports(color:color-mix(in srgb,red,red)){:root{"                 \
    "--focus:color-mix(in srgb,var(--accent) 55%,var(--text))}}"         \
    "*{box-sizing:border-box}"                                           \
    "body{margin:0;min-height:100vh;padding:1rem;display:flex;"          \
    "flex-direction:column;font:1rem/1.5 system-ui,sans-serif;"          \
    "background:var(--page);color:var(--text)}"                          \
    "main{width:100%;max-width:26rem;margin:auto;padding:2rem;"          \
    "background:var(--card);border:1px solid var(--edge);"               \
    "border-top:.25rem solid var(--accent);border-radius:.75rem;"        \
    "box-shadow:0 .5rem 2rem #0000001a;overflow-wrap:anywhere}"          \
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 1.5rem}"            \
    "p{margin:0 0 1.5rem}"                                               \
    ".site{margin:0 0 .25rem;font-weight:600;color:var(--quiet)}"        \
    "label{display:block;margin:0 0 .375rem;font-weight:600}"            \
    "input,button{font:inherit;min-height:2.75rem;padding:.5rem .75rem;" \
    "border:1px solid var(--line);border-radius:.5rem}"                  \
    "input{width:100%;margin:0 0 1.25rem;background:var(--card);"        \
    "color:inherit}"                                                     \
    "[aria-invalid]{border-color:var(--error)}"                          \
    ".tick{display:flex;align-items:center;gap:.75rem;"                  \
    "margin:-.5rem 0 1rem}"                                              \
    ".tick input{flex:none;width:1.25rem;height:1.25rem;min-height:0;"   \
    "margin:0;accent-color:var(--accent)}"                               \
    ".tick label{flex:1;margin:0;padding:.625rem 0;font-weight:400}"     \
    "button{width:100%;background:var(--accent);"                        \
    "color:var(--accent-text);border-color:transparent;"                 \
    "font-weight:600;cursor:pointer}"                                    \
    "button:hover{filter:brightness(.92)}"                               \
    ".links{display:flex;flex-wrap:wrap;column-gap:1rem;"                \
    "justify-content:space-between;margin:1rem 0 -.75rem}"               \
    "a{display:inline-block;padding:.625rem 0;color:inherit;"            \
    "text-underline-offset:.2em}"                                        \
    ":focus-visible{outline:3px solid var(--focus);outline-offset:2px}"  \
    "input:focus-visible{outline-offset:-1px}"                           \
    "[role=alert]{padding:.75rem 1rem;border-radius:.5rem;"              \
    "border:1px solid;background:var(--error-back);"                     \
    "color:var(--error)}"                                                \
    ".help{margin:0;color:var(--quiet)}"                                 \
    "code{display:block;font-size:.9375rem}"                             \
    "@media(max-width:30rem){main{padding:1.5rem 1.25rem}}"

#define STYLE_HASH "mm5WGaUizG+pKJGq0Qofuj83mydcLDeTIB0eAzQ/9cw="

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

void
page_emit(struct page *page, const char *html)
{
    pst_buf_add_string(&page->buf, html);
}

void
page_emit_between(struct page *page, const char *before, struct pst_str text,
                  const char *after)
{
    if (pst_str_is_absent(text))
        return;
    pst_buf_add_string(&page->buf, before);
    html_emit_escaped(&page->buf, text);
    pst_buf_add_string(&page->buf, after);
}

void
page_emit_text(struct page *page, const char *before, enum page_text text,
               const char *after)
{
    page_emit_between(page, before, page->language->texts[text], after);
}

static void
page_emit_head(struct page *page, enum page_text title, bool has_error)
{
    page_emit_between(page, "<!DOCTYPE html>\n<html lang=\"",
                      page->language->tag, "\" dir=\"");
    page_emit_text(page, "", PAGE_TEXT_DIRECTION,
                   "\">\n<head>\n"
                   "<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" "
                   "content=\"width=device-width, initial-scale=1\">\n"
                   "<title>");
    if (has_error)
        page_emit_text(page, "", PAGE_TEXT_ERROR_TITLE, ": ");
    page_emit_text(page, "", title, "");
    page_emit_between(page, " - ", page->config->site_name, "");
    page_emit(page, "</title>\n<style>" STYLE "</style>\n");
    page_emit_between(page, "<link rel=\"stylesheet\" href=\"",
                      page->config->stylesheet, "\">\n");
    page_emit(page, "</head>\n");
}

void
page_start(struct page *page, struct response *res, const struct request *req,
           const struct config *config, enum page_text title, bool has_error)
{
    *page = (struct page){
        .res = res,
        .config = config,
        .language = page_texts_choose(
            &config->texts, request_header(req, PST_STR("Accept-Language"))),
    };
    pst_buf_init_arena(&page->buf, res->arena, PST_PAGE_MAX);
    page_emit_head(page, title, has_error);
    page_emit(page, "<body>\n<main>\n");
    page_emit_between(page, "<p class=\"site\">", config->site_name, "</p>\n");
    page_emit_text(page, "<h1>", title, "</h1>\n");
}

enum pst_err
page_send(struct page *page, int status)
{
    bool has_stylesheet = !pst_str_is_absent(page->config->stylesheet);
    struct response *res = page->res;
    struct pst_str html;
    enum pst_err e;

    page_emit(page, "</main>\n</body>\n</html>\n");
    e = pst_buf_finish(&page->buf, &html);
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
    response_set_header(res, PST_STR("Content-Language"), page->language->tag);
    response_add_vary(res, PST_STR("Accept-Language"));
    return response_send(res, status, PST_STR("text/html; charset=utf-8"),
                         html);
}
