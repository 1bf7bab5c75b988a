/* SPDX-License-Identifier: ISC */
/*
 * page_html.h - write and send one HTML page: its head and style, its texts in
 * the language that the browser asks for, and its headers.
 *
 * No script, nothing from other hosts, every text escaped.
 */
#ifndef POSTERN_GATEWAY_PAGE_HTML_H
#define POSTERN_GATEWAY_PAGE_HTML_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config.h"
#include "server/page_texts.h"
#include "server/request.h"
#include "server/response.h"

/* A page that is being written. */
struct page {
    struct response *res;
    const struct config *config;
    const struct page_language *language;
    struct pst_buf buf;
};

/*
 * Begin a page: everything up to its heading.
 *   title      the heading, and the page's title with the site's name
 *   has_error  the title says that there is an error, because a screen reader
 *              reads it first
 */
void page_start(struct page *page, struct response *res,
                const struct request *req, const struct config *config,
                enum page_text title, bool has_error);

/* Write HTML as it is. */
void page_emit(struct page *page, const char *html);

/* Write before, the escaped text, and after; nothing if text is absent. */
void page_emit_between(struct page *page, const char *before,
                       struct pst_str text, const char *after);

/* The same with a text in the page's language. */
void page_emit_text(struct page *page, const char *before, enum page_text text,
                    const char *after);

/* End the page and send it with this status. Returns as response_send(), and
 * PST_TOO_LARGE if it is larger than PST_PAGE_MAX. */
PST_MUST_USE enum pst_err page_send(struct page *page, int status);

#endif
