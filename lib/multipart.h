/* SPDX-License-Identifier: ISC */
/*
 * multipart.h - the first part of a multipart/form-data body (RFC 7578), as
 * much of it as has to be read to know what a GraphQL request asks for.
 */
#ifndef POSTERN_MULTIPART_H
#define POSTERN_MULTIPART_H

#include "base.h"
#include "err.h"
#include "text.h"

/*
 * Find the content of the first part.
 *   type  the whole Content-Type, with its boundary
 *   head  the body's beginning
 *   name  what the part has to be called
 *   out   set on PST_OK to a slice of head
 * The parts after it are looked at as far as head goes, since backends differ
 * in which of two of a name they take: what lies behind head, and what follows
 * the closing boundary, is not seen.
 * Returns PST_OK; PST_MALFORMED (no boundary, another name, anything beside
 * the name, a type but text/plain or application/json, an encoding of its own;
 * another part of that name, or one that some may read so); PST_TOO_LARGE (it
 * does not end in head).
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_multipart_first(struct pst_text type,
                                                         struct pst_text head,
                                                         struct pst_text name,
                                                         struct pst_text *out);

#endif
