/* SPDX-License-Identifier: ISC */
/*
 * test_return_to.c - several hundred generated targets, for the function that
 * checks them and for each program that redirects (R70, L11, L12, L13, L14).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec/percent.h"
#include "fixture.h"
#include "http/redirect.h"
#include "programs.h"

#define FORM "CONTENT_TYPE=application/x-www-form-urlencoded"

typedef void each_target(const char *target, bool is_local);

/* Refused at any position: browsers drop them, or end the line there. */
static const char *const never[] = {
    "\\",
    "\t",
    "\n",
    "\r",
    "\v",
    "\f",
    "\x01",
    "\x1f",
    " ",
    "\"",
    "<",
    ">",
    "%",
    "%2x",
    "%zz",
    "%g0",
    "\x7f",
    "\xc3\xbc",
    "\xe2\x80\xae",
    "\xff",
};

/* Refused in a path only, because an intermediary may decode them. */
static const char *const not_in_path[] = {
    "%5c",    "%5C",    "%09",       "%0a",    "%0D",      "%00",
    "%1f",    "%7f",    "/../",      "/./",    "/%2e%2e/", "/%2E%2E/",
    "/.%2e/", "/%2e./", "/%2e/",     "/..%2f", "%2f..%2f", "%2F.%2F",
    "///",    "/%2f/",  "%2f%2f%2f", "/..%5c",
};

/* Where a piece is inserted: in a path, and after it. */
static const char *const in_path[][2] = {
    {"/a", "b"},
    {"/a/b", "c/d"},
    {"/a", "b?c=d"},
    {"/a", "b#c"},
    {"/a/b/c", "evil.example"},
    {"/a:", "b"},
    {"/a;b", "c"},
};
static const char *const after_path[][2] = {
    {"/?", ""}, {"/a?b=", "c"}, {"/a?b=c&d=", "/e"}, {"/a#", "b"}, {"/#", ""},
};

/* Prefixes that make the URL of another site, or an invalid URL. */
static const char *const foreign_heads[] = {
    "//",          "///",       "////",      "/\\",
    "\\",          "\\\\",      "\\/",       "/\\/",
    "https://",    "http://",   "https:",    "HTTPS:/",
    "ftp://",      "//a@",      "/%2f",      "/%2F",
    "/%2f%2f",     "/%5c",      "%2f%2f",    "%2f",
    " /",          "\t//",      "/\t/",      "/\n/",
    "/\r\n/",      "/ /",       "./",        "../",
    "/./",         "/../",      "/.//",      "/..//",
    "/%2e//",      "/%2e%2e//", "/.\\",      "",
    "?",           "#",         "@",         ":",
    "javascript:", "data:",     "/https://", "/a/../..//",
    "//%09/",      "/%09/",     "/%0d%0a/",
};
static const char *const foreign_tails[] = {
    "evil.example",   "evil.example/a", "evil.example:80/a?b=c",
    "%65vil.example", "localhost/a#b",  "[::1]/a",
};

static const char *const good_heads[] = {
    "/",       "/a/",      "/a/b/", "/shop-1/", "/~user/", "/a;b=c/",
    "/a%20b/", "/%C3%BC/", "/a:b/", "/@a/",     "/a//b/",  "/.../",
};
static const char *const good_tails[] = {
    "",
    "a",
    "a.html",
    "?a=b",
    "?a=b&c=%26",
    "?u=https://evil.example/",
    "?u=//evil.example",
    "#a",
    "a?b#c",
    "a?b=/../c",
    "a%2520b",
    "a+b,c!d",
    ".well-known/x",
    "a?b[]=c",
};

static size_t tried;

static void
join(each_target *each, bool is_local, const char *a, const char *b,
     const char *c)
{
    static char target[256];

    snprintf(target, sizeof(target), "%s%s%s", a, b, c);
    each(target, is_local);
    tried++;
}

/* Every combination, with the expected result. */
static void
all_targets(each_target *each)
{
    tried = 0;
    for (size_t i = 0; i < PST_COUNT(never); i++) {
        for (size_t k = 0; k < PST_COUNT(in_path); k++)
            join(each, false, in_path[k][0], never[i], in_path[k][1]);
        for (size_t k = 0; k < PST_COUNT(after_path); k++)
            join(each, false, after_path[k][0], never[i], after_path[k][1]);
    }
    for (size_t i = 0; i < PST_COUNT(not_in_path); i++) {
        for (size_t k = 0; k < PST_COUNT(in_path); k++)
            join(each, false, in_path[k][0], not_in_path[i], in_path[k][1]);
        for (size_t k = 0; k < PST_COUNT(after_path); k++)
            join(each, true, after_path[k][0], not_in_path[i],
                 after_path[k][1]);
    }
    for (size_t i = 0; i < PST_COUNT(foreign_heads); i++) {
        for (size_t k = 0; k < PST_COUNT(foreign_tails); k++)
            join(each, false, foreign_heads[i], foreign_tails[k], "");
    }
    for (size_t i = 0; i < PST_COUNT(good_heads); i++) {
        for (size_t k = 0; k < PST_COUNT(good_tails); k++)
            join(each, true, good_heads[i], good_tails[k], "");
    }
}

static void
ask_function(const char *target, bool is_local)
{
    if (pst_redirect_is_local(pst_str_from(target)) != is_local)
        fail_msg("'%s' is %s", target, is_local ? "refused" : "let pass");
}

static void
test_function(void **state)
{
    (void)state;
    all_targets(ask_function);
    assert_true(tried > 700);
}

static struct fixture fix;

static int
set_up(void **state)
{
    static const char *const settings[] = {
        "POSTERN_LOGIN_REDIRECT=/in", "POSTERN_LOGOUT_REDIRECT=/out", NULL};

    (void)state;
    fixture_init(&fix, settings);
    fix.answer = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"data\":{\"login\":{\"secret\":\"fnEDsecret\",\"ttl\":"
                "\"2030-01-01T00:00:00Z\",\"email\":\"a@b\","
                "\"ownerId\":\"7\"}}}",
    };
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

/* The Location must be the target as it is, or the default. */
static void
assert_location(const char *target, bool is_local, const char *otherwise)
{
    const char *location = fixture_header(&fix, "Location");

    if (fix.res.status != 303 || !location ||
        strcmp(location, is_local ? target : otherwise) != 0)
        fail_msg("'%s' leads to %s, status %d", target,
                 location ? location : "nowhere", fix.res.status);
}

static const char *
encoded(const char *before, const char *target)
{
    static char storage[2048];
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage) - 1);
    pst_buf_add_string(&buf, before);
    pst_percent_encode(&buf, pst_str_from(target));
    assert_int_equal(buf.err, PST_OK);
    storage[buf.len] = '\0';
    return storage;
}

static void
post(handler_fn *program, const char *body)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=POST", FORM, "HTTP_SEC_FETCH_SITE=same-origin",
        "HTTP_SEC_FETCH_MODE=navigate", NULL};

    fixture_request(&fix, variables, body);
    fix.res.status = 0;
    if (program(&fix.ctx, &fix.req, &fix.res) != PST_OK)
        fix.res.status = -1;
}

/* A form with bytes that are not UTF-8 is refused before. */
static bool
is_utf8(const char *target)
{
    return pst_str_is_utf8(pst_str_from(target));
}

static void
ask_login(const char *target, bool is_local)
{
    post(program_login, encoded("email=a%40b&password=c&return_to=", target));
    if (is_utf8(target))
        assert_location(target, is_local, "/in");
    else
        assert_null(fixture_header(&fix, "Location"));
}

static void
ask_logout(const char *target, bool is_local)
{
    post(program_logout, encoded("return_to=", target));
    if (is_utf8(target))
        assert_location(target, is_local, "/out");
    else
        assert_null(fixture_header(&fix, "Location"));
}

/* The redirect to the login has return_to only if the target is local. */
static void
ask_authorize(const char *target, bool is_local)
{
    static char uri[300];
    const char *variables[] = {"REQUEST_METHOD=GET", uri,
                               "HTTP_SEC_FETCH_MODE=navigate", NULL};

    snprintf(uri, sizeof(uri), "REQUEST_URI=%s", target);
    fixture_request(&fix, variables, NULL);
    fix.req.authorizer = true;
    assert_int_equal(program_authorize(&fix.ctx, &fix.req, &fix.res), PST_OK);
    assert_location(is_local ? encoded("/login?return_to=", target) : "/login",
                    true, "");
}

/* nginx makes the redirect from X-Login-Location (auth_request). */
static void
ask_auth_request(const char *target, bool is_local)
{
    static char uri[300];
    const char *variables[] = {"REQUEST_METHOD=GET", uri,
                               "HTTP_SEC_FETCH_MODE=navigate", NULL};
    const char *want =
        is_local ? encoded("/login?return_to=", target) : "/login";
    const char *location;

    snprintf(uri, sizeof(uri), "AUTH_REQUEST=%s", target);
    fixture_request(&fix, variables, NULL);
    assert_int_equal(program_authorize(&fix.ctx, &fix.req, &fix.res), PST_OK);
    location = fixture_header(&fix, "X-Login-Location");
    if (fix.res.status != 401 || !location || strcmp(location, want) != 0)
        fail_msg("'%s' leads to %s, status %d", target,
                 location ? location : "nowhere", fix.res.status);
    assert_null(fixture_header(&fix, "Location"));
}

static void
test_login(void **state)
{
    (void)state;
    all_targets(ask_login);
}

static void
test_logout(void **state)
{
    (void)state;
    all_targets(ask_logout);
}

static void
test_authorize(void **state)
{
    (void)state;
    all_targets(ask_authorize);
    all_targets(ask_auth_request);
}

/* The form escapes every return_to value: text, never markup. */
static void
ask_page(const char *target, bool is_local)
{
    static char query[2100];
    const char *variables[] = {"REQUEST_METHOD=GET", query, NULL};

    (void)is_local;
    snprintf(query, sizeof(query), "QUERY_STRING=%s",
             encoded("return_to=", target));
    fixture_request(&fix, variables, NULL);
    if (program_login(&fix.ctx, &fix.req, &fix.res) != PST_OK) {
        assert_false(is_utf8(target));
        return;
    }
    assert_int_equal(fix.res.status, 200);
    assert_false(fixture_is_out(&fix, "value=\"\""));
    if (strchr(target, '<'))
        assert_true(fixture_is_out(&fix, "&lt;"));
}

static void
test_page(void **state)
{
    (void)state;
    all_targets(ask_page);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function),
        cmocka_unit_test_setup_teardown(test_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_logout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_authorize, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_page, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("return_to", tests, NULL, NULL);
}
