/* SPDX-License-Identifier: ISC */
/*
 * test_operation.c - which of a client's requests are logins, and whom they
 * may be for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "operation.h"

static const char *const vendure[] = {"POSTERN_BACKEND=vendure", NULL};

static struct fixture f;

static void
configure(const char *const *settings)
{
    if (f.config)
        fixture_fini(&f);
    fixture_init(&f, settings);
}

static int
cleanup(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

#define QUERY(document) "{\"query\":\"" document "\"}"

static void
test_read_request(void **state)
{
    static const struct {
        const char *name;
        const char *body;
        enum pst_err e;
        enum operation_kind kind;
    } rows[] = {
        {"a query", QUERY("{me{id}}"), PST_OK, OPERATION_PLAIN},
        {"a login", QUERY("mutation{login(a:1){secret}}"), PST_OK,
         OPERATION_LOGIN},
        {"login in a string", QUERY("{x(a:\\\"login\\\")}"), PST_OK,
         OPERATION_PLAIN},
        {"spelt with an escape", QUERY("mutation{log\\u0069n{secret}}"), PST_OK,
         OPERATION_LOGIN},
        {"persisted", "{\"extensions\":{\"persistedQuery\":{}}}", PST_OK,
         OPERATION_UNSURE},
        {"nothing", "{}", PST_OK, OPERATION_UNSURE},
        {"query is no string", "{\"query\":1}", PST_OK, OPERATION_UNSURE},
        {"a renamed login", QUERY("mutation{a:login{secret}}"), PST_MALFORMED,
         OPERATION_PLAIN},
        {"two renamed logins", QUERY("mutation{a:login{x} b:login{x}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"the secret's name for another", QUERY("mutation{login{secret:x}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"the owner's id renamed", QUERY("mutation{login{secret o:ownerId}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"another for the owner's id",
         QUERY("mutation{login{secret ownerId:email}}"), PST_MALFORMED,
         OPERATION_PLAIN},
        {"Query beside query",
         "{\"query\":\"{a}\",\"Query\":\"mutation{login{secret}}\"}",
         PST_MALFORMED, OPERATION_PLAIN},
        {"a stored document beside query", "{\"query\":\"{a}\",\"id\":\"x\"}",
         PST_OK, OPERATION_UNSURE},
        {"a login for whom?", QUERY("mutation{login(e:\\\"\\\\u0061\\\"){x}}"),
         PST_MALFORMED, OPERATION_PLAIN},
        {"a renamed secret", QUERY("mutation{login{s:secret}}"), PST_MALFORMED,
         OPERATION_PLAIN},
        {"renamed in a query only", QUERY("{viewer{name:login}}"), PST_OK,
         OPERATION_LOGIN},
        {"a batch", "[" QUERY("{a}") "," QUERY("{b}") "]", PST_OK,
         OPERATION_PLAIN},
        {"a batch with a login",
         "[" QUERY("{a}") "," QUERY("mutation{login{secret}}") "]",
         PST_MALFORMED, OPERATION_PLAIN},
        {"a batch with a persisted one", "[{}]", PST_MALFORMED,
         OPERATION_PLAIN},
        /* Each of these once ended the whole program. */
        {"a batch in a batch", "[[1]]", PST_MALFORMED, OPERATION_PLAIN},
        {"a batch of numbers", "[1]", PST_MALFORMED, OPERATION_PLAIN},
        {"a batch of strings", "[\"query\"]", PST_MALFORMED, OPERATION_PLAIN},
        {"a batch of nothing", "[null]", PST_MALFORMED, OPERATION_PLAIN},
        {"an empty batch", "[]", PST_OK, OPERATION_PLAIN},
        {"null", "null", PST_MALFORMED, OPERATION_PLAIN},
        {"no JSON", "query={a}", PST_MALFORMED, OPERATION_PLAIN},
        {"a string", "\"x\"", PST_MALFORMED, OPERATION_PLAIN},
        {"two documents", "{\"query\":\"{a}\",\"query\":\"{b}\"}",
         PST_DUPLICATE, OPERATION_PLAIN},
    };

    (void)state;
    configure(NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct operation out;
        enum pst_err e;

        pst_arena_reset(f.arena);
        e = operation_read_body(f.arena, f.config, pst_text_from(rows[i].body),
                                &out);
        if (e != rows[i].e || (!e && out.kind != rows[i].kind))
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
    }
}

/* Whoever may be meant is counted: variables however deep, and literals. */
static void
test_read_names(void **state)
{
    static const char *const want[] = {"u", "in", "lit"};
    struct operation out;

    (void)state;
    configure(vendure);
    assert_int_equal(
        operation_read_body(
            f.arena, f.config,
            PST_TEXT(
                "{\"query\":\"mutation($p:String){authenticate(x:\\\"lit\\\","
                "password:$p,input:{password:\\\"lp\\\"}){id}}\","
                "\"variables\":{\"username\":\"u\",\"p\":\"pw\","
                "\"input\":{\"a\":\"in\",\"b\":1,\"password\":\"ip\"},"
                "\"rememberMe\":true}}"),
            &out),
        PST_OK);
    assert_int_equal(out.kind, OPERATION_LOGIN);
    assert_true(out.remember);
    assert_int_equal(out.name_count, PST_COUNT(want));
    for (size_t i = 0; i < PST_COUNT(want); i++)
        assert_true(pst_text_equal(out.names[i], pst_text_from(want[i])));
}

/* One string more than can be counted, and the login is refused. */
static void
test_too_many_names(void **state)
{
    struct operation out;

    (void)state;
    configure(NULL);
    assert_int_equal(
        operation_read_body(
            f.arena, f.config,
            PST_TEXT("{\"query\":\"mutation{login{secret}}\",\"variables\":{"
                     "\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\","
                     "\"e\":\"5\",\"f\":\"6\",\"g\":\"7\",\"h\":\"8\","
                     "\"i\":\"9\"}}"),
            &out),
        PST_MALFORMED);
    assert_int_equal(
        operation_read_body(f.arena, f.config,
                            PST_TEXT("{\"query\":\"mutation{login{secret}}\","
                                     "\"variables\":{\"a\":[\"1\"]}}"),
                            &out),
        PST_MALFORMED);
}

/* The field that logs in is the one whose token we look for. */
static void
test_another_login_field(void **state)
{
    static const char *const saleor[] = {
        "POSTERN_UPSTREAM_TOKEN=json:/data/tokenCreate/token", NULL};
    struct operation out;

    (void)state;
    configure(saleor);
    assert_int_equal(operation_read_body(
                         f.arena, f.config,
                         PST_TEXT(QUERY("mutation{tokenCreate{token}}")), &out),
                     PST_OK);
    assert_int_equal(out.kind, OPERATION_LOGIN);
    assert_int_equal(
        operation_read_body(f.arena, f.config,
                            PST_TEXT(QUERY("mutation{tokenCreate{t:token}}")),
                            &out),
        PST_MALFORMED);
}

/* The document of a POST stands in its body, and nowhere else. */
static void
test_document_free(void **state)
{
    static const char *const free_of[] = {"", "languageCode=de",
                                          "everywhere=1"};
    static const char *const not [] = {"query=x",      "Query=x",   "a=1&id=x",
                                       "documentId=x", "%71uery=x", "x=%FF"};

    (void)state;
    configure(NULL);
    assert_int_equal(operation_check_query(f.arena, PST_NO_TEXT), PST_OK);
    for (size_t i = 0; i < PST_COUNT(free_of); i++)
        assert_int_equal(
            operation_check_query(f.arena, pst_text_from(free_of[i])), PST_OK);
    for (size_t i = 0; i < PST_COUNT(not ); i++)
        assert_int_equal(operation_check_query(f.arena, pst_text_from(not [i])),
                         PST_MALFORMED);
}

static void
test_read_query(void **state)
{
    static const struct {
        const char *query;
        enum pst_err e;
        enum operation_kind kind;
    } rows[] = {
        {"query=%7Bme%7Bid%7D%7D", PST_OK, OPERATION_PLAIN},
        {"query=mutation%7Blog%69n%7Bsecret%7D%7D", PST_OK, OPERATION_LOGIN},
        {"extensions=%7B%7D", PST_OK, OPERATION_UNSURE},
        {"", PST_OK, OPERATION_UNSURE},
        {"query=a&query=b", PST_DUPLICATE, OPERATION_PLAIN},
        {"query=%FF", PST_MALFORMED, OPERATION_PLAIN},
    };

    (void)state;
    configure(NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct operation out;
        enum pst_err e = operation_read_query(
            f.arena, f.config, pst_text_from(rows[i].query), &out);

        if (e != rows[i].e || (!e && out.kind != rows[i].kind))
            fail_msg("%s: %s", rows[i].query, pst_err_code(e));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_request),
        cmocka_unit_test(test_read_names),
        cmocka_unit_test(test_too_many_names),
        cmocka_unit_test(test_another_login_field),
        cmocka_unit_test(test_document_free),
        cmocka_unit_test(test_read_query),
    };

    return cmocka_run_group_tests_name("operation", tests, NULL, cleanup);
}
