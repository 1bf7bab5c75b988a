/* SPDX-License-Identifier: ISC */
/*
 * sandboxed.h - run a function in a process of its own, which may enter a
 * sandbox there.
 */
#ifndef POSTERN_TESTS_SANDBOXED_H
#define POSTERN_TESTS_SANDBOXED_H

#include "base/base.h"

/* What a function in a child returns if it found no sandbox. */
#define NO_SANDBOX 201

/* Call a function in a child. Returns what it returns, 0 to 255; -1: a signal
 * ended the child. */
int run_in_child(int (*fn)(void *argument), void *argument);

/* Fails the test unless an errno(3) is the wanted one; 0: no error. */
void expect_errno(const char *name, int error, int want);

/* Does this kernel have Landlock, of this version or a later one? */
bool has_landlock(long version);

/* Make a file of this text; it may exist. */
void make_file(const char *path, const char *text);

#endif
