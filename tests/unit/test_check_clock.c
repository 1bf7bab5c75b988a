/* SPDX-License-Identifier: ISC */
/*
 * test_check_clock.c - when `postern check` warns of a wrong clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../bin/check_settings.h"
#include "base/limits.h"
#include "printed.h"

#define NOW 1800000000

static void
test_clock(void **state)
{
    static const struct {
        int64_t now;
        int64_t backend;
        const char *warning; /* part of it; "": none */
    } rows[] = {
        {NOW, -1, ""},
        {NOW, NOW, ""},
        {NOW, NOW - PST_CLOCK_SKEW_MAX, ""},
        {NOW, NOW + PST_CLOCK_SKEW_MAX, ""},
        {NOW, NOW + PST_CLOCK_SKEW_MAX + 1, "differ by 61 seconds"},
        {NOW, NOW - PST_CLOCK_SKEW_MAX - 1, "differ by 61 seconds"},
        {NOW, 0, "differ by 1800000000 seconds"},
        {1700000000, -1, "the clock of this machine is behind"},
        {1700000000, 1700000000, "the clock of this machine is behind"},
        {0, NOW, "the clock of this machine is behind"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *got;

        printed_capture();
        check_clock(rows[i].now, rows[i].backend);
        got = printed_text();
        if (rows[i].warning[0] ? !strstr(got, rows[i].warning) : got[0])
            fail_msg("row %zu: '%s'", i, got);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
