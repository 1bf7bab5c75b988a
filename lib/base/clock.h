/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the monotonic clock, for durations and deadlines.
 */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since an unspecified instant. Never goes back. */
int64_t clock_ms(void);

#endif
