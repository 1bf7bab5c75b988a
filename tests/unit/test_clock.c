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
        int64_t after = monotonic_ns() / 1000000;

        assert_true(before <= now && now <= after);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between_two_readings),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
