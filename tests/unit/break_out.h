/* SPDX-License-Identifier: ISC */
/*
 * break_out.h - what an attacker would try who runs code in a program: system
 * calls, to be refused by its sandbox.
 */
#ifndef POSTERN_TESTS_BREAK_OUT_H
#define POSTERN_TESTS_BREAK_OUT_H

#include "base/base.h"

struct break_out {
    const char *name;
    int inside;  /* errno(3) in a sandbox */
    int outside; /* and without: 0, it works; or the kernel's own reason */
    bool needs_landlock;
};

extern const struct break_out break_outs[];
extern const size_t break_out_count;

/*
 * Try one.
 *   file  an existing file that the sandbox does not leave to the program;
 *         attempts may make and remove others beside it: its name and a suffix
 * Returns 0 or an errno(3).
 */
int break_out_try(size_t index, const char *file);

/* Try to connect to a TCP port of this machine, with the first data if is_fast.
 * Returns as break_out_try(). */
int break_out_connect(uint16_t port, bool is_fast);

#endif
