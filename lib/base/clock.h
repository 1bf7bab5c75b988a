/* SPDX-License-Identifier: ISC */
/*
 * clock.h - for how long something has gone on, or may.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since some instant, by a clock that nobody sets. */
int64_t clock_ms(void);

#endif
