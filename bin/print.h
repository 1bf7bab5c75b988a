/* SPDX-License-Identifier: ISC */
/*
 * print.h - print text from outside so that it cannot move the cursor or begin
 * another line (base/escape.h says what is escaped).
 */
#ifndef POSTERN_PRINT_H
#define POSTERN_PRINT_H

#include <stdio.h>

#include "base/base.h"
#include "base/str.h"

/* Print a text, escaped. */
void print_escaped(FILE *out, struct pst_str text);

/* Print JSON text of ours (codec/json_emit.h). Deceptive characters
 * (base/escape.h) are written as \uHHHH: a terminal would obey them, and JSON
 * means the same. */
void print_json(FILE *out, struct pst_str text);

/* Print one line on standard error, escaped as a whole, so without a newline in
 * it; cut at 2 KiB. For every line that repeats what a user, a backend, a store
 * or a library said. */
void print_error_line(const char *format, ...) PST_PRINTF(1, 2);

#endif
