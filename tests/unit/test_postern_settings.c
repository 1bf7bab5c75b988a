/* SPDX-License-Identifier: ISC */
/*
 * test_postern_settings.c - which settings the public library accepts, the
 * reasons for which it refuses others, and the name and attributes of the
 * cookie, which are those of the programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "library.h"

#define SETTING(...)                           \
    {                                          \
        .secrets = LIBRARY_SECRET, __VA_ARGS__ \
    }
#define DAY 86400

static char long_text[2000];

static int
set_up(void **state)
{
    (void)state;
    library_now = LIBRARY_NOW;
    memset(long_text, 'a', sizeof(long_text) - 1);
    return 0;
}

static void
test_refused(void **state)
{
    const struct {
        struct pst_settings settings;
        const char *want; /* in the reason */
    } rows[] = {
        {{.secrets = NULL}, "there is no secret"},
        {{.secrets = " "}, "there is no secret"},
        {{.secrets = "short"}, "shorter than 32"},
        {{.secrets = LIBRARY_SECRET " " LIBRARY_SECRET}, "same as an earlier"},
        {{.secrets = LIBRARY_SECRET "\x01"}, "control character"},
        {SETTING(.audience = "a\nb"), "control character"},
        {SETTING(.audience = long_text), "audience"},
        {SETTING(.cookie_name = "a b"), "token"},
        {SETTING(.cookie_name = "__host-a"), "spell its prefix"},
        {SETTING(.cookie_name = "__Host-"), "name after its prefix"},
        {SETTING(.cookie_name = long_text), "longer than 255"},
        {SETTING(.cookie_name = "__Host-a", .cookie_path = "/a"), "Path=/"},
        {SETTING(.cookie_name = "__Secure-a", .flags = PST_SETTING_INSECURE),
         "Secure"},
        {SETTING(.cookie_domain = ".example.com"), "domain"},
        {SETTING(.cookie_path = "a"), "path"},
        {SETTING(.cookie_path = "/a; Domain=b"), "path"},
        {SETTING(.cookie_path = long_text), "path"},
        {SETTING(.same_site = "lax"), "same_site"},
        {SETTING(.same_site = "None", .flags = PST_SETTING_INSECURE),
         "SameSite=None must have Secure"},
        {SETTING(.flags = PST_SETTING_PARTITIONED), "PARTITIONED needs"},
        {SETTING(.flags = 16), "flags"},
        {SETTING(.reserved = 1), "reserved"},
        {SETTING(.idle = -1), "between 1 second and 400 days"},
        {SETTING(.lifetime = 401 * DAY), "between 1 second and 400 days"},
        {SETTING(.remember = -1), "between 1 second and 400 days"},
        {SETTING(.guest = INT64_MAX), "between 1 second and 400 days"},
        {SETTING(.lifetime = 60), "idle must not be longer than lifetime"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_settings settings = rows[i].settings;
        struct pst_sessions *sessions = NULL;
        const char *reason = NULL;
        int code;

        settings.size = sizeof(settings);
        code = pst_sessions_new(&sessions, &settings, &reason);
        if (code != PST_E_BAD_SETTING || sessions ||
            !strstr(reason, rows[i].want))
            fail_msg("row %zu, %s: %s: %s", i, rows[i].want, pst_strerror(code),
                     reason);
        assert_null(strstr(reason, "Vb7n"));
        assert_int_equal(pst_sessions_new(&sessions, &settings, NULL),
                         PST_E_BAD_SETTING);
    }
}

/* The Set-Cookie value that a setting makes, and the one that the programs make
 * from the same variables, up to the token. */
struct same {
    struct pst_settings settings;
    const char *variables[4];
    const char *want; /* before the token */
};

/* Compare a Set-Cookie value of the library with the last one of the
 * programs. */
static void
assert_same_line(struct fixture *fix, const char *want, const char *ours)
{
    const char *theirs = fixture_header(fix, "Set-Cookie");

    assert_memory_equal(ours, want, strlen(want));
    assert_memory_equal(theirs, want, strlen(want));
    assert_string_equal(strchr(ours, ';'), strchr(theirs, ';'));
}

static void
compare_with_the_programs(const struct same *row)
{
    static char line[PST_LINE_SIZE + 16] = "HTTP_COOKIE=";
    static struct fixture_session session;
    static struct fixture fix;
    struct pst_account account = {
        .size = sizeof(account), .subject = "7", .name = "a"};
    struct pst_visitor visitor = {.size = sizeof(visitor)};
    struct pst_settings settings = row->settings;
    struct pst_sessions *sessions;
    struct auth auth;

    settings.size = sizeof(settings);
    settings.flags |= PST_SETTING_GUESTS;
    settings.clock = library_settings().clock;
    settings.clock_context = &library_now;
    sessions = library_new(&settings);
    fixture_init(&fix, row->variables);

    fixture_begin(&fix, false, &session);
    assert_int_equal(pst_login(sessions, &account, line + 12, PST_LINE_SIZE),
                     0);
    assert_same_line(&fix, row->want, line + 12);
    library_cut(line);
    assert_int_equal(
        fixture_enter(&fix, &auth, "REQUEST_METHOD=GET", line, NULL), PST_OK);
    assert_true(auth.has_session);
    assert_int_equal(pst_check(sessions, session.cookie + 12, &visitor), 0);
    assert_int_equal(visitor.expires, session.auth.session.exp);

    /* A guest's cookie has the same attributes, but its own Max-Age. */
    fixture_begin(&fix, true, &session);
    account.subject = NULL;
    assert_int_equal(pst_login(sessions, &account, line + 12, PST_LINE_SIZE),
                     0);
    assert_same_line(&fix, "", line + 12);
    library_cut(line);
    assert_int_equal(
        fixture_enter(&fix, &auth, "REQUEST_METHOD=GET", line, NULL), PST_OK);
    assert_true(auth.has_session);
    assert_int_equal(pst_check(sessions, session.cookie + 12, &visitor), 0);
    assert_true(visitor.guest);
    pst_sessions_free(&sessions);
    fixture_fini(&fix);
}

static void
test_the_programs_have_the_same(void **state)
{
    static const struct same rows[] = {
        {SETTING(.idle = 0), {NULL}, "__Host-Http-session="},
        {SETTING(.cookie_name = "id"),
         {"POSTERN_COOKIE_NAME=id"},
         "__Host-Http-id="},
        {SETTING(.cookie_name = "__Host-id"),
         {"POSTERN_COOKIE_NAME=__Host-id"},
         "__Host-id="},
        {SETTING(.cookie_path = "/app"),
         {"POSTERN_COOKIE_PATH=/app"},
         "__Secure-session="},
        {SETTING(.cookie_domain = "example.com"),
         {"POSTERN_COOKIE_DOMAIN=example.com"},
         "__Secure-session="},
        {SETTING(.flags = PST_SETTING_INSECURE, .same_site = "Strict"),
         {"POSTERN_COOKIE_SECURE=off", "POSTERN_COOKIE_SAMESITE=Strict"},
         "session="},
        {SETTING(.flags = PST_SETTING_PARTITIONED, .same_site = "None"),
         {"POSTERN_COOKIE_PARTITIONED=on", "POSTERN_COOKIE_SAMESITE=None"},
         "__Host-Http-session="},
        {SETTING(.audience = "shop"),
         {"POSTERN_AUDIENCE=shop"},
         "__Host-Http-session="},
        {SETTING(.flags = PST_SETTING_SIGNED),
         {"POSTERN_TOKEN_FORMAT=signed"},
         "__Host-Http-session="},
        {SETTING(.idle = 600, .lifetime = 700, .guest = 5 * DAY),
         {"POSTERN_IDLE_TIMEOUT=600", "POSTERN_LIFETIME=700",
          "POSTERN_GUEST_LIFETIME=5d"},
         "__Host-Http-session="},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        print_message("row %zu\n", i);
        compare_with_the_programs(&rows[i]);
    }
}

/* A session opens only with the audience, cookie name and format that it was
 * made with. */
static void
test_audience(void **state)
{
    static const struct {
        struct pst_settings settings;
        int want;
    } rows[] = {
        {SETTING(.audience = "session"), PST_E_OK},
        {SETTING(.audience = "shop"), PST_E_NO_SESSION},
        {SETTING(.audience = "Session"), PST_E_NO_SESSION},
        {SETTING(.flags = PST_SETTING_SIGNED), PST_E_NO_SESSION},
        {{.secrets = LIBRARY_OTHER_SECRET}, PST_E_NO_SESSION},
        {{.secrets = LIBRARY_OTHER_SECRET " " LIBRARY_SECRET}, PST_E_OK},
        {{.secrets = "\t" LIBRARY_SECRET "\r\n"}, PST_E_OK},
    };
    struct pst_settings usual = library_settings();
    struct pst_sessions *first = library_new(&usual);
    static char cookie[PST_LINE_SIZE];

    (void)state;
    library_login(first, "7", cookie);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_settings settings = rows[i].settings;
        struct pst_visitor visitor;
        struct pst_sessions *other;

        settings.size = sizeof(settings);
        settings.clock = usual.clock;
        settings.clock_context = usual.clock_context;
        other = library_new(&settings);
        if (library_check(other, cookie, "", &visitor) != rows[i].want)
            fail_msg("row %zu", i);
        pst_sessions_free(&other);
    }
    pst_sessions_free(&first);
}

/* Without a clock in the settings, the library uses the system's. */
static void
test_system_clock(void **state)
{
    struct pst_settings settings = library_settings();
    struct pst_sessions *sessions;
    struct pst_visitor visitor;
    static char cookie[PST_LINE_SIZE];

    (void)state;
    settings.clock = NULL;
    sessions = library_new(&settings);
    library_login(sessions, "7", cookie);
    assert_int_equal(library_check(sessions, cookie, "", &visitor), 0);
    assert_true(visitor.since > LIBRARY_NOW);
    pst_sessions_free(&sessions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_refused, set_up),
        cmocka_unit_test_setup(test_the_programs_have_the_same, set_up),
        cmocka_unit_test_setup(test_audience, set_up),
        cmocka_unit_test_setup(test_system_clock, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
