/* SPDX-License-Identifier: ISC */
/*
 * request_body.h - read the body of a request, as a stream or whole, within
 * its limits.
 */
#ifndef POSTERN_SERVER_REQUEST_BODY_H
#define POSTERN_SERVER_REQUEST_BODY_H

#include "base/error.h"
#include "base/str.h"
#include "server/request.h"

/*
 * Read the next piece of the body into out, 1..size bytes. Not after
 * request_read_whole_body().
 * Returns PST_OK (*len 0 is the end), PST_CLIENT_GONE, PST_TOO_LARGE (longer
 * than max_body), PST_MALFORMED (shorter than CONTENT_LENGTH).
 */
PST_MUST_USE enum pst_err request_read_body(struct request *req, char *out,
                                            size_t size, size_t *len);

/*
 * Read the whole body, at most max bytes. A second call returns the same
 * bytes. Not after request_read_body().
 *   body  set on PST_OK; lives as long as the request's arena
 * Returns as request_read_body(); PST_TOO_LARGE also for more than max bytes;
 * PST_NO_MEMORY; PST_OVERLOADED (all requests together hold max_held bytes).
 */
PST_MUST_USE enum pst_err
request_read_whole_body(struct request *req, size_t max, struct pst_str *body);

/*
 * Count more bytes as held by this request until its arena is reset: for what
 * is made from a body, such as another body.
 * Returns PST_OK, PST_OVERLOADED, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err request_reserve_bytes(struct request *req,
                                                size_t bytes);

#endif
