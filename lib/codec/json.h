/* SPDX-License-Identifier: ISC */
/*
 * json.h - the only file that calls json-c: parsed JSON as a tree of values,
 * for texts we interpret.
 *
 * A text that is passed on is not built anew from values: json_slice.h and
 * json_emit.h work on its bytes, and leave every byte unchanged but those that
 * must be replaced.
 */
#ifndef POSTERN_CODEC_JSON_H
#define POSTERN_CODEC_JSON_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json_emit.h"
#include "codec/json_pointer.h"
#include "codec/json_slice.h"

/* One parsed value. A NULL pointer is an absent value. */
struct pst_json;

/* The members of an object that a walk has not come to yet. */
struct pst_json_members {
    const void *next;
};

/*
 * Parse one JSON text (RFC 8259) with nothing but white space before and after
 * it: UTF-8, at most PST_JSON_DEPTH levels deep, at most PST_JSON_VALUES
 * values, no object with two members of the same name, no NUL and no half of a
 * surrogate pair in a name. Half of a surrogate pair in a string, which the
 * grammar allows (section 8.2), is read as U+FFFD.
 *   text  at most INT32_MAX bytes
 *   out   set on PST_OK; lives until the arena is reset
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE (values),
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_json_parse(struct pst_arena *arena,
                                         struct pst_str text,
                                         const struct pst_json **out);

/* The kind of a value; PST_JSON_ABSENT for NULL. */
enum pst_json_kind pst_json_kind(const struct pst_json *value);

/* The decoded text of a string; absent (PST_STR_NONE) for any other kind. */
struct pst_str pst_json_string(const struct pst_json *value);

/* PST_OK for PST_JSON_INTEGER, else PST_MALFORMED. */
PST_MUST_USE enum pst_err pst_json_integer(const struct pst_json *value,
                                           int64_t *out);

/* The spelling of a PST_JSON_NUMBER; absent for any other kind. */
struct pst_str pst_json_number(const struct pst_json *value);

/* PST_OK for true or false, else PST_MALFORMED. */
PST_MUST_USE enum pst_err pst_json_bool(const struct pst_json *value,
                                        bool *out);

/* How many members an object or elements an array has; 0 for other kinds. */
size_t pst_json_count(const struct pst_json *value);

/* An element of an array. PST_REQUIREs an array and an index below its count.
 */
const struct pst_json *pst_json_element(const struct pst_json *value,
                                        size_t index);

/*
 * Walk over the members of an object, in the order of the text:
 *
 *   struct pst_json_members members = pst_json_members(object);
 *   while (pst_json_next_member(&members, &name, &value))
 *       ...
 *
 * name is set to the decoded name. Any other kind has no members.
 */
struct pst_json_members pst_json_members(const struct pst_json *value);
bool pst_json_next_member(struct pst_json_members *rest, struct pst_str *name,
                          const struct pst_json **value);

/* Find a member of an object by its name, byte for byte; NULL: none. */
const struct pst_json *pst_json_get(const struct pst_json *value,
                                    struct pst_str name);

/*
 * A member by its index, counted from the first one each time.
 *   index  0..pst_json_count()-1
 *   name   set to the decoded name
 * Returns the value. PST_REQUIREs an object and an index below its count.
 */
const struct pst_json *pst_json_member(const struct pst_json *value,
                                       size_t index, struct pst_str *name);

#endif
