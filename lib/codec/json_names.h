/* SPDX-License-Identifier: ISC */
/*
 * json_names.h - detect two members of the same name in an object of a JSON
 * text. For this folder only.
 *
 * Time is about that of hashing the names; n log n for n bytes, whatever the
 * names are: also with equal hashes, should a client find such.
 */
#ifndef POSTERN_CODEC_JSON_NAMES_H
#define POSTERN_CODEC_JSON_NAMES_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/* Names that need no memory but the caller's. */
#define PST_JSON_NAMES_INLINE 32

struct pst_json_name {
    uint32_t hash; /* of the decoded name */
    uint32_t at;   /* where the name begins in the text, after its quote */
};

/* The names of all objects that are open, the outermost object's first. */
struct pst_json_names {
    struct pst_arena *arena;
    struct pst_str text;
    struct pst_json_name inline_names[PST_JSON_NAMES_INLINE];
    struct pst_json_name *names; /* inline_names, or in heap */
    size_t count;
    size_t size; /* how many fit at names */
    struct pst_buf heap;
};

/*
 * Begin without names; not to be moved afterwards.
 *   text  less than UINT32_MAX bytes; the names are slices of it
 */
void pst_json_names_init(struct pst_json_names *names, struct pst_arena *arena,
                         struct pst_str text);

/*
 * Add a name to the innermost open object.
 *   raw  the bytes between the quotes; its escapes are valid
 * Returns PST_OK or PST_NO_MEMORY. Takes 2 bytes of heap memory, at most, for
 * each byte of text.
 */
PST_MUST_USE enum pst_err pst_json_names_add(struct pst_json_names *names,
                                             struct pst_str raw);

/*
 * Close the innermost open object, and forget its names.
 *   first  names->count when it was opened
 *   at     set on true: where the second of two equal names begins
 * Returns whether two of its names are equal, compared decoded.
 */
bool pst_json_names_close(struct pst_json_names *names, size_t first,
                          size_t *at);

#endif
