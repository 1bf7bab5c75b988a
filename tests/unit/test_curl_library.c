/* SPDX-License-Identifier: ISC */
/*
 * test_curl_library.c - libcurl is loaded when it is asked for, and not before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <dlfcn.h>

#include "upstream/curl_library.h"

static bool
is_loaded(void)
{
    return dlopen(POSTERN_CURL_SONAME, RTLD_NOW | RTLD_NOLOAD) != NULL;
}

static void
test_load(void **state)
{
    (void)state;
    assert_false(is_loaded());
    assert_null(curl.easy_init);
    assert_int_equal(curl_library_load(), PST_OK);
    assert_true(is_loaded());
    assert_string_equal(curl.easy_strerror(CURLE_COULDNT_CONNECT),
                        "Couldn't connect to server");
    assert_int_equal(curl_library_load(), PST_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
    };

    return cmocka_run_group_tests_name("curl_library", tests, NULL, NULL);
}
