/* SPDX-License-Identifier: ISC */
/*
 * test_plain_request.c - bodies in memory and bodies that are read, backends
 * that answer before they have read them, and backends that do not read.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "exchange.h"
#include "upstream/plain_request.h"

#define LARGE ((size_t)16 << 20) /* more than a socket takes */

static char large[LARGE];

/* A body of LARGE bytes that is read. */
static enum pst_err
read_large(void *context, char *out, size_t size, size_t *len)
{
    struct client *c = context;

    c->reads++;
    *len = LARGE - c->sent < size ? LARGE - c->sent : size;
    assert_true(size <= PLAIN_PIECE_MAX);
    memset(out, 'b', *len);
    c->sent += *len;
    return PST_OK;
}

/* The same large body in memory, read with a length, or read without one. */
static struct http_exchange
large_exchange(int kind)
{
    struct http_exchange what = exchange("POST", kind == 2 ? -1 : (int)LARGE);

    client_init();
    pst_arena_reset(arena);
    memset(large, 'b', sizeof(large));
    if (kind == 0)
        what.whole_body = (struct pst_str){large, LARGE};
    what.read = read_large;
    return what;
}

static void
test_whole_body(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_TEXT, "hello", 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", 5);

    (void)state;
    what.whole_body = PST_STR("hello");
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    check_got("whole", "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                       "Content-Length: 5\r\n\r\nhello");
    assert_int_equal(client.reads, 0);
}

/* A GET sends no body, and an empty one has a length. */
static void
test_empty_body(void **state)
{
    struct http_exchange what = exchange("GET", 5);

    (void)state;
    what.whole_body = PST_STR("hello");
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("get", "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n");
    server_free(&server);
    client_init();
    what = exchange("POST", 0);
    what.whole_body = PST_STR("");
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("post", "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                      "Content-Length: 0\r\n\r\n");
}

/* The backend answers, and does not read on: the answer passes at once. */
static void
test_early_answer(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 413 no\r\nContent-Length: 2\r\n\r\nno", 0},
        {SYNC, NULL, 0},
        {ANOTHER, NULL, 0},
        {READ_TEXT, "again", 0},
        {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct http_exchange what = large_exchange(kind);
        struct http_client *upstream;

        server_start(&server, script);
        upstream = open_upstream("http", "/graphql", 5);
        assert_int_equal(run(upstream, &what), PST_OK);
        assert_int_equal(client.status, 413);
        assert_string_equal(client.got, "no");
        assert_true(client.sent < LARGE);
        /* The connection is not used again: half a request is on it. */
        client_init();
        what = exchange("GET", 0);
        what.query = PST_STR("again");
        assert_int_equal(write(server.go[1], "g", 1), 1);
        assert_int_equal(run(upstream, &what), PST_OK);
        http_client_free(&upstream);
        server_join(&server);
        assert_int_equal(server.accepted, 2);
        server_free(&server);
    }
}

/* It closes the connection with bytes unread, so that writing fails. */
static void
test_early_answer_and_close(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 413 no\r\nContent-Length: 2\r\n\r\nno", 0},
        {CLOSE, NULL, 0},
        {END, NULL, 0},
    };

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct http_exchange what = large_exchange(kind);

        assert_int_equal(run_once(script, &what, 5), PST_OK);
        assert_int_equal(client.status, 413);
        assert_string_equal(client.got, "no");
        server_free(&server);
    }
}

/* It closes the connection without an answer. */
static void
test_closed(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {CLOSE, NULL, 0},
        {ACCEPT, NULL, 0}, {DRAIN, NULL, 0},     {END, NULL, 0},
    };

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct http_exchange what = large_exchange(kind);

        assert_int_equal(run_once(script, &what, 5), PST_UPSTREAM_BROKEN);
        assert_int_equal(client.heads, 0);
        assert_int_equal(server.accepted, 1);
        server_free(&server);
    }
}

/* It sends the end of the connection, and does not read: no busy loop. */
static void
test_shut(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SHUT, NULL, 0},
        {SYNC, NULL, 0},   {END, NULL, 0},
    };

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct http_exchange what = large_exchange(kind);

        assert_int_equal(run_once(script, &what, 5), PST_UPSTREAM_BROKEN);
        assert_non_null(strstr(run_error.text, "without a response"));
        assert_in_range(waits, 0, 10);
        server_free(&server);
    }
}

/* For every n: the n-th allocation fails. */
static void
test_no_memory(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "\r\n0\r\n\r\n", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", -1);
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e && n < 100; n++) {
        client_init();
        client.body = PST_STR("hello");
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = run_once(script, &what, 5);
        server_free(&server);
        if (e)
            check_err("memory", e, PST_NO_MEMORY);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 3, 99);
}

/* An interim response does not end the request. */
static void
test_interim(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 10", 0},
        {READ_TEXT, "bbbb\r\n0\r\n\r\n", 0},
        {SEND, "3 Early\r\n\r\n" OK_HEAD "ok", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", -1);
    static char body[200000];

    (void)state;
    memset(body, 'b', sizeof(body));
    client.body = (struct pst_str){body, sizeof(body)};
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    assert_string_equal(client.got, "ok");
    assert_int_equal(client.status, 200);
    assert_int_equal(client.sent, sizeof(body));
}

/* A backend that does not read: what the client sends is not read either, and
 * the timeout says so. */
static void
test_backpressure(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {REPORT, NULL, 0},
        {SYNC, NULL, 0},   {END, NULL, 0},
    };

    (void)state;
    ends_in_silence = true;
    for (int kind = 0; kind < 3; kind++) {
        struct http_exchange what = large_exchange(kind);
        struct http_client_options options = {.connect_timeout = 9,
                                              .first_byte_timeout = 1,
                                              .between_bytes_timeout = 9};
        struct http_client *upstream = NULL;
        int64_t begun = clock_ms();
        char url[64];

        server_start(&server, script);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
        options.url = pst_str_from(url);
        assert_int_equal(http_client_new(&upstream, &options), PST_OK);
        assert_int_equal(run(upstream, &what), PST_UPSTREAM_TIMEOUT);
        assert_non_null(strstr(run_error.text, "did not read"));
        assert_int_equal(clock_ms() - begun, 1000);
        assert_true(client.sent < LARGE);
        http_client_free(&upstream);
        server_join(&server);
        server_free(&server);
    }
}

/* The backend closes a kept connection while the client's first bytes come: no
 * byte was sent, so that a new connection can carry them. */
static enum pst_err
read_slowly(void *context, char *out, size_t size, size_t *len)
{
    struct client *c = context;

    if (c->reads++ == 0) {
        assert_int_equal(write(server.go[1], "g", 1), 1);
        server_wait_for_report(&server);
    }
    *len = c->reads == 1 ? 5 : 0;
    assert_true(size >= 5);
    memcpy(out, "hello", *len);
    return PST_OK;
}

static void
test_slow_first_bytes(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {SYNC, NULL, 0},
        {CLOSE, NULL, 0},        {REPORT, NULL, 0},
        {ACCEPT, NULL, 0},       {READ_TEXT, "5\r\nhello\r\n0\r\n\r\n", 0},
        {SEND, OK_HEAD "ok", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    assert_int_equal(run(upstream, &what), PST_OK);
    client_init();
    what = exchange("POST", -1);
    what.read = read_slowly;
    assert_int_equal(run(upstream, &what), PST_OK);
    assert_string_equal(client.got, "ok");
    assert_int_equal(client.reads, 2);
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(server.accepted, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole_body),   TEST(test_empty_body),
        TEST(test_early_answer), TEST(test_early_answer_and_close),
        TEST(test_closed),       TEST(test_shut),
        TEST(test_no_memory),    TEST(test_interim),
        TEST(test_backpressure), TEST(test_slow_first_bytes),
    };

    return RUN_TESTS(tests);
}
