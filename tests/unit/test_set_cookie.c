/* SPDX-License-Identifier: ISC */
/*
 * test_set_cookie.c - Set-Cookie lines: what is set, what is deleted, what is
 * ignored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "upstream/set_cookie.h"

#define NOW 1700000000 /* 2023-11-14T22:13:20Z */
#define PAST "Thu, 01 Jan 1970 00:00:00 GMT"
#define FUTURE "Sun, 21 Nov 2027 23:41:47 GMT"

static void
test_lines(void **state)
{
    static const struct {
        const char *line;
        const char *name;
        const char *value; /* NULL: deleted */
        bool is_http_only;
    } rows[] = {
        {"a=b", "a", "b", false},
        {" a = b ; Path=/", "a", "b", false},
        {"a=b=c", "a", "b=c", false},
        {"a=b; httponly", "a", "b", true},
        {"a=b; HttpOnly=x; Secure", "a", "b", true},
        {"a=", "a", NULL, false},
        {"a=; HttpOnly", "a", NULL, true},
        {"a=eyJ0b2tlbiI6IiJ9", "a", NULL, false},
        {"a=b; Max-Age=0", "a", NULL, false},
        {"a=b; max-age=-1", "a", NULL, false},
        {"a=b; Max-Age=1", "a", "b", false},
        {"a=b; Max-Age=00", "a", "b", false},
        {"a=b; Max-Age=", "a", "b", false},
        {"a=b; Expires=" PAST, "a", NULL, false},
        {"a=b; expires=Tue, 14 Nov 2023 22:13:20 GMT", "a", NULL, false},
        {"a=b; expires=Tue, 14 Nov 2023 22:13:21 GMT", "a", "b", false},
        {"a=b; Expires=" FUTURE, "a", "b", false},
        {"a=b; Expires=yesterday", "a", "b", false},
        {"a=b; Max-Age=60; Expires=" PAST, "a", "b", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct set_cookie got;

        if (!set_cookie_parse(pst_str_from(rows[i].line), NOW, &got) ||
            !pst_str_equal(got.name, pst_str_from(rows[i].name)) ||
            pst_str_is_absent(got.value) != !rows[i].value ||
            !pst_str_equal(got.value, pst_str_from(rows[i].value)) ||
            got.is_http_only != rows[i].is_http_only)
            fail_msg("%s", rows[i].line);
    }
}

static void
test_ignored(void **state)
{
    static const struct pst_str lines[] = {
        {"", 0},       {"a", 1},     {"=b", 2},
        {"a b=c", 5},  {"a\0=b", 4}, {"a=b\r\nc=d", 8},
        {"a=b\0c", 5}, {"; a=b", 5}, {NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(lines); i++) {
        struct set_cookie got;

        if (set_cookie_parse(lines[i], NOW, &got))
            fail_msg("line %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_ignored),
    };

    return cmocka_run_group_tests_name("set_cookie", tests, NULL, NULL);
}
