/* SPDX-License-Identifier: ISC */
/*
 * json_slice.h - read a checked JSON text in place: each value is a slice of
 * the text.
 *
 * A value is the bytes of the text that spell it: numbers keep their digits,
 * and nothing is allocated. The text must have been accepted by
 * pst_json_check() or pst_json_parse(). With any other text the functions are
 * safe to call, but the results are meaningless.
 */
#ifndef POSTERN_CODEC_JSON_SLICE_H
#define POSTERN_CODEC_JSON_SLICE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

enum pst_json_kind {
    PST_JSON_ABSENT, /* there is no value */
    PST_JSON_NULL,
    PST_JSON_BOOL,
    PST_JSON_INTEGER, /* fits int64_t, has no fraction or exponent, and is not
                         "-0", which no int64_t spells */
    PST_JSON_NUMBER,  /* any other number */
    PST_JSON_STRING,
    PST_JSON_ARRAY,
    PST_JSON_OBJECT,
};

/* The kind of a value; PST_JSON_ABSENT for an absent or empty slice. */
enum pst_json_kind pst_json_slice_kind(struct pst_str value);

/* The value of an integer: PST_OK, or PST_MALFORMED for any other value. */
PST_MUST_USE enum pst_err pst_json_slice_integer(struct pst_str value,
                                                 int64_t *out);

/*
 * Split off the next member of an object.
 *   rest   the object at first
 *   name   set to the bytes between the quotes, with their escapes
 *   value  set to the value
 * Returns false after the last member, and for any other kind of value.
 */
bool pst_json_slice_next_member(struct pst_str *rest, struct pst_str *name,
                                struct pst_str *value);

/* Split off the next element of an array, likewise. */
bool pst_json_slice_next_element(struct pst_str *rest, struct pst_str *value);

/* Find a member by its decoded name. Returns false when there is none. */
bool pst_json_slice_member(struct pst_str object, struct pst_str name,
                           struct pst_str *value);

/* Find an element by its index, from 0. Returns false when there is none. */
bool pst_json_slice_element(struct pst_str array, size_t index,
                            struct pst_str *value);

/* Do the bytes between the quotes of a string or name decode to text? */
bool pst_json_slice_equal(struct pst_str raw, struct pst_str text);

/*
 * The same, ignoring the case of ASCII letters. U+017F and U+212A equal s and
 * k, as in programs that ignore case by Unicode.
 */
bool pst_json_slice_equal_nocase(struct pst_str raw, struct pst_str text);

/* Compare what raw decodes to with text; the result is memcmp()'s. */
int pst_json_slice_compare(struct pst_str raw, struct pst_str text);

/*
 * Decode a string. A string without escapes is not copied: out is a part of
 * value then.
 *   most  bytes that may be allocated in the arena; a longer string is decoded
 *         on the heap
 *   out   set on PST_OK; absent when the value is not a string
 * Returns PST_OK, PST_MALFORMED (half of a surrogate pair), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_json_slice_string(struct pst_arena *arena,
                                                struct pst_str value,
                                                size_t most,
                                                struct pst_str *out);

#endif
