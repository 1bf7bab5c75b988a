/* SPDX-License-Identifier: ISC */
/*
 * multipart_part.h - the head of a part of multipart/form-data (RFC 7578
 * section 4), in a GraphQL request with files.
 */
#ifndef POSTERN_HTTP_MULTIPART_PART_H
#define POSTERN_HTTP_MULTIPART_PART_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct pst_multipart_part {
    bool is_first;           /* it must be "operations" */
    struct pst_str name;     /* absent: no Content-Disposition yet */
    struct pst_str filename; /* absent: it is no file */
    struct pst_str extended; /* filename* (RFC 8187), or absent */
    struct pst_str type;     /* Content-Type, or absent */
};

/*
 * Read a header line, without its CR LF, into the part.
 *   line  its bytes must stay: the part is slices of it
 * Returns PST_OK; PST_MALFORMED for
 *   - a line but Content-Disposition (one), Content-Type (at most one),
 *     Content-Transfer-Encoding (7bit, 8bit, binary) and Content-Length; one
 *     that is folded or has control bytes;
 *   - a first part that is not "operations", is a file, or of a type but
 *     application/json and text/plain, in UTF-8;
 *   - a part after it that may be "operations" to somebody; and one that is
 *     neither "map" nor a file, since some backends put the text of such a part
 *     wherever the map says, be it in the place of the document.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_multipart_part_parse_line(struct pst_multipart_part *part,
                              struct pst_str line);

#endif
