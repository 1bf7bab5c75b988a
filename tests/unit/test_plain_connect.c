/* SPDX-License-Identifier: ISC */
/*
 * test_plain_connect.c - several addresses, Unix sockets, backends that are not
 * there, and the connect timeout.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "exchange.h"
#include "fake_clock.h"
#include "fake_names.h"

/* The pool that resolves names waits by the real clock: a deadline of ours must
 * not be in its past. */
#define FAR_AHEAD (INT64_C(1) << 50)

static struct http_client *
open_url(const char *url, int64_t timeout)
{
    struct http_client_options options = {.connect_timeout = timeout,
                                          .first_byte_timeout = 5,
                                          .between_bytes_timeout = 5};
    struct http_client *upstream = NULL;

    options.url = pst_str_from(url);
    assert_int_equal(http_client_new(&upstream, &options), PST_OK);
    return upstream;
}

/* Run one GET with a backend of this name, at the server's port. */
static enum pst_err
run_named(const char *name, int64_t timeout)
{
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;
    char url[128];
    enum pst_err e;

    (void)snprintf(url, sizeof(url), "http://%s:%d/g", name, server.port);
    upstream = open_url(url, timeout);
    e = run(upstream, &what);
    http_client_free(&upstream);
    return e;
}

static void
set_names(const char *first, const char *second)
{
    fake_names[0] = first;
    fake_names[1] = second;
    fake_name_lookups = 0;
    /* What other tests found is too old. */
    fake_clock_advance(60000);
}

static void
test_next_address(void **state)
{
    (void)state;
    set_names("127.0.0.2", "127.0.0.1");
    server_start(&server, plain);
    assert_int_equal(run_named("a.example", 5), PST_OK);
    server_join(&server);
    assert_int_equal(fake_name_lookups, 1);
    check_got("named", "GET /g HTTP/1.1\r\nHost: a.example:%d\r\n\r\n");
}

/* No more addresses are tried than are needed. */
static void
test_first_address(void **state)
{
    (void)state;
    set_names("127.0.0.1", "127.0.0.2");
    server_start(&server, plain);
    assert_int_equal(run_named("a.example", 5), PST_OK);
    server_join(&server);
}

static void
test_no_address(void **state)
{
    (void)state;
    server_start(&server, plain);
    set_names("127.0.0.2", "::1");
    assert_int_equal(run_named("a.example", 5), PST_UPSTREAM_DOWN);
    assert_non_null(strstr(run_error.text, "Connection refused"));
    set_names(NULL, NULL);
    assert_int_equal(run_named("b.example", 5), PST_UPSTREAM_DOWN);
    assert_non_null(strstr(run_error.text, "cannot resolve b.example: "));
    server_join(&server);
    assert_int_equal(server.accepted, 0);
}

/* Listen at the server's port of an address, and accept nothing. */
static int
listen_deaf(const char *address, int fillers[3])
{
    struct sockaddr_in where = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)server.port)};
    struct sockaddr *any = (struct sockaddr *)(void *)&where;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(inet_pton(AF_INET, address, &where.sin_addr), 1);
    assert_int_equal(bind(listener, any, sizeof(where)), 0);
    assert_int_equal(listen(listener, 0), 0);
    for (size_t i = 0; i < 3; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], any, sizeof(where));
    }
    return listener;
}

static void
close_deaf(int listener, const int fillers[3])
{
    for (size_t i = 0; i < 3; i++)
        close(fillers[i]);
    close(listener);
}

/* An address that does not answer takes its share of the time only. */
static void
test_silent_address(void **state)
{
    int fillers[3];
    int listener;

    (void)state;
    server_start(&server, plain);
    listener = listen_deaf("127.0.0.2", fillers);
    set_names("127.0.0.2", "127.0.0.1");
    assert_int_equal(run_named("a.example", 1), PST_OK);
    close_deaf(listener, fillers);
    server_join(&server);
}

static void
test_timeout(void **state)
{
    static const struct step script[] = {
        {REPORT, NULL, 0}, {ACCEPT, NULL, 0}, {END, NULL, 0}};
    int64_t begun;
    int fillers[3];
    int listener;

    (void)state;
    ends_in_silence = true;
    server_start(&server, script);
    listener = listen_deaf("127.0.0.2", fillers);
    begun = clock_ms();
    assert_int_equal(run_named("127.0.0.2", 3), PST_UPSTREAM_TIMEOUT);
    assert_int_equal(clock_ms() - begun, 3000);
    assert_non_null(strstr(run_error.text, "connect timeout"));
    close_deaf(listener, fillers);
    server_join(&server);
}

static void
test_client_gone(void **state)
{
    static const struct step script[] = {{ACCEPT, NULL, 0}, {END, NULL, 0}};
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;
    char url[64];
    int fillers[3];
    int pair[2];
    int listener;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    server_start(&server, script);
    listener = listen_deaf("127.0.0.2", fillers);
    (void)snprintf(url, sizeof(url), "http://127.0.0.2:%d/", server.port);
    upstream = open_url(url, 9);
    what.client = pair[0];
    assert_int_equal(run(upstream, &what), PST_CLIENT_GONE);
    http_client_free(&upstream);
    close_deaf(listener, fillers);
    close(pair[0]);
    server_join(&server);
}

static void
test_unix_socket(void **state)
{
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;
    char folder[] = "/tmp/postern-test-XXXXXX";
    char path[64];
    char url[128];

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/api.sock", folder);
    (void)snprintf(url, sizeof(url), "unix:%s:/graphql", path);
    server_start_at_path(&server, plain, path);
    upstream = open_url(url, 5);
    what.query = PST_STR("a=b");
    assert_int_equal(run(upstream, &what), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    assert_string_equal(server.got, "GET /graphql?a=b HTTP/1.1\r\n"
                                    "Host: localhost\r\n\r\n");
    upstream = open_url(url, 5);
    assert_int_equal(run(upstream, &what), PST_UPSTREAM_DOWN);
    assert_non_null(strstr(run_error.text, "Connection refused"));
    http_client_free(&upstream);
    unlink(path);
    rmdir(folder);
}

/* The queue of the Unix socket is full: wait for a place, but not for ever. */
static void
test_full_unix_socket(void **state)
{
    static const struct step script[] = {
        {REPORT, NULL, 0}, {ACCEPT, NULL, 0}, {DRAIN, NULL, 0}, {END, NULL, 0}};
    struct http_exchange what = exchange("GET", 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct sockaddr *any = (struct sockaddr *)(void *)&address;
    int filler = socket(AF_UNIX, SOCK_STREAM, 0);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct http_client *upstream;
    char folder[] = "/tmp/postern-test-XXXXXX";
    char url[128];
    int64_t begun = clock_ms();

    (void)state;
    ends_in_silence = true;
    server_start(&server, script);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    (void)snprintf(url, sizeof(url), "unix:%s", address.sun_path);
    assert_int_equal(bind(listener, any, sizeof(address)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(connect(filler, any, sizeof(address)), 0);
    upstream = open_url(url, 2);
    assert_int_equal(run(upstream, &what), PST_UPSTREAM_TIMEOUT);
    assert_int_equal(clock_ms() - begun, 2000);
    http_client_free(&upstream);
    close(filler);
    close(listener);
    unlink(address.sun_path);
    rmdir(folder);
    server_join(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_next_address), TEST(test_first_address),
        TEST(test_no_address),   TEST(test_silent_address),
        TEST(test_timeout),      TEST(test_client_gone),
        TEST(test_unix_socket),  TEST(test_full_unix_socket),
    };

    fake_clock_advance(FAR_AHEAD);
    return RUN_TESTS(tests);
}
