/* SPDX-License-Identifier: ISC */
/*
 * escape.h - text from outside, made safe for a terminal and for one line.
 */
#ifndef POSTERN_BASE_ESCAPE_H
#define POSTERN_BASE_ESCAPE_H

#include "base/base.h"
#include "base/str.h"

/* Decode the first character of a text that is not empty. Returns its length in
 * bytes, or 0 if it is not valid UTF-8. */
size_t pst_escape_decode(struct pst_str text, uint32_t *character);

/*
 * Can this character make a viewer or a terminal show lines that are not there?
 * C1 controls (U+009B is ESC and [; some take NEL for a line break), line and
 * paragraph separators, and characters that change the writing direction.
 */
bool pst_escape_is_deceptive(uint32_t character);

/*
 * Copy as many whole characters of text as fit, and a NUL. Control characters
 * (U+0000..U+001F, U+007F), deceptive ones, backslashes and bytes that are not
 * UTF-8 are written as \xHH, byte by byte.
 *   size  of out, in bytes, at least 5: so one character of text always fits
 *         that is not escaped, or one byte that is
 * Returns how many bytes of text were copied: if fewer than text.len, the rest
 * did not fit.
 */
size_t pst_escape_copy(char *out, size_t size, struct pst_str text);

#endif
