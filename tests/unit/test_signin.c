/* SPDX-License-Identifier: ISC */
/*
 * test_signin.c - the handlers of the programs themselves, from a request's
 * variables to the octets of the answer, with a backend that is a script;
 * and again with the n-th allocation failing, for every n.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "signin.h"

/* The programs are short: they are tested as they stand. */
int login_main(int argc, char **argv);
#define main login_main
#include "../../cgi-bin/login.c"
#undef main
int logout_main(int argc, char **argv);
#define main logout_main
#include "../../cgi-bin/logout.c"
#undef main
int query_main(int argc, char **argv);
#define main query_main
#include "../../cgi-bin/query.c"
#undef main
int session_main(int argc, char **argv);
#define main session_main
#include "../../cgi-bin/session.c"
#undef main

static const char *const cookie_only[] = {NULL};
static const char *const bearer_only[] = {"POSTERN_TOKEN_METHOD=bearer", NULL};

#define SECRET "fnEDbackendsecret"
#define GRANTED                                                     \
    "{\"data\":{\"login\":{\"secret\":\"" SECRET "\",\"ttl\":3600," \
    "\"email\":\"alice@example.com\",\"ownerId\":\"7\"}}}"
#define REFUSED \
    "{\"errors\":[{\"message\":\"no such owner\"}],\"data\":{\"login\":null}}"
#define MUTATION                                                            \
    "{\"query\":\"mutation L($email:String!,$password:String!)"             \
    "{login(email:$email,password:$password){secret ttl email ownerId}}\"," \
    "\"variables\":{\"email\":\"alice@example.com\",\"password\":\"pw\"}}"

static const char *const json_post[] = {"REQUEST_METHOD=POST",
                                        "CONTENT_TYPE=application/json",
                                        "REMOTE_ADDR=192.0.2.1", NULL};
static const char *const form_post[] = {
    "REQUEST_METHOD=POST", "CONTENT_TYPE=application/x-www-form-urlencoded",
    "SCRIPT_NAME=/login", NULL};

/* What gate_handle() does, less the server. */
static enum pst_err
call(struct fixture *f, gate_handler *handler, const char *const *variables,
     const char *body)
{
    enum pst_err e;

    fixture_request(f, variables, body);
    e = handler(&f->gate, &f->req, &f->rep);
    if (e && !f->rep.begun && e != PST_NO_MEMORY)
        assert_int_equal(page_error(&f->rep, &f->req, f->config, e), PST_OK);
    return e;
}

static void
answer_with(struct fixture *f, int status, const char *body)
{
    f->answer =
        (struct fixture_answer){.status = status,
                                .headers = {"Content-Type: application/json"},
                                .body = body};
}

/* R33, R56: by the cookie method the secret leaves by no other way. */
static void
test_login_json(void **state)
{
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    answer_with(f, 200, GRANTED);
    assert_int_equal(
        call(f, login, json_post,
             "{\"email\":\"alice@example.com\",\"password\":\"pw\"}"),
        PST_OK);
    assert_true(fixture_was_sent(f, "\"email\":\"alice@example.com\""));
    assert_true(fixture_was_sent(f, "\"password\":\"pw\""));
    assert_true(fixture_is_out(f, "Status: 200"));
    assert_true(fixture_is_out(
        f, "{\"data\":{\"login\":{\"email\":\"alice@example.com\",\"ownerId\":"
           "\"7\",\"expiresAt\":\"2023-11-14T23:13:20Z\"}}}"));
    assert_true(fixture_is_out(f, "Set-Cookie: __Host-Http-session="));
    assert_false(fixture_is_out(f, SECRET));
    assert_false(fixture_is_out(f, "vendure-auth-token"));
    fixture_fini(f);
}

static void
test_login_refusals(void **state)
{
    static const struct {
        const char *name;
        const char *body;
        int status;
        const char *answer;
        const char *want;
        size_t exchanges;
    } rows[] = {
        {"wrong password", "{\"email\":\"a\",\"password\":\"b\"}", 200, REFUSED,
         "Status: 401", 1},
        {"backend down", "{\"email\":\"a\",\"password\":\"b\"}", 0, NULL,
         "Status: 502", 1},
        {"backend broken", "{\"email\":\"a\",\"password\":\"b\"}", 200, "<p>",
         "Status: 502", 1},
        {"backend's 500", "{\"email\":\"a\",\"password\":\"b\"}", 500, "{}",
         "Status: 502", 1},
        /* It is handed back: by the backend's clock it may live yet. */
        {"its token has ended", "{\"email\":\"a\",\"password\":\"b\"}", 200,
         "{\"data\":{\"login\":{\"secret\":\"s\",\"ttl\":0}}}", "Status: 502",
         2},
        {"no password", "{\"email\":\"a\"}", 200, GRANTED, "Status: 400", 0},
        {"no name", "{\"password\":\"b\"}", 200, GRANTED, "Status: 400", 0},
        {"two names", "{\"email\":\"a\",\"username\":\"c\",\"password\":\"b\"}",
         200, GRANTED, "Status: 400", 0},
        {"a member twice",
         "{\"email\":\"a\",\"email\":\"c\",\"password\":\"b\"}", 200, GRANTED,
         "Status: 400", 0},
        {"a number", "{\"email\":1,\"password\":\"b\"}", 200, GRANTED,
         "Status: 400", 0},
        {"no JSON", "email=a", 200, GRANTED, "Status: 400", 0},
        {"a query", "{\"query\":\"{me{id}}\"}", 200, GRANTED, "Status: 400", 0},
    };
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        f->exchanges = 0;
        answer_with(f, rows[i].status, rows[i].answer);
        call(f, login, json_post, rows[i].body);
        if (!fixture_is_out(f, rows[i].want) ||
            f->exchanges != rows[i].exchanges)
            fail_msg("%s: %.*s", rows[i].name, (int)f->out_len, f->out);
        assert_false(fixture_is_out(f, "Set-Cookie"));
        assert_false(fixture_is_out(f, "no such owner"));
    }
    fixture_fini(f);
}

/* R68: one message for every cause; the typed e-mail is kept, escaped. */
static void
test_login_form(void **state)
{
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    answer_with(f, 200, GRANTED);
    call(f, login, form_post,
         "email=alice%40example.com&password=pw&return_to=%2Fshop%3Fa%3D1");
    assert_true(fixture_is_out(f, "Status: 303"));
    assert_true(fixture_is_out(f, "Location: /shop?a=1\r\n"));
    assert_true(fixture_is_out(f, "Set-Cookie: __Host-Http-session="));
    call(f, login, form_post,
         "email=a&password=pw&return_to=%2F%2Fevil.example");
    assert_true(fixture_is_out(f, "Location: /\r\n"));
    answer_with(f, 200, REFUSED);
    call(f, login, form_post, "email=%3Cb%3E%22x&password=pw");
    assert_true(fixture_is_out(f, "Status: 401"));
    assert_true(fixture_is_out(f, "&lt;b&gt;&quot;x"));
    assert_false(fixture_is_out(f, "<b>"));
    assert_false(fixture_is_out(f, "pw\""));
    assert_false(fixture_is_out(f, "Set-Cookie"));
    call(f, login, form_post, "email=a&email=b&password=pw");
    assert_true(fixture_is_out(f, "Status: 400"));
    fixture_fini(f);
}

/* A stock client's own mutation, through either program. */
static void
test_login_graphql(void **state)
{
    gate_handler *const programs[] = {login, query};
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(programs); i++) {
        const char *token;

        fixture_init(f, cookie_only);
        answer_with(f, 200, GRANTED);
        assert_int_equal(call(f, programs[i], json_post, MUTATION), PST_OK);
        assert_true(fixture_was_sent(f, MUTATION));
        assert_true(fixture_is_out(
            f, "{\"data\":{\"login\":{\"secret\":null,\"ttl\":3600,"));
        assert_false(fixture_is_out(f, SECRET));
        assert_true(fixture_is_out(f, "Set-Cookie: __Host-Http-session="));
        fixture_fini(f);

        fixture_init(f, bearer_only);
        answer_with(f, 200, GRANTED);
        assert_int_equal(call(f, programs[i], json_post, MUTATION), PST_OK);
        token = fixture_header(f, "vendure-auth-token");
        assert_non_null(token);
        assert_true(fixture_is_out(f, "{\"secret\":\"eyJ"));
        assert_true(fixture_is_out(f, token));
        assert_false(fixture_is_out(f, SECRET));
        assert_false(fixture_is_out(f, "Set-Cookie"));
        fixture_fini(f);
    }
}

/* To a GraphQL client a refusal is the backend's own, less any secret. */
static void
test_graphql_refused(void **state)
{
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    answer_with(f, 422, REFUSED);
    call(f, query, json_post, MUTATION);
    assert_true(fixture_is_out(f, "Status: 422"));
    assert_true(fixture_is_out(f, REFUSED));
    assert_false(fixture_is_out(f, "Set-Cookie"));
    answer_with(f, 200,
                "{\"errors\":[1],\"data\":{\"login\":{\"secret\":\"" SECRET
                "\"}}}");
    call(f, query, json_post, MUTATION);
    assert_false(fixture_is_out(f, SECRET));
    assert_false(fixture_is_out(f, "Set-Cookie"));
    answer_with(f, 200, "{\"data\":{\"login\":{\"secret\":\"" SECRET "\"}}} ?");
    call(f, query, json_post, MUTATION);
    assert_true(fixture_is_out(f, "Status: 502"));
    assert_false(fixture_is_out(f, SECRET));
    fixture_fini(f);
}

/* R28: no link can log anybody in, or tell whether a password is right. */
static void
test_no_login_by_get(void **state)
{
    static const struct {
        const char *name;
        const char *query;
        const char *answer;
        bool passes;
        size_t exchanges; /* the second ends what was granted */
    } rows[] = {
        {"a login", "query=mutation%7Blogin%7Bsecret%7D%7D", GRANTED, false, 0},
        {"a stored one", "extensions=%7B%7D", GRANTED, false, 2},
        {"a stored one, refused", "extensions=%7B%7D", REFUSED, false, 1},
        {"a query that names it", "query=%7Blogin%7Bsecret%7D%7D", GRANTED,
         false, 2},
        {"somebody's login name", "query=%7Bviewer%7Blogin%7D%7D",
         "{\"data\":{\"viewer\":{\"login\":\"octo\"}}}", true, 1},
    };
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char text[200];
        const char *const variables[] = {"REQUEST_METHOD=GET", text, NULL};

        snprintf(text, sizeof(text), "QUERY_STRING=%s", rows[i].query);
        answer_with(f, 200, rows[i].answer);
        call(f, query, variables, NULL);
        if (fixture_is_out(f, "Status: 405") == rows[i].passes ||
            fixture_is_out(f, "octo") != rows[i].passes ||
            fixture_is_out(f, "no such owner") ||
            fixture_is_out(f, "Set-Cookie") || fixture_is_out(f, SECRET) ||
            f->exchanges != rows[i].exchanges)
            fail_msg("%s: %.*s", rows[i].name, (int)f->out_len, f->out);
    }
    fixture_fini(f);
}

/* R51: the backend's own 405 passes. */
static void
test_backends_own_405(void **state)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=GET", "QUERY_STRING=query=mutation%7Ba%7D", NULL};
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    answer_with(f, 405, "{\"errors\":[1]}");
    call(f, query, variables, NULL);
    assert_true(fixture_is_out(f, "Status: 405"));
    assert_true(fixture_is_out(f, "{\"errors\":[1]}"));
    fixture_fini(f);
}

/*
 * R66: a stored login is counted under each string that it brings; one that
 * brings more than can be counted learns nothing, right or wrong.
 */
static void
test_too_many_names_for_a_stored_login(void **state)
{
    static const struct {
        const char *name;
        const char *variables;
        const char *answer;
        const char *want;
    } rows[] = {
        {"few", "{\"email\":\"a\"}", REFUSED, "Status: 200"},
        {"a list, wrong", "{\"l\":[\"q\"],\"email\":\"a\"}", REFUSED,
         "Status: 400"},
        {"a list, right", "{\"l\":[\"q\"],\"email\":\"a\"}", GRANTED,
         "Status: 400"},
        {"a list, but no login", "{\"l\":[\"q\"]}", "{\"data\":{\"me\":1}}",
         "Status: 200"},
        {"nine",
         "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\",\"e\":\"5\","
         "\"f\":\"6\",\"g\":\"7\",\"h\":\"8\",\"email\":\"a\"}",
         REFUSED, "Status: 400"},
    };
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char body[400];

        snprintf(body, sizeof(body), "{\"extensions\":{},\"variables\":%s}",
                 rows[i].variables);
        answer_with(f, 200, rows[i].answer);
        call(f, query, json_post, body);
        if (!fixture_is_out(f, rows[i].want) ||
            fixture_is_out(f, "Set-Cookie") || fixture_is_out(f, SECRET))
            fail_msg("%s: %.*s", rows[i].name, (int)f->out_len, f->out);
    }
    fixture_fini(f);
}

/* The cookie of the reply before, as a variable. */
static const char *
last_cookie(struct fixture *f)
{
    static char variable[8192];
    const char *line = fixture_header(f, "Set-Cookie");

    assert_non_null(line);
    snprintf(variable, sizeof(variable), "HTTP_COOKIE=%.*s",
             (int)strcspn(line, ";"), line);
    return variable;
}

/* Log in, query, who am I, log out: the main job in one sitting. */
static void
test_main_job(void **state)
{
    struct fixture *f = *state;
    const char *variables[] = {"REQUEST_METHOD=POST",
                               "CONTENT_TYPE=application/json", NULL, NULL};

    fixture_init(f, cookie_only);
    answer_with(f, 200, GRANTED);
    call(f, login, json_post, "{\"email\":\"a\",\"password\":\"b\"}");
    variables[2] = last_cookie(f);
    answer_with(f, 200, "{\"data\":{\"me\":7}}");
    assert_int_equal(call(f, query, variables, "{\"query\":\"{me}\"}"), PST_OK);
    assert_true(fixture_was_sent(f, "\nAuthorization: Bearer " SECRET "\n"));
    assert_true(fixture_is_out(f, "{\"data\":{\"me\":7}}"));
    variables[0] = "REQUEST_METHOD=GET";
    assert_int_equal(call(f, session, variables, NULL), PST_OK);
    assert_true(fixture_is_out(f, "\"subject\":\"7\""));
    assert_true(fixture_is_out(f, "\"name\":\"alice@example.com\""));
    assert_true(fixture_is_out(f, "\"guest\":false"));
    assert_true(fixture_is_out(f, "\"secondsLeft\":1800"));
    assert_false(fixture_is_out(f, SECRET));
    variables[0] = "REQUEST_METHOD=POST";
    variables[1] = "CONTENT_LENGTH=0";
    answer_with(f, 200, "{\"data\":{\"logout\":true}}");
    assert_int_equal(call(f, logout, variables, NULL), PST_OK);
    assert_true(fixture_was_sent(f, "logout"));
    assert_true(fixture_was_sent(f, "\nAuthorization: Bearer " SECRET "\n"));
    assert_true(
        fixture_is_out(f, "{\"data\":{\"logout\":{\"success\":true}}}"));
    assert_true(fixture_is_out(f, "Set-Cookie: __Host-Http-session=; Path=/; "
                                  "Max-Age=0; HttpOnly; Secure; SameSite=Lax"));
    fixture_fini(f);
}

/* A backend that is down does not keep a user logged in here. */
static void
test_logout_without_backend(void **state)
{
    struct fixture *f = *state;
    const char *variables[] = {"REQUEST_METHOD=POST", NULL, NULL};

    fixture_init(f, cookie_only);
    answer_with(f, 200, GRANTED);
    call(f, login, json_post, "{\"email\":\"a\",\"password\":\"b\"}");
    variables[1] = last_cookie(f);
    answer_with(f, 0, NULL);
    assert_int_equal(call(f, logout, variables, NULL), PST_OK);
    assert_true(fixture_is_out(f, "Status: 200"));
    assert_true(fixture_is_out(f, "Max-Age=0"));
    fixture_fini(f);
}

static void
test_session_without_one(void **state)
{
    const char *const variables[] = {"REQUEST_METHOD=GET", NULL};
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    assert_int_equal(call(f, session, variables, NULL), PST_OK);
    assert_true(fixture_is_out(f, "Status: 200"));
    assert_true(fixture_is_out(f, "{\"data\":{\"session\":null}}"));
    fixture_fini(f);
}

/* R51, and section 4 of the design: what `query` takes. */
static void
test_query_types(void **state)
{
    static const struct {
        const char *method;
        const char *type;
        int status;
    } rows[] = {
        {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/json", 200},
        {"REQUEST_METHOD=POST", "CONTENT_TYPE=Application/JSON; charset=utf-8",
         200},
        {"REQUEST_METHOD=POST",
         "CONTENT_TYPE=application/graphql-response+json", 200},
        {"REQUEST_METHOD=POST", "CONTENT_TYPE=multipart/form-data; boundary=x",
         200},
        {"REQUEST_METHOD=POST", "CONTENT_TYPE=text/plain", 415},
        {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/graphql", 415},
        {"REQUEST_METHOD=POST",
         "CONTENT_TYPE=application/x-www-form-urlencoded", 415},
        {"REQUEST_METHOD=POST", "CONTENT_TYPE=json", 415},
        {"REQUEST_METHOD=POST", "CONTENT_TYPE=", 415},
        {"REQUEST_METHOD=POST", "X=", 415},
        {"REQUEST_METHOD=GET", "X=", 200},
        {"REQUEST_METHOD=GET", "CONTENT_TYPE=application/json", 200},
        {"REQUEST_METHOD=GET", "CONTENT_TYPE=text/plain", 415},
        {"REQUEST_METHOD=PUT", "CONTENT_TYPE=application/json", 405},
        {"REQUEST_METHOD=HEAD", "X=", 405},
    };
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const variables[] = {rows[i].method, rows[i].type, NULL};
        char want[32];

        answer_with(f, 200, "{}");
        call(f, query, variables,
             strstr(rows[i].type, "multipart")
                 ? "--x\r\nContent-Disposition: form-data; "
                   "name=\"operations\"\r\n\r\n{\"query\":\"{a}\"}\r\n--x--"
                 : "{\"query\":\"{a}\"}");
        snprintf(want, sizeof(want), "Status: %d ", rows[i].status);
        if (!fixture_is_out(f, want))
            fail_msg("%s %s: %.*s", rows[i].method, rows[i].type,
                     (int)f->out_len, f->out);
    }
    fixture_fini(f);
}

/* A backend that hands out tokens whenever it likes: Vendure. */

static const char *const vendure[] = {"POSTERN_BACKEND=vendure", NULL};
static const char *const vendure_bearer[] = {
    "POSTERN_BACKEND=vendure", "POSTERN_TOKEN_METHOD=bearer", NULL};

#define CURRENT_USER                                                     \
    "{\"data\":{\"login\":{\"__typename\":\"CurrentUser\",\"id\":\"3\"," \
    "\"identifier\":\"alice@example.com\"}}}"
#define ADD "{\"query\":\"mutation{addItemToOrder(a:1){id}}\"}"

/* What {me} says with alice's token. */
#define ME                                             \
    ((struct fixture_answer){                          \
        .status = 200,                                 \
        .headers = {"Content-Type: application/json"}, \
        .body = "{\"data\":{\"me\":{\"id\":\"3\",\"identifier\":\"al\"}}}"})

static void
answer_token(struct fixture *f, int status, const char *token, const char *body)
{
    f->answer = (struct fixture_answer){
        .status = status,
        .headers = {"Content-Type: application/json", token},
        .body = body};
    f->second = (struct fixture_answer){.status = 0};
}

/* A new guest's token makes a session, whatever the status (U27, U28). */
static void
test_guest(void **state)
{
    static const int statuses[] = {200, 304, 400, 500};
    struct fixture *f = *state;

    fixture_init(f, vendure);
    for (size_t i = 0; i < PST_COUNT(statuses); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST",
                                   "CONTENT_TYPE=application/json", NULL, NULL};
        const char *line;

        answer_token(f, statuses[i], "vendure-auth-token: guest1", "{}");
        assert_int_equal(call(f, query, variables, ADD), PST_OK);
        line = fixture_header(f, "Set-Cookie");
        assert_non_null(line);
        assert_non_null(strstr(line, "; Max-Age=31536000;"));
        assert_false(fixture_is_out(f, "guest1"));
        variables[2] = last_cookie(f);
        answer_token(f, 200, NULL, "{}");
        assert_int_equal(call(f, query, variables, ADD), PST_OK);
        assert_true(fixture_was_sent(f, "\nAuthorization: Bearer guest1\n"));
        assert_null(fixture_header(f, "Set-Cookie"));
        variables[0] = "REQUEST_METHOD=GET";
        variables[1] = "X=";
        assert_int_equal(call(f, session, variables, NULL), PST_OK);
        assert_true(fixture_is_out(f, "\"guest\":true"));
        assert_true(fixture_is_out(f, "\"subject\":null"));
    }
    fixture_fini(f);
}

/* The guest's token goes with the login, and the user's own comes back. */
static void
test_login_keeps_the_cart(void **state)
{
    static const char *const bodies[] = {
        "{\"email\":\"alice@example.com\",\"password\":\"pw\"}",
        "{\"query\":\"mutation{login(username:1,password:2){id}}\"}"};
    struct fixture *f = *state;

    fixture_init(f, vendure);
    for (size_t i = 0; i < PST_COUNT(bodies); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST",
                                   "CONTENT_TYPE=application/json", NULL, NULL};

        answer_token(f, 200, "vendure-auth-token: guest1", "{}");
        call(f, query, variables, ADD);
        variables[2] = last_cookie(f);
        answer_token(f, 200, "vendure-auth-token: alice1", CURRENT_USER);
        f->second = ME;
        assert_int_equal(call(f, login, variables, bodies[i]), PST_OK);
        assert_true(fixture_was_sent(f, "\nAuthorization: Bearer guest1\n"));
        variables[2] = last_cookie(f);
        variables[0] = "REQUEST_METHOD=GET";
        assert_int_equal(call(f, session, variables, NULL), PST_OK);
        assert_true(fixture_is_out(f, "\"subject\":\"3\""));
        assert_true(fixture_is_out(f, "\"guest\":false"));
    }
    fixture_fini(f);
}

/* The backend ended it: by an empty header, and the client is told. */
static void
test_ended_by_backend(void **state)
{
    struct fixture *f = *state;
    const char *variables[] = {"REQUEST_METHOD=POST",
                               "CONTENT_TYPE=application/json", NULL, NULL};

    fixture_init(f, vendure);
    answer_token(f, 200, "vendure-auth-token: alice1", CURRENT_USER);
    call(f, login, variables, "{\"email\":\"a\",\"password\":\"b\"}");
    variables[2] = last_cookie(f);
    answer_token(f, 200, "vendure-auth-token:", "{\"data\":{}}");
    assert_int_equal(call(f, query, variables, ADD), PST_OK);
    assert_non_null(strstr(fixture_header(f, "Set-Cookie"), "Max-Age=0"));
    /* A new guest in its place: named by nobody, not cleared. */
    answer_token(f, 200, "vendure-auth-token: guest2", "{\"data\":{}}");
    assert_int_equal(call(f, query, variables, ADD), PST_OK);
    variables[2] = last_cookie(f);
    variables[0] = "REQUEST_METHOD=GET";
    assert_int_equal(call(f, session, variables, NULL), PST_OK);
    assert_true(fixture_is_out(f, "\"guest\":true"));
    fixture_fini(f);
}

/* A wrong password over a guest's session leaves it as it was. */
static void
test_wrong_password_keeps_guest(void **state)
{
    struct fixture *f = *state;
    const char *variables[] = {"REQUEST_METHOD=POST",
                               "CONTENT_TYPE=application/json", NULL, NULL};
    const char *refusal =
        "{\"data\":{\"login\":{\"errorCode\":\"INVALID_CREDENTIALS_ERROR\"}}}";

    fixture_init(f, vendure);
    answer_token(f, 200, "vendure-auth-token: guest1", "{}");
    call(f, query, variables, ADD);
    variables[2] = last_cookie(f);
    answer_token(f, 200, NULL, refusal);
    assert_int_equal(
        call(f, login, variables, "{\"email\":\"a\",\"password\":\"b\"}"),
        PST_REFUSED);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_int_equal(
        call(f, query, variables,
             "{\"query\":\"mutation{login(username:1,password:2){id}}\"}"),
        PST_OK);
    assert_true(fixture_is_out(f, refusal));
    assert_null(fixture_header(f, "Set-Cookie"));
    fixture_fini(f);
}

/* Where the client's selection does not say who it is, the backend does. */
static void
test_identity_is_asked(void **state)
{
    struct fixture *f = *state;
    const char *variables[] = {"REQUEST_METHOD=GET", NULL, NULL};

    fixture_init(f, vendure);
    answer_token(f, 200, "vendure-auth-token: alice1",
                 "{\"data\":{\"login\":{\"__typename\":\"CurrentUser\"}}}");
    f->second = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"data\":{\"me\":{\"id\":\"3\",\"identifier\":\"al\"}}}"};
    assert_int_equal(
        call(f, query, json_post,
             "{\"query\":\"mutation{login(username:1){__typename}}\"}"),
        PST_OK);
    assert_int_equal(f->exchanges, 2);
    assert_true(fixture_was_sent(f, "\nAuthorization: Bearer alice1\n"));
    assert_true(fixture_was_sent(f, "{me{id identifier}}"));
    assert_true(fixture_is_out(f, "CurrentUser"));
    variables[1] = last_cookie(f);
    assert_int_equal(call(f, session, variables, NULL), PST_OK);
    assert_true(fixture_is_out(f, "\"subject\":\"3\""));
    assert_true(fixture_is_out(f, "\"name\":\"al\""));
    fixture_fini(f);
}

/* What the client's own document says of itself is nobody's word. */
static void
test_nobody_is_who_he_says(void **state)
{
    struct fixture *f = *state;
    const char *variables[] = {"REQUEST_METHOD=GET", NULL, NULL};

    fixture_init(f, vendure);
    answer_token(f, 200, "vendure-auth-token: guest1",
                 "{\"data\":{\"login\":{\"__typename\":\"X\",\"id\":\"1\"}}}");
    f->second = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"errors\":[{}],\"data\":{\"me\":null}}"};
    assert_int_equal(
        call(f, query, json_post,
             "{\"query\":\"mutation($username:String){addItemToOrder(a:1){x} "
             "login(username:$username){__typename id:x}}\",\"variables\":"
             "{\"username\":\"victim\"}}"),
        PST_OK);
    variables[1] = last_cookie(f);
    assert_int_equal(call(f, session, variables, NULL), PST_OK);
    assert_true(fixture_is_out(f, "\"subject\":null"));
    assert_true(fixture_is_out(f, "\"guest\":true"));
    assert_false(fixture_is_out(f, "victim"));
    fixture_fini(f);
}

/* The document of a POST is its body's: two readings are one too many. */
static void
test_one_document(void **state)
{
    static const struct {
        const char *name;
        const char *variables[5];
        const char *body;
        const char *want;
    } rows[] = {
        {"a second one in the address",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
          "QUERY_STRING=query=mutation%7Blogin%7Bsecret%7D%7D", NULL},
         "{\"query\":\"{a}\"}",
         "Status: 400"},
        {"a second one by case",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/json", NULL},
         "{\"query\":\"{a}\",\"Query\":\"mutation{login{secret}}\"}",
         "Status: 400"},
        {"another charset",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/json; charset=utf-7",
          NULL},
         "{\"query\":\"{a}\"}",
         "Status: 415"},
        {"another encoding",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
          "HTTP_CONTENT_ENCODING=br", NULL},
         "{\"query\":\"{a}\"}",
         "Status: 415"},
        {"an encoding that it has not",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
          "HTTP_CONTENT_ENCODING=gzip", NULL},
         "{\"query\":\"{a}\"}",
         "Status: 400"},
        {"encoded, in parts",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=multipart/form-data; boundary=x",
          "HTTP_CONTENT_ENCODING=gzip", NULL},
         "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n"
         "{\"query\":\"{a}\"}\r\n--x--",
         "Status: 415"},
        {"an encoding that is none",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=application/json",
          "HTTP_CONTENT_ENCODING=identity", NULL},
         "{\"query\":\"mutation{a:login{s:secret}}\"}",
         "Status: 400"},
        {"renamed, in parts",
         {"REQUEST_METHOD=POST", "CONTENT_TYPE=multipart/form-data; boundary=x",
          NULL},
         "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n"
         "{\"query\":\"mutation{a:login{s:secret}}\"}\r\n--x--",
         "Status: 400"},
    };
    struct fixture *f = *state;

    fixture_init(f, cookie_only);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        f->second = (struct fixture_answer){.status = 0};
        answer_with(f, 200, GRANTED);
        call(f, query, rows[i].variables, rows[i].body);
        if (!fixture_is_out(f, rows[i].want) || f->exchanges != 0)
            fail_msg("%s: %.*s", rows[i].name, (int)f->out_len, f->out);
    }
    fixture_fini(f);
}

/* A dead bearer is a guest here, and its empty header gives way to a token. */
static void
test_dead_bearer_becomes_guest(void **state)
{
    const char *const variables[] = {"REQUEST_METHOD=POST",
                                     "CONTENT_TYPE=application/json",
                                     "HTTP_AUTHORIZATION=Bearer dead", NULL};
    struct fixture *f = *state;

    fixture_init(f, vendure_bearer);
    answer_token(f, 200, NULL, "{}");
    assert_int_equal(call(f, query, variables, ADD), PST_OK);
    assert_false(fixture_was_sent(f, "Authorization"));
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    answer_token(f, 200, "vendure-auth-token: guest1", "{}");
    assert_int_equal(call(f, query, variables, ADD), PST_OK);
    assert_memory_equal(fixture_header(f, "vendure-auth-token"), "eyJ", 3);
    fixture_fini(f);
}

/* Log out here only, unless it is asked for everywhere. */
static void
test_logout_rules(void **state)
{
    struct fixture *f = *state;
    const char *here[] = {"REQUEST_METHOD=POST", NULL, NULL};
    const char *everywhere[] = {"REQUEST_METHOD=POST",
                                "QUERY_STRING=everywhere=1", NULL, NULL};

    fixture_init(f, vendure);
    answer_token(f, 200, "vendure-auth-token: alice1", CURRENT_USER);
    call(f, login, json_post, "{\"email\":\"a\",\"password\":\"b\"}");
    here[1] = everywhere[2] = last_cookie(f);
    assert_int_equal(call(f, logout, here, NULL), PST_OK);
    assert_int_equal(f->exchanges, 0);
    assert_int_equal(call(f, logout, everywhere, NULL), PST_OK);
    assert_int_equal(f->exchanges, 1);
    assert_true(fixture_was_sent(f, "\nAuthorization: Bearer alice1\n"));
    fixture_fini(f);
}

/* Every allocation fails once: an error each time, and nothing half-made. */
static void
exhaust(struct fixture *f, gate_handler *handler, const char *const *variables,
        const char *body)
{
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    for (n = 1; n < 1000 && e == PST_NO_MEMORY; n++) {
        fixture_request(f, variables, body);
        pst_arena_fail_at(f->arena, n);
        e = handler(&f->gate, &f->req, &f->rep);
        if (e != PST_NO_MEMORY)
            continue;
        assert_int_equal(pst_err_status(e), 503);
        assert_false(f->rep.begun && fixture_is_out(f, "Set-Cookie: __Host"));
        assert_false(fixture_is_out(f, SECRET));
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 5);
}

static void
test_every_allocation_fails(void **state)
{
    struct fixture *f = *state;
    const char *variables[] = {"REQUEST_METHOD=POST",
                               "CONTENT_TYPE=application/json", NULL, NULL};

    fixture_init(f, cookie_only);
    answer_with(f, 200, GRANTED);
    exhaust(f, login, json_post, "{\"email\":\"a\",\"password\":\"b\"}");
    exhaust(f, login, json_post, MUTATION);
    exhaust(f, login, form_post, "email=a&password=b");
    exhaust(f, query, json_post, MUTATION);
    call(f, login, json_post, "{\"email\":\"a\",\"password\":\"b\"}");
    variables[2] = last_cookie(f);
    answer_with(f, 200, "{\"data\":{}}");
    exhaust(f, query, variables, "{\"query\":\"{me}\"}");
    exhaust(f, logout, variables, NULL);
    variables[0] = "REQUEST_METHOD=GET";
    exhaust(f, session, variables, NULL);
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_login_json, &fixture),
        cmocka_unit_test_prestate(test_login_refusals, &fixture),
        cmocka_unit_test_prestate(test_login_form, &fixture),
        cmocka_unit_test_prestate(test_login_graphql, &fixture),
        cmocka_unit_test_prestate(test_graphql_refused, &fixture),
        cmocka_unit_test_prestate(test_no_login_by_get, &fixture),
        cmocka_unit_test_prestate(test_backends_own_405, &fixture),
        cmocka_unit_test_prestate(test_too_many_names_for_a_stored_login,
                                  &fixture),
        cmocka_unit_test_prestate(test_main_job, &fixture),
        cmocka_unit_test_prestate(test_logout_without_backend, &fixture),
        cmocka_unit_test_prestate(test_session_without_one, &fixture),
        cmocka_unit_test_prestate(test_query_types, &fixture),
        cmocka_unit_test_prestate(test_guest, &fixture),
        cmocka_unit_test_prestate(test_login_keeps_the_cart, &fixture),
        cmocka_unit_test_prestate(test_ended_by_backend, &fixture),
        cmocka_unit_test_prestate(test_wrong_password_keeps_guest, &fixture),
        cmocka_unit_test_prestate(test_identity_is_asked, &fixture),
        cmocka_unit_test_prestate(test_nobody_is_who_he_says, &fixture),
        cmocka_unit_test_prestate(test_one_document, &fixture),
        cmocka_unit_test_prestate(test_dead_bearer_becomes_guest, &fixture),
        cmocka_unit_test_prestate(test_logout_rules, &fixture),
        cmocka_unit_test_prestate(test_every_allocation_fails, &fixture),
    };

    return cmocka_run_group_tests_name("signin", tests, NULL, NULL);
}
