/* SPDX-License-Identifier: ISC */
/*
 * test_login_selection.c - the fields of one level: merged by response key,
 * with fragments and type conditions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "gateway/login_selection.h"
#include "graphql/parser.h"

static struct pst_arena *arena;
static struct login_reason reason;

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

static struct login_selection_sets
parse(const char *text)
{
    const struct pst_graphql_document *document = NULL;
    struct pst_graphql_error error;

    if (pst_graphql_parse(arena, pst_str_from(text), &document, &error))
        fail_msg("%s: %s", text, error.message);
    return (struct login_selection_sets){document->operations->selections,
                                         NULL};
}

static enum pst_err
collect(const struct login_selection_sets *sets,
        const struct login_type_condition *condition, bool is_limited,
        struct login_level *level)
{
    struct login_selection_reader reader = {
        .arena = arena, .reason = &reason, .is_limited = is_limited};

    reason.text[0] = '\0';
    return login_level_collect(&reader, sets, condition, level);
}

/* Keys in order, each with the number of its selection sets: "a1 b2". */
static void
check_level(const char *row, const struct login_level *level, const char *want)
{
    char text[256] = "";
    size_t len = 0;

    for (const struct login_field *f = level->fields; f; f = f->next) {
        struct pst_str key = login_field_key(f);
        size_t count = 0;

        for (const struct login_selection_sets *s = f->sets; s; s = s->next)
            count++;
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s%zu",
                             len > 0 ? " " : "", (int)key.len, key.ptr, count);
    }
    if (strcmp(text, want) != 0)
        fail_msg("%s: got %s", row, text);
}

static void
test_merged(void **state)
{
    static const char *const rows[][2] = {
        {"{a b c:a}", "a1 b1 c1"},
        {"{a{x} b a{y}}", "a2 b1"},
        {"{a{x} ...F ...on T{a{z} b}} fragment F on T{a{y} d}", "a3 d1 b1"},
        {"{a(x:1,y:[{z:\"\"}]) a(x:1,y:[{z:\"\"}])}", "a2"},
    };
    static const struct login_type_condition none = {NULL, NULL, false};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct login_selection_sets sets = parse(rows[i][0]);
        struct login_level level;

        if (collect(&sets, &none, true, &level))
            fail_msg("%s: %s", rows[i][0], reason.text);
        check_level(rows[i][0], &level, rows[i][1]);
    }
}

static void
test_refused(void **state)
{
    static const char *const rows[][2] = {
        {"{a b:c b:d}", "b is the response key of two different fields"},
        {"{a(x:1) a(x:2)}", "a is the response key"},
        {"{a(x:1) a}", "a is the response key"},
        {"query($v:A){a(x:$v) a(x:$v)}", "a is the response key"},
        {"{a a{x}}", "a is the response key"},
        {"{a @skip(if:true)}", "cannot have directives"},
        {"{...F} fragment F on T @d{a}", "cannot have directives"},
        {"{... @d{a}}", "cannot have directives"},
    };
    static const struct login_type_condition none = {NULL, NULL, false};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct login_selection_sets sets = parse(rows[i][0]);
        struct login_level level;

        assert_int_equal(collect(&sets, &none, true, &level), PST_LOGIN_SHAPE);
        if (!strstr(reason.text, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], reason.text);
    }
}

/* A condition holds if the value has the type, or the type's mark; otherwise
 * the configured selection must have it, or it cannot be decided. */
static void
test_type_conditions(void **state)
{
    static const char client[] =
        "{...on Owner{a} ...on Node{b} ...on Failure{c} ...{d}}";
    static const struct {
        const char *value;
        const char *configured;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"{\"__typename\":\"Owner\",\"postern_Node\":\"Owner\"}",
         "{...on Failure{x}}", "a1 b1 d1"},
        {"{\"__typename\":\"Owner\",\"postern_Node\":\"Owner\"}",
         "{...F} fragment F on T{...on Failure{x}}", "a1 b1 d1"},
        {"{\"__typename\":\"Owner\",\"postern_Node\":\"Owner\"}",
         "{...on Other{x}}", NULL},
        {"{\"__typename\":\"Failure\"}", "{...on Owner{x} ...on Node{x}}",
         "c1 d1"},
        {"{}", "{...on Owner{...on Node{...on Failure{x}}}}", "d1"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct login_selection_sets sets = parse(client);
        const struct login_selection_sets configured =
            parse(rows[i].configured);
        struct login_type_condition condition = {&configured, NULL, false};
        struct login_level level;
        enum pst_err e;

        assert_int_equal(pst_json_parse(arena, pst_str_from(rows[i].value),
                                        &condition.value),
                         PST_OK);
        e = collect(&sets, &condition, false, &level);
        assert_int_equal(e, rows[i].want ? PST_OK : PST_LOGIN_SHAPE);
        if (e)
            assert_non_null(strstr(reason.text, "condition on type Failure"));
        else
            check_level(rows[i].value, &level, rows[i].want);
        condition.is_configured = true; /* never refused */
        assert_int_equal(collect(&sets, &condition, false, &level), PST_OK);
    }
}

static void
test_found(void **state)
{
    static const struct login_type_condition none = {NULL, NULL, false};
    const struct login_selection_sets ours = parse("{x:a(b:1) a c __typename}");
    const struct login_selection_sets theirs = parse("{a y:a(b:1) z:a(b:2) d}");
    struct login_level have;
    struct login_level want;
    const struct login_field *field;

    (void)state;
    assert_int_equal(collect(&ours, &none, true, &have), PST_OK);
    assert_int_equal(collect(&theirs, &none, true, &want), PST_OK);
    field = want.fields;
    assert_ptr_equal(login_level_find(&have, field), have.fields->next);
    field = field->next;
    assert_ptr_equal(login_level_find(&have, field), have.fields);
    field = field->next;
    assert_null(login_level_find(&have, field));
    assert_null(login_level_find(&have, field->next));
    assert_false(login_field_is_typename(have.fields));
    assert_true(login_field_is_typename(have.fields->next->next->next));
}

/* Exactly at the limit, and one above; it is for the check only. */
static void
test_limit(void **state)
{
    static const struct login_type_condition none = {NULL, NULL, false};

    (void)state;
    for (size_t count = 1000; count <= 1001; count++) {
        static char text[2 * 1001 + 3];
        struct login_selection_sets sets;
        struct login_level level;

        for (size_t i = 0; i < count; i++)
            memcpy(text + 2 * i, " a", 2);
        text[0] = '{';
        memcpy(text + 2 * count, "}", 2);
        sets = parse(text);
        assert_int_equal(collect(&sets, &none, true, &level),
                         count == 1000 ? PST_OK : PST_LOGIN_SHAPE);
        assert_int_equal(collect(&sets, &none, false, &level), PST_OK);
    }
}

static void
test_no_memory(void **state)
{
    static const struct login_type_condition none = {NULL, NULL, false};
    const struct login_selection_sets sets = parse("{a b a}");
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        struct login_level level;

        pst_arena_fail_at(arena, n);
        e = collect(&sets, &none, true, &level);
    }
    assert_int_equal(e, PST_OK);
    assert_int_equal(n, 7); /* 3 lists of sets, 2 fields, then it succeeds */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_type_conditions, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("login_selection", tests, NULL, NULL);
}
