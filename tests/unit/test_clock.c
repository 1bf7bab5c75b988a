/* SPDX-License-Identifier: ISC */
/*
 * test_clock.c - milliseconds of the monotonic clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>

#include "base/clock.h"

static int64_t
monotonic_ns(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
test_between_two_readings(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t before = monotonic_ns() / 1000000;
        int64_t now = clock_ms();
        int64_t coarse = clock_coarse_ms();
        int64_t after = monotonic_ns() / 1000000;

        assert_true(before <= now && now <= after);
        /* A tick can be late, but not by a minute. */
        assert_true(before - 60000 < coarse && coarse <= after);
    }
}

/* The requested sleeps, and how many of them a signal interrupts. */
static struct timespec sleeps[4];
static size_t sleep_count;
static size_t signals;

/* Replaces the C library's function: it does not sleep. A signal interrupts
 * after half of the time. */
int fake_sleep(clockid_t clock, int flags, const struct timespec *span,
               struct timespec *left) __asm__("clock_nanosleep");

int
fake_sleep(clockid_t clock, int flags, const struct timespec *span,
           struct timespec *left)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    assert_int_equal(flags, 0);
    assert_in_range(sleep_count, 0, 3);
    sleeps[sleep_count++] = *span;
    if (signals == 0)
        return 0;
    signals--;
    *left = (struct timespec){span->tv_sec / 2, span->tv_nsec / 2};
    return EINTR;
}

static void
test_sleep(void **state)
{
    (void)state;
    clock_sleep(0);
    clock_sleep(-5000);
    assert_int_equal(sleep_count, 0);
    clock_sleep(1);
    assert_int_equal(sleep_count, 1);
    assert_int_equal(sleeps[0].tv_sec, 0);
    assert_int_equal(sleeps[0].tv_nsec, 1000000);
    signals = 1;
    clock_sleep(4030);
    assert_int_equal(sleep_count, 3);
    assert_int_equal(sleeps[1].tv_sec, 4);
    assert_int_equal(sleeps[1].tv_nsec, 30000000);
    assert_int_equal(sleeps[2].tv_sec, 2);
    assert_int_equal(sleeps[2].tv_nsec, 15000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between_two_readings),
        cmocka_unit_test(test_sleep),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
