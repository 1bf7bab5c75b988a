/* SPDX-License-Identifier: ISC */
/*
 * sandboxed.h - run a function in a process of its own, which may enter a
 * sandbox there.
 */
#ifndef POSTERN_TESTS_SANDBOXED_H
#define POSTERN_TESTS_SANDBOXED_H

#include "server/sandbox.h"

/* What a function in a child returns if it found no sandbox. */
#define NO_SANDBOX 201

/* A folder with an "inner" one, and a file in each: cmocka's functions for a
 * group of tests. */
extern char sandboxed_folder[];
extern char sandboxed_inner[32];
extern char sandboxed_outer_file[48];
extern char sandboxed_inner_file[48];
int sandboxed_set_up(void **state);
int sandboxed_tear_down(void **state);

/* Enters a sandbox, as sandbox_enter() does. */
typedef enum pst_err sandboxed_enter_fn(const struct sandbox_rules *rules,
                                        unsigned *gaps);

/* Enter a sandbox in a child, or none if there are no rules, and call a
 * function there. Returns as run_in_child(). */
int run_sandboxed(sandboxed_enter_fn *enter, const struct sandbox_rules *rules,
                  int (*fn)(const void *argument), const void *argument);

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
