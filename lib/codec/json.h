/* SPDX-License-Identifier: ISC */
/*
 * json.h - the door to json-c, and a stricter reading than its own.
 *
 * json-c keeps the last of two members of one name, cuts a member's name at
 * a NUL, and forgets how a number was spelt. So a text is parsed here to be
 * *read*, and is changed, where it must be, by replacing the bytes of one
 * value and leaving every other byte as it came.
 */
#ifndef POSTERN_CODEC_JSON_H
#define POSTERN_CODEC_JSON_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json_slice.h"
#include "codec/json_text.h"

/* One parsed value; NULL stands for a value that is not there. */
struct pst_json;

/*
 * Parse one JSON text (RFC 8259), nothing before or after it but white
 * space: UTF-8, at most PST_JSON_DEPTH deep, no member twice in one object,
 * no NUL in a member's name, at most PST_JSON_VALUES values. Half of a
 * surrogate pair, which the grammar lets pass (section 8.2), reads as U+FFFD
 * in a string; in a name it is refused.
 *   text  at most INT32_MAX bytes
 *   out   set on PST_OK; lives until the arena is reset
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE, PST_NO_MEMORY.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_json_parse(struct pst_arena *arena, struct pst_str text,
               const struct pst_json **out);

/*
 * The value at an RFC 6901 pointer ("" is the whole, "/data/login/secret",
 * "/0", "~0" and "~1" escapes); NULL when there is none. value may be NULL.
 */
PST_EXPORT const struct pst_json *pst_json_at(const struct pst_json *value,
                                              struct pst_str pointer);

/* The member of an object by its name, whatever is in it; NULL: none. */
PST_EXPORT const struct pst_json *pst_json_get(const struct pst_json *value,
                                               struct pst_str name);

PST_EXPORT enum pst_json_kind pst_json_kind(const struct pst_json *value);

/* A string's decoded text; absent (PST_STR_NONE) for any other kind. */
PST_EXPORT struct pst_str pst_json_string(const struct pst_json *value);

/* PST_OK for an integer, else PST_MALFORMED. */
PST_MUST_USE PST_EXPORT enum pst_err
pst_json_integer(const struct pst_json *value, int64_t *out);

/* PST_OK for true or false, else PST_MALFORMED. */
PST_MUST_USE PST_EXPORT enum pst_err pst_json_bool(const struct pst_json *value,
                                                   bool *out);

/* Members of an object, elements of an array, else 0. */
PST_EXPORT size_t pst_json_count(const struct pst_json *value);

/* An element of an array; PST_REQUIREs an array and a good index. */
PST_EXPORT const struct pst_json *pst_json_element(const struct pst_json *value,
                                                   size_t index);

/*
 * Walk an object's members in order, each found by counting from the first.
 *   index  0..pst_json_count()-1
 *   name   set to the member's name, valid as long as the value
 * Returns the member's value; PST_REQUIREs an object and a good index.
 */
PST_EXPORT const struct pst_json *pst_json_member(const struct pst_json *value,
                                                  size_t index,
                                                  struct pst_str *name);

/*
 * Write value compactly: strings as pst_json_emit_string() does, integers in
 * decimal, other numbers as they were spelt, an absent value as null.
 */
PST_EXPORT void pst_json_emit(struct pst_buf *buf,
                              const struct pst_json *value);

#endif
