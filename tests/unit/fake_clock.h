/* SPDX-License-Identifier: ISC */
/*
 * fake_clock.h - for tests: a monotonic clock that moves only when a test, or
 * the code that it tests, lets time pass. It is linked in the place of the
 * real one, so that nothing sleeps.
 */
#ifndef TESTS_FAKE_CLOCK_H
#define TESTS_FAKE_CLOCK_H

#include <stdint.h>

/* Let so many milliseconds pass. Any thread may do so. */
void fake_clock_advance(int64_t ms);

#endif
