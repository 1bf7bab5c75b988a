/* SPDX-License-Identifier: ISC */
/*
 * multipart.h - a GraphQL request with files: multipart/form-data (RFC 7578)
 * whose first part, "operations", is what is asked for, followed by "map" and
 * the files. Source: the GraphQL multipart request specification.
 *
 * Readers differ in which of two parts of a name they take, in where a part
 * begins and in what it is called. What is accepted here is only what all of
 * them read alike: one "operations", the first part, and nothing after it that
 * any of them may take for another.
 */
#ifndef POSTERN_HTTP_MULTIPART_H
#define POSTERN_HTTP_MULTIPART_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "http/multipart_part.h"
#include "http/stream_search.h"

#define PST_BOUNDARY_MAX 70              /* bytes: RFC 2046 section 5.1.1 */
#define PST_MULTIPART_PART_HEAD_MAX 1024 /* bytes of a part's header lines */

/* Where in the body the reader is. */
enum pst_multipart_state {
    PST_MULTIPART_START,           /* in the first delimiter */
    PST_MULTIPART_AFTER_DELIMITER, /* right behind a delimiter */
    PST_MULTIPART_HEADERS,         /* in a part's header lines */
    PST_MULTIPART_CONTENT,         /* in what it holds */
    PST_MULTIPART_EPILOGUE,        /* behind the closing delimiter */
};

/* What pst_multipart_next() comes upon. */
enum pst_multipart_event {
    PST_MULTIPART_NEED_INPUT, /* the input is used up */
    PST_MULTIPART_PART_BEGIN, /* a part begins: its head is read */
    PST_MULTIPART_DATA,       /* the next bytes of what the part holds */
    PST_MULTIPART_DONE, /* the closing delimiter: no part comes any more */
};

/* A reader of such a body; not to be moved once a part has begun. */
struct pst_multipart {
    enum pst_multipart_state state;
    size_t parts; /* begun so far */

    struct pst_multipart_part
        part; /* that has begun last; until the next one begins */

    struct pst_search delimiter;               /* "--" and the boundary */
    char line_delimiter[4 + PST_BOUNDARY_MAX]; /* CR LF and the delimiter */
    bool is_at_line_start;  /* CR LF stood before what is matched */
    unsigned line;          /* bytes of CR LF that were the last ones */
    struct pst_str pending; /* of the input: the next piece */

    char head[PST_MULTIPART_PART_HEAD_MAX];
    size_t head_len;
    size_t line_start; /* where in head the line begins */

    size_t bytes_read; /* bytes of the body so far */
};

/*
 * Begin to read a body.
 *   type  the whole Content-Type, with its boundary
 * Returns PST_OK; PST_MALFORMED (no boundary, two, one that may be read in two
 * ways, or a parameter but boundary and charset).
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_multipart_init(struct pst_multipart *reader, struct pst_str type);

/*
 * Go on to the next event.
 *   input  the body's next bytes; what is used up is taken off its front. The
 *          rest is to be given again, at the same place, until the event is
 *          PST_MULTIPART_NEED_INPUT
 *   event  set on PST_OK
 *   piece  set with PST_MULTIPART_DATA, not empty; valid until the next call
 * Returns PST_OK; PST_MALFORMED, where in the body is
 *   - a delimiter that is not a line of its own, an LF alone in a part's
 *     header lines, or one more delimiter behind the closing one;
 *   - a head that pst_multipart_part_parse_line() refuses, or of more than
 *     PST_MULTIPART_PART_HEAD_MAX bytes.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_multipart_next(struct pst_multipart *reader, struct pst_str *input,
                   enum pst_multipart_event *event, struct pst_str *piece);

#endif
