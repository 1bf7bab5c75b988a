/* SPDX-License-Identifier: ISC */
/*
 * clock.c - the monotonic clock, for time limits and durations.
 */
#include "base/clock.h"

#include <time.h>

#include "base/base.h"

int64_t
clock_ms(void)
{
    struct timespec now;

    PST_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
