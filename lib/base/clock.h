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

/* The same clock at the kernel's last tick, up to 10 ms ago: reading it takes
 * less time. */
int64_t clock_coarse_ms(void);

/* Let so many milliseconds pass by that clock; none when 0 or less. A signal
 * cuts nothing short. */
void clock_sleep(int64_t ms);

#endif
