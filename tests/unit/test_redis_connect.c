/* SPDX-License-Identifier: ISC */
/*
 * test_redis_connect.c - to which server a store connects: that of its URL, the
 * master that a sentinel names, or where a Cluster has sent it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/resolver.h"
#include "redis_peer.h"
#include "store/redis_connect.h"

static struct redis_peer peers[2];
static struct store_url url;
static struct redis_target target;

/* The URL contains the port of the first peer. */
static void
use_url(const char *format)
{
    struct config_error error;
    char text[128];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof(text), format, peers[0].port);
#pragma GCC diagnostic pop
    assert_int_equal(store_url_parse(pst_str_from(text), &url, &error), PST_OK);
}

static int
set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(peers); i++)
        redis_peer_init(&peers[i]);
    target = (struct redis_target){.url = &url};
    return resolver_start() == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(peers); i++)
        redis_peer_fini(&peers[i]);
    resolver_stop();
    return 0;
}

/* Connect; NULL as the error: that must succeed. */
static void
expect_connect(const char *error)
{
    struct redis_error got = {""};
    struct redis_connection *connection =
        redis_connect(&target, clock_ms() + 10000, &got);

    if ((connection == NULL) != (error != NULL) ||
        (error && !strstr(got.text, error)))
        fail_msg("wanted %s, got %s", error ? error : "none", got.text);
    redis_connection_release(&connection);
}

static void
test_handshake(void **state)
{
    static const struct redis_peer_row rows[] = {
        {"AUTH ann secret", "+OK\r\n", 1},
        {"AUTH", "-WRONGPASS no\r\n", 0},
        {"SELECT 3", "+OK\r\n", 0},
        {NULL, NULL, 0}};

    (void)state;
    redis_peer_start(&peers[0], rows);
    use_url("redis://ann:secret@127.0.0.1:%s/3");
    expect_connect(NULL);
    expect_connect("replied: WRONGPASS no");
    redis_peer_stop(&peers[0]);
    expect_connect("cannot connect: Connection refused");
    redis_peer_expect(&peers[0], "AUTH ann secret\nSELECT 3\n"
                                 "AUTH ann secret\nSELECT 3\n");
}

/* Where a sentinel says, unless that server is a replica. */
static void
test_sentinel(void **state)
{
    static const struct redis_peer_row server[] = {
        {"ROLE", "*3\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n", 1},
        {"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", 0},
        {NULL, NULL, 0}};
    char found[64];
    const struct redis_peer_row sentinel[] = {{"SENTINEL", found, 0},
                                              {NULL, NULL, 0}};

    (void)state;
    (void)snprintf(found, sizeof(found),
                   "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n",
                   strlen(peers[1].port), peers[1].port);
    use_url("redis+sentinel://127.0.0.1:%s/mymaster");
    redis_peer_start(&peers[0], sentinel);
    redis_peer_start(&peers[1], server);
    expect_connect("is no master");
    expect_connect(NULL);
    redis_peer_stop(&peers[0]);
    expect_connect("sentinel 127.0.0.1:");
}

/* Where MOVED says, once; then the URL's server first, and the other one if
 * that does not answer. */
static void
test_moved(void **state)
{
    static const struct redis_peer_row server[] = {{"AUTH", "+OK\r\n", 0},
                                                   {NULL, NULL, 0}};

    (void)state;
    use_url("redis://:secret@127.0.0.1:%s");
    redis_peer_start(&peers[0], server);
    redis_peer_start(&peers[1], server);
    target.moved = (struct store_address){.host = "127.0.0.1"};
    memcpy(target.moved.port, peers[1].port, sizeof(target.moved.port));
    target.is_moved_first = true;
    expect_connect(NULL);
    assert_string_equal(target.at.port, peers[1].port);
    expect_connect(NULL);
    assert_string_equal(target.at.port, peers[0].port);
    redis_peer_stop(&peers[0]);
    expect_connect(NULL);
    assert_string_equal(target.at.port, peers[1].port);
    redis_peer_stop(&peers[1]);
    expect_connect("cannot connect: Connection refused");
    redis_peer_expect(&peers[0], "AUTH secret\n");
    redis_peer_expect(&peers[1], "AUTH secret\nAUTH secret\n");
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_handshake),
        TEST(test_sentinel),
        TEST(test_moved),
    };

    return cmocka_run_group_tests_name("redis_connect", tests, NULL, NULL);
}
