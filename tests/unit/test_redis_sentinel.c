/* SPDX-License-Identifier: ISC */
/*
 * test_redis_sentinel.c - sentinels that know the master, or not, that are
 * down, and that want a password.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/resolver.h"
#include "redis_peer.h"
#include "store/redis_sentinel.h"

#define ASK "SENTINEL get-master-addr-by-name mymaster"
#define FOUND "*2\r\n$8\r\n10.0.0.7\r\n$4\r\n6380\r\n"

static struct redis_peer peers[2];
static struct store_url url;
static struct redis_target target;

static int
set_up(void **state)
{
    struct config_error error;
    char text[128];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(peers); i++)
        redis_peer_init(&peers[i]);
    (void)snprintf(text, sizeof(text),
                   "redis+sentinel://:secret@127.0.0.1:%s,127.0.0.1:%s"
                   "/mymaster",
                   peers[0].port, peers[1].port);
    if (store_url_parse(pst_str_from(text), &url, &error) != PST_OK)
        return -1;
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

static bool
find(struct store_address *master, struct redis_error *error)
{
    return redis_sentinel_find(&target, clock_ms() + 10000, master, error);
}

static void
test_answers(void **state)
{
    static const struct {
        const char *reply;
        const char *error; /* NULL: found */
    } rows[] = {
        {FOUND, NULL},
        {"*-1\r\n", "does not know this master"},
        {"$-1\r\n", "does not know this master"},
        {"-IDONTKNOW\r\n", "replied: IDONTKNOW"},
        {"*1\r\n$1\r\na\r\n", "unexpected type"},
        {"*2\r\n$0\r\n\r\n$4\r\n6380\r\n", "unexpected type"},
        {"*2\r\n$1\r\na\r\n$6\r\n123456\r\n", "unexpected type"},
        {"*2\r\n:1\r\n:2\r\n", "unexpected type"},
        {NULL, "closed by the server"},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct redis_peer_row answers[] = {{"AUTH secret", "+OK\r\n", 0},
                                                 {ASK, rows[i].reply, 0},
                                                 {NULL, NULL, 0}};
        struct store_address master;
        struct redis_error error = {""};
        bool is_found;

        tear_down(state);
        assert_int_equal(set_up(state), 0);
        redis_peer_start(&peers[0], answers);
        redis_peer_stop(&peers[1]);
        is_found = find(&master, &error);
        if (is_found != (rows[i].error == NULL))
            fail_msg("row %zu: %s", i, error.text);
        if (is_found) {
            assert_string_equal(master.host, "10.0.0.7");
            assert_string_equal(master.port, "6380");
        } else if (i < 8) {
            /* The second one is down: its error is the last. */
            assert_non_null(strstr(error.text, peers[1].port));
        }
    }
}

/* Those of the only sentinel that is up. */
static void
test_errors(void **state)
{
    static const struct redis_peer_row answers[] = {
        {"AUTH secret", "+OK\r\n", 0}, {ASK, "*-1\r\n", 0}, {NULL, NULL, 0}};
    struct store_address master;
    struct redis_error error = {""};
    char want[128];

    (void)state;
    redis_peer_stop(&peers[0]);
    redis_peer_start(&peers[1], answers);
    assert_false(find(&master, &error));
    (void)snprintf(want, sizeof(want),
                   "sentinel 127.0.0.1:%s: does not know this master",
                   peers[1].port);
    assert_string_equal(error.text, want);
}

/* The one that answered is asked first the next time. A sentinel that wants no
 * password answers as well. */
static void
test_order(void **state)
{
    static const struct redis_peer_row unknown[] = {
        {"AUTH secret", "-ERR no password is set\r\n", 0},
        {ASK, "*-1\r\n", 0},
        {NULL, NULL, 0}};
    static const struct redis_peer_row known[] = {
        {"AUTH secret", "-ERR no password is set\r\n", 0},
        {ASK, FOUND, 0},
        {NULL, NULL, 0}};
    struct store_address master;
    struct redis_error error = {""};

    (void)state;
    redis_peer_start(&peers[0], unknown);
    redis_peer_start(&peers[1], known);
    for (int i = 0; i < 3; i++)
        assert_true(find(&master, &error));
    redis_peer_stop(&peers[0]);
    redis_peer_stop(&peers[1]);
    redis_peer_expect(&peers[0], "AUTH secret\n" ASK "\n");
    redis_peer_expect(&peers[1], "AUTH secret\n" ASK "\nAUTH secret\n" ASK
                                 "\nAUTH secret\n" ASK "\n");
}

/* One that does not answer leaves time for the next. */
static void
test_silent(void **state)
{
    static const struct redis_peer_row silent[] = {{"", "", 0},
                                                   {NULL, NULL, 0}};
    static const struct redis_peer_row known[] = {
        {"AUTH", "+OK\r\n", 0}, {ASK, FOUND, 0}, {NULL, NULL, 0}};
    struct store_address master;
    struct redis_error error = {""};
    int64_t begin = clock_ms();

    (void)state;
    redis_peer_start(&peers[0], silent);
    redis_peer_start(&peers[1], known);
    assert_true(redis_sentinel_find(&target, begin + 3000, &master, &error));
    assert_true(clock_ms() - begin < 2000);
    assert_int_equal(target.sentinel, 1);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_errors),
        TEST(test_order),
        TEST(test_silent),
    };

    return cmocka_run_group_tests_name("redis_sentinel", tests, NULL, NULL);
}
