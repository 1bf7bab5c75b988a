/* SPDX-License-Identifier: ISC */
/*
 * origin.h - which site a request comes from, and whether it may
 * (Fetch; RFC 6454; design 2.7).
 */
#ifndef POSTERN_HTTP_ORIGIN_H
#define POSTERN_HTTP_ORIGIN_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* What a request says about where it was made. Absent texts: no header. */
struct pst_origin_facts {
    struct pst_str origin;         /* Origin */
    struct pst_str sec_fetch_site; /* Sec-Fetch-Site */
    struct pst_str referer;        /* Referer, used only to refuse */
    bool safe;                     /* GET, HEAD, OPTIONS */
    bool bearer;                   /* its bearer token opened */
    bool form_with_cookie; /* a body that a plain form can send, not read by
                              the form's own rules, and a cookie of ours */
    bool preflighted;      /* a header that no form can add */
};

/* What we know ourselves. */
struct pst_origin_rules {
    struct pst_str own;           /* "https://shop.example", canonical */
    const struct pst_str *listed; /* other allowed origins, canonical */
    size_t listed_count;
};

/*
 * Is this one serialized origin, in the spelling a browser would send:
 * scheme "http" or "https", host in lower case, a port only when it is not
 * the scheme's own, nothing after it?
 */
PST_EXPORT bool pst_origin_is_canonical(struct pst_str origin);

/*
 * Is this the origin of an app's own pages: another scheme than http, https and
 * file, such as "capacitor://localhost", "://", a host of letters, digits, "-",
 * ".", "_" and "~", perhaps a port, nothing after it? Upper case is taken as
 * it is: such origins have no one spelling, and are compared byte for byte.
 */
PST_EXPORT bool pst_origin_is_app(struct pst_str origin);

/* Is origin, byte for byte, one of the listed ones? "null" never is. */
PST_EXPORT bool pst_origin_is_listed(const struct pst_origin_rules *rules,
                                     struct pst_str origin);

/*
 * May a request with these facts change something?
 * Returns PST_OK or PST_CROSS_SITE. Deny is where it starts.
 *   - safe, or a bearer token that opened: yes (no browser adds that by itself)
 *   - an Origin that is listed: yes
 *   - Origin: null: only with Sec-Fetch-Site: same-origin, which is how a page
 *     of ours under Referrer-Policy: no-referrer posts a form
 *   - an Origin that is not exactly our own (empty, another scheme or port, a
 *     look-alike): no, whatever Sec-Fetch-Site says
 *   - Sec-Fetch-Site: yes for same-origin and none, no for anything else
 *   - without it: yes when Origin is our own
 *   - with neither: no when there is a Referer that is not our own ("own",
 *     "own/...", "own?...", "own#..."); no for form_with_cookie unless it is
 *     preflighted; else it is no browser: yes
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_origin_check(const struct pst_origin_rules *rules,
                 const struct pst_origin_facts *facts);

#endif
