/* SPDX-License-Identifier: ISC */
/*
 * test_proxy_errors.c - the response to a request that we refuse,
 * alone or in its place in a batch (design 2.5 and 2.9).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/proxy_errors.h"

#define OLDER "application/json"
#define NEWER "application/graphql-response+json"

static struct fixture fix;

static int
set_up(void **state)
{
    (void)state;
    fixture_init(&fix, NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

static void
begin(const char *accept)
{
    static char variable[100]; /* the request keeps slices of it */
    const char *const variables[] = {"REQUEST_METHOD=POST", variable, NULL};

    (void)snprintf(variable, sizeof(variable), "HTTP_ACCEPT=%s", accept);
    fixture_request(&fix, variables, NULL);
}

static void
expect(const char *needle)
{
    if (!fixture_is_out(&fix, needle))
        fail_msg("no %s in\n%.*s", needle, (int)fix.out_len, fix.out);
}

static void
test_refusals(void **state)
{
    static const struct {
        enum pst_err e;
        const char *accept;
        struct proxy_item item;
        const char *out[5];
    } rows[] = {
        {PST_SECRET_FIELD,
         OLDER,
         {.reason = "a \"b\"", .error = {.location = {3, 4}}},
         {"Status: 400 ", "Content-Type: application/json",
          "{\"errors\":[{\"message\":\"a \\\"b\\\"\",\"locations\":[{\"line\":"
          "3,\"column\":4}],\"extensions\":{\"code\":\"SECRET_FIELD\","
          "\"requestId\":\"0102030405060708\"}}]}"}},
        {PST_PARSE_FAILED,
         OLDER,
         {.error = {.location = {1, 2}, .message = "oops"}},
         {"Status: 200 ", "Content-Type: application/json",
          "\r\nVary: Accept\r\n",
          "{\"message\":\"oops\",\"locations\":[{\"line\":1,\"column\":2}]",
          "GRAPHQL_PARSE_FAILED"}},
        {PST_PARSE_FAILED,
         NEWER ";q=0, " OLDER,
         {.error = {.message = "oops"}},
         {"Status: 200 ", "Content-Type: application/json"}},
        {PST_PARSE_FAILED,
         "Application/GraphQL-Response+JSON;q=0.5",
         {.error = {.message = "oops"}},
         {"Status: 400 ", "Content-Type: application/graphql-response+json",
          "\r\nVary: Accept\r\n"}},
        {PST_PARSE_FAILED,
         NEWER "-other",
         {.error = {.message = "oops"}},
         {"Status: 200 ", "Content-Type: application/json"}},
        {PST_PARSE_FAILED,
         NEWER,
         {.error = {.location = {1, 2}, .message = "oops"}},
         {"Status: 400 ", "Content-Type: application/graphql-response+json",
          "{\"message\":\"oops\""}},
        {PST_PARSE_FAILED,
         OLDER ", " NEWER,
         {.error = {.message = "oops"}},
         {"Status: 400 ", "{\"message\":\"oops\",\"extensions\""}},
        {PST_LOGIN_SHAPE,
         NEWER,
         {.reason = "alone"},
         {"Status: 400 ", "Content-Type: application/graphql-response+json",
          "{\"message\":\"alone\"", "LOGIN_SHAPE"}},
        /* For another error, the location is not in the document. */
        {PST_TOO_LARGE,
         NEWER,
         {.error = {.message = "too deep"}},
         {"Status: 413 ", "\"message\":\"too deep\"", "TOO_LARGE",
          "Content-Type: application/json"}},
        {PST_TOO_LARGE,
         NEWER,
         {.error = {.message = "!"}},
         {"Status: 413 ", "\"message\":\"!\""}},
        {PST_TOO_LARGE,
         OLDER,
         {.reason = ""},
         {"Status: 413 ", "\"message\":\"the request is too large\""}},
        {PST_BAD_METHOD,
         OLDER,
         {.reason = ""},
         {"Status: 405 ", "Allow: POST\r\n", "METHOD_NOT_ALLOWED"}},
        {PST_OVERLOADED,
         OLDER,
         {.reason = ""},
         {"Status: 503 ", "Retry-After: 1\r\n", "OVERLOADED", "too busy"}},
        {PST_NO_MEMORY,
         OLDER,
         {.reason = ""},
         {"Status: 503 ", "Retry-After: 1\r\n", "OVERLOADED"}},
        {PST_STORE_DOWN,
         NEWER,
         {.reason = ""},
         {"Status: 503 ", "Retry-After: 1\r\n", "STORE_UNAVAILABLE",
          "Content-Type: application/json"}},
        {PST_PERSISTED_NOT_FOUND,
         OLDER,
         {.reason = ""},
         {"Status: 200 ", "{\"message\":\"PersistedQueryNotFound\",",
          "\"code\":\"PERSISTED_QUERY_NOT_FOUND\""}},
        {PST_PERSISTED_NOT_SUPPORTED,
         NEWER,
         {.reason = ""},
         {"Status: 200 ", "Content-Type: application/graphql-response+json",
          "{\"message\":\"PersistedQueryNotSupported\",",
          "\"code\":\"PERSISTED_QUERY_NOT_SUPPORTED\""}},
        {PST_DOCUMENT_NOT_ALLOWED,
         OLDER,
         {.reason = ""},
         {"Status: 400 ", "\"code\":\"DOCUMENT_NOT_ALLOWED\""}},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        begin(rows[i].accept);
        assert_int_equal(
            proxy_send_refusal(&fix.req, &fix.res, &rows[i].item, rows[i].e),
            PST_OK);
        for (size_t j = 0; j < 5 && rows[i].out[j]; j++)
            expect(rows[i].out[j]);
    }
}

/* What the log says about it: not what the client quoted in a document. */
static void
test_logged(void **state)
{
    static const struct {
        struct proxy_item item;
        const char *logged;
    } rows[] = {
        {{.refusal = PST_SECRET_FIELD,
          .reason = "no",
          .error = {.message = "never"}},
         " code=SECRET_FIELD reason=no line=0 column=0\n"},
        {{.refusal = PST_PARSE_FAILED,
          .error = {.location = {3, 4}, .message = "unexpected \"p4ss\" here"}},
         " reason=\"unexpected \\\"\\\" here\" line=3 column=4\n"},
        {{.refusal = PST_PARSE_FAILED,
          .error = {.location = {1, 1}, .message = "\"p4ss\" and \"p4ss\""}},
         " reason=\"\\\"\\\" and \\\"\\\"\" "},
        {{.refusal = PST_TOO_LARGE, .reason = ""},
         " code=TOO_LARGE reason=\"the request is too large\" "},
    };

    (void)state;
    fixture_open_log(&fix);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *log;

        begin(OLDER);
        proxy_log_refusal(&fix.ctx, &fix.req, &rows[i].item);
        log = fixture_read_log(&fix);
        if (!strstr(log, rows[i].logged) || strstr(log, "p4ss"))
            fail_msg("no '%s' in '%s'", rows[i].logged, log);
    }
}

/* A reason that is too long is cut, and the answer is whole. */
static void
test_long_reason(void **state)
{
    struct proxy_item item = {.gql = NULL};
    char text[1000];

    (void)state;
    memset(text, '"', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(proxy_set_refusal(&item, PST_MALFORMED, "%s", text),
                     PST_MALFORMED);
    assert_int_equal(strlen(item.reason), sizeof(item.reason) - 1);
    begin(OLDER);
    assert_int_equal(
        proxy_send_refusal(&fix.req, &fix.res, &item, PST_MALFORMED), PST_OK);
    expect("\"code\":\"BAD_REQUEST\"");
}

/* The backend's answers and ours, each in its place. */
static void
test_batch(void **state)
{
    static const struct {
        const char *pattern; /* of items: "." passes, "x" is refused */
        const char *answers; /* NULL: none */
        const char *want;    /* '!' is our error; NULL: broken */
    } rows[] = {
        {"xx", NULL, "[!,!]"},
        {"x.", "[{\"a\":1.50}]", "[!,{\"a\":1.50}]"},
        {".x", "[1]", "[1,!]"},
        {".x..x", "[ 1 , [2,3] ,\"]\"]", "[1,!,[2,3],\"]\",!]"},
        {".x", "[]", NULL},
        {".x", "[1,2]", NULL},
        {".x.", "[1]", NULL},
        {"x.", "{\"a\":1}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        static struct proxy_item items[8];
        const struct proxy_batch batch = {items, strlen(rows[i].pattern)};
        char want[1000] = "\r\n\r\n";
        enum pst_err e;

        memset(items, 0, sizeof(items));
        for (size_t j = 0; j < batch.count; j++)
            if (rows[i].pattern[j] == 'x')
                items[j].refusal = PST_SECRET_FIELD;
        begin(OLDER);
        e = proxy_send_batch(&fix.req, &fix.res, &batch,
                             rows[i].answers ? pst_str_from(rows[i].answers)
                                             : PST_STR_NONE);
        if (e != (rows[i].want ? PST_OK : PST_UPSTREAM_BROKEN))
            fail_msg("%s: %s", rows[i].pattern, pst_err_code(e));
        assert_int_equal(fix.res.begun, e == PST_OK);
        for (const char *c = rows[i].want; c && *c; c++) {
            size_t len = strlen(want);

            if (*c == '!')
                (void)snprintf(
                    want + len, sizeof(want) - len,
                    "{\"errors\":[{\"message\":\"%s\",\"extensions\":{"
                    "\"code\":\"SECRET_FIELD\",\"requestId\":\"%s\"}}]}",
                    pst_err_text(PST_SECRET_FIELD), fix.req.id);
            else
                (void)snprintf(want + len, sizeof(want) - len, "%c", *c);
        }
        if (rows[i].want)
            expect(want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_logged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_batch, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("proxy_errors", tests, NULL, NULL);
}
