/* SPDX-License-Identifier: ISC */
/*
 * test_request_variables.c - variables are found by name, in their order, also
 * those that are after the index.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/request_variables.h"

#define VARIABLES_MAX (REQUEST_VARIABLES_INDEXED + 100)

/* Find all values of a name, each with "|" after it. */
static const char *
find_all(const struct request_variables *variables, const char *name,
         bool is_header)
{
    static char found[256];
    struct request_variable_search search =
        request_variables_search(variables, pst_str_from(name), is_header);
    struct pst_str value = request_variables_next(&search);
    size_t len = 0;

    for (; !pst_str_is_absent(value); value = request_variables_next(&search))
        len += (size_t)snprintf(found + len, sizeof(found) - len, "%.*s|",
                                (int)value.len, value.ptr);
    found[len] = '\0';
    return found;
}

static void
test_names(void **state)
{
    static const char *const list[] = {"HTTP_ACCEPT=a",
                                       "ACCEPT=b",
                                       "HTTP_ACCEPT=c",
                                       "HTTP_ACCEPT_X=d",
                                       "HTTP_ACCEPTX=e",
                                       "HTTP_ACCEPT",
                                       "=f",
                                       "HTTP_=g",
                                       "EMPTY=",
                                       "HTTP_ACCEPT==h",
                                       "X=1=2",
                                       NULL};
    static const struct {
        const char *name;
        bool is_header;
        const char *want;
    } rows[] = {
        {"HTTP_ACCEPT", false, "a|c|=h|"},
        {"Accept", true, "a|c|=h|"},
        {"accept-x", true, "d|"},
        {"Accept_X", true, "d|"},
        {"ACCEPT", false, "b|"},
        {"accept", false, ""},
        {"AcceptX", true, "e|"},
        {"", true, "g|"},
        {"EMPTY", false, "|"},
        {"EMPTY", true, ""},
        {"X", false, "1=2|"},
        {"HTTP_ACCEP", false, ""},
        {"HTTP_ACCEPT_", false, ""},
    };
    struct request_variables variables;

    (void)state;
    request_variables_init(&variables, list);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(find_all(&variables, rows[i].name, rows[i].is_header),
                   rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].name,
                     find_all(&variables, rows[i].name, rows[i].is_header));
}

/* As many as fit the index, more, and all of one hash. */
static void
test_many(void **state)
{
    static char texts[VARIABLES_MAX][32];
    static const char *list[VARIABLES_MAX + 1];
    struct request_variables variables;
    char name[32];
    char want[32];

    (void)state;
    for (size_t same = 0; same < 2; same++) {
        for (size_t i = 0; i < VARIABLES_MAX; i++) {
            (void)snprintf(texts[i], sizeof(texts[i]), "HTTP_X%03zu%s=%zu", i,
                           same > 0 ? "_SAME" : "", i);
            list[i] = texts[i];
        }
        (void)snprintf(texts[VARIABLES_MAX - 1], sizeof(texts[0]), "%s",
                       texts[1]);
        request_variables_init(&variables, list);
        for (size_t i = 0; i < VARIABLES_MAX - 1; i++) {
            (void)snprintf(name, sizeof(name), "x%03zu%s", i,
                           same > 0 ? "-same" : "");
            (void)snprintf(want, sizeof(want), i == 1 ? "1|1|" : "%zu|", i);
            assert_string_equal(find_all(&variables, name, true), want);
        }
        assert_string_equal(find_all(&variables, "x-none", true), "");
    }
}

static void
test_none(void **state)
{
    static const char *const list[] = {NULL};
    struct request_variables variables;

    (void)state;
    request_variables_init(&variables, list);
    assert_string_equal(find_all(&variables, "Accept", true), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests_name("request_variables", tests, NULL, NULL);
}
