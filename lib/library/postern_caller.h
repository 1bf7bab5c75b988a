/* SPDX-License-Identifier: ISC */
/*
 * postern_caller.h - copy structs from the callers of the public library and
 * texts to them, and translate error codes.
 */
#ifndef POSTERN_POSTERN_CALLER_H
#define POSTERN_POSTERN_CALLER_H

#include "base/error.h"
#include "base/str.h"
#include "postern.h"

/* Return the public code for e. Unexpected errors are PST_E_INTERNAL. */
int caller_code(enum pst_err e);

/*
 * Read a struct that begins with its size. One from an older header is
 * shorter: its missing members are 0. One from a newer header is longer: the
 * members that this version does not know must be 0.
 *   copy    set on success, `known` bytes
 *   oldest  size of the struct in its first version, in bytes
 *   given   the caller's struct; may be NULL
 * Returns false if given is NULL, too short or too long, or has an unknown
 * member that is not 0.
 */
bool caller_read_struct(void *copy, size_t known, size_t oldest,
                        const void *given);

/* Copy text, which contains no NUL, and a NUL after it. Returns PST_E_OK,
 * PST_E_TOO_SMALL. */
int caller_copy(char *out, size_t size, struct pst_str text);

/*
 * Return code. If it is an error, first make the buffer the empty string, so
 * that its content cannot be mistaken for a result. Call it last: the buffer
 * may be the one that contains the Cookie header.
 */
int caller_finish(char *out, size_t size, int code);

#endif
