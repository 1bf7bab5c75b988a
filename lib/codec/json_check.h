/* SPDX-License-Identifier: ISC */
/*
 * json_check.h - validate a JSON text: accept only what all programs read
 * alike.
 *
 * Done once for a whole text, before it is read as slices (json_slice.h) or
 * parsed (json.h).
 */
#ifndef POSTERN_CODEC_JSON_CHECK_H
#define POSTERN_CODEC_JSON_CHECK_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* Why a text is refused. */
struct pst_json_error {
    const char *reason; /* a literal, for clients to read */
    size_t at;          /* bytes before the place that is wrong */
};

/*
 * Check one JSON text (RFC 8259) with nothing but white space before and after
 * it: UTF-8, at most PST_JSON_TEXT_DEPTH levels deep, no object with two
 * members of the same name (names are compared decoded), no NUL and no half of
 * a surrogate pair in a name. Takes n log n time for n bytes, whatever the
 * names are, and at most 2.5 bytes of heap memory for each byte of text.
 *   text   less than UINT32_MAX bytes
 *   value  set on PST_OK: the text without the white space around it
 *   error  set on PST_MALFORMED, PST_DUPLICATE and PST_TOO_LARGE
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE (depth or size),
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_json_check(struct pst_arena *arena,
                                         struct pst_str text,
                                         struct pst_str *value,
                                         struct pst_json_error *error);

/*
 * Skip a byte order mark (U+FEFF) at the beginning. Some clients and backends
 * write one; RFC 8259 section 8.1 allows to ignore it.
 */
struct pst_str pst_json_skip_mark(struct pst_str text);

/* A member of an object, as slices of its text. */
struct pst_json_split_member {
    struct pst_str name; /* the bytes between the quotes, with their escapes */
    struct pst_str value;
};

/* Where to put the members of an object. */
struct pst_json_split {
    struct pst_json_split_member *at;
    size_t size;  /* how many fit */
    size_t count; /* how many there are: those above size are not put */
};

/*
 * The same, for a text as small as pst_json_parse() takes: at most
 * PST_JSON_DEPTH levels, and at most PST_JSON_VALUES values. If it is an
 * object, it is split.
 *   split  at and size are the caller's; count is set, to 0 for any other
 *          text. On failure, what it holds is meaningless
 */
PST_MUST_USE enum pst_err pst_json_check_object(struct pst_arena *arena,
                                                struct pst_str text,
                                                struct pst_json_split *split,
                                                struct pst_json_error *error);

#endif
