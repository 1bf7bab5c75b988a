/* SPDX-License-Identifier: ISC */
/*
 * set_cookie.h - parse a Set-Cookie line of the backend as a browser would
 * (RFC 6265 section 5.2). Pure.
 */
#ifndef POSTERN_UPSTREAM_SET_COOKIE_H
#define POSTERN_UPSTREAM_SET_COOKIE_H

#include "base/str.h"

struct set_cookie {
    struct pst_str name;
    struct pst_str value; /* absent: the line deletes the cookie */
    bool is_http_only;
};

/*
 * Parse one line. Max-Age, Expires and HttpOnly are read; the other attributes
 * do not matter to a client with one address. An empty value counts as a
 * deletion, and so does the value that the package cookie-session sets for an
 * empty session.
 *   text  the header's value
 *   now   unix seconds
 *   line  set where true is returned; its slices are of text
 * Returns false for a line that browsers ignore.
 */
bool set_cookie_parse(struct pst_str text, int64_t now,
                      struct set_cookie *line);

#endif
