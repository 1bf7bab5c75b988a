/* SPDX-License-Identifier: ISC */
/*
 * test_auth_session.c - one session: begun, renewed and ended, and what the
 * response issues (design 2.1, 2.3).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth_sessions.h"
#include "gateway/session_registry.h"
#include "store/store_operations.h"

#define SAME_ORIGIN "HTTP_SEC_FETCH_SITE=same-origin"
#define USER "__Host-Http-session"

static enum pst_err
put_nothing(struct store *store, const struct store_spill *spill)
{
    (void)spill;
    return store_set_error(store, "the disk is full");
}

/* A session and what is too large of it for a cookie are one step. */
static enum pst_err
replace_nothing(struct store *store,
                const struct store_replacement *replacement, int64_t *since)
{
    (void)replacement;
    (void)since;
    return store_set_error(store, "the disk is full");
}

/* R8, R55: nothing of the session can be read in what is issued. */
static void
test_nothing_in_clear(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    assert_null(strstr(tokens.cookie, "alice"));
    assert_null(strstr(tokens.cookie, "fnED"));
    assert_null(strstr(tokens.bearer, "fnED"));
    fixture_fini(f);
}

/* R30, R31, R33, R34, R44: the cookie's attributes, and no-store beside it. */
static void
test_cookie_attributes(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant = alice;
    static struct fixture_session tokens;
    const char *line;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &grant, &tokens);
    line = fixture_header(f, "Set-Cookie");
    assert_memory_equal(line, "__Host-Http-session=", 20);
    assert_non_null(strstr(line, "; Path=/;"));
    assert_non_null(strstr(line, "; HttpOnly; Secure; SameSite=Lax"));
    assert_null(strstr(line, "Max-Age"));
    assert_null(strstr(line, "Domain"));
    assert_string_equal(fixture_header(f, "Cache-Control"), "no-store");
    grant.remember = true;
    fixture_begin_with(f, &grant, &tokens);
    assert_non_null(
        strstr(fixture_header(f, "Set-Cookie"), "; Max-Age=2592000;"));
    fixture_fini(f);
}

/* R15, R16, R18: the idle timeout: renewed after a quarter of it, ended after
 * it. */
static void
test_idle(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    f->ctx.now = FIXTURE_NOW + 449;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    f->ctx.now = FIXTURE_NOW + 450;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_non_null(fixture_header(f, "Set-Cookie"));
    assert_true(is_alice(&auth));
    f->ctx.now = FIXTURE_NOW + 1801;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_false(auth.has_session);
    fixture_fini(f);
}

/* Renewal moves `seen` and nothing else: the end of the lifetime stays. */
static void
test_lifetime_does_not_move(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;
    int64_t end = FIXTURE_NOW + 12 * 3600;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    for (f->ctx.now = FIXTURE_NOW; f->ctx.now < end; f->ctx.now += 900) {
        assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
        assert_true(auth.has_session);
        assert_true(auth.session.exp == end);
        if (fixture_header(f, "Set-Cookie"))
            fixture_take_tokens(f, &tokens);
    }
    f->ctx.now = end;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_false(auth.has_session);
    fixture_fini(f);
}

/* A remembered session is sealed anew once a day, and the cookie's age counts
 * down to the same end. */
static void
test_remembered_is_renewed(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant = alice;
    static struct fixture_session tokens;
    struct auth auth;
    int64_t end = FIXTURE_NOW + 30 * 86400;

    grant.remember = true;
    fixture_init(f, cookie_only);
    fixture_begin_with(f, &grant, &tokens);
    f->ctx.now += 86400 - 1;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    f->ctx.now += 1;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_non_null(fixture_header(f, "Set-Cookie"));
    assert_non_null(
        strstr(fixture_header(f, "Set-Cookie"), "; Max-Age=2505600;"));
    assert_true(auth.session.exp == end);
    fixture_take_tokens(f, &tokens);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_true(is_alice(&auth) && auth.session.exp == end);
    fixture_fini(f);
}

/* R3: without random bytes there is no session, and nothing is issued. */
static void
test_no_random_no_session(void **state)
{
    const char *const variables[] = {POST, NULL};
    struct auth auth = {.carrier = AUTH_BY_NOTHING};
    struct fixture *f = *state;

    fixture_init(f, both);
    fixture_break_random(f);
    fixture_request(f, variables, NULL);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice),
        PST_NO_RANDOM);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    fixture_fini(f);
}

/* R4: a new id at each login, even for the same user at the same second. */
static void
test_new_id_each_time(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth first;
    struct auth second;
    char first_id[AUTH_LOG_ID_SIZE];
    char second_id[AUTH_LOG_ID_SIZE];

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(enter(f, &first, tokens.cookie), PST_OK);
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(enter(f, &second, tokens.cookie), PST_OK);
    assert_string_not_equal(auth_log_id(&first, first_id),
                            auth_log_id(&second, second_id));
    fixture_fini(f);
}

/* R35: too large for a cookie is an error, and nothing is issued. */
static void
test_too_large(void **state)
{
    static char huge[PST_UPSTREAM_MAX];
    const char *const variables[] = {POST, NULL};
    struct auth auth = {.carrier = AUTH_BY_NOTHING};
    struct auth_grant grant = alice;
    struct fixture *f = *state;

    memset(huge, 'x', sizeof(huge));
    huge[0] = huge[sizeof(huge) - 1] = '"';
    grant.upstream = (struct pst_str){huge, sizeof(huge)};
    fixture_init(f, both);
    fixture_request(f, variables, NULL);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &grant),
        PST_TOO_LARGE);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    fixture_fini(f);
}

/* A store that cannot write: the request succeeds, nothing is renewed, and the
 * log has the reason. */
static void
test_renewal_without_store(void **state)
{
    static char large[6000];
    static struct fixture_session tokens;
    char path[] = "/tmp/postern-log-XXXXXX";
    char line[512] = "";
    struct auth_grant grant = alice;
    struct fixture *f = *state;
    struct store_operations broken;
    struct auth auth;
    int fd = mkstemp(path);

    memset(large, 'x', sizeof(large));
    large[0] = large[sizeof(large) - 1] = '"';
    grant.upstream = (struct pst_str){large, sizeof(large)};
    fixture_init(f, cookie_only);
    stores_start(&stores, STORE_LMDB, NULL);
    f->ctx.store = stores_open(&stores, "test");
    assert_int_equal(log_open(&f->ctx.log, path, LOG_LOGFMT, LEVEL_ERROR, "t"),
                     PST_OK);
    fixture_begin_with(f, &grant, &tokens);
    broken = *f->ctx.store->backend;
    broken.spill_put = put_nothing;
    f->ctx.store->backend = &broken;
    f->ctx.now += 600; /* due for renewal */
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_true(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_true(read(fd, line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "event=store-down"));
    assert_non_null(strstr(line, "the disk is full"));
    log_close(&f->ctx.log);
    close(fd);
    assert_int_equal(unlink(path), 0);
    store_close(&f->ctx.store);
    stores_stop(&stores);
    fixture_fini(f);
}

/* A login that the store has no room for leaves no session on the list. */
static void
test_login_without_room_in_the_store(void **state)
{
    static char large[6000];
    const char *const variables[] = {POST, NULL};
    struct auth auth = {.carrier = AUTH_BY_NOTHING};
    struct auth_grant grant = alice;
    struct fixture *f = *state;
    struct store_operations broken;
    size_t count = 7;

    memset(large, 'x', sizeof(large));
    large[0] = large[sizeof(large) - 1] = '"';
    grant.upstream = (struct pst_str){large, sizeof(large)};
    fixture_init(f, cookie_only);
    stores_start(&stores, STORE_LMDB, NULL);
    f->ctx.store = stores_open(&stores, "test");
    broken = *f->ctx.store->backend;
    broken.replace = replace_nothing;
    f->ctx.store->backend = &broken;
    fixture_request(f, variables, NULL);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &grant),
        PST_STORE_DOWN);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_int_equal(
        store_session_count(f->ctx.store, NULL, f->ctx.now, &count), PST_OK);
    assert_int_equal(count, 0);
    store_close(&f->ctx.store);
    stores_stop(&stores);
    fixture_fini(f);
}

static struct {
    bool has_old, has_guest;
} replaced;

static enum pst_err
record_replaced(struct store *store,
                const struct store_replacement *replacement, int64_t *since)
{
    (void)store;
    (void)since;
    replaced.has_old = replacement->old != NULL;
    replaced.has_guest = replacement->guest != NULL;
    return PST_OK;
}

/* A new session ends the one before it. A guest's beside a user's ends only
 * when another user's begins. */
static void
test_replaced_sessions(void **state)
{
    static const struct {
        const char *name;
        const struct auth_grant *fresh;
        bool has_user, has_guest; /* cookies of the request */
        bool ends_old, ends_guest;
    } rows[] = {
        {"the first", &alice, false, false, false, false},
        {"a guest logs in", &alice, false, true, true, false},
        {"a user again", &alice, true, false, true, false},
        {"a user with a guest's", &alice, true, true, true, true},
        {"a guest for a user", &cart, true, true, true, false},
    };
    static struct fixture_session user;
    static struct fixture_session guest;
    static char header[2 * sizeof(user.cookie)];
    struct fixture *f = *state;
    struct store_operations recording;

    init_with_store(f, cookie_only);
    fixture_begin_with(f, &alice, &user);
    fixture_begin_with(f, &cart, &guest);
    recording = *f->ctx.store->backend;
    recording.replace = record_replaced;
    f->ctx.store->backend = &recording;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str upstream;
        struct auth auth;

        (void)snprintf(
            header, sizeof(header), "HTTP_COOKIE=%.8000s; %.8000s",
            rows[i].has_user ? user.cookie + strlen("HTTP_COOKIE=") : "a=b",
            rows[i].has_guest ? guest.cookie + strlen("HTTP_COOKIE=") : "a=b");
        assert_int_equal(fixture_enter(f, &auth, GET, header, NULL), PST_OK);
        assert_int_equal(
            auth_guest_upstream(&f->ctx, &f->req, &auth, &upstream), PST_OK);
        assert_int_equal(pst_str_is_absent(upstream), !rows[i].has_guest);
        assert_int_equal(
            auth_begin_session(&f->ctx, &f->req, &f->res, &auth, rows[i].fresh),
            PST_OK);
        if (replaced.has_old != rows[i].ends_old ||
            replaced.has_guest != rows[i].ends_guest)
            fail_msg("%s: old %d, guest %d", rows[i].name, replaced.has_old,
                     replaced.has_guest);
    }
    fini_with_store(f);
}

/* A login clears the user's cookie under its older name, also a single one. */
static void
test_older_cookie_is_cleared(void **state)
{
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, cookie_only);
    assert_int_equal(
        fixture_enter(f, &auth, POST, "HTTP_COOKIE=__Host-session=x", NULL),
        PST_OK);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice), PST_OK);
    assert_true(fixture_has(f, "Set-Cookie",
                            "__Host-session=; Path=/; Max-Age=0; HttpOnly; "
                            "Secure; SameSite=Lax"));
    fixture_fini(f);
}

/* The response to a logout uses the carrier of the request. */
static void
test_end(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_int_equal(auth_end_session(&f->ctx, &f->req, &f->res, &auth),
                     PST_OK);
    assert_non_null(strstr(fixture_header(f, "Set-Cookie"), "Max-Age=0"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    assert_int_equal(enter(f, &auth, tokens.bearer), PST_OK);
    assert_int_equal(auth_end_session(&f->ctx, &f->req, &f->res, &auth),
                     PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    fixture_fini(f);
}

/* With both methods on, a page of our own gets the cookie alone: a token in a
 * header is one that its scripts can read (design 2.1). */
static void
test_first_token(void **state)
{
    static const struct {
        const char *site; /* NULL: none */
        bool has_bearer;
    } rows[] = {
        {NULL, true},
        {SAME_ORIGIN, false},
        {"HTTP_SEC_FETCH_SITE=none", true},
        {"HTTP_SEC_FETCH_SITE=cross-site", true},
    };
    struct fixture *f = *state;

    fixture_init(f, both);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const variables[] = {POST, rows[i].site, NULL};
        struct auth auth = {.carrier = AUTH_BY_NOTHING};

        fixture_request(f, variables, NULL);
        assert_int_equal(
            auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice),
            PST_OK);
        assert_int_equal(fixture_count(f, "Set-Cookie"), 1);
        assert_int_equal(fixture_count(f, "vendure-auth-token"),
                         rows[i].has_bearer);
        assert_true((auth.bearer.len > 0) == rows[i].has_bearer);
    }
    fixture_fini(f);
}

/* A renewal checks again: a session revoked meanwhile stays revoked. */
static void
test_renewal_checks_again(void **state)
{
    static struct fixture_session tokens;
    struct fixture *f = *state;
    struct auth auth;

    init_with_store(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    f->ctx.now += 600;
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, NULL), PST_OK);
    assert_true(auth.has_session && auth.is_renewal_due);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_int_equal(registry_revoke(&f->ctx, &f->req, &auth.session), PST_OK);
    assert_int_equal(auth_renew_if_due(&f->ctx, &f->req, &f->res, &auth),
                     PST_OK);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    /* Nor does a new token of the backend bring it back. */
    auth.has_session = true;
    assert_int_equal(auth_renew_session(&f->ctx, &f->req, &f->res, &auth),
                     PST_REVOKED);
    assert_null(fixture_header(f, "Set-Cookie"));
    fini_with_store(f);
}

static enum pst_err
check_nothing(struct store *store, const struct store_id *sid,
              const struct store_id *subject, int64_t iat)
{
    (void)sid;
    (void)subject;
    (void)iat;
    return store_set_error(store, "it is away");
}

/* The store stops answering before the renewal: nothing is renewed, except
 * within POSTERN_STORE_GRACE. */
static void
test_renewal_while_the_store_is_away(void **state)
{
    const char *const grace[] = {"POSTERN_STORE_GRACE=1m", NULL};
    const char *const *const settings[] = {cookie_only, grace};
    static struct fixture_session tokens;
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        struct store_operations broken;
        struct auth auth;

        init_with_store(f, settings[i]);
        fixture_begin_with(f, &alice, &tokens);
        f->ctx.now += 600;
        assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, NULL),
                         PST_OK);
        broken = *f->ctx.store->backend;
        broken.check = check_nothing;
        f->ctx.store->backend = &broken;
        assert_int_equal(auth_renew_if_due(&f->ctx, &f->req, &f->res, &auth),
                         PST_OK);
        assert_true(is_alice(&auth));
        assert_int_equal(fixture_count(f, "Set-Cookie"), i);
        fini_with_store(f);
    }
}

/*
 * The backend replaced the token, and the session is to be issued with it at
 * once. It was revoked meanwhile, alone or with all sessions of its user: no
 * token is issued, by cookie or by bearer.
 */
static void
test_renewal_of_a_revoked_session(void **state)
{
    static struct fixture_session tokens;
    struct fixture *f = *state;

    for (unsigned row = 0; row < 4; row++) {
        bool by_bearer = row & 1;
        bool is_all = row & 2;
        struct auth auth;

        init_with_store(f, both);
        fixture_begin_with(f, &alice, &tokens);
        assert_int_equal(
            fixture_enter(f, &auth, POST,
                          by_bearer ? tokens.bearer : tokens.cookie, NULL),
            PST_OK);
        auth.session.upstream = PST_STR("\"fresh\"");
        assert_int_equal(
            is_all ? registry_revoke_all(&f->ctx, &f->req, &auth.session)
                   : registry_revoke(&f->ctx, &f->req, &auth.session),
            PST_OK);
        assert_int_equal(auth_renew_session(&f->ctx, &f->req, &f->res, &auth),
                         PST_REVOKED);
        assert_null(fixture_header(f, "Set-Cookie"));
        assert_null(fixture_header(f, "vendure-auth-token"));
        fini_with_store(f);
    }
}

/* A session of an unknown user is not a guest's: it has a user's cookie and
 * limits. */
static void
test_unknown(void **state)
{
    static struct fixture_session tokens;
    const struct auth_grant grant = {.sub = PST_STR(""),
                                     .name = PST_STR(""),
                                     .who = PST_STR("{}"),
                                     .is_unknown = true};
    struct auth_grant confirmed = alice;
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &grant, &tokens);
    assert_memory_equal(tokens.cookie, "HTTP_COOKIE=" USER "=", 32);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_true(auth.has_session);
    assert_int_equal(auth.session.known, PST_IDENTITY_UNKNOWN);
    assert_true(auth.session.exp == FIXTURE_NOW + 12 * 3600);
    assert_true(pst_str_is_absent(auth_upstream(&auth)));
    confirmed.asked = FIXTURE_NOW - 5;
    fixture_begin_with(f, &confirmed, &tokens);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_int_equal(auth.session.known, PST_IDENTITY_KNOWN);
    assert_true(auth.session.asked == FIXTURE_NOW - 5);
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_nothing_in_clear, &fixture),
        cmocka_unit_test_prestate(test_cookie_attributes, &fixture),
        cmocka_unit_test_prestate(test_idle, &fixture),
        cmocka_unit_test_prestate(test_lifetime_does_not_move, &fixture),
        cmocka_unit_test_prestate(test_remembered_is_renewed, &fixture),
        cmocka_unit_test_prestate(test_no_random_no_session, &fixture),
        cmocka_unit_test_prestate(test_new_id_each_time, &fixture),
        cmocka_unit_test_prestate(test_too_large, &fixture),
        cmocka_unit_test_prestate(test_renewal_without_store, &fixture),
        cmocka_unit_test_prestate(test_login_without_room_in_the_store,
                                  &fixture),
        cmocka_unit_test_prestate(test_end, &fixture),
        cmocka_unit_test_prestate(test_older_cookie_is_cleared, &fixture),
        cmocka_unit_test_prestate(test_replaced_sessions, &fixture),
        cmocka_unit_test_prestate(test_first_token, &fixture),
        cmocka_unit_test_prestate(test_renewal_checks_again, &fixture),
        cmocka_unit_test_prestate(test_renewal_while_the_store_is_away,
                                  &fixture),
        cmocka_unit_test_prestate(test_renewal_of_a_revoked_session, &fixture),
        cmocka_unit_test_prestate(test_unknown, &fixture),
    };

    return cmocka_run_group_tests_name("auth_session", tests, NULL, NULL);
}
