/* SPDX-License-Identifier: ISC */
/*
 * test_request.c - CGI variables: present, absent, set twice and malformed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "requests.h"
#include "server/request_body.h"
#include "server/request_origin.h"

/* The usual variables of a web server; the last element is the NULL. */
static const char *const usual[] = {
    "REQUEST_METHOD=POST",
    "QUERY_STRING=a=b",
    "PATH_INFO=/more",
    "CONTENT_TYPE=application/json; charset=utf-8",
    "CONTENT_LENGTH=2",
    "REMOTE_ADDR=192.0.2.7",
    "HTTPS=on",
    "REQUEST_SCHEME=https",
    "SERVER_NAME=shop.example",
    "SERVER_PORT=443",
    "HTTP_HOST=shop.example",
    "HTTP_COOKIE=a=1; b=2",
    "HTTP_AUTHORIZATION=Bearer x",
    "HTTP_ORIGIN=https://shop.example",
    "HTTP_REFERER=https://shop.example/p",
    "HTTP_SEC_FETCH_SITE=same-origin",
    "HTTP_SEC_FETCH_MODE=cors",
    "HTTP_ACCEPT=application/json",
    NULL,
};

#define USUAL_COUNT (PST_COUNT(usual) - 1)

static void
test_all_there(void **state)
{
    struct source source = {.body = PST_STR("{}")};
    struct request req;

    (void)state;
    assert_int_equal(init(&req, usual, &source), PST_OK);
    assert_string_equal(req.id, "0123456789abcdef");
    check_text("method", req.method, PST_STR("POST"));
    check_text("query", req.query, PST_STR("a=b"));
    check_text("path_info", req.path_info, PST_STR("/more"));
    check_text("content_type", req.content_type,
               PST_STR("application/json; charset=utf-8"));
    assert_int_equal(req.content_length, 2);
    check_text("remote_addr", req.remote_addr, PST_STR("192.0.2.7"));
    check_text("cookie", req.cookie, PST_STR("a=1; b=2"));
    check_text("authorization", req.authorization, PST_STR("Bearer x"));
    check_text("origin", req.origin, PST_STR("https://shop.example"));
    check_text("referer", req.referer, PST_STR("https://shop.example/p"));
    check_text("site", req.sec_fetch_site, PST_STR("same-origin"));
    check_text("mode", req.sec_fetch_mode, PST_STR("cors"));
    check_text("accept", req.accept, PST_STR("application/json"));
    check_text("own", request_own_origin(&req, PST_STR_NONE),
               PST_STR("https://shop.example"));
}

/* Call every function, to see that none crashes. */
static void
read_everything(struct request *req)
{
    struct pst_str body;

    (void)request_variable(req, "SERVER_NAME");
    (void)request_header(req, PST_STR("Content-Type"));
    (void)request_header(req, PST_STR("X-Any"));
    (void)request_has_method(req, "GET, POST");
    (void)request_has_safe_method(req);
    (void)request_media_type(req);
    (void)request_is_navigation(req);
    (void)request_own_origin(req, PST_STR_NONE);
    assert_int_equal(request_read_whole_body(req, 100, &body), PST_OK);
    check_text("body", body, PST_STR("{}"));
}

/* L9: each variable missing, then all of them. */
static void
test_missing(void **state)
{
    const char *variables[USUAL_COUNT];
    struct request req;

    (void)state;
    for (size_t gone = 0; gone < USUAL_COUNT; gone++) {
        struct source source = {.body = PST_STR("{}")};
        size_t count = 0;

        for (size_t i = 0; i < USUAL_COUNT; i++) {
            if (i != gone)
                variables[count++] = usual[i];
        }
        variables[count] = NULL;
        check_err(usual[gone], init(&req, variables, &source),
                  gone == 0 ? PST_MALFORMED : PST_OK);
        read_everything(&req);
    }
}

static void
test_all_missing(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const junk[] = {"",
                                       "=",
                                       "REQUEST_METHOD",
                                       "REQUEST_METHODS=POST",
                                       "XREQUEST_METHOD=POST",
                                       "HTTP_",
                                       "HTTP_=x",
                                       NULL};
    static const char *const *const rows[] = {NULL, none, junk};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct source source = {.body = PST_STR("{}")};
        struct request req;

        assert_int_equal(init(&req, rows[i], &source), PST_MALFORMED);
        assert_string_equal(req.id, "0123456789abcdef");
        check_text("method", req.method, PST_STR(""));
        check_text("query", req.query, PST_STR_NONE);
        check_text("cookie", req.cookie, PST_STR_NONE);
        check_text("type", request_media_type(&req), PST_STR_NONE);
        check_text("own", request_own_origin(&req, PST_STR_NONE), PST_STR_NONE);
        assert_int_equal(req.content_length, -1);
        assert_false(request_has_safe_method(&req));
        read_everything(&req);
    }
}

/* L16, L17: one header twice under names that CGI makes into one. */
static void
test_twice(void **state)
{
    const char *variables[USUAL_COUNT + 2];

    (void)state;
    for (size_t i = 0; i < USUAL_COUNT; i++) {
        struct source source = {.body = PST_STR("{}")};
        struct request req;

        memcpy(variables, usual, USUAL_COUNT * sizeof(usual[0]));
        variables[USUAL_COUNT] = usual[i];
        variables[USUAL_COUNT + 1] = NULL;
        check_err(usual[i], init(&req, variables, &source), PST_DUPLICATE);
        check_text(usual[i], req.method, PST_STR("POST"));
    }
}

/* A name that only begins like ours is another one. */
static void
test_not_twice(void **state)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=GET",      "REQUEST_METHOD_=POST", "HTTP_ACCEPT=a/b",
        "HTTP_ACCEPT_LANGUAGE=en", "http_accept=c/d",      NULL};
    struct source source = {.step = 0};
    struct request req;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    check_text("accept", req.accept, PST_STR("a/b"));
    check_text("method", req.method, PST_STR("GET"));
}

static void
test_method(void **state)
{
    static const struct {
        const char *in;
        enum pst_err want;
        bool safe;
        bool get_or_post;
    } rows[] = {
        {"REQUEST_METHOD=GET", PST_OK, true, true},
        {"REQUEST_METHOD=HEAD", PST_OK, true, false},
        {"REQUEST_METHOD=OPTIONS", PST_OK, true, false},
        {"REQUEST_METHOD=POST", PST_OK, false, true},
        {"REQUEST_METHOD=get", PST_OK, false, false},
        {"REQUEST_METHOD=TRACE", PST_OK, false, false},
        {"REQUEST_METHOD=GE", PST_OK, false, false},
        {"REQUEST_METHOD=", PST_MALFORMED, false, false},
        {"REQUEST_METHOD=GET ", PST_MALFORMED, false, false},
        {"REQUEST_METHOD=GET,POST", PST_MALFORMED, false, false},
        {"REQUEST_METHOD=GET\r\nX: y", PST_MALFORMED, false, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {rows[i].in, NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].in, init(&req, variables, &source), rows[i].want);
        if (request_has_safe_method(&req) != rows[i].safe ||
            request_has_method(&req, "GET, POST") != rows[i].get_or_post)
            fail_msg("row '%s': taken for another method", rows[i].in);
        if (rows[i].want)
            check_text(rows[i].in, req.method, PST_STR(""));
    }
}

static void
test_content_length(void **state)
{
    static const struct {
        const char *in;
        enum pst_err want;
        int64_t length;
    } rows[] = {
        {"CONTENT_LENGTH=", PST_OK, -1},
        {"CONTENT_LENGTH=0", PST_OK, 0},
        {"CONTENT_LENGTH=5", PST_OK, 5},
        {"CONTENT_LENGTH=1000", PST_OK, 1000},
        {"CONTENT_LENGTH=1001", PST_TOO_LARGE, 1001},
        {"CONTENT_LENGTH=9223372036854775807", PST_TOO_LARGE, INT64_MAX},
        {"CONTENT_LENGTH=9223372036854775808", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=99999999999999999999", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=+5", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=-1", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=0x10", PST_MALFORMED, -1},
        {"CONTENT_LENGTH= 5", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=5 ", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=5, 5", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=05", PST_MALFORMED, -1},
        {"CONTENT_LENGTH=5.0", PST_MALFORMED, -1},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", rows[i].in, NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].in, init(&req, variables, &source), rows[i].want);
        if (req.content_length != rows[i].length)
            fail_msg("row '%s': taken as %lld", rows[i].in,
                     (long long)req.content_length);
    }
}

/* The body is for the program behind an authorizer, however long it is. */
static void
test_authorizer(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=POST",
                                            "CONTENT_LENGTH=999999", NULL};
    struct source source = {.body = PST_STR("not ours")};
    struct request_input input = {.variables = variables,
                                  .source = {source_read, &source, -1},
                                  .authorizer = true,
                                  .max_body = MAX_BODY};
    struct request req;
    char piece[4];
    size_t len = 1;

    (void)state;
    assert_int_equal(request_init(&req, arena, &input, random_bytes), PST_OK);
    assert_true(req.authorizer);
    assert_int_equal(request_read_body(&req, piece, sizeof(piece), &len),
                     PST_OK);
    assert_int_equal(len, 0);
    assert_int_equal(source.calls, 0);
}

static void
test_header(void **state)
{
    static const char *const variables[] = {
        "REQUEST_METHOD=POST",
        "CONTENT_TYPE=application/json",
        "CONTENT_LENGTH=7",
        "HTTP_CONTENT_TYPE=text/evil",
        "HTTP_CONTENT_LENGTH=999",
        "HTTP_ACCEPT_LANGUAGE=de",
        "HTTP_VENDURE_TOKEN=one",
        "HTTP_VENDURE_TOKEN=two",
        "HTTP_EMPTY=",
        "ACCEPT_LANGUAGE=fr",
        NULL,
    };
    static const struct {
        const char *name;
        const char *want; /* NULL: absent */
    } rows[] = {
        {"Accept-Language", "de"},
        {"ACCEPT-LANGUAGE", "de"},
        {"accept_language", "de"},
        {"Accept-Languag", NULL},
        {"Accept-Language-", NULL},
        {"content-type", "application/json"},
        {"Content-Length", "7"},
        {"vendure-token", NULL}, /* L17: twice, so neither is believed */
        {"Empty", ""},
        {"Proxy", NULL},
        {"", NULL},
        {"EMPTY=", NULL},
        {"A very much longer name than any variable has", NULL},
    };
    struct source source = {.step = 0};
    struct request req;

    (void)state;
    assert_int_equal(init(&req, variables, &source), PST_OK);
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        check_text(rows[i].name,
                   request_header(&req, pst_str_from(rows[i].name)),
                   pst_str_from(rows[i].want));
}

/* The types that a body may be read as, and those that it may not. */
static void
test_coding(void **state)
{
    static const struct {
        const char *variables[4];
        enum request_content_coding want;
    } rows[] = {
        {{"REQUEST_METHOD=POST"}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING="}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING=identity"}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING=Identity"}, CONTENT_CODING_NONE},
        {{"HTTP_CONTENT_ENCODING=gzip"}, CONTENT_CODING_GZIP},
        {{"HTTP_CONTENT_ENCODING= GZip\t"}, CONTENT_CODING_GZIP},
        {{"HTTP_CONTENT_ENCODING=X-gzip"}, CONTENT_CODING_GZIP},
        {{"HTTP_CONTENT_ENCODING=deflate"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=br"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=zstd"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip, gzip"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=identity, gzip"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip,"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip;q=1"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzi"}, CONTENT_CODING_OTHER},
        {{"HTTP_CONTENT_ENCODING=gzip", "HTTP_CONTENT_ENCODING=br"},
         CONTENT_CODING_NONE},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct source source = {.body = PST_STR("")};
        struct request req;

        (void)!init(&req, rows[i].variables, &source);
        if (request_content_coding(&req) != rows[i].want)
            fail_msg("%s", rows[i].variables[0]);
    }
}

static void
test_media_type(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } rows[] = {
        {"CONTENT_TYPE=application/json", "application/json"},
        {"CONTENT_TYPE= Application/JSON ;charset=x", "Application/JSON"},
        {"CONTENT_TYPE=a/b;", "a/b"},
        {"CONTENT_TYPE=a/b\t", "a/b"},
        {"CONTENT_TYPE=", NULL},
        {"CONTENT_TYPE=;", NULL},
        {"CONTENT_TYPE=json", NULL},
        {"CONTENT_TYPE=/", NULL},
        {"CONTENT_TYPE=a/", NULL},
        {"CONTENT_TYPE=/b", NULL},
        {"CONTENT_TYPE=a/b/c", NULL},
        {"CONTENT_TYPE=a/b, c/d", NULL},
        {"CONTENT_TYPE=a/b c", NULL},
        {"CONTENT_TYPE=a /b", NULL},
        {"X=y", NULL},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=POST", rows[i].in, NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].in, init(&req, variables, &source), PST_OK);
        check_text(rows[i].in, request_media_type(&req),
                   pst_str_from(rows[i].want));
    }
}

static void
test_navigation(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool want;
    } rows[] = {
        {"HTTP_SEC_FETCH_MODE=navigate", "HTTP_ACCEPT=*/*", true},
        {"HTTP_SEC_FETCH_MODE=cors", "HTTP_ACCEPT=text/html", false},
        {"HTTP_SEC_FETCH_MODE=", "HTTP_ACCEPT=text/html", false},
        {"HTTP_SEC_FETCH_MODE=Navigate", "HTTP_ACCEPT=text/html", false},
        {"HTTP_ACCEPT=text/html", "", true},
        {"HTTP_ACCEPT=a/b, Text/HTML;level=1;q=0.4, */*", "", true},
        {"HTTP_ACCEPT=application/json, text/plain, */*", "", false},
        {"HTTP_ACCEPT=text/html;q=0", "", false},
        {"HTTP_ACCEPT=text/html; Q=0.000, */*", "", false},
        {"HTTP_ACCEPT=text/html; q=0.001", "", true},
        {"HTTP_ACCEPT=text/html5", "", false},
        {"HTTP_ACCEPT=application/xhtml+xml;a=\"text/html\"", "", false},
        {"HTTP_ACCEPT=", "", false},
        {"", "", false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const char *variables[] = {"REQUEST_METHOD=GET", rows[i].a, rows[i].b,
                                   NULL};
        struct source source = {.step = 0};
        struct request req;

        check_err(rows[i].a, init(&req, variables, &source), PST_OK);
        if (request_is_navigation(&req) != rows[i].want)
            fail_msg("row '%s' '%s': wrong", rows[i].a, rows[i].b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_method, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_content_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_authorizer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_coding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_media_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_navigation, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
