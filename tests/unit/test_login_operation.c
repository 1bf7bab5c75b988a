/* SPDX-License-Identifier: ISC */
/*
 * test_login_operation.c - the one login field of an operation, and the
 * operations that are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/login_operation.h"
#include "graphql/parser.h"

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
find_field(const char *text, struct login_operation *request,
           struct login_reason *reason)
{
    const struct pst_graphql_document *document = NULL;
    struct pst_graphql_error error;

    if (pst_graphql_parse(arena, pst_str_from(text), &document, &error))
        fail_msg("%s: %s", text, error.message);
    *request = (struct login_operation){.operation = document->operations};
    *reason = (struct login_reason){""};
    return login_operation_find_field(request, reason);
}

static void
test_found(void **state)
{
    static const char *const rows[] = {
        "mutation{login}",
        "mutation{x:login __typename}",
        "mutation{__typename ...{t:__typename ...F}} fragment F on M{login}",
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct login_operation request;
        struct login_reason reason;

        if (find_field(rows[i], &request, &reason))
            fail_msg("%s: %s", rows[i], reason.text);
        assert_non_null(request.field);
        assert_true(pst_str_equal(request.field->name, PST_STR("login")));
    }
}

static void
test_refused(void **state)
{
    static const struct {
        const char *document;
        const char *reason;
    } rows[] = {
        {"mutation @d{login}", "a login cannot have directives"},
        {"mutation{login @skip(if:false)}",
         "a login cannot have directives: leave out @skip"},
        {"mutation{...F @d} fragment F on M{login}", "leave out @d"},
        {"mutation{... @d{login}}", "leave out @d"},
        {"mutation{__typename @d login}", "leave out @d"},
        {"mutation{__typename ...{t:__typename}}", "there is no login field"},
        {"mutation{login x:other}",
         "a login must be alone: send the field other"},
        {"mutation{login ...F} fragment F on M{x:login}",
         "send the field login in a request of its own"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct login_operation request;
        struct login_reason reason;

        assert_int_equal(find_field(rows[i].document, &request, &reason),
                         PST_LOGIN_SHAPE);
        if (!strstr(reason.text, rows[i].reason))
            fail_msg("%s: %s", rows[i].document, reason.text);
        assert_null(request.field);
    }
}

/* Exactly at the limit, and one above. */
static void
test_limit(void **state)
{
    (void)state;
    for (size_t count = 63; count <= 64; count++) {
        char text[1024];
        size_t len = (size_t)snprintf(text, sizeof(text), "mutation{login");
        struct login_operation request;
        struct login_reason reason;

        for (size_t i = 0; i < count; i++)
            len +=
                (size_t)snprintf(text + len, sizeof(text) - len, " __typename");
        (void)snprintf(text + len, sizeof(text) - len, "}");
        assert_int_equal(find_field(text, &request, &reason),
                         count == 63 ? PST_OK : PST_LOGIN_SHAPE);
        if (count > 63)
            assert_non_null(strstr(reason.text, "too many root fields"));
    }
}

/* A long name is truncated in the reason. */
static void
test_long_reason(void **state)
{
    static const char name[] =
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
    struct login_reason reason;

    (void)state;
    for (int i = 1; i < 20; i++) {
        char text[1000];

        memset(text, 'x', sizeof(text));
        assert_int_equal(login_refuse(&reason, "%.*s %s", 50 * i, text, name),
                         PST_LOGIN_SHAPE);
        assert_true(strlen(reason.text) < sizeof(reason.text));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
        cmocka_unit_test(test_long_reason),
    };

    return cmocka_run_group_tests_name("login_request", tests, NULL, NULL);
}
