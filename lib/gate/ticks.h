/* SPDX-License-Identifier: ISC */
/*
 * ticks.h - for how long something has gone on, or may.
 */
#ifndef GATE_TICKS_H
#define GATE_TICKS_H

#include <stdint.h>

/* Milliseconds since some instant, by a clock that nobody sets. */
int64_t ticks_ms(void);

#endif
