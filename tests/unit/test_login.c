/* SPDX-License-Identifier: ISC */
/*
 * test_login.c - logins with credentials and with a client's mutation, with the
 * backend's token in JSON, in a header and in a cookie (design 2.5): requests
 * and responses of the login and query programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "login_flows.h"
#include "programs.h"

static const char *const fauna[] = {"POSTERN_LOGIN_FLOOR=0", NULL};
static const char *const vendure[] = {"POSTERN_BACKEND=vendure",
                                      "POSTERN_LOGIN_FLOOR=0", NULL};
static const char *const cookies[] = {"POSTERN_BACKEND=vendure",
                                      "POSTERN_UPSTREAM_TOKEN=cookie",
                                      "POSTERN_LOGIN_FLOOR=0", NULL};

static struct fixture fix;

static void
check_all(handler_fn *program, const struct flow *flows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        flow_check(&fix, program, &flows[i]);
}

/* Credentials: the configured document is sent; the answer has the public part
 * of the backend's. */
static void
test_credentials(void **state)
{
    static const struct flow rows[] = {
        {.body = CREDENTIALS,
         .answers = {GRANTED},
         .status = 200,
         .out = {USER,
                 "\r\n\r\n{\"data\":{\"login\":{\"email\":\"a@x\","
                 "\"ownerId\":70,\"expiresAt\":\"",
                 "Z\"}}}"},
         .never = {"s3cr3t", "Max-Age", "ETag"},
         .sent = {"POST ?\n", "\n\n{\"query\":\"" OURS,
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

/* The client's document is not sent; the answer has its shape. */
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
        /* Only the answer shows that the condition cannot be decided: the
         * new token is revoked, and no session begins. */
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

#define FORM "CONTENT_TYPE=application/x-www-form-urlencoded"

/* The form: each field once, either email or username. Only a refused form is
 * logged as such. */
static void
test_form(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *sent; /* NULL: nothing */
    } rows[] = {
        {"email=a&password=p", 303,
         "\"variables\":{\"email\":\"a\",\"password\":\"p\"}"},
        {"username=b&email=&password=", 303,
         "\"variables\":{\"email\":\"b\",\"password\":\"\"}"},
        {"email=b&username=", 303,
         "\"variables\":{\"email\":\"b\",\"password\":\"\"}"},
        {"email=&password=p", 401, NULL},
        {"password=p", 401, NULL},
        {"email=a&username=b&password=p", 400, NULL},
        {"email=a&email=a&password=p", 400, NULL},
        {"username=a&username=a&password=p", 400, NULL},
        {"email=a&password=p&password=p", 400, NULL},
        {"email=a&password=p&rememberMe=1&rememberMe=1", 400, NULL},
        {"email=a&password=p&csrf_token=&csrf_token=", 400, NULL},
        {"email=a&password=p&return_to=/a&return_to=/b", 400, NULL},
        {"email=a&password=%00", 400, NULL},
    };
    static const char *const posted[] = {
        "REQUEST_METHOD=POST", FORM, "HTTP_SEC_FETCH_SITE=same-origin", NULL};

    (void)state;
    fixture_init(&fix, fauna);
    fix.answer = (struct fixture_answer)GRANTED;
    flow_check_memory(&fix, program_login, posted, "email=a&password=p",
                      PST_OK);
    fixture_open_log(&fix);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct flow flow = {.body = rows[i].body,
                                  .variables = {FORM},
                                  .answers = {GRANTED},
                                  .status = rows[i].status,
                                  .sent = {rows[i].sent},
                                  .exchanges = rows[i].sent ? 1 : 0};
        const char *log;

        flow_check(&fix, program_login, &flow);
        log = fixture_read_log(&fix);
        if (!strstr(log, "request-refused") != (rows[i].status != 400))
            fail_msg("%s: logged '%s'", rows[i].body, log);
    }
    fixture_fini(&fix);
}

/* With bearer tokens our token replaces the backend's in the answer. */
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

/* Token in a header: the configured or the client's document is sent. Then the
 * backend is asked for the user of the new token. */
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
        /* Accepted, but the user is a guest or unknown, or there is no
         * token. */
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
        /* The client's selection does not prove who it is (L53, L54). */
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

/* The same with the token in a cookie. */
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

/* Each allocation fails in turn: an error, and no session. */
static void
test_no_memory(void **state)
{
    static const struct {
        const char *const *settings;
        const char *body;
        enum pst_err want;
        struct fixture_answer first;
        struct fixture_answer second;
    } rows[] = {
        {fauna, CREDENTIALS, PST_OK, GRANTED, SAYS("{}")},
        {fauna, CREDENTIALS, PST_REFUSED, REFUSED, SAYS("{}")},
        {fauna, LOGIN("{ownerId secret}"), PST_OK, GRANTED, SAYS("{}")},
        {fauna, "[" LOGIN("{ownerId}") "]", PST_OK, GRANTED, SAYS("{}")},
        {fauna, LOGIN("{ownerId}"), PST_OK, REFUSED, SAYS("{}")},
        {vendure, VENDURE_CREDENTIALS, PST_OK,
         HEADER_ANSWER(CURRENT_USER, FRESH), SAYS(FLOW_ME)},
        {vendure, THEIRS, PST_OK, HEADER_ANSWER(CURRENT_USER, FRESH),
         SAYS(FLOW_ME)},
        {vendure, "[" THEIRS "]", PST_OK, HEADER_ANSWER(CURRENT_USER, FRESH),
         SAYS(FLOW_ME)},
        {vendure, THEIRS, PST_OK, HEADER_ANSWER(WRONG, FRESH),
         SAYS(FLOW_NOBODY)},
        {cookies, THEIRS, PST_OK,
         HEADER_ANSWER(CURRENT_USER, "Set-Cookie: session=c1; HttpOnly"),
         SAYS(FLOW_ME)},
    };
    static const char *const variables[] = {
        "REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
        "HTTP_SEC_FETCH_SITE=same-origin", NULL};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        fixture_init(&fix, rows[i].settings);
        fix.answer = rows[i].first;
        fix.later[0] = rows[i].second;
        assert_true(flow_check_memory(&fix, program_login, variables,
                                      rows[i].body, rows[i].want) > 10);
        fixture_fini(&fix);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_token_in_json),
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_token_in_header),
        cmocka_unit_test(test_token_in_cookie),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
