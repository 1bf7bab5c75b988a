/* SPDX-License-Identifier: ISC */
/*
 * test_postern_csrf.c - the public library's CSRF tokens: for which form and
 * session they are valid, and that the programs' tokens are the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/csrf_token.h"
#include "library.h"

static struct pst_sessions *sessions;
static struct fixture fix;
static char alice[PST_LINE_SIZE];
static char bob[PST_LINE_SIZE];

static int
set_up(void **state)
{
    struct pst_settings settings = library_settings();

    (void)state;
    library_now = LIBRARY_NOW;
    fixture_init(&fix, NULL);
    sessions = library_new(&settings);
    library_login(sessions, "7", alice);
    library_login(sessions, "8", bob);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_sessions_free(&sessions);
    fixture_fini(&fix);
    return 0;
}

static void
test_form_session_and_time(void **state)
{
    static const struct {
        const char *name;
        const char *made_for; /* a cookie */
        const char *made_in;
        const char *sent_by;
        const char *sent_in;
        int64_t after; /* seconds */
        int want;
    } rows[] = {
        {"the same", alice, "delete", alice, "delete", 0, PST_E_OK},
        {"nobody's", "", "delete", "", "delete", 0, PST_E_OK},
        {"nobody's, without a header", NULL, "delete", NULL, "delete", 0,
         PST_E_OK},
        {"later", "", "delete", "", "delete", 3599, PST_E_OK},
        {"too late", "", "delete", "", "delete", 3600, PST_E_BAD_CSRF},
        {"a slow clock", "", "delete", "", "delete", -60, PST_E_OK},
        {"from the future", "", "delete", "", "delete", -61, PST_E_BAD_CSRF},
        {"another form", alice, "delete", alice, "login", 0, PST_E_BAD_CSRF},
        {"a form that begins so", alice, "delete", alice, "delete2", 0,
         PST_E_BAD_CSRF},
        {"another session", alice, "delete", bob, "delete", 0, PST_E_BAD_CSRF},
        {"nobody's for a session", "", "delete", alice, "delete", 0,
         PST_E_BAD_CSRF},
        {"a session's for nobody", alice, "delete", "", "delete", 0,
         PST_E_BAD_CSRF},
        {"login after a login", "", "login", alice, "login", 0, PST_E_OK},
        {"login after a logout", alice, "login", "", "login", 0, PST_E_OK},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char token[PST_CSRF_SIZE];
        int code;

        library_now = LIBRARY_NOW;
        assert_int_equal(pst_csrf_make(sessions, rows[i].made_for,
                                       rows[i].made_in, token, sizeof(token)),
                         PST_E_OK);
        library_now += rows[i].after;
        code =
            pst_csrf_check(sessions, rows[i].sent_by, rows[i].sent_in, token);
        if (code != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_strerror(code));
    }
}

/* A login form is refused if the present session existed when it was made for
 * another one. */
static void
test_login_brought_here(void **state)
{
    char token[PST_CSRF_SIZE];

    (void)state;
    library_now += 10;
    assert_int_equal(pst_csrf_make(sessions, "", "login", token, sizeof(token)),
                     0);
    assert_int_equal(pst_csrf_check(sessions, alice, "login", token),
                     PST_E_BAD_CSRF);
}

static void
test_nonsense(void **state)
{
    static const char *const forms[] = {NULL, "", "a b", "\"",
                                        "abcdefghijklmnopqrstuvwxyz1234567"};
    char token[PST_CSRF_SIZE];

    (void)state;
    assert_int_equal(pst_csrf_check(sessions, alice, "delete", NULL),
                     PST_E_BAD_CSRF);
    assert_int_equal(pst_csrf_check(sessions, alice, "delete", ""),
                     PST_E_BAD_CSRF);
    assert_int_equal(pst_csrf_check(sessions, alice, "delete", "x"),
                     PST_E_BAD_CSRF);
    /* A session token is not a CSRF token. */
    assert_int_equal(
        pst_csrf_check(sessions, alice, "delete", strchr(alice, '=') + 1),
        PST_E_BAD_CSRF);
    for (size_t i = 0; i < PST_COUNT(forms); i++) {
        assert_int_equal(
            pst_csrf_make(sessions, "", forms[i], token, sizeof(token)),
            PST_E_BAD_ARGUMENT);
        assert_string_equal(token, "");
        assert_int_equal(pst_csrf_check(sessions, "", forms[i], "x"),
                         PST_E_BAD_ARGUMENT);
    }
    assert_int_equal(pst_csrf_make(sessions, "",
                                   "abcdefghijklmnopqrstuvwxyz-_1234", token,
                                   sizeof(token)),
                     PST_E_OK);
    assert_int_equal(pst_csrf_make(sessions, "", "a", token, 50),
                     PST_E_TOO_SMALL);
    assert_string_equal(token, "");
}

/* Tokens of the programs are valid here and the other way round, also for a
 * guest's session. */
static void
test_shared_with_the_programs(void **state)
{
    static const struct {
        enum csrf_token_form form;
        const char *name;
        bool is_guest;
    } rows[] = {{CSRF_TOKEN_LOGIN, "login", false},
                {CSRF_TOKEN_LOGOUT, "logout", false},
                {CSRF_TOKEN_LOGIN, "login", true},
                {CSRF_TOKEN_LOGOUT, "logout", true}};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        static struct fixture_session session;
        char token[PST_CSRF_SIZE];
        struct pst_str theirs;
        const char *cookie;
        struct auth auth;

        fixture_begin(&fix, rows[i].is_guest, &session);
        cookie = session.cookie + strlen("HTTP_COOKIE=");
        assert_int_equal(fixture_enter(&fix, &auth, "REQUEST_METHOD=GET",
                                       session.cookie, NULL),
                         PST_OK);
        assert_true(auth.has_session);
        assert_int_equal(
            csrf_token_make(&fix.ctx, fix.arena, &auth, rows[i].form, &theirs),
            PST_OK);
        assert_true(theirs.len < sizeof(token));
        memcpy(token, theirs.ptr, theirs.len);
        token[theirs.len] = '\0';
        assert_int_equal(pst_csrf_check(sessions, cookie, rows[i].name, token),
                         PST_E_OK);
        assert_int_equal(pst_csrf_check(sessions, cookie, "other", token),
                         PST_E_BAD_CSRF);
        assert_int_equal(
            pst_csrf_make(sessions, cookie, rows[i].name, token, sizeof(token)),
            PST_E_OK);
        assert_int_equal(csrf_token_check(&fix.ctx, &fix.req, &auth,
                                          rows[i].form, pst_str_from(token)),
                         PST_OK);
    }
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_form_session_and_time),
        ROW(test_login_brought_here),
        ROW(test_nonsense),
        ROW(test_shared_with_the_programs),
    };
#undef ROW

    return cmocka_run_group_tests(tests, NULL, NULL);
}
