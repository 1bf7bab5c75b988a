/* SPDX-License-Identifier: ISC */
/*
 * test_proxy.c - requests forwarded by the query program, the responses to
 * them, and session changes by a response (design 2.5, 2.8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy_rows.h"
#include "stores.h"

static struct fixture fix;
static struct stores stores;

static void
check_all(handler_fn *program, const struct flow *flows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        flow_check(&fix, program, &flows[i]);
}

/* The proxy serializes each accepted request again, exactly as here (L67). */
static void
test_written_anew(void **state)
{
    static const struct flow rows[] = {
        {.body = "{\"query\":\"{me{id}}\"}",
         .answers = ANSWER,
         .status = 200,
         .out = {"\r\n\r\n{\"data\":null}"},
         .sent = {"POST ?\n", "\nContent-Type: application/json\n",
                  "\n\n{\"query\":\"{me{id}}\"}"},
         .unsent = {"Authorization", "Cookie"},
         .exchanges = 1},
        /* Declared variables only, each member once, without the hash. */
        {.body =
             " {\"other\":1, \"extensions\": {\"b\": [1.50] ,"
             "\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"" STORED_HASH
             "\"}},\"variables\": {\"b\":2,\"a\": 1.0E5 },"
             "\"operationName\":\"\",\"query\":\"{stored}\"} ",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"{stored}\",\"extensions\":{\"b\":[1.50]}}"},
         .unsent = {"persistedQuery", "other", "variables"},
         .exchanges = 1},
        {.body = "{\"variables\":{\"b\":2,\"a\":1.0E5},\"query\":"
                 "\"query A($a:Int){x(a:$a)} query B{y}\","
                 "\"operationName\":\"A\"}",
         .answers = ANSWER,
         .status = 200,
         .sent = {"\n\n{\"query\":\"query A($a:Int){x(a:$a)} query B{y}\","
                  "\"operationName\":\"A\",\"variables\":{\"a\":1.0E5}}"},
         .exchanges = 1},
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{b}\"}]",
         .answers = OK("[{},{}]"),
         .status = 200,
         .out = {"\r\n\r\n[{},{}]"},
         .sent = {"\n\n[{\"query\":\"{a}\"},{\"query\":\"{b}\"}]"},
         .exchanges = 1},
        {.variables = {FLOW_GET, "CONTENT_TYPE=",
                       "QUERY_STRING=x=y&query=%7Ba%7D&languageCode=de"},
         .answers = ANSWER,
         .status = 200,
         .sent = {"GET ?query=%7Ba%7D&languageCode=de\n"},
         .unsent = {"Content-Type", "x=y"},
         .exchanges = 1},
        {.body = "{\"query\":\"{a}\"}",
         .variables = {"QUERY_STRING=languageCode=de&x=y"},
         .answers = ANSWER,
         .status = 200,
         .sent = {"POST ?languageCode=de\n"},
         .exchanges = 1},
        {.body = "{\"query\":\"{a}\"}",
         .variables = {"PATH_INFO=/admin"},
         .answers = ANSWER,
         .status = 404},
    };
    static const char *const settings[] = {
        "POSTERN_FORWARD_PARAMETERS=languageCode", NULL};

    (void)state;
    fixture_init(&fix, settings);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* A value that is not a word never reaches the backend (L65). */
static void
test_parameters(void **state)
{
    static const char *const settings[] = {
        "POSTERN_FORWARD_PARAMETERS=languageCode", NULL};
    static const char *const bad[] = {
        "QUERY_STRING=languageCode=de'--", "QUERY_STRING=languageCode=d%27",
        "QUERY_STRING=languageCode=d e", "QUERY_STRING=languageCode=d.e"};

    (void)state;
    fixture_init(&fix, settings);
    for (size_t i = 0; i < PST_COUNT(bad); i++) {
        const struct flow flow = {.body = "{\"query\":\"{a}\"}",
                                  .variables = {bad[i]},
                                  .answers = ANSWER};

        (void)flow_ask(&fix, program_query, &flow);
        assert_false(fixture_was_sent(&fix, "languageCode"));
    }
    fixture_fini(&fix);
}

/* The response to a batch has each refused item's error at its index. */
static void
test_batches(void **state)
{
    static const struct flow rows[] = {
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{me{secret}}\"},"
                 "{\"query\":\"{b}\"},{\"query\":\"{\"}]",
         .answers = OK("[{\"data\":1.50},{\"data\":[2]}]"),
         .status = 200,
         .out = {"\r\n\r\n[{\"data\":1.50},{\"errors\":[{\"message\":\"secret",
                 ",{\"data\":[2]},{\"errors\":[", "GRAPHQL_PARSE_FAILED"},
         .sent = {"\n\n[{\"query\":\"{a}\"},{\"query\":\"{b}\"}]"},
         .exchanges = 1},
        /* A response that is not an array answers the whole batch. */
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
         .answers = OK("{\"errors\":[{\"message\":\"no batches\"}]}"),
         .status = 200,
         .out = {"\r\n\r\n{\"errors\":[{\"message\":\"no batches\"}]}"},
         .exchanges = 1},
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
         .answers = {{.status = 500,
                      .headers = {"Content-Type: text/html"},
                      .body = "<html>"}},
         .status = 500,
         .out = {"\r\n\r\n<html>"},
         .exchanges = 1},
        /* With too few or too many items, the order is unknown. */
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{\"},{\"query\":\"{b}\"}]",
         .answers = OK("[{}]"),
         .status = 502,
         .exchanges = 1},
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
         .answers = OK("[{},{}]"),
         .status = 502,
         .exchanges = 1},
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
         .answers = OK("[]"),
         .status = 502,
         .exchanges = 1},
        /* A compressed array cannot be read, so it is an error. */
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
         .answers = {{.status = 200,
                      .headers = {"Content-Encoding: gzip"},
                      .body = "[{}]"}},
         .status = 502,
         .exchanges = 1},
        {.body = "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
         .answers = {{.status = 0}},
         .status = 502,
         .exchanges = 1},
        /* With every item refused, the proxy sends no request. */
        {.body = "[{\"query\":\"{\"},{\"query\":\"\"}]",
         .answers = ANSWER,
         .status = 200,
         .out = {"\r\n\r\n[{\"errors\":[", "},{\"errors\":["}},
        {.body = "[]", .answers = ANSWER, .status = 400},
        {.body = "[[{\"query\":\"{a}\"}]]",
         .answers = ANSWER,
         .status = 400,
         .out = {"BAD_REQUEST"}},
    };

    (void)state;
    fixture_init(&fix, NULL);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* The proxy streams an upload and serializes its first part again. */
static void
test_multipart(void **state)
{
    static const struct flow rows[] = {
        {.body = UPLOAD("variables.f",
                        "{\"query\":\"mutation($f:Upload!){up(f:$f)}\","
                        "\"variables\":{\"f\":null,\"g\":1},\"other\":2}"),
         .variables = {MULTIPART},
         .answers = ANSWER,
         .status = 200,
         .sent = {"\nContent-Type: multipart/form-data; boundary=",
                  "{\"query\":\"mutation($f:Upload!){up(f:$f)}\","
                  "\"variables\":{\"f\":null}}",
                  "file's bytes", "variables.f"},
         .unsent = {"other", "boundary=b\n"},
         .exchanges = 1},
        {.body = UPLOAD("variables.f", "{\"query\":\"{me{secret}}\","
                                       "\"variables\":{\"f\":null}}"),
         .variables = {MULTIPART},
         .answers = ANSWER,
         .status = 400,
         .out = {"SECRET_FIELD"}},
        {.body = UPLOAD("0.variables.f",
                        "[{\"query\":\"{a}\",\"variables\":{\"f\":null}},"
                        "{\"query\":\"{me{secret}}\"}]"),
         .variables = {MULTIPART},
         .answers = ANSWER,
         .status = 400,
         .out = {"SECRET_FIELD"}},
    };

    (void)state;
    fixture_init(&fix, NULL);
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* Only queries may be sent twice when a kept connection turns out to be closed:
 * a backend may have executed what it did not answer. */
static void
test_repeatable(void **state)
{
    static const struct {
        const char *body;
        bool want;
    } rows[] = {
        {"{\"query\":\"{a}\"}", true},
        {"{\"query\":\"query A {a}\"}", true},
        {"{\"query\":\"mutation {a}\"}", false},
        {"{\"query\":\"query A{a} mutation B{b}\",\"operationName\":\"A\"}",
         true},
        {"{\"query\":\"query A{a} mutation B{b}\",\"operationName\":\"B\"}",
         false},
        {"{\"query\":\"subscription {a}\"}", false},
        {"[{\"query\":\"{a}\"},{\"query\":\"{b}\"}]", true},
        {"[{\"query\":\"{a}\"},{\"query\":\"mutation {b}\"}]", false},
    };

    (void)state;
    fixture_init(&fix, NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct flow flow = {.body = rows[i].body, .answers = ANSWER};

        (void)flow_ask(&fix, program_query, &flow);
        assert_int_equal(fix.exchanges, 1);
        if (fix.repeatable[0] != rows[i].want)
            fail_msg("%s: wrong", rows[i].body);
    }
    fixture_fini(&fix);
}

/* A late response to a query does not clear a new session's cookie. */
static void
test_dead_cookie(void **state)
{
    static const struct flow query = {
        .body = "{\"query\":\"{a}\"}",
        .variables = {"HTTP_COOKIE=__Host-Http-session=dead"},
        .answers = ANSWER,
        .status = 200,
        .never = {"Set-Cookie"},
        .unsent = {"Authorization"},
        .exchanges = 1};

    (void)state;
    fixture_init(&fix, NULL);
    flow_check(&fix, program_query, &query);
    fixture_fini(&fix);
}

/* The session's token is sent with the request. The renewed cookie is sent with
 * the response head, if there is one. */
static void
test_renewal(void **state)
{
    static struct fixture_session known;
    struct flow flow = {.body = "{\"query\":\"{a}\"}",
                        .answers = ANSWER,
                        .status = 200,
                        .never = {"Set-Cookie"},
                        .sent = {"\nAuthorization: Bearer secret\n"},
                        .exchanges = 1};

    (void)state;
    fixture_init(&fix, NULL);
    fixture_begin(&fix, false, &known);
    flow.variables[0] = known.cookie;
    flow_check(&fix, program_query, &flow);
    fix.ctx.now += 1000;
    flow.never[0] = NULL;
    flow.out[0] = "Set-Cookie: __Host-Http-session=";
    flow_check(&fix, program_query, &flow);
    /* Without a response from the backend, there is no renewal. */
    flow.answers[0].status = 0;
    flow.status = 502;
    flow.out[0] = NULL;
    flow.never[0] = "Set-Cookie";
    flow_check(&fix, program_query, &flow);
    assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
    fixture_fini(&fix);
}

static void
init_with_store(const char *const *settings)
{
    fixture_init(&fix, settings);
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
}

static void
fini_with_store(void)
{
    store_close(&fix.ctx.store);
    stores_stop(&stores);
    fixture_fini(&fix);
}

/* A field that checks a password counts as a guess of the session's user. The
 * client's document cannot report that the guess was right. */
static void
test_password_fields(void **state)
{
    static const char *const settings[] = {
        "POSTERN_BACKEND=vendure", "POSTERN_LOGIN_PER_ACCOUNT=2/15m",
        "POSTERN_LOGIN_PER_ADDRESS=5/15m", NULL};
    static const struct auth_grant other = {.sub = {"8", 1},
                                            .name = {"b", 1},
                                            .who = {"{}", 2},
                                            .upstream = {"\"t\"", 3}};
    static struct fixture_session first;
    static struct fixture_session second;
    struct flow flow = {
        .body =
            "{\"query\":\"mutation{x:updateCustomerPassword("
            "currentPassword:\\\"a\\\",newPassword:\\\"b\\\"){__typename}}\"}",
        .answers = ANSWER,
        .status = 200,
        .exchanges = 1};
    static const struct flow reading = {.body = "{\"query\":\"{a}\"}",
                                        .answers = ANSWER,
                                        .status = 200,
                                        .exchanges = 1};

    (void)state;
    init_with_store(settings);
    fixture_begin(&fix, false, &first);
    fixture_begin_with(&fix, &other, &second);
    flow.variables[0] = first.cookie;
    flow_check(&fix, program_query, &flow);
    flow_check(&fix, program_query, &flow);
    flow.status = 429;
    flow.exchanges = 0;
    flow_check(&fix, program_query, &flow);
    assert_int_equal(fixture_count(&fix, "Retry-After"), 1);
    flow_check(&fix, program_query, &flow);
    flow_check(&fix, program_query, &reading);
    /* Another user's budget is not affected. Each item of a batch counts. */
    flow.variables[0] = second.cookie;
    flow.body = "[{\"query\":\"mutation{updateCustomerPassword(a:1){id}}\"},"
                "{\"query\":\"mutation{updateCustomerPassword(a:2){id}}\"},"
                "{\"query\":\"mutation{updateCustomerPassword(a:3){id}}\"}]";
    flow_check(&fix, program_query, &flow);
    fini_with_store();
}

/* Each field that checks a password is a guess and needs its own request.
 * Otherwise a thousand aliases would count as one guess. */
static void
test_many_passwords(void **state)
{
    static const char *const bodies[] = {
        "{\"query\":\"mutation{a:updateCustomerPassword(x:1){id}"
        "b:updateCustomerPassword(x:2){id}}\"}",
        "{\"query\":\"mutation{...F...F b:updateCustomerPassword(x:2){id}}"
        "fragment F on Mutation{a:updateCustomerPassword(x:1){id}}\"}",
        "[{\"query\":\"mutation{a:updateCustomerPassword(x:1){id}"
        "b:updateCustomerPassword(x:2){id}}\"}]",
    };

    (void)state;
    init_with_store((const char *const[]){"POSTERN_BACKEND=vendure", NULL});
    for (size_t i = 0; i < PST_COUNT(bodies); i++) {
        const struct flow flow = {.body = bodies[i],
                                  .answers = ANSWER,
                                  .status = bodies[i][0] == '[' ? 200 : 400,
                                  .out = {"checks a password more than once"}};

        flow_check(&fix, program_query, &flow);
    }
    fini_with_store();
}

/* If the session's user is unknown, the proxy asks the backend before it counts
 * a password check. */
static void
test_password_of_unknown(void **state)
{
    static const char *const settings[] = {
        "POSTERN_BACKEND=vendure", "POSTERN_LOGIN_PER_ACCOUNT=1/15m",
        "POSTERN_LOGIN_PER_ADDRESS=off", NULL};
    static const struct auth_grant unknown = {.sub = {"", 0},
                                              .name = {"", 0},
                                              .who = {"{}", 2},
                                              .upstream = {"\"secret\"", 8},
                                              .is_unknown = true};
    static struct fixture_session session;

    (void)state;
    init_with_store(settings);
    for (size_t n = 0; n < 2; n++) {
        struct flow flow = {
            .body = "{\"query\":\"mutation{updateCustomerPassword(a:1){id}}\"}",
            .answers = {ANSWER_OF(FLOW_ME), ANSWER_OF("{}")},
            .status = n == 0 ? 200 : 429,
            .exchanges = n == 0 ? 2 : 1};

        fixture_begin_with(&fix, &unknown, &session);
        flow.variables[0] = session.cookie;
        flow_check(&fix, program_query, &flow);
    }
    fini_with_store();
}

/* A response with a new token: the proxy asks the backend for the user, and
 * sends the head with the session cookie, never with the token (L53). */
static void
test_token_changes(void **state)
{
    static const char *const settings[] = {"POSTERN_BACKEND=vendure", NULL};
    static const struct {
        struct fixture_answer who;
        const char *cookie;
    } rows[] = {
        {{.status = 200, .body = FLOW_ME}, "Set-Cookie: __Host-Http-session="},
        {{.status = 200, .body = FLOW_NOBODY},
         "Set-Cookie: __Host-Http-session-guest="},
        {{.status = 500}, "Set-Cookie: __Host-Http-session="},
    };
    /* The same in the response to a batch, which the proxy buffers. */
    static const struct flow partial = {
        .body = "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
        .answers = {{.status = 200,
                     .headers = {"vendure-auth-token: t#2"},
                     .body = "[{}]"},
                    {.status = 200, .body = FLOW_ME}},
        .status = 200,
        .out = {"Set-Cookie: __Host-Http-session=", "\r\n\r\n[{},{\"errors\""},
        .never = {"t#2"},
        .exchanges = 2};
    static const int statuses[] = {200, 304, 500};

    (void)state;
    fixture_init(&fix, settings);
    for (size_t i = 0; i < PST_COUNT(rows) * PST_COUNT(statuses); i++) {
        int status = statuses[i / PST_COUNT(rows)];
        const struct flow flow = {
            .body = "{\"query\":\"mutation{verify(t:1){id}}\"}",
            .answers = {{.status = status,
                         .headers = {"vendure-auth-token: t#2"}},
                        rows[i % PST_COUNT(rows)].who},
            .status = status,
            .out = {rows[i % PST_COUNT(rows)].cookie},
            .never = {"t#2"},
            .sent = {"verify(t:1)", "\nAuthorization: Bearer t#2\n"},
            .exchanges = 2};

        flow_check(&fix, program_query, &flow);
    }
    flow_check(&fix, program_query, &partial);
    fixture_fini(&fix);
}

/* When the backend ends its session, its response ends ours. */
static void
test_backend_ends(void **state)
{
    static const char *const settings[] = {"POSTERN_BACKEND=vendure", NULL};
    static struct fixture_session known;
    struct flow flow = {
        .body = "{\"query\":\"{a}\"}",
        .answers = {{.status = 200,
                     .headers = {"vendure-auth-token:"},
                     .body = "{}"}},
        .status = 200,
        .out = {"Set-Cookie: __Host-Http-session=; Path=/; Max-Age=0"},
        .exchanges = 1};

    (void)state;
    fixture_init(&fix, settings);
    fixture_begin(&fix, false, &known);
    flow.variables[0] = known.cookie;
    flow_check(&fix, program_query, &flow);
    fixture_fini(&fix);
}

/* While a session's user is unknown, nothing is forwarded. A session that now
 * has another user ends, and its token is not sent (L37). */
static void
test_confirmed_first(void **state)
{
    static const char *const settings[] = {"POSTERN_BACKEND=vendure",
                                           "POSTERN_REVALIDATE=15m", NULL};
    static const struct auth_grant unknown = {.sub = {"", 0},
                                              .name = {"", 0},
                                              .who = {"{}", 2},
                                              .upstream = {"\"secret\"", 8},
                                              .is_unknown = true};
    static const struct auth_grant old = {.sub = {"7", 1},
                                          .name = {"a", 1},
                                          .who = {"{}", 2},
                                          .upstream = {"\"secret\"", 8},
                                          .asked = FIXTURE_NOW - 900};
    struct {
        const struct auth_grant *grant;
        struct flow flow;
    } rows[] = {
        {&unknown,
         {.answers = {{.status = 500}, ANSWER_OF("{}")},
          .status = 502,
          .unsent = {"{asked}"},
          .never = {"Set-Cookie"},
          .exchanges = 1}},
        {&unknown,
         {.answers = {ANSWER_OF(FLOW_ME), ANSWER_OF("{}")},
          .status = 200,
          .sent = {"{asked}", "\nAuthorization: Bearer secret\n"},
          .out = {"Set-Cookie: __Host-Http-session=e"},
          .exchanges = 2}},
        {&old,
         {.answers = {{.status = 500}, ANSWER_OF("{}")},
          .status = 502,
          .unsent = {"{asked}"},
          .exchanges = 1}},
        {&old,
         {.answers = {ANSWER_OF("{\"data\":{\"me\":{\"id\":\"8\"}}}"),
                      ANSWER_OF("{}")},
          .status = 200,
          .sent = {"{asked}"},
          .out = {"Set-Cookie: __Host-Http-session=; Path=/; Max-Age=0"},
          .never = {"Set-Cookie: __Host-Http-session=e"},
          .exchanges = 2}},
    };
    static struct fixture_session session;

    (void)state;
    fixture_init(&fix, settings);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        fixture_begin_with(&fix, rows[i].grant, &session);
        rows[i].flow.body = "{\"query\":\"{asked}\"}";
        rows[i].flow.variables[0] = session.cookie;
        flow_check(&fix, program_query, &rows[i].flow);
    }
    /* The last session's token is sent with the who document only. */
    assert_null(strstr(strstr(fix.sent, "{me"), "Authorization"));
    fixture_fini(&fix);
}

/* When any allocation fails, the response is our error or complete. */
static void
test_no_memory(void **state)
{
    static const char *const bodies[] = {
        "{\"query\":\"query A($a:Int){x(a:$a)}\",\"variables\":{\"a\":1}}",
        "[{\"query\":\"{a}\"},{\"query\":\"{\"}]",
        "{\"query\":\"{\"}",
    };
    static const char *const settings[] = {
        "POSTERN_FORWARD_PARAMETERS=languageCode", NULL};
    static const char *const variables[] = {
        "REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
        "HTTP_SEC_FETCH_SITE=same-origin", "QUERY_STRING=languageCode=de",
        NULL};

    (void)state;
    fixture_init(&fix, settings);
    fix.answer = (struct fixture_answer){.status = 200, .body = "[{}]"};
    for (size_t i = 0; i < PST_COUNT(bodies); i++)
        assert_true(flow_check_memory(&fix, program_query, variables, bodies[i],
                                      PST_OK) > 3);
    fixture_fini(&fix);
}

/* Whatever memory is left, an error that is not the client's is returned, so
 * that handler.c answers. Without a client there is no answer, and nothing is
 * logged as refused. */
static void
test_unread(void **state)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
        "HTTP_SEC_FETCH_SITE=same-origin", NULL};
    static const char body[] = "[{\"query\":\"{a}\"},{\"query\":\"{b}\"}]";
    size_t failures = 0;

    (void)state;
    fixture_init(&fix, NULL);
    fixture_open_log(&fix);
    fix.answer = (struct fixture_answer){.status = 200, .body = "[{},{}]"};
    for (size_t left = 0; left < 32 * (size_t)1024; left += 256) {
        enum pst_err e;

        fixture_request(&fix, variables, body);
        assert_non_null(pst_arena_alloc(
            fix.arena, PST_ARENA_SIZE - 32 - pst_arena_used(fix.arena) - left));
        e = program_query(&fix.ctx, &fix.req, &fix.res);
        if (e ? e != PST_NO_MEMORY || fix.res.begun : fix.res.status != 200)
            fail_msg("%zu bytes left: %s, status %d", left, pst_err_code(e),
                     fix.res.status);
        failures += e != PST_OK;
    }
    assert_in_range(failures, 5, 127);
    fixture_request(&fix, variables, body);
    fix.is_client_gone = true;
    assert_int_equal(program_query(&fix.ctx, &fix.req, &fix.res),
                     PST_CLIENT_GONE);
    assert_false(fix.res.begun);
    assert_null(strstr(fixture_read_log(&fix), "request-refused"));
    fixture_fini(&fix);
}

/* An upload that breaks off is answered, or the error is returned, whatever
 * memory is left. */
static void
test_broken_upload(void **state)
{
    static const char whole[] =
        UPLOAD("variables.f", "{\"query\":\"mutation($f:Upload!){up(f:$f)}\","
                              "\"variables\":{\"f\":null}}");
    static const char *const variables[] = {"REQUEST_METHOD=POST", MULTIPART,
                                            "HTTP_SEC_FETCH_SITE=same-origin",
                                            NULL};
    char body[sizeof(whole)];
    enum pst_err e = PST_NO_MEMORY;

    (void)state;
    memcpy(body, whole, sizeof(body));
    body[sizeof(body) - 9] = '\0';
    fixture_init(&fix, NULL);
    fix.answer = (struct fixture_answer){.status = 200, .body = "{}"};
    for (size_t left = 0;
         (e || fix.res.status != 400) && left < 200 * (size_t)1024;
         left += 64) {
        fixture_request(&fix, variables, body);
        assert_non_null(pst_arena_alloc(
            fix.arena, PST_ARENA_SIZE - 32 - pst_arena_used(fix.arena) - left));
        e = program_query(&fix.ctx, &fix.req, &fix.res);
        if (e ? e != PST_NO_MEMORY && e != PST_MALFORMED : !fix.res.begun)
            fail_msg("%zu bytes left: %s", left, pst_err_code(e));
    }
    assert_int_equal(e, PST_OK);
    assert_int_equal(fix.res.status, 400);
    fixture_fini(&fix);
}

/* A request that cannot be read is answered with the reason, and logged. */
static void
test_unread_reason(void **state)
{
    static const struct {
        struct flow flow;
        const char *logged;
    } rows[] = {
        {{.body = "{\"query\":\"{a}\",\"query\":\"{b}\"}",
          .status = 400,
          .out = {"\"message\":\"an object has two members of the same name"}},
         "code=BAD_REQUEST reason=\"an object has two members of the same "
         "name"},
        {{.body = "7",
          .status = 400,
          .out = {"\"message\":\"a GraphQL request must be an object"}},
         "code=BAD_REQUEST reason=\"a GraphQL request must be an object"},
    };

    (void)state;
    fixture_init(&fix, NULL);
    fixture_open_log(&fix);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *log;

        flow_check(&fix, program_query, &rows[i].flow);
        log = fixture_read_log(&fix);
        if (!strstr(log, "request-refused") || !strstr(log, rows[i].logged))
            fail_msg("no '%s' in '%s'", rows[i].logged, log);
    }
    fixture_fini(&fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_anew),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_multipart),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_dead_cookie),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_password_fields),
        cmocka_unit_test(test_many_passwords),
        cmocka_unit_test(test_password_of_unknown),
        cmocka_unit_test(test_token_changes),
        cmocka_unit_test(test_backend_ends),
        cmocka_unit_test(test_confirmed_first),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_unread_reason),
        cmocka_unit_test(test_broken_upload),
    };

    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
