/* SPDX-License-Identifier: ISC */
/*
 * response_headers.h - the headers of a response: each name at most once, and
 * no CR, LF or NUL in a value.
 */
#ifndef POSTERN_SERVER_RESPONSE_HEADERS_H
#define POSTERN_SERVER_RESPONSE_HEADERS_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define RESPONSE_HEADERS_MAX 64

struct response; /* server/response.h */

struct response_header {
    struct pst_str name;
    struct pst_str value;
};

/*
 * Set a header, and replace one of that name (in any case).
 *   name   a token, copied into the arena; not Status, which tells the web
 *          server the status in CGI, not Location, which only
 *          response_redirect() sets, and not Set-Cookie:
 *          response_set_cookie()
 *   value  a field value (HTAB but no CR, LF, NUL or other control byte),
 *          copied too; an empty one is kept, an absent one is malformed
 * Returns PST_OK, PST_MALFORMED, PST_NO_MEMORY, PST_TOO_LARGE (more than
 * RESPONSE_HEADERS_MAX headers, or PST_HEADERS_MAX bytes of them).
 */
PST_MUST_USE enum pst_err response_try_set_header(struct response *res,
                                                  struct pst_str name,
                                                  struct pst_str value);

/* The same, but response_begin() returns the error: for values of our own. */
void response_set_header(struct response *res, struct pst_str name,
                         struct pst_str value);

/* The same for a name and value that outlive the response, which are not
 * copied: for use when the arena may be full. */
void response_set_borrowed_header(struct response *res, struct pst_str name,
                                  struct pst_str value);

/* The same, but nothing if there is a header of that name already. */
void response_set_default_header(struct response *res, struct pst_str name,
                                 struct pst_str value);

/*
 * Add a Set-Cookie line after all others, and remove those of the same cookie
 * (name, Domain, Path, Partitioned): only the last value of a cookie
 * is sent. response_begin() returns the error, if any.
 */
void response_set_cookie(struct response *res, struct pst_str line);

/* Remove a header, if it is set. */
void response_remove_header(struct response *res, struct pst_str name);

/* A header's value, absent when not set; of several cookies the first. */
struct pst_str response_get_header(const struct response *res,
                                   struct pst_str name);

/*
 * Add names ("Origin, Cookie") to Vary, each once; "*" replaces all of them.
 * Names that are not tokens are left out, because a backend's Vary is merged
 * here too.
 */
void response_add_vary(struct response *res, struct pst_str names);

/* Remember an error for response_begin(), unless there is one already. */
void response_defer_error(struct response *res, enum pst_err e);

#endif
