/* SPDX-License-Identifier: ISC */
/*
 * test_auth_session_browser.c - the sessions and cookies of one browser: a
 * guest's and a user's, copies, planted ones (design 2.1, 2.3).
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

/* Parts of cleared cookies. */
#define CLEARED "=; Path=/; Max-Age=0; HttpOnly; Secure; "
#define LAX "SameSite=Lax"
#define APART "SameSite=None; Partitioned"
#define USER "__Host-Http-session"
#define GUEST "__Host-Http-session-guest"
#define OLDER "__Host-session"

static const char *const variants[] = {"POSTERN_COOKIE_NAME=__Secure-s",
                                       "POSTERN_COOKIE_DOMAIN=shop.example",
                                       "POSTERN_COOKIE_PATH=/shop", NULL};

/* "HTTP_COOKIE=a; b", of what two sessions or lines have. */
static const char *
join(const char *a, const char *b)
{
    static char header[16 * 1024];

    snprintf(header, sizeof(header), "%s; %s", a, strchr(b, '=') + 1);
    return header;
}

static bool
is_cleared(const struct fixture *f, const char *name)
{
    char plain[200];
    char apart[200];

    snprintf(plain, sizeof(plain), "%s" CLEARED LAX, name);
    snprintf(apart, sizeof(apart), "%s" CLEARED APART, name);
    return fixture_has(f, "Set-Cookie", plain) &&
           fixture_has(f, "Set-Cookie", apart);
}

/* A guest has its own cookie. A user's session takes precedence. */
static void
test_guest_beside_user(void **state)
{
    static struct fixture_session guest;
    static struct fixture_session user;
    struct fixture *f = *state;
    struct pst_str upstream;
    struct auth auth;

    init_with_store(f, cookie_only);
    fixture_begin_with(f, &cart, &guest);
    assert_memory_equal(guest.cookie, "HTTP_COOKIE=" GUEST "=", 38);
    assert_int_equal(enter(f, &auth, guest.cookie), PST_OK);
    assert_true(auth.has_session && auth.session.sub.len == 0);
    assert_int_equal(auth_guest_upstream(&f->ctx, &f->req, &auth, &upstream),
                     PST_OK);
    assert_true(pst_str_equal(upstream, cart.upstream));

    fixture_begin_with(f, &alice, &user);
    assert_int_equal(enter(f, &auth, user.cookie), PST_OK);
    assert_int_equal(auth_guest_upstream(&f->ctx, &f->req, &auth, &upstream),
                     PST_OK);
    assert_true(pst_str_is_absent(upstream));
    for (unsigned order = 0; order < 2; order++) {
        assert_int_equal(enter(f, &auth,
                               order ? join(guest.cookie, user.cookie)
                                     : join(user.cookie, guest.cookie)),
                         PST_OK);
        assert_true(is_alice(&auth));
        assert_null(fixture_header(f, "Set-Cookie"));
        assert_int_equal(
            auth_guest_upstream(&f->ctx, &f->req, &auth, &upstream), PST_OK);
        assert_true(pst_str_equal(upstream, cart.upstream));
    }
    /* What a revoked guest's session held is not used. */
    assert_int_equal(enter(f, &auth, join(user.cookie, guest.cookie)), PST_OK);
    assert_int_equal(registry_revoke(&f->ctx, &f->req, &guest.auth.session),
                     PST_OK);
    upstream = PST_STR("untouched");
    assert_int_equal(auth_guest_upstream(&f->ctx, &f->req, &auth, &upstream),
                     PST_OK);
    assert_true(pst_str_is_absent(upstream));
    assert_false(auth.has_guest);
    /* Neither passes for the other (R13). */
    {
        static char swapped[8300];

        snprintf(swapped, sizeof(swapped), "HTTP_COOKIE=" USER "=%.8000s",
                 guest.cookie + 38);
        assert_int_equal(enter(f, &auth, swapped), PST_OK);
        assert_false(auth.has_session);
        snprintf(swapped, sizeof(swapped), "HTTP_COOKIE=" GUEST "=%.8000s",
                 strstr(user.cookie, "session=") + 8);
        assert_int_equal(enter(f, &auth, swapped), PST_OK);
        assert_false(auth.has_session);
    }
    fini_with_store(f);
}

/* R4: a login ends the session before it, in the store too: an older copy of
 * its cookie is revoked, for every user. */
static void
test_login_revokes_the_old_session(void **state)
{
    static const struct {
        const struct auth_grant *old;
        bool by_password;
    } rows[] = {{&alice, true}, {&alice, false}, {&cart, true}, {&cart, false}};
    static struct fixture_session tokens;
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct auth_grant grant = alice;
        struct pst_session old;
        struct auth auth;

        init_with_store(f, cookie_only);
        fixture_begin_with(f, rows[i].old, &tokens);
        assert_int_equal(fixture_enter(f, &auth, POST, tokens.cookie, NULL),
                         PST_OK);
        old = auth.session;
        assert_int_equal(registry_check(&f->ctx, &f->req, &old), PST_OK);
        grant.by_password = rows[i].by_password;
        assert_int_equal(
            auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &grant),
            PST_OK);
        assert_memory_not_equal(auth.session.sid, old.sid, PST_SID_LEN);
        assert_int_equal(registry_check(&f->ctx, &f->req, &auth.session),
                         PST_OK);
        assert_int_equal(registry_check(&f->ctx, &f->req, &old), PST_REVOKED);
        assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
        assert_false(auth.has_session);
        fini_with_store(f);
    }
}

/* L25, R4: a login ends the guest's session and clears its cookie, whether it
 * was the browser's only one or was beside a user's. */
static void
test_login_ends_the_guest(void **state)
{
    static struct fixture_session guest;
    static struct fixture_session user;
    struct fixture *f = *state;
    struct auth auth;

    for (unsigned beside = 0; beside < 2; beside++) {
        init_with_store(f, cookie_only);
        fixture_begin_with(f, &cart, &guest);
        fixture_begin_with(f, &alice, &user);
        assert_int_equal(fixture_enter(f, &auth, POST,
                                       beside ? join(user.cookie, guest.cookie)
                                              : guest.cookie,
                                       NULL),
                         PST_OK);
        assert_int_equal(
            auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice),
            PST_OK);
        assert_true(is_cleared(f, GUEST));
        assert_int_equal(fixture_count(f, "Set-Cookie"), 3);
        assert_int_equal(enter(f, &auth, guest.cookie), PST_OK);
        assert_false(auth.has_session);
        assert_int_equal(enter(f, &auth, user.cookie), PST_OK);
        assert_int_equal(auth.has_session, !beside);
        fini_with_store(f);
    }
}

/* U35: the response to a request without the user's cookie, or from before the
 * login, sets the guest's cookie and no other. */
static void
test_late_guest(void **state)
{
    static struct fixture_session guest;
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &cart, &guest);
    for (unsigned known = 0; known < 2; known++) {
        assert_int_equal(
            fixture_enter(f, &auth, GET, known ? guest.cookie : NULL, NULL),
            PST_OK);
        assert_int_equal(
            auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &cart),
            PST_OK);
        assert_int_equal(fixture_count(f, "Set-Cookie"), 1);
        assert_memory_equal(fixture_header(f, "Set-Cookie"), GUEST "=", 26);
    }
    fixture_fini(f);
}

/* The backend replaced the user by a guest: the user's session ends, and its
 * cookie is cleared. */
static void
test_guest_after_user(void **state)
{
    static struct fixture_session user;
    struct fixture *f = *state;
    struct auth auth;

    init_with_store(f, cookie_only);
    fixture_begin_with(f, &alice, &user);
    assert_int_equal(fixture_enter(f, &auth, GET, user.cookie, NULL), PST_OK);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &cart), PST_OK);
    assert_true(is_cleared(f, USER));
    assert_int_equal(fixture_count(f, "Set-Cookie"), 3);
    assert_int_equal(enter(f, &auth, user.cookie), PST_OK);
    assert_false(auth.has_session);
    fini_with_store(f);
}

/* R37, U32: after a change of Domain or Path a browser sends two variants. One
 * is left, no line is sent twice, and the new cookie is the last line. */
static void
test_copies(void **state)
{
    static struct fixture_session user;
    struct fixture *f = *state;
    struct response_header *last;
    struct auth auth;

    fixture_init(f, variants);
    fixture_begin_with(f, &alice, &user);
    assert_int_equal(
        enter(f, &auth, join(user.cookie, "HTTP_COOKIE=__Secure-s=dead")),
        PST_OK);
    assert_true(is_alice(&auth));
    assert_int_equal(fixture_count(f, "Set-Cookie"), 8);
    last = &f->res.headers[f->res.header_count - 1];
    assert_true(
        pst_str_ends(last->value, PST_STR("; Path=/shop; Domain=shop.example; "
                                          "HttpOnly; Secure; SameSite=Lax")));
    assert_true(last->value.len > 100);
    for (size_t i = 0; i < f->res.header_count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_false(pst_cookie_is_same(f->res.headers[i].value,
                                            f->res.headers[k].value));
    }
    assert_true(fixture_has(f, "Set-Cookie",
                            "__Secure-s=; Path=/; Max-Age=0; HttpOnly; "
                            "Secure; SameSite=None; Partitioned"));
    /* One alone is left as it is. */
    assert_int_equal(enter(f, &auth, user.cookie), PST_OK);
    assert_int_equal(fixture_count(f, "Set-Cookie"), 0);
    fixture_fini(f);
}

/* A login among planted cookies leaves none of them (L25): later requests
 * would find two different sessions otherwise. */
static void
test_login_among_others(void **state)
{
    static struct fixture_session first;
    static struct fixture_session second;
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, variants);
    fixture_begin_with(f, &alice, &first);
    fixture_begin_with(f, &alice, &second);
    {
        const char *const variables[] = {
            POST, join(first.cookie, second.cookie), NULL};
        const struct auth_rules query = {.methods = "POST",
                                         .keeps_dead_cookies = true};

        fixture_request(f, variables, NULL);
        assert_int_equal(authenticate(&f->ctx, &f->req, &f->res, &query, &auth),
                         PST_OK);
    }
    assert_false(auth.has_session);
    assert_int_equal(fixture_count(f, "Set-Cookie"), 0);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice), PST_OK);
    assert_int_equal(fixture_count(f, "Set-Cookie"), 8);
    fixture_fini(f);
}

/* A logout ends every session of the browser and clears all its cookies. */
static void
test_logout(void **state)
{
    static struct fixture_session guest;
    static struct fixture_session user;
    static char all[20000];
    struct fixture *f = *state;
    struct auth auth;

    init_with_store(f, both);
    fixture_begin_with(f, &cart, &guest);
    fixture_begin_with(f, &alice, &user);
    snprintf(all, sizeof(all), "%s; " OLDER "=x",
             join(user.cookie, guest.cookie));
    assert_int_equal(fixture_enter(f, &auth, POST, all, NULL), PST_OK);
    assert_int_equal(
        auth_end_browser_sessions(&f->ctx, &f->req, &f->res, &auth), PST_OK);
    assert_true(is_cleared(f, USER));
    assert_true(is_cleared(f, GUEST));
    assert_true(is_cleared(f, OLDER));
    assert_int_equal(fixture_count(f, "Set-Cookie"), 6);
    assert_string_equal(fixture_header(f, "Set-Cookie"), USER CLEARED APART);
    assert_int_equal(enter(f, &auth, user.cookie), PST_OK);
    assert_false(auth.has_session);
    assert_int_equal(enter(f, &auth, guest.cookie), PST_OK);
    assert_false(auth.has_session);
    /* By bearer no cookie is cleared. */
    fixture_begin_with(f, &alice, &user);
    assert_int_equal(fixture_enter(f, &auth, POST, user.bearer, all), PST_OK);
    assert_int_equal(
        auth_end_browser_sessions(&f->ctx, &f->req, &f->res, &auth), PST_OK);
    assert_int_equal(fixture_count(f, "Set-Cookie"), 0);
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    assert_int_equal(fixture_enter(f, &auth, POST, user.bearer,
                                   "SERVER_SOFTWARE=lighttpd/1"),
                     PST_FORGED);
    fini_with_store(f);
}

/* The n-th allocation fails, for every n: no session without its cookie, and no
 * response that clears only a part. */
static void
test_allocations(void **state)
{
    static struct fixture_session guest;
    static struct fixture_session user;
    static char header[20000];
    struct fixture *f = *state;
    size_t failures = 0;
    enum pst_err e;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &cart, &guest);
    fixture_begin_with(f, &alice, &user);
    snprintf(header, sizeof(header), "%s; " OLDER "=x; " USER "=dead",
             join(user.cookie, guest.cookie));
    f->ctx.now += 600;
    do {
        const char *const variables[] = {POST, header, NULL};
        const struct auth_rules rules = {.methods = "POST"};
        struct auth auth;

        fixture_request(f, variables, NULL);
        pst_arena_fail_at(f->arena, ++failures);
        e = authenticate(&f->ctx, &f->req, &f->res, &rules, &auth);
        if (!e)
            e = auth_renew_if_due(&f->ctx, &f->req, &f->res, &auth);
        if (!e)
            e = auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice);
        if (!e)
            e = auth_end_browser_sessions(&f->ctx, &f->req, &f->res, &auth);
        if (!e)
            e = response_begin(&f->res);
        assert_true(!e || e == PST_NO_MEMORY);
        assert_true(e ? f->out_len == 0 : fixture_is_out(f, USER CLEARED));
        assert_true(failures < 1000);
    } while (e);
    assert_true(failures > 20);
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_guest_beside_user, &fixture),
        cmocka_unit_test_prestate(test_login_revokes_the_old_session, &fixture),
        cmocka_unit_test_prestate(test_login_ends_the_guest, &fixture),
        cmocka_unit_test_prestate(test_late_guest, &fixture),
        cmocka_unit_test_prestate(test_guest_after_user, &fixture),
        cmocka_unit_test_prestate(test_copies, &fixture),
        cmocka_unit_test_prestate(test_login_among_others, &fixture),
        cmocka_unit_test_prestate(test_logout, &fixture),
        cmocka_unit_test_prestate(test_allocations, &fixture),
    };

    return cmocka_run_group_tests_name("auth_session_browser", tests, NULL,
                                       NULL);
}
