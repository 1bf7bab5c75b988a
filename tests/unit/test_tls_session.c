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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_tls),
        TEST(test_ca),
        TEST(test_start),
    };

    return RUN_TESTS(tests);
}
