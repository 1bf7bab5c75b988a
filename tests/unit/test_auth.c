/* SPDX-License-Identifier: ISC */
/*
 * test_auth.c - which token of a request counts, whether it opens, and which
 * requests of other sites are refused (design 2.1, 2.7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/auth_session.h"
#include "stores.h"

#define GET "REQUEST_METHOD=GET"
#define POST "REQUEST_METHOD=POST"

static const char *const cookie_only[] = {NULL};
static const char *const bearer_only[] = {"POSTERN_TOKEN_METHOD=bearer", NULL};
static const char *const both[] = {"POSTERN_TOKEN_METHOD=cookie,bearer", NULL};
static const char *const both_signed[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                          "POSTERN_TOKEN_FORMAT=signed", NULL};

static const struct auth_grant alice = {
    .sub = {"7", 1},
    .name = {"alice@example.com", 17},
    .who = {"{\"email\":\"alice@example.com\"}", 29},
    .upstream = {"\"fnEDsecret\"", 12},
};

static bool
is_alice(const struct auth *auth)
{
    return auth->has_session && pst_str_equal(auth->session.sub, alice.sub) &&
           pst_str_equal(auth->session.upstream, alice.upstream);
}

static void
test_round_trip(void **state)
{
    const char *const *const settings[] = {cookie_only, bearer_only, both,
                                           both_signed};
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(settings); i++) {
        static struct fixture_session tokens;
        struct auth auth;

        fixture_init(f, settings[i]);
        fixture_begin_with(f, &alice, &tokens);
        assert_true((tokens.cookie[0] != '\0') == (settings[i] != bearer_only));
        assert_true((tokens.bearer[0] != '\0') == (settings[i] != cookie_only));
        if (tokens.cookie[0]) {
            assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, NULL),
                             PST_OK);
            assert_true(is_alice(&auth));
            assert_int_equal(auth.carrier, AUTH_BY_COOKIE);
        }
        if (tokens.bearer[0]) {
            assert_int_equal(fixture_enter(f, &auth, GET, tokens.bearer, NULL),
                             PST_OK);
            assert_true(is_alice(&auth));
            assert_int_equal(auth.carrier, AUTH_BY_BEARER);
        }
        fixture_fini(f);
    }
}

/* A cookie that does not open is not a session. It is cleared and never an
 * error. */
static void
test_dead_cookies(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    static char changed[8300];
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    snprintf(changed, sizeof(changed), "%sA", tokens.cookie);
    {
        const char *const rows[] = {"HTTP_COOKIE=__Host-Http-session=",
                                    "HTTP_COOKIE=__Host-Http-session=x.y.z",
                                    changed};

        for (size_t i = 0; i < PST_COUNT(rows); i++) {
            assert_int_equal(fixture_enter(f, &auth, GET, rows[i], NULL),
                             PST_OK);
            assert_false(auth.has_session);
            assert_int_equal(auth.carrier, AUTH_BY_COOKIE);
            assert_int_equal(fixture_count(f, "Set-Cookie"), 2);
            assert_true(fixture_has(f, "Set-Cookie",
                                    "__Host-Http-session=; Path=/; Max-Age=0; "
                                    "HttpOnly; Secure; SameSite=Lax"));
            assert_true(
                fixture_has(f, "Set-Cookie",
                            "__Host-Http-session=; Path=/; Max-Age=0; "
                            "HttpOnly; Secure; SameSite=None; Partitioned"));
        }
    }
    /* No cookie, or another program's cookie: none is cleared (U16). */
    assert_int_equal(
        fixture_enter(f, &auth, GET, "HTTP_COOKIE=__host-http-session=x", NULL),
        PST_OK);
    assert_null(fixture_header(f, "Set-Cookie"));
    fixture_fini(f);
}

/* RFC 6750 section 3, design 2.1. */
static void
test_dead_bearers(void **state)
{
    const char *const guest[] = {"POSTERN_TOKEN_METHOD=bearer",
                                 "POSTERN_DEAD_BEARER=guest", NULL};
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, both);
    assert_int_equal(
        fixture_enter(f, &auth, GET, "HTTP_AUTHORIZATION=Bearer x", NULL),
        PST_FORGED);
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    assert_non_null(strstr(fixture_header(f, "WWW-Authenticate"),
                           "error=\"invalid_token\""));
    assert_null(fixture_header(f, "Set-Cookie"));
    fixture_fini(f);
    fixture_init(f, guest);
    assert_int_equal(
        fixture_enter(f, &auth, GET, "HTTP_AUTHORIZATION=Bearer x", NULL),
        PST_OK);
    assert_false(auth.has_session);
    assert_string_equal(fixture_header(f, "vendure-auth-token"), "");
    fixture_fini(f);
}

/* lighttpd drops a header without a value. There a client clears the token with
 * the token of a session without a user and upstream credentials. */
static void
test_dead_bearer_behind_lighttpd(void **state)
{
    static const struct {
        const char *server;
        bool is_token;
    } rows[] = {
        {"SERVER_SOFTWARE=lighttpd/1.4.69", true},
        {"SERVER_SOFTWARE=Apache/2.4.57", false},
        {"SERVER_SOFTWARE=not lighttpd", false},
        {"NO=server", false},
    };
    static const char *const *const settings[] = {both, both_signed};
    struct fixture *f = *state;

    for (size_t i = 0; i < PST_COUNT(rows) * PST_COUNT(settings); i++) {
        static char header[8300];
        size_t row = i % PST_COUNT(rows);
        struct auth auth;

        fixture_init(f, settings[i / PST_COUNT(rows)]);
        assert_int_equal(fixture_enter(f, &auth, GET,
                                       "HTTP_AUTHORIZATION=Bearer x",
                                       rows[row].server),
                         PST_FORGED);
        snprintf(header, sizeof(header), "HTTP_AUTHORIZATION=Bearer %.8000s",
                 fixture_header(f, "vendure-auth-token"));
        assert_true((strlen(header) > 100) == rows[row].is_token);
        if (rows[row].is_token) {
            assert_int_equal(fixture_enter(f, &auth, GET, header, NULL),
                             PST_OK);
            assert_true(auth.has_session);
            assert_true(pst_session_is_guest(&auth.session));
            assert_true(pst_str_is_absent(auth_upstream(&auth)));
        }
        fixture_break_random(f);
        if (fixture_enter(f, &auth, GET, "HTTP_AUTHORIZATION=Bearer x",
                          rows[row].server) == PST_FORGED)
            assert_int_equal(response_begin(&f->res),
                             rows[row].is_token ? PST_NO_RANDOM : PST_OK);
        fixture_fini(f);
    }
}

/* R62: the bearer token takes precedence, even if it is invalid and the cookie
 * is valid. */
static void
test_bearer_wins(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie,
                                   "HTTP_AUTHORIZATION=Bearer x"),
                     PST_FORGED);
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, tokens.bearer),
                     PST_OK);
    assert_int_equal(auth.carrier, AUTH_BY_BEARER);
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie,
                                   "HTTP_AUTHORIZATION=Basic eDp5"),
                     PST_OK);
    assert_int_equal(auth.carrier, AUTH_BY_COOKIE);
    fixture_fini(f);
}

/* A client without a token sends "Bearer" and no value. It has no session and
 * no invalid token, and its cookie is not used. */
static void
test_empty_bearer(void **state)
{
    static const char *const headers[] = {"HTTP_AUTHORIZATION=Bearer",
                                          "HTTP_AUTHORIZATION=bearer   "};
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    for (size_t i = 0; i < PST_COUNT(headers); i++) {
        assert_int_equal(
            fixture_enter(f, &auth, GET, tokens.cookie, headers[i]), PST_OK);
        assert_false(auth.has_session);
        assert_int_equal(auth.carrier, AUTH_BY_BEARER);
        assert_null(fixture_header(f, "vendure-auth-token"));
        assert_null(fixture_header(f, "WWW-Authenticate"));
    }
    fixture_fini(f);
    /* If bearer tokens are off, the header is ignored. */
    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, headers[0]),
                     PST_OK);
    assert_true(is_alice(&auth));
    fixture_fini(f);
}

/* U35: a response that may be late does not clear an invalid cookie. */
static void
test_dead_cookies_are_kept(void **state)
{
    static const struct auth_rules rules = {.methods = "GET",
                                            .keeps_dead_cookies = true};
    static const char *const dead[] = {
        GET,
        "HTTP_COOKIE=__Host-Http-session=x; __Host-Http-session-guest=y; "
        "__Host-session=z",
        NULL};
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, both);
    fixture_request(f, dead, NULL);
    assert_int_equal(authenticate(&f->ctx, &f->req, &f->res, &rules, &auth),
                     PST_OK);
    assert_false(auth.has_session);
    assert_int_equal(auth.carrier, AUTH_BY_COOKIE);
    assert_int_equal(auth_renew_if_due(&f->ctx, &f->req, &f->res, &auth),
                     PST_OK);
    assert_int_equal(fixture_count(f, "Set-Cookie"), 0);
    /* Another program clears both; the older name only a logout or login. */
    assert_int_equal(fixture_enter(f, &auth, GET, dead[1], NULL), PST_OK);
    assert_int_equal(fixture_count(f, "Set-Cookie"), 4);
    fixture_fini(f);
}

/* U32: among cookies of one name the one that opens counts. */
static void
test_one_of_several(void **state)
{
    static const char *const shapes[] = {
        "%s; __Host-Http-session=x",
        "HTTP_COOKIE=__Host-Http-session=x; a=b; %s",
        "%s; __Host-Http-session=",
        "HTTP_COOKIE=__Host-Http-session=x; __Host-Http-session=y; %s",
    };
    struct fixture *f = *state;
    static struct fixture_session tokens;
    static char header[20000];
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    for (size_t i = 0; i < PST_COUNT(shapes); i++) {
        const char *pair = tokens.cookie + (shapes[i][0] == '%' ? 0 : 12);
        size_t before = (size_t)(strstr(shapes[i], "%s") - shapes[i]);

        snprintf(header, sizeof(header), "%.*s%s%s", (int)before, shapes[i],
                 pair, shapes[i] + before + 2);
        assert_int_equal(fixture_enter(f, &auth, GET, header, NULL), PST_OK);
        if (!is_alice(&auth))
            fail_msg("%s", shapes[i]);
        assert_int_equal(fixture_count(f, "Set-Cookie"), 0);
    }
    fixture_fini(f);
}

/* R13, L39: a token has one role, on one site, under one secret. */
static void
test_roles_are_bound(void **state)
{
    const char *const other_site[] = {"POSTERN_AUDIENCE=shop.example",
                                      "POSTERN_TOKEN_METHOD=cookie,bearer",
                                      NULL};
    struct fixture *f = *state;
    static struct fixture_session tokens;
    static struct fixture_session swapped;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    snprintf(swapped.cookie, sizeof(swapped.cookie),
             "HTTP_COOKIE=__Host-Http-session=%s",
             strchr(tokens.bearer, ' ') + 1);
    snprintf(swapped.bearer, sizeof(swapped.bearer),
             "HTTP_AUTHORIZATION=Bearer %s",
             strstr(tokens.cookie, "session=") + 8);
    assert_int_equal(fixture_enter(f, &auth, GET, swapped.cookie, NULL),
                     PST_OK);
    assert_false(auth.has_session);
    assert_int_equal(fixture_enter(f, &auth, GET, swapped.bearer, NULL),
                     PST_FORGED);
    fixture_fini(f);
    fixture_init(f, other_site);
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.cookie, NULL), PST_OK);
    assert_false(auth.has_session);
    assert_int_equal(fixture_enter(f, &auth, GET, tokens.bearer, NULL),
                     PST_FORGED);
    fixture_fini(f);
}

/* Requests refused before any token is read. */
static void
test_method_and_path(void **state)
{
    const char *const put[] = {"REQUEST_METHOD=PUT", NULL};
    const char *const path[] = {GET, "PATH_INFO=/x", NULL};
    const char *const slash[] = {GET, "PATH_INFO=/", NULL};
    const char *const options[] = {"REQUEST_METHOD=OPTIONS", NULL};
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, cookie_only);
    fixture_request(f, put, NULL);
    assert_int_equal(
        authenticate(&f->ctx, &f->req, &f->res,
                     &(struct auth_rules){.methods = "GET, POST, OPTIONS"},
                     &auth),
        PST_BAD_METHOD);
    assert_string_equal(fixture_header(f, "Allow"), "GET, POST, OPTIONS");
    fixture_request(f, path, NULL);
    assert_int_equal(authenticate(&f->ctx, &f->req, &f->res,
                                  &(struct auth_rules){.methods = "GET"},
                                  &auth),
                     PST_NOT_FOUND);
    fixture_request(f, slash, NULL);
    assert_int_equal(authenticate(&f->ctx, &f->req, &f->res,
                                  &(struct auth_rules){.methods = "GET"},
                                  &auth),
                     PST_NOT_FOUND);
    fixture_request(f, options, NULL);
    assert_int_equal(
        authenticate(&f->ctx, &f->req, &f->res,
                     &(struct auth_rules){.methods = "GET, OPTIONS"}, &auth),
        PST_OK);
    assert_true(f->res.begun);
    assert_true(fixture_is_out(f, "Status: 204"));
    fixture_fini(f);
}

/* R45, R47: a foreign page changes nothing and renews no session. */
static void
test_cross_site(void **state)
{
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    f->ctx.now += 600; /* due for renewal */
    {
        const char *const foreign[] = {POST, tokens.cookie,
                                       "HTTP_SEC_FETCH_SITE=cross-site", NULL};
        const char *const by_bearer[] = {
            POST, tokens.bearer, "HTTP_SEC_FETCH_SITE=cross-site", NULL};

        fixture_request(f, foreign, NULL);
        assert_int_equal(authenticate(&f->ctx, &f->req, &f->res,
                                      &(struct auth_rules){.methods = "POST"},
                                      &auth),
                         PST_CROSS_SITE);
        assert_null(fixture_header(f, "Set-Cookie"));
        fixture_request(f, by_bearer, NULL);
        assert_int_equal(authenticate(&f->ctx, &f->req, &f->res,
                                      &(struct auth_rules){.methods = "POST"},
                                      &auth),
                         PST_OK);
        assert_true(auth.has_session);
    }
    fixture_fini(f);
}

/*
 * A cookie sealed with an older secret does not bypass this. It is due for
 * renewal, but a refusal issues no token. The same cookie is valid here.
 */
static void
test_cross_site_with_an_older_secret(void **state)
{
    static const char secrets[] = "another-Secret-of-43-characters-0123456789x "
                                  "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe";
    static const struct {
        const char *site;
        enum pst_err want;
    } rows[] = {
        {"HTTP_SEC_FETCH_SITE=cross-site", PST_CROSS_SITE},
        {"HTTP_ORIGIN=https://evil.example", PST_CROSS_SITE},
        {"HTTP_SEC_FETCH_SITE=same-origin", PST_OK},
    };
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct pst_keyring *ring = NULL;
    const char *reason = "";

    fixture_init(f, cookie_only);
    fixture_begin_with(f, &alice, &tokens);
    if (pst_keyring_new(&ring, pst_str_from(secrets), f->config->audience,
                        &reason) != PST_OK)
        fail_msg("%s", reason);
    f->ctx.ring = ring;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct auth auth;

        assert_int_equal(
            fixture_enter(f, &auth, POST, tokens.cookie, rows[i].site),
            rows[i].want);
        assert_true(is_alice(&auth) && auth.is_renewal_due);
        assert_null(fixture_header(f, "Set-Cookie"));
    }
    pst_keyring_free(&ring);
    fixture_fini(f);
}

/* A token that does not open does not prove the origin: a foreign page can
 * invent one. An empty token does not either. */
static void
test_cross_site_with_a_dead_bearer(void **state)
{
    static const char *const settings[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                           "POSTERN_DEAD_BEARER=guest", NULL};
    static const char *const headers[] = {"HTTP_AUTHORIZATION=Bearer x",
                                          "HTTP_AUTHORIZATION=Bearer"};
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, settings);
    for (size_t i = 0; i < PST_COUNT(headers); i++) {
        assert_int_equal(fixture_enter(f, &auth, POST, headers[i],
                                       "HTTP_SEC_FETCH_SITE=cross-site"),
                         PST_CROSS_SITE);
        assert_int_equal(fixture_enter(f, &auth, POST, headers[i], NULL),
                         PST_OK);
    }
    fixture_fini(f);
}

/* What fails for another reason than the token is an error: with a session's
 * token nobody is served as a guest. */
static void
test_failures(void **state)
{
    static const struct auth_rules rules = {.methods = "GET"};
    static struct fixture_session tokens;
    const char *const carriers[] = {tokens.cookie, tokens.bearer};
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    for (size_t i = 0; i < PST_COUNT(carriers); i++) {
        const char *const variables[] = {GET, carriers[i], NULL};
        enum pst_err e = PST_NO_MEMORY;
        size_t n;

        for (n = 1; e == PST_NO_MEMORY && n < 200; n++) {
            fixture_request(f, variables, NULL);
            pst_arena_fail_at(f->arena, n);
            e = authenticate(&f->ctx, &f->req, &f->res, &rules, &auth);
        }
        assert_int_equal(e, PST_OK);
        assert_true(is_alice(&auth));
        assert_true(n > 5);
    }
    f->ctx.store = stores_open_url(STORES_DOWN_URL, "test");
    for (size_t i = 0; i < PST_COUNT(carriers); i++) {
        assert_int_equal(fixture_enter(f, &auth, GET, carriers[i], NULL),
                         PST_STORE_DOWN);
        assert_false(auth.has_session);
    }
    /* A request of another site is refused as such, and learns no more. */
    assert_int_equal(fixture_enter(f, &auth, POST, tokens.cookie,
                                   "HTTP_SEC_FETCH_SITE=cross-site"),
                     PST_CROSS_SITE);
    store_close(&f->ctx.store);
    fixture_fini(f);
}

/* A request that a plain form can send (L42), with a cookie and without an
 * origin, needs a header that no form can add. */
static void
test_multipart(void **state)
{
    static const char *const types[] = {
        "CONTENT_TYPE=multipart/form-data; boundary=x",
        "CONTENT_TYPE=Multipart/Form-Data;boundary=x"};
    static const char *const forced[] = {
        "HTTP_APOLLO_REQUIRE_PREFLIGHT=true",
        "HTTP_X_APOLLO_OPERATION_NAME=Upload",
        "HTTP_GRAPHQL_PREFLIGHT=1",
        "HTTP_SEC_FETCH_SITE=same-origin",
    };
    static const char *const idle[] = {
        "HTTP_X_REQUESTED_WITH=x",
        "HTTP_APOLLO_REQUIRE_PREFLIGHT=", "HTTP_REFERER=http://localhost/"};
    static const struct auth_rules rules = {.methods = "POST"};
    struct fixture *f = *state;
    static struct fixture_session tokens;
    struct auth auth;

    fixture_init(f, both);
    fixture_begin_with(f, &alice, &tokens);
    for (size_t t = 0; t < PST_COUNT(types); t++) {
        for (size_t i = 0; i < PST_COUNT(forced) + PST_COUNT(idle) + 2; i++) {
            size_t k = i - PST_COUNT(forced);
            const char *more = i < PST_COUNT(forced) ? forced[i]
                               : k < PST_COUNT(idle) ? idle[k]
                                                     : "NO=header";
            bool by_bearer = k == PST_COUNT(idle) + 1;
            const char *const variables[] = {
                POST, types[t], by_bearer ? tokens.bearer : tokens.cookie, more,
                NULL};
            bool may = i < PST_COUNT(forced) || by_bearer;
            enum pst_err e;

            fixture_request(f, variables, NULL);
            e = authenticate(&f->ctx, &f->req, &f->res, &rules, &auth);
            if (e != (may ? PST_OK : PST_CROSS_SITE))
                fail_msg("%s, %s: %s", types[t], more, pst_err_code(e));
        }
    }
    /* A form cannot send JSON. Without a cookie there is nothing to misuse. */
    assert_int_equal(fixture_enter(f, &auth, POST, tokens.cookie,
                                   "CONTENT_TYPE=application/json"),
                     PST_OK);
    assert_int_equal(fixture_enter(f, &auth, POST, types[0], NULL), PST_OK);
    assert_int_equal(fixture_enter(f, &auth, POST, types[0],
                                   "HTTP_COOKIE=__Host-Http-session=dead"),
                     PST_CROSS_SITE);
    fixture_fini(f);
}

/* U30: our form under Referrer-Policy: no-referrer. */
static void
test_null_origin(void **state)
{
    static const struct {
        const char *site;
        enum pst_err want;
    } rows[] = {
        {"HTTP_SEC_FETCH_SITE=same-origin", PST_OK},
        {"HTTP_SEC_FETCH_SITE=none", PST_CROSS_SITE},
        {"HTTP_SEC_FETCH_SITE=same-site", PST_CROSS_SITE},
        {"HTTP_SEC_FETCH_SITE=cross-site", PST_CROSS_SITE},
        {NULL, PST_CROSS_SITE},
    };
    struct fixture *f = *state;
    struct auth auth;

    fixture_init(f, cookie_only);
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        assert_int_equal(
            fixture_enter(f, &auth, POST, "HTTP_ORIGIN=null", rows[i].site),
            rows[i].want);
    fixture_fini(f);
}

int
main(void)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_round_trip, &fixture),
        cmocka_unit_test_prestate(test_dead_cookies, &fixture),
        cmocka_unit_test_prestate(test_one_of_several, &fixture),
        cmocka_unit_test_prestate(test_dead_cookies_are_kept, &fixture),
        cmocka_unit_test_prestate(test_dead_bearers, &fixture),
        cmocka_unit_test_prestate(test_dead_bearer_behind_lighttpd, &fixture),
        cmocka_unit_test_prestate(test_bearer_wins, &fixture),
        cmocka_unit_test_prestate(test_empty_bearer, &fixture),
        cmocka_unit_test_prestate(test_roles_are_bound, &fixture),
        cmocka_unit_test_prestate(test_method_and_path, &fixture),
        cmocka_unit_test_prestate(test_failures, &fixture),
        cmocka_unit_test_prestate(test_cross_site, &fixture),
        cmocka_unit_test_prestate(test_cross_site_with_an_older_secret,
                                  &fixture),
        cmocka_unit_test_prestate(test_null_origin, &fixture),
        cmocka_unit_test_prestate(test_multipart, &fixture),
        cmocka_unit_test_prestate(test_cross_site_with_a_dead_bearer, &fixture),
    };

    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
