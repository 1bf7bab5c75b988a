/* SPDX-License-Identifier: ISC */
/*
 * test_programs.c - what the programs have in common: dead cookies, HEAD,
 * challenges, renewal (design 2, 2.1); and the answers of `session`.
 */
#include "programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "flows.h"
#include "gateway/page.h"
#include "store/store_operations.h"
#include "stores.h"

#define GET "REQUEST_METHOD=GET"
#define HEAD "REQUEST_METHOD=HEAD"
#define POST "REQUEST_METHOD=POST"
#define JSON "CONTENT_TYPE=application/json"
#define FORM "CONTENT_TYPE=application/x-www-form-urlencoded"
#define TEXT "CONTENT_TYPE=text/plain"
#define DELETE "REQUEST_METHOD=DELETE"
#define NAVIGATION "HTTP_SEC_FETCH_MODE=navigate"
#define DEAD \
    "HTTP_COOKIE=__Host-Http-session=x; __Host-Http-session-guest=y; a=b"

static struct fixture fix;
static struct fixture_session known;

static int
set_up(void **state)
{
    static const char *const settings[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                           NULL};

    (void)state;
    fixture_init(&fix, settings);
    fix.answer = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"data\":{\"me\":null}}",
    };
    fixture_begin(&fix, false, &known);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

/* Like handler_run(), without a server; HEAD gets a body. */
static enum pst_err
call(handler_fn *program, const char *const *variables, const char *body)
{
    enum pst_err e;

    fixture_request(&fix, variables, body);
    e = program(&fix.ctx, &fix.req, &fix.res);
    if (e && !fix.res.begun)
        assert_int_equal(page_send_error(&fix.res, &fix.req, fix.config, e),
                         PST_OK);
    return e;
}

/* U5, U32, U35: query does not clear an invalid cookie, because its response
 * may arrive after that of a login. The others do. */
static void
test_dead_cookies(void **state)
{
    static const char *const get[] = {GET, DEAD, NULL};
    static const char *const json[] = {POST, DEAD,
                                       "CONTENT_TYPE=application/json", NULL};
    const struct {
        const char *name;
        handler_fn *program;
        const char *const *variables;
        const char *body;
        size_t lines;
    } rows[] = {
        {"login", program_login, get, NULL, 4},
        {"logout", program_logout, get, NULL, 4},
        {"a logout", program_logout, json, "{}", 4},
        {"session", program_session, get, NULL, 4},
        {"authorize", program_authorize, get, NULL, 4},
        {"query", program_query, json, "{\"query\":\"{me}\"}", 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        (void)call(rows[i].program, rows[i].variables, rows[i].body);
        if (fixture_count(&fix, "Set-Cookie") != rows[i].lines)
            fail_msg("%s: %zu", rows[i].name,
                     fixture_count(&fix, "Set-Cookie"));
    }
}

/* HEAD gets the answer of GET, and has no other effects. */
static void
test_head(void **state)
{
    handler_fn *const programs[] = {program_login, program_logout,
                                    program_session, program_authorize};
    static char got[sizeof(fix.out)];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(programs); i++) {
        const char *const head[] = {HEAD, known.cookie, NULL};
        const char *const get[] = {GET, known.cookie, NULL};
        size_t head_length;

        assert_int_equal(call(programs[i], get, NULL), PST_OK);
        snprintf(got, sizeof(got), "%.*s", (int)fix.out_len, fix.out);
        assert_int_equal(call(programs[i], head, NULL), PST_OK);
        head_length = (size_t)(strstr(got, "\r\n\r\n") - got);
        assert_memory_equal(fix.out, got, head_length);
        assert_int_equal(fix.exchanges, 0);
        assert_int_equal(call(programs[i], get, NULL), PST_OK);
    }
}

/* Every 401 has a challenge that fits how the request sent its token. */
static void
test_challenges(void **state)
{
    static const char own[] = "Postern realm=\"session\"";
    static const char bearer[] = "Bearer realm=\"postern\"";
    static const char dead[] = "Bearer error=\"invalid_token\"";
    static const struct {
        const char *variable;
        const char *want;
    } rows[] = {
        {"NO=carrier", own},
        {DEAD, own},
        {"HTTP_AUTHORIZATION=Basic eDp5", own},
        {"HTTP_AUTHORIZATION=Bearer", bearer},
        {"HTTP_AUTHORIZATION=Bearer x", dead},
    };
    static const char *const modes[] = {"NO=mode",
                                        "HTTP_SEC_FETCH_MODE=navigate"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows) * PST_COUNT(modes); i++) {
        const char *variable = rows[i / 2].variable;
        const char *const ask[] = {GET, variable, modes[i % 2],
                                   "AUTH_REQUEST=/x", NULL};
        const char *const end[] = {"REQUEST_METHOD=DELETE", variable,
                                   modes[i % 2], NULL};

        (void)call(program_authorize, ask, NULL);
        assert_int_equal(fix.res.status, 401);
        assert_string_equal(fixture_header(&fix, "WWW-Authenticate"),
                            rows[i / 2].want);
        (void)call(program_session, end, NULL);
        assert_int_equal(fix.res.status, 401);
        assert_string_equal(fixture_header(&fix, "WWW-Authenticate"),
                            rows[i / 2].want);
    }
}

/* U38: ?touch=0 does not renew the session. */
static void
test_touch(void **state)
{
    static const struct {
        const char *query;
        size_t lines;
    } rows[] = {
        {"QUERY_STRING=", 1},
        {"QUERY_STRING=touch=0", 0},
        {"QUERY_STRING=touch=0&list=1", 0},
        {"QUERY_STRING=touch=1", 1},
    };

    (void)state;
    fix.ctx.now += 600;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const variables[] = {GET, known.cookie, rows[i].query,
                                         NULL};

        assert_int_equal(call(program_session, variables, NULL), PST_OK);
        assert_int_equal(fixture_count(&fix, "Set-Cookie"), rows[i].lines);
    }
    {
        const char *const twice[] = {GET, known.cookie,
                                     "QUERY_STRING=touch=0&touch=0", NULL};

        assert_int_equal(call(program_session, twice, NULL), PST_DUPLICATE);
    }
}

/* Each program renews a session that is due, just before its answer. */
static void
test_renewal(void **state)
{
    const char *const get[] = {GET, known.cookie, NULL};
    const char *const json[] = {POST, known.cookie,
                                "CONTENT_TYPE=application/json", NULL};
    const struct {
        handler_fn *program;
        const char *const *variables;
        const char *body;
    } rows[] = {
        {program_login, get, NULL},
        {program_logout, get, NULL},
        {program_session, get, NULL},
        {program_authorize, get, NULL},
        {program_query, json, "{\"query\":\"{me}\"}"},
    };

    (void)state;
    fix.ctx.now += 600;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        assert_int_equal(call(rows[i].program, rows[i].variables, rows[i].body),
                         PST_OK);
        assert_int_equal(fixture_count(&fix, "Set-Cookie"), 1);
        assert_null(strstr(fixture_header(&fix, "Set-Cookie"), "Max-Age"));
    }
}

/* If the backend has not returned the identity yet, `session` reports that. */
static void
test_unknown(void **state)
{
    static const struct auth_grant grant = {.who = {"{}", 2},
                                            .is_unknown = true};
    const char *const variables[] = {GET, known.cookie, NULL};

    (void)state;
    assert_int_equal(call(program_session, variables, NULL), PST_OK);
    assert_false(fixture_is_out(&fix, "identity"));
    fixture_begin_with(&fix, &grant, &known);
    assert_int_equal(call(program_session, variables, NULL), PST_OK);
    assert_true(fixture_is_out(&fix, "\"subject\":null"));
    assert_true(fixture_is_out(&fix, "\"guest\":false"));
    assert_true(fixture_is_out(&fix, "\"identity\":\"unknown\""));
}

/*
 * A session ends with the backend's token, whichever response contains its
 * expiry. The expiry in the login response was once ignored if the who document
 * returns the identity.
 */
static void
test_end_beside_who(void **state)
{
    static const struct {
        const char *login; /* the expiry in the answer to the login */
        const char *who;   /* that in the answer to the who document */
        const char *want;  /* NULL: it has expired, and no session begins */
    } rows[] = {
        {"60", "null", "\"expiresAt\":\"2023-11-14T22:14:20Z\""},
        {"60", "90", "\"expiresAt\":\"2023-11-14T22:14:20Z\""},
        {"60", "30", "\"expiresAt\":\"2023-11-14T22:13:50Z\""},
        {"null", "30", "\"expiresAt\":\"2023-11-14T22:13:50Z\""},
        {"\"1970-01-01T00:00:00Z\"", "null", NULL},
        {"60", "\"1970-01-01T00:00:00Z\"", NULL},
    };
    static const char document[] = "{me{ownerId ttl}}";
    char setting[] = "POSTERN_WHO_DOCUMENT=/tmp/postern-test-programs-XXXXXX";
    char *path = strchr(setting, '/');
    const char *const settings[] = {setting, NULL};
    int descriptor = mkstemp(path);

    (void)state;
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, document, strlen(document)),
                     strlen(document));
    close(descriptor);
    fixture_init(&fix, settings);
    unlink(path);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const json[] = {POST, "CONTENT_TYPE=application/json",
                                    NULL};
        char who[100];
        char login[100];

        snprintf(login, sizeof(login),
                 "{\"data\":{\"login\":{\"secret\":\"fn1\",\"ttl\":%s}}}",
                 rows[i].login);
        snprintf(who, sizeof(who),
                 "{\"data\":{\"me\":{\"ownerId\":\"7\",\"ttl\":%s}}}",
                 rows[i].who);
        fix.answer = (struct fixture_answer){
            .status = 200,
            .headers = {"Content-Type: application/json"},
            .body = login,
        };
        fix.later[0] = fix.answer;
        fix.later[0].body = who;
        fix.exchanges = 0;
        assert_int_equal(
            call(program_login, json, "{\"email\":\"a@b\",\"password\":\"p\"}"),
            rows[i].want ? PST_OK : PST_UPSTREAM_BROKEN);
        assert_in_range(fix.exchanges, 2, 3);
        if (rows[i].want ? !fixture_is_out(&fix, rows[i].want)
                         : fixture_count(&fix, "Set-Cookie") > 0)
            fail_msg("%s, %s: %.*s", rows[i].login, rows[i].who,
                     (int)fix.out_len, fix.out);
    }
    fixture_fini(&fix);
}

/* The first id in the list of sessions, as a query string. */
static void
find_listed_id(char out[static 100])
{
    const char *at;

    fix.out[fix.out_len] = '\0';
    at = strstr(fix.out, "\"id\":\"");
    assert_non_null(at);
    snprintf(out, 100, "QUERY_STRING=id=%.64s", at + strlen("\"id\":\""));
}

/* A user lists and ends sessions. Without memory, neither is done by half. */
static void
test_listed_sessions(void **state)
{
    static struct fixture_session other;
    const char *const list[] = {GET, known.bearer, "QUERY_STRING=list=1", NULL};
    const char *const dead[] = {GET, other.bearer, "QUERY_STRING=list=1", NULL};
    char id[100];
    const char *const end[] = {DELETE, known.bearer, id, NULL};
    const char *const end_twice[] = {DELETE, known.bearer,
                                     "QUERY_STRING=id=a&id=b", NULL};
    struct stores stores;

    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
    fixture_begin(&fix, false, &other);
    assert_int_equal(call(program_session, dead, NULL), PST_OK);
    find_listed_id(id);
    fixture_begin(&fix, false, &known);
    flow_check_memory(&fix, program_session, list, NULL, PST_OK);
    assert_true(fixture_is_out(&fix, "\"current\":true"));
    assert_true(fixture_is_out(&fix, "\"current\":false"));
    flow_check_memory(&fix, program_session, end_twice, NULL, PST_DUPLICATE);
    /* Another session: ended, and then not found. */
    assert_int_equal(call(program_session, end, NULL), PST_OK);
    assert_true(fixture_is_out(&fix, "{\"endSession\":{\"success\":true}}"));
    assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
    assert_int_equal(call(program_session, end, NULL), PST_NOT_FOUND);
    assert_int_equal(call(program_session, dead, NULL), PST_FORGED);
    /* The own one. */
    assert_int_equal(call(program_session, list, NULL), PST_OK);
    find_listed_id(id);
    assert_int_equal(call(program_session, end, NULL), PST_OK);
    assert_string_equal(fixture_header(&fix, "vendure-auth-token"), "");
    assert_int_equal(call(program_session, list, NULL), PST_FORGED);
    store_close(&fix.ctx.store);
    stores_stop(&stores);
}

/* While the store is down no program serves a session, and none takes its
 * bearer for a guest. */
static void
test_store_down(void **state)
{
    const struct {
        handler_fn *program;
        const char *method;
        const char *variable;
        const char *body;
        enum pst_err want;
    } rows[] = {
        {program_login, GET, "NO=type", NULL, PST_STORE_DOWN},
        {program_login, POST, JSON, "{}", PST_STORE_DOWN},
        {program_logout, GET, "NO=type", NULL, PST_STORE_DOWN},
        {program_logout, POST, JSON, "{}", PST_STORE_DOWN},
        {program_session, GET, "NO=type", NULL, PST_STORE_DOWN},
        {program_session, GET, "QUERY_STRING=list=1", NULL, PST_STORE_DOWN},
        {program_session, DELETE, "QUERY_STRING=id=x", NULL, PST_STORE_DOWN},
        {program_authorize, GET, "AUTH_REQUEST=/x", NULL, PST_STORE_FORBIDS},
        {program_query, POST, JSON, "{\"query\":\"{me}\"}", PST_STORE_DOWN},
    };
    const char *const carriers[] = {known.cookie, known.bearer};

    (void)state;
    fix.ctx.store = stores_open_url(STORES_DOWN_URL, "test");
    for (size_t i = 0; i < PST_COUNT(rows) * PST_COUNT(carriers); i++) {
        const char *const variables[] = {
            rows[i / 2].method, rows[i / 2].variable, carriers[i % 2], NULL};

        fixture_request(&fix, variables, rows[i / 2].body);
        if (rows[i / 2].program(&fix.ctx, &fix.req, &fix.res) !=
                rows[i / 2].want ||
            fix.res.begun || fix.exchanges > 0)
            fail_msg("row %zu, carrier %zu", i / 2, i % 2);
    }
    store_close(&fix.ctx.store);
}

static enum pst_err
fail_to_revoke(struct store *store, const struct store_revocation *revocation)
{
    (void)store;
    (void)revocation;
    return PST_STORE_DOWN;
}

static enum pst_err
fail_to_walk(struct store *store, const struct store_walk *walk)
{
    (void)store;
    (void)walk;
    return PST_STORE_DOWN;
}

/* The store fails after it was asked whether the session is revoked: a logout
 * that was not recorded is no success. */
static void
test_store_fails_later(void **state)
{
    const struct {
        handler_fn *program;
        const char *method;
        const char *variable;
        const char *body;
    } rows[] = {
        {program_logout, POST, JSON, "{}"},
        {program_session, GET, "QUERY_STRING=list=1", NULL},
        {program_session, DELETE,
         "QUERY_STRING=id=0123456789abcdef0123456789abcdef"
         "0123456789abcdef0123456789abcdef",
         NULL},
    };
    const char *const carriers[] = {known.cookie, known.bearer};
    struct store_operations broken;
    struct stores stores;

    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
    broken = *fix.ctx.store->backend;
    broken.revoke = fail_to_revoke;
    broken.session_walk = fail_to_walk;
    fix.ctx.store->backend = &broken;
    for (size_t i = 0; i < PST_COUNT(rows) * PST_COUNT(carriers); i++) {
        const char *const variables[] = {
            rows[i / 2].method, rows[i / 2].variable, carriers[i % 2],
            "HTTP_SEC_FETCH_SITE=same-origin", NULL};

        fixture_request(&fix, variables, rows[i / 2].body);
        if (rows[i / 2].program(&fix.ctx, &fix.req, &fix.res) !=
                PST_STORE_DOWN ||
            fix.res.begun)
            fail_msg("row %zu, carrier %zu", i / 2, i % 2);
    }
    store_close(&fix.ctx.store);
    stores_stop(&stores);
}

/* When an allocation fails, the error is returned and nothing was sent. If the
 * program goes on without that memory, its response is the same as ever. */
static void
test_no_memory(void **state)
{
    const struct {
        const char *name;
        handler_fn *program;
        const char *variables[4];
        const char *body;
        enum pst_err want;
    } rows[] = {
        {"login form", program_login, {GET, NAVIGATION}, NULL, PST_OK},
        {"login form and session",
         program_login,
         {GET, known.cookie},
         NULL,
         PST_OK},
        {"login form, two targets",
         program_login,
         {GET, "QUERY_STRING=return_to=/a&return_to=/b"},
         NULL,
         PST_DUPLICATE},
        {"refused form", program_login, {POST, FORM}, "email=", PST_OK},
        {"bad form",
         program_login,
         {POST, FORM},
         "email=a&email=b",
         PST_DUPLICATE},
        {"bad JSON", program_login, {POST, JSON}, "{\"a\":1}", PST_MALFORMED},
        {"bad charset",
         program_login,
         {POST, JSON "; charset=utf-7"},
         "{}",
         PST_BAD_TYPE},
        {"bad type", program_login, {POST, TEXT}, "{}", PST_BAD_TYPE},
        {"logout form", program_logout, {GET, known.cookie}, NULL, PST_OK},
        {"wrong CSRF token",
         program_logout,
         {POST, FORM, known.cookie, NAVIGATION},
         "csrf_token=x",
         PST_OK},
        {"logout", program_logout, {POST, JSON, known.cookie}, "{}", PST_OK},
        {"logout by bearer",
         program_logout,
         {POST, JSON, known.bearer},
         "{}",
         PST_OK},
        {"logout by form",
         program_logout,
         {POST, FORM, known.cookie, NAVIGATION},
         "return_to=/a",
         PST_OK},
        {"logout, two targets",
         program_logout,
         {POST, JSON, known.cookie, "QUERY_STRING=return_to=/a&return_to=/b"},
         "{}",
         PST_DUPLICATE},
        {"logout by a list",
         program_logout,
         {POST, JSON, known.cookie},
         "[]",
         PST_MALFORMED},
        {"session", program_session, {GET, known.cookie}, NULL, PST_OK},
        {"session, listed",
         program_session,
         {GET, known.bearer, "QUERY_STRING=list=1"},
         NULL,
         PST_OK},
        {"session, touched twice",
         program_session,
         {GET, known.bearer, "QUERY_STRING=touch=0&touch=1"},
         NULL,
         PST_DUPLICATE},
        {"session, listed twice",
         program_session,
         {GET, known.bearer, "QUERY_STRING=list=1&list=1"},
         NULL,
         PST_DUPLICATE},
        {"no session", program_session, {GET}, NULL, PST_OK},
        {"end of a session, without a store",
         program_session,
         {DELETE, known.cookie, "QUERY_STRING=id=x"},
         NULL,
         PST_NOT_FOUND},
        {"end of a session, which",
         program_session,
         {DELETE, known.cookie},
         NULL,
         PST_MALFORMED},
        {"authorized",
         program_authorize,
         {GET, known.cookie, "AUTH_REQUEST=/x"},
         NULL,
         PST_OK},
        {"not authorized",
         program_authorize,
         {GET, "AUTH_REQUEST=/x", NAVIGATION},
         NULL,
         PST_OK},
        {"not authorized, dead cookies",
         program_authorize,
         {GET, "AUTH_REQUEST=/x", DEAD},
         NULL,
         PST_NO_SESSION},
        {"query",
         program_query,
         {POST, JSON, known.cookie},
         "{\"query\":\"{me}\"}",
         PST_OK},
        {"query by bearer",
         program_query,
         {POST, JSON, known.bearer},
         "{\"query\":\"{me}\"}",
         PST_OK},
    };

    (void)state;
    fix.ctx.now += 600; /* so that a renewal is due */
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[PST_COUNT(rows[i].variables) + 2] = {
            "HTTP_SEC_FETCH_SITE=same-origin"};

        for (size_t k = 0; k < PST_COUNT(rows[i].variables); k++)
            variables[k + 1] = rows[i].variables[k];
        print_message("%s\n", rows[i].name);
        flow_check_memory(&fix, rows[i].program, variables, rows[i].body,
                          rows[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dead_cookies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_challenges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_touch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renewal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test(test_end_beside_who),
        cmocka_unit_test_setup_teardown(test_listed_sessions, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_store_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_store_fails_later, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
