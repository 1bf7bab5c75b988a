/* SPDX-License-Identifier: ISC */
/*
 * test_check_clock.c - when `postern check` warns of a wrong clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../bin/check_settings.h"
#include "base/limits.h"

#define NOW 1800000000

/* What is printed to standard error; valid until the next call. */
static const char *
warning_of(int64_t now, int64_t backend)
{
    static char text[1024];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t len;

    assert_non_null(file);
    assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    check_clock(now, backend);
    fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    return text;
}

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
        const char *got = warning_of(rows[i].now, rows[i].backend);

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
