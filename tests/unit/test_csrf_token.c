/* SPDX-License-Identifier: ISC */
/*
 * test_csrf_token.c - which CSRF tokens are valid: form, session, time
 * (design 2.7, R49): one row each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/token.h"
#include "fixture.h"
#include "gateway/csrf_token.h"

enum who { NOBODY, ALICE, ALICE_ELSEWHERE };

static struct fixture fix;

static int
set_up(void **state)
{
    (void)state;
    fixture_init(&fix, NULL);
    return 0;
}

static int
set_up_required(void **state)
{
    static const char *const settings[] = {"POSTERN_CSRF_TOKEN=required", NULL};

    (void)state;
    fixture_init(&fix, settings);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

static struct auth
auth_of(enum who who)
{
    struct auth auth = {.has_session = who != NOBODY};

    memset(auth.session.sid, (int)who, sizeof(auth.session.sid));
    return auth;
}

static void
begin(void)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST", NULL};

    fixture_request(&fix, variables, NULL);
}

/* Sent by a session that began then; unix seconds. */
static enum pst_err
check_of(enum who who, int64_t began, enum csrf_token_form form,
         struct pst_str token)
{
    struct auth auth = auth_of(who);

    auth.session.iat = began;
    return csrf_token_check(&fix.ctx, &fix.req, &auth, form, token);
}

static enum pst_err
check(enum who who, enum csrf_token_form form, struct pst_str token)
{
    return check_of(who, FIXTURE_NOW, form, token);
}

static struct pst_str
make(enum who who, enum csrf_token_form form)
{
    struct auth auth = auth_of(who);
    struct pst_str token = PST_STR_NONE;

    assert_int_equal(csrf_token_make(&fix.ctx, fix.arena, &auth, form, &token),
                     PST_OK);
    assert_true(token.len > 0 && token.len < 500);
    return token;
}

static void
test_who_where_when(void **state)
{
    static const struct {
        const char *name;
        enum who made_for;
        enum csrf_token_form made_in;
        enum who sent_by;
        enum csrf_token_form sent_in;
        int64_t after; /* seconds */
        enum pst_err want;
        int64_t began; /* the sender's session; seconds after the form */
    } rows[] = {
        {"login", NOBODY, CSRF_TOKEN_LOGIN, NOBODY, CSRF_TOKEN_LOGIN, 0, PST_OK,
         0},
        {"later", NOBODY, CSRF_TOKEN_LOGIN, NOBODY, CSRF_TOKEN_LOGIN, 3599,
         PST_OK, 0},
        {"too late", NOBODY, CSRF_TOKEN_LOGIN, NOBODY, CSRF_TOKEN_LOGIN, 3600,
         PST_STALE_FORM, 0},
        {"a clock that is behind", NOBODY, CSRF_TOKEN_LOGIN, NOBODY,
         CSRF_TOKEN_LOGIN, -PST_CLOCK_SKEW_MAX, PST_OK, 0},
        {"from the future", NOBODY, CSRF_TOKEN_LOGIN, NOBODY, CSRF_TOKEN_LOGIN,
         -PST_CLOCK_SKEW_MAX - 1, PST_STALE_FORM, 0},
        {"the other form's", NOBODY, CSRF_TOKEN_LOGIN, NOBODY,
         CSRF_TOKEN_LOGOUT, 0, PST_STALE_FORM, 0},
        {"the other form's, the other way", ALICE, CSRF_TOKEN_LOGOUT, ALICE,
         CSRF_TOKEN_LOGIN, 0, PST_STALE_FORM, 0},
        {"logout", ALICE, CSRF_TOKEN_LOGOUT, ALICE, CSRF_TOKEN_LOGOUT, 0,
         PST_OK, 0},
        {"another session's logout", ALICE_ELSEWHERE, CSRF_TOKEN_LOGOUT, ALICE,
         CSRF_TOKEN_LOGOUT, 0, PST_STALE_FORM, 0},
        {"nobody's logout for a session", NOBODY, CSRF_TOKEN_LOGOUT, ALICE,
         CSRF_TOKEN_LOGOUT, 0, PST_STALE_FORM, 0},
        {"a session's, now gone", ALICE, CSRF_TOKEN_LOGIN, NOBODY,
         CSRF_TOKEN_LOGIN, 9, PST_OK, 0},
        {"the session's own", ALICE, CSRF_TOKEN_LOGIN, ALICE, CSRF_TOKEN_LOGIN,
         9, PST_OK, -100},
        {"another session's login", ALICE_ELSEWHERE, CSRF_TOKEN_LOGIN, ALICE,
         CSRF_TOKEN_LOGIN, 9, PST_STALE_FORM, -1},
        {"a stranger's, brought to who is logged in", NOBODY, CSRF_TOKEN_LOGIN,
         ALICE, CSRF_TOKEN_LOGIN, 9, PST_STALE_FORM, -1},
        {"the second of two tabs (U18)", NOBODY, CSRF_TOKEN_LOGIN, ALICE,
         CSRF_TOKEN_LOGIN, 9, PST_OK, 1},
        {"in the same second", NOBODY, CSRF_TOKEN_LOGIN, ALICE,
         CSRF_TOKEN_LOGIN, 9, PST_OK, 0},
        {"the second of two tabs of a session", ALICE, CSRF_TOKEN_LOGIN,
         ALICE_ELSEWHERE, CSRF_TOKEN_LOGIN, 9, PST_OK, 1},
        {"logging out is for the very session", ALICE, CSRF_TOKEN_LOGOUT,
         ALICE_ELSEWHERE, CSRF_TOKEN_LOGOUT, 9, PST_STALE_FORM, 1},
        {"a logout's, now gone", ALICE, CSRF_TOKEN_LOGOUT, NOBODY,
         CSRF_TOKEN_LOGOUT, 9, PST_STALE_FORM, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str token;
        enum pst_err e;

        begin();
        token = make(rows[i].made_for, rows[i].made_in);
        fix.ctx.now += rows[i].after;
        e = check_of(rows[i].sent_by, FIXTURE_NOW + rows[i].began,
                     rows[i].sent_in, token);
        fix.ctx.now -= rows[i].after;
        if (e != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_err_code(e));
    }
}

/* Any number at a time, in any order, and as often as it takes (U18). */
static void
test_many_at_once(void **state)
{
    struct pst_str first;
    struct pst_str second;

    (void)state;
    begin();
    first = make(NOBODY, CSRF_TOKEN_LOGIN);
    second = make(NOBODY, CSRF_TOKEN_LOGIN);
    assert_false(pst_str_equal(first, second));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, second), PST_OK);
        assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, first), PST_OK);
    }
}

/* Every byte counts, and no token of another purpose is one (R13). */
static void
test_forged(void **state)
{
    static const enum pst_purpose others[] = {
        PST_PURPOSE_COOKIE, PST_PURPOSE_GUEST, PST_PURPOSE_BEARER,
        PST_PURPOSE_UPSTREAM};
    static const uint8_t nonce[PST_NONCE_LEN] = {1};
    struct pst_str claims =
        PST_STR("{\"form\":\"login\",\"session\":\"\",\"iat\":1700000000}");
    struct pst_str token;
    char *bytes;

    (void)state;
    begin();
    token = make(NOBODY, CSRF_TOKEN_LOGIN);
    bytes = pst_arena_alloc(fix.arena, token.len);
    assert_non_null(bytes);
    for (size_t i = 0; i < token.len; i++) {
        memcpy(bytes, token.ptr, token.len);
        bytes[i] = bytes[i] == 'A' ? 'B' : 'A';
        assert_int_equal(
            check(NOBODY, CSRF_TOKEN_LOGIN, (struct pst_str){bytes, token.len}),
            PST_STALE_FORM);
    }
    assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, PST_STR("x")),
                     PST_STALE_FORM);
    for (size_t i = 0; i < PST_COUNT(others); i++) {
        struct pst_token_use use = {fix.ctx.ring, others[i], PST_TOKEN_SEALED};
        struct pst_buf buf;

        pst_buf_init_arena(&buf, fix.arena, PST_TOKEN_MAX);
        assert_int_equal(pst_token_seal(&use, fix.ctx.now, nonce, claims, &buf),
                         PST_OK);
        assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, pst_buf_str(&buf)),
                         PST_STALE_FORM);
    }
}

/* While secrets are replaced: an older one still opens, for its purpose only.
 */
static void
test_older_secret(void **state)
{
    static const char secrets[] = "another-Secret-of-43-characters-0123456789x "
                                  "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe";
    static const uint8_t nonce[PST_NONCE_LEN] = {1};
    struct pst_token_use use = {fix.ctx.ring, PST_PURPOSE_GUEST,
                                PST_TOKEN_SEALED};
    struct pst_keyring *ring = NULL;
    struct pst_str token;
    struct pst_buf other;
    const char *reason = "";

    (void)state;
    begin();
    token = make(NOBODY, CSRF_TOKEN_LOGIN);
    pst_buf_init_arena(&other, fix.arena, PST_TOKEN_MAX);
    assert_int_equal(
        pst_token_seal(&use, fix.ctx.now, nonce,
                       PST_STR("{\"form\":\"login\",\"session\":\"\","
                               "\"iat\":1700000000}"),
                       &other),
        PST_OK);
    assert_int_equal(pst_keyring_new(&ring, pst_str_from(secrets),
                                     fix.config->audience, &reason),
                     PST_OK);
    fix.ctx.ring = ring;
    assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, token), PST_OK);
    assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, pst_buf_str(&other)),
                     PST_STALE_FORM);
    fix.ctx.ring = fix.config->ring;
    pst_keyring_free(&ring);
}

static void
test_missing(void **state)
{
    (void)state;
    begin();
    assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, PST_STR_NONE), PST_OK);
    assert_int_equal(check(ALICE, CSRF_TOKEN_LOGOUT, PST_STR("")), PST_OK);
}

static void
test_missing_but_required(void **state)
{
    (void)state;
    begin();
    assert_int_equal(check(NOBODY, CSRF_TOKEN_LOGIN, PST_STR_NONE),
                     PST_STALE_FORM);
    assert_int_equal(check(ALICE, CSRF_TOKEN_LOGOUT, PST_STR("")),
                     PST_STALE_FORM);
    assert_int_equal(
        check(ALICE, CSRF_TOKEN_LOGOUT, make(ALICE, CSRF_TOKEN_LOGOUT)),
        PST_OK);
}

/* R3: without random bytes there is no token, rather than a weak one. */
static void
test_no_random(void **state)
{
    struct auth auth = auth_of(NOBODY);
    struct pst_str token = PST_STR_NONE;

    (void)state;
    begin();
    fixture_break_random(&fix);
    assert_int_equal(
        csrf_token_make(&fix.ctx, fix.arena, &auth, CSRF_TOKEN_LOGIN, &token),
        PST_NO_RANDOM);
    assert_true(pst_str_is_absent(token));
}

static void
test_no_memory(void **state)
{
    struct auth auth = auth_of(NOBODY);
    struct pst_str token = PST_STR_NONE;
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY && n < 100; n++) {
        begin();
        pst_arena_fail_at(fix.arena, n);
        e = csrf_token_make(&fix.ctx, fix.arena, &auth, CSRF_TOKEN_LOGIN,
                            &token);
        assert_int_equal(e != PST_OK, pst_str_is_absent(token));
    }
    assert_int_equal(e, PST_OK);
    assert_true(n > 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_where_when, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_older_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_but_required,
                                        set_up_required, tear_down),
        cmocka_unit_test_setup_teardown(test_no_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("formtoken", tests, NULL, NULL);
}
