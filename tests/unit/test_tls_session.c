/* SPDX-License-Identifier: ISC */
/*
 * test_tls_session.c - backends that are reached over TLS, or not. That they
 * are is tested end to end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>

#include "exchange.h"
#include "upstream/tls_session.h"

static void
test_no_tls(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_TEXT, "", 0},
        {SEND, "HTTP/1.1 400 This is no TLS\r\n\r\n", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("https", "/graphql", 5);
    assert_int_equal(run(upstream, &what), PST_UPSTREAM_DOWN);
    http_client_free(&upstream);
    server_join(&server);
    assert_null(strstr(server.got, "graphql"));
}

/* With a missing CA file, no connection is made. */
static void
test_ca(void **state)
{
    struct http_client_options options = {.ca = "/nonexistent/ca.pem",
                                          .connect_timeout = 5,
                                          .first_byte_timeout = 5,
                                          .between_bytes_timeout = 5};
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream = NULL;
    char url[64];

    (void)state;
    server_start(&server, plain);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
    options.url = pst_str_from(url);
    assert_int_equal(http_client_new(&upstream, &options), PST_OK);
    assert_int_equal(run(upstream, &what), PST_UPSTREAM_DOWN);
    assert_non_null(strstr(run_error.text, "ca.pem"));
    http_client_free(&upstream);
    server_join(&server);
}

/* libcurl parses the URL. */
static void
test_start(void **state)
{
    (void)state;
    assert_int_equal(tls_session_start("https://a.example/g"), PST_OK);
    assert_int_equal(tls_session_start("https://u@a.example/"), PST_BAD_CONFIG);
    assert_int_equal(tls_session_start("https://a:99999/"), PST_BAD_CONFIG);
}

/* Without descriptors, this shows when the session is made. */
static void
test_no_descriptors(void **state)
{
    static const struct http_target target;
    struct tls_session *session;
    struct rlimit limit;
    rlim_t before;

    (void)state;
    session = tls_session_new(&target);
    assert_non_null(session);
    tls_session_free(&session);
    assert_null(session);
    tls_session_free(&session);
    getrlimit(RLIMIT_NOFILE, &limit);
    before = limit.rlim_cur;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    session = tls_session_new(&target);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_null(session);
}

/* More handles at once than are kept, each with nothing left of its exchange.
 */
static void
test_handles(void **state)
{
    const struct http_client_options options = {
        .url = PST_STR("http://127.0.0.1:1/"),
        .connect_timeout = 5,
        .first_byte_timeout = 5,
        .between_bytes_timeout = 5};
    struct tls_handle *handles[TLS_HANDLES_KEPT_MAX + 2];
    struct http_exchange what = exchange("GET", 0);
    struct http_exchange bad = exchange("PUT", 0);
    struct tls_session *session;
    struct http_target target;
    struct transfer transfer;
    struct http_error error;

    (void)state;
    assert_int_equal(http_target_init(&target, &options), PST_OK);
    session = tls_session_new(&target);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < PST_COUNT(handles); i++) {
            transfer_init(&transfer, arena, &target, &what, NULL);
            assert_int_equal(tls_handle_begin(session, arena, &transfer, &error,
                                              &handles[i]),
                             PST_OK);
            memset(transfer.buffers, 's', 2 * TRANSFER_BUFFER);
        }
        for (size_t i = 0; i < PST_COUNT(handles); i++)
            tls_handle_end(handles[i]);
        assert_int_equal(session->kept_count, TLS_HANDLES_KEPT_MAX);
        assert_true(TAILQ_EMPTY(&session->running));
        assert_int_equal(TAILQ_FIRST(&session->kept)->buffers[0], 0);
    }
    transfer_init(&transfer, arena, &target, &bad, NULL);
    assert_int_equal(
        tls_handle_begin(session, arena, &transfer, &error, &handles[0]),
        PST_BAD_METHOD);
    assert_true(TAILQ_EMPTY(&session->running));
    tls_session_free(&session);
    http_target_fini(&target);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_tls),         TEST(test_ca),      TEST(test_start),
        TEST(test_no_descriptors), TEST(test_handles),
    };

    return RUN_TESTS(tests);
}
