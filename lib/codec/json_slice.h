/* SPDX-License-Identifier: ISC */
/*
 * json_slice.h - a JSON text read as slices of it.
 *
 * A value is the bytes it stands in: numbers keep their digits, and nothing
 * is allocated for it. All of this reads texts that pst_json_check() or
 * pst_json_parse() has accepted. Of another text nothing outside it is read,
 * but what comes out is worth nothing.
 */
#ifndef POSTERN_CODEC_JSON_SLICE_H
#define POSTERN_CODEC_JSON_SLICE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

enum pst_json_kind {
    PST_JSON_ABSENT, /* no value at all */
    PST_JSON_NULL,
    PST_JSON_BOOL,
    PST_JSON_INTEGER, /* fits int64_t and was spelt without fraction */
    PST_JSON_NUMBER,  /* any other number */
    PST_JSON_STRING,
    PST_JSON_ARRAY,
    PST_JSON_OBJECT,
};

/* The kind of a value; PST_JSON_ABSENT for an absent or empty slice. */
PST_EXPORT enum pst_json_kind pst_json_slice_kind(struct pst_str value);

/* The value of an integer: PST_OK, or PST_MALFORMED for any other value. */
PST_MUST_USE PST_EXPORT enum pst_err
pst_json_slice_integer(struct pst_str value, int64_t *out);

/*
 * Take the next member off *rest, which begins as an object.
 *   name   set to what stands between the quotes, escapes and all
 *   value  set to the member's value
 * Returns false after the last one, and for what is no object.
 */
PST_EXPORT bool pst_json_slice_next_member(struct pst_str *rest,
                                           struct pst_str *name,
                                           struct pst_str *value);

/* The same for the elements of an array. */
PST_EXPORT bool pst_json_slice_next_element(struct pst_str *rest,
                                            struct pst_str *value);

/* Find a member by its decoded name; false: there is none. */
PST_EXPORT bool pst_json_slice_member(struct pst_str object,
                                      struct pst_str name,
                                      struct pst_str *value);

/* Find an element, counted from 0; false: there is none. */
PST_EXPORT bool pst_json_slice_element(struct pst_str array, size_t index,
                                       struct pst_str *value);

/* Does a name, or what stands between a string's quotes, decode to text? */
PST_EXPORT bool pst_json_slice_equal(struct pst_str raw, struct pst_str text);

/* The same with A-Z and a-z taken as one, and with U+017F and U+212A taken
 * for s and k, as readers do that ignore case. */
PST_EXPORT bool pst_json_slice_equal_nocase(struct pst_str raw,
                                            struct pst_str text);

/* Below, at or above 0: what raw decodes to is before, is, or is behind text,
 * byte for byte. */
PST_EXPORT int pst_json_slice_compare(struct pst_str raw, struct pst_str text);

/*
 * Decode a string. One without escapes is a part of value, and not copied.
 *   most  bytes that may be decoded into the arena; more is held off it
 *   out   set on PST_OK; absent when the value is no string
 * Returns PST_OK, PST_MALFORMED (half of a surrogate pair), PST_NO_MEMORY.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_json_slice_string(struct pst_arena *arena, struct pst_str value,
                      size_t most, struct pst_str *out);

#endif
