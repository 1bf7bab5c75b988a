/* SPDX-License-Identifier: ISC */
/*
 * test_session_refresh.c - when a session's token is refreshed, by whom, and
 * what becomes of the session. tests/e2e/test_refresh.py has several processes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/session_refresh.h"
#include "gateway/session_registry.h"
#include "gateway/stored_tokens.h"
#include "store/store_lock.h"
#include "store/store_operations.h"
#include "stores.h"

#define POST "REQUEST_METHOD=POST"
#define DOCUMENT                                          \
    "mutation($refreshToken:String!){renew(refreshToken:" \
    "$refreshToken){secret ttl refreshToken}}"
#define OWNED_DOCUMENT                                    \
    "mutation($refreshToken:String!){renew(refreshToken:" \
    "$refreshToken){secret ttl ownerId refreshToken}}"
#define RENEW(fields)                                                 \
    "{\"data\":{\"renew\":{\"secret\":\"access-2\",\"refreshToken\":" \
    "\"refresh-2\"" fields "}}}"
#define GRANTED                                      \
    (struct fixture_answer)                          \
    {                                                \
        .status = 200, .body = RENEW(",\"ttl\":600") \
    }
#define LIFE 100 /* seconds of the first token: due after 75 */

static struct fixture fix;
static struct stores stores;
static struct fixture_session known;
static struct auth auth;
static size_t exchanges; /* of all requests of a test */

static void
init(const char *const *settings, const char *document)
{
    const struct auth_grant grant = {.sub = PST_STR("7"),
                                     .name = PST_STR("a"),
                                     .who =
                                         PST_STR("{\"email\":\"a@b.example\"}"),
                                     .upstream = PST_STR("\"access-1\""),
                                     .refresh = PST_STR("\"refresh-1\""),
                                     .backend_end = FIXTURE_NOW + LIFE,
                                     .asked = settings ? FIXTURE_NOW : 0};

    fixture_init(&fix, settings);
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
    fixture_set_refresh(&fix, document);
    fix.config->first_byte_timeout = 0; /* no test waits */
    fixture_open_log(&fix);
    fixture_begin_with(&fix, &grant, &known);
    fix.answer = GRANTED;
    exchanges = 0;
}

static int
set_up(void **state)
{
    (void)state;
    init(NULL, DOCUMENT);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&fix.ctx.store);
    stores_stop(&stores);
    fixture_fini(&fix);
    return 0;
}

/* A request with the first cookie, so many seconds after the login. */
static enum pst_err
come_back(int64_t after)
{
    enum pst_err e;

    fix.ctx.now = FIXTURE_NOW + after;
    assert_int_equal(fixture_enter(&fix, &auth, POST, known.cookie, NULL),
                     PST_OK);
    assert_true(auth.has_session);
    e = session_refresh(&fix.ctx, &fix.req, &fix.res, &auth);
    exchanges += fix.exchanges;
    return e;
}

static bool
has_token(const char *upstream, const char *refresh)
{
    return pst_str_equal(auth.session.upstream, pst_str_from(upstream)) &&
           pst_str_equal(auth.session.refresh, pst_str_from(refresh));
}

static bool
is_logged(const char *event)
{
    return strstr(fixture_read_log(&fix), event) != NULL;
}

static bool
is_cleared(void)
{
    const char *line = fixture_header(&fix, "Set-Cookie");

    return line && strstr(line, "session=; ");
}

/* exp is that of the lifetime; the token's end is apart. */
static void
test_session_begins(void **state)
{
    (void)state;
    assert_int_equal(come_back(1), PST_OK);
    assert_int_equal(auth.session.exp, FIXTURE_NOW + 12 * 3600);
    assert_int_equal(auth.session.token_begun, FIXTURE_NOW);
    assert_int_equal(auth.session.token_end, FIXTURE_NOW + LIFE);
    assert_true(has_token("\"access-1\"", "\"refresh-1\""));
}

static enum pst_err
never_called(struct store *store, const struct store_spill *spill,
             struct pst_arena *into, struct pst_bytes *blob)
{
    (void)store;
    (void)spill;
    (void)into;
    (void)blob;
    fail_msg("the store was read");
    return PST_STORE_DOWN;
}

/* A token that is still good needs no read of the store. */
static void
test_fresh_token(void **state)
{
    const struct store_operations *real = fix.ctx.store->backend;
    struct store_operations watched = *real;

    (void)state;
    watched.spill_get = never_called;
    fix.ctx.store->backend = &watched;
    assert_int_equal(come_back(LIFE * 3 / 4 - 1), PST_OK);
    fix.ctx.store->backend = real;
    assert_int_equal(fix.exchanges, 0);
    assert_false(auth.is_renewal_due);
    auth.has_session = false;
    fix.ctx.now += LIFE;
    assert_int_equal(session_refresh(&fix.ctx, &fix.req, &fix.res, &auth),
                     PST_OK);
    assert_int_equal(fix.exchanges, 0);
}

/* The first request refreshes; those after it, with the old cookie, do not. */
static void
test_refresh_once(void **state)
{
    (void)state;
    for (int64_t after = 75; after < 500; after += 85) {
        assert_int_equal(come_back(after), PST_OK);
        assert_true(has_token("\"access-2\"", "\"refresh-2\""));
        assert_int_equal(auth.session.token_begun, FIXTURE_NOW + 75);
        assert_int_equal(auth.session.token_end, FIXTURE_NOW + 675);
        assert_true(auth.is_renewal_due);
        assert_int_equal(exchanges, 1);
    }
    assert_null(fix.ctx.refresh);
    assert_true(is_logged("event=token-refreshed"));
    /* The cookie of such an answer has the new token. */
    assert_int_equal(auth_renew_if_due(&fix.ctx, &fix.req, &fix.res, &auth),
                     PST_OK);
    fixture_take_tokens(&fix, &known);
    assert_int_equal(come_back(500), PST_OK);
    assert_true(has_token("\"access-2\"", "\"refresh-2\""));
    assert_false(auth.is_renewal_due);
}

/* The request's own time counts on while it is handled. */
static void
test_time_passes(void **state)
{
    (void)state;
    fix.ctx.started_ms = wait_now() - 76000;
    assert_int_equal(come_back(0), PST_OK);
    fix.ctx.started_ms = 0;
    assert_int_equal(fix.exchanges, 1);
    assert_in_range(auth.session.token_begun, FIXTURE_NOW + 76,
                    FIXTURE_NOW + 90);
}

static void
test_refused(void **state)
{
    (void)state;
    fix.answer = (struct fixture_answer){.status = 200,
                                         .body = "{\"data\":{\"renew\":null}}"};
    assert_int_equal(come_back(80), PST_NO_SESSION);
    assert_false(auth.has_session);
    assert_true(is_cleared());
    assert_true(is_logged("event=token-refresh-refused"));
    assert_int_equal(fixture_enter(&fix, &auth, POST, known.cookie, NULL),
                     PST_OK);
    assert_false(auth.has_session);
}

/* The old token as long as it is valid. */
static void
test_failed(void **state)
{
    static const struct {
        struct fixture_answer answer;
        enum pst_err want;
    } rows[] = {{{.status = 0}, PST_UPSTREAM_DOWN},
                {{.status = 502, .body = "x"}, PST_UPSTREAM_BROKEN},
                {{.status = 200,
                  .body = "{\"data\":null,\"errors\":[{\"message\":\"down\","
                          "\"extensions\":{\"code\":"
                          "\"INTERNAL_SERVER_ERROR\"}}]}"},
                 PST_UPSTREAM_BROKEN}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        fix.answer = rows[i].answer;
        assert_int_equal(come_back(LIFE - 1), PST_OK);
        assert_true(has_token("\"access-1\"", "\"refresh-1\""));
        assert_int_equal(come_back(LIFE), rows[i].want);
        assert_true(auth.has_session);
        assert_null(fixture_header(&fix, "Set-Cookie"));
    }
    assert_int_equal(exchanges, 6);
    fix.answer = GRANTED;
    assert_int_equal(come_back(LIFE + 1), PST_OK);
    assert_true(has_token("\"access-2\"", "\"refresh-2\""));
}

/* Errors that say nothing: the session does not end before its token. */
static void
test_unclear(void **state)
{
    (void)state;
    fix.answer = (struct fixture_answer){
        .status = 200, .body = "{\"errors\":[{\"message\":\"secret words\"}]}"};
    assert_int_equal(come_back(LIFE - 1), PST_OK);
    assert_true(has_token("\"access-1\"", "\"refresh-1\""));
    assert_int_equal(come_back(LIFE), PST_NO_SESSION);
    assert_true(is_cleared());
    assert_true(is_logged("reason=\"no extensions.code\""));
}

/* Somebody else holds the lock, and takes too long. */
static void
test_lock_is_held(void **state)
{
    const struct wait_limit limit = {WAIT_NO_DEADLINE, -1};
    struct store_lock other = {.store = NULL};
    struct store_id id;
    bool has_waited;

    (void)state;
    assert_int_equal(store_id_name(fix.ctx.store, "refresh",
                                   pst_str_from_bytes((struct pst_bytes){
                                       known.auth.session.sid, PST_SID_LEN}),
                                   &id),
                     PST_OK);
    assert_int_equal(
        store_lock_acquire(fix.ctx.store, &other, &id, &limit, &has_waited),
        PST_OK);
    assert_int_equal(come_back(LIFE - 1), PST_OK);
    assert_int_equal(come_back(LIFE), PST_UPSTREAM_TIMEOUT);
    assert_int_equal(fix.exchanges, 0);
    /* A logout does not wait for it at all. */
    session_refresh_for_logout(&fix.ctx, &fix.req, &auth);
    assert_int_equal(fix.exchanges, 0);
    store_lock_release(&other);
}

/* A lease that ran out: nothing is sent. */
static bool
is_not_locked(const struct store_lock *lock)
{
    (void)lock;
    return false;
}

static void
test_lost_lock(void **state)
{
    const struct store_operations *real = fix.ctx.store->backend;
    struct store_operations broken = *real;

    (void)state;
    broken.is_locked = is_not_locked;
    fix.ctx.store->backend = &broken;
    assert_int_equal(come_back(LIFE - 1), PST_OK);
    assert_int_equal(come_back(LIFE), PST_OVERLOADED);
    fix.ctx.store->backend = real;
    assert_int_equal(fix.exchanges, 0);
}

/* Another process lost the lock while the backend answers it: the same refresh
 * token is not sent until it can have no answer any more. */
static void
test_sent_by_another(void **state)
{
    struct pst_session older;

    (void)state;
    fix.config->first_byte_timeout = 30;
    assert_int_equal(stored_tokens_put(&fix.ctx, fix.arena, &known.auth.session,
                                       FIXTURE_NOW + LIFE - 20),
                     PST_OK);
    assert_int_equal(come_back(LIFE - 1), PST_OK);
    assert_true(has_token("\"access-1\"", "\"refresh-1\""));
    assert_int_equal(come_back(LIFE + 9), PST_UPSTREAM_DOWN);
    assert_true(is_logged("event=token-refresh-failed"));
    assert_int_equal(exchanges, 0);
    /* A failure takes the mark away. */
    fix.answer = (struct fixture_answer){.status = 502, .body = "x"};
    assert_int_equal(come_back(LIFE + 11), PST_UPSTREAM_BROKEN);
    assert_int_equal(come_back(LIFE + 11), PST_UPSTREAM_BROKEN);
    assert_int_equal(exchanges, 2);
    /* A mark of older tokens says nothing about newer ones. */
    older = known.auth.session;
    older.token_begun--;
    assert_int_equal(
        stored_tokens_put(&fix.ctx, fix.arena, &older, FIXTURE_NOW + LIFE + 11),
        PST_OK);
    fix.answer = GRANTED;
    assert_int_equal(come_back(LIFE + 11), PST_OK);
    assert_true(has_token("\"access-2\"", "\"refresh-2\""));
}

/* Revoked between the opening of the session and the refresh. */
static void
test_revoked(void **state)
{
    struct pst_session stored;
    int64_t sent;

    (void)state;
    fix.ctx.now = FIXTURE_NOW + 80;
    assert_int_equal(fixture_enter(&fix, &auth, POST, known.cookie, NULL),
                     PST_OK);
    assert_int_equal(registry_revoke_all(&fix.ctx, &fix.req, &auth.session),
                     PST_OK);
    assert_int_equal(session_refresh(&fix.ctx, &fix.req, &fix.res, &auth),
                     PST_NO_SESSION);
    assert_int_equal(fix.exchanges, 0);
    assert_false(auth.has_session);
    assert_null(fixture_header(&fix, "Set-Cookie"));
    assert_int_equal(
        stored_tokens_get(&fix.ctx, fix.arena, &auth.session, &stored, &sent),
        PST_NOT_FOUND);
}

static enum pst_err
fail_second_put(struct store *store, const struct store_spill *spill)
{
    return spill->only_replace ? PST_STORE_DOWN
                               : store_lmdb.spill_put(store, spill);
}

static enum pst_err
fail_put(struct store *store, const struct store_spill *spill)
{
    (void)store;
    (void)spill;
    return PST_STORE_DOWN;
}

static enum pst_err
find_revoked(struct store *store, const struct store_spill *spill)
{
    return spill->only_replace ? PST_NOT_FOUND
                               : store_lmdb.spill_put(store, spill);
}

/* A store that cannot be written is found before the refresh. One that fails
 * later loses the tokens, unless the client gets them. */
static void
test_store_fails(void **state)
{
    const struct store_operations *real = fix.ctx.store->backend;
    struct store_operations broken = *real;

    (void)state;
    broken.spill_put = fail_put;
    fix.ctx.store->backend = &broken;
    assert_int_equal(come_back(LIFE - 1), PST_OK);
    assert_true(has_token("\"access-1\"", "\"refresh-1\""));
    assert_int_equal(come_back(LIFE), PST_STORE_DOWN);
    assert_int_equal(fix.exchanges, 0);
    broken.spill_put = fail_second_put;
    assert_int_equal(come_back(LIFE), PST_OK);
    assert_int_equal(fix.exchanges, 1);
    assert_true(has_token("\"access-2\"", "\"refresh-2\""));
    assert_true(auth.is_renewal_due);
    assert_true(is_logged("event=token-refresh-not-stored"));
    fix.ctx.store->backend = real;
    /* The stored tokens are older than those of the cookie. */
    assert_int_equal(auth_renew_if_due(&fix.ctx, &fix.req, &fix.res, &auth),
                     PST_OK);
    fixture_take_tokens(&fix, &known);
    assert_int_equal(come_back(LIFE + 599), PST_OK);
    assert_true(fixture_was_sent(&fix, "refresh-2"));
}

/* A revocation while the backend answered: the new token is ended there. */
static void
test_revoked_meanwhile(void **state)
{
    const struct store_operations *real = fix.ctx.store->backend;
    struct store_operations broken = *real;

    (void)state;
    broken.spill_put = find_revoked;
    fix.ctx.store->backend = &broken;
    assert_int_equal(come_back(80), PST_NO_SESSION);
    fix.ctx.store->backend = real;
    assert_false(auth.has_session);
    assert_null(fixture_header(&fix, "Set-Cookie"));
    assert_int_equal(fix.exchanges, 2);
    assert_true(fixture_was_sent(&fix, "Authorization: Bearer access-2"));
    assert_true(fixture_was_sent(&fix, "logout"));
    assert_true(is_logged("event=session-revoked-meanwhile"));
}

static void
test_another_owner(void **state)
{
    (void)state;
    fixture_set_refresh(&fix, OWNED_DOCUMENT);
    fix.answer = (struct fixture_answer){
        .status = 200, .body = RENEW(",\"ttl\":600,\"ownerId\":\"7\"")};
    assert_int_equal(come_back(80), PST_OK);
    fix.answer = (struct fixture_answer){
        .status = 200, .body = RENEW(",\"ttl\":9,\"ownerId\":\"8\"")};
    assert_int_equal(come_back(680), PST_NO_SESSION);
    assert_true(is_cleared());
    assert_true(is_logged("event=identity-changed"));
}

/* With a who document, its answer decides. */
static void
test_who(void **state)
{
    static const char *const vendure[] = {"POSTERN_BACKEND=vendure",
                                          "POSTERN_IDLE_TIMEOUT=2h", NULL};
    static const struct fixture_answer renewed = {
        200,
        {"vendure-auth-token: access-2"},
        "{\"data\":{\"renew\":{\"refreshToken\":\"refresh-2\"}}}"};
    static const struct fixture_answer me = {
        .status = 200,
        .body = "{\"data\":{\"me\":{\"id\":\"7\",\"identifier\":\"new\"}}}"};
    static const struct fixture_answer other = {
        .status = 200, .body = "{\"data\":{\"me\":{\"id\":\"8\"}}}"};
    static const struct fixture_answer broken = {.status = 500, .body = "x"};

    (void)state;
    (void)tear_down(state);
    init(vendure, "mutation($refreshToken:ID!){renew(t:$refreshToken){"
                  "refreshToken}}");
    fix.answer = renewed;
    fix.later[0] = broken;
    /* Nobody says whose it is: nothing goes on, and the next one asks. */
    assert_int_equal(come_back(80), PST_UPSTREAM_BROKEN);
    assert_int_equal(exchanges, 2);
    fix.answer = broken;
    assert_int_equal(come_back(81), PST_UPSTREAM_BROKEN);
    assert_int_equal(exchanges, 3);
    fix.answer = me;
    fix.later[0] = (struct fixture_answer){.status = 0};
    assert_int_equal(come_back(82), PST_OK);
    assert_int_equal(exchanges, 4);
    assert_true(has_token("\"access-2\"", "\"refresh-2\""));
    assert_true(pst_str_equal(auth.session.name, PST_STR("new")));
    assert_int_equal(auth.session.asked, FIXTURE_NOW + 82);
    assert_int_equal(come_back(83), PST_OK);
    assert_int_equal(exchanges, 4);

    (void)tear_down(state);
    init(vendure, "mutation($refreshToken:ID!){renew(t:$refreshToken){"
                  "refreshToken}}");
    fix.answer = renewed;
    fix.later[0] = other;
    assert_int_equal(come_back(80), PST_NO_SESSION);
    assert_true(is_cleared());
    assert_true(is_logged("event=identity-changed"));
}

/* The document is not configured any more. */
static void
test_not_configured(void **state)
{
    (void)state;
    fix.config->backend.refresh.field = NULL;
    assert_int_equal(come_back(LIFE - 1), PST_OK);
    assert_int_equal(come_back(LIFE), PST_NO_SESSION);
    assert_int_equal(fix.exchanges, 0);
    assert_true(is_cleared());
}

static void
test_logout(void **state)
{
    (void)state;
    assert_int_equal(come_back(80), PST_OK);
    /* An old cookie, and the record is still there. */
    assert_int_equal(fixture_enter(&fix, &auth, POST, known.cookie, NULL),
                     PST_OK);
    session_refresh_adopt(&fix.ctx, &fix.req, &auth);
    assert_true(has_token("\"access-2\"", "\"refresh-2\""));
    session_refresh_for_logout(&fix.ctx, &fix.req, &auth);
    assert_int_equal(fix.exchanges, 0); /* it is valid */
    fix.ctx.now = auth.session.token_end;
    fix.answer = (struct fixture_answer){
        .status = 200,
        .body = "{\"data\":{\"renew\":{\"secret\":\"access-3\"}}}"};
    session_refresh_for_logout(&fix.ctx, &fix.req, &auth);
    assert_int_equal(fix.exchanges, 1);
    assert_true(has_token("\"access-3\"", "\"refresh-2\""));
    assert_null(fix.ctx.refresh);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_session_begins),
        TEST(test_fresh_token),
        TEST(test_refresh_once),
        TEST(test_time_passes),
        TEST(test_refused),
        TEST(test_failed),
        TEST(test_unclear),
        TEST(test_lock_is_held),
        TEST(test_lost_lock),
        TEST(test_sent_by_another),
        TEST(test_revoked),
        TEST(test_store_fails),
        TEST(test_revoked_meanwhile),
        TEST(test_another_owner),
        TEST(test_who),
        TEST(test_not_configured),
        TEST(test_logout),
    };

    if (!stores_can_start(STORE_LMDB))
        return STORES_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
