/* SPDX-License-Identifier: ISC */
/*
 * test_auth_session.c - sessions begun, renewed and ended, and what the reply
 * says of it (design 2.1, 2.3).
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
#include "gateway/auth_session.h"
#include "gateway/session_registry.h"
#include "store/store_backend.h"
#include "stores.h"

#define GET "REQUEST_METHOD=GET"
#define POST "REQUEST_METHOD=POST"
#define SAME_ORIGIN "HTTP_SEC_FETCH_SITE=same-origin"

/* How the cookies look when they are cleared, without the age. */
#define CLEARED "=; Path=/; Max-Age=0; HttpOnly; Secure; "
#define LAX "SameSite=Lax"
#define APART "SameSite=None; Partitioned"
#define USER "__Host-Http-session"
#define GUEST "__Host-Http-session-guest"
#define OLDER "__Host-session"

static const char *const cookie_only[] = {NULL};
static const char *const both[] = {"POSTERN_TOKEN_METHOD=cookie,bearer", NULL};
static const char *const variants[] = {"POSTERN_COOKIE_NAME=__Secure-s",
                                       "POSTERN_COOKIE_DOMAIN=shop.example",
                                       "POSTERN_COOKIE_PATH=/shop", NULL};

static const struct auth_grant alice = {
    .sub = {"7", 1},
    .name = {"alice@example.com", 17},
    .who = {"{\"email\":\"alice@example.com\"}", 29},
    .upstream = {"\"fnEDsecret\"", 12},
};

static const struct auth_grant cart = {
    .sub = {"", 0},
    .name = {"", 0},
    .who = {"{}", 2},
    .upstream = {"\"cart\"", 6},
};

/* Enter with one more variable, and finish as a program does. */
static enum pst_err
enter(struct fixture *f, struct auth *auth, const char *variable)
{
    enum pst_err e = fixture_enter(f, auth, GET, variable, NULL);

    return e ? e : auth_renew_if_due(&f->ctx, &f->req, &f->res, auth);
}

static bool
is_alice(const struct auth *auth)
{
    return auth->has_session && pst_str_equal(auth->session.sub, alice.sub) &&
           pst_str_equal(auth->session.upstream, alice.upstream);
}

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

/* A worker with a store. */
static struct stores stores;

static void
init_with_store(struct fixture *f, const char *const *settings)
{
    fixture_init(f, settings);
    stores_start(&stores, STORE_LMDB, NULL);
    f->ctx.store = stores_open(&stores, "test");
}

static void
fini_with_store(struct fixture *f)
{
    store_close(&f->ctx.store);
    stores_stop(&stores);
    fixture_fini(f);
}

static enum pst_err
put_nothing(struct store *store, const struct store_spill *spill)
{
    (void)spill;
    return store_set_error(store, "the disk is full");
}

/* A session and what is too large of it for a cookie are one step. */
static enum pst_err
replace_nothing(struct store *store,
                const struct store_replacement *replacement, int64_t *since)
{
    (void)replacement;
    (void)since;
    return store_set_error(store, "the disk is full");
}

/* R8, R55: nothing of the session can be read in what leaves. */
static void
test_nothing_in_clear(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
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
    struct auth_grant grant = alice;
    static struct fixture_session tokens;
    const char *line;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &grant, &tokens);
    line = fixture_header(f, "Set-Cookie");
    assert_memory_equal(line, "__Host-Http-session=", 20);
    assert_non_null(strstr(line, "; Path=/;"));
    assert_non_null(strstr(line, "; HttpOnly; Secure; SameSite=Lax"));
    assert_null(strstr(line, "Max-Age"));
    assert_null(strstr(line, "Domain"));
    assert_string_equal(fixture_header(f, "Cache-Control"), "no-store");
    grant.remember = true;
    fixture_begin_with(f, &grant, &tokens);
    assert_non_null(
        strstr(fixture_header(f, "Set-Cookie"), "; Max-Age=2592000;"));
    fixture_fini(f);
}

/* R15, R16, R18: idle slides, is sealed anew at idle/4, and ends. */
static void
test_idle(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    f->ctx.now = FIXTURE_NOW + 449;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    f->ctx.now = FIXTURE_NOW + 450;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_non_null(fixture_header(f, "Set-Cookie"));
    assert_true(is_alice(&auth));
    f->ctx.now = FIXTURE_NOW + 1801;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_false(auth.has_session);
    fixture_fini(f);
}

/* Renewal moves `seen` and nothing else: the lifetime ends where it did. */
static void
test_lifetime_does_not_move(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;
    int64_t end = FIXTURE_NOW + 12 * 3600;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    for (f->ctx.now = FIXTURE_NOW; f->ctx.now < end; f->ctx.now += 900) {
        assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
        assert_true(auth.has_session);
        assert_true(auth.session.exp == end);
        if (fixture_header(f, "Set-Cookie"))
            fixture_take_tokens(f, &tokens);
    }
    f->ctx.now = end;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_false(auth.has_session);
    fixture_fini(f);
}

/* A remembered session is sealed anew once a day, and the cookie's age counts
 * down to the same end. */
static void
test_a_remembered_one_is_renewed(void **state)
{
    struct fixture *f = *state;
    struct auth_grant grant = alice;
    static struct fixture_session tokens;
    struct auth auth;
    int64_t end = FIXTURE_NOW + 30 * 86400;

    grant.remember = true;
    fixture_init(f, cookie_only);
    fixture_begin_with(f, &grant, &tokens);
    f->ctx.now += 86400 - 1;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    f->ctx.now += 1;
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_non_null(fixture_header(f, "Set-Cookie"));
    assert_non_null(
        strstr(fixture_header(f, "Set-Cookie"), "; Max-Age=2505600;"));
    assert_true(auth.session.exp == end);
    fixture_take_tokens(f, &tokens);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_true(is_alice(&auth) && auth.session.exp == end);
    fixture_fini(f);
}

/* R3: without random bytes there is no session, and nothing is handed out. */
static void
test_no_random_no_session(void **state)
{
    const char *const variables[] = {POST, NULL};
    struct auth auth = {.carrier = AUTH_BY_NOTHING};
    struct fixture *f = *state;

    fixture_init(f, both);
    fixture_break_random(f);
    fixture_request(f, variables, NULL);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice),
        PST_NO_RANDOM);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    fixture_fini(f);
}

/* R4: a new id at each login, even for the same user at the same second. */
static void
test_new_id_each_time(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth first;
    struct auth second;
    char log_id[9];

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(enter(f, &first, tokens.cookie), PST_OK);
    memcpy(log_id, first.log_id, sizeof(log_id));
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(enter(f, &second, tokens.cookie), PST_OK);
    assert_string_not_equal(log_id, second.log_id);
    fixture_fini(f);
}

/* R35: too large for a cookie is said, and nothing half-made remains. */
static void
test_too_large(void **state)
{
    static char huge[PST_UPSTREAM_MAX];
    const char *const variables[] = {POST, NULL};
    struct auth auth = {.carrier = AUTH_BY_NOTHING};
    struct auth_grant grant = alice;
    struct fixture *f = *state;

    memset(huge, 'x', sizeof(huge));
    huge[0] = huge[sizeof(huge) - 1] = '"';
    grant.upstream = (struct pst_str){huge, sizeof(huge)};
    fixture_init(f, both);
    fixture_request(f, variables, NULL);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &grant),
        PST_TOO_LARGE);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    fixture_fini(f);
}

/* A store that gave the session and does not take it back: what was asked is
 * answered, nothing is renewed, and the log says why. */
static void
test_renewal_without_store(void **state)
{
    static char large[6000];
    static struct fixture_session tokens;
    char path[] = "/tmp/postern-log-XXXXXX";
    char line[512] = "";
    struct auth_grant grant = alice;
    struct fixture *f = *state;
    struct store_backend broken;
    struct auth auth;
    int fd = mkstemp(path);

    memset(large, 'x', sizeof(large));
    large[0] = large[sizeof(large) - 1] = '"';
    grant.upstream = (struct pst_str){large, sizeof(large)};
    fixture_init(f, cookie_only);
    stores_start(&stores, STORE_LMDB, NULL);
    f->ctx.store = stores_open(&stores, "test");
    assert_int_equal(log_open(&f->ctx.log, path, LOG_LOGFMT, LEVEL_ERROR, "t"),
                     PST_OK);
    fixture_begin_with(f, &grant, &tokens);
    broken = *f->ctx.store->backend;
    broken.spill_put = put_nothing;
    f->ctx.store->backend = &broken;
    f->ctx.now += 600; /* due for renewal */
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_true(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_true(read(fd, line, sizeof(line) - 1) > 0);
    assert_non_null(strstr(line, "event=store-down"));
    assert_non_null(strstr(line, "the disk is full"));
    log_close(&f->ctx.log);
    close(fd);
    assert_int_equal(unlink(path), 0);
    store_close(&f->ctx.store);
    stores_stop(&stores);
    fixture_fini(f);
}

/* A login that the store has no room for leaves no session on the list. */
static void
test_what_is_half_made_is_ended(void **state)
{
    static char large[6000];
    const char *const variables[] = {POST, NULL};
    struct auth auth = {.carrier = AUTH_BY_NOTHING};
    struct auth_grant grant = alice;
    struct fixture *f = *state;
    struct store_backend broken;
    size_t count = 7;

    memset(large, 'x', sizeof(large));
    large[0] = large[sizeof(large) - 1] = '"';
    grant.upstream = (struct pst_str){large, sizeof(large)};
    fixture_init(f, cookie_only);
    stores_start(&stores, STORE_LMDB, NULL);
    f->ctx.store = stores_open(&stores, "test");
    broken = *f->ctx.store->backend;
    broken.replace = replace_nothing;
    f->ctx.store->backend = &broken;
    fixture_request(f, variables, NULL);
    assert_int_equal(
        auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &grant),
        PST_STORE_DOWN);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_int_equal(
        store_session_count(f->ctx.store, NULL, f->ctx.now, &count), PST_OK);
    assert_int_equal(count, 0);
    store_close(&f->ctx.store);
    stores_stop(&stores);
    fixture_fini(f);
}

/* Ending it says so by the way the request came. */
static void
test_end(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_int_equal(auth_end_session(&f->ctx, &f->req, &f->res, &auth),
                     PST_OK);
    assert_non_null(strstr(fixture_header(f, "Set-Cookie"), "Max-Age=0"));
    assert_null(fixture_header(f, "vendure-auth-token"));
    assert_int_equal(enter(f, &auth, tokens.bearer), PST_OK);
    assert_int_equal(auth_end_session(&f->ctx, &f->req, &f->res, &auth),
                     PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    fixture_fini(f);
}

/* With both methods on, a page of our own gets the cookie alone: a token in a
 * header is one that its scripts can read (design 2.1). */
static void
test_first_answer(void **state)
{
    static const struct {
        const char *site; /* NULL: none */
        bool has_bearer;
    } rows[] = {
        {NULL, true},
        {SAME_ORIGIN, false},
        {"HTTP_SEC_FETCH_SITE=none", true},
        {"HTTP_SEC_FETCH_SITE=cross-site", true},
    };
    struct fixture *f = *state;

    fixture_init(f, both);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const variables[] = {POST, rows[i].site, NULL};
        struct auth auth = {.carrier = AUTH_BY_NOTHING};

        fixture_request(f, variables, NULL);
        assert_int_equal(
            auth_begin_session(&f->ctx, &f->req, &f->res, &auth, &alice),
            PST_OK);
        assert_int_equal(fixture_count(f, "Set-Cookie"), 1);
        assert_int_equal(fixture_count(f, "vendure-auth-token"),
                         rows[i].has_bearer);
        assert_true((auth.bearer.len > 0) == rows[i].has_bearer);
    }
    fixture_fini(f);
}

/* A renewal looks again: what a logout ended meanwhile stays ended. */
static void
test_renewal_looks_again(void **state)
{
    static struct fixture_session tokens;
    struct fixture *f = *state;
    struct auth auth;

    init_with_store(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    f->ctx.now += 600;
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, NULL), PST_OK);
    assert_true(auth.has_session && auth.is_renewal_due);
    assert_null(fixture_header(f, "Set-Cookie"));
    assert_int_equal(registry_revoke(&f->ctx, &f->req, &auth.session), PST_OK);
    assert_int_equal(auth_renew_if_due(&f->ctx, &f->req, &f->res, &auth),
                     PST_OK);
    assert_false(auth.has_session);
    assert_null(fixture_header(f, "Set-Cookie"));
    /* A new token of the backend is no reason to bring it back either. */
    auth.has_session = true;
    assert_int_equal(auth_renew_session(&f->ctx, &f->req, &f->res, &auth),
                     PST_REVOKED);
    assert_null(fixture_header(f, "Set-Cookie"));
    fini_with_store(f);
}

static enum pst_err
check_nothing(struct store *store, const struct store_id *sid,
              const struct store_id *subject, int64_t iat)
{
    (void)sid;
    (void)subject;
    (void)iat;
    return store_set_error(store, "it is away");
}

/* The store went away between the look and the renewal: none, but with a
 * grace, as ever. */
static void
test_renewal_while_the_store_is_away(void **state)
{
    const char *const grace[] = {"POSTERN_STORE_GRACE=1m", NULL};
    const char *const *const settings[] = {cookie_only, grace};
    static struct fixture_session tokens;
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        struct store_backend broken;
        struct auth auth;

        init_with_store(f, settings[i]);
        fixture_begin_with(f, &alice, &tokens);
        f->ctx.now += 600;
        assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, NULL),
                         PST_OK);
        broken = *f->ctx.store->backend;
        broken.check = check_nothing;
        f->ctx.store->backend = &broken;
        assert_int_equal(auth_renew_if_due(&f->ctx, &f->req, &f->res, &auth),
                         PST_OK);
        assert_true(is_alice(&auth));
        assert_int_equal(fixture_count(f, "Set-Cookie"), i);
        fini_with_store(f);
    }
}

/* A guest has a cookie of its own; a user's session wins over it. */
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

/* L25, R4: a login ends the guest's session and clears its cookie, whether it
 * was the visitor's only one or stood beside a user's. */
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

/* U35: an answer to a request without the user's cookie, or to one of before
 * the login, writes the guest's cookie and no other. */
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

/* The backend made nobody of a user: the user's session ended, and its cookie
 * goes with it. */
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

/* R37, U32: after a change of Domain or Path two variants come; one is left,
 * and no line stands twice. The new cookie is the last line. */
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

/* Logging out clears whatever of ours the browser has, and ends it. */
static void
test_end_all(void **state)
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
    /* By bearer: no word of cookies. */
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

/* Whose session it is may not be known yet: no guest's, so a user's cookie and
 * limits. */
static void
test_unknown(void **state)
{
    static struct fixture_session tokens;
    const struct auth_grant grant = {.sub = PST_STR(""),
                                     .name = PST_STR(""),
                                     .who = PST_STR("{}"),
                                     .is_unknown = true};
    struct auth_grant confirmed = alice;
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &grant, &tokens);
    assert_memory_equal(tokens.cookie, "HTTP_COOKIE=" USER "=", 32);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_true(auth.has_session);
    assert_int_equal(auth.session.known, PST_IDENTITY_UNKNOWN);
    assert_true(auth.session.exp == FIXTURE_NOW + 12 * 3600);
    assert_true(pst_str_is_absent(auth_upstream(&auth)));
    confirmed.asked = FIXTURE_NOW - 5;
    fixture_begin_with(f, &confirmed, &tokens);
    assert_int_equal(enter(f, &auth, tokens.cookie), PST_OK);
    assert_int_equal(auth.session.known, PST_IDENTITY_KNOWN);
    assert_true(auth.session.asked == FIXTURE_NOW - 5);
    fixture_fini(f);
}

/* The n-th allocation fails, for every n: no session without its cookie, and
 * no answer with a part of what it should clear. */
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
        cmocka_unit_test_prestate(test_nothing_in_clear, &fixture),
        cmocka_unit_test_prestate(test_cookie_attributes, &fixture),
        cmocka_unit_test_prestate(test_idle, &fixture),
        cmocka_unit_test_prestate(test_lifetime_does_not_move, &fixture),
        cmocka_unit_test_prestate(test_a_remembered_one_is_renewed, &fixture),
        cmocka_unit_test_prestate(test_no_random_no_session, &fixture),
        cmocka_unit_test_prestate(test_new_id_each_time, &fixture),
        cmocka_unit_test_prestate(test_too_large, &fixture),
        cmocka_unit_test_prestate(test_renewal_without_store, &fixture),
        cmocka_unit_test_prestate(test_what_is_half_made_is_ended, &fixture),
        cmocka_unit_test_prestate(test_end, &fixture),
        cmocka_unit_test_prestate(test_first_answer, &fixture),
        cmocka_unit_test_prestate(test_renewal_looks_again, &fixture),
        cmocka_unit_test_prestate(test_renewal_while_the_store_is_away,
                                  &fixture),
        cmocka_unit_test_prestate(test_guest_beside_user, &fixture),
        cmocka_unit_test_prestate(test_login_ends_the_guest, &fixture),
        cmocka_unit_test_prestate(test_late_guest, &fixture),
        cmocka_unit_test_prestate(test_guest_after_user, &fixture),
        cmocka_unit_test_prestate(test_copies, &fixture),
        cmocka_unit_test_prestate(test_login_among_others, &fixture),
        cmocka_unit_test_prestate(test_end_all, &fixture),
        cmocka_unit_test_prestate(test_unknown, &fixture),
        cmocka_unit_test_prestate(test_allocations, &fixture),
    };

    return cmocka_run_group_tests_name("visit_issue", tests, NULL, NULL);
}
