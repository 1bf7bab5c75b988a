/* SPDX-License-Identifier: ISC */
/*
 * origin.h - prevent cross-site request forgery: decide by Origin and
 * Sec-Fetch-Site whether a request may change something (RFC 6454, W3C Fetch
 * Metadata).
 */
#ifndef POSTERN_HTTP_ORIGIN_H
#define POSTERN_HTTP_ORIGIN_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* What a request says about its origin. Absent text: no such header. */
struct pst_origin_facts {
    struct pst_str origin;         /* Origin */
    struct pst_str sec_fetch_site; /* Sec-Fetch-Site */
    struct pst_str referer;        /* Referer, used only to refuse */
    bool safe;                     /* the method is GET, HEAD or OPTIONS */
    bool bearer;                   /* it has a valid bearer token */
    bool form_with_cookie; /* it has a cookie of ours, and a body that an HTML
                              form can send but that is not a form of ours */
    bool preflighted;      /* it has a header that an HTML form cannot send */
};

/* The origins that we allow. */
struct pst_origin_rules {
    struct pst_str own;           /* of this site: "https://shop.example" */
    const struct pst_str *listed; /* other allowed origins */
    size_t listed_count;
};

/*
 * Is this a serialized origin, exactly as a browser sends it (RFC 6454 6.2)?
 * The scheme is "http" or "https", the host is in lower case, the port is there
 * only if it is not the default port of the scheme, and nothing follows.
 */
bool pst_origin_is_canonical(struct pst_str origin);

/*
 * Is this an origin of the pages in a mobile or desktop app, such as
 * "capacitor://localhost"? The scheme is not http, https or file. The host has
 * letters, digits, "-", ".", "_" and "~". There may be a port, and nothing
 * follows. Upper case in the host is allowed: such origins have no standard
 * spelling, and are compared byte for byte.
 */
bool pst_origin_is_app(struct pst_str origin);

/* Is origin one of the listed ones, byte for byte? "null" never is. */
bool pst_origin_is_listed(const struct pst_origin_rules *rules,
                          struct pst_str origin);

/*
 * Decide whether a request may change something. The first rule that applies
 * decides:
 *   - the method is safe, or there is a valid bearer token: yes, because
 *     browsers never add that token by themselves
 *   - Origin is listed: yes
 *   - Origin is "null": only if Sec-Fetch-Site is same-origin. A page of ours
 *     with Referrer-Policy: no-referrer sends this with a form
 *   - Origin is not our own (also empty, another scheme, another port): no,
 *     whatever Sec-Fetch-Site says
 *   - Sec-Fetch-Site is there: yes for same-origin and none, else no
 *   - Origin is our own: yes
 *   - Referer is there and is not a page of ours: no
 *   - form_with_cookie without preflighted: no
 *   - else the request does not come from a browser: yes
 * Returns PST_OK or PST_CROSS_SITE.
 */
PST_MUST_USE enum pst_err
pst_origin_check(const struct pst_origin_rules *rules,
                 const struct pst_origin_facts *facts);

#endif
