/* SPDX-License-Identifier: ISC */
/*
 * media_type.h - parse a media type and its parameters (RFC 9110 8.3.1).
 */
#ifndef POSTERN_HTTP_MEDIA_TYPE_H
#define POSTERN_HTTP_MEDIA_TYPE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define PST_MEDIA_PARAMETERS_MAX 16 /* parameters: our choice */

struct pst_media_type {
    struct pst_str name;       /* type "/" subtype, in the case it came in */
    struct pst_str parameters; /* for pst_media_type_next_parameter() */
};

/*
 * Parse a Content-Type. White space around it is allowed.
 *   out  set on PST_OK to slices of text
 * Returns PST_OK, or PST_MALFORMED: it does not follow the grammar, has two
 * parameters of the same name (in any case), or more than
 * PST_MEDIA_PARAMETERS_MAX.
 */
PST_MUST_USE enum pst_err pst_media_type_parse(struct pst_str text,
                                               struct pst_media_type *out);

/*
 * Split off the next parameter, `; name=value` (RFC 9110 5.6.6). Empty ones are
 * skipped.
 *   value  set to a token, or to the bytes between the quotes with their
 *          backslashes
 * Returns false when there is no other parameter. *rest is empty then, unless
 * it does not follow the grammar.
 */
bool pst_media_type_next_parameter(struct pst_str *rest, struct pst_str *name,
                                   struct pst_str *value);

/* Find a parameter by its name, in any case; absent: there is none. */
struct pst_str pst_media_type_parameter(const struct pst_media_type *type,
                                        struct pst_str name);

#endif
