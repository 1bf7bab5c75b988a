/* SPDX-License-Identifier: ISC */
/*
 * test_tls_exchange.c - exchanges that libcurl runs, without TLS: for a session
 * an http:// URL is enough. TLS is tested end to end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "upstream/tls_exchange.h"

#define DEPTH 7

static struct http_target target;
static struct tls_session *session;
static int depth;

/* A session for the server, which runs the script. */
static void
open_session(const struct step *script)
{
    struct http_client_options options = {.connect_timeout = 5,
                                          .first_byte_timeout = 5,
                                          .between_bytes_timeout = 5};
    char url[64];

    server_start(&server, script);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/g", server.port);
    options.url = pst_str_from(url);
    assert_int_equal(http_target_init(&target, &options), PST_OK);
    assert_int_equal(tls_session_start(target.url), PST_OK);
    session = tls_session_new(&target);
    assert_non_null(session);
}

static void
close_session(void)
{
    tls_session_free(&session);
    server_join(&server);
    http_target_fini(&target);
}

/* Run another exchange within the first one, and so on. */
static enum pst_err
run_within(void *context, char *out, size_t size, size_t *len)
{
    struct http_exchange what = exchange("POST", -1);
    struct http_error error;

    (void)context;
    (void)out;
    (void)size;
    *len = 0;
    if (++depth == DEPTH)
        return PST_THROTTLED;
    what.read = run_within;
    return tls_exchange_run(session, arena, &what, &error);
}

/* Several at once, each on a connection of its own. */
static void
test_within(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},  {ANOTHER, NULL, 0}, {ANOTHER, NULL, 0},
        {ANOTHER, NULL, 0}, {ANOTHER, NULL, 0}, {ANOTHER, NULL, 0},
        {ANOTHER, NULL, 0}, {DRAIN, NULL, 0},   {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", -1);
    struct http_error error;

    (void)state;
    open_session(script);
    depth = 0;
    what.read = run_within;
    assert_int_equal(tls_exchange_run(session, arena, &what, &error),
                     PST_THROTTLED);
    assert_int_equal(depth, DEPTH);
    close_session();
}

static void
test_kept(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},    {READ_HEAD, NULL, 0},    {SEND, OK_HEAD "{}", 0},
        {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_error error;

    (void)state;
    open_session(script);
    for (int i = 0; i < 2; i++) {
        client_init();
        assert_int_equal(tls_exchange_run(session, arena, &what, &error),
                         PST_OK);
        assert_string_equal(client.got, "{}");
    }
    close_session();
    assert_int_equal(server.accepted, 1);
}

/* Before anything is sent, on a new connection and on a kept one. */
static void
test_not_sent(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", 0);
    struct http_error error;

    (void)state;
    open_session(script);
    for (int i = 0; i < 2; i++) {
        client_init();
        client.connected_err = i == 0 ? PST_OK : PST_THROTTLED;
        assert_int_equal(tls_exchange_run(session, arena, &what, &error),
                         client.connected_err);
        assert_int_equal(client.connects, 1);
        assert_int_equal(client.heads, i == 0);
    }
    close_session();
    assert_null(strstr(strstr(server.got, "POST ") + 1, "POST "));
}

static void
test_upload(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "0\r\n\r\n", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", -1);
    struct http_error error;

    (void)state;
    open_session(script);
    client.body = PST_STR("0123456789");
    client.step = 4;
    assert_int_equal(tls_exchange_run(session, arena, &what, &error), PST_OK);
    assert_string_equal(error.text, "");
    assert_string_equal(client.got, "{}");
    assert_int_equal(client.status, 200);
    assert_int_equal(client.sent, 10);
    close_session();
    assert_non_null(
        strstr(server.got, "4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n"));
}

/* What the functions of the exchange return ends it. */
static void
test_errors(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct http_exchange what = exchange("GET", 0);
        struct http_error error;

        client_init();
        client.header_err = i == 0 ? PST_THROTTLED : PST_OK;
        client.head_err = i == 1 ? PST_THROTTLED : PST_OK;
        client.body_err = i == 2 ? PST_THROTTLED : PST_OK;
        open_session(script);
        assert_int_equal(tls_exchange_run(session, arena, &what, &error),
                         PST_THROTTLED);
        assert_string_equal(error.text, pst_err_text(PST_THROTTLED));
        close_session();
        server_free(&server);
    }
}

/* The client hangs up while the server is silent. */
static void
test_client_gone(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_error error;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    what.client = ends[0];
    close(ends[1]);
    open_session(script);
    assert_int_equal(tls_exchange_run(session, arena, &what, &error),
                     PST_CLIENT_GONE);
    assert_non_null(strstr(error.text, "client"));
    close_session();
    close(ends[0]);
}

/* A session can be used again after a failure. */
static void
test_again(void **state)
{
    const struct http_client_options options = {
        .url = PST_STR("https://127.0.0.1:1/"),
        .connect_timeout = 5,
        .first_byte_timeout = 5,
        .between_bytes_timeout = 5};
    const struct http_exchange what = exchange("GET", 0);
    struct http_error error;

    (void)state;
    assert_int_equal(http_target_init(&target, &options), PST_OK);
    assert_int_equal(tls_session_start(target.url), PST_OK);
    session = tls_session_new(&target);
    assert_non_null(session);
    for (int i = 0; i < 2; i++) {
        error.text[0] = '\0';
        assert_int_equal(tls_exchange_run(session, arena, &what, &error),
                         PST_UPSTREAM_DOWN);
        assert_true(error.text[0] != '\0');
    }
    tls_session_free(&session);
    assert_null(session);
    tls_session_free(&session);
    http_target_fini(&target);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_within), TEST(test_kept),   TEST(test_not_sent),
        TEST(test_upload), TEST(test_errors), TEST(test_client_gone),
        TEST(test_again),
    };

    return RUN_TESTS(tests);
}
