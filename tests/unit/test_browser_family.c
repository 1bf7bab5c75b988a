/* SPDX-License-Identifier: ISC */
/*
 * test_browser_family.c - the family of a browser by its User-Agent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "gateway/browser_family.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0"
#define WEBKIT "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like "

static void
test_families(void **state)
{
    static const struct {
        const char *agent;
        const char *family;
    } rows[] = {
        {FIREFOX, "Firefox"},
        {WEBKIT "Gecko) Chrome/126.0.0.0 Safari/537.36", "Chrome"},
        {WEBKIT "Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0", "Edge"},
        {WEBKIT "Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/111.0", "Opera"},
        {WEBKIT "Gecko) Version/17.5 Safari/605.1.15", "Safari"},
        {WEBKIT "Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome"},
        {WEBKIT "Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1", "Firefox"},
        {"curl/8.5.0", "curl"},
        {"SomeShop/3.2 (Android 14)", "other"},
        {"\"}]<script>", "other"},
        {"", ""},
        {NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str got = browser_family(pst_str_from(rows[i].agent));

        if (!pst_str_equal(got, pst_str_from(rows[i].family)))
            fail_msg("%s: %.*s", rows[i].agent, (int)got.len, got.ptr);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
    };

    return cmocka_run_group_tests_name("browser_family", tests, NULL, NULL);
}
