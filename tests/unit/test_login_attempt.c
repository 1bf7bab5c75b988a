/* SPDX-License-Identifier: ISC */
/*
 * test_login_attempt.c - which logins count as guesses, what a failed login
 * does to a session, and which token is sent with it; through the login and
 * query programs.
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
#include "stores.h"

static const char *const fauna[] = {"POSTERN_LOGIN_FLOOR=0", NULL};
static const char *const vendure[] = {"POSTERN_BACKEND=vendure",
                                      "POSTERN_LOGIN_FLOOR=0", NULL};

static struct fixture fix;
static struct stores stores;

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

/* Outcomes of a login, and whether they count as a guess. The account's limit
 * is one. */
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
        /* Validation failed: no password was checked. */
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
        /* Not an answer to a login. */
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
        /* The same with a client's document. */
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

/* The same with the token in a header. A refund needs proof that the client's
 * document was not executed. */
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

/* All spellings of a name share one account's budget (L58). */
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

/* A guest's token is sent with a login, so that the cart becomes the user's; a
 * user's token is not sent. */
static void
test_token_is_sent(void **state)
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

/* A refused login can change a guest's token: the cart is not lost. */
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

/* A guest's token was sent, and the backend does not return its user. The guest
 * session is replaced by one that may be a user's, and nothing is forwarded
 * before the backend names its owner (L54). */
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

/* A user who mistypes a password keeps the session: its token was not sent, so
 * an update in the response is not for it. */
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

/* Every login makes a new session id, and ends the old session. */
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
 * An attempt is refunded only if the password is proven right. The attack: in a
 * parallel request the attacker logs in the guest's token with an own account,
 * so that every guess looks accepted (L58).
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
        /* A similar name can be the attacker's own account. */
        {THEIRS, loud, CURRENT_USER, true, false},
        {THEIRS, mallory, CURRENT_USER, false, true},
        {VENDURE_CREDENTIALS, mallory, CURRENT_USER, true, false},
        {VENDURE_CREDENTIALS, mallory, CURRENT_USER, false, true},
        /* Refused, and another request logged in the guest under that name. */
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

/* If the session cannot begin, the backend's new token is revoked there. */
static void
test_orphan_is_revoked(void **state)
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guesses),
        cmocka_unit_test(test_guesses_in_header),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_token_is_sent),
        cmocka_unit_test(test_refusal_changes_guest),
        cmocka_unit_test(test_unknown_after_guest),
        cmocka_unit_test(test_refusal_keeps_user),
        cmocka_unit_test(test_new_sid),
        cmocka_unit_test(test_proven),
        cmocka_unit_test(test_orphan_is_revoked),
    };

    return cmocka_run_group_tests_name("login_attempt", tests, NULL, NULL);
}
