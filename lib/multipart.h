/* SPDX-License-Identifier: ISC */
/*
 * multipart.h - a GraphQL request with files: multipart/form-data (RFC 7578)
 * whose first part, "operations", is what is asked for, followed by "map" and
 * the files. Source: the GraphQL multipart request specification.
 *
 * Backends differ in which of two parts of a name they take, in where a part
 * begins and in what it is called. What passes here is only what all of them
 * read alike: one "operations", the first part, and nothing after it that any
 * of them may take for another.
 */
#ifndef POSTERN_MULTIPART_H
#define POSTERN_MULTIPART_H

#include "base.h"
#include "err.h"
#include "text.h"

#define PST_BOUNDARY_MAX 70    /* octets: RFC 2046 section 5.1.1 */
#define PST_PART_HEAD_MAX 1024 /* octets of a part's header lines */

/* Where in the body the watch is. */
enum pst_multipart_place {
    PST_MULTIPART_START,   /* in the first delimiter */
    PST_MULTIPART_BEHIND,  /* right behind a delimiter */
    PST_MULTIPART_HEAD,    /* in a part's header lines */
    PST_MULTIPART_CONTENT, /* in what it holds */
    PST_MULTIPART_END,     /* behind the closing delimiter */
};

/* Watches such a body while it passes; the caller's, to be moved freely. */
struct pst_multipart_watch {
    enum pst_multipart_place place;
    size_t parts; /* begun so far */

    char delimiter[2 + PST_BOUNDARY_MAX]; /* "--" and the boundary */
    uint8_t border[2 + PST_BOUNDARY_MAX]; /* of its first i+1 octets, how many
                                             of the last are the first ones */
    size_t len;                           /* octets of it */
    size_t matched;                       /* the last octets begin it */
    bool is_at_line;                      /* and CR LF stood before them */
    unsigned line; /* octets of CR LF that were the last ones */

    char head[PST_PART_HEAD_MAX];
    size_t head_len;
    size_t line_at; /* where in head the line begins */
    bool is_named;  /* there was a Content-Disposition */
    bool is_typed;  /* there was a Content-Type */

    size_t seen;                /* octets of the body so far */
    size_t again;               /* octets to come that were seen already */
    size_t first_at, first_end; /* of the first part's content, in the body */
};

/*
 * Begin to watch a body.
 *   type  the whole Content-Type, with its boundary
 * Returns PST_OK; PST_MALFORMED (no boundary, two, one that may be read in two
 * ways, or a parameter but boundary and charset).
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_multipart_watch_init(struct pst_multipart_watch *watch,
                         struct pst_text type);

/*
 * Look at the body's beginning, and find the content of "operations".
 *   head  as much of the body as is held; pst_multipart_watch_piece() will be
 *         given it once more
 *   out   set on PST_OK to a slice of head
 * Returns PST_OK; PST_MALFORMED (as pst_multipart_watch_piece());
 * PST_TOO_LARGE (the first part does not end in head).
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_multipart_watch_first(struct pst_multipart_watch *watch,
                          struct pst_text head, struct pst_text *out);

/*
 * Look at the body's next piece. Nothing of a piece that is refused may be
 * sent, nor anything after it: what the backend has then is cut.
 * Returns PST_OK; PST_MALFORMED, where in the body is
 *   - a delimiter that is not a line of its own, an LF alone in a part's
 *     header lines, or one more delimiter behind the closing one;
 *   - a header line but Content-Disposition (one), Content-Type (at most one),
 *     Content-Transfer-Encoding (7bit, 8bit, binary) and Content-Length; one
 *     that is folded or has control octets; more than PST_PART_HEAD_MAX octets;
 *   - a first part that is not "operations", is a file, or of a type but
 *     application/json and text/plain, in UTF-8;
 *   - a part after it that may be "operations" to somebody; and one that is
 *     neither "map" nor a file, since some backends put the text of such a part
 *     wherever the map says, be it in the place of the document.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_multipart_watch_piece(struct pst_multipart_watch *watch,
                          struct pst_text piece);

#endif
