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
 * Returns PST_OK; PST_MALFORMED (no boundary, another name, not one name,
 * a file, or an encoding of its own); PST_TOO_LARGE (it does not end in head).
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_multipart_first(struct pst_text type,
                                                         struct pst_text head,
                                                         struct pst_text name,
                                                         struct pst_text *out);

#endif
