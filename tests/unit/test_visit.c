/* SPDX-License-Identifier: ISC */
/*
 * test_visit.c - find the token, open it, hand out what becomes of it: the
 * rules of design 2.1, one row or one test each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "roster.h"
#include "stores.h"
#include "visit.h"

#define GET "REQUEST_METHOD=GET"
#define POST "REQUEST_METHOD=POST"

static const char *const cookie_only[] = {NULL};
static const char *const bearer_only[] = {"POSTERN_TOKEN_METHOD=bearer", NULL};
static const char *const both[] = {"POSTERN_TOKEN_METHOD=cookie,bearer", NULL};
static const char *const both_signed[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                          "POSTERN_TOKEN_FORMAT=signed", NULL};

static const struct visit_grant alice = {
    .sub = {"7", 1},
    .name = {"alice@example.com", 17},
    .who = {"{\"email\":\"alice@example.com\"}", 29},
    .upstream = {"\"fnEDsecret\"", 12},
};

/* A session's tokens, copied out of the arena. */
struct tokens {
    char cookie[8192]; /* "HTTP_COOKIE=__Host-session=…" */
    char bearer[8192]; /* "HTTP_AUTHORIZATION=Bearer …" */
};

static void
remember_tokens(struct fixture *f, struct tokens *tokens)
{
    const char *line = fixture_header(f, "Set-Cookie");

    tokens->cookie[0] = '\0';
    tokens->bearer[0] = '\0';
    if (line)
        snprintf(tokens->cookie, sizeof(tokens->cookie), "HTTP_COOKIE=%.*s",
                 (int)strcspn(line, ";"), line);
    line = fixture_header(f, "vendure-auth-token");
    if (line)
        snprintf(tokens->bearer, sizeof(tokens->bearer),
                 "HTTP_AUTHORIZATION=Bearer %s", line);
}

/* Log alice in, by a request that carried nothing. */
static void
log_in(struct fixture *f, const struct visit_grant *grant,
       struct tokens *tokens)
{
    const char *const variables[] = {POST, NULL};
    struct visit visit = {.carrier = VISIT_BY_NOTHING};

    fixture_request(f, variables, NULL);
    assert_int_equal(visit_begin(&f->gate, &f->req, &f->rep, &visit, grant),
                     PST_OK);
    assert_true(visit.has_session);
    remember_tokens(f, tokens);
}

/* Open a request with these variables. */
static enum pst_err
enter(struct fixture *f, struct visit *visit, const char *a, const char *b)
{
    const char *const variables[] = {GET, a ? a : b, a ? b : NULL, NULL};

    fixture_request(f, variables, NULL);
    return visit_enter(&f->gate, &f->req, &f->rep, "GET", visit);
}

static bool
is_alice(const struct visit *visit)
{
    return visit->has_session &&
           pst_text_equal(visit->session.sub, alice.sub) &&
           pst_text_equal(visit->session.upstream, alice.upstream);
}

static void
test_round_trip(void **state)
{
    const char *const *const settings[] = {cookie_only, bearer_only, both,
                                           both_signed};
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        static struct tokens tokens;
        struct visit visit;

        fixture_init(f, settings[i]);
        log_in(f, &alice, &tokens);
        assert_true((tokens.cookie[0] != '\0') == (settings[i] != bearer_only));
        assert_true((tokens.bearer[0] != '\0') == (settings[i] != cookie_only));
        if (tokens.cookie[0]) {
            assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
            assert_true(is_alice(&visit));
            assert_int_equal(visit.carrier, VISIT_BY_COOKIE);
        }
        if (tokens.bearer[0]) {
            assert_int_equal(enter(f, &visit, tokens.bearer, NULL), PST_OK);
            assert_true(is_alice(&visit));
            assert_int_equal(visit.carrier, VISIT_BY_BEARER);
        }
        fixture_fini(f);
    }
}

/* R8, R55: nothing of the session can be read in what leaves. */
static void
test_nothing_in_clear(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;

    fixture_init(f, both);
    log_in(f, &alice, &tokens);
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
    struct visit_grant grant = alice;
    static struct tokens tokens;
    const char *line;

    fixture_init(f, cookie_only);
    log_in(f, &grant, &tokens);
    line = fixture_header(f, "Set-Cookie");
    assert_memory_equal(line, "__Host-session=", 15);
    assert_non_null(strstr(line, "; Path=/;"));
    assert_non_null(strstr(line, "; HttpOnly; Secure; SameSite=Lax"));
    assert_null(strstr(line, "Max-Age"));
    assert_null(strstr(line, "Domain"));
    assert_string_equal(fixture_header(f, "Cache-Control"), "no-store");
    grant.remember = true;
    log_in(f, &grant, &tokens);
    assert_non_null(
        strstr(fixture_header(f, "Set-Cookie"), "; Max-Age=2592000;"));
    fixture_fini(f);
}

/* A cookie that does not open is no session and is cleared, never an error. */
static void
test_dead_cookies(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;
    static char twice[17000];
    static char changed[8300];
    struct visit visit;

    fixture_init(f, both);
    log_in(f, &alice, &tokens);
    snprintf(twice, sizeof(twice), "%s; %s", tokens.cookie,
             strchr(tokens.cookie, '=') + 1);
    snprintf(changed, sizeof(changed), "%sA", tokens.cookie);
    {
        const char *const rows[] = {
            "HTTP_COOKIE=__Host-session=", "HTTP_COOKIE=__Host-session=x.y.z",
            twice, changed};

        for (size_t i = 0; i < PST_COUNT(rows); i++) {
            assert_int_equal(enter(f, &visit, rows[i], NULL), PST_OK);
            assert_false(visit.has_session);
            assert_string_equal(
                fixture_header(f, "Set-Cookie"),
                "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; "
                "SameSite=Lax");
        }
    }
    /* No cookie, or one that is not ours: nothing is said about it (U16). */
    assert_int_equal(enter(f, &visit, "HTTP_COOKIE=__host-session=x", NULL),
                     PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    fixture_fini(f);
}

/* RFC 6750 section 3, design 2.1. */
static void
test_dead_bearers(void **state)
{
    const char *const guest[] = {"POSTERN_TOKEN_METHOD=bearer",
                                 "POSTERN_DEAD_BEARER=guest", NULL};
    struct fixture *f = *state;
    struct visit visit;

    fixture_init(f, both);
    assert_int_equal(enter(f, &visit, "HTTP_AUTHORIZATION=Bearer x", NULL),
                     PST_FORGED);
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    assert_non_null(strstr(fixture_header(f, "WWW-Authenticate"),
                           "error=\"invalid_token\""));
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_int_equal(enter(f, &visit, "HTTP_AUTHORIZATION=Bearer ", NULL),
                     PST_OK);
    assert_int_equal(visit.carrier, VISIT_BY_NOTHING);
    fixture_fini(f);
    fixture_init(f, guest);
    assert_int_equal(enter(f, &visit, "HTTP_AUTHORIZATION=Bearer x", NULL),
                     PST_OK);
    assert_false(visit.has_session);
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    fixture_fini(f);
}

/* R62: the explicit token wins, even a dead one over a good cookie. */
static void
test_bearer_wins(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;
    struct visit visit;

    fixture_init(f, both);
    log_in(f, &alice, &tokens);
    assert_int_equal(
        enter(f, &visit, tokens.cookie, "HTTP_AUTHORIZATION=Bearer x"),
        PST_FORGED);
    assert_int_equal(enter(f, &visit, tokens.cookie, tokens.bearer), PST_OK);
    assert_int_equal(visit.carrier, VISIT_BY_BEARER);
    assert_int_equal(
        enter(f, &visit, tokens.cookie, "HTTP_AUTHORIZATION=Basic eDp5"),
        PST_OK);
    assert_int_equal(visit.carrier, VISIT_BY_COOKIE);
    fixture_fini(f);
}

/* R13, L39: a token has one role, on one site, under one secret. */
static void
test_roles_are_bound(void **state)
{
    const char *const other_site[] = {"POSTERN_AUDIENCE=shop.example",
                                      "POSTERN_TOKEN_METHOD=cookie,bearer",
                                      NULL};
    struct fixture *f = *state;
    static struct tokens tokens;
    static struct tokens swapped;
    struct visit visit;

    fixture_init(f, both);
    log_in(f, &alice, &tokens);
    snprintf(swapped.cookie, sizeof(swapped.cookie),
             "HTTP_COOKIE=__Host-session=%s", strchr(tokens.bearer, ' ') + 1);
    snprintf(swapped.bearer, sizeof(swapped.bearer),
             "HTTP_AUTHORIZATION=Bearer %s",
             strstr(tokens.cookie, "session=") + 8);
    assert_int_equal(enter(f, &visit, swapped.cookie, NULL), PST_OK);
    assert_false(visit.has_session);
    assert_int_equal(enter(f, &visit, swapped.bearer, NULL), PST_FORGED);
    fixture_fini(f);
    fixture_init(f, other_site);
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_false(visit.has_session);
    assert_int_equal(enter(f, &visit, tokens.bearer, NULL), PST_FORGED);
    fixture_fini(f);
}

/* R15, R16, R18: idle slides, is sealed anew at idle/4, and ends. */
static void
test_idle(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;
    struct visit visit;

    fixture_init(f, cookie_only);
    log_in(f, &alice, &tokens);
    f->gate.now = FIXTURE_NOW + 449;
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    f->gate.now = FIXTURE_NOW + 450;
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_non_null(fixture_header(f, "Set-Cookie"));
    assert_true(is_alice(&visit));
    f->gate.now = FIXTURE_NOW + 1801;
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_false(visit.has_session);
    fixture_fini(f);
}

/* Renewal moves `seen` and nothing else: the lifetime ends where it did. */
static void
test_lifetime_does_not_move(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;
    struct visit visit;
    int64_t end = FIXTURE_NOW + 12 * 3600;

    fixture_init(f, cookie_only);
    log_in(f, &alice, &tokens);
    for (f->gate.now = FIXTURE_NOW; f->gate.now < end; f->gate.now += 900) {
        assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
        assert_true(visit.has_session);
        assert_true(visit.session.exp == end);
        if (fixture_header(f, "Set-Cookie"))
            remember_tokens(f, &tokens);
    }
    f->gate.now = end;
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_false(visit.has_session);
    fixture_fini(f);
}

/* A remembered session is sealed anew once a day, and the cookie's age counts
 * down to the same end. */
static void
test_a_remembered_one_is_renewed(void **state)
{
    struct fixture *f = *state;
    struct visit_grant grant = alice;
    static struct tokens tokens;
    struct visit visit;
    int64_t end = FIXTURE_NOW + 30 * 86400;

    grant.remember = true;
    fixture_init(f, cookie_only);
    log_in(f, &grant, &tokens);
    f->gate.now += 86400 - 1;
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    f->gate.now += 1;
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_non_null(fixture_header(f, "Set-Cookie"));
    assert_non_null(
        strstr(fixture_header(f, "Set-Cookie"), "; Max-Age=2505600;"));
    assert_true(visit.session.exp == end);
    remember_tokens(f, &tokens);
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_true(is_alice(&visit) && visit.session.exp == end);
    fixture_fini(f);
}

/* R3: without random octets there is no session, and nothing is handed out. */
static void
test_no_random_no_session(void **state)
{
    const char *const variables[] = {POST, NULL};
    struct visit visit = {.carrier = VISIT_BY_NOTHING};
    struct fixture *f = *state;

    fixture_init(f, both);
    fixture_break_random(f);
    fixture_request(f, variables, NULL);
    assert_int_equal(visit_begin(&f->gate, &f->req, &f->rep, &visit, &alice),
                     PST_NO_RANDOM);
    assert_false(visit.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    fixture_fini(f);
}

/* R4: a new id at each login, even for the same user at the same second. */
static void
test_new_id_each_time(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;
    struct visit first;
    struct visit second;
    char mark[9];

    fixture_init(f, cookie_only);
    log_in(f, &alice, &tokens);
    assert_int_equal(enter(f, &first, tokens.cookie, NULL), PST_OK);
    memcpy(mark, first.mark, sizeof(mark));
    log_in(f, &alice, &tokens);
    assert_int_equal(enter(f, &second, tokens.cookie, NULL), PST_OK);
    assert_string_not_equal(mark, second.mark);
    fixture_fini(f);
}

/* R35: too large for a cookie is said, and nothing half-made remains. */
static void
test_too_large(void **state)
{
    static char huge[PST_UPSTREAM_MAX];
    const char *const variables[] = {POST, NULL};
    struct visit visit = {.carrier = VISIT_BY_NOTHING};
    struct visit_grant grant = alice;
    struct fixture *f = *state;

    memset(huge, 'x', sizeof(huge));
    huge[0] = huge[sizeof(huge) - 1] = '"';
    grant.upstream = (struct pst_text){huge, sizeof(huge)};
    fixture_init(f, both);
    fixture_request(f, variables, NULL);
    assert_int_equal(visit_begin(&f->gate, &f->req, &f->rep, &visit, &grant),
                     PST_TOO_LARGE);
    assert_false(visit.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    fixture_fini(f);
}

static enum pst_err
put_nothing(struct store *store, const struct store_spill *spill)
{
    (void)spill;
    return store_because(store, "the disk is full");
}

/* A store that gave the session and does not take it back was a 503 without a
 * cause in the log. */
static void
test_renewal_without_store(void **state)
{
    static char large[6000];
    static struct tokens tokens;
    char path[] = "/tmp/postern-log-XXXXXX";
    char line[512] = "";
    struct visit_grant grant = alice;
    struct fixture *f = *state;
    struct store_backend broken;
    struct stores stores;
    struct visit visit;
    int fd = mkstemp(path);

    memset(large, 'x', sizeof(large));
    large[0] = large[sizeof(large) - 1] = '"';
    grant.upstream = (struct pst_text){large, sizeof(large)};
    fixture_init(f, cookie_only);
    stores_start(&stores, STORE_LMDB, NULL);
    f->gate.store = stores_open(&stores, "test");
    assert_int_equal(log_open(&f->gate.log, path, LOG_LOGFMT, LEVEL_ERROR, "t"),
                     PST_OK);
    log_in(f, &grant, &tokens);
    broken = *f->gate.store->backend;
    broken.spill_put = put_nothing;
    f->gate.store->backend = &broken;
    f->gate.now += 600; /* due for renewal */
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_STORE_DOWN);
    assert_true(read(fd, line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "event=store-down"));
    assert_non_null(strstr(line, "the disk is full"));
    log_close(&f->gate.log);
    close(fd);
    assert_int_equal(unlink(path), 0);
    store_close(&f->gate.store);
    stores_stop(&stores);
    fixture_fini(f);
}

static enum pst_err
replace_nothing(struct store *store,
                const struct store_replacement *replacement, int64_t *since)
{
    (void)replacement;
    (void)since;
    return store_because(store, "the disk is full");
}

/* A fixture with a store; large: a token that goes there. */
static void
begin_with_store(struct fixture *f, struct stores *stores,
                 struct visit_grant *large)
{
    static char token[6000];

    memset(token, 'x', sizeof(token));
    token[0] = token[sizeof(token) - 1] = '"';
    *large = alice;
    large->upstream = (struct pst_text){token, sizeof(token)};
    fixture_init(f, cookie_only);
    stores_start(stores, STORE_LMDB, NULL);
    f->gate.store = stores_open(stores, "test");
}

static void
end_with_store(struct fixture *f, struct stores *stores)
{
    store_close(&f->gate.store);
    stores_stop(stores);
    fixture_fini(f);
}

static size_t
count_listed(struct fixture *f)
{
    size_t count = 7;

    assert_int_equal(
        store_session_count(f->gate.store, NULL, f->gate.now, &count), PST_OK);
    return count;
}

/* A login that the store has no room for leaves the old session, and hands
 * out nothing. */
static void
test_nothing_half_made(void **state)
{
    static struct tokens tokens;
    struct fixture *f = *state;
    struct store_backend broken;
    struct visit_grant grant;
    struct stores stores;
    struct visit visit;

    begin_with_store(f, &stores, &grant);
    log_in(f, &grant, &tokens);
    broken = *f->gate.store->backend;
    broken.replace = replace_nothing;
    f->gate.store->backend = &broken;
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_int_equal(visit_begin(&f->gate, &f->req, &f->rep, &visit, &grant),
                     PST_STORE_DOWN);
    assert_true(visit.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_true(visit.has_session);
    assert_int_equal(count_listed(f), 1);
    end_with_store(f, &stores);
}

/* L28: what follows from a session that was ended while the request was on its
 * way does not begin; what a password began does, and revives nothing. */
static void
test_ended_meanwhile(void **state)
{
    static const struct {
        const char *name;
        bool by_password;
        bool everywhere;
        enum pst_err want;
    } rows[] = {
        {"follows", false, false, PST_REVOKED},
        {"follows, ended everywhere", false, true, PST_REVOKED},
        {"by password", true, false, PST_OK},
        {"by password, ended everywhere", true, true, PST_OK},
    };
    static struct tokens old;
    static struct tokens fresh;
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct visit_grant grant;
        struct stores stores;
        struct visit visit;
        enum pst_err e;

        begin_with_store(f, &stores, &grant);
        log_in(f, &alice, &old);
        assert_int_equal(enter(f, &visit, old.cookie, NULL), PST_OK);
        if (rows[i].everywhere)
            e = roster_end_all(&f->gate, &f->req, &visit.session);
        else
            e = roster_end(&f->gate, &f->req, &visit.session);
        assert_int_equal(e, PST_OK);
        grant.by_password = rows[i].by_password;
        e = visit_begin(&f->gate, &f->req, &f->rep, &visit, &grant);
        if (e != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
        remember_tokens(f, &fresh);
        assert_true((fresh.cookie[0] != '\0') == rows[i].by_password);
        assert_int_equal(count_listed(f), rows[i].by_password);
        assert_int_equal(enter(f, &visit, old.cookie, NULL), PST_OK);
        assert_false(visit.has_session);
        if (rows[i].by_password) {
            assert_int_equal(enter(f, &visit, fresh.cookie, NULL), PST_OK);
            assert_true(visit.has_session);
            assert_int_equal(visit.session.iat,
                             f->gate.now + rows[i].everywhere);
        }
        end_with_store(f, &stores);
    }
}

/* The session that a login replaced is dead, and stays so. */
static void
test_a_login_ends_the_one_before(void **state)
{
    static struct tokens first;
    static struct tokens second;
    struct fixture *f = *state;
    struct visit_grant grant;
    struct stores stores;
    struct visit visit;

    begin_with_store(f, &stores, &grant);
    log_in(f, &grant, &first);
    assert_int_equal(enter(f, &visit, first.cookie, NULL), PST_OK);
    assert_int_equal(visit_begin(&f->gate, &f->req, &f->rep, &visit, &grant),
                     PST_OK);
    remember_tokens(f, &second);
    assert_int_equal(enter(f, &visit, first.cookie, NULL), PST_OK);
    assert_false(visit.has_session);
    assert_int_equal(enter(f, &visit, second.cookie, NULL), PST_OK);
    assert_true(visit.has_session);
    assert_int_equal(visit.session.upstream.len, grant.upstream.len);
    assert_int_equal(count_listed(f), 1);
    end_with_store(f, &stores);
}

/* What is not for us, before any token is looked at. */
static void
test_method_and_path(void **state)
{
    const char *const put[] = {"REQUEST_METHOD=PUT", NULL};
    const char *const path[] = {GET, "PATH_INFO=/x", NULL};
    const char *const options[] = {"REQUEST_METHOD=OPTIONS", NULL};
    struct fixture *f = *state;
    struct visit visit;

    fixture_init(f, cookie_only);
    fixture_request(f, put, NULL);
    assert_int_equal(
        visit_enter(&f->gate, &f->req, &f->rep, "GET, POST, OPTIONS", &visit),
        PST_BAD_METHOD);
    assert_string_equal(fixture_header(f, "Allow"), "GET, POST, OPTIONS");
    fixture_request(f, path, NULL);
    assert_int_equal(visit_enter(&f->gate, &f->req, &f->rep, "GET", &visit),
                     PST_NOT_FOUND);
    fixture_request(f, options, NULL);
    assert_int_equal(
        visit_enter(&f->gate, &f->req, &f->rep, "GET, OPTIONS", &visit),
        PST_OK);
    assert_true(f->rep.begun);
    assert_true(fixture_is_out(f, "Status: 204"));
    fixture_fini(f);
}

/* R45, R47: a foreign page changes nothing, and keeps no session alive. */
static void
test_cross_site(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;
    struct visit visit;

    fixture_init(f, both);
    log_in(f, &alice, &tokens);
    f->gate.now += 600; /* due for renewal */
    {
        const char *const foreign[] = {POST, tokens.cookie,
                                       "HTTP_SEC_FETCH_SITE=cross-site", NULL};
        const char *const by_bearer[] = {
            POST, tokens.bearer, "HTTP_SEC_FETCH_SITE=cross-site", NULL};

        fixture_request(f, foreign, NULL);
        assert_int_equal(
            visit_enter(&f->gate, &f->req, &f->rep, "POST", &visit),
            PST_CROSS_SITE);
        assert_null(fixture_header(f, "Set-Cookie"));
        fixture_request(f, by_bearer, NULL);
        assert_int_equal(
            visit_enter(&f->gate, &f->req, &f->rep, "POST", &visit), PST_OK);
        assert_non_null(fixture_header(f, "vendure-auth-token"));
        assert_null(fixture_header(f, "Set-Cookie"));
    }
    fixture_fini(f);
}

/* Ending it says so by the way the request came. */
static void
test_end(void **state)
{
    struct fixture *f = *state;
    static struct tokens tokens;
    struct visit visit;

    fixture_init(f, both);
    log_in(f, &alice, &tokens);
    assert_int_equal(enter(f, &visit, tokens.cookie, NULL), PST_OK);
    assert_int_equal(visit_end(&f->gate, &f->req, &f->rep, &visit), PST_OK);
    assert_non_null(strstr(fixture_header(f, "Set-Cookie"), "Max-Age=0"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    assert_int_equal(enter(f, &visit, tokens.bearer, NULL), PST_OK);
    assert_int_equal(visit_end(&f->gate, &f->req, &f->rep, &visit), PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_round_trip, &fixture),
        cmocka_unit_test_prestate(test_nothing_in_clear, &fixture),
        cmocka_unit_test_prestate(test_cookie_attributes, &fixture),
        cmocka_unit_test_prestate(test_dead_cookies, &fixture),
        cmocka_unit_test_prestate(test_dead_bearers, &fixture),
        cmocka_unit_test_prestate(test_bearer_wins, &fixture),
        cmocka_unit_test_prestate(test_roles_are_bound, &fixture),
        cmocka_unit_test_prestate(test_idle, &fixture),
        cmocka_unit_test_prestate(test_lifetime_does_not_move, &fixture),
        cmocka_unit_test_prestate(test_a_remembered_one_is_renewed, &fixture),
        cmocka_unit_test_prestate(test_no_random_no_session, &fixture),
        cmocka_unit_test_prestate(test_new_id_each_time, &fixture),
        cmocka_unit_test_prestate(test_too_large, &fixture),
        cmocka_unit_test_prestate(test_renewal_without_store, &fixture),
        cmocka_unit_test_prestate(test_nothing_half_made, &fixture),
        cmocka_unit_test_prestate(test_ended_meanwhile, &fixture),
        cmocka_unit_test_prestate(test_a_login_ends_the_one_before, &fixture),
        cmocka_unit_test_prestate(test_method_and_path, &fixture),
        cmocka_unit_test_prestate(test_cross_site, &fixture),
        cmocka_unit_test_prestate(test_end, &fixture),
    };

    return cmocka_run_group_tests_name("visit", tests, NULL, NULL);
}
