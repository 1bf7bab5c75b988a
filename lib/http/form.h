/* SPDX-License-Identifier: ISC */
/*
 * form.h - application/x-www-form-urlencoded bodies and query strings
 * (WHATWG URL, section 5.1).
 */
#ifndef POSTERN_HTTP_FORM_H
#define POSTERN_HTTP_FORM_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

struct pst_form_field {
    struct pst_str name;
    struct pst_str value;
};

struct pst_form {
    const struct pst_form_field *fields;
    size_t count;
};

/*
 * Decode every pair, in order, as WHATWG does; but where WHATWG mends, we
 * refuse: bytes that are no UTF-8 after decoding, and a NUL.
 *   out  set on PST_OK; its slices live as long as arena
 * Returns PST_OK, PST_MALFORMED, PST_TOO_LARGE (over PST_FORM_FIELDS_MAX
 * pairs), PST_NO_MEMORY.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_form_parse(struct pst_arena *arena,
                                                    struct pst_str body,
                                                    struct pst_form *out);

/*
 * The one field of this name.
 * Returns PST_OK, PST_NOT_FOUND, or PST_DUPLICATE.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_form_get(const struct pst_form *form,
                                                  struct pst_str name,
                                                  struct pst_str *value);

#endif
