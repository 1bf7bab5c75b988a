/* SPDX-License-Identifier: ISC */
/*
 * test_postern_caller.c - arguments and results of the public library: buffers
 * of any size, structs of other versions, NULL, and error codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "library.h"

static struct pst_sessions *sessions;
static char cookie[PST_LINE_SIZE];

static int
set_up(void **state)
{
    struct pst_settings settings = library_settings();

    (void)state;
    library_now = LIBRARY_NOW;
    sessions = library_new(&settings);
    library_login(sessions, "7", cookie);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_sessions_free(&sessions);
    return 0;
}

static int
call_login(char *out, size_t size)
{
    struct pst_account account = {.size = sizeof(account), .subject = "7"};

    return pst_login(sessions, &account, out, size);
}

static int
call_renew(char *out, size_t size)
{
    return pst_renew(sessions, cookie, out, size);
}

static int
call_logout(char *out, size_t size)
{
    return pst_logout_cookie(sessions, cookie, 0, out, size);
}

static int
call_csrf(char *out, size_t size)
{
    return pst_csrf_make(sessions, cookie, "form", out, size);
}

/* Every size of a buffer, each in its own allocation, so that a sanitizer finds
 * an overflow. */
static void
test_buffers(void **state)
{
    static const struct {
        int (*call)(char *out, size_t size);
        size_t most;
    } rows[] = {{call_login, PST_LINE_SIZE},
                {call_renew, PST_LINE_SIZE},
                {call_logout, PST_LINE_SIZE},
                {call_csrf, PST_CSRF_SIZE}};

    (void)state;
    library_now += 1000;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        static char whole[PST_LINE_SIZE];
        size_t len;

        assert_int_equal(rows[i].call(whole, rows[i].most), PST_E_OK);
        len = strlen(whole);
        assert_true(len > 50 && len < rows[i].most);
        assert_int_equal(rows[i].call(NULL, 100), PST_E_BAD_ARGUMENT);
        for (size_t size = 0; size <= len + 1; size++) {
            char *out = malloc(size + 1);
            int code;

            assert_non_null(out);
            memset(out, 'x', size + 1);
            code = rows[i].call(out, size);
            assert_int_equal(code, size == 0     ? PST_E_BAD_ARGUMENT
                                   : size <= len ? PST_E_TOO_SMALL
                                                 : PST_E_OK);
            assert_int_equal(strnlen(out, size), size == len + 1 ? len : 0);
            assert_int_equal(out[size], 'x');
            free(out);
        }
    }
}

static void
test_null(void **state)
{
    struct pst_settings settings = library_settings();
    struct pst_visitor visitor = {.size = sizeof(visitor), .subject = "8"};
    struct pst_account account = {.size = sizeof(account), .subject = "7"};
    struct pst_sessions *none = NULL;
    static char line[PST_LINE_SIZE];

    (void)state;
    assert_int_equal(pst_sessions_new(NULL, &settings, NULL),
                     PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_sessions_new(&none, NULL, NULL), PST_E_BAD_ARGUMENT);
    pst_sessions_free(NULL);
    pst_sessions_free(&none);
    assert_int_equal(pst_login(NULL, &account, line, sizeof(line)),
                     PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_login(sessions, NULL, line, sizeof(line)),
                     PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_check(NULL, cookie, &visitor), PST_E_BAD_ARGUMENT);
    assert_string_equal(visitor.subject, "");
    assert_int_equal(pst_check(sessions, cookie, NULL), PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_renew(NULL, cookie, line, sizeof(line)),
                     PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_logout_cookie(NULL, cookie, 0, line, sizeof(line)),
                     PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_csrf_make(NULL, cookie, "a", line, sizeof(line)),
                     PST_E_BAD_ARGUMENT);
    assert_int_equal(pst_csrf_check(NULL, cookie, "a", "b"),
                     PST_E_BAD_ARGUMENT);
}

/* A struct from an older header is shorter. One from a newer header is longer,
 * and is refused unless its unknown members are 0. */
static void
test_other_versions(void **state)
{
    struct {
        struct pst_settings known;
        int64_t later;
    } settings = {library_settings(), 0};
    struct {
        struct pst_account known;
        int64_t later;
    } account = {{.subject = "7"}, 0};
    struct {
        struct pst_visitor known;
        int64_t later;
    } visitor = {{.size = sizeof(visitor)}, 5};
    struct pst_sessions *other = NULL;
    static char line[PST_LINE_SIZE];

    (void)state;
    settings.known.size = sizeof(settings);
    assert_int_equal(pst_sessions_new(&other, &settings.known, NULL), 0);
    pst_sessions_free(&other);
    settings.later = 1;
    assert_int_equal(pst_sessions_new(&other, &settings.known, NULL),
                     PST_E_BAD_ARGUMENT);
    settings.known.size = sizeof(settings.known) - 1;
    assert_int_equal(pst_sessions_new(&other, &settings.known, NULL),
                     PST_E_BAD_ARGUMENT);
    settings.known.size = 0;
    assert_int_equal(pst_sessions_new(&other, &settings.known, NULL),
                     PST_E_BAD_ARGUMENT);

    account.known.size = sizeof(account);
    assert_int_equal(pst_login(sessions, &account.known, line, sizeof(line)),
                     0);
    account.later = 1;
    assert_int_equal(pst_login(sessions, &account.known, line, sizeof(line)),
                     PST_E_BAD_ARGUMENT);
    account.known.size = 0;
    assert_int_equal(pst_login(sessions, &account.known, line, sizeof(line)),
                     PST_E_BAD_ARGUMENT);

    assert_int_equal(pst_check(sessions, cookie, &visitor.known), 0);
    assert_string_equal(visitor.known.subject, "7");
    assert_int_equal(visitor.known.size, sizeof(visitor));
    assert_int_equal(visitor.later, 0);
    visitor.known.size = sizeof(visitor.known) - 1;
    assert_int_equal(pst_check(sessions, cookie, &visitor.known),
                     PST_E_BAD_ARGUMENT);
}

/* Each code has a sentence, and no two have the same. */
static void
test_strerror(void **state)
{
    const char *unknown = pst_strerror(PST_E_INTERNAL + 1);

    (void)state;
    assert_string_equal(pst_strerror(-1), unknown);
    assert_string_equal(pst_strerror(INT32_MAX), unknown);
    for (int a = PST_E_OK; a <= PST_E_INTERNAL; a++) {
        assert_true(strlen(pst_strerror(a)) > 5);
        assert_string_not_equal(pst_strerror(a), unknown);
        for (int b = PST_E_OK; b < a; b++)
            assert_string_not_equal(pst_strerror(a), pst_strerror(b));
    }
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_buffers),
        ROW(test_null),
        ROW(test_other_versions),
        ROW(test_strerror),
    };
#undef ROW

    return cmocka_run_group_tests(tests, NULL, NULL);
}
