/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_parameters.c - the parameters in the URL of a GraphQL request:
 * those that are read, forwarded, dropped and refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/graphql_parameters.h"

static struct pst_str listed[] = {{"languageCode", 12}, {"c-c", 3}};
static const struct config config = {
    .forward_parameters = listed,
    .forward_parameter_count = PST_COUNT(listed),
};

static struct pst_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

static enum pst_err
parse(const char *query, bool is_get, struct graphql_parameters *out,
      const char **reason)
{
    struct request req = {.arena = arena, .query = pst_str_from(query)};

    return graphql_parameters_parse(&req, &config, is_get, out, reason);
}

static void
check_text(const char *row, struct pst_str got, const char *want)
{
    if (!pst_str_equal(got, pst_str_from(want)) ||
        pst_str_is_absent(got) != (want == NULL))
        fail_msg("%s: [%.*s], not [%s]", row, (int)got.len,
                 got.ptr ? got.ptr : "", want ? want : "absent");
}

/* In a POST. */
static void
test_forwarded(void **state)
{
    static const struct {
        const char *name;
        const char *query;
        enum pst_err want;
        const char *forwarded; /* NULL: absent */
    } rows[] = {
        {"an unknown parameter", "a=b&c", PST_OK, NULL},
        {"a forwarded one", "x=y&languageCode=de-AT_1&c-c=", PST_OK,
         "languageCode=de-AT_1&c-c="},
        {"its name with an escape", "language%43ode=de&Languagecode=x%27",
         PST_OK, "languageCode=de"},
        /* L65 */
        {"SQL in it", "languageCode=de%27%20OR%201=1", PST_MALFORMED, NULL},
        {"a dot in it", "languageCode=de.AT", PST_MALFORMED, NULL},
        {"a space in it", "languageCode=de+AT", PST_MALFORMED, NULL},
        {"it twice", "languageCode=de&languageCode=de", PST_DUPLICATE, NULL},
        /* L67 */
        {"a document", "query=mutation%7Bb%7D", PST_MALFORMED, NULL},
        {"an empty one", "a=b&query", PST_MALFORMED, NULL},
        {"in capitals", "%51UERY=1", PST_MALFORMED, NULL},
        {"variables", "Variables={}", PST_MALFORMED, NULL},
        {"a name", "operationName=A", PST_MALFORMED, NULL},
        {"extensions", "extensions=", PST_MALFORMED, NULL},
        {"an id", "id=a", PST_MALFORMED, NULL},
        {"a NUL", "a=%00", PST_MALFORMED, NULL},
        {"not UTF-8", "%ff", PST_MALFORMED, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct graphql_parameters parameters = {.forwarded = PST_STR("old")};
        const char *reason = "";
        enum pst_err e = parse(rows[i].query, false, &parameters, &reason);

        if (e != rows[i].want || (e == PST_OK) != (reason[0] == '\0'))
            fail_msg("%s: %s: %s", rows[i].name, pst_err_code(e), reason);
        check_text(rows[i].name, parameters.forwarded,
                   e ? "old" : rows[i].forwarded);
        for (size_t k = 0; k < GRAPHQL_REQUEST_FIELD_COUNT; k++)
            assert_true(pst_str_is_absent(parameters.values[k]));
    }
}

/* In a GET. */
static void
test_values(void **state)
{
    struct graphql_parameters parameters;
    const char *reason = "";

    (void)state;
    assert_int_equal(
        parse("query=%7Ba+b%7D&c-c=1&id&variables=%7B%7D&languageCode=de", true,
              &parameters, &reason),
        PST_OK);
    check_text("query", parameters.values[GRAPHQL_REQUEST_QUERY], "{a b}");
    check_text("id", parameters.values[GRAPHQL_REQUEST_ID], "");
    check_text("variables", parameters.values[GRAPHQL_REQUEST_VARIABLES], "{}");
    check_text("name", parameters.values[GRAPHQL_REQUEST_OPERATION_NAME], NULL);
    check_text("forwarded", parameters.forwarded, "c-c=1&languageCode=de");
    assert_int_equal(parse("query={a}&que%72y", true, &parameters, &reason),
                     PST_DUPLICATE);
    assert_string_equal(reason, "a GraphQL parameter is given twice");
    assert_int_equal(parse("query={a}&Query={b}", true, &parameters, &reason),
                     PST_DUPLICATE);
    assert_string_equal(reason,
                        "a name differs from \"query\" only in letter case");
}

static void
test_no_memory(void **state)
{
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        struct graphql_parameters parameters;
        const char *reason = "";

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = parse("query=%7Ba%7D&languageCode=de", true, &parameters, &reason);
        if (e)
            assert_string_equal(reason, pst_err_text(PST_NO_MEMORY));
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 3, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_forwarded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("graphql_parameters", tests, NULL, NULL);
}
