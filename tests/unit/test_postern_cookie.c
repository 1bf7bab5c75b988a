/* SPDX-License-Identifier: ISC */
/*
 * test_postern_cookie.c - which of a request's cookies is the session for the
 * public library (design 2.1), which cookies it clears, and that threads may
 * share one object.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "library.h"

#define NAME "__Host-Http-session"
#define THREADS 4
#define TURNS 300

static struct pst_sessions *sessions; /* allows guests */

static int
set_up(void **state)
{
    struct pst_settings settings = library_settings();

    (void)state;
    library_now = LIBRARY_NOW;
    settings.flags = PST_SETTING_GUESTS;
    sessions = library_new(&settings);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_sessions_free(&sessions);
    return 0;
}

/* The same token as a cookie of another name. The buffers must not overlap. */
static void
rename_cookie(char *out, const char *name, const char *cookie)
{
    snprintf(out, PST_LINE_SIZE, "%s=%s", name, strchr(cookie, '=') + 1);
}

static void
test_two_of_one_name(void **state)
{
    static char first[PST_LINE_SIZE];
    static char second[PST_LINE_SIZE];
    static char newer[PST_LINE_SIZE];
    static char forged[PST_LINE_SIZE];
    const struct {
        const char *name;
        const char *a;
        const char *b;
        const char *subject; /* NULL: there is no session */
    } rows[] = {
        {"one", first, "", "7"},
        {"the same twice", first, first, "7"},
        {"an older copy first", first, newer, "7"},
        {"a newer copy first", newer, first, "7"},
        {"a forged one first", forged, first, "7"},
        {"a forged one second", first, forged, "7"},
        {"two sessions", first, second, NULL},
        {"two sessions, turned", second, first, NULL},
        {"two forged ones", forged, forged, NULL},
    };
    struct pst_visitor visitor;

    (void)state;
    library_login(sessions, "7", first);
    library_login(sessions, "7", second);
    library_now += 1000;
    assert_int_equal(pst_renew(sessions, first, newer, sizeof(newer)), 0);
    library_cut(newer);
    memcpy(forged, first, sizeof(forged));
    forged[strlen(forged) - 1] ^= 2;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int code = library_check(sessions, rows[i].a, rows[i].b, &visitor);

        if (code != (rows[i].subject ? PST_E_OK : PST_E_NO_SESSION))
            fail_msg("%s: %s", rows[i].name, pst_strerror(code));
        if (rows[i].subject)
            assert_string_equal(visitor.subject, rows[i].subject);
        if (rows[i].a == newer || rows[i].b == newer)
            assert_int_equal(visitor.idle_expires, LIBRARY_NOW + 1000 + 1800);
    }
}

/* More copies than a browser can have are an attack. */
static void
test_too_many(void **state)
{
    static char cookie[PST_LINE_SIZE];
    static char header[10 * PST_LINE_SIZE];
    struct pst_visitor visitor = {.size = sizeof(visitor)};
    size_t len = 0;

    (void)state;
    library_login(sessions, "7", cookie);
    for (unsigned i = 1; i <= 9; i++) {
        len += (size_t)snprintf(header + len, sizeof(header) - len, "%s; ",
                                cookie);
        assert_int_equal(pst_check(sessions, header, &visitor),
                         i <= 8 ? PST_E_OK : PST_E_NO_SESSION);
    }
}

/* The memory of a call is enough for eight copies of the largest session and a
 * CSRF token. */
static void
test_largest(void **state)
{
    static char claims[PST_CLAIMS_SIZE];
    static char subject[PST_SUBJECT_SIZE];
    static char cookie[PST_LINE_SIZE];
    static char header[9 * PST_LINE_SIZE];
    struct pst_account account = {.size = sizeof(account),
                                  .subject = subject,
                                  .name = subject,
                                  .claims = claims};
    struct pst_visitor visitor = {.size = sizeof(visitor)};
    char token[PST_CSRF_SIZE];
    size_t len = 0;

    (void)state;
    memset(claims, ' ', sizeof(claims) - 1);
    claims[0] = '{';
    claims[sizeof(claims) - 2] = '}';
    /* As many control characters, of six bytes each in JSON, as fit. */
    memset(subject, 1, sizeof(subject) - 1);
    for (size_t i = 0; pst_login(sessions, &account, cookie, sizeof(cookie)) ==
                       PST_E_TOO_LARGE;
         i++)
        subject[i] = 'a';
    library_cut(cookie);
    assert_in_range(strlen(cookie), 4000, 4097);
    for (unsigned i = 1; i <= 8; i++)
        len += (size_t)snprintf(header + len, sizeof(header) - len, "%s; ",
                                cookie);
    assert_int_equal(pst_check(sessions, header, &visitor), 0);
    assert_string_equal(visitor.subject, subject);
    assert_int_equal(
        pst_csrf_make(sessions, header, "form", token, sizeof(token)), 0);
    assert_int_equal(pst_csrf_check(sessions, header, "form", token), 0);
    library_now += 1000;
    assert_int_equal(pst_renew(sessions, header, cookie, sizeof(cookie)), 0);
}

static void
test_guests(void **state)
{
    struct pst_account nobody = {.size = sizeof(nobody)};
    struct pst_settings settings = library_settings();
    struct pst_sessions *strict = library_new(&settings);
    static char guest[PST_LINE_SIZE];
    static char user[PST_LINE_SIZE];
    static char wrong[PST_LINE_SIZE];
    struct pst_visitor visitor;

    (void)state;
    assert_int_equal(pst_login(strict, &nobody, guest, sizeof(guest)),
                     PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_login(sessions, &nobody, guest, sizeof(guest)), 0);
    assert_memory_equal(guest, NAME "-guest=", sizeof(NAME "-guest"));
    assert_non_null(strstr(guest, "; Max-Age=2592000;"));
    library_cut(guest);
    library_login(sessions, "7", user);

    assert_int_equal(library_check(sessions, guest, "", &visitor), 0);
    assert_true(visitor.guest);
    assert_string_equal(visitor.subject, "");
    assert_int_equal(library_check(strict, guest, "", &visitor),
                     PST_E_NO_SESSION);
    assert_int_equal(pst_renew(strict, guest, wrong, sizeof(wrong)),
                     PST_E_NO_SESSION);
    /* A user's session has precedence. */
    assert_int_equal(library_check(sessions, guest, user, &visitor), 0);
    assert_string_equal(visitor.subject, "7");
    assert_int_equal(library_check(strict, guest, user, &visitor), 0);
    /* Each opens only as the cookie of its own name. */
    rename_cookie(wrong, NAME, guest);
    assert_int_equal(library_check(sessions, wrong, "", &visitor),
                     PST_E_NO_SESSION);
    rename_cookie(wrong, NAME "-guest", user);
    assert_int_equal(library_check(sessions, wrong, "", &visitor),
                     PST_E_NO_SESSION);
    rename_cookie(wrong, "__Host-session", user);
    assert_int_equal(library_check(sessions, wrong, "", &visitor),
                     PST_E_NO_SESSION);
    rename_cookie(wrong, "__host-http-session", user);
    assert_int_equal(library_check(sessions, wrong, "", &visitor),
                     PST_E_NO_SESSION);
    pst_sessions_free(&strict);
}

/* A copy of a revoked guest session was renewed again and again, and outlived
 * the record that it is revoked. Now nothing extends it; after a change of the
 * secret, it is sealed again with the same times. */
static void
test_guest_renewal(void **state)
{
    struct pst_account nobody = {.size = sizeof(nobody)};
    struct pst_settings settings = library_settings();
    static char guest[PST_LINE_SIZE];
    static char cookie[PST_LINE_SIZE];
    struct pst_sessions *both;
    struct pst_visitor visitor;

    (void)state;
    settings.flags = PST_SETTING_GUESTS;
    settings.secrets = LIBRARY_OTHER_SECRET " " LIBRARY_SECRET;
    both = library_new(&settings);
    assert_int_equal(pst_login(sessions, &nobody, guest, sizeof(guest)), 0);
    library_cut(guest);
    for (unsigned day = 1; day < 30; day++) {
        library_now = LIBRARY_NOW + day * 86400;
        assert_int_equal(pst_renew(sessions, guest, cookie, sizeof(cookie)),
                         PST_E_NOT_DUE);
        assert_string_equal(cookie, "");
    }
    assert_int_equal(pst_renew(both, guest, cookie, sizeof(cookie)), 0);
    assert_non_null(strstr(cookie, "; Max-Age=86400;"));
    library_cut(cookie);
    assert_int_equal(library_check(both, cookie, "", &visitor), 0);
    assert_true(visitor.guest);
    assert_int_equal(visitor.since, LIBRARY_NOW);
    assert_int_equal(visitor.expires, LIBRARY_NOW + 2592000);
    assert_int_equal(library_check(sessions, cookie, "", &visitor),
                     PST_E_NO_SESSION);
    assert_int_equal(pst_renew(both, cookie, cookie, sizeof(cookie)),
                     PST_E_NOT_DUE);
    library_now = LIBRARY_NOW + 2592000;
    assert_int_equal(pst_renew(both, guest, cookie, sizeof(cookie)),
                     PST_E_NO_SESSION);
    pst_sessions_free(&both);
}

/* All values that clear cookies, with a newline after each. */
static void
clear_all(const struct pst_sessions *some, const char *header, char *out,
          size_t size)
{
    static char line[PST_LINE_SIZE];
    size_t index = 0;
    size_t len = 0;
    int code;

    out[0] = '\0';
    while ((code = pst_logout_cookie(some, header, index, line,
                                     sizeof(line))) == 0) {
        len += (size_t)snprintf(out + len, size - len, "%s\n", line);
        index++;
    }
    assert_int_equal(code, PST_E_NO_MORE);
    assert_string_equal(line, "");
}

#define CLEAR(name) name "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite="
#define BOTH(name) CLEAR(name) "Lax\n" CLEAR(name) "None; Partitioned\n"

static void
test_clearing(void **state)
{
    static const struct {
        const char *header;
        const char *want;
    } rows[] = {
        {"", BOTH(NAME)},
        {"a=b; " NAME "=x", BOTH(NAME)},
        {NAME "-guest=x; " NAME "=x", BOTH(NAME "-guest") BOTH(NAME)},
        {"__Host-session=x", BOTH("__Host-session") BOTH(NAME)},
        {NULL, BOTH("__Host-session") BOTH(NAME "-guest") BOTH(NAME)},
    };
    struct pst_settings settings = library_settings();
    struct pst_sessions *plain;
    static char lines[8192];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        clear_all(sessions, rows[i].header, lines, sizeof(lines));
        assert_string_equal(lines, rows[i].want);
    }
    settings.flags = PST_SETTING_INSECURE;
    settings.cookie_domain = "example.com";
    settings.cookie_path = "/app";
    plain = library_new(&settings);
    clear_all(plain, "", lines, sizeof(lines));
    assert_string_equal(
        lines, "session=; Path=/app; Domain=example.com; Max-Age=0; HttpOnly; "
               "SameSite=Lax\n"
               "session=; Path=/app; Max-Age=0; HttpOnly; SameSite=Lax\n"
               "session=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; "
               "SameSite=Lax\n"
               "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax\n");
    pst_sessions_free(&plain);
}

/* A signed session is readable, and does not open if a sealed one is
 * expected. */
static void
test_signed(void **state)
{
    struct pst_settings settings = library_settings();
    struct pst_sessions *legible;
    static char cookie[PST_LINE_SIZE];
    struct pst_visitor visitor;

    (void)state;
    settings.flags = PST_SETTING_SIGNED;
    legible = library_new(&settings);
    library_login(legible, "7", cookie);
    assert_int_equal(library_check(legible, cookie, "", &visitor), 0);
    assert_int_equal(library_check(sessions, cookie, "", &visitor),
                     PST_E_NO_SESSION);
    library_now += 450;
    assert_int_equal(pst_renew(legible, cookie, cookie, sizeof(cookie)), 0);
    library_cut(cookie);
    assert_int_equal(library_check(legible, cookie, "", &visitor), 0);
    library_login(sessions, "7", cookie);
    assert_int_equal(library_check(legible, cookie, "", &visitor),
                     PST_E_NO_SESSION);
    pst_sessions_free(&legible);
}

/* The input and the result of one thread. */
struct work {
    const char *subject;
    size_t failures;
    char cookie[PST_LINE_SIZE];
    char token[PST_CSRF_SIZE];
};

/* Call all functions that threads may call at once. cmocka's assertions may not
 * be called in threads. */
static void *
work_turns(void *argument)
{
    struct work *work = argument;
    struct pst_account account = {.size = sizeof(account),
                                  .subject = work->subject};
    struct pst_settings settings = library_settings();

    settings.flags = PST_SETTING_GUESTS;
    for (unsigned i = 0; i < TURNS; i++) {
        struct pst_visitor visitor = {.size = sizeof(visitor)};
        struct pst_sessions *own = NULL;
        size_t *failures = &work->failures;

        *failures += pst_sessions_new(&own, &settings, NULL) != 0;
        *failures += pst_login(own, &account, work->cookie, PST_LINE_SIZE) != 0;
        pst_sessions_free(&own);
        *failures +=
            pst_login(sessions, &account, work->cookie, PST_LINE_SIZE) != 0;
        library_cut(work->cookie);
        *failures += pst_check(sessions, work->cookie, &visitor) != 0;
        *failures += strcmp(visitor.subject, work->subject) != 0;
        *failures += pst_csrf_make(sessions, work->cookie, "form", work->token,
                                   PST_CSRF_SIZE) != 0;
        *failures +=
            pst_csrf_check(sessions, work->cookie, "form", work->token) != 0;
        *failures +=
            pst_renew(sessions, work->cookie, work->token, PST_CSRF_SIZE) == 0;
    }
    return NULL;
}

static void
test_threads(void **state)
{
    static struct work works[THREADS] = {
        {.subject = "1"}, {.subject = "2"}, {.subject = "3"}, {.subject = "4"}};
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, work_turns, &works[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(works[i].failures, 0);
    }
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_threads), /* first: before libgcrypt is initialized */
        ROW(test_two_of_one_name), ROW(test_too_many),      ROW(test_largest),
        ROW(test_guests),          ROW(test_guest_renewal), ROW(test_clearing),
        ROW(test_signed),
    };
#undef ROW

    return cmocka_run_group_tests(tests, NULL, NULL);
}
