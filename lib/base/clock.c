/* SPDX-License-Identifier: ISC */
/*
 * clock.c - the monotonic clock, for time limits and durations.
 */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

#include "base/base.h"

static int64_t
read_clock(clockid_t clock)
{
    struct timespec now;

    PST_REQUIRE(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_coarse_ms(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

void
clock_sleep(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};

    /* What is left is written back, so a signal cuts nothing short. */
    while (ms > 0 && clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}
