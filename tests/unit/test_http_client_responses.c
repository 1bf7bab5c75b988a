/* SPDX-License-Identifier: ISC */
/*
 * test_http_client_responses.c - responses, valid and broken, and connections
 * that stay open or break.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "exchange.h"

/* What is received. */

static void
test_answers(void **state)
{
    static const struct {
        const char *name;
        const char *answer;
        size_t len; /* 0: up to its NUL */
        enum pst_err want;
        int status;
        const char *headers;
        const char *body;
    } rows[] = {
        {"no length, then the end", "HTTP/1.0 200 OK\r\nA: b\r\n\r\nall of it",
         0, PST_OK, 200, "A=b|", "all of it"},
        {"an error of the backend's own",
         "HTTP/1.1 503 no\r\nRetry-After: 9\r\nContent-Length: 3\r\n\r\nno!", 0,
         PST_OK, 503, "Retry-After=9|Content-Length=3|", "no!"},
        {"not modified", "HTTP/1.1 304 x\r\nETag: \"1\"\r\n\r\n", 0, PST_OK,
         304, "ETag=\"1\"|", ""},
        {"interim answers",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nSet-Cookie: a=b\r\n"
         "\r\n" OK_HEAD "{}",
         0, PST_OK, 200, "Content-Length=2|", "{}"},
        {"L48: a redirect is an answer",
         "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\n"
         "Content-Length: 0\r\n\r\n",
         0, PST_OK, 302, "Location=http://127.0.0.1:1/|Content-Length=0|", ""},
        {"encoded, and left so",
         "HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
         "\x1f\x8b..",
         0, PST_OK, 200, "Content-Encoding=gzip|Content-Length=4|",
         "\x1f\x8b.."},
        {"chunked",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nab\r\n3;ext=1\r\ncde\r\n0\r\n\r\n",
         0, PST_OK, 200, "Transfer-Encoding=chunked|", "abcde"},
        {"L19: trailers are not headers",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nab\r\n0\r\nvendure-auth-token: evil\r\nA: b\r\n\r\n",
         0, PST_OK, 200, "Transfer-Encoding=chunked|", "ab"},
        {"a length beside chunks",
         "HTTP/1.1 200 x\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
         0, PST_OK, 200, "Transfer-Encoding=chunked|", "ab"},
        {"emptied token", "HTTP/1.1 204 x\r\nvendure-auth-token:\r\n\r\n", 0,
         PST_OK, 204, "vendure-auth-token=|", ""},
        {"garbage", "this is no HTTP at all\r\n\r\n", 0, PST_UPSTREAM_BROKEN, 0,
         "", ""},
        {"bytes", "\x16\x03\x01\x00\x05 no", 8, PST_UPSTREAM_BROKEN, 0, "", ""},
        {"nothing", "", 0, PST_UPSTREAM_BROKEN, 0, "", ""},
        {"half a status line", "HTTP/1.1 20", 0, PST_UPSTREAM_BROKEN, 0, "",
         ""},
        {"half a head", "HTTP/1.1 200 OK\r\nA: b\r\n", 0, PST_UPSTREAM_BROKEN,
         0, "", ""},
        {"interim only", "HTTP/1.1 100 Continue\r\n\r\n", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
        {"another protocol",
         "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nwhatever", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
        {"short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 0,
         PST_UPSTREAM_BROKEN, 200, "Content-Length=10|", "hello"},
        {"short chunk",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 0,
         PST_UPSTREAM_BROKEN, 200, "Transfer-Encoding=chunked|", "ab"},
        {"no last chunk",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", 0,
         PST_UPSTREAM_BROKEN, 200, "Transfer-Encoding=chunked|", "ab"},
        {"bad chunk",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 0,
         PST_UPSTREAM_BROKEN, 200, "Transfer-Encoding=chunked|", ""},
        {"folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
        {"no colon", "HTTP/1.1 200 OK\r\nA b\r\n\r\n", 0, PST_UPSTREAM_BROKEN,
         0, "", ""},
        {"NUL", "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 27, PST_UPSTREAM_BROKEN,
         0, "", ""},
        {"two lengths",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
         0, PST_UPSTREAM_BROKEN, 0, "", ""},
        {"status 600", "HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0},
            {READ_HEAD, NULL, 0},
            {SEND, rows[i].answer, rows[i].len},
            {CLOSE, NULL, 0},
            {END, NULL, 0},
        };
        struct http_exchange what = exchange("GET", 0);

        client_init();
        pst_arena_reset(arena);
        check_err(rows[i].name, run_once(script, &what, 5), rows[i].want);
        if (client.status != rows[i].status ||
            strcmp(client.headers, rows[i].headers) != 0 ||
            strcmp(client.got, rows[i].body) != 0)
            fail_msg("row '%s': got %d '%s' '%s'", rows[i].name, client.status,
                     client.headers, client.got);
        assert_int_equal(server.accepted, 1);
        server_free(&server);
    }
}

static void
test_endless_head(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 200 OK\r\n", 0},
        {SEND_MANY, NULL, 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    assert_int_equal(run_once(script, &what, 5), PST_UPSTREAM_BROKEN);
    assert_int_equal(client.heads, 0);
    assert_int_equal(client.headers_len, 0);
}

/* A piece is delivered when it arrives: the server waits for that. */
static void
test_piece_by_piece(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\none\r\n",
         0},
        {SYNC, NULL, 0},
        {SEND, "3\r\ntwo\r\n", 0},
        {SYNC, NULL, 0},
        {SEND, "5\r\nthree\r\n0\r\n\r\n", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    client.go = server.go[1];
    assert_int_equal(run(upstream, &what), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(client.pieces, 3);
    assert_string_equal(client.got, "onetwothree");
}

/* A response before the end of the request body is the response. */
static void
test_early_answer(void **state)
{
    static char body[1 << 20];
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND,
         "HTTP/1.1 413 no\r\nContent-Length: 2\r\n"
         "Connection: close\r\n\r\nno",
         0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", sizeof(body));

    (void)state;
    memset(body, 'b', sizeof(body));
    client.body = (struct pst_str){body, sizeof(body)};
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    assert_int_equal(client.status, 413);
    assert_string_equal(client.got, "no");
}

/* Connections. */

static const struct step nothing[] = {{END, NULL, 0}};

static void
test_refused_connection(void **state)
{
    struct http_exchange what = exchange("POST", 5);
    struct http_client *upstream;

    (void)state;
    server_start(&server, nothing);
    server_join(&server);
    upstream = open_upstream("http", "/graphql", 5);
    client.body = PST_STR("hello");
    assert_int_equal(run(upstream, &what), PST_UPSTREAM_DOWN);
    assert_true(run_error.text[0] != '\0');
    assert_int_equal(client.reads, 0);
    http_client_free(&upstream);
}

/* Two exchanges on one handle, with this script. */
static void
run_twice(const struct step *script, const struct http_exchange *first,
          const struct http_exchange *second, enum pst_err want)
{
    struct http_client *upstream;

    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    assert_int_equal(run(upstream, first), PST_OK);
    client_init();
    client.body = PST_STR("hello");
    pst_arena_reset(arena);
    /* Wait for the server's action between the two exchanges. */
    server_wait_for_report(&server);
    check_err("second", run(upstream, second), want);
    http_client_free(&upstream);
    server_join(&server);
}

static void
test_kept_alive(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {REPORT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    run_twice(script, &what, &what, PST_OK);
    assert_int_equal(server.accepted, 1);
}

/* The server closed an idle connection: the next request succeeds. */
static void
test_closed_between(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {CLOSE, NULL, 0},
        {REPORT, NULL, 0},       {ACCEPT, NULL, 0},
        {READ_TEXT, "hello", 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},        {END, NULL, 0},
    };
    struct http_exchange first = exchange("GET", 0);
    struct http_exchange second = exchange("POST", 5);

    (void)state;
    run_twice(script, &first, &second, PST_OK);
    assert_int_equal(server.accepted, 2);
    assert_string_equal(client.got, "{}");
}

/* The connection breaks during the second request: a GET is retried. */
static void
test_died_get(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {REPORT, NULL, 0}, {READ_HEAD, NULL, 0}, {CLOSE, NULL, 0},
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "ok", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    run_twice(script, &what, &what, PST_OK);
    assert_int_equal(server.accepted, 2);
    assert_string_equal(client.got, "ok");
}

/* A mutation that may have been executed is never retried. */
static void
test_died_post(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0},    {SEND, OK_HEAD "{}", 0},
        {REPORT, NULL, 0}, {READ_TEXT, "hello", 0}, {CLOSE, NULL, 0},
        {ACCEPT, NULL, 0}, {DRAIN, NULL, 0},        {END, NULL, 0},
    };
    struct http_exchange first = exchange("GET", 0);
    struct http_exchange second = exchange("POST", 5);
    const char *sent;

    (void)state;
    second.whole_body = PST_STR("hello");
    run_twice(script, &first, &second, PST_UPSTREAM_BROKEN);
    assert_int_equal(client.heads, 0);
    sent = strstr(server.got, "hello");
    assert_non_null(sent);
    assert_null(strstr(sent + 1, "hello"));
    assert_null(strstr(sent + 1, "POST"));
}

/* A request is not retried after its response has begun. */
static void
test_died_answering(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {REPORT, NULL, 0},
        {READ_HEAD, NULL, 0},    {SEND, "HTTP/1.1 200 OK\r\n", 0},
        {CLOSE, NULL, 0},        {ACCEPT, NULL, 0},
        {DRAIN, NULL, 0},        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    run_twice(script, &what, &what, PST_UPSTREAM_BROKEN);
    assert_int_equal(server.accepted, 1);
}

/* After a failure the handle still works. */
static void
test_after_failure(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},  {READ_HEAD, NULL, 0}, {SEND, "rubbish\r\n", 0},
        {ANOTHER, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},   {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    assert_int_equal(run(upstream, &what), PST_UPSTREAM_BROKEN);
    assert_true(run_error.text[0] != '\0');
    client_init();
    assert_int_equal(run(upstream, &what), PST_OK);
    assert_string_equal(run_error.text, "");
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(server.accepted, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_endless_head),
        TEST(test_piece_by_piece),
        TEST(test_early_answer),
        TEST(test_refused_connection),
        TEST(test_kept_alive),
        TEST(test_closed_between),
        TEST(test_died_get),
        TEST(test_died_post),
        TEST(test_died_answering),
        TEST(test_after_failure),
    };

    return RUN_TESTS(tests);
}
