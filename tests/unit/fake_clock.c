/* SPDX-License-Identifier: ISC */
/*
 * fake_clock.c - for tests: what base/clock.h declares, without real time.
 */
#include "fake_clock.h"

#include <stdatomic.h>

#include "base/clock.h"

/* Not 0: that is "never" in some places. */
static atomic_int_least64_t now_ms = 1000000;

int64_t
clock_ms(void)
{
    return now_ms;
}

int64_t
clock_coarse_ms(void)
{
    return now_ms;
}

void
clock_sleep(int64_t ms)
{
    if (ms > 0)
        fake_clock_advance(ms);
}

void
fake_clock_advance(int64_t ms)
{
    now_ms += ms;
}
