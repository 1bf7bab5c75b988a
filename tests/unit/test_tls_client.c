/* SPDX-License-Identifier: ISC */
/*
 * test_tls_client.c - several exchanges over TLS at once, each in a session of
 * its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>

#include "exchange.h"
#include "fake_clock.h"
#include "upstream/tls_client.h"

#define DEPTH 7 /* more than sessions are kept */

static struct http_target target;
static struct tls_client *tls;
static int depth;

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
    return tls_client_run(tls, arena, &what, &error);
}

static void
open_client(const char *url)
{
    const struct http_client_options options = {.url = pst_str_from(url),
                                                .connect_timeout = 5,
                                                .first_byte_timeout = 5,
                                                .between_bytes_timeout = 5};

    assert_int_equal(http_target_init(&target, &options), PST_OK);
    assert_int_equal(tls_client_new(&tls, &target), PST_OK);
}

static void
close_client(void)
{
    tls_client_free(&tls);
    assert_null(tls);
    tls_client_free(&tls);
    http_target_fini(&target);
}

/* An http:// URL is enough for the session, and needs no certificate. */
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
    char url[64];

    (void)state;
    server_start(&server, script);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
    open_client(url);
    depth = 0;
    what.read = run_within;
    assert_int_equal(tls_client_run(tls, arena, &what, &error), PST_THROTTLED);
    assert_int_equal(depth, DEPTH);
    close_client();
    server_join(&server);
}

/* The session that was used last is used again, with its connection. */
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
    char url[64];

    (void)state;
    server_start(&server, script);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
    open_client(url);
    for (int i = 0; i < 2; i++) {
        client_init();
        assert_int_equal(tls_client_run(tls, arena, &what, &error), PST_OK);
        assert_string_equal(client.got, "{}");
    }
    close_client();
    server_join(&server);
    assert_int_equal(server.accepted, 1);
}

#define ANSWERED(bytes)       \
    {READ_TEXT, bytes, 0},    \
    {                         \
        SEND, OK_HEAD "{}", 0 \
    }

/* A connection that was idle for long is not used for what cannot be sent
 * again. */
static void
test_idle(void **state)
{
    static const struct step kept[] = {{ACCEPT, NULL, 0},
                                       ANSWERED("hello"),
                                       ANSWERED("hello"),
                                       {DRAIN, NULL, 0},
                                       {END, NULL, 0}};
    static const struct step renewed[] = {{ACCEPT, NULL, 0},  ANSWERED("hello"),
                                          {ANOTHER, NULL, 0}, ANSWERED("hello"),
                                          {DRAIN, NULL, 0},   {END, NULL, 0}};
    static const struct {
        int64_t idle; /* milliseconds */
        bool is_repeatable;
        bool is_kept;
    } rows[] = {{4000, false, true},
                {4001, false, false},
                {15000, true, true},
                {15001, true, false}};
    struct http_error error;
    char url[64];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what = exchange("POST", 5);

        what.whole_body = PST_STR("hello");
        what.is_repeatable = rows[i].is_repeatable;
        server_start(&server, rows[i].is_kept ? kept : renewed);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
        open_client(url);
        for (int j = 0; j < 2; j++) {
            client_init();
            assert_int_equal(tls_client_run(tls, arena, &what, &error), PST_OK);
            assert_string_equal(client.got, "{}");
            fake_clock_advance(rows[i].idle);
        }
        close_client();
        server_join(&server);
        assert_int_equal(server.accepted, rows[i].is_kept ? 1 : 2);
        server_free(&server);
    }
}

/* Without descriptors, this shows when the client is made. */
static void
test_no_descriptors(void **state)
{
    struct rlimit limit;
    rlim_t before;
    enum pst_err e;

    (void)state;
    open_client("https://127.0.0.1:1/");
    tls_client_free(&tls);
    getrlimit(RLIMIT_NOFILE, &limit);
    before = limit.rlim_cur;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    e = tls_client_new(&tls, &target);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(e, PST_NO_MEMORY);
    http_target_fini(&target);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_within),
        TEST(test_kept),
        TEST(test_idle),
        TEST(test_no_descriptors),
    };

    return RUN_TESTS(tests);
}
