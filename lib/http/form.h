/* SPDX-License-Identifier: ISC */
/*
 * form.h - parse urlencoded forms and query strings (WHATWG URL section 5.1).
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
 * Parse and decode all pairs, in order. Unlike WHATWG, which replaces bytes
 * that are not UTF-8 after decoding, we refuse them, and NULs.
 *   out  set on PST_OK; its slices live until the arena is reset
 * Returns PST_OK, PST_MALFORMED, PST_TOO_LARGE (over PST_FORM_FIELDS_MAX
 * pairs), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_form_parse(struct pst_arena *arena,
                                         struct pst_str body,
                                         struct pst_form *out);

/*
 * Find the field of this name.
 *   value  set on PST_OK
 * Returns PST_OK, PST_NOT_FOUND, or PST_DUPLICATE: two programs could choose
 * different ones of two fields.
 */
PST_MUST_USE enum pst_err pst_form_get(const struct pst_form *form,
                                       struct pst_str name,
                                       struct pst_str *value);

#endif
