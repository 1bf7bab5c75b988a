/* SPDX-License-Identifier: ISC */
/*
 * json_check.h - is a text JSON that all readers read alike? It is checked as
 * a whole, in bounded memory, before it is read as slices (codec/json_slice.h).
 */
#ifndef POSTERN_CODEC_JSON_CHECK_H
#define POSTERN_CODEC_JSON_CHECK_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/* What is wrong with a text, and where. */
struct pst_json_error {
    const char *reason; /* a literal: what is wrong, fit for a client */
    size_t at;          /* bytes before it */
};

/*
 * Check one JSON text (RFC 8259), nothing before or after it but white space:
 * UTF-8, at most PST_JSON_TEXT_DEPTH deep, no member twice in one object at
 * any depth (names are compared decoded), no NUL and no half of a surrogate
 * pair in a name. Takes time of n log n for n bytes, whatever the names are,
 * and for an object of many members up to 2.5 bytes of memory a byte of text,
 * held off the arena.
 *   text   at most UINT32_MAX bytes
 *   value  set on PST_OK: the text without the white space around it
 *   error  set on PST_MALFORMED, PST_DUPLICATE and PST_TOO_LARGE
 * Returns PST_OK, PST_MALFORMED, PST_DUPLICATE, PST_TOO_LARGE (depth),
 * PST_NO_MEMORY.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_json_check(struct pst_arena *arena, struct pst_str text,
               struct pst_str *value, struct pst_json_error *error);

#endif
