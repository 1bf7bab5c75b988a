/* SPDX-License-Identifier: ISC */
/*
 * base.h - attributes and the one assertion that every build keeps.
 */
#ifndef POSTERN_BASE_BASE_H
#define POSTERN_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Visible in libpostern.so; everything else is hidden. */
#define PST_EXPORT __attribute__((visibility("default")))

/* The caller has to look at the result. */
#define PST_MUST_USE __attribute__((warn_unused_result))

/* Checked like printf: the format is argument f, its values begin at v. */
#define PST_PRINTF(f, v) __attribute__((format(printf, f, v)))

/*
 * A caller's bug, never bad input: say where and stop, in every build. An
 * abort is the only answer that cannot be turned into a wrong "yes".
 */
#define PST_REQUIRE(cond)                                                      \
    ((cond) ? (void)0                                                          \
            : (fprintf(stderr, "postern: %s:%d: %s does not hold\n", __FILE__, \
                       __LINE__, #cond),                                       \
               abort()))

#define PST_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
