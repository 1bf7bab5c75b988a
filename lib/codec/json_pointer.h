/* SPDX-License-Identifier: ISC */
/*
 * json_pointer.h - JSON pointers (RFC 6901), and the values they point to.
 */
#ifndef POSTERN_CODEC_JSON_POINTER_H
#define POSTERN_CODEC_JSON_POINTER_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct pst_json;

/*
 * Is this a pointer: "", or "/" and more, with 0 or 1 after each "~"
 * (RFC 6901 section 3)?
 */
bool pst_json_is_pointer(struct pst_str pointer);

/*
 * Find a parsed value by a pointer, such as "/data/login/secret" or
 * "/errors/0". "" is the value itself.
 *   value  may be NULL
 * Returns NULL when there is no such value, or the pointer is invalid.
 */
const struct pst_json *pst_json_at(const struct pst_json *value,
                                   struct pst_str pointer);

/*
 * Find the bytes of a value in a text.
 *   text     JSON that pst_json_check() or pst_json_parse() has accepted
 *   pointer  an invalid one finds nothing
 *   slice    set on PST_OK to a part of text
 * Returns PST_OK or PST_NOT_FOUND.
 */
PST_MUST_USE enum pst_err pst_json_locate(struct pst_str text,
                                          struct pst_str pointer,
                                          struct pst_str *slice);

#endif
