/* SPDX-License-Identifier: ISC */
/*
 * escape.h - text from outside, made safe for a terminal and for one line.
 */
#ifndef POSTERN_BASE_ESCAPE_H
#define POSTERN_BASE_ESCAPE_H

#include "base/base.h"
#include "base/str.h"

/*
 * Copy as many whole characters of text as fit, and a NUL. Control characters
 * (U+0000..U+001F, U+007F, and C1: U+0080..U+009F), backslashes and bytes that
 * are not UTF-8 are written as \xHH, byte by byte.
 *   size  of out, in bytes, at least 5: so one character of text always fits
 *         that is not escaped, or one byte that is
 * Returns how many bytes of text were copied: if fewer than text.len, the rest
 * did not fit.
 */
size_t pst_escape_copy(char *out, size_t size, struct pst_str text);

#endif
