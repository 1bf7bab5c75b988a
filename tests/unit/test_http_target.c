/* SPDX-License-Identifier: ISC */
/*
 * test_http_target.c - which URLs and timeouts are accepted, and that they
 * are copied.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "upstream/http_target.h"

#define YEAR (86400 * 365)

static bool
is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void
test_options(void **state)
{
    static const struct {
        const char *name;
        struct pst_str url;
        int64_t timeout;
        enum pst_err want;
    } rows[] = {
        {"http", {"http://a.example/g", 18}, 1, PST_OK},
        {"https", {"HTTPS://a.example", 17}, 1, PST_OK},
        {"query", {"http://a/g?x=1", 14}, 1, PST_OK},
        {"Unix socket", {"unix:/run/a:/g", 14}, 1, PST_OK},
        {"Unix socket, relative", {"unix:a:/g", 9}, 1, PST_BAD_CONFIG},
        {"Unix socket, no path", {"unix:", 5}, 1, PST_BAD_CONFIG},
        {"Unix socket, then rubbish", {"unix:/a:g", 9}, 1, PST_BAD_CONFIG},
        {"Unix socket, space", {"unix:/a:/b c", 12}, 1, PST_BAD_CONFIG},
        {"user", {"http://u@a/", 11}, 1, PST_BAD_CONFIG},
        {"password", {"http://u:p@a/", 13}, 1, PST_BAD_CONFIG},
        {"no host", {"http:///g", 9}, 1, PST_BAD_CONFIG},
        {"space", {"http://a/b c", 12}, 1, PST_BAD_CONFIG},
        {"beyond ASCII", {"http://a/\xc3\xa9", 11}, 1, PST_BAD_CONFIG},
        {"port 0", {"http://a:0/", 11}, 1, PST_BAD_CONFIG},
        {"port 65536", {"http://a:65536/", 15}, 1, PST_BAD_CONFIG},
        {"two ports", {"http://a:1:2/", 13}, 1, PST_BAD_CONFIG},
        {"half a bracket", {"http://[::1/", 12}, 1, PST_BAD_CONFIG},
        {"name in brackets", {"http://[a]/", 11}, 1, PST_BAD_CONFIG},
        {"after brackets", {"http://[::1]a/", 14}, 1, PST_BAD_CONFIG},
        {"no scheme", {"a.example/g", 11}, 1, PST_BAD_CONFIG},
        {"file", {"file:///etc/passwd", 18}, 1, PST_BAD_CONFIG},
        {"fragment", {"http://a.example/#x", 19}, 1, PST_BAD_CONFIG},
        {"empty fragment", {"http://a.example/#", 18}, 1, PST_BAD_CONFIG},
        {"NUL", {"http://a/\0b", 11}, 1, PST_BAD_CONFIG},
        {"new line", {"http://a/\nb", 11}, 1, PST_BAD_CONFIG},
        {"empty", {"", 0}, 1, PST_BAD_CONFIG},
        {"absent", {NULL, 0}, 1, PST_BAD_CONFIG},
        {"no time", {"http://a/", 9}, 0, PST_BAD_CONFIG},
        {"negative", {"http://a/", 9}, -1, PST_BAD_CONFIG},
        {"a year", {"http://a/", 9}, YEAR, PST_OK},
        {"longer", {"http://a/", 9}, YEAR + 1, PST_BAD_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct http_client_options options = {
            rows[i].url,     NULL, rows[i].timeout, rows[i].timeout,
            rows[i].timeout, 0};
        struct http_target target;
        enum pst_err e = http_target_init(&target, &options);

        if (e != rows[i].want)
            fail_msg("row '%s': got %s", rows[i].name, pst_err_code(e));
        http_target_fini(&target);
    }
}

/* The parts of a URL. */
static void
test_parts(void **state)
{
    static const struct {
        const char *url;
        enum http_scheme scheme;
        const char *host;
        const char *port;
        const char *path;
        const char *authority;
        bool has_fixed_address;
    } rows[] = {
        {"http://a.example/g", HTTP_SCHEME_PLAIN, "a.example", "80", "/g",
         "a.example", false},
        {"HTTP://a.example:3000", HTTP_SCHEME_PLAIN, "a.example", "3000", "/",
         "a.example:3000", false},
        {"http://a.example:80/g?x=/y", HTTP_SCHEME_PLAIN, "a.example", "80",
         "/g?x=/y", "a.example", false},
        {"http://a_b-c?x", HTTP_SCHEME_PLAIN, "a_b-c", "80", "/?x", "a_b-c",
         false},
        {"http://a:/", HTTP_SCHEME_PLAIN, "a", "80", "/", "a", false},
        {"http://127.0.0.1:3000/a:b@c", HTTP_SCHEME_PLAIN, "127.0.0.1", "3000",
         "/a:b@c", "127.0.0.1:3000", true},
        {"http://[::1]:3000/", HTTP_SCHEME_PLAIN, "::1", "3000", "/",
         "[::1]:3000", true},
        {"http://[2001:db8::10.0.0.9]", HTTP_SCHEME_PLAIN, "2001:db8::10.0.0.9",
         "80", "/", "[2001:db8::10.0.0.9]", true},
        {"http://[::1]", HTTP_SCHEME_PLAIN, "::1", "80", "/", "[::1]", true},
        {"unix:/run/a.sock:/g", HTTP_SCHEME_UNIX, NULL, "", "/g", "localhost",
         true},
        {"unix:/run/a.sock", HTTP_SCHEME_UNIX, NULL, "", "/", "localhost",
         true},
        {"https://a.example:1/g", HTTP_SCHEME_TLS, NULL, "", NULL, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct http_client_options options = {
            pst_str_from(rows[i].url), NULL, 1, 1, 1, 0};
        struct http_target target;

        if (http_target_init(&target, &options) != PST_OK)
            fail_msg("%s: refused", rows[i].url);
        if (target.scheme != rows[i].scheme ||
            !is_same(target.host, rows[i].host) ||
            !is_same(target.port, rows[i].port) ||
            !is_same(target.path, rows[i].path) ||
            !is_same(target.authority, rows[i].authority) ||
            target.has_fixed_address != rows[i].has_fixed_address)
            fail_msg("%s: wrong", rows[i].url);
        http_target_fini(&target);
    }
}

/* Each timeout is checked, not only the first. */
static void
test_each_timeout(void **state)
{
    (void)state;
    for (int bad = 0; bad < 4; bad++) {
        const struct http_client_options options = {
            PST_STR("http://a/"), NULL, bad != 0, bad != 1, bad != 2,
            bad == 3 ? -1 : 0};
        struct http_target target;

        assert_int_equal(http_target_init(&target, &options), PST_BAD_CONFIG);
        http_target_fini(&target);
    }
}

static void
test_long_url(void **state)
{
    static char url[PST_URL_MAX + 2] = "http://a/";
    struct http_client_options options = {
        {url, PST_URL_MAX}, "/a/ca.pem", 1, 2, 3, 0};
    struct http_target target;

    (void)state;
    memset(url + 9, 'a', sizeof(url) - 9);
    assert_int_equal(http_target_init(&target, &options), PST_OK);
    assert_int_equal(strlen(target.url), PST_URL_MAX);
    http_target_fini(&target);
    options.url.len++;
    assert_int_equal(http_target_init(&target, &options), PST_BAD_CONFIG);
    http_target_fini(&target);
}

static void
test_copy(void **state)
{
    char url[] = "http://a/g and more";
    char ca[] = "/a/ca.pem";
    const struct http_client_options options = {{url, 10}, ca, 1, 2, 3, 4};
    struct http_target target;

    (void)state;
    assert_int_equal(http_target_init(&target, &options), PST_OK);
    memset(url, 'x', sizeof(url) - 1);
    memset(ca, 'x', sizeof(ca) - 1);
    assert_string_equal(target.url, "http://a/g");
    assert_int_equal(target.connect_timeout, 1000);
    assert_int_equal(target.first_byte_timeout, 2000);
    assert_int_equal(target.between_bytes_timeout, 3000);
    assert_int_equal(target.total_timeout, 4000);
    http_target_fini(&target);
    assert_null(target.url);
    assert_null(target.ca);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),      cmocka_unit_test(test_parts),
        cmocka_unit_test(test_each_timeout), cmocka_unit_test(test_long_url),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests_name("http_target", tests, NULL, NULL);
}
