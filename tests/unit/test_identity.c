/* SPDX-License-Identifier: ISC */
/*
 * test_identity.c - the user of a session, by the backend's response to the who
 * document (design 2.5, "Who").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "flows.h"
#include "gateway/identity.h"
#include "gateway/session_registry.h"
#include "stores.h"

#define POST "REQUEST_METHOD=POST"
#define SAME_ORIGIN "HTTP_SEC_FETCH_SITE=same-origin"
#define SAYS(text)                  \
    {                               \
        .status = 200, .body = text \
    }
#define ERROR(code)                                                    \
    "{\"errors\":[{\"message\":\"x\",\"extensions\":{\"code\":\"" code \
    "\"}}],\"data\":{\"me\":null}}"
#define OTHER "{\"data\":{\"me\":{\"id\":\"8\",\"identifier\":\"b\"}}}"
#define USER_CLEARED "__Host-Http-session=; Path=/; Max-Age=0"
#define GUEST_CLEARED "__Host-Http-session-guest=; Path=/; Max-Age=0"

static const char *const vendure[] = {"POSTERN_BACKEND=vendure", NULL};
static const char *const cookies[] = {"POSTERN_BACKEND=vendure",
                                      "POSTERN_UPSTREAM_TOKEN=cookie", NULL};

static struct fixture fix;
static struct stores stores;

static void
init_with_store(const char *const *settings)
{
    fixture_init(&fix, settings);
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
}

static void
fini_with_store(void)
{
    store_close(&fix.ctx.store);
    stores_stop(&stores);
    fixture_fini(&fix);
}

/* Begin a session with these upstream credentials, and send a request in it. */
enum owner { A_USER, A_GUEST, SOMEBODY };

static void
come_back(enum owner owner, const char *upstream, int64_t asked,
          struct auth *auth)
{
    static struct fixture_session session;
    const struct auth_grant grant = {
        .sub = pst_str_from(owner == A_USER ? "7" : ""),
        .name = pst_str_from(owner == A_USER ? "a" : ""),
        .who = PST_STR("{}"),
        .upstream = pst_str_from(upstream),
        .is_unknown = owner == SOMEBODY,
        .asked = asked,
    };

    fixture_begin_with(&fix, &grant, &session);
    assert_int_equal(
        fixture_enter(&fix, auth, POST, session.cookie, SAME_ORIGIN), PST_OK);
    assert_true(auth->has_session);
}

static bool
is_set(const char *name)
{
    for (size_t i = 0; i < fix.res.header_count; i++)
        if (pst_str_equal(fix.res.headers[i].name, PST_STR("Set-Cookie")) &&
            pst_str_starts(fix.res.headers[i].value, pst_str_from(name)))
            return true;
    return false;
}

static bool
equal(struct pst_str text, const char *want)
{
    return want ? pst_str_equal(text, pst_str_from(want))
                : pst_str_is_absent(text);
}

/* The identity in the backend's response (L53, L54). */
static void
test_ask(void **state)
{
    static const struct {
        struct fixture_answer answer;
        enum pst_identity known;
        const char *sub;
    } rows[] = {
        {SAYS(FLOW_ME), PST_IDENTITY_KNOWN, "7"},
        {SAYS("{\"data\":{\"me\":{\"id\":70}}}"), PST_IDENTITY_KNOWN, "70"},
        /* An explicit guest. */
        {SAYS(FLOW_NOBODY), PST_IDENTITY_GUEST, ""},
        {SAYS(ERROR("FORBIDDEN")), PST_IDENTITY_GUEST, ""},
        {SAYS(ERROR("UNAUTHENTICATED")), PST_IDENTITY_GUEST, ""},
        {{.status = 401, .body = ERROR("UNAUTHENTICATED")},
         PST_IDENTITY_GUEST,
         ""},
        /* Any other response: the user is unknown. */
        {SAYS(ERROR("INTERNAL")), PST_IDENTITY_UNKNOWN, ""},
        {SAYS("{\"errors\":[{\"message\":\"x\"}],\"data\":{\"me\":{\"id\":"
              "\"7\"}}}"),
         PST_IDENTITY_UNKNOWN, ""},
        {SAYS("{\"data\":{}}"), PST_IDENTITY_UNKNOWN, ""},
        {SAYS("{\"data\":null}"), PST_IDENTITY_UNKNOWN, ""},
        {SAYS("{\"data\":{\"me\":{}}}"), PST_IDENTITY_UNKNOWN, ""},
        {SAYS("{\"data\":{\"me\":{\"id\":null}}}"), PST_IDENTITY_UNKNOWN, ""},
        {SAYS("{\"data\":{\"me\":{\"id\":\"\"}}}"), PST_IDENTITY_UNKNOWN, ""},
        {SAYS("{\"data\":{\"me\":[]}}"), PST_IDENTITY_UNKNOWN, ""},
        {SAYS("<html>"), PST_IDENTITY_UNKNOWN, ""},
        {SAYS(NULL), PST_IDENTITY_UNKNOWN, ""},
        {{.status = 200,
          .headers = {"Content-Encoding: gzip"},
          .body = FLOW_ME},
         PST_IDENTITY_UNKNOWN,
         ""},
        {{.status = 500, .body = FLOW_ME}, PST_IDENTITY_UNKNOWN, ""},
        {{.status = 404, .body = FLOW_ME}, PST_IDENTITY_UNKNOWN, ""},
        {{.status = 302, .headers = {"Location: /"}}, PST_IDENTITY_UNKNOWN, ""},
        {{.status = 0}, PST_IDENTITY_UNKNOWN, ""},
    };
    static const char *const variables[] = {POST,
                                            "REMOTE_ADDR=192.0.2.1",
                                            "QUERY_STRING=languageCode=de",
                                            "HTTP_ACCEPT_LANGUAGE=de",
                                            "HTTP_VENDURE_TOKEN=channel",
                                            "HTTP_USER_AGENT=test",
                                            "HTTP_COOKIE=a=b",
                                            "HTTP_AUTHORIZATION=Bearer own",
                                            NULL};
    static const char *const never[] = {"languageCode", "Accept-Language",
                                        "channel",      "User-Agent",
                                        "Cookie",       "own",
                                        "body"};

    (void)state;
    fixture_init(&fix, vendure);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str upstream = PST_STR("\"t\"");
        struct backend_identity identity;

        fix.answer = rows[i].answer;
        fixture_request(&fix, variables, "body");
        assert_int_equal(
            identity_query(&fix.ctx, &fix.req, &upstream, &identity), PST_OK);
        if (identity.known != rows[i].known ||
            !equal(identity.sub, rows[i].sub) ||
            (identity.name.len > 0) != (rows[i].sub[0] != '\0'))
            fail_msg("row %zu: %d %.*s", i, (int)identity.known,
                     (int)identity.sub.len, identity.sub.ptr);
        assert_true(equal(upstream, "\"t\""));
        assert_int_equal(fix.exchanges, 1);
        assert_true(fix.repeatable[0]);
        assert_true(fixture_was_sent(&fix, "POST ?\n"));
        assert_true(fixture_was_sent(&fix, "\nAuthorization: Bearer t\n"));
        for (size_t j = 0; j < PST_COUNT(never); j++)
            assert_false(fixture_was_sent(&fix, never[j]));
    }
    fixture_fini(&fix);
}

/* Without a token no request is sent. A response may change or clear the
 * token. */
static void
test_ask_changes_token(void **state)
{
    static const struct {
        const char *const *settings;
        const char *before;
        struct fixture_answer answer;
        const char *after;
        enum pst_identity known;
    } rows[] = {
        {vendure, NULL, SAYS(FLOW_ME), NULL, PST_IDENTITY_GUEST},
        {vendure,
         "\"t\"",
         {.status = 200, .headers = {"vendure-auth-token: u"}, .body = FLOW_ME},
         "\"u\"",
         PST_IDENTITY_KNOWN},
        {vendure,
         "\"t\"",
         {.status = 200, .headers = {"vendure-auth-token:"}, .body = "x"},
         NULL,
         PST_IDENTITY_GUEST},
        {cookies,
         "{\"session\":\"t\"}",
         {.status = 200,
          .headers = {"Set-Cookie: session=u; HttpOnly"},
          .body = FLOW_ME},
         "{\"session\":\"u\"}",
         PST_IDENTITY_KNOWN},
    };
    static const char *const variables[] = {POST, NULL};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct pst_str upstream =
            rows[i].before ? pst_str_from(rows[i].before) : PST_STR_NONE;
        struct backend_identity identity;

        fixture_init(&fix, rows[i].settings);
        fix.answer = rows[i].answer;
        fixture_request(&fix, variables, NULL);
        assert_int_equal(
            identity_query(&fix.ctx, &fix.req, &upstream, &identity), PST_OK);
        assert_int_equal(fix.exchanges, rows[i].before ? 1 : 0);
        assert_int_equal(identity.known, rows[i].known);
        if (!equal(upstream, rows[i].after))
            fail_msg("row %zu: %.*s", i, (int)upstream.len, upstream.ptr);
        fixture_fini(&fix);
    }
}

enum fate {
    KEPT,  /* unchanged; no cookie is set */
    SAME,  /* the same session, in a new cookie */
    FRESH, /* another session */
    ENDED,
};

/* How the response to a client's document changes the session. */
static void
test_follow(void **state)
{
    static const struct {
        enum owner owner;
        const char *token; /* in the response; NULL: none */
        struct fixture_answer who;
        enum fate fate;
        const char *sub;
        enum pst_identity known;
        size_t exchanges;
    } rows[] = {
        {A_USER, NULL, SAYS(OTHER), KEPT, "7", PST_IDENTITY_KNOWN, 0},
        {A_USER, "t", SAYS(OTHER), KEPT, "7", PST_IDENTITY_KNOWN, 0},
        {A_USER, "u", SAYS(FLOW_ME), SAME, "7", PST_IDENTITY_KNOWN, 1},
        {A_USER, "u", SAYS(OTHER), FRESH, "8", PST_IDENTITY_KNOWN, 1},
        {A_USER, "u", SAYS(FLOW_NOBODY), FRESH, "", PST_IDENTITY_GUEST, 1},
        {A_USER, "u", {.status = 0}, FRESH, "", PST_IDENTITY_UNKNOWN, 1},
        {A_USER, "", SAYS(FLOW_ME), ENDED, "", PST_IDENTITY_GUEST, 0},
        {A_GUEST, "t", SAYS(FLOW_ME), KEPT, "", PST_IDENTITY_GUEST, 0},
        {A_GUEST, "u", SAYS(FLOW_NOBODY), SAME, "", PST_IDENTITY_GUEST, 1},
        {A_GUEST, "u", SAYS(FLOW_ME), FRESH, "7", PST_IDENTITY_KNOWN, 1},
        {A_GUEST, "u", {.status = 500}, FRESH, "", PST_IDENTITY_UNKNOWN, 1},
        {A_GUEST, "", SAYS(FLOW_ME), ENDED, "", PST_IDENTITY_GUEST, 0},
        {SOMEBODY, "u", {.status = 500}, SAME, "", PST_IDENTITY_UNKNOWN, 1},
        {SOMEBODY, "u", SAYS(FLOW_ME), FRESH, "7", PST_IDENTITY_KNOWN, 1},
        {SOMEBODY, "u", SAYS(FLOW_NOBODY), FRESH, "", PST_IDENTITY_GUEST, 1},
        /* The response to the who document ends the session. */
        {A_USER,
         "u",
         {.status = 200, .headers = {"vendure-auth-token:"}, .body = "{}"},
         ENDED,
         "",
         PST_IDENTITY_GUEST,
         1},
    };

    (void)state;
    fixture_init(&fix, vendure);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct credentials_update update = {
            .token =
                rows[i].token ? pst_str_from(rows[i].token) : PST_STR_NONE};
        uint8_t sid[PST_SID_LEN];
        struct auth auth;
        bool is_guest;
        enum pst_err e;

        come_back(rows[i].owner, "\"t\"", 0, &auth);
        memcpy(sid, auth.session.sid, sizeof(sid));
        fix.answer = rows[i].who;
        e = identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update);
        if (e || fix.exchanges != rows[i].exchanges ||
            auth.has_session != (rows[i].fate != ENDED))
            fail_msg("row %zu: %s, asked %zu times", i, pst_err_code(e),
                     fix.exchanges);
        assert_int_equal(fixture_count(&fix, "Set-Cookie") > 0,
                         rows[i].fate != KEPT);
        if (rows[i].fate == ENDED) {
            assert_true(is_set(rows[i].owner == A_GUEST ? GUEST_CLEARED
                                                        : USER_CLEARED));
            continue;
        }
        if ((memcmp(sid, auth.session.sid, sizeof(sid)) != 0) !=
            (rows[i].fate == FRESH))
            fail_msg("row %zu: sid", i);
        assert_true(equal(auth.session.sub, rows[i].sub));
        assert_int_equal(auth.session.known, rows[i].known);
        assert_true(equal(auth.session.upstream,
                          rows[i].fate == KEPT ? "\"t\"" : "\"u\""));
        /* The expiry is a guest's only for a known guest (L54). */
        is_guest = rows[i].known == PST_IDENTITY_GUEST;
        assert_int_equal(auth.session.exp,
                         FIXTURE_NOW + (is_guest ? 365 * 86400 : 12 * 3600));
        if (rows[i].owner == A_GUEST && !is_guest)
            assert_true(is_set(GUEST_CLEARED));
    }
    fixture_fini(&fix);
}

/* Cookies that scripts may read change. The session keeps its user, unless the
 * backend returns another. */
static void
test_other_cookies(void **state)
{
    const struct credentials_update update = {
        .cookies = {PST_STR("theme=dark")}, .cookie_count = 1};
    uint8_t sid[PST_SID_LEN];
    struct auth auth;

    (void)state;
    fixture_init(&fix, cookies);
    for (int is_other = 0; is_other < 2; is_other++) {
        come_back(A_USER, "{\"session\":\"t\"}", 0, &auth);
        fix.answer = (struct fixture_answer){
            .status = 200, .body = is_other ? OTHER : FLOW_ME};
        memcpy(sid, auth.session.sid, sizeof(sid));
        assert_int_equal(
            identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update),
            PST_OK);
        assert_int_equal(fix.exchanges, 1);
        assert_int_equal(memcmp(sid, auth.session.sid, sizeof(sid)) == 0,
                         !is_other);
        assert_true(pst_str_contains(auth.session.upstream, PST_STR("dark")));
        assert_int_equal(fixture_count(&fix, "Set-Cookie") > 0, true);
        fix.exchanges = 0;
    }
    /* Without a session the cookies are not stored. */
    assert_int_equal(fixture_enter(&fix, &auth, POST, SAME_ORIGIN, NULL),
                     PST_OK);
    assert_int_equal(
        identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update),
        PST_OK);
    assert_int_equal(fix.exchanges, 0);
    assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
    fixture_fini(&fix);
}

/* A logout during the backend's request: no response restores the session. */
static void
test_revoked_meanwhile(void **state)
{
    static const char *const whose[] = {FLOW_ME, OTHER, FLOW_NOBODY};
    const struct credentials_update update = {.token = PST_STR("u")};

    (void)state;
    init_with_store(vendure);
    for (size_t i = 0; i < PST_COUNT(whose); i++) {
        struct auth auth;

        fix.ctx.now += 100; /* later than the last revocation */
        come_back(A_USER, "\"t\"", 0, &auth);
        fix.answer = (struct fixture_answer)SAYS(whose[i]);
        assert_int_equal(registry_revoke_all(&fix.ctx, &fix.req, &auth.session),
                         PST_OK);
        assert_int_equal(
            identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update),
            PST_OK);
        assert_false(auth.has_session);
        /* The browser may have a newer cookie, so none is cleared. */
        assert_false(is_set(USER_CLEARED));
        assert_false(is_set("__Host-Http-session=e"));
        assert_false(is_set("__Host-Http-session-guest=e"));
    }
    fini_with_store();
}

/* The same if only this session is revoked, with the same user and a new token.
 * Without the revocation the token is issued. */
static void
test_revoked_alone_meanwhile(void **state)
{
    const struct credentials_update update = {.token = PST_STR("u")};

    (void)state;
    for (unsigned is_revoked = 0; is_revoked < 2; is_revoked++) {
        struct auth auth;

        init_with_store(vendure);
        come_back(A_USER, "\"t\"", 0, &auth);
        fix.answer = (struct fixture_answer)SAYS(FLOW_ME);
        if (is_revoked)
            assert_int_equal(registry_revoke(&fix.ctx, &fix.req, &auth.session),
                             PST_OK);
        assert_int_equal(
            identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update),
            PST_OK);
        assert_int_equal(auth.has_session, !is_revoked);
        assert_int_equal(fixture_count(&fix, "Set-Cookie"), !is_revoked);
        fini_with_store();
    }
}

/* A new token of a user that no session can hold is ended at the backend. A
 * guest's token ends nothing of anyone, and expires. */
static void
test_orphan(void **state)
{
    static const struct {
        const char *upstream_logout;
        struct fixture_answer who;
        bool is_revoked;
        size_t exchanges;
    } rows[] = {
        {"POSTERN_UPSTREAM_LOGOUT=always", SAYS(FLOW_ME), true, 2},
        {"POSTERN_UPSTREAM_LOGOUT=always", SAYS(OTHER), true, 2},
        {"POSTERN_UPSTREAM_LOGOUT=always", SAYS(FLOW_ME), false, 1},
        {"POSTERN_UPSTREAM_LOGOUT=always", SAYS(OTHER), false, 1},
        {"POSTERN_UPSTREAM_LOGOUT=always", SAYS(FLOW_NOBODY), true, 1},
        {"POSTERN_UPSTREAM_LOGOUT=everywhere", SAYS(FLOW_ME), true, 1},
        {"POSTERN_UPSTREAM_LOGOUT=never", SAYS(FLOW_ME), true, 1},
    };
    const struct credentials_update update = {.token = PST_STR("u#1")};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const settings[] = {"POSTERN_BACKEND=vendure",
                                        rows[i].upstream_logout, NULL};
        struct auth auth;

        init_with_store(settings);
        come_back(A_USER, "\"t\"", 0, &auth);
        fix.answer = rows[i].who;
        if (rows[i].is_revoked)
            assert_int_equal(
                registry_revoke_all(&fix.ctx, &fix.req, &auth.session), PST_OK);
        assert_int_equal(
            identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update),
            PST_OK);
        if (fix.exchanges != rows[i].exchanges ||
            fixture_was_sent(&fix, "ogout") != (rows[i].exchanges > 1))
            fail_msg("row %zu: %zu exchanges\n%.*s", i, fix.exchanges,
                     (int)fix.sent_len, fix.sent);
        assert_int_equal(auth.has_session, !rows[i].is_revoked);
        fini_with_store();
    }
}

/* Another cookie than the backend's session cookie changed and could not be
 * stored. The backend's session is not logged out, because others may use
 * it. */
static void
test_other_cookies_lost(void **state)
{
    const struct credentials_update update = {
        .cookies = {PST_STR("theme=dark")}, .cookie_count = 1};
    static const char *const settings[] = {
        "POSTERN_BACKEND=vendure", "POSTERN_UPSTREAM_TOKEN=cookie",
        "POSTERN_UPSTREAM_LOGOUT=always", NULL};
    struct auth auth;

    (void)state;
    init_with_store(settings);
    fix.ctx.now += 1000;
    come_back(A_USER, "{\"session\":\"t\"}", 0, &auth);
    fix.answer = (struct fixture_answer)SAYS(FLOW_ME);
    assert_int_equal(registry_revoke(&fix.ctx, &fix.req, &auth.session),
                     PST_OK);
    assert_int_equal(
        identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update),
        PST_OK);
    assert_false(auth.has_session);
    assert_int_equal(fix.exchanges, 1);
    fini_with_store();
}

/* Before anything is forwarded (L37, L53, L54). */
static void
test_confirm(void **state)
{
    static const char *const settings[] = {"POSTERN_BACKEND=vendure",
                                           "POSTERN_REVALIDATE=15m", NULL};
    static const struct {
        enum owner owner;
        int64_t age; /* seconds since it was asked */
        struct fixture_answer who;
        enum pst_err want;
        enum fate fate;
        size_t exchanges;
    } rows[] = {
        /* The user is unknown: nothing is forwarded. */
        {SOMEBODY, 0, {.status = 0}, PST_UPSTREAM_BROKEN, KEPT, 1},
        {SOMEBODY, 0, {.status = 500}, PST_UPSTREAM_BROKEN, KEPT, 1},
        {SOMEBODY, 0, SAYS("{}"), PST_UPSTREAM_BROKEN, KEPT, 1},
        {SOMEBODY, 0, SAYS(FLOW_ME), PST_OK, FRESH, 1},
        {SOMEBODY, 0, SAYS(FLOW_NOBODY), PST_OK, FRESH, 1},
        /* The user was asked in time, or must be asked again. */
        {A_USER, 899, SAYS(OTHER), PST_OK, KEPT, 0},
        {A_USER, 900, SAYS(FLOW_ME), PST_OK, SAME, 1},
        {A_USER, 900, SAYS(OTHER), PST_OK, ENDED, 1},
        {A_USER, 900, SAYS(FLOW_NOBODY), PST_OK, ENDED, 1},
        {A_USER, 900, {.status = 500}, PST_UPSTREAM_BROKEN, KEPT, 1},
        {A_USER, 900, {.status = 0}, PST_UPSTREAM_BROKEN, KEPT, 1},
        /* A guest is never asked again. */
        {A_GUEST, 900, SAYS(OTHER), PST_OK, KEPT, 0},
    };

    (void)state;
    fixture_init(&fix, settings);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        uint8_t sid[PST_SID_LEN];
        struct auth auth;
        enum pst_err e;

        come_back(rows[i].owner, "\"t\"", FIXTURE_NOW - rows[i].age, &auth);
        memcpy(sid, auth.session.sid, sizeof(sid));
        fix.answer = rows[i].who;
        e = identity_revalidate(&fix.ctx, &fix.req, &fix.res, &auth);
        if (e != rows[i].want || fix.exchanges != rows[i].exchanges ||
            auth.has_session != (rows[i].fate != ENDED))
            fail_msg("row %zu: %s, asked %zu times", i, pst_err_code(e),
                     fix.exchanges);
        assert_int_equal(fixture_count(&fix, "Set-Cookie") > 0,
                         rows[i].fate != KEPT);
        if (rows[i].fate == ENDED)
            assert_true(is_set(USER_CLEARED));
        else if ((memcmp(sid, auth.session.sid, sizeof(sid)) != 0) !=
                 (rows[i].fate == FRESH))
            fail_msg("row %zu: sid", i);
        if (rows[i].fate == SAME)
            assert_int_equal(auth.session.asked, FIXTURE_NOW);
    }
    fixture_fini(&fix);
}

/* A concurrent request has asked for the user and replaced the session. Its
 * response has the new session. The client must repeat this request. */
static void
test_confirm_beside(void **state)
{
    struct auth auth;

    (void)state;
    init_with_store(vendure);
    come_back(SOMEBODY, "\"t\"", 0, &auth);
    fix.answer = (struct fixture_answer)SAYS(FLOW_ME);
    assert_int_equal(registry_revoke(&fix.ctx, &fix.req, &auth.session),
                     PST_OK);
    assert_int_equal(identity_revalidate(&fix.ctx, &fix.req, &fix.res, &auth),
                     PST_UNCONFIRMED);
    assert_int_equal(fixture_count(&fix, "Set-Cookie"), 0);
    fini_with_store();
}

/* Without a session no request is sent. */
static void
test_confirm_nobody(void **state)
{
    struct auth auth;

    (void)state;
    fixture_init(&fix, vendure);
    assert_int_equal(fixture_enter(&fix, &auth, POST, SAME_ORIGIN, NULL),
                     PST_OK);
    assert_int_equal(identity_revalidate(&fix.ctx, &fix.req, &fix.res, &auth),
                     PST_OK);
    assert_int_equal(fix.exchanges, 0);
    fixture_fini(&fix);
}

/* Sessions of users that begin without a password count by address. Those of
 * guests do not, because a rendering server has one address for all. */
static void
test_throttled(void **state)
{
    static const char *const settings[] = {
        "POSTERN_BACKEND=vendure", "POSTERN_LOGIN_PER_ADDRESS=2/15m", NULL};
    static const char *const variables[] = {POST, SAME_ORIGIN,
                                            "REMOTE_ADDR=192.0.2.1", NULL};
    const struct credentials_update update = {.token = PST_STR("u")};

    (void)state;
    init_with_store(settings);
    for (int i = 0; i < 8; i++) {
        bool is_guest = i < 4;
        bool is_over = i >= 6;
        struct auth auth = {.carrier = AUTH_BY_NOTHING};
        enum pst_err e;

        fix.answer =
            (struct fixture_answer)SAYS(is_guest ? FLOW_NOBODY : FLOW_ME);
        fixture_request(&fix, variables, NULL);
        e = identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth, &update);
        assert_int_equal(e, is_over ? PST_THROTTLED : PST_OK);
        assert_int_equal(auth.has_session, !is_over);
        assert_int_equal(fixture_count(&fix, "Set-Cookie") > 0, !is_over);
        assert_int_equal(fixture_count(&fix, "Retry-After"), is_over);
    }
    fini_with_store();
}

/* When any allocation fails, no session cookie is set. */
static void
test_no_memory(void **state)
{
    static const char *const whose[] = {FLOW_ME, OTHER, FLOW_NOBODY};
    const struct credentials_update update = {.token = PST_STR("u")};

    (void)state;
    fixture_init(&fix, vendure);
    for (size_t i = 0; i < PST_COUNT(whose); i++) {
        enum pst_err e = PST_NO_MEMORY;
        size_t n = 0;

        while (e && n < 1000) {
            struct auth auth;

            come_back(A_USER, "\"t\"", 0, &auth);
            fix.answer = (struct fixture_answer)SAYS(whose[i]);
            pst_arena_fail_at(fix.arena, ++n);
            e = identity_apply_update(&fix.ctx, &fix.req, &fix.res, &auth,
                                      &update);
            if (e && (e != PST_NO_MEMORY || is_set("__Host-Http-session")))
                fail_msg("row %zu, %zu: %s", i, n, pst_err_code(e));
        }
        assert_true(n > 5 && e == PST_OK);
    }
    fixture_fini(&fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_ask_changes_token),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_other_cookies),
        cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_other_cookies_lost),
        cmocka_unit_test(test_revoked_meanwhile),
        cmocka_unit_test(test_revoked_alone_meanwhile),
        cmocka_unit_test(test_confirm),
        cmocka_unit_test(test_confirm_beside),
        cmocka_unit_test(test_confirm_nobody),
        cmocka_unit_test(test_throttled),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
