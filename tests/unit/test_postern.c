/* SPDX-License-Identifier: ISC */
/*
 * test_postern.c - the public library, through its shared object: which
 * sessions are valid and for how long, renewal, sessions shared with the
 * programs, and what must never change (the ABI).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/token.h"
#include "fixture.h"
#include "library.h"
#include "session/session.h"

/* Programs that are already compiled contain these numbers. */
static_assert(PST_E_OK == 0 && PST_E_NO_SESSION == 1 && PST_E_IN_STORE == 2 &&
                  PST_E_UNCONFIRMED == 3 && PST_E_NOT_TEXT == 4 &&
                  PST_E_NOT_DUE == 5 && PST_E_NO_MORE == 6 &&
                  PST_E_BAD_CSRF == 7 && PST_E_BAD_SETTING == 8 &&
                  PST_E_BAD_ARGUMENT == 9 && PST_E_TOO_SMALL == 10 &&
                  PST_E_TOO_LARGE == 11 && PST_E_NO_MEMORY == 12 &&
                  PST_E_NO_RANDOM == 13 && PST_E_INTERNAL == 14,
              "codes");
static_assert(PST_LINE_SIZE == 6144 && PST_CSRF_SIZE == 512 &&
                  PST_SUBJECT_SIZE == 257 && PST_NAME_SIZE == 257 &&
                  PST_CLAIMS_SIZE == 1025,
              "sizes");
static_assert(PST_SETTING_INSECURE == 1 && PST_SETTING_PARTITIONED == 2 &&
                  PST_SETTING_SIGNED == 4 && PST_SETTING_GUESTS == 8,
              "flags");
#define AT(type, member, where) (offsetof(struct type, member) == (where))
#if UINTPTR_MAX == UINT64_MAX
static_assert(AT(pst_settings, secrets, 8) && AT(pst_settings, audience, 16) &&
                  AT(pst_settings, cookie_name, 24) &&
                  AT(pst_settings, cookie_domain, 32) &&
                  AT(pst_settings, cookie_path, 40) &&
                  AT(pst_settings, same_site, 48) &&
                  AT(pst_settings, flags, 56) && AT(pst_settings, idle, 64) &&
                  AT(pst_settings, lifetime, 72) &&
                  AT(pst_settings, remember, 80) &&
                  AT(pst_settings, guest, 88) && AT(pst_settings, clock, 96) &&
                  AT(pst_settings, clock_context, 104) &&
                  sizeof(struct pst_settings) == 112,
              "struct pst_settings");
static_assert(AT(pst_account, subject, 8) && AT(pst_account, name, 16) &&
                  AT(pst_account, claims, 24) && AT(pst_account, expires, 32) &&
                  AT(pst_account, remember, 40) &&
                  sizeof(struct pst_account) == 48,
              "struct pst_account");
static_assert(AT(pst_visitor, since, 8) && AT(pst_visitor, expires, 16) &&
                  AT(pst_visitor, idle_expires, 24) &&
                  AT(pst_visitor, subject, 32) && AT(pst_visitor, name, 289) &&
                  AT(pst_visitor, claims, 546) &&
                  AT(pst_visitor, remember, 1571) &&
                  AT(pst_visitor, guest, 1572) &&
                  sizeof(struct pst_visitor) == 1576,
              "struct pst_visitor");
#endif

#define COOKIE "__Host-Http-session"
#define HOUR 3600

static struct pst_sessions *sessions;
static struct fixture fix;

static int
set_up(void **state)
{
    struct pst_settings settings = library_settings();

    (void)state;
    library_now = LIBRARY_NOW;
    fixture_init(&fix, NULL);
    sessions = library_new(&settings);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_sessions_free(&sessions);
    assert_null(sessions);
    fixture_fini(&fix);
    return 0;
}

static void
assert_empty(const struct pst_visitor *visitor)
{
    static const struct pst_visitor none;

    assert_int_equal(visitor->size, sizeof(*visitor));
    assert_memory_equal(&visitor->since, &none.since,
                        sizeof(none) - offsetof(struct pst_visitor, since));
}

static void
test_good(void **state)
{
    struct pst_account account = {.size = sizeof(account),
                                  .subject = "7",
                                  .name = "O'Brien \"Ada\"",
                                  .claims = "{\"a\":[1, 2]}"};
    static char line[PST_LINE_SIZE];
    struct pst_visitor visitor;

    (void)state;
    assert_int_equal(pst_login(sessions, &account, line, sizeof(line)), 0);
    assert_non_null(strstr(line, "; Path=/; HttpOnly; Secure; SameSite=Lax"));
    assert_null(strstr(line, "Max-Age"));
    assert_memory_equal(line, COOKIE "=", sizeof(COOKIE));
    library_cut(line);
    assert_int_equal(library_check(sessions, "a=b", line, &visitor), 0);
    assert_string_equal(visitor.subject, "7");
    assert_string_equal(visitor.name, "O'Brien \"Ada\"");
    assert_string_equal(visitor.claims, "{\"a\":[1, 2]}");
    assert_int_equal(visitor.since, LIBRARY_NOW);
    assert_int_equal(visitor.expires, LIBRARY_NOW + 12 * HOUR);
    assert_int_equal(visitor.idle_expires, LIBRARY_NOW + HOUR / 2);
    assert_false(visitor.remember || visitor.guest);
}

static void
test_remembered(void **state)
{
    struct pst_account account = {
        .size = sizeof(account), .subject = "7", .remember = true};
    static char line[PST_LINE_SIZE];
    struct pst_visitor visitor;

    (void)state;
    assert_int_equal(pst_login(sessions, &account, line, sizeof(line)), 0);
    assert_non_null(strstr(line, "; Max-Age=2592000; "));
    library_cut(line);
    library_now += 29 * 24 * HOUR;
    assert_int_equal(library_check(sessions, line, "", &visitor), 0);
    assert_true(visitor.remember);
    assert_string_equal(visitor.name, "");
    assert_string_equal(visitor.claims, "{}");
    library_now += 24 * HOUR;
    assert_int_equal(library_check(sessions, line, "", &visitor),
                     PST_E_NO_SESSION);
}

/* A change of any byte of the token invalidates it. */
static void
test_forged(void **state)
{
    static char cookie[PST_LINE_SIZE];
    struct pst_visitor visitor;

    (void)state;
    library_login(sessions, "7", cookie);
    for (size_t i = sizeof(COOKIE); cookie[i] != '\0'; i++) {
        char was = cookie[i];

        cookie[i] = was == 'A' ? 'B' : 'A';
        if (library_check(sessions, cookie, "", &visitor) != PST_E_NO_SESSION)
            fail_msg("byte %zu may be another one", i);
        assert_empty(&visitor);
        cookie[i] = was;
    }
    assert_int_equal(library_check(sessions, cookie, "", &visitor), 0);
    cookie[strlen(cookie) - 1] = '\0';
    assert_int_equal(library_check(sessions, cookie, "", &visitor),
                     PST_E_NO_SESSION);
}

static void
test_none(void **state)
{
    static const char *const headers[] = {
        "",          ";",   "=",   COOKIE,       COOKIE "=",
        COOKIE "=x", "a=b", "a; ", COOKIE "=\"", "session=abc"};
    struct pst_visitor visitor = {.size = sizeof(visitor), .subject = "8"};

    (void)state;
    assert_int_equal(pst_check(sessions, NULL, &visitor), PST_E_NO_SESSION);
    assert_empty(&visitor);
    for (size_t i = 0; i < PST_COUNT(headers); i++) {
        visitor.subject[0] = '8';
        assert_int_equal(pst_check(sessions, headers[i], &visitor),
                         PST_E_NO_SESSION);
        assert_empty(&visitor);
    }
}

/* Timeouts: seconds after the login, with and without renewals. */
static void
test_clock(void **state)
{
    static const struct {
        int64_t after;
        int want;
    } rows[] = {{HOUR / 2 - 1, PST_E_OK},
                {HOUR / 2, PST_E_NO_SESSION},
                {-60, PST_E_OK},
                {-61, PST_E_NO_SESSION},
                {13 * HOUR, PST_E_NO_SESSION}};
    static char cookie[PST_LINE_SIZE];
    struct pst_visitor visitor;

    (void)state;
    library_login(sessions, "7", cookie);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        library_now = LIBRARY_NOW + rows[i].after;
        if (library_check(sessions, cookie, "", &visitor) != rows[i].want)
            fail_msg("%d seconds after the login", (int)rows[i].after);
    }
    library_now = -1;
    assert_int_equal(library_check(sessions, cookie, "", &visitor),
                     PST_E_INTERNAL);
    library_now = INT64_MAX;
    assert_int_equal(library_check(sessions, cookie, "", &visitor),
                     PST_E_INTERNAL);
}

static void
test_renewal(void **state)
{
    static char cookie[PST_LINE_SIZE];
    static char line[PST_LINE_SIZE] = "x";
    struct pst_visitor visitor;
    unsigned count = 0;

    (void)state;
    library_login(sessions, "7", cookie);
    library_now += HOUR / 8 - 1;
    assert_int_equal(pst_renew(sessions, cookie, line, sizeof(line)),
                     PST_E_NOT_DUE);
    assert_string_equal(line, "");
    library_now++;
    while (count < 1000 &&
           pst_renew(sessions, cookie, cookie, sizeof(cookie)) == 0) {
        library_cut(cookie);
        assert_int_equal(library_check(sessions, cookie, "", &visitor), 0);
        assert_int_equal(visitor.since, LIBRARY_NOW);
        assert_int_equal(visitor.expires, LIBRARY_NOW + 12 * HOUR);
        library_now += HOUR / 8;
        count++;
    }
    /* Nothing extends the lifetime. */
    assert_int_equal(count, 12 * 8 - 1);
    assert_int_equal(library_now, LIBRARY_NOW + 12 * HOUR);
    assert_int_equal(pst_renew(sessions, NULL, line, sizeof(line)),
                     PST_E_NO_SESSION);
}

/* The first secret seals, all secrets open, and a renewal seals with the first
 * one. */
static void
test_rotation(void **state)
{
    struct pst_settings settings = library_settings();
    static char cookie[PST_LINE_SIZE];
    struct pst_sessions *both;
    struct pst_sessions *later;
    struct pst_visitor visitor;

    (void)state;
    library_login(sessions, "7", cookie);
    settings.secrets = LIBRARY_OTHER_SECRET " " LIBRARY_SECRET;
    both = library_new(&settings);
    settings.secrets = LIBRARY_OTHER_SECRET;
    later = library_new(&settings);
    assert_int_equal(library_check(later, cookie, "", &visitor),
                     PST_E_NO_SESSION);
    assert_int_equal(library_check(both, cookie, "", &visitor), 0);
    assert_int_equal(pst_renew(both, cookie, cookie, sizeof(cookie)), 0);
    library_cut(cookie);
    assert_int_equal(library_check(later, cookie, "", &visitor), 0);
    assert_int_equal(library_check(sessions, cookie, "", &visitor),
                     PST_E_NO_SESSION);
    pst_sessions_free(&both);
    pst_sessions_free(&later);
}

static void
test_account(void **state)
{
    static char long_text[1100];
    const struct {
        const char *name;
        struct pst_account account;
        int want;
    } rows[] = {
        {"good", {.subject = "7"}, PST_E_OK},
        {"nobody", {.subject = ""}, PST_E_BAD_ARGUMENT},
        {"no subject", {.name = "a"}, PST_E_BAD_ARGUMENT},
        {"not UTF-8", {.subject = "\xff"}, PST_E_BAD_ARGUMENT},
        {"name not UTF-8",
         {.subject = "7", .name = "\xc3"},
         PST_E_BAD_ARGUMENT},
        {"256 bytes", {.subject = long_text + 1100 - 257}, PST_E_OK},
        {"257 bytes", {.subject = long_text + 1100 - 258}, PST_E_BAD_ARGUMENT},
        {"name of 257 bytes",
         {.subject = "7", .name = long_text + 1100 - 258},
         PST_E_BAD_ARGUMENT},
        {"no JSON", {.subject = "7", .claims = "{"}, PST_E_BAD_ARGUMENT},
        {"no object", {.subject = "7", .claims = "[]"}, PST_E_BAD_ARGUMENT},
        {"no claims", {.subject = "7", .claims = ""}, PST_E_BAD_ARGUMENT},
        {"more claims than one",
         {.subject = "7", .claims = "{},\"sub\":\"8\""},
         PST_E_BAD_ARGUMENT},
        {"a member of the session",
         {.subject = "7",
          .claims = "{\"email\":\"x\"},\"upstream\":{\"admin\":\"1\"}"},
         PST_E_BAD_ARGUMENT},
        {"a token",
         {.subject = "7", .claims = "{},\"upstream\":\"tok\""},
         PST_E_BAD_ARGUMENT},
        {"the key of a stored session",
         {.subject = "7", .claims = "{},\"upstream\":[\"AAAA\"]"},
         PST_E_BAD_ARGUMENT},
        {"a time",
         {.subject = "7", .claims = "{},\"asked\":9999999999"},
         PST_E_BAD_ARGUMENT},
        {"an identity",
         {.subject = "7", .claims = "{},\"known\":\"unknown\""},
         PST_E_BAD_ARGUMENT},
        {"an identity of a guest",
         {.subject = "", .claims = "{},\"known\":\"unknown\""},
         PST_E_BAD_ARGUMENT},
        {"two objects", {.subject = "7", .claims = "{}{}"}, PST_E_BAD_ARGUMENT},
        {"white space around them",
         {.subject = "7", .claims = " {}\n"},
         PST_E_OK},
        {"a member twice",
         {.subject = "7", .claims = "{\"a\":1,\"a\":2}"},
         PST_E_BAD_ARGUMENT},
        {"long claims",
         {.subject = "7", .claims = long_text},
         PST_E_BAD_ARGUMENT},
        {"ended", {.subject = "7", .expires = LIBRARY_NOW}, PST_E_BAD_ARGUMENT},
        {"ended long ago", {.subject = "7", .expires = -1}, PST_E_BAD_ARGUMENT},
        {"ends soon", {.subject = "7", .expires = LIBRARY_NOW + 1}, PST_E_OK},
    };

    (void)state;
    memset(long_text, 'a', sizeof(long_text) - 1);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_account account = rows[i].account;
        static char line[PST_LINE_SIZE] = "x";
        int code;

        account.size = sizeof(account);
        code = pst_login(sessions, &account, line, sizeof(line));
        if (code != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_strerror(code));
        assert_int_equal(line[0] == '\0', code != PST_E_OK);
    }
}

/* A session ends when its account does. */
static void
test_expires(void **state)
{
    struct pst_account account = {
        .size = sizeof(account), .subject = "7", .expires = LIBRARY_NOW + 100};
    static char cookie[PST_LINE_SIZE];
    struct pst_visitor visitor;

    (void)state;
    assert_int_equal(pst_login(sessions, &account, cookie, sizeof(cookie)), 0);
    library_cut(cookie);
    library_now += 99;
    assert_int_equal(library_check(sessions, cookie, "", &visitor), 0);
    assert_int_equal(visitor.expires, LIBRARY_NOW + 100);
    library_now++;
    assert_int_equal(library_check(sessions, cookie, "", &visitor),
                     PST_E_NO_SESSION);
}

/* Sessions of the programs, with and without optional claims. */

static const char *
program_cookie(const struct auth_grant *grant, struct fixture_session *session)
{
    fixture_begin_with(&fix, grant, session);
    return session->cookie + strlen("HTTP_COOKIE=");
}

/* A session of the programs, renewed by the library, still has the backend's
 * credentials for the programs. */
static void
share_session(const struct pst_sessions *ours)
{
    const struct auth_grant grant = {.sub = PST_STR("7"),
                                     .name = PST_STR("a"),
                                     .who = PST_STR("{\"x\":1}"),
                                     .upstream = PST_STR("\"secret\"")};
    static struct fixture_session session;
    static char renewed[PST_LINE_SIZE + 16] = "HTTP_COOKIE=";
    const char *cookie = program_cookie(&grant, &session);
    struct pst_visitor visitor;
    struct auth auth;

    assert_int_equal(library_check(ours, cookie, "", &visitor), 0);
    assert_string_equal(visitor.subject, "7");
    assert_string_equal(visitor.claims, "{\"x\":1}");
    library_now += HOUR / 8;
    assert_int_equal(pst_renew(ours, cookie, renewed + 12, PST_LINE_SIZE), 0);
    library_cut(renewed);
    fix.ctx.now = library_now;
    assert_int_equal(
        fixture_enter(&fix, &auth, "REQUEST_METHOD=GET", renewed, NULL),
        PST_OK);
    assert_true(auth.has_session);
    assert_memory_equal(auth.session.sid, session.auth.session.sid,
                        PST_SID_LEN);
    assert_true(pst_str_equal(auth.session.upstream, PST_STR("\"secret\"")));
    assert_int_equal(auth.session.seen, library_now);
}

static void
test_session_of_the_programs(void **state)
{
    (void)state;
    share_session(sessions);
}

/* In a signed token the claims are readable, but not the backend's token. */
static void
test_signed_session_of_the_programs(void **state)
{
    static const char *const variables[] = {"POSTERN_TOKEN_FORMAT=signed",
                                            NULL};
    struct pst_settings settings = library_settings();
    struct pst_sessions *ours;

    (void)state;
    fixture_fini(&fix);
    fixture_init(&fix, variables);
    settings.flags = PST_SETTING_SIGNED;
    ours = library_new(&settings);
    share_session(ours);
    pst_sessions_free(&ours);
}

static void
test_session_for_the_programs(void **state)
{
    static char cookie[PST_LINE_SIZE + 16] = "HTTP_COOKIE=";
    struct auth auth;

    (void)state;
    library_login(sessions, "7", cookie + 12);
    assert_int_equal(
        fixture_enter(&fix, &auth, "REQUEST_METHOD=GET", cookie, NULL), PST_OK);
    assert_true(auth.has_session);
    assert_true(pst_str_equal(auth.session.sub, PST_STR("7")));
    assert_true(pst_str_equal(auth.session.name, PST_STR("Ada")));
    assert_true(pst_str_is_absent(auth.session.upstream));
}

/* Seal a token of any purpose and content, as the user's cookie. */
static void
seal_cookie_in(enum pst_token_format format, enum pst_purpose purpose,
               const char *claims, char *cookie)
{
    const struct pst_token_use use = {fix.ctx.ring, purpose, format};
    uint8_t nonce[PST_NONCE_LEN] = {1, 2, 3};
    struct pst_str text;
    struct pst_buf buf;

    pst_buf_init(&buf, cookie, PST_LINE_SIZE - 1);
    pst_buf_add_string(&buf, COOKIE "=");
    assert_int_equal(
        pst_token_seal(&use, LIBRARY_NOW, nonce, pst_str_from(claims), &buf),
        PST_OK);
    assert_int_equal(pst_buf_finish(&buf, &text), PST_OK);
    cookie[text.len] = '\0';
}

static void
seal_cookie(enum pst_purpose purpose, const char *claims, char *cookie)
{
    seal_cookie_in(PST_TOKEN_SEALED, purpose, claims, cookie);
}

#define CLAIMS(sub, name, more)                                        \
    "{\"v\":2,\"sid\":\"AAECAwQFBgcICQoLDA0ODw\",\"sub\":\"" sub "\"," \
    "\"name\":\"" name "\",\"iat\":1700000000,\"exp\":1700043200,"     \
    "\"seen\":1700000000,\"remember\":false,\"who\":{}" more "}"
#define SPILLED \
    ",\"upstream\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]"

static void
test_what_a_token_holds(void **state)
{
    static const struct {
        const char *name;
        enum pst_purpose purpose;
        const char *claims;
        int want;
    } rows[] = {
        {"good", PST_PURPOSE_COOKIE, CLAIMS("7", "a", ""), PST_E_OK},
        {"a bearer token", PST_PURPOSE_BEARER, CLAIMS("7", "a", ""),
         PST_E_NO_SESSION},
        {"a guest's token", PST_PURPOSE_GUEST, CLAIMS("7", "a", ""),
         PST_E_NO_SESSION},
        {"a CSRF token", PST_PURPOSE_CSRF, CLAIMS("7", "a", ""),
         PST_E_NO_SESSION},
        {"a device's token", PST_PURPOSE_DEVICE, CLAIMS("7", "a", ""),
         PST_E_NO_SESSION},
        {"nobody as a user", PST_PURPOSE_COOKIE, CLAIMS("", "a", ""),
         PST_E_NO_SESSION},
        {"of an unknown user", PST_PURPOSE_COOKIE,
         CLAIMS("", "a", ",\"known\":\"unknown\""), PST_E_UNCONFIRMED},
        {"in the store", PST_PURPOSE_COOKIE, CLAIMS("7", "a", SPILLED),
         PST_E_IN_STORE},
        {"a NUL in the subject", PST_PURPOSE_COOKIE,
         CLAIMS("7\\u0000", "a", ""), PST_E_NOT_TEXT},
        {"a NUL in the name", PST_PURPOSE_COOKIE, CLAIMS("7", "a\\u0000b", ""),
         PST_E_OK},
        {"no claims", PST_PURPOSE_COOKIE, "{}", PST_E_NO_SESSION},
        {"a claim more", PST_PURPOSE_COOKIE, CLAIMS("7", "a", ",\"x\":1"),
         PST_E_NO_SESSION},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        static char cookie[PST_LINE_SIZE];
        struct pst_visitor visitor;
        int code;

        seal_cookie(rows[i].purpose, rows[i].claims, cookie);
        code = library_check(sessions, cookie, "", &visitor);
        if (code != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_strerror(code));
        if (code)
            assert_empty(&visitor);
        else
            assert_string_equal(visitor.name, i == 0 ? "a" : "");
        /* A session that is not reported is not renewed either. */
        library_now += HOUR / 8;
        code = pst_renew(sessions, cookie, cookie, sizeof(cookie));
        if (code != rows[i].want)
            fail_msg("%s, renewed: %s", rows[i].name, pst_strerror(code));
        library_now -= HOUR / 8;
    }
}

/* The upstream credentials must open too, or the programs would refuse the
 * session. */
static void
test_signed_with_a_bad_part(void **state)
{
    struct pst_settings settings = library_settings();
    static char cookie[PST_LINE_SIZE];
    struct pst_visitor visitor;
    struct pst_sessions *ours;

    (void)state;
    settings.flags = PST_SETTING_SIGNED;
    ours = library_new(&settings);
    seal_cookie_in(PST_TOKEN_SIGNED, PST_PURPOSE_COOKIE, CLAIMS("7", "a", ""),
                   cookie);
    assert_int_equal(library_check(ours, cookie, "", &visitor), 0);
    seal_cookie_in(PST_TOKEN_SIGNED, PST_PURPOSE_COOKIE,
                   CLAIMS("7", "a", ",\"upstream\":\"plain\""), cookie);
    assert_int_equal(library_check(ours, cookie, "", &visitor),
                     PST_E_NO_SESSION);
    pst_sessions_free(&ours);
}

/* The purpose of a token and its content must agree, also if guests are
 * allowed. Only who has the keys could make such tokens. */
static void
test_purpose_and_content(void **state)
{
    static const struct {
        const char *name;
        enum pst_purpose purpose;
        const char *claims;
        int want;
    } rows[] = {
        {"a guest", PST_PURPOSE_GUEST, CLAIMS("", "", ""), PST_E_OK},
        {"nobody as a user", PST_PURPOSE_COOKIE, CLAIMS("", "", ""),
         PST_E_NO_SESSION},
        {"a user as a guest", PST_PURPOSE_GUEST, CLAIMS("7", "a", ""),
         PST_E_NO_SESSION},
    };
    struct pst_settings settings = library_settings();
    struct pst_sessions *open_to_guests;

    (void)state;
    settings.flags = PST_SETTING_GUESTS;
    open_to_guests = library_new(&settings);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        static char cookie[PST_LINE_SIZE];
        static char header[2 * PST_LINE_SIZE];
        struct pst_visitor visitor = {.size = sizeof(visitor)};
        int code;

        seal_cookie(rows[i].purpose, rows[i].claims, cookie);
        /* As either cookie, one of which has the right name for it. */
        snprintf(header, sizeof(header), "%s; " COOKIE "-guest=%s", cookie,
                 strchr(cookie, '=') + 1);
        code = pst_check(open_to_guests, header, &visitor);
        if (code != rows[i].want)
            fail_msg("%s: %s", rows[i].name, pst_strerror(code));
    }
    pst_sessions_free(&open_to_guests);
}

/* A control character takes six bytes in JSON: these do not fit in a cookie. */
static void
test_too_large(void **state)
{
    char subject[PST_SUBJECT_SIZE];
    char claims[PST_CLAIMS_SIZE];
    struct pst_account account = {.size = sizeof(account),
                                  .subject = subject,
                                  .name = subject,
                                  .claims = claims};
    static char line[PST_LINE_SIZE];

    (void)state;
    memset(claims, ' ', sizeof(claims));
    claims[0] = '{';
    claims[sizeof(claims) - 2] = '}';
    claims[sizeof(claims) - 1] = '\0';
    memset(subject, 1, sizeof(subject));
    subject[sizeof(subject) - 1] = '\0';
    assert_int_equal(pst_login(sessions, &account, line, sizeof(line)),
                     PST_E_TOO_LARGE);
    assert_string_equal(line, "");
    memset(subject, 'a', 200);
    assert_int_equal(pst_login(sessions, &account, line, sizeof(line)),
                     PST_E_OK);
}

static void
test_return_to(void **state)
{
    (void)state;
    assert_true(pst_return_to_is_local("/"));
    assert_true(pst_return_to_is_local("/a?b=//c#d"));
    assert_false(pst_return_to_is_local(NULL));
    assert_false(pst_return_to_is_local(""));
    assert_false(pst_return_to_is_local("//evil.example"));
    assert_false(pst_return_to_is_local("/\\evil.example"));
    assert_false(pst_return_to_is_local("/%2f/evil.example"));
    assert_false(pst_return_to_is_local("https://evil.example"));
    assert_false(pst_return_to_is_local("/a\r\nSet-Cookie: b"));
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_good),
        ROW(test_remembered),
        ROW(test_forged),
        ROW(test_none),
        ROW(test_clock),
        ROW(test_renewal),
        ROW(test_rotation),
        ROW(test_account),
        ROW(test_expires),
        ROW(test_session_of_the_programs),
        ROW(test_signed_session_of_the_programs),
        ROW(test_session_for_the_programs),
        ROW(test_what_a_token_holds),
        ROW(test_signed_with_a_bad_part),
        ROW(test_purpose_and_content),
        ROW(test_too_large),
        ROW(test_return_to),
    };
#undef ROW

    return cmocka_run_group_tests(tests, NULL, NULL);
}
