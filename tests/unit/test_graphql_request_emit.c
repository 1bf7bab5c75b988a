/* SPDX-License-Identifier: ISC */
/*
 * test_graphql_request_emit.c - the JSON and the query string for the backend:
 * each member once, values byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/json_check.h"
#include "codec/json_slice.h"
#include "gateway/graphql_request.h"

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

static const struct pst_str names[] = {
    {"b", 1}, {"ab", 2}, {"_1", 2}, {"a", 1}, {"gone", 4}};

/* A request as read, and a plan that forwards the names above. */
static struct graphql_request_plan
plan_of(struct graphql_request *gql, const char *json)
{
    struct pst_json_error error;
    struct pst_str object;
    const char *reason = "";
    enum pst_err e = pst_json_check(arena, pst_str_from(json), &object, &error);

    if (!e)
        e = graphql_request_parse_object(arena, object, 1000, gql, &reason);
    if (e)
        fail_msg("%s: %s", json, reason);
    return (struct graphql_request_plan){.gql = gql,
                                         .document = gql->document,
                                         .id = gql->id,
                                         .variables = names,
                                         .variable_count = PST_COUNT(names)};
}

static void
check_emitted(const char *row, const struct graphql_request_list *list,
              const struct graphql_request_plan *plans, const char *want)
{
    struct pst_buf buf;
    struct pst_str out = PST_STR_NONE;

    pst_buf_init_arena(&buf, arena, 10000);
    if (list->form == GRAPHQL_REQUEST_GET)
        graphql_request_emit_query(&buf, list, plans);
    else
        graphql_request_emit(&buf, list, plans);
    assert_int_equal(pst_buf_finish(&buf, &out), PST_OK);
    if (!pst_str_equal(out, pst_str_from(want)))
        fail_msg("%s:\n got [%.*s]\nwant [%s]", row, (int)out.len, out.ptr,
                 want);
}

static const struct {
    const char *in;
    const char *want;
    const char *query; /* by GET */
} rows[] = {
    {"{ \"query\" : \"{a}\" }", "{\"query\":\"{a}\"}", "query=%7Ba%7D"},
    /* Documents are escaped anew. */
    {"{\"query\":\"{a(b:\\\"\\u00e9\\/\\u0009\\\")}\\n\"}",
     "{\"query\":\"{a(b:\\\"\xC3\xA9/\\t\\\")}\\n\"}",
     "query=%7Ba%28b%3A%22%C3%A9%2F%09%22%29%7D%0A"},
    {"{\"operationName\":\"\\u0041\",\"query\":\"{a}\"}",
     "{\"query\":\"{a}\",\"operationName\":\"A\"}",
     "query=%7Ba%7D&operationName=A"},
    /* Variables: byte for byte, in the client's order, and only declared ones.
     */
    {"{\"variables\":{\"z\":1,\"a\" : 123456789012345678901234567890 ,"
     "\"\\u0062\":[ 1.0E+2,{\"x\":\"\\u0041\"} ],\"A\":1,\"c\":{}},"
     "\"query\":\"{a}\"}",
     "{\"query\":\"{a}\",\"variables\":{"
     "\"a\":123456789012345678901234567890,"
     "\"b\":[ 1.0E+2,{\"x\":\"\\u0041\"} ]}}",
     "query=%7Ba%7D&variables=%7B%22a%22%3A123456789012345678901234567890%2C"
     "%22b%22%3A%5B%201.0E%2B2%2C%7B%22x%22%3A%22%5Cu0041%22%7D%20%5D%7D"},
    {"{\"query\":\"{a}\",\"variables\":{\"z\":1,\"\":2}}",
     "{\"query\":\"{a}\"}", "query=%7Ba%7D"},
    {"{\"query\":\"{a}\",\"variables\":{},\"extensions\":{}}",
     "{\"query\":\"{a}\"}", "query=%7Ba%7D"},
    {"{\"query\":\"{a}\",\"extensions\":{\"x\":[1 ,2],\"persistedQuery\":"
     "{\"version\":2},\"\\u0079\":null}}",
     "{\"query\":\"{a}\",\"extensions\":{\"x\":[1 ,2],\"\\u0079\":null}}",
     "query=%7Ba%7D&extensions=%7B%22x%22%3A%5B1%20%2C2%5D%2C%22%5Cu0079%22"
     "%3Anull%7D"},
    {"{\"query\":\"{a}\",\"extensions\":{\"\\u0070ersistedQuery\":null}}",
     "{\"query\":\"{a}\"}", "query=%7Ba%7D"},
    {"{\"query\":\"{a}\",\"extensions\":{\"\":1}}",
     "{\"query\":\"{a}\",\"extensions\":{\"\":1}}",
     "query=%7Ba%7D&extensions=%7B%22%22%3A1%7D"},
    {"{\"query\":\"{a}\",\"more\":1,\"key\":\"x\"}", "{\"query\":\"{a}\"}",
     "query=%7Ba%7D"},
    {"{\"doc_id\":\"\\\"d\"}", "{\"documentId\":\"\\\"d\"}", "documentId=%22d"},
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct graphql_request_list list = {.form = GRAPHQL_REQUEST_SINGLE,
                                            .count = 1};
        struct graphql_request gql;
        struct graphql_request_plan plan = plan_of(&gql, rows[i].in);

        check_emitted(rows[i].in, &list, &plan, rows[i].want);
        list.form = GRAPHQL_REQUEST_GET;
        check_emitted(rows[i].in, &list, &plan, rows[i].query);
    }
}

/* The request has the plan's text, from any source, and no hash. */
static void
test_remembered_text(void **state)
{
    const struct graphql_request_list list = {.form = GRAPHQL_REQUEST_SINGLE,
                                              .count = 1};
    struct graphql_request gql;
    struct graphql_request_plan plan = plan_of(
        &gql, "{\"extensions\":{\"persistedQuery\":{\"version\":1,"
              "\"sha256Hash\":\"0123456789abcdef0123456789abcdef0123456789"
              "abcdef0123456789abcdef\"}}}");

    (void)state;
    plan.document = PST_STR("{b}");
    check_emitted("remembered", &list, &plan, "{\"query\":\"{b}\"}");
}

static void
test_parameters(void **state)
{
    const struct graphql_request_list list = {.form = GRAPHQL_REQUEST_GET,
                                              .count = 1,
                                              .parameters =
                                                  PST_STR("l=de&c=EUR")};
    struct graphql_request gql;
    struct graphql_request_plan plan = plan_of(&gql, "{\"query\":\"{a}\"}");

    (void)state;
    check_emitted("get", &list, &plan, "query=%7Ba%7D&l=de&c=EUR");
}

static void
test_batch(void **state)
{
    static const struct {
        bool left_out[3];
        const char *want;
    } batches[] = {
        {{false, false, false},
         "[{\"query\":\"{a}\"},{\"query\":\"{b}\"},{\"query\":\"{c}\"}]"},
        {{true, false, false}, "[{\"query\":\"{b}\"},{\"query\":\"{c}\"}]"},
        {{false, true, false}, "[{\"query\":\"{a}\"},{\"query\":\"{c}\"}]"},
        {{true, true, false}, "[{\"query\":\"{c}\"}]"},
        {{true, true, true}, "[]"},
    };
    struct graphql_request_list list = {
        .form = GRAPHQL_REQUEST_BATCH, .is_batch = true, .count = 3};
    struct graphql_request requests[3];
    struct graphql_request_plan plans[3] = {
        plan_of(&requests[0], "{\"query\":\"{a}\"}"),
        plan_of(&requests[1], "{\"query\":\"{b}\"}"),
        plan_of(&requests[2], "{\"query\":\"{c}\"}"),
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(batches); i++) {
        for (size_t j = 0; j < 3; j++)
            plans[j].is_omitted = batches[i].left_out[j];
        check_emitted("batch", &list, plans, batches[i].want);
    }
    /* A batch of one stays a batch. */
    list.count = 1;
    plans[0].is_omitted = false;
    check_emitted("one", &list, plans, "[{\"query\":\"{a}\"}]");
}

/* As many declared variables as possible, and as many members as fit 4 MiB. */
static void
test_many_names(void **state)
{
    static struct pst_str declared[3750];
    static char text[3750][8];
    const struct graphql_request_list list = {.form = GRAPHQL_REQUEST_SINGLE,
                                              .count = 1};
    size_t size = 4 * 1024 * 1024;
    char *json = malloc(size + 64);
    size_t len = 0;
    struct graphql_request gql = {.document = PST_STR("{a}")};
    struct graphql_request_plan plan = {.gql = &gql,
                                        .document = PST_STR("{a}"),
                                        .variables = declared,
                                        .variable_count = PST_COUNT(declared)};
    struct pst_str out;
    struct pst_buf buf;

    (void)state;
    assert_non_null(json);
    for (size_t i = 0; i < PST_COUNT(declared); i++) {
        (void)snprintf(text[i], sizeof(text[i]), "v%zu", i * 7 % 3750);
        declared[i] = pst_str_from(text[i]);
    }
    for (size_t i = 0; len + 20 < size; i++)
        len += (size_t)snprintf(json + len, 20, "%s\"w%zu\":%zu", i ? "," : "{",
                                i, i % 10);
    len += (size_t)snprintf(json + len, 20, ",\"v3749\":1}");
    gql.variables = (struct pst_str){json, len};
    pst_buf_init_arena(&buf, arena, 1000);
    graphql_request_emit(&buf, &list, &plan);
    assert_int_equal(pst_buf_finish(&buf, &out), PST_OK);
    assert_true(pst_str_equal(
        out, PST_STR("{\"query\":\"{a}\",\"variables\":{\"v3749\":1}}")));
    free(json);
}

static void
test_no_memory(void **state)
{
    const struct graphql_request_list list = {.form = GRAPHQL_REQUEST_SINGLE,
                                              .count = 1};
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY; n++) {
        struct pst_str out;
        struct graphql_request gql;
        struct graphql_request_plan plan;
        struct pst_buf buf;

        pst_arena_reset(arena);
        plan = plan_of(&gql, rows[3].in);
        pst_arena_fail_at(arena, n);
        pst_buf_init_heap(&buf, arena, 10000);
        graphql_request_emit(&buf, &list, &plan);
        e = pst_buf_finish(&buf, &out);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 4, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remembered_text, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_parameters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("call_emit", tests, NULL, NULL);
}
