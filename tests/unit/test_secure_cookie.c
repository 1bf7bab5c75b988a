/* SPDX-License-Identifier: ISC */
/*
 * test_secure_cookie.c - on which sites a browser drops our Secure cookie, and
 * that it is logged once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/secure_cookie.h"

#define GET "REQUEST_METHOD=GET"
#define ORIGIN "POSTERN_ORIGIN="
#define FIREFOX "HTTP_USER_AGENT=Mozilla/5.0 (X11; rv:140.0) Firefox/140.0"
#define SAFARI \
    "HTTP_USER_AGENT=Mozilla/5.0 (Macintosh) Version/18.0 Safari/605.1.15"

static struct fixture fix;

static bool
is_dropped(const char *const *settings, const char *const *variables)
{
    bool dropped;

    fixture_init(&fix, settings);
    fixture_request(&fix, variables, NULL);
    dropped = secure_cookie_is_dropped(&fix.ctx, &fix.req);
    fixture_fini(&fix);
    return dropped;
}

static void
test_dropped(void **state)
{
    static const struct {
        const char *name;
        const char *settings[3];
        const char *variables[5];
        bool want;
    } rows[] = {
        {"https", {ORIGIN "https://a.example"}, {GET, FIREFOX}, false},
        {"http", {ORIGIN "http://a.example"}, {GET, FIREFOX}, true},
        {"no browser", {ORIGIN "http://a.example"}, {GET}, true},
        {"http, not Secure",
         {ORIGIN "http://a.example", "POSTERN_COOKIE_SECURE=off"},
         {GET, FIREFOX},
         false},
        {"http, no cookie",
         {ORIGIN "http://a.example", "POSTERN_TOKEN_METHOD=bearer"},
         {GET, FIREFOX},
         false},
        {"a page that the browser trusts",
         {ORIGIN "http://a.example"},
         {GET, FIREFOX, "HTTP_SEC_FETCH_SITE=none"},
         false},
        {"localhost", {ORIGIN "http://localhost"}, {GET, FIREFOX}, false},
        {"localhost, Safari",
         {ORIGIN "http://localhost:8080"},
         {GET, SAFARI, "HTTP_SEC_FETCH_SITE=none"},
         true},
        {"127.0.0.1", {ORIGIN "http://127.0.0.1:8080"}, {GET, FIREFOX}, false},
        {"::1, Safari", {ORIGIN "http://[::1]"}, {GET, SAFARI}, true},
        {"not localhost",
         {ORIGIN "http://localhost.example"},
         {GET, FIREFOX},
         true},
        {"https, Safari", {ORIGIN "https://localhost"}, {GET, SAFARI}, false},
        {"by the server's variables",
         {NULL},
         {GET, FIREFOX, "SERVER_NAME=a.example", "SERVER_PORT=80"},
         true},
        {"by the server's variables, https",
         {NULL},
         {GET, FIREFOX, "SERVER_NAME=a.example", "HTTPS=on"},
         false},
        {"unknown", {NULL}, {GET, FIREFOX}, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        if (is_dropped(rows[i].settings, rows[i].variables) != rows[i].want)
            fail_msg("%s", rows[i].name);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropped),
    };

    return cmocka_run_group_tests_name("secure cookie", tests, NULL, NULL);
}
