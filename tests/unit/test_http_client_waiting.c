/* SPDX-License-Identifier: ISC */
/*
 * test_http_client_waiting.c - timeouts, a client that hangs up, and
 * functions of an exchange that end it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "exchange.h"

/* Clocks. */

/*
 * Unread bytes on the client's descriptor are not a hang-up, and the wait uses
 * no processor time.
 */
static void
test_first_byte(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_TEXT, "hello", 0}, {REPORT, NULL, 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", 5);
    int64_t begun = clock_ms();
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "unread", 6), 6);
    client.body = PST_STR("hello");
    what.client = pair[0];
    ends_in_silence = true;
    assert_int_equal(run_once(script, &what, 1), PST_UPSTREAM_TIMEOUT);
    assert_int_equal(clock_ms() - begun, 1000);
    assert_in_range(waits, 1, 10);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void
test_between_bytes(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 0},
        {REPORT, NULL, 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    int64_t begun = clock_ms();

    (void)state;
    ends_in_silence = true;
    assert_int_equal(run_once(script, &what, 1), PST_UPSTREAM_TIMEOUT);
    assert_int_equal(clock_ms() - begun, 1000);
    assert_string_equal(client.got, "hel");
}

/* Each timeout is separate: in each row, only the short one expires. */
static void
test_which_clock(void **state)
{
    static const struct {
        const char *name;
        const char *answer;
        int64_t first_byte;
        int64_t between_bytes;
        int64_t total;
        const char *reason;
    } rows[] = {
        {"first byte", "HTTP/1.1 100 Continue\r\n\r\n", 1, 9, 9, "first-byte"},
        {"between bytes", "HTTP/1.1 200 OK\r\n", 9, 1, 0, "between-bytes"},
        {"within the body", OK_HEAD, 9, 1, 9, "between-bytes"},
        {"total, before the answer", "", 9, 9, 1, "total timeout"},
        {"total, within the head", "HTTP/1.1 200 OK\r\n", 9, 9, 1,
         "total timeout"},
        {"total, within the body", OK_HEAD "{", 9, 9, 1, "total timeout"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, rows[i].answer, 0},
            {REPORT, NULL, 0}, {DRAIN, NULL, 0},     {END, NULL, 0},
        };
        struct http_client_options options = {
            .connect_timeout = 9,
            .first_byte_timeout = rows[i].first_byte,
            .between_bytes_timeout = rows[i].between_bytes,
            .total_timeout = rows[i].total};
        struct http_exchange what = exchange("GET", 0);
        struct http_client *upstream = NULL;
        int64_t begun = clock_ms();
        char url[64];

        client_init();
        ends_in_silence = true;
        server_start(&server, script);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
        options.url = pst_str_from(url);
        assert_int_equal(http_client_new(&upstream, &options), PST_OK);
        check_err(rows[i].name, run(upstream, &what), PST_UPSTREAM_TIMEOUT);
        assert_int_equal(clock_ms() - begun, 1000);
        if (!strstr(run_error.text, rows[i].reason))
            fail_msg("row '%s': %s", rows[i].name, run_error.text);
        http_client_free(&upstream);
        server_join(&server);
        server_free(&server);
    }
}

/* A client with timeouts of 1 s, and this one in all. */
static struct http_client *
open_limited(int64_t total)
{
    struct http_client_options options = {.connect_timeout = 1,
                                          .first_byte_timeout = 1,
                                          .between_bytes_timeout = 1,
                                          .total_timeout = total};
    struct http_client *upstream = NULL;
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
    options.url = pst_str_from(url);
    assert_int_equal(http_client_new(&upstream, &options), PST_OK);
    return upstream;
}

/* Slow clients, sending or reading, are not the backend's fault. */
static void
test_slow_client(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_TEXT, "hello", 0},
        {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 0},
        {SYNC, NULL, 0},
        {SEND, "cd", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", 5);
    struct http_client *upstream;

    (void)state;
    for (int64_t total = 0; total < 2; total++) {
        client_init();
        server_start(&server, script);
        upstream = open_limited(total);
        client.body = PST_STR("hello");
        client.delay = 1050;
        client.go_waiting = server.go[1];
        assert_int_equal(run(upstream, &what), PST_OK);
        assert_string_equal(client.got, "abcd");
        http_client_free(&upstream);
        server_join(&server);
        server_free(&server);
    }
}

/* The client disconnects. */

static void
test_client_gone(void **state)
{
    static const struct {
        const char *name;
        const char *answer; /* what the backend has sent before */
        bool half;          /* the client only stops sending */
        bool unread;        /* some of its bytes are unread */
    } rows[] = {
        {"closed", "", false, false},
        {"closed, unread bytes", "", false, true},
        {"half closed", "", true, true},
        {"while answering", "HTTP/1.1 200 OK\r\n\r\nbegun", false, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, rows[i].answer, 0},
            {DRAIN, NULL, 0},  {END, NULL, 0},
        };
        struct http_exchange what = exchange("GET", 0);
        int64_t begun = clock_ms();
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        if (rows[i].unread)
            assert_int_equal(write(pair[1], "unread", 6), 6);
        if (rows[i].half)
            assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
        else
            (void)close(pair[1]);
        what.client = pair[0];
        client_init();
        check_err(rows[i].name, run_once(script, &what, 9), PST_CLIENT_GONE);
        assert_int_equal(clock_ms(), begun);
        (void)close(pair[0]);
        if (rows[i].half)
            (void)close(pair[1]);
        server_free(&server);
    }
}

/* The client disconnects during the wait, over TCP, with only a FIN. */
static void *
hang_up_later(void *context)
{
    server_wait_for_report(&server);
    (void)close(*(int *)context);
    return NULL;
}

static void
tcp_pair(int pair[2])
{
    struct server side = {.connection = -1};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    server_listen(&side);
    address.sin_port = htons((uint16_t)side.port);
    pair[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(pair[1] >= 0);
    assert_int_equal(
        connect(pair[1], (struct sockaddr *)(void *)&address, sizeof(address)),
        0);
    pair[0] = accept(side.listener, NULL, NULL);
    assert_true(pair[0] >= 0);
    (void)close(side.listener);
}

static void
test_client_goes(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {REPORT, NULL, 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;
    int64_t begun = clock_ms();
    pthread_t thread;
    int pair[2];

    (void)state;
    tcp_pair(pair);
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 9);
    assert_int_equal(pthread_create(&thread, NULL, hang_up_later, &pair[1]), 0);
    what.client = pair[0];
    assert_int_equal(run(upstream, &what), PST_CLIENT_GONE);
    assert_int_equal(clock_ms(), begun);
    assert_int_equal(pthread_join(thread, NULL), 0);
    http_client_free(&upstream);
    server_join(&server);
    (void)close(pair[0]);
}

/* A descriptor that cannot hang up, or is invalid, has no effect. A descriptor
 * that was watched before is removed. */
static void
test_client_unwatched(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},    {READ_HEAD, NULL, 0},    {SEND, OK_HEAD "{}", 0},
        {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0}, {READ_HEAD, NULL, 0},
        {SYNC, NULL, 0},      {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct http_client *upstream;
    int other[2];
    int pair[2];

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    what.client = file;
    assert_int_equal(run(upstream, &what), PST_OK);
    client_init();
    what.client = pair[0];
    assert_int_equal(run(upstream, &what), PST_OK);
    (void)close(pair[1]);
    client_init();
    what.client = other[0];
    assert_int_equal(write(server.go[1], "g", 1), 1);
    assert_int_equal(run(upstream, &what), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    (void)close(pair[0]);
    (void)close(other[0]);
    (void)close(other[1]);
    (void)close(file);
}

/* Our own functions end it. */

static void
test_function_errors(void **state)
{
    static const struct {
        const char *name;
        enum pst_err read;
        enum pst_err header;
        enum pst_err head;
        enum pst_err body;
        int64_t length;
        enum pst_err want;
    } rows[] = {
        {"read", PST_CLIENT_GONE, 0, 0, 0, 5, PST_CLIENT_GONE},
        {"read, chunked", PST_TOO_LARGE, 0, 0, 0, -1, PST_TOO_LARGE},
        {"header", 0, PST_NO_MEMORY, 0, 0, 5, PST_NO_MEMORY},
        {"head", 0, 0, PST_STORE_DOWN, 0, 5, PST_STORE_DOWN},
        {"body", 0, 0, 0, PST_CLIENT_GONE, 5, PST_CLIENT_GONE},
        {"shorter than was said", 0, 0, 0, 0, 6, PST_MALFORMED},
        {"none", 0, 0, 0, 0, 5, PST_OK},
    };
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_TEXT, "hello", 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what = exchange("POST", rows[i].length);

        client_init();
        client.body = PST_STR("hello");
        client.step = rows[i].length == 6 ? 3 : 0;
        client.read_err = rows[i].read;
        client.header_err = rows[i].header;
        client.head_err = rows[i].head;
        client.body_err = rows[i].body;
        check_err(rows[i].name, run_once(script, &what, 5), rows[i].want);
        server_free(&server);
    }
}

/*
 * An aborted body is never complete for the backend: it does not reach the
 * given length, and it has no last chunk. Nothing is sent after it.
 */
static void
test_cut_upload(void **state)
{
    static const struct {
        const char *name;
        int64_t length;
        const char *sent; /* after the head */
    } rows[] = {
        {"in its length", 10, "hello"},
        {"in its chunks", -1, "5\r\nhello\r\n"},
    };
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {DRAIN, NULL, 0},        {ACCEPT, NULL, 0},
        {READ_TEXT, "again", 0}, {SEND, OK_HEAD "{}", 0}, {END, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what = exchange("POST", rows[i].length);
        struct http_client *upstream;
        const char *body;

        server_start(&server, script);
        upstream = open_upstream("http", "/graphql", 5);
        client_init();
        client.body = PST_STR("hello hell");
        client.step = 5;
        client.err_at = 5;
        client.read_err = PST_DUPLICATE;
        check_err(rows[i].name, run(upstream, &what), PST_DUPLICATE);
        client_init();
        client.body = PST_STR("again");
        what.body_length = 5;
        check_err(rows[i].name, run(upstream, &what), PST_OK);
        http_client_free(&upstream);
        server_join(&server);
        /* Two requests, each on a connection of its own. */
        assert_int_equal(server.accepted, 2);
        body = strstr(server.got, "\r\n\r\n");
        assert_non_null(body);
        body += 4;
        if (strncmp(body, rows[i].sent, strlen(rows[i].sent)) != 0 ||
            strncmp(body + strlen(rows[i].sent), "POST ", 5) != 0)
            fail_msg("row '%s': server got:\n%s", rows[i].name, server.got);
        server_free(&server);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_byte),       TEST(test_between_bytes),
        TEST(test_which_clock),      TEST(test_slow_client),
        TEST(test_client_gone),      TEST(test_client_goes),
        TEST(test_client_unwatched), TEST(test_function_errors),
        TEST(test_cut_upload),
    };

    return RUN_TESTS(tests);
}
