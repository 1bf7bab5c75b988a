/* SPDX-License-Identifier: ISC */
/*
 * test_authorize.c - who is allowed, the headers about the user, and where a
 * refusal redirects to (design 2.10). Calls the handler, without a server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "store/store_operations.h"
#include "stores.h"

int authorize_main(int argc, char **argv);
#define main authorize_main
#include "../../cgi-bin/authorize.c"
#undef main

#define GET "REQUEST_METHOD=GET"
#define POST "REQUEST_METHOD=POST"
#define PAGE "HTTP_SEC_FETCH_MODE=navigate"
#define HTML "HTTP_ACCEPT=text/html,application/xhtml+xml"

static struct fixture fix;
static char cookie[8192]; /* "HTTP_COOKIE=__Host-Http-session=…" */
static char bearer[8192]; /* "HTTP_AUTHORIZATION=Bearer …" */

static const char *const both[] = {
    "POSTERN_TOKEN_METHOD=cookie,bearer", "POSTERN_ORIGIN=https://shop.example",
    "POSTERN_ORIGINS=https://listed.example", NULL};

static int
set_up(void **state)
{
    (void)state;
    fixture_init(&fix, both);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

static void
log_in_with(struct pst_str sub, struct pst_str name, struct pst_str upstream)
{
    static const char *const variables[] = {POST, NULL};
    const struct auth_grant grant = {
        .sub = sub, .name = name, .who = PST_STR("{}"), .upstream = upstream};
    struct auth auth = {.carrier = AUTH_BY_NOTHING};
    const char *line;

    fixture_request(&fix, variables, NULL);
    assert_int_equal(
        auth_begin_session(&fix.ctx, &fix.req, &fix.res, &auth, &grant),
        PST_OK);
    line = fixture_header(&fix, "Set-Cookie");
    snprintf(cookie, sizeof(cookie), "HTTP_COOKIE=%.*s",
             (int)strcspn(line, ";"), line);
    line = fixture_header(&fix, "vendure-auth-token");
    snprintf(bearer, sizeof(bearer), "HTTP_AUTHORIZATION=Bearer %s",
             line ? line : "");
}

static void
log_in(struct pst_str sub, struct pst_str name)
{
    log_in_with(sub, name, PST_STR("\"fnEDsecret\""));
}

/* Run the handler in a role, with these variables (NULL at the end). */
static enum pst_err
ask(bool authorizer, const char *const *variables)
{
    fixture_request(&fix, variables, NULL);
    fix.req.authorizer = authorizer;
    return authorize(&fix.ctx, &fix.req, &fix.res);
}

static void
assert_header(const char *row, const char *name, const char *value)
{
    const char *found = fixture_header(&fix, name);

    if (!found && !value)
        return;
    if (!found || !value || strcmp(found, value) != 0)
        fail_msg("%s: %s is %s, not %s", row, name, found ? found : "not set",
                 value ? value : "absent");
}

/* Any method, any path, both roles: 200, and these headers. */
static void
test_allowed(void **state)
{
    static const struct {
        const char *name;
        bool authorizer;
        bool by_bearer;
        const char *method;
        const char *more;
    } rows[] = {
        {"authorizer", true, false, GET, "PATH_INFO="},
        {"authorizer, path below", true, false, GET, "PATH_INFO=/a/b"},
        {"authorizer, POST", true, false, POST, "CONTENT_TYPE=text/plain"},
        {"authorizer, other method", true, false, "REQUEST_METHOD=PROPFIND",
         "PATH_INFO=/"},
        {"authorizer, OPTIONS", true, false, "REQUEST_METHOD=OPTIONS",
         "HTTP_SEC_FETCH_SITE=same-origin"},
        {"authorizer, bearer", true, true, "REQUEST_METHOD=DELETE",
         "HTTP_SEC_FETCH_SITE=cross-site"},
        {"responder", false, false, GET, "PATH_INFO="},
        {"responder, subrequest", false, false, POST, "AUTH_REQUEST=/a"},
        {"responder, bearer", false, true, GET, "PATH_INFO=/x"},
        {"cross-site navigation by GET", false, false, GET,
         "HTTP_SEC_FETCH_SITE=cross-site"},
        {"same-origin POST", true, false, POST,
         "HTTP_SEC_FETCH_SITE=same-origin"},
        {"listed origin's POST", true, false, POST,
         "HTTP_ORIGIN=https://listed.example"},
    };

    (void)state;
    log_in(PST_STR("7"), PST_STR("Zo\xC3\xAB <z@example.com>"));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const variables[] = {rows[i].method,
                                         rows[i].by_bearer ? bearer : cookie,
                                         rows[i].more, NULL};
        bool is_authorizer = rows[i].authorizer;
        enum pst_err e = ask(rows[i].authorizer, variables);

        if (e || fix.res.status != 200)
            fail_msg("%s: %s, status %d", rows[i].name, pst_err_code(e),
                     fix.res.status);
        assert_header(rows[i].name, "Variable-REMOTE_USER",
                      is_authorizer ? "7" : NULL);
        assert_header(rows[i].name, "Variable-SESSION_SUBJECT",
                      is_authorizer ? "7" : NULL);
        assert_header(rows[i].name, "Variable-SESSION_NAME",
                      is_authorizer ? "Zo\xC3\xAB <z@example.com>" : NULL);
        assert_header(rows[i].name, "Variable-SESSION_EXPIRES",
                      is_authorizer ? "2023-11-15T10:13:20Z" : NULL);
        assert_header(rows[i].name, "X-Session-User",
                      is_authorizer ? NULL : "7");
        assert_header(rows[i].name, "X-Session-Subject",
                      is_authorizer ? NULL : "7");
        assert_header(rows[i].name, "X-Session-Name",
                      is_authorizer ? NULL : "Zo\xC3\xAB <z@example.com>");
        assert_header(rows[i].name, "X-Session-Expires",
                      is_authorizer ? NULL : "2023-11-15T10:13:20Z");
        assert_header(rows[i].name, "Cache-Control", "no-store");
        assert_false(fixture_is_out(&fix, "fnEDsecret"));
    }
}

/* U6: where a refusal redirects to, for each kind of request. */
static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        const char *variables[6];
        bool authorizer;
        enum pst_err e; /* PST_OK: the handler has answered */
        int status;
        const char *location;
        const char *login; /* X-Login-Location */
    } rows[] = {
        {"nothing at all", {GET}, true, PST_NO_SESSION, 0, NULL, NULL},
        {"a health check (L23)",
         {GET, "HTTP_USER_AGENT=GoogleHC/1.0", "REQUEST_URI=/ping"},
         true,
         PST_NO_SESSION,
         0,
         NULL,
         NULL},
        {"a health check by auth_request",
         {GET, "HTTP_USER_AGENT=kube-probe/1.29", "AUTH_REQUEST=/healthz"},
         false,
         PST_NO_SESSION,
         0,
         NULL,
         NULL},
        {"a query string that looks like a public path (L22)",
         {GET, "REQUEST_URI=/a?/login", "AUTH_REQUEST=/a?x=/public/#/login"},
         false,
         PST_NO_SESSION,
         0,
         NULL,
         NULL},
        {"a script's request",
         {GET, "HTTP_SEC_FETCH_MODE=cors", HTML, "REQUEST_URI=/a"},
         true,
         PST_NO_SESSION,
         0,
         NULL,
         NULL},
        {"a picture",
         {GET, "HTTP_SEC_FETCH_MODE=no-cors", HTML},
         true,
         PST_NO_SESSION,
         0,
         NULL,
         NULL},
        {"a navigation",
         {GET, PAGE, "REQUEST_URI=/a/b?c=d&e=f"},
         true,
         PST_OK,
         303,
         "/login?return_to=%2Fa%2Fb%3Fc%3Dd%26e%3Df",
         NULL},
        {"an old browser",
         {GET, HTML, "REQUEST_URI=/a"},
         true,
         PST_OK,
         303,
         "/login?return_to=%2Fa",
         NULL},
        {"HEAD",
         {"REQUEST_METHOD=HEAD", HTML, "REQUEST_URI=/a"},
         true,
         PST_OK,
         303,
         "/login?return_to=%2Fa",
         NULL},
        {"a form is not sent again",
         {POST, PAGE, "REQUEST_URI=/a"},
         true,
         PST_OK,
         303,
         "/login",
         NULL},
        {"no REQUEST_URI", {GET, PAGE}, true, PST_OK, 303, "/login", NULL},
        {"another site (L11)",
         {GET, PAGE, "REQUEST_URI=//evil.example/"},
         true,
         PST_OK,
         303,
         "/login",
         NULL},
        {"absolute form",
         {GET, PAGE, "REQUEST_URI=http://evil.example/"},
         true,
         PST_OK,
         303,
         "/login",
         NULL},
        {"encoded twice (L12)",
         {GET, PAGE, "REQUEST_URI=/a/%2e%2e/%2F/evil"},
         true,
         PST_OK,
         303,
         "/login",
         NULL},
        {"percent in it",
         {GET, PAGE, "REQUEST_URI=/a%20b?c=%26"},
         true,
         PST_OK,
         303,
         "/login?return_to=%2Fa%2520b%3Fc%3D%2526",
         NULL},
        {"the login page itself",
         {GET, PAGE, "REQUEST_URI=/login?x=y"},
         true,
         PST_NO_SESSION,
         0,
         NULL,
         NULL},
        {"a header is not a variable (L21)",
         {GET, PAGE, "REQUEST_URI=/a", "HTTP_X_FORWARDED_URI=/b"},
         true,
         PST_OK,
         303,
         "/login?return_to=%2Fa",
         NULL},
        {"a responder, asked by the server",
         {GET, PAGE, "REQUEST_URI=/a", "SCRIPT_NAME=/authorize"},
         false,
         PST_OK,
         303,
         "/login?return_to=%2Fa",
         NULL},
        {"a responder, asked by a proxy",
         {GET, PAGE, "REQUEST_URI=/authorize?x", "SCRIPT_NAME=/authorize",
          "HTTP_X_FORWARDED_URI=/b"},
         false,
         PST_OK,
         303,
         "/login?return_to=%2Fb",
         NULL},
        {"a responder, asked about itself",
         {GET, PAGE, "REQUEST_URI=/authorize?x", "SCRIPT_NAME=/authorize"},
         false,
         PST_OK,
         303,
         "/login",
         NULL},
        {"a proxy's lie",
         {GET, PAGE, "HTTP_X_FORWARDED_URI=/\\evil.example"},
         false,
         PST_OK,
         303,
         "/login",
         NULL},
        {"auth_request",
         {GET, PAGE, "AUTH_REQUEST=/a?b"},
         false,
         PST_OK,
         401,
         NULL,
         "/login?return_to=%2Fa%3Fb"},
        {"auth_request, a script's",
         {GET, "AUTH_REQUEST=/a?b"},
         false,
         PST_NO_SESSION,
         0,
         NULL,
         NULL},
        {"auth_request, two URI headers",
         {GET, PAGE, "AUTH_REQUEST=/a", "HTTP_X_FORWARDED_URI=/b",
          "HTTP_AUTH_REQUEST=/c"},
         false,
         PST_OK,
         401,
         NULL,
         "/login?return_to=%2Fa"},
        {"forged cookie",
         {GET, PAGE, "REQUEST_URI=/a", "HTTP_COOKIE=__Host-Http-session=AAAA"},
         true,
         PST_OK,
         303,
         "/login?return_to=%2Fa",
         NULL},
        {"forged bearer token",
         {GET, PAGE, "REQUEST_URI=/a", "HTTP_AUTHORIZATION=Bearer AAAA"},
         true,
         PST_FORGED,
         0,
         NULL,
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        enum pst_err e = ask(rows[i].authorizer, rows[i].variables);

        if (e != rows[i].e || (!e && fix.res.status != rows[i].status))
            fail_msg("%s: %s, status %d", rows[i].name, pst_err_code(e),
                     fix.res.status);
        assert_header(rows[i].name, "Location", rows[i].location);
        assert_header(rows[i].name, "X-Login-Location", rows[i].login);
        assert_header(rows[i].name, "Variable-REMOTE_USER", NULL);
        assert_header(rows[i].name, "X-Session-User", NULL);
        if (strncmp(rows[i].name, "forged cookie", 13) == 0)
            assert_non_null(fixture_header(&fix, "Set-Cookie"));
    }
}

/* A return_to that is too long is omitted. */
static void
test_long_return_to(void **state)
{
    static char uri[PST_RETURN_TO_MAX + 64] = "REQUEST_URI=/";
    const char *const variables[] = {GET, PAGE, uri, NULL};

    (void)state;
    for (size_t len = 1; len <= PST_RETURN_TO_MAX + 10; len++) {
        const char *location;

        uri[12 + len] = '\0';
        uri[12 + len - 1] = len == 1 ? '/' : 'a';
        assert_int_equal(ask(true, variables), PST_OK);
        location = fixture_header(&fix, "Location");
        assert_non_null(location);
        assert_true(strlen(location) <= PST_RETURN_TO_MAX);
        /* "/login?return_to=%2F" and the rest of it. */
        if (strlen(location) != (len + 19 <= PST_RETURN_TO_MAX ? len + 19 : 6))
            fail_msg("%zu bytes: %s", len, location);
    }
}

/* Design section 4: guests, and identities that a header would change, are
 * refused. */
static void
test_identities(void **state)
{
    static const struct {
        const char *name;
        struct pst_str sub;
        struct pst_str person;
        enum pst_err e;
    } rows[] = {
        {"plain", {"7", 1}, {"a", 1}, PST_OK},
        {"no name", {"7", 1}, {"", 0}, PST_OK},
        {"a name with spaces round it", {"7", 1}, {" a ", 3}, PST_OK},
        {"guest", {"", 0}, {"a", 1}, PST_NO_SESSION},
        {"LF in the name", {"7", 1}, {"a\nX: y", 6}, PST_FORBIDDEN},
        {"CR in the name", {"7", 1}, {"a\rb", 3}, PST_FORBIDDEN},
        {"NUL in the name", {"7", 1}, {"a\0b", 3}, PST_FORBIDDEN},
        {"tab in the name", {"7", 1}, {"a\tb", 3}, PST_FORBIDDEN},
        {"DEL in the name", {"7", 1}, {"a\x7F", 2}, PST_FORBIDDEN},
        {"LF in the subject", {"7\n", 2}, {"a", 1}, PST_FORBIDDEN},
        {"NUL in the subject", {"7\0008", 3}, {"a", 1}, PST_FORBIDDEN},
        {"space before the subject (L24)", {" 7", 2}, {"a", 1}, PST_FORBIDDEN},
        {"space after the subject", {"7 ", 2}, {"a", 1}, PST_FORBIDDEN},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (int authorizer = 0; authorizer < 2; authorizer++) {
            const char *const variables[] = {GET, cookie, NULL};
            enum pst_err e;

            log_in(rows[i].sub, rows[i].person);
            e = ask(authorizer, variables);
            if (e != rows[i].e)
                fail_msg("%s: %s", rows[i].name, pst_err_code(e));
            if (e)
                assert_false(fix.res.begun);
        }
    }
}

/* L53: " a " would arrive at a page as "a", the name of another user. */
static void
test_name_with_spaces(void **state)
{
    const char *const variables[] = {GET, cookie, NULL};

    (void)state;
    log_in(PST_STR("7"), PST_STR(" a "));
    assert_int_equal(ask(true, variables), PST_OK);
    assert_header("space", "Variable-SESSION_NAME", "");
    assert_header("space", "Variable-SESSION_SUBJECT", "7");
}

/* The cross-site rules (design 2.7) apply to the pages too. */
static void
test_cross_site(void **state)
{
    static const char *const refused[] = {
        "HTTP_SEC_FETCH_SITE=cross-site", "HTTP_SEC_FETCH_SITE=same-site",
        "HTTP_ORIGIN=https://evil.example", "HTTP_ORIGIN=null",
        "HTTP_REFERER=https://evil.example/"};

    (void)state;
    log_in(PST_STR("7"), PST_STR("a"));
    for (size_t i = 0; i < PST_COUNT(refused); i++) {
        const char *const by_cookie[] = {POST, PAGE, cookie, refused[i], NULL};
        const char *const by_bearer[] = {POST, bearer, refused[i], NULL};
        enum pst_err e = ask(true, by_cookie);

        if (e != PST_CROSS_SITE)
            fail_msg("%s: %s", refused[i], pst_err_code(e));
        assert_int_equal(ask(true, by_bearer), PST_OK);
    }
}

/* A handshake of a WebSocket is a GET that opens a channel to act on: another
 * site's page must not open one with the visitor's cookie. */
static void
test_websocket(void **state)
{
    static const char websocket[] = "HTTP_SEC_WEBSOCKET_VERSION=13";
    static const struct {
        const char *header;
        enum pst_err want;
    } rows[] = {
        {"HTTP_ORIGIN=https://shop.example", PST_OK},
        {"HTTP_ORIGIN=https://listed.example", PST_OK},
        {"HTTP_ORIGIN=https://evil.example", PST_CROSS_SITE},
        {"HTTP_ORIGIN=null", PST_CROSS_SITE},
        {"HTTP_SEC_FETCH_SITE=cross-site", PST_CROSS_SITE},
        {"HTTP_X=no browser", PST_OK},
    };

    (void)state;
    log_in(PST_STR("7"), PST_STR("a"));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *const handshake[] = {GET, cookie, websocket, rows[i].header,
                                         NULL};
        const char *const other[] = {GET, cookie, "HTTP_UPGRADE=h2c",
                                     rows[i].header, NULL};

        if (ask(true, handshake) != rows[i].want)
            fail_msg("%s", rows[i].header);
        assert_int_equal(ask(true, other), PST_OK);
    }
}

/* R65: a renewed cookie is always sent, though not every web server passes it
 * on. */
static void
test_renewal(void **state)
{
    (void)state;
    for (int authorizer = 0; authorizer < 2; authorizer++) {
        const char *const variables[] = {GET, cookie, NULL};

        log_in(PST_STR("7"), PST_STR("a"));
        assert_int_equal(ask(authorizer, variables), PST_OK);
        assert_null(fixture_header(&fix, "Set-Cookie"));
        fix.ctx.now += 1000;
        assert_int_equal(ask(authorizer, variables), PST_OK);
        assert_non_null(fixture_header(&fix, "Set-Cookie"));
        fix.ctx.now += 1000;
        assert_int_equal(ask(authorizer, variables), PST_NO_SESSION);
        assert_non_null(fixture_header(&fix, "Set-Cookie"));
    }
}

/* A user with an unknown identity is refused, but not redirected to the
 * login. */
static void
test_unknown(void **state)
{
    static const char *const variables[] = {GET, PAGE, cookie, NULL};
    const struct auth_grant grant = {.sub = PST_STR(""),
                                     .name = PST_STR(""),
                                     .who = PST_STR("{}"),
                                     .is_unknown = true};
    static struct fixture_session known;

    (void)state;
    fixture_begin_with(&fix, &grant, &known);
    snprintf(cookie, sizeof(cookie), "%s", known.cookie);
    for (int authorizer = 0; authorizer < 2; authorizer++) {
        enum pst_err e = ask(authorizer, variables);

        assert_int_equal(pst_err_status(e), 503);
        assert_false(fix.res.begun);
        assert_header("unknown", "X-Session-User", NULL);
    }
}

/* L37, R23: query asks the backend for the identity; a session that has not
 * been confirmed for two intervals is refused. */
static void
test_confirmed(void **state)
{
    static const char *const settings[] = {"POSTERN_BACKEND=vendure",
                                           "POSTERN_REVALIDATE=5m", NULL};
    static const struct {
        int64_t asked; /* seconds after the login; 0: never */
        int64_t after;
        enum pst_err want;
    } rows[] = {
        {0, 599, PST_OK},    {0, 600, PST_NO_SESSION},
        {300, 899, PST_OK},  {300, 900, PST_NO_SESSION},
        {-100, 599, PST_OK}, {-100, 600, PST_NO_SESSION},
    };

    (void)state;
    fixture_fini(&fix);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct auth_grant grant = {
            .sub = PST_STR("7"),
            .name = PST_STR("a"),
            .who = PST_STR("{}"),
            .upstream = PST_STR("\"x\""),
            .asked = rows[i].asked ? FIXTURE_NOW + rows[i].asked : 0};
        static struct fixture_session known;
        const char *const variables[] = {GET, known.cookie, NULL};

        fixture_init(&fix, settings);
        fixture_begin_with(&fix, &grant, &known);
        fix.ctx.now += rows[i].after;
        assert_int_equal(ask(false, variables), rows[i].want);
        fixture_fini(&fix);
    }
    fixture_init(&fix, both);
}

/* Revoked between the check and the renewal: refused. */
static enum pst_err
check_twice(struct store *store, const struct store_id *sid,
            const struct store_id *subject, int64_t iat)
{
    static int count;

    (void)store;
    (void)sid;
    (void)subject;
    (void)iat;
    return count++ == 0 ? PST_OK : PST_REVOKED;
}

static void
test_ended_meanwhile(void **state)
{
    static const char *const variables[] = {GET, cookie, NULL};
    struct store_operations broken;
    struct stores stores;

    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    fix.ctx.store = stores_open(&stores, "test");
    log_in(PST_STR("7"), PST_STR("a"));
    broken = *fix.ctx.store->backend;
    broken.check = check_twice;
    fix.ctx.store->backend = &broken;
    fix.ctx.now += 1000;
    assert_int_equal(ask(true, variables), PST_NO_SESSION);
    assert_false(fix.res.begun);
    assert_null(fixture_header(&fix, "Set-Cookie"));
    store_close(&fix.ctx.store);
    stores_stop(&stores);
}

/* Without random bytes the renewal fails: refused (R3, R79). */
static void
test_failure_denies(void **state)
{
    const char *const variables[] = {GET, cookie, NULL};

    (void)state;
    log_in(PST_STR("7"), PST_STR("a"));
    fix.ctx.now += 1000;
    fixture_break_random(&fix);
    assert_int_equal(ask(false, variables), PST_NO_RANDOM);
    assert_false(fix.res.begun);
}

static void
restart(const char *const *settings)
{
    fixture_fini(&fix);
    fixture_init(&fix, settings);
}

/* The backend's token goes to the web server only if that is configured, and
 * never with a refusal. */
static void
test_upstream(void **state)
{
    static const char *const on[] = {"POSTERN_TOKEN_METHOD=cookie,bearer",
                                     "POSTERN_ORIGIN=https://shop.example",
                                     "POSTERN_AUTHORIZE_UPSTREAM=on", NULL};
    static const char *const signed_on[] = {
        "POSTERN_TOKEN_METHOD=cookie,bearer", "POSTERN_TOKEN_FORMAT=signed",
        "POSTERN_ORIGIN=https://shop.example", "POSTERN_AUTHORIZE_UPSTREAM=on",
        NULL};
    static const struct {
        const char *const *settings;
        const char *upstream; /* of the session */
        const char *want;
    } rows[] = {
        {both, "\"fnEDsecret\"", NULL},
        {on, "\"fnEDsecret\"", "Bearer fnEDsecret"},
        {signed_on, "\"fnEDsecret\"", "Bearer fnEDsecret"},
        {on, NULL, NULL},
        {on, "{\"sid\":\"fnEDsecret\"}", NULL}, /* not a token */
    };
    const char *const good[] = {GET, cookie, "AUTH_REQUEST=/a", NULL};
    const char *const by_client[] = {GET, cookie, "HTTP_AUTH_REQUEST=/a", NULL};
    const char *const cross_site[] = {POST, cookie,
                                      "HTTP_SEC_FETCH_SITE=cross-site", NULL};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        for (int is_authorizer = 0; is_authorizer < 2; is_authorizer++) {
            const char *wanted[] = {"X-Session-Authorization",
                                    "Variable-SESSION_AUTHORIZATION"};

            restart(rows[i].settings);
            log_in_with(PST_STR("7"), PST_STR("a"),
                        pst_str_from(rows[i].upstream));
            assert_int_equal(ask(is_authorizer, good), PST_OK);
            assert_header("allowed", wanted[is_authorizer], rows[i].want);
            assert_header("allowed", wanted[!is_authorizer], NULL);
            /* A client that reaches it by a URL learns nothing. */
            assert_int_equal(ask(false, by_client), PST_OK);
            assert_header("client", "X-Session-Authorization", NULL);
            assert_int_equal(ask(is_authorizer, cross_site), PST_CROSS_SITE);
            for (size_t j = 0; j < PST_COUNT(wanted); j++)
                assert_header("refused", wanted[j], NULL);
        }
    }
}

/* U40: a preflight passes only if that is configured, and has no user. */
static void
test_preflight(void **state)
{
    static const char *const pass[] = {"POSTERN_ORIGIN=https://shop.example",
                                       "POSTERN_AUTHORIZE_PREFLIGHT=pass",
                                       "POSTERN_AUTHORIZE_UPSTREAM=on", NULL};
    static const char *const preflight[] = {
        cookie, "REQUEST_METHOD=OPTIONS", "HTTP_ORIGIN=https://other.example",
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT", NULL};
    static const char *const others[][4] = {
        {"REQUEST_METHOD=OPTIONS", "HTTP_ORIGIN=https://other.example", NULL},
        {"REQUEST_METHOD=OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT",
         NULL},
        {GET, "HTTP_ORIGIN=https://other.example",
         "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT", NULL},
        {POST, "HTTP_ORIGIN=https://shop.example",
         "HTTP_ACCESS_CONTROL_REQUEST_METHOD=PUT", NULL},
    };
    static const char *const absent[] = {
        "Variable-REMOTE_USER", "X-Session-User", "X-Session-Authorization",
        "Variable-SESSION_AUTHORIZATION", "Access-Control-Allow-Origin"};

    (void)state;
    /* Browsers send it without a cookie. */
    assert_int_equal(ask(true, &preflight[1]), PST_NO_SESSION);
    restart(pass);
    log_in(PST_STR("7"), PST_STR("a"));
    for (int is_authorizer = 0; is_authorizer < 2; is_authorizer++) {
        assert_int_equal(ask(is_authorizer, preflight), PST_OK);
        assert_int_equal(fix.res.status, 200);
        for (size_t i = 0; i < PST_COUNT(absent); i++)
            assert_header("preflight", absent[i], NULL);
        for (size_t i = 0; i < PST_COUNT(others); i++)
            assert_int_equal(ask(is_authorizer, others[i]), PST_NO_SESSION);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_return_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_identities, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name_with_spaces, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_cross_site, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_websocket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renewal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_confirmed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ended_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_failure_denies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_upstream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_preflight, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("authorize", tests, NULL, NULL);
}
