/* SPDX-License-Identifier: ISC */
/*
 * base.h - function attributes, and an assertion that is in every build.
 */
#ifndef POSTERN_BASE_BASE_H
#define POSTERN_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The caller must use the result. */
#define PST_MUST_USE __attribute__((warn_unused_result))

/* Checked like printf(): argument f is the format, the values begin at v. */
#define PST_PRINTF(f, v) __attribute__((format(printf, f, v)))

/*
 * Check for a bug of the caller, never for bad input: print the place and
 * abort, in every build. After an abort, no wrong decision can follow.
 */
#define PST_REQUIRE(cond)                                                  \
    ((cond) ? (void)0                                                      \
            : (fprintf(stderr, "postern: %s:%d: bug: this is false: %s\n", \
                       __FILE__, __LINE__, #cond),                         \
               abort()))

#define PST_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
