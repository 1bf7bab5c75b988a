/* SPDX-License-Identifier: ISC */
/*
 * test_login_value.c - values of a client's login: variables and defaults are
 * resolved, and the value is the same however it is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/login_value.h"
#include "graphql/parser.h"

static struct pst_arena *arena;
static struct login_variables variables;

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, 4 * PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

/* Parse `text`, an operation of one field with one argument, and return the
 * argument's resolved value. */
static struct login_value
resolve(const char *text, const char *json)
{
    const struct pst_graphql_document *document = NULL;
    struct pst_graphql_error error;

    if (pst_graphql_parse(arena, pst_str_from(text), &document, &error))
        fail_msg("%s: %s", text, error.message);
    variables = (struct login_variables){document->operations->variables, NULL};
    if (json)
        assert_int_equal(
            pst_json_parse(arena, pst_str_from(json), &variables.given),
            PST_OK);
    return login_value_resolve(&variables,
                               document->operations->selections->arguments);
}

static void
test_resolved(void **state)
{
    static const struct {
        const char *document;
        const char *variables; /* NULL: none */
        const char *want;      /* as JSON */
    } rows[] = {
        {"{f(a:\"x\\u0061\")}", NULL, "\"xa\""},
        {"{f(a:RED)}", NULL, "\"RED\""},
        {"{f(a:1.0e3)}", NULL, "1.0e3"},
        {"query($v:A){f(a:$v)}", "{\"v\":\"x\"}", "\"x\""},
        {"query($v:A){f(a:$v)}", "{\"v\":null}", "null"},
        {"query($v:A=\"d\"){f(a:$v)}", "{\"v\":\"x\"}", "\"x\""},
        {"query($v:A=\"d\"){f(a:$v)}", "{}", "\"d\""},
        {"query($v:A=\"d\"){f(a:$v)}", NULL, "\"d\""},
        {"query($v:A=\"d\"){f(a:$v)}", "{\"v\":null}", "null"},
        {"query($v:A,$w:A){f(a:{x:$v,y:$w,z:[$w,1]})}", "{\"v\":[true]}",
         "{\"x\":[true],\"z\":[null,1]}"},
        {"query($v:A){f(a:[{x:$v},{}])}", "{\"v\":{\"b\":2}}",
         "[{\"x\":{\"b\":2}},{}]"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct login_value value = resolve(rows[i].document, rows[i].variables);
        struct pst_str got = PST_STR_NONE;

        assert_true(login_value_is_given(value));
        assert_int_equal(login_value_emit(arena, &variables, value, &got),
                         PST_OK);
        if (!pst_str_equal(got, pst_str_from(rows[i].want)))
            fail_msg("%s: %.*s", rows[i].document, (int)got.len, got.ptr);
    }
}

static void
test_not_given(void **state)
{
    static const char *const rows[] = {"query($v:A){f(a:$v)}",
                                       "query($w:A){f(a:$v)}", "{f}"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct login_value value = resolve(rows[i], "{\"x\":1}");

        assert_false(login_value_is_given(value));
        assert_false(login_value_is_null(value));
        assert_false(login_value_is_string(value));
        assert_false(login_value_is_list(value));
        assert_false(login_value_is_object(value));
        value = login_value_get_field(&variables, value, PST_STR("x"));
        assert_false(login_value_is_given(value));
    }
}

/* The same type, as a literal and as a variable. */
static void
test_types(void **state)
{
    static const struct {
        const char *value;
        bool is_null, is_string, is_list, is_object;
    } rows[] = {
        {"null", true, false, false, false},
        {"\"\"", false, true, false, false},
        {"[]", false, false, true, false},
        {"{}", false, false, false, true},
        {"1", false, false, false, false},
        {"true", false, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < 2 * PST_COUNT(rows); i++) {
        const char *text = rows[i / 2].value;
        struct login_value value;
        char document[64] = "query($v:A){f(a:$v)}";
        char json[64];

        (void)snprintf(json, sizeof(json), "{\"v\":%s}", text);
        if (i % 2 == 0)
            (void)snprintf(document, sizeof(document), "{f(a:%s)}", text);
        value = resolve(document, json);
        assert_int_equal(login_value_is_null(value), rows[i / 2].is_null);
        assert_int_equal(login_value_is_string(value), rows[i / 2].is_string);
        assert_int_equal(login_value_is_list(value), rows[i / 2].is_list);
        assert_int_equal(login_value_is_object(value), rows[i / 2].is_object);
    }
}

static void
test_fields(void **state)
{
    static const char *const rows[] = {"query($x:A){f(a:{b:\"y\",c:$x})}",
                                       "query($a:A){f(a:$a)}"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct login_value value =
            resolve(rows[i], "{\"x\":\"z\",\"a\":{\"b\":\"y\",\"c\":\"z\"}}");
        struct pst_str got = PST_STR_NONE;

        value = login_value_get_field(&variables, value, PST_STR("c"));
        assert_true(login_value_is_string(value));
        assert_int_equal(login_value_emit(arena, &variables, value, &got),
                         PST_OK);
        assert_true(pst_str_equal(got, PST_STR("\"z\"")));
        value = login_value_get_field(&variables, value, PST_STR("b"));
        assert_false(login_value_is_given(value));
    }
}

/* A variable that is used many times multiplies the size: it is bounded. */
static void
test_too_large(void **state)
{
    enum { USES = 300, LEN = 8000 };
    static char document[8 * USES + 64];
    static char json[LEN + 16];
    struct login_value value;
    struct pst_str got = PST_STR_NONE;
    size_t len = 0;

    (void)state;
    len += (size_t)snprintf(document, 64, "query($v:A){f(a:[");
    for (int i = 0; i < USES; i++)
        len += (size_t)snprintf(document + len, 8, "$v,");
    (void)snprintf(document + len, 8, "])}");
    memset(json, 'x', sizeof(json));
    memcpy(json, "{\"v\":\"", 6);
    memcpy(json + LEN, "\"}", 3);
    value = resolve(document, json);
    assert_true((size_t)USES * LEN > PST_BUFFERED_BODY_MAX);
    assert_int_equal(login_value_emit(arena, &variables, value, &got),
                     PST_TOO_LARGE);
    assert_true(pst_str_is_absent(got));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_resolved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("login_value", tests, NULL, NULL);
}
