/* SPDX-License-Identifier: ISC */
/*
 * multipart.h - a streaming parser for the body of a GraphQL request with
 * files: multipart/form-data (RFC 7578). The first part, "operations", is the
 * request; "map" and the files follow. Source: GraphQL multipart request
 * specification.
 *
 * Programs differ in which of two parts with the same name they use, in where a
 * part begins, and in what its name is. The attack: a request that we check in
 * one reading, and that the backend executes in another. So only what all
 * programs read alike is accepted: one "operations", as the first part, and no
 * later part that any program may take for it.
 */
#ifndef POSTERN_HTTP_MULTIPART_H
#define POSTERN_HTTP_MULTIPART_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "http/multipart_part.h"
#include "http/stream_search.h"

#define PST_BOUNDARY_MAX 70              /* bytes: RFC 2046 section 5.1.1 */
#define PST_MULTIPART_PART_HEAD_MAX 1024 /* bytes of header lines of a part */

/* What the next byte of the body belongs to. */
enum pst_multipart_state {
    PST_MULTIPART_START,           /* the first delimiter */
    PST_MULTIPART_AFTER_DELIMITER, /* the two bytes after a delimiter */
    PST_MULTIPART_HEADERS,         /* the header lines of a part */
    PST_MULTIPART_CONTENT,         /* the content of a part */
    PST_MULTIPART_EPILOGUE,        /* after the closing delimiter */
};

/* What pst_multipart_next() has found. */
enum pst_multipart_event {
    PST_MULTIPART_NEED_INPUT, /* all of the input is read */
    PST_MULTIPART_PART_BEGIN, /* a part; its header lines are read */
    PST_MULTIPART_DATA,       /* more content of the part */
    PST_MULTIPART_DONE, /* the closing delimiter: there is no other part */
};

/* The state of parsing; not to be moved once a part has begun. */
struct pst_multipart {
    enum pst_multipart_state state;
    size_t parts; /* begun so far */

    struct pst_multipart_part part; /* the last one that has begun */

    struct pst_search delimiter;               /* for "--" and the boundary */
    char line_delimiter[4 + PST_BOUNDARY_MAX]; /* CR LF and the delimiter */
    bool is_at_line_start;  /* CR LF is before the matched bytes */
    unsigned line;          /* how many bytes of CR LF were read last */
    struct pst_str pending; /* the next piece, a slice of the input */

    char head[PST_MULTIPART_PART_HEAD_MAX];
    size_t head_len;
    size_t line_start; /* where the current line begins in head */

    size_t bytes_read; /* of the body, so far */
};

/*
 * Begin to parse a body.
 *   type  the Content-Type
 * Returns PST_OK, or PST_MALFORMED: there is no boundary, there are two, it is
 * not valid without quotes and escapes, or there is another parameter than
 * boundary and charset.
 */
PST_MUST_USE enum pst_err pst_multipart_init(struct pst_multipart *reader,
                                             struct pst_str type);

/*
 * Read on to the next event.
 *   input  the next bytes of the body. What was read is removed from its front.
 *          Pass the rest again, at the same address, until the event is
 *          PST_MULTIPART_NEED_INPUT
 *   event  set on PST_OK
 *   piece  set with PST_MULTIPART_DATA, not empty; valid until the next call
 * Returns PST_OK, or PST_MALFORMED for
 *   - a delimiter that is not a line of its own, or that follows the closing
 *     one
 *   - a LF without CR in the header lines of a part
 *   - header lines that pst_multipart_part_parse_line() refuses, or that are
 *     over PST_MULTIPART_PART_HEAD_MAX
 */
PST_MUST_USE enum pst_err pst_multipart_next(struct pst_multipart *reader,
                                             struct pst_str *input,
                                             enum pst_multipart_event *event,
                                             struct pst_str *piece);

#endif
