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

/* The public code for e: every failure to open a token is one of them. */
int caller_code(enum pst_err e);

/*
 * Read a struct that begins with its size. One of an older header is shorter,
 * and the rest is 0; one of a newer header is longer, and what we do not know
 * must not have been asked for.
 *   own     gets it, `known` bytes
 *   oldest  size that it had in the first version
 *   given   the caller's; NULL: false
 */
bool caller_read_struct(void *own, size_t known, size_t oldest,
                        const void *given);

/* text, which holds no NUL, with a NUL: PST_E_OK or PST_E_TOO_SMALL. */
int caller_copy(char *out, size_t size, struct pst_str text);

/*
 * Return code, and where it is a failure empty the buffer first, so that
 * nothing in it can be taken for an answer. That comes last: the buffer may be
 * the one that the call was given its cookies in.
 */
int caller_finish(char *out, size_t size, int code);

#endif
