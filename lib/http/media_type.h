/* SPDX-License-Identifier: ISC */
/*
 * media_type.h - a media type with its parameters (RFC 9110 sections 5.6.6
 * and 8.3.1), read strictly.
 */
#ifndef POSTERN_HTTP_MEDIA_TYPE_H
#define POSTERN_HTTP_MEDIA_TYPE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

#define PST_MEDIA_PARAMETERS_MAX 16

struct pst_media_type {
    struct pst_str name;       /* type "/" subtype, as it was spelt */
    struct pst_str parameters; /* for pst_media_type_next_parameter() */
};

/*
 * Parse a Content-Type, with the blanks around it.
 *   out  set on PST_OK
 * Returns PST_OK, or PST_MALFORMED: it does not follow the grammar to its
 * end, has a parameter twice (in any case), or over PST_MEDIA_PARAMETERS_MAX.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_media_type_parse(struct pst_str text, struct pst_media_type *out);

/*
 * Take the next `; name=value` off *rest, empty ones passed over.
 *   value  set to a token, or to what stands between the quotes, backslashes
 *          and all
 * Returns false when *rest is empty, and, with *rest left not empty, where it
 * does not follow the grammar.
 */
PST_EXPORT bool pst_media_type_next_parameter(struct pst_str *rest,
                                              struct pst_str *name,
                                              struct pst_str *value);

/* The value of a parameter by its name in any case; absent: there is none. */
PST_EXPORT struct pst_str
pst_media_type_parameter(const struct pst_media_type *type,
                         struct pst_str name);

#endif
