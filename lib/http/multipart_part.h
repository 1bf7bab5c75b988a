/* SPDX-License-Identifier: ISC */
/*
 * multipart_part.h - parse the header lines of a part of multipart/form-data
 * (RFC 7578 section 4), in a GraphQL request with files.
 */
#ifndef POSTERN_HTTP_MULTIPART_PART_H
#define POSTERN_HTTP_MULTIPART_PART_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* One part. */
struct pst_multipart_part {
    bool is_first;           /* it must be "operations" */
    struct pst_str name;     /* absent: there was no Content-Disposition yet */
    struct pst_str filename; /* absent: it is not a file */
    struct pst_str extended; /* filename* (RFC 8187), or absent */
    struct pst_str type;     /* Content-Type, or absent */
    const char *reason; /* set on PST_MALFORMED: what is wrong, for people */
};

/*
 * Parse one header line of a part.
 *   line  without its CR LF. Its bytes must stay: the fields are slices of it
 * Returns PST_OK, or PST_MALFORMED for
 *   - another header than Content-Disposition (once), Content-Type (once),
 *     Content-Transfer-Encoding (7bit, 8bit, binary) and Content-Length
 *   - a folded line, or one with control bytes
 *   - a first part that is not "operations", is a file, or has another type
 *     than application/json and text/plain in UTF-8
 *   - a later part whose name some program may read as "operations"
 *   - a later part that is neither "map" nor a file: some backends insert its
 *     text wherever the map says, even in place of the document
 */
PST_MUST_USE enum pst_err
pst_multipart_part_parse_line(struct pst_multipart_part *part,
                              struct pst_str line);

#endif
