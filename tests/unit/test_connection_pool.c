/* SPDX-License-Identifier: ISC */
/*
 * test_connection_pool.c - which connections are kept, for how long, and which
 * one is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream/connection_pool.h"

static struct connection_pool pool;

static bool
is_open(int descriptor)
{
    return fcntl(descriptor, F_GETFD) >= 0;
}

static struct connection *
open_one(int64_t now)
{
    struct connection *connection =
        connection_new(socket(AF_UNIX, SOCK_STREAM, 0), now);

    assert_non_null(connection);
    assert_true(is_open(connection->socket));
    return connection;
}

static int
set_up(void **state)
{
    (void)state;
    connection_pool_init(&pool);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    connection_pool_fini(&pool);
    return 0;
}

static void
test_newest_first(void **state)
{
    struct connection *first = open_one(1);
    struct connection *second = open_one(1);
    struct connection *taken;

    (void)state;
    assert_null(connection_pool_take(&pool, 1, 100));
    assert_false(first->was_kept);
    connection_pool_keep(&pool, first, 10);
    connection_pool_keep(&pool, second, 11);
    taken = connection_pool_take(&pool, 12, 100);
    assert_ptr_equal(taken, second);
    assert_true(second->was_kept);
    connection_pool_keep(&pool, second, 13);
    assert_ptr_equal(connection_pool_take(&pool, 14, 100), second);
    assert_ptr_equal(connection_pool_take(&pool, 14, 100), first);
    assert_null(connection_pool_take(&pool, 14, 100));
    connection_close(&first);
    connection_close(&second);
    assert_null(second);
    connection_close(&second);
}

/* One that was idle for too long is not taken, but stays for others. */
static void
test_idle(void **state)
{
    struct connection *one = open_one(1);
    int descriptor = one->socket;

    (void)state;
    connection_pool_keep(&pool, one, 1000);
    assert_null(
        connection_pool_take(&pool, 5001, CONNECTION_IDLE_ONE_SHOT_MAX));
    assert_true(is_open(descriptor));
    assert_ptr_equal(
        connection_pool_take(&pool, 5000, CONNECTION_IDLE_ONE_SHOT_MAX), one);
    connection_pool_keep(&pool, one, 1000);
    connection_pool_close_idle(&pool, 1000 + CONNECTION_IDLE_MAX);
    assert_true(is_open(descriptor));
    connection_pool_close_idle(&pool, 1001 + CONNECTION_IDLE_MAX);
    assert_false(is_open(descriptor));
    assert_int_equal(pool.kept_count, 0);
}

/* Taking the newest closes the oldest that was idle for too long. */
static void
test_take_closes(void **state)
{
    struct connection *old = open_one(1);
    struct connection *new = open_one(1);
    int descriptor = old->socket;

    (void)state;
    connection_pool_keep(&pool, old, 1);
    connection_pool_keep(&pool, new, CONNECTION_IDLE_MAX);
    assert_ptr_equal(connection_pool_take(&pool, CONNECTION_IDLE_MAX + 2,
                                          CONNECTION_IDLE_MAX),
                     new);
    assert_false(is_open(descriptor));
    connection_close(&new);
}

/* No more are kept than the limit: the oldest is closed. */
static void
test_limit(void **state)
{
    int descriptors[CONNECTIONS_KEPT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(descriptors); i++) {
        struct connection *one = open_one(1);

        descriptors[i] = one->socket;
        connection_pool_keep(&pool, one, 1);
    }
    assert_int_equal(pool.kept_count, CONNECTIONS_KEPT_MAX);
    for (size_t i = 0; i < PST_COUNT(descriptors); i++)
        assert_int_equal(is_open(descriptors[i]), i > 0);
    connection_pool_fini(&pool);
    for (size_t i = 0; i < PST_COUNT(descriptors); i++)
        assert_false(is_open(descriptors[i]));
}

/* Closed by the other side, or with unread bytes: not usable. */
static void
test_usable(void **state)
{
    struct connection *one;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    one = connection_new(pair[0], 1);
    assert_true(connection_is_usable(one));
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_false(connection_is_usable(one));
    assert_int_equal(read(pair[0], &(char){0}, 1), 1);
    assert_true(connection_is_usable(one));
    close(pair[1]);
    assert_false(connection_is_usable(one));
    connection_close(&one);
}

/* Buffers are used again, wiped. Only a few are kept. */
static void
test_buffers(void **state)
{
    struct response_buffer *buffers[BUFFERS_KEPT_MAX + 2];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(buffers); i++) {
        buffers[i] = connection_pool_take_buffer(&pool);
        assert_non_null(buffers[i]);
        memset(buffers[i]->bytes, 'a', 10);
    }
    connection_pool_give_buffer(&pool, buffers[0], 9);
    assert_ptr_equal(connection_pool_take_buffer(&pool), buffers[0]);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(buffers[0]->bytes[i], i < 9 ? 0 : 'a');
    for (size_t i = 0; i < PST_COUNT(buffers); i++)
        connection_pool_give_buffer(&pool, buffers[i], 10);
    assert_int_equal(pool.buffer_count, BUFFERS_KEPT_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_newest_first), TEST(test_idle),   TEST(test_take_closes),
        TEST(test_limit),        TEST(test_usable), TEST(test_buffers),
    };

    return cmocka_run_group_tests_name("connection_pool", tests, NULL, NULL);
}
