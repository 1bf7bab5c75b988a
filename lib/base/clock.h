/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the monotonic clock, for time limits and durations.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary time in the past. Unlike the time of day,
 * this clock is never set (CLOCK_MONOTONIC). */
int64_t clock_ms(void);

#endif
