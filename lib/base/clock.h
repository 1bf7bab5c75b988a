/* SPDX-License-Identifier: ISC */
/*
 * clock.h - for how long something has gone on, or may.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since some instant, by a clock that nobody sets. */
int64_t clock_ms(void);

/* Let so many milliseconds pass by that clock; none when 0 or less. A signal
 * cuts nothing short. */
void ticks_sleep(int64_t ms);

#endif
