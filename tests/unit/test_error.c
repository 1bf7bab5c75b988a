/* SPDX-License-Identifier: ISC */
/*
 * test_error.c - each error has its name and status (design 2.9), and all
 * failures of a token look the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void
test_contract(void **state)
{
    static const struct {
        const char *name;
        int status;
    } rows[] = {
        {"BAD_REQUEST", 400},        {"UNAUTHENTICATED", 401},
        {"CROSS_SITE", 403},         {"FORBIDDEN", 403},
        {"METHOD_NOT_ALLOWED", 405}, {"TOO_LARGE", 413},
        {"UNSUPPORTED_TYPE", 415},   {"TOO_MANY_ATTEMPTS", 429},
        {"INTERNAL", 500},           {"UPSTREAM_UNREACHABLE", 502},
        {"UPSTREAM_INVALID", 502},   {"STORE_UNAVAILABLE", 503},
        {"OVERLOADED", 503},         {"UPSTREAM_TIMEOUT", 504},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int found = 0;

        for (int e = 0; e < PST_ERR_COUNT; e++) {
            /* Some web servers accept only 403 from an authorizer. */
            if (e == PST_STORE_FORBIDS ||
                strcmp(pst_err_name((enum pst_err)e), rows[i].name) != 0)
                continue;
            assert_int_equal(pst_err_status((enum pst_err)e), rows[i].status);
            found++;
        }
        if (found == 0)
            fail_msg("%s is not the name of an error", rows[i].name);
    }
}

/*
 * The two answers of Apollo's protocol to a hash have status 200 (design 2.9).
 */
static bool
is_answer(enum pst_err e)
{
    return e == PST_PERSISTED_NOT_FOUND || e == PST_PERSISTED_NOT_SUPPORTED;
}

/* L26: only PST_OK is a success; all other codes refuse. */
static void
test_only_ok_succeeds(void **state)
{
    (void)state;
    for (int e = 0; e < PST_ERR_COUNT; e++) {
        int status = pst_err_status((enum pst_err)e);

        assert_true(e == PST_OK || is_answer((enum pst_err)e)
                        ? status == 200
                        : status >= 400 && status <= 599);
        assert_true(strlen(pst_err_text((enum pst_err)e)) > 3);
        assert_memory_equal(pst_err_code((enum pst_err)e), "PST_", 4);
    }
}

/* R73, R79: forged, expired and revoked look the same to a client. */
static void
test_token_failures_look_alike(void **state)
{
    static const enum pst_err alike[] = {PST_EXPIRED, PST_REVOKED};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(alike); i++) {
        assert_int_equal(pst_err_status(alike[i]), pst_err_status(PST_FORGED));
        assert_string_equal(pst_err_name(alike[i]), pst_err_name(PST_FORGED));
        assert_string_equal(pst_err_text(alike[i]), pst_err_text(PST_FORGED));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_only_ok_succeeds),
        cmocka_unit_test(test_token_failures_look_alike),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
