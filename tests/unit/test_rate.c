/* SPDX-License-Identifier: ISC */
/*
 * test_rate.c - which texts are a rate limit, and which are refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "server/rate.h"

static void
test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t limit; /* -1: refused */
        int64_t period;
    } rows[] = {
        {"10/15m", 10, 900},
        {"100/15m", 100, 900},
        {"off", 0, 0},
        {"1/1", 1, 1},
        {"1/1s", 1, 1},
        {"10000/30d", 10000, 2592000},
        {"3/12h", 3, 43200},
        {"10001/15m", -1, 0},
        {"0/15m", -1, 0},
        {"10/0", -1, 0},
        {"10/31d", -1, 0},
        {"", -1, 0},
        {"/", -1, 0},
        {"10", -1, 0},
        {"10/", -1, 0},
        {"/15m", -1, 0},
        {"10/15m/2", -1, 0},
        {"-1/15m", -1, 0},
        {"10 / 15m", -1, 0},
        {"OFF", -1, 0},
        {"off/15m", -1, 0},
        {"010/15m", -1, 0},
        {"10/15x", -1, 0},
        {"99999999999999999999/1m", -1, 0},
        {"1/9999999999d", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct config_error error = {""};
        struct rate rate = {-7, -7};
        enum pst_err want = rows[i].limit < 0 ? PST_BAD_CONFIG : PST_OK;
        struct pst_str text = pst_str_from(rows[i].text);

        if (rate_parse(text, &rate, &error) != want)
            fail_msg("row '%s': %s", rows[i].text, error.message);
        if (want == PST_OK
                ? rate.limit != rows[i].limit || rate.period != rows[i].period
                : rate.limit != -7 || strlen(error.message) == 0)
            fail_msg("row '%s': %ld in %ld", rows[i].text, (long)rate.limit,
                     (long)rate.period);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
