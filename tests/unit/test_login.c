/* SPDX-License-Identifier: ISC */
/*
 * test_login.c - one login, three ways to it, with the token in JSON, in a
 * header and in a cookie (design 2.5), through the login and query programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flows.h"
#include "programs.h"
#include "stores.h"

#define JSON_TYPE "Content-Type: application/json"
#define CREDENTIALS "{\"email\":\"a\",\"password\":\"p\"}"
#define OURS "mutation OwnerLogin("
#define USER "Set-Cookie: __Host-Http-session="
#define GUEST "Set-Cookie: __Host-Http-session-guest="
#define DEVICE "__Host-Http-session-device="

#define OWNER                                              \
    "{\"__typename\":\"L\",\"secret\":\"s3cr3t\",\"ttl\":" \
    "\"2099-01-01T00:00:00Z\",\"email\":\"a@x\",\"ownerId\":70}"
#define GRANTED                                                             \
    {                                                                       \
        .status = 200, .headers = {JSON_TYPE, "ETag: \"1\""},               \
        .body = "{\"data\":{\"login\":" OWNER "},\"extensions\":{\"x\":1}}" \
    }
#define REFUSED                                                             \
    {                                                                       \
        .status = 200, .headers = {JSON_TYPE},                              \
        .body = "{\"errors\":[{\"message\":\"No.\",\"path\":[\"login\"],"   \
                "\"locations\":[{\"line\":1,\"column\":1}],\"extensions\":" \
                "{\"code\":\"WRONG\"}}],\"data\":{\"login\":null}}"         \
    }
#define LOGIN(selection)                                    \
    "{\"query\":\"mutation{login(email:\\\"a\\\",password:" \
    "\\\"p\\\")" selection "}\"}"

/* Token in a header. */
#define VENDURE_CREDENTIALS "{\"username\":\"a\",\"password\":\"p\"}"
#define THEIRS                                                            \
    "{\"query\":\"mutation{login(username:\\\"a\\\",password:\\\"p\\\"){" \
    "__typename}}\"}"
#define CURRENT_USER "{\"data\":{\"login\":{\"__typename\":\"CurrentUser\"}}}"
#define WRONG                                                      \
    "{\"data\":{\"login\":{\"__typename\":\"InvalidCredentials\"," \
    "\"errorCode\":\"INVALID\",\"message\":\"No.\"}}}"
#define HEADER_ANSWER(text, header)                                 \
    {                                                               \
        .status = 200, .headers = {JSON_TYPE, header}, .body = text \
    }
#define SAYS(text) HEADER_ANSWER(text, NULL)
#define FRESH "vendure-auth-token: t#2"

static const char *const fauna[] = {"POSTERN_LOGIN_FLOOR=0", NULL};
static const char *const vendure[] = {"POSTERN_BACKEND=vendure",
                                      "POSTERN_LOGIN_FLOOR=0", NULL};
static const char *const cookies[] = {"POSTERN_BACKEND=vendure",
                                      "POSTERN_UPSTREAM_TOKEN=cookie",
                                      "POSTERN_LOGIN_FLOOR=0", NULL};

static struct fixture fix;
static struct stores stores;

static void
check_all(handler_fn *program, const struct flow *flows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        flow_check(&fix, program, &flows[i]);
}

static void
init_with_store(const char *const *settings)
{
    fixture_init(&fix, settings);
    stores_start(&stores, STORES_ANY, NULL);
    fix.ctx.store = stores_open(&stores, "test");
}

static void
fini_with_store(void)
{
    store_close(&fix.ctx.store);
    stores_stop(&stores);
    fixture_fini(&fix);
}

/* Credentials: our own document, and of the answer the public part. */
static void
test_credentials(void **state)
{
    static const struct flow rows[] = {
        {.body = CREDENTIALS,
         .answers = {GRANTED},
         .status = 200,
         .out = {USER, "\r\n\r\n{\"data\":{\"login\":{\"email\":\"a@x\","
                       "\"ownerId\":70,\"expiresAt\":\""},
         .never = {"s3cr3t", "Max-Age", "ETag"},
         .sent = {"\n\n{\"query\":\"" OURS,
                  "\"variables\":{\"email\":\"a\",\"password\":\"p\"}}"},
         .unsent = {"Authorization"},
         .exchanges = 1},
        {.body = "{\"username\":\"a\",\"password\":\"\",\"rememberMe\":true}",
         .answers = {GRANTED},
         .status = 200,
         .out = {USER, "Max-Age="},
         .sent = {"\"variables\":{\"email\":\"a\",\"password\":\"\"}}"},
         .exchanges = 1},
        {.body = CREDENTIALS,
         .answers = {REFUSED},
         .status = 401,
         .never = {"No."},
         .exchanges = 1},
        {.body = "{\"email\":1,\"password\":\"p\"}",
         .answers = {GRANTED},
         .status = 400},
        {.body = "{\"email\":\"a\",\"username\":\"a\",\"password\":\"p\"}",
         .answers = {GRANTED},
         .status = 400},
        {.body = "{\"email\":\"a\"}", .answers = {GRANTED}, .status = 400},
        {.body = "{\"email\":\"a\",\"email\":\"b\",\"password\":\"p\"}",
         .answers = {GRANTED},
         .status = 400},
        {.body = CREDENTIALS,
         .variables = {"HTTP_SEC_FETCH_SITE=cross-site"},
         .answers = {GRANTED},
         .status = 403},
    };

    (void)state;
    fixture_init(&fix, fauna);
    check_all(program_login, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* A client's document never reaches the backend, and has its own shape. */
static void
test_token_in_json(void **state)
{
    static const struct flow rows[] = {
        {.body = LOGIN("{ownerId s:secret email}"),
         .answers = {GRANTED},
         .status = 200,
         .out = {USER, "\r\n\r\n{\"data\":{\"login\":{\"ownerId\":70,\"s\":"
                       "null,\"email\":\"a@x\"}}}"},
         .never = {"s3cr3t", "ETag", "extensions"},
         .sent = {"\n\n{\"query\":\"" OURS,
                  "\"variables\":{\"email\":\"a\",\"password\":\"p\"}}"},
         .unsent = {"s:secret", "mutation{login"},
         .exchanges = 1},
        {.body = "[" LOGIN("{ownerId}") "]",
         .answers = {GRANTED},
         .status = 200,
         .out = {USER, "\r\n\r\n[{\"data\":{\"login\":{\"ownerId\":70}}}]"},
         .sent = {"\n\n{\"query\":\"" OURS},
         .exchanges = 1},
        {.body = "{\"query\":\"mutation($e:String!,$p:String!){x:login("
                 "password:$p,email:$e){...F}} fragment F on L{ownerId}\","
                 "\"variables\":{\"e\":\"\\u0061\",\"p\":\"p\"}}",
         .answers = {GRANTED},
         .status = 200,
         .out = {"\r\n\r\n{\"data\":{\"x\":{\"ownerId\":70}}}"},
         .sent = {"\"variables\":{\"email\":\"a\",\"password\":\"p\"}}"},
         .exchanges = 1},
        {.body = LOGIN("{ownerId}"),
         .answers = {REFUSED},
         .status = 200,
         .out = {"\"message\":\"No.\"", "\"path\":[\"login\"]", "WRONG",
                 "\"data\":{\"login\":null}"},
         .never = {"Set-Cookie", "locations"},
         .exchanges = 1},
        {.body = LOGIN("{other}"),
         .answers = {GRANTED},
         .status = 400,
         .out = {"LOGIN_SHAPE", "other", "POSTERN_LOGIN_DOCUMENT"}},
        {.body = LOGIN("@skip(if:false){ownerId}"),
         .answers = {GRANTED},
         .status = 400,
         .out = {"LOGIN_SHAPE"}},
        {.body = "{\"query\":\"mutation{login(email:1,password:\\\"p\\\"){"
                 "ownerId}}\"}",
         .answers = {GRANTED},
         .status = 400,
         .out = {"LOGIN_SHAPE"}},
        {.body = "{\"query\":\"mutation{login(email:\\\"a\\\",password:"
                 "\\\"p\\\"){ownerId} x}\"}",
         .answers = {GRANTED},
         .status = 400,
         .out = {"LOGIN_SHAPE"}},
        /* Only the answer shows that this cannot be decided: what was
         * granted is given back, and no session begins. */
        {.body = LOGIN("{... on Foo{ownerId}}"),
         .answers = {GRANTED, SAYS("{\"data\":{\"logout\":true}}")},
         .status = 400,
         .out = {"LOGIN_SHAPE", "Foo"},
         .never = {"Set-Cookie"},
         .sent = {"mutation OwnerLogout", "\nAuthorization: Bearer s3cr3t\n"},
         .exchanges = 2},
    };

    (void)state;
    fixture_init(&fix, fauna);
    check_all(program_login, rows, PST_COUNT(rows));
    check_all(program_query, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* By bearer our token stands where the backend's was. */
static void
test_bearer(void **state)
{
    static const char *const settings[] = {"POSTERN_TOKEN_METHOD=bearer",
                                           "POSTERN_LOGIN_FLOOR=0", NULL};
    static const struct flow login = {.body = LOGIN("{secret}"),
                                      .answers = {GRANTED},
                                      .status = 200,
                                      .never = {"s3cr3t", "Set-Cookie"},
                                      .exchanges = 1};
    static char want[8192];

    (void)state;
    fixture_init(&fix, settings);
    flow_check(&fix, program_query, &login);
    snprintf(want, sizeof(want), "{\"data\":{\"login\":{\"secret\":\"%s\"}}}",
             fixture_header(&fix, "vendure-auth-token"));
    assert_true(strlen(want) > 100);
    assert_true(fixture_is_out(&fix, want));
    fixture_fini(&fix);
}

/* What came of a login, and whether it was counted as a guess: the account
 * has one. */
static void
test_guesses(void **state)
{
    static const char *const settings[] = {
        "POSTERN_LOGIN_FLOOR=0", "POSTERN_LOGIN_PER_ACCOUNT=1/15m",
        "POSTERN_LOGIN_PER_ADDRESS=off", NULL};
    static const struct {
        struct fixture_answer answer;
        int status; /* for credentials */
        bool is_counted;
    } rows[] = {
        {GRANTED, 200, false},
        {REFUSED, 401, true},
        /* Validation: no password was checked. */
        {SAYS("{\"errors\":[{\"message\":\"Cannot query field \\\"x\\\"\","
              "\"locations\":[{\"line\":1,\"column\":1}]}]}"),
         502, false},
        {{.status = 400,
          .headers = {JSON_TYPE},
          .body = "{\"errors\":[{\"message\":\"x\",\"extensions\":{\"code\":"
                  "\"GRAPHQL_VALIDATION_FAILED\"}}]}"},
         502,
         false},
        {{.status = 0}, 502, false},
        /* No answer to a login. */
        {{.status = 200,
          .headers = {"Content-Type: text/html"},
          .body = "<html>"},
         502,
         true},
        {{.status = 302, .headers = {"Location: http://x/"}}, 502, true},
        {{.status = 500, .body = "oops"}, 502, true},
        {{.status = 503, .body = "{\"data\":{\"login\":" OWNER "}}"},
         502,
         true},
        {SAYS("{\"data\":{}}"), 502, true},
        /* No subject, no secret. */
        {SAYS("{\"data\":{\"login\":{\"secret\":\"s\"}}}"), 502, true},
        {SAYS("{\"data\":{\"login\":{\"ownerId\":\"7\"}}}"), 401, true},
        {SAYS("{\"data\":{\"login\":null}}"), 401, true},
        /* A refusal need not be JSON (L59). */
        {{.status = 401, .headers = {"Content-Type: text/plain"}, .body = "no"},
         401,
         true},
        {{.status = 403,
          .headers = {"Content-Type: text/html"},
          .body = "<html>no"},
         401,
         true},
        {{.status = 401}, 401, true},
    };

    (void)state;
    init_with_store(settings);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char body[200];
        struct flow first = {.body = body,
                             .answers = {rows[i].answer},
                             .status = rows[i].status,
                             .exchanges = 1};
        const struct flow again = {.body = body,
                                   .answers = {GRANTED},
                                   .status = rows[i].is_counted ? 429 : 200,
                                   .exchanges = !rows[i].is_counted};

        snprintf(body, sizeof(body),
                 "{\"email\":\"name%zu\",\"password\":\"p\"}", i);
        flow_check(&fix, program_login, &first);
        assert_int_equal(fixture_count(&fix, "Set-Cookie") > 0,
                         rows[i].status == 200);
        flow_check(&fix, program_login, &again);
        assert_int_equal(fixture_count(&fix, "Retry-After"),
                         rows[i].is_counted);
        /* The same as a client's own document. */
        snprintf(body, sizeof(body),
                 "{\"query\":\"mutation{login(email:\\\"doc%zu\\\",password:"
                 "\\\"p\\\"){ownerId}}\"}",
                 i);
        if (first.status == 401 && rows[i].answer.body &&
            rows[i].answer.body[0] == '{')
            first.status = rows[i].answer.status;
        flow_check(&fix, program_query, &first);
        flow_check(&fix, program_query, &again);
    }
    fini_with_store();
}

/* The same where the token is in a header: of the answer to a client's
 * document only that it was never run is believed. */
static void
test_guesses_in_header(void **state)
{
    static const char *const settings[] = {
        "POSTERN_BACKEND=vendure", "POSTERN_LOGIN_FLOOR=0",
        "POSTERN_LOGIN_PER_ACCOUNT=1/15m", "POSTERN_LOGIN_PER_ADDRESS=off",
        NULL};
    static const struct {
        struct fixture_answer answer;
        int status; /* for a client's document */
        bool is_counted;
    } rows[] = {
        {SAYS(WRONG), 200, true},
        {{.status = 401, .headers = {"Content-Type: text/plain"}, .body = "no"},
         401,
         true},
        {{.status = 400,
          .headers = {JSON_TYPE},
          .body = "{\"errors\":[{\"message\":\"Syntax Error: x\","
                  "\"locations\":[{\"line\":1,"
                  "\"column\":1}]}]}"},
         400,
         false},
        {{.status = 0}, 502, false},
        {{.status = 500, .body = "oops"}, 500, true},
    };

    (void)state;
    init_with_store(settings);
    for (size_t i = 0; i < 2 * PST_COUNT(rows); i++) {
        bool is_theirs = i % 2 == 0;
        size_t row = i / 2;
        char body[200];
        const struct flow first = {.body = body, .answers = {rows[row].answer}};
        const struct flow again = {
            .body = body,
            .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
            .status = rows[row].is_counted ? 429 : 200,
            .exchanges = rows[row].is_counted ? 0 : 2};
        int status;

        (void)snprintf(body, sizeof(body),
                       is_theirs ? "{\"query\":\"mutation{login(username:"
                                   "\\\"n%zu\\\",password:\\\"p\\\"){"
                                   "__typename}}\"}"
                                 : "{\"username\":\"n%zu\",\"password\":"
                                   "\"p\"}",
                       i);
        status = flow_ask(&fix, program_login, &first);
        if (is_theirs && status != rows[row].status)
            fail_msg("row %zu: %d", row, status);
        flow_check(&fix, program_login, &again);
    }
    fini_with_store();
}

/* However a name is spelled, it is one account's budget (L58). */
static void
test_spellings(void **state)
{
    static const char *const settings[] = {
        "POSTERN_LOGIN_FLOOR=0", "POSTERN_LOGIN_PER_ACCOUNT=3/15m",
        "POSTERN_LOGIN_PER_ADDRESS=off", NULL};
    static const char *const spellings[] = {
        "{\"email\":\"ana@x\",\"password\":\"p\"}",
        "{\"email\":\"\\u00c1NA@X\",\"password\":\"p\"}",
        "{\"query\":\"mutation{login(email:\\\"\\uff41na @x\\\",password:"
        "\\\"p\\\"){ownerId}}\"}",
        "{\"email\":\"a\\u0301na@x\",\"password\":\"p\"}",
        "{\"query\":\"mutation($x:String,$e:String=\\\"Ana@x\\\"){login(email:"
        "$e,password:$x){ownerId}}\",\"variables\":{\"x\":\"p\",\"y\":1}}",
    };

    (void)state;
    init_with_store(settings);
    for (size_t i = 0; i < PST_COUNT(spellings); i++) {
        const struct flow flow = {.body = spellings[i], .answers = {REFUSED}};
        int status = flow_ask(&fix, program_login, &flow);

        if ((status == 429) != (i >= 3))
            fail_msg("%s: %d", spellings[i], status);
        assert_int_equal(fix.exchanges, i < 3);
    }
    fini_with_store();
}

/* Token in a header: our document or theirs is sent, and the backend asked
 * whose the new token is, with it alone. */
static void
test_token_in_header(void **state)
{
    static const struct flow login[] = {
        {.body = VENDURE_CREDENTIALS,
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
         .status = 200,
         .out = {USER, "\"identifier\":\"a\""},
         .never = {"t#2"},
         .sent = {"mutation Login(", "\nAuthorization: Bearer t#2\n", "{me {",
                  "\"rememberMe\":false"},
         .exchanges = 2},
        {.body = "{\"username\":\"a\",\"password\":\"p\",\"rememberMe\":true}",
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
         .status = 200,
         .out = {USER, "Max-Age="},
         .sent = {"\"rememberMe\":true"},
         .exchanges = 2},
        {.body = VENDURE_CREDENTIALS,
         .answers = {SAYS(WRONG)},
         .status = 401,
         .never = {"Set-Cookie", "No."},
         .exchanges = 1},
        /* Granted, and yet nobody, unknown, or without a token. */
        {.body = VENDURE_CREDENTIALS,
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_NOBODY)},
         .status = 502,
         .exchanges = 2},
        {.body = VENDURE_CREDENTIALS,
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), {.status = 500}},
         .status = 502,
         .exchanges = 2},
        {.body = VENDURE_CREDENTIALS,
         .answers = {SAYS(CURRENT_USER)},
         .status = 502,
         .exchanges = 1},
    };
    static const struct flow theirs[] = {
        {.body = THEIRS,
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
         .status = 200,
         .out = {USER, "\r\n\r\n" CURRENT_USER},
         .never = {"t#2"},
         .sent = {"\n\n" THEIRS, "\nAuthorization: Bearer t#2\n"},
         .exchanges = 2},
        {.body = "[" THEIRS "]",
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
         .status = 200,
         .out = {USER, "\r\n\r\n[" CURRENT_USER "]"},
         .sent = {"\n\n" THEIRS},
         .exchanges = 2},
        {.body = "[" THEIRS "]",
         .answers = {{.status = 401,
                      .headers = {"Content-Type: text/plain"},
                      .body = "no"}},
         .status = 401,
         .out = {"\r\n\r\nno"},
         .never = {"[no]"},
         .exchanges = 1},
        /* What the client selects says nothing of who it is (L53, L54). */
        {.body = THEIRS,
         .answers = {HEADER_ANSWER("{\"data\":{\"login\":{\"id\":\"1\"}}}",
                                   FRESH),
                     SAYS(FLOW_NOBODY)},
         .status = 200,
         .out = {GUEST},
         .never = {USER},
         .exchanges = 3},
        {.body = THEIRS,
         .answers = {SAYS(WRONG)},
         .status = 200,
         .out = {"\r\n\r\n" WRONG},
         .never = {"Set-Cookie"},
         .exchanges = 1},
        {.body = THEIRS,
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), {.status = 500}},
         .status = 502,
         .never = {"Set-Cookie"},
         .exchanges = 2},
        {.body = "{\"query\":\"mutation{login(username:\\\"a\\\",password:"
                 "\\\"p\\\"){... on CurrentUser{apiKey}}}\"}",
         .answers = {SAYS(CURRENT_USER)},
         .status = 400,
         .out = {"SECRET_FIELD", "apiKey"}},
        {.body = "{\"query\":\"mutation{login(username:\\\"a\\\",password:"
                 "\\\"p\\\",x:1){__typename}}\"}",
         .answers = {SAYS(CURRENT_USER)},
         .status = 400,
         .out = {"LOGIN_SHAPE"}},
        {.body = "{\"query\":\"mutation{authenticate(input:{google:{token:"
                 "\\\"g\\\"}}){__typename}}\"}",
         .answers = {HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
         .status = 200,
         .out = {USER},
         .sent = {"google"},
         .exchanges = 2},
    };
    static const char *const settings[] = {
        "POSTERN_BACKEND=vendure", "POSTERN_LOGIN_FLOOR=0",
        "POSTERN_SECRET_FIELDS=apiKey", NULL};

    (void)state;
    fixture_init(&fix, settings);
    check_all(program_login, login, PST_COUNT(login));
    check_all(program_login, theirs, PST_COUNT(theirs));
    check_all(program_query, theirs, PST_COUNT(theirs));
    fixture_fini(&fix);
}

/* The same with cookies in the token's place. */
static void
test_token_in_cookie(void **state)
{
    static const struct flow rows[] = {
        {.body = VENDURE_CREDENTIALS,
         .answers = {HEADER_ANSWER(CURRENT_USER,
                                   "Set-Cookie: session=c1; HttpOnly"),
                     SAYS(FLOW_ME)},
         .status = 200,
         .out = {USER},
         .never = {"session=c1"},
         .sent = {"\nCookie: session=c1\n"},
         .unsent = {"Authorization"},
         .exchanges = 2},
        {.body = THEIRS,
         .answers = {HEADER_ANSWER(CURRENT_USER,
                                   "Set-Cookie: session=c1; HttpOnly"),
                     SAYS(FLOW_ME)},
         .status = 200,
         .out = {USER, "\r\n\r\n" CURRENT_USER},
         .never = {"session=c1"},
         .exchanges = 2},
        {.body = VENDURE_CREDENTIALS,
         .answers = {SAYS(CURRENT_USER)},
         .status = 502,
         .exchanges = 1},
        {.body = VENDURE_CREDENTIALS,
         .answers = {SAYS(WRONG)},
         .status = 401,
         .exchanges = 1},
    };

    (void)state;
    fixture_init(&fix, cookies);
    check_all(program_login, rows, PST_COUNT(rows));
    fixture_fini(&fix);
}

/* A guest's token goes along with a login, so that the cart follows its
 * owner; a user's does not. */
static void
test_token_goes_along(void **state)
{
    static const char *const *const placements[] = {fauna, vendure};
    static struct fixture_session session;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        bool is_guest = i % 2 == 0;
        struct flow flow = {
            .body = i < 2 ? CREDENTIALS : THEIRS,
            .answers = {i < 2 ? (struct fixture_answer)REFUSED
                              : (struct fixture_answer)SAYS(WRONG)}};

        fixture_init(&fix, placements[i / 2]);
        fixture_begin(&fix, is_guest, &session);
        flow.variables[0] = session.cookie;
        (void)flow_ask(&fix, program_login, &flow);
        assert_true(fix.exchanges > 0);
        assert_int_equal(
            fixture_was_sent(&fix, "\nAuthorization: Bearer secret\n"),
            is_guest);
        fixture_fini(&fix);
    }
}

/* A refused login may change a guest's token: the cart is not lost. */
static void
test_refusal_changes_guest(void **state)
{
    static const struct flow query = {.body = "{\"query\":\"{a}\"}",
                                      .answers = {SAYS("{}")},
                                      .status = 200,
                                      .sent = {"\nAuthorization: Bearer t#2\n"},
                                      .exchanges = 1};
    static const char *const bodies[] = {VENDURE_CREDENTIALS, THEIRS};
    static struct fixture_session guest;
    struct flow next = query;

    (void)state;
    fixture_init(&fix, vendure);
    for (size_t i = 0; i < PST_COUNT(bodies); i++) {
        struct flow flow = {
            .body = bodies[i],
            .answers = {HEADER_ANSWER(WRONG, FRESH), SAYS(FLOW_NOBODY)},
            .status = i == 0 ? 401 : 200,
            .never = {USER},
            .exchanges = 3};

        fixture_begin(&fix, true, &guest);
        flow.variables[0] = guest.cookie;
        flow_check(&fix, program_login, &flow);
        assert_non_null(fixture_header(&fix, "Set-Cookie"));
        fixture_take_tokens(&fix, &guest);
        next.variables[0] = guest.cookie;
        flow_check(&fix, program_query, &next);
    }
    fixture_fini(&fix);
}

/* A guest's own token went along, and the backend does not say whose it is
 * now: the guest's session gives way to one that may be a user's, and nothing
 * is forwarded before the backend has said so (L54). */
static void
test_unknown_after_guest(void **state)
{
    static const char *const bodies[] = {VENDURE_CREDENTIALS, THEIRS};
    static struct fixture_session guest;

    (void)state;
    init_with_store(vendure);
    for (size_t i = 0; i < PST_COUNT(bodies); i++) {
        struct flow login = {.body = bodies[i],
                             .answers = {SAYS(CURRENT_USER), {.status = 500}},
                             .status = 502,
                             .exchanges = 2};
        struct flow query = {.body = "{\"query\":\"{asked}\"}",
                             .answers = {SAYS("{}")},
                             .status = 200,
                             .unsent = {"Authorization"},
                             .exchanges = 1};

        fixture_begin(&fix, true, &guest);
        login.variables[0] = guest.cookie;
        query.variables[0] = guest.cookie;
        flow_check(&fix, program_login, &login);
        assert_int_equal(fixture_count(&fix, "Set-Cookie") > 0, true);
        fixture_take_tokens(&fix, &guest);
        assert_non_null(strstr(guest.cookie, "=__Host-Http-session=e"));
        query.variables[0] = guest.cookie;
        query.unsent[0] = "{asked}";
        query.answers[0] = (struct fixture_answer){.status = 500};
        query.status = 502;
        flow_check(&fix, program_query, &query);
        query.unsent[0] = NULL;
        query.answers[0] = (struct fixture_answer)SAYS(FLOW_ME);
        query.answers[1] = (struct fixture_answer)SAYS("{}");
        query.status = 200;
        query.sent[0] = "\nAuthorization: Bearer secret\n";
        query.sent[1] = "{asked}";
        query.exchanges = 2;
        flow_check(&fix, program_query, &query);
    }
    fini_with_store();
}

/* A user who mistypes a password keeps the session: its token did not go
 * along, so what the backend hands out then says nothing of it. */
static void
test_refusal_keeps_user(void **state)
{
    static const char *const update[] = {FRESH, "vendure-auth-token:", NULL};
    static const char *const bodies[] = {VENDURE_CREDENTIALS, THEIRS};
    static struct fixture_session user;

    (void)state;
    init_with_store(vendure);
    fixture_begin(&fix, false, &user);
    for (size_t i = 0; i < PST_COUNT(update); i++) {
        for (size_t j = 0; j < PST_COUNT(bodies); j++) {
            const struct flow flow = {
                .body = bodies[j],
                .variables = {user.cookie},
                .answers = {HEADER_ANSWER(WRONG, update[i]), SAYS(FLOW_NOBODY)},
                .status = j == 0 ? 401 : 200,
                .never = {"Set-Cookie"},
                .exchanges = 1 + (update[i] == update[0])};
            const struct flow query = {
                .body = "{\"query\":\"{a}\"}",
                .variables = {user.cookie},
                .answers = {SAYS("{}")},
                .status = 200,
                .sent = {"\nAuthorization: Bearer secret\n"},
                .exchanges = 1};

            flow_check(&fix, program_login, &flow);
            assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
            flow_check(&fix, program_query, &query);
        }
    }
    fini_with_store();
}

/* Every login has a new id, and the old one ends with it. */
static void
test_new_sid(void **state)
{
    static struct fixture_session old;
    struct flow login = {.body = CREDENTIALS,
                         .answers = {GRANTED},
                         .status = 200,
                         .out = {USER},
                         .exchanges = 1};
    struct flow query = {.body = "{\"query\":\"{a}\"}",
                         .answers = {SAYS("{}")},
                         .status = 200,
                         .sent = {"\nAuthorization: Bearer secret\n"},
                         .exchanges = 1};

    (void)state;
    init_with_store(fauna);
    for (int i = 0; i < 2; i++) {
        fixture_begin(&fix, i == 0, &old);
        query.variables[0] = old.cookie;
        query.sent[0] = "\nAuthorization: Bearer secret\n";
        query.unsent[0] = NULL;
        flow_check(&fix, program_query, &query);
        login.variables[0] = old.cookie;
        flow_check(&fix, program_login, &login);
        query.sent[0] = NULL;
        query.unsent[0] = "Authorization";
        flow_check(&fix, program_query, &query);
    }
    fini_with_store();
}

/*
 * A guess is taken back only where it is proven right. The attack: a guest's
 * session whose token another request has logged in meanwhile, with the
 * attacker's own account, so that every guess looks granted (L58).
 */
static void
test_proven(void **state)
{
    static const char *const settings[] = {
        "POSTERN_BACKEND=vendure", "POSTERN_LOGIN_FLOOR=0",
        "POSTERN_LOGIN_PER_ACCOUNT=2/15m", "POSTERN_LOGIN_PER_ADDRESS=off",
        NULL};
    static const char *const mallory =
        "{\"data\":{\"me\":{\"id\":\"666\",\"identifier\":\"mallory\"}}}";
    static const char *const exact =
        "{\"data\":{\"me\":{\"id\":\"7\",\"identifier\":\"a\"}}}";
    static const char *const loud =
        "{\"data\":{\"me\":{\"id\":\"7\",\"identifier\":\"A\"}}}";
    const struct {
        const char *body;
        const char *who;
        const char *answer;
        bool is_guest;
        bool is_proven;
    } rows[] = {
        {THEIRS, mallory, CURRENT_USER, true, false},
        {THEIRS, exact, CURRENT_USER, true, true},
        /* A name that only looks like it may be the attacker's own. */
        {THEIRS, loud, CURRENT_USER, true, false},
        {THEIRS, mallory, CURRENT_USER, false, true},
        {VENDURE_CREDENTIALS, mallory, CURRENT_USER, true, false},
        {VENDURE_CREDENTIALS, mallory, CURRENT_USER, false, true},
        /* Refused, and somebody else logged the guest in under that name. */
        {VENDURE_CREDENTIALS, exact, WRONG, true, false},
    };
    static struct fixture_session guest;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        init_with_store(settings);
        for (int n = 0; n < 3; n++) {
            struct flow flow = {
                .body = rows[i].body,
                .answers = {HEADER_ANSWER(rows[i].answer, FRESH),
                            SAYS(rows[i].who)},
                .status = 200,
                .exchanges = 2};

            fixture_begin(&fix, true, &guest);
            flow.variables[0] = rows[i].is_guest ? guest.cookie : NULL;
            if (!rows[i].is_proven && n == 2) {
                flow.status = 429;
                flow.exchanges = 0;
            }
            flow_check(&fix, program_login, &flow);
            assert_int_equal(fixture_is_out(&fix, DEVICE), rows[i].is_proven);
        }
        fini_with_store();
    }
}

/* Granted by the backend, and it cannot begin here: given back there. */
static void
test_handed_back(void **state)
{
    static const char *const bodies[] = {CREDENTIALS, LOGIN("{ownerId}")};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(bodies); i++) {
        const struct flow flow = {.body = bodies[i],
                                  .answers = {GRANTED, SAYS("{}")},
                                  .status = 500,
                                  .never = {"Set-Cookie"},
                                  .sent = {"mutation OwnerLogout",
                                           "\nAuthorization: Bearer s3cr3t\n"},
                                  .exchanges = 2};

        fixture_init(&fix, fauna);
        fixture_break_random(&fix);
        flow_check(&fix, program_login, &flow);
        assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
        fixture_fini(&fix);
    }
}

/* Out of memory at every place: an error, and nothing of a session is set. */
static void
test_no_memory(void **state)
{
    static const struct {
        const char *const *settings;
        const char *body;
        struct fixture_answer first;
        struct fixture_answer second;
    } rows[] = {
        {fauna, CREDENTIALS, GRANTED, SAYS("{}")},
        {fauna, LOGIN("{ownerId secret}"), GRANTED, SAYS("{}")},
        {fauna, LOGIN("{ownerId}"), REFUSED, SAYS("{}")},
        {vendure, VENDURE_CREDENTIALS, HEADER_ANSWER(CURRENT_USER, FRESH),
         SAYS(FLOW_ME)},
        {vendure, THEIRS, HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
        {vendure, THEIRS, HEADER_ANSWER(WRONG, FRESH), SAYS(FLOW_NOBODY)},
        {cookies, THEIRS,
         HEADER_ANSWER(CURRENT_USER, "Set-Cookie: session=c1; HttpOnly"),
         SAYS(FLOW_ME)},
    };
    static const char *const variables[] = {
        "REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
        "HTTP_SEC_FETCH_SITE=same-origin", NULL};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        enum pst_err e = PST_NO_MEMORY;
        size_t n = 0;

        fixture_init(&fix, rows[i].settings);
        fix.answer = rows[i].first;
        fix.later[0] = rows[i].second;
        while (e && n < 2000) {
            fixture_request(&fix, variables, rows[i].body);
            pst_arena_fail_at(fix.arena, ++n);
            e = program_login(&fix.ctx, &fix.req, &fix.res);
            if (e && e != PST_NO_MEMORY)
                fail_msg("row %zu, %zu: %s", i, n, pst_err_code(e));
            if (e && fix.res.begun)
                fail_msg("row %zu, %zu: begun", i, n);
        }
        assert_true(n > 10 && e == PST_OK);
        fixture_fini(&fix);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_token_in_json),
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_guesses),
        cmocka_unit_test(test_guesses_in_header),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_token_in_header),
        cmocka_unit_test(test_token_in_cookie),
        cmocka_unit_test(test_token_goes_along),
        cmocka_unit_test(test_refusal_changes_guest),
        cmocka_unit_test(test_unknown_after_guest),
        cmocka_unit_test(test_refusal_keeps_user),
        cmocka_unit_test(test_new_sid),
        cmocka_unit_test(test_proven),
        cmocka_unit_test(test_handed_back),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
