/* SPDX-License-Identifier: ISC */
/*
 * printed.h - what code prints to standard error.
 */
#ifndef POSTERN_TESTS_PRINTED_H
#define POSTERN_TESTS_PRINTED_H

/* From now on, standard error goes into a file. */
void printed_capture(void);

/* Restore standard error. Returns what was printed; valid until the next call.
 */
const char *printed_text(void);

#endif
