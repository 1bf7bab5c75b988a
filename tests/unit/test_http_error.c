/* SPDX-License-Identifier: ISC */
/*
 * test_http_error.c - the text that says why an exchange failed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/http_error.h"

static void
test_set(void **state)
{
    struct http_error error;

    (void)state;
    assert_int_equal(
        http_error_set(&error, PST_UPSTREAM_DOWN, "%s: %d", "cause", 5),
        PST_UPSTREAM_DOWN);
    assert_string_equal(error.text, "cause: 5");
}

/* A long text is cut. */
static void
test_long(void **state)
{
    struct http_error error;

    (void)state;
    assert_int_equal(http_error_set(&error, PST_NO_MEMORY, "%0500d", 0),
                     PST_NO_MEMORY);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests_name("http_error", tests, NULL, NULL);
}
