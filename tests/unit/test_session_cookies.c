/* SPDX-License-Identifier: ISC */
/*
 * test_session_cookies.c - our cookies found in a request, described, and
 * cleared in every variant that a configuration may have set.
 */
#include "gateway/session_cookies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

#define USER "__Host-Http-session"

static struct fixture fix;

static void
test_found(void **state)
{
    static const struct {
        const char *name;
        const char *header;
        size_t user;
        size_t guest;
        size_t older;
        const char *value; /* the first of the user's */
    } rows[] = {
        {"no header (L9)", NULL, 0, 0, 0, NULL},
        {"empty header (L8)", "", 0, 0, 0, NULL},
        {"=", "=", 0, 0, 0, NULL},
        {";;", ";;", 0, 0, 0, NULL},
        {"alone", USER "=v", 1, 0, 0, "v"},
        {"among others", "a=1; " USER "=v; b=2", 1, 0, 0, "v"},
        {"empty value", USER "=", 1, 0, 0, ""},
        {"one of each", USER "-guest=g; __Host-session=o; " USER "=v", 1, 1, 1,
         "v"},
        {"two of them (R40)", USER "=v; a=b; " USER "=w", 2, 0, 0, "v"},
        {"another case is another name (R41)",
         "__host-http-session=x; " USER "=v", 1, 0, 0, "v"},
        {"only another case (R41)", "__HOST-HTTP-SESSION=x", 0, 0, 0, NULL},
        {"only a beginning", "__Host-Http-=x; " USER "s=y", 0, 0, 0, NULL},
        {"behind a comma", "a=b, " USER "=v", 0, 0, 0, NULL},
        {"joined by a server with a comma", USER "=v, a=b", 1, 0, 0, "v, a=b"},
        {"percent spelling", "__Host%2DHttp-session=x", 0, 0, 0, NULL},
        {"without =", USER "; a=b", 0, 0, 0, NULL},
        {"nameless in its shape", "=" USER "=v", 0, 0, 0, NULL},
        {"a dropped pair does not count", USER "=\x01; " USER "=v", 1, 0, 0,
         "v"},
        {"between quotes", "a=\"b; " USER "=v; c=\"", 1, 0, 0, "v"},
        {"more than are looked at",
         USER "=1;" USER "=2;" USER "=3;" USER "=4;" USER "=5;" USER "=6;" USER
              "=7;" USER "=8;" USER "=9",
         9, 0, 0, "1"},
    };

    (void)state;
    fixture_init(&fix, NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct session_cookies cookies;

        session_cookies_find(fix.config, pst_str_from(rows[i].header),
                             &cookies);
        if (cookies.count[SESSION_COOKIES_USER] != rows[i].user ||
            cookies.count[SESSION_COOKIES_GUEST] != rows[i].guest ||
            cookies.count[SESSION_COOKIES_OLDER] != rows[i].older ||
            !pst_str_equal(cookies.values[SESSION_COOKIES_USER][0],
                           pst_str_from(rows[i].value)))
            fail_msg("%s", rows[i].name);
    }
    fixture_fini(&fix);
}

/* Too many cookies of one kind leave those of the others as they are. */
static void
test_too_many_of_one_kind(void **state)
{
    const struct pst_str header = PST_STR(
        "__Host-Http-session-guest=g; " USER "=1;" USER "=2;" USER "=3;" USER
        "=4;" USER "=5;" USER "=6;" USER "=7;" USER "=8;" USER "=9");
    struct session_cookies cookies;

    (void)state;
    fixture_init(&fix, NULL);
    session_cookies_find(fix.config, header, &cookies);
    assert_int_equal(cookies.count[SESSION_COOKIES_USER], 9);
    assert_true(
        pst_str_equal(cookies.values[SESSION_COOKIES_GUEST][0], PST_STR("g")));
    fixture_fini(&fix);
}

static void
test_described(void **state)
{
    static const struct {
        const char *settings[4];
        const char *user;
        const char *guest;
        const char *older;
    } rows[] = {
        {{NULL}, USER, USER "-guest", "__Host-session"},
        {{"POSTERN_COOKIE_NAME=__Host-a", NULL},
         "__Host-a",
         "__Host-a-guest",
         NULL},
        {{"POSTERN_COOKIE_PATH=/a", NULL},
         "__Secure-session",
         "__Secure-session-guest",
         NULL},
        {{"POSTERN_COOKIE_SECURE=off", NULL}, "session", "session-guest", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const want[] = {
            [SESSION_COOKIES_USER] = rows[i].user,
            [SESSION_COOKIES_GUEST] = rows[i].guest,
            [SESSION_COOKIES_OLDER] = rows[i].older,
        };

        fixture_init(&fix, rows[i].settings);
        for (unsigned kind = 0; kind < SESSION_COOKIES_KINDS; kind++) {
            struct pst_cookie cookie =
                session_cookies_describe(fix.config, kind);

            assert_true(pst_str_equal(cookie.name, pst_str_from(want[kind])));
            assert_true(cookie.http_only);
            assert_true(pst_str_equal(cookie.path, fix.config->cookie.path));
        }
        fixture_fini(&fix);
    }
}

/* R42, U32: every variant, each once (R37), and what is configured first. */
static void
test_cleared(void **state)
{
    static const struct {
        const char *name;
        const char *settings[5];
        const char *lines[9]; /* NULL at the end */
    } rows[] = {
        {"as it comes",
         {NULL},
         {USER "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
          USER "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None; "
               "Partitioned",
          NULL}},
        {"partitioned",
         {"POSTERN_COOKIE_PARTITIONED=on", "POSTERN_COOKIE_SAMESITE=None",
          NULL},
         {USER "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None; "
               "Partitioned",
          USER "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None", NULL}},
        {"without Secure there was no partition",
         {"POSTERN_COOKIE_SECURE=off", NULL},
         {"session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", NULL}},
        {"with a Path",
         {"POSTERN_COOKIE_PATH=/a", "POSTERN_COOKIE_SECURE=off", NULL},
         {"session=; Path=/a; Max-Age=0; HttpOnly; SameSite=Lax",
          "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", NULL}},
        {"with a Domain and a Path",
         {"POSTERN_COOKIE_DOMAIN=a.example", "POSTERN_COOKIE_PATH=/a",
          "POSTERN_COOKIE_NAME=__Secure-s", NULL},
         {"__Secure-s=; Path=/a; Domain=a.example; Max-Age=0; HttpOnly; "
          "Secure; SameSite=Lax",
          "__Secure-s=; Path=/; Domain=a.example; Max-Age=0; HttpOnly; "
          "Secure; SameSite=Lax",
          "__Secure-s=; Path=/a; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
          "__Secure-s=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
          "__Secure-s=; Path=/a; Domain=a.example; Max-Age=0; HttpOnly; "
          "Secure; SameSite=None; Partitioned",
          "__Secure-s=; Path=/; Domain=a.example; Max-Age=0; HttpOnly; "
          "Secure; SameSite=None; Partitioned",
          "__Secure-s=; Path=/a; Max-Age=0; HttpOnly; Secure; SameSite=None; "
          "Partitioned",
          "__Secure-s=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None; "
          "Partitioned"}},
    };
    static const char *const variables[] = {"REQUEST_METHOD=GET", NULL};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        size_t count = 0;

        fixture_init(&fix, rows[i].settings);
        fixture_request(&fix, variables, NULL);
        session_cookies_clear(fix.config, &fix.res, SESSION_COOKIES_USER);
        session_cookies_clear(fix.config, &fix.res, SESSION_COOKIES_USER);
        while (rows[i].lines[count]) {
            if (!fixture_has(&fix, "Set-Cookie", rows[i].lines[count]))
                fail_msg("%s: %s", rows[i].name, rows[i].lines[count]);
            count++;
        }
        assert_int_equal(fixture_count(&fix, "Set-Cookie"), count);
        fixture_request(&fix, variables, NULL);
        session_cookies_clear(fix.config, &fix.res, SESSION_COOKIES_USER);
        assert_true(
            pst_str_equal(response_get_header(&fix.res, PST_STR("Set-Cookie")),
                          pst_str_from(rows[i].lines[0])));
        fixture_fini(&fix);
    }
}

/* If an allocation fails, no response is sent. */
static void
test_no_memory(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=GET", NULL};
    size_t n = 0;
    enum pst_err e;

    (void)state;
    fixture_init(&fix, NULL);
    do {
        fixture_request(&fix, variables, NULL);
        pst_arena_fail_at(fix.arena, ++n);
        session_cookies_clear(fix.config, &fix.res, SESSION_COOKIES_GUEST);
        e = response_begin(&fix.res);
        assert_true(!e || e == PST_NO_MEMORY);
        assert_true(e == PST_OK || fix.out_len == 0);
    } while (e && n < 100);
    assert_true(n > 2 && n < 100);
    assert_int_equal(fixture_count(&fix, "Set-Cookie"), 2);
    fixture_fini(&fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_too_many_of_one_kind),
        cmocka_unit_test(test_described),
        cmocka_unit_test(test_cleared),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("cookies", tests, NULL, NULL);
}
