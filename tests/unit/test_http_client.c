/* SPDX-License-Identifier: ISC */
/*
 * test_http_client.c - the exact bytes that are sent, and the options of a
 * client.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "exchange.h"

/* What is sent. */

static void
test_get(void **state)
{
    static const struct http_header headers[] = {
        {{"Accept", 6}, {"application/json", 16}},
        {{"X-Empty", 7}, {"", 0}},
        {{"X-Blank", 7}, {" \t", 2}},
        {{"Authorization", 13}, {"Bearer secret", 13}},
        {{"X-Trimmed", 9}, {"  a b  ", 7}},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    what.query = PST_STR("query=%7Bme%7D&a=b+c");
    what.headers = headers;
    what.header_count = PST_COUNT(headers);
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("get", "GET /graphql?query=%7Bme%7D&a=b+c HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%d\r\n"
                     "Accept: application/json\r\n"
                     "X-Empty:\r\n"
                     "X-Blank:\r\n"
                     "Authorization: Bearer secret\r\n"
                     "X-Trimmed: a b\r\n\r\n");
    assert_int_equal(client.status, 200);
    assert_string_equal(client.headers, "Content-Length=2|");
    assert_string_equal(client.got, "{}");
    assert_int_equal(client.reads, 0);
}

/* A GET has no body, even with a given length. */
static void
test_get_without_body(void **state)
{
    struct http_exchange what = exchange("GET", -1);

    (void)state;
    client.body = PST_STR("not sent");
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("get", "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n");
    assert_int_equal(client.reads, 0);
}

static void
test_post(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_TEXT, "hello", 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    static const struct http_header headers[] = {
        {{"Content-Type", 12}, {"application/json", 16}},
        {{"user-agent", 10}, {"test", 4}},
    };

    (void)state;
    for (size_t step = 0; step < 3; step++) {
        struct http_exchange what = exchange("POST", 5);

        client_init();
        client.body = PST_STR("hello, and more than was said");
        client.step = step;
        what.headers = headers;
        what.header_count = PST_COUNT(headers);
        assert_int_equal(run_once(script, &what, 5), PST_OK);
        check_got("post", "POST /graphql HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\n"
                          "Content-Type: application/json\r\n"
                          "user-agent: test\r\n"
                          "Content-Length: 5\r\n\r\nhello");
        server_free(&server);
    }
}

static void
test_post_empty(void **state)
{
    struct http_exchange what = exchange("POST", 0);

    (void)state;
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("post", "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                      "Content-Length: 0\r\n\r\n");
    assert_int_equal(client.reads, 0);
}

static void
test_post_chunked(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "\r\n0\r\n\r\n", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", -1);

    (void)state;
    client.body = PST_STR("hello");
    client.step = 3;
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    check_got("chunked", "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n"
                         "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
}

/* Over 1 MiB curl would ask first, with Expect. */
static void
test_post_large(void **state)
{
    static char body[(2 << 20) + 3];
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "the end", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", sizeof(body));

    (void)state;
    memset(body, 'b', sizeof(body));
    memcpy(body + sizeof(body) - 7, "the end", 7);
    client.body = (struct pst_str){body, sizeof(body)};
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    assert_null(strstr(server.got, "Expect"));
    assert_non_null(strstr(server.got, "\r\nContent-Length: 2097155\r\n"));
    assert_int_equal(strlen(strstr(server.got, "\r\n\r\n")), sizeof(body) + 4);
}

static void
test_own_query(void **state)
{
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, plain);
    upstream = open_upstream("http", "/a/../b?x=1", 5);
    what.query = PST_STR("y=2");
    assert_int_equal(run(upstream, &what), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    check_got("query", "GET /a/../b?x=1&y=2 HTTP/1.1\r\n"
                       "Host: 127.0.0.1:%d\r\n\r\n");
}

/* What cannot be sent is refused before there is a connection. */
static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct http_header header;
        const char *method;
        const char *query;
        enum pst_err want;
    } rows[] = {
        {"new line", {{"X", 1}, {"a\r\nY: b", 7}}, "GET", "", PST_MALFORMED},
        {"NUL", {{"X", 1}, {"a\0b", 3}}, "GET", "", PST_MALFORMED},
        {"name", {{"X Y", 3}, {"b", 1}}, "GET", "", PST_MALFORMED},
        {"no name", {{"", 0}, {"b", 1}}, "GET", "", PST_MALFORMED},
        {"length",
         {{"content-length", 14}, {"9", 1}},
         "POST",
         "",
         PST_MALFORMED},
        {"host", {{"Host", 4}, {"x", 1}}, "GET", "", PST_MALFORMED},
        {"query", {{"X", 1}, {"b", 1}}, "GET", "a b", PST_MALFORMED},
        {"query lines", {{"X", 1}, {"b", 1}}, "GET", "a\r\nb", PST_MALFORMED},
        {"method", {{"X", 1}, {"b", 1}}, "PUT", "", PST_BAD_METHOD},
        {"method case", {{"X", 1}, {"b", 1}}, "get", "", PST_BAD_METHOD},
        {"no method", {{"X", 1}, {"b", 1}}, "", "", PST_BAD_METHOD},
    };
    struct http_client *upstream;

    (void)state;
    server_start(&server, plain);
    upstream = open_upstream("http", "/graphql", 5);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what = exchange(rows[i].method, 0);

        what.query = pst_str_from(rows[i].query);
        what.headers = &rows[i].header;
        what.header_count = 1;
        check_err(rows[i].name, run(upstream, &what), rows[i].want);
    }
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(server.accepted, 0);
}

/* L32, L45: an exchange has no data of the previous one on its handle. */
static void
test_next_is_clean(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "alice's body", 0},
        {SEND, OK_HEAD "{}", 0}, {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {READ_TEXT, "bob's", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    static const struct http_header headers[] = {
        {{"Authorization", 13}, {"Bearer alice", 12}},
        {{"Accept", 6}, {"a/b", 3}},
    };
    struct http_exchange first = exchange("POST", 12);
    struct http_exchange second = exchange("GET", 0);
    struct http_exchange third = exchange("POST", 0);
    struct http_exchange fourth = exchange("POST", 5);
    struct http_client *upstream;
    char want[512];

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    client.body = PST_STR("alice's body");
    first.query = PST_STR("of=alice");
    first.headers = headers;
    first.header_count = PST_COUNT(headers);
    assert_int_equal(run(upstream, &first), PST_OK);
    pst_arena_reset(arena);
    client_init();
    assert_int_equal(run(upstream, &second), PST_OK);
    pst_arena_reset(arena);
    client_init();
    assert_int_equal(run(upstream, &third), PST_OK);
    assert_int_equal(client.reads, 0);
    client_init();
    fourth.whole_body = PST_STR("bob's");
    assert_int_equal(run(upstream, &fourth), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(server.accepted, 1);
    (void)snprintf(want, sizeof(want),
                   "alice's bodyGET /graphql HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\n\r\n"
                   "POST /graphql HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\nContent-Length: 0\r\n\r\n"
                   "POST /graphql HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\nContent-Length: 5\r\n\r\nbob's",
                   server.port, server.port, server.port);
    assert_non_null(strstr(server.got, "alice's body"));
    assert_string_equal(strstr(server.got, "alice's body"), want);
}

/* L47: a proxy that the environment names is not asked. */
static void
test_no_proxy(void **state)
{
    static const char *const names[] = {"http_proxy",  "HTTP_PROXY",
                                        "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",   "ALL_PROXY"};
    struct http_exchange what = exchange("GET", 0);
    enum pst_err e;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
    assert_int_equal(unsetenv("no_proxy"), 0);
    assert_int_equal(unsetenv("NO_PROXY"), 0);
    e = run_once(plain, &what, 5);
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(unsetenv(names[i]), 0);
    assert_int_equal(e, PST_OK);
    check_got("direct", "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n");
}

/* For every n: the n-th allocation fails, and the next exchange works. */
static void
test_no_memory(void **state)
{
    static const struct http_header header = {{"A", 1}, {"b", 1}};
    struct http_exchange what = exchange("GET", 0);
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    what.query = PST_STR("a=b");
    what.headers = &header;
    what.header_count = 1;
    for (n = 1; e && n < 100; n++) {
        client_init();
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = run_once(plain, &what, 5);
        server_free(&server);
        if (e)
            check_err("memory", e, PST_NO_MEMORY);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 2, 99);
}

/* The handle. */

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
        {"IPv6", {"http://[::1]:3000/g", 19}, 1, PST_OK},
        {"no scheme", {"a.example/g", 11}, 1, PST_BAD_CONFIG},
        {"file", {"file:///etc/passwd", 18}, 1, PST_BAD_CONFIG},
        {"ftp", {"ftp://a.example/", 16}, 1, PST_BAD_CONFIG},
        {"user", {"http://u@a.example/", 19}, 1, PST_BAD_CONFIG},
        {"password", {"http://u:p@a.example/", 21}, 1, PST_BAD_CONFIG},
        {"fragment", {"http://a.example/#x", 19}, 1, PST_BAD_CONFIG},
        {"no host", {"http://", 7}, 1, PST_BAD_CONFIG},
        {"space", {"http://a b/", 11}, 1, PST_BAD_CONFIG},
        {"port", {"http://a:99999/", 15}, 1, PST_BAD_CONFIG},
        {"NUL", {"http://a/\0b", 11}, 1, PST_BAD_CONFIG},
        {"new line", {"http://a/\nb", 11}, 1, PST_BAD_CONFIG},
        {"empty", {"", 0}, 1, PST_BAD_CONFIG},
        {"absent", {NULL, 0}, 1, PST_BAD_CONFIG},
        {"no time", {"http://a/", 9}, 0, PST_BAD_CONFIG},
        {"negative", {"http://a/", 9}, -1, PST_BAD_CONFIG},
        {"for ever", {"http://a/", 9}, INT64_MAX, PST_BAD_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_client_options options = {
            .url = rows[i].url,
            .connect_timeout = rows[i].timeout,
            .first_byte_timeout = rows[i].timeout,
            .between_bytes_timeout = rows[i].timeout};
        struct http_client *upstream = NULL;

        check_err(rows[i].name, http_client_new(&upstream, &options),
                  rows[i].want);
        if ((upstream == NULL) == (rows[i].want == PST_OK))
            fail_msg("row '%s': out is wrong", rows[i].name);
        http_client_free(&upstream);
        assert_null(upstream);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),           TEST(test_get_without_body),
        TEST(test_post),          TEST(test_post_empty),
        TEST(test_post_chunked),  TEST(test_post_large),
        TEST(test_own_query),     TEST(test_refused),
        TEST(test_next_is_clean), TEST(test_no_proxy),
        TEST(test_no_memory),     TEST(test_options),
    };

    return RUN_TESTS(tests);
}
