/* SPDX-License-Identifier: ISC */
/*
 * response_head.h - find, check and parse the head of an HTTP/1.1 response in a
 * buffer (RFC 9112).
 *
 * Stricter than the RFC asks of a client: what two programs could read
 * differently is refused, so that a response cannot be split or smuggled. Every
 * line must end with CRLF.
 */
#ifndef POSTERN_HTTP_RESPONSE_HEAD_H
#define POSTERN_HTTP_RESPONSE_HEAD_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* How the end of a body is found: RFC 9112 section 6.3. */
enum response_framing {
    RESPONSE_NO_BODY, /* status 1xx, 204 or 304, whatever the headers say */
    RESPONSE_LENGTH,
    RESPONSE_CHUNKED,
    RESPONSE_UNTIL_CLOSE,
};

struct response_head {
    int status;            /* 100..599, never 101 */
    struct pst_str fields; /* the header lines, each with its CRLF */
    enum response_framing framing;
    int64_t length;             /* bytes, for RESPONSE_LENGTH */
    bool has_transfer_encoding; /* then no Content-Length counts */
    bool keeps_open; /* the connection can be used again after the body */
};

/* What is known of a head that is not complete yet. All zero at its start. */
struct response_scan {
    size_t checked; /* bytes: whole lines */
    size_t lines;
    int status; /* 0: the status line is not complete */
};

/*
 * Look for the end of a head.
 *   scan    what earlier calls found; updated
 *   bytes   what has arrived since the start of the head; earlier bytes are
 *           the same as in the call before
 *   len     set on PST_OK: bytes of the head with its empty line; 0: it is not
 *           complete yet
 *   reason  set on PST_UPSTREAM_BROKEN: what is wrong, for the log
 * Returns PST_OK; PST_UPSTREAM_BROKEN (no HTTP/1.0 or HTTP/1.1 status line, a
 * line that ends with a bare LF, over PST_HEADER_COUNT_MAX header lines). The
 * caller limits the bytes.
 */
PST_MUST_USE enum pst_err response_scan_head(struct response_scan *scan,
                                             struct pst_str bytes, size_t *len,
                                             const char **reason);

/*
 * Parse a head that response_scan_head() found.
 *   bytes   the whole head, with its empty line
 *   out     set on PST_OK; its slices are of bytes
 *   reason  set on PST_UPSTREAM_BROKEN
 * Returns PST_OK; PST_UPSTREAM_BROKEN (status 101; a header line that
 * message_split_header() refuses; a Content-Length that is not a number, or two
 * that differ; a Transfer-Encoding other than one "chunked", or in HTTP/1.0).
 */
PST_MUST_USE enum pst_err response_parse_head(struct pst_str bytes,
                                              struct response_head *out,
                                              const char **reason);

/*
 * Call `header` for each header in order. Content-Length is left out when there
 * is a Transfer-Encoding, which overrides it (RFC 9112 section 6.3). Stops at
 * the first error, and returns it; else PST_OK.
 */
PST_MUST_USE enum pst_err
response_walk_head(const struct response_head *head,
                   enum pst_err (*header)(void *context, struct pst_str name,
                                          struct pst_str value),
                   void *context);

#endif
