/* SPDX-License-Identifier: ISC */
/*
 * test_socket_set.c - wait until one of several sockets is ready, in a fiber
 * and elsewhere.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop.h"
#include "upstream/socket_set.h"

static struct socket_set set;
static int pair[2];
static int other[2];
static struct epoll_event events[SOCKET_SET_EVENTS_MAX];
static int count;

static int
set_up(void **state)
{
    (void)state;
    if (!socket_set_open(&set) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, other) != 0)
        return -1;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    socket_set_close(&set);
    socket_set_close(&set);
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(other[i]);
    }
    return 0;
}

/* Look without waiting. */
static int
look(void)
{
    const struct wait_limit limit = {.deadline = clock_ms(), .client = -1};

    count = -1;
    return socket_set_wait(&set, &limit, events, &count);
}

static void
change(int socket, uint32_t new_events)
{
    assert_true(socket_set_change(&set, socket, new_events));
}

static void
test_events(void **state)
{
    (void)state;
    assert_int_equal(look(), 0);
    assert_int_equal(count, 0);
    change(pair[0], EPOLLIN);
    assert_int_equal(look(), 0);
    assert_int_equal(count, 0);
    change(pair[0], EPOLLIN | EPOLLOUT);
    change(other[0], EPOLLIN);
    assert_int_equal(look(), 0);
    assert_int_equal(count, 1);
    assert_int_equal(events[0].data.fd, pair[0]);
    assert_int_equal(events[0].events, EPOLLOUT);
    change(pair[0], EPOLLIN);
    assert_int_equal(write(other[1], "a", 1), 1);
    assert_int_equal(look(), 0);
    assert_int_equal(count, 1);
    assert_int_equal(events[0].data.fd, other[0]);
    change(other[0], 0);
    change(other[0], 0);
    assert_int_equal(look(), 0);
    assert_int_equal(count, 0);
}

/* What the kernel cannot watch; here, since it is closed. */
static void
test_unwatchable(void **state)
{
    int number = dup(other[0]);

    (void)state;
    close(number);
    assert_false(socket_set_change(&set, number, EPOLLIN));
    change(number, 0);
}

/* A socket that was closed is forgotten, also when its number is used again. */
static void
test_same_number(void **state)
{
    int number = other[0];

    (void)state;
    change(other[0], EPOLLOUT);
    change(other[0], 0);
    close(other[0]);
    other[0] = dup(pair[0]);
    assert_int_equal(other[0], number);
    assert_int_equal(look(), 0);
    assert_int_equal(count, 0);
    change(other[0], EPOLLOUT);
    assert_int_equal(look(), 0);
    assert_int_equal(count, 1);
}

static void
test_client_gone(void **state)
{
    const struct wait_limit limit = {.deadline = WAIT_NO_DEADLINE,
                                     .client = other[0]};

    (void)state;
    change(pair[0], EPOLLIN);
    shutdown(other[1], SHUT_WR);
    assert_int_equal(socket_set_wait(&set, &limit, events, &count), ECANCELED);
}

/* Wait three times, each time for what send_bytes() does meanwhile. */
static void
wait_in_fiber(void *argument)
{
    const struct wait_limit limit = {.deadline = WAIT_NO_DEADLINE,
                                     .client = -1};
    char byte;

    change(pair[0], EPOLLIN);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(socket_set_wait(&set, &limit, events, &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(events[0].data.fd, pair[0]);
        assert_int_equal(read(pair[0], &byte, 1), 1);
    }
    /* A socket that is ready when it is added. */
    change(pair[0], 0);
    assert_int_equal(write(other[1], "a", 1), 1);
    change(other[0], EPOLLIN);
    assert_int_equal(socket_set_wait(&set, &limit, events, &count), 0);
    assert_int_equal(count, 1);
    loop_stop(argument);
}

/* Between two bytes, the other fiber waits. */
static void
send_bytes(void *argument)
{
    (void)argument;
    for (int i = 0; i < 3; i++) {
        const struct wait_limit soon = {.deadline = clock_ms() + 1,
                                        .client = -1};

        assert_int_equal(wait_until(&soon), 0);
        assert_int_equal(write(pair[1], "a", 1), 1);
    }
}

static void
test_fiber(void **state)
{
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_new(&loop), PST_OK);
    assert_int_equal(loop_start_fiber(loop, wait_in_fiber, loop), PST_OK);
    assert_int_equal(loop_start_fiber(loop, send_bytes, NULL), PST_OK);
    loop_run(loop);
    assert_int_equal(loop_fiber_count(loop), 0);
    socket_set_close(&set);
    loop_free(&loop);
}

static void
test_no_descriptors(void **state)
{
    struct socket_set none;
    struct rlimit limit;
    rlim_t before;
    bool is_open;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    before = limit.rlim_cur;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    is_open = socket_set_open(&none);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_false(is_open);
    socket_set_close(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_events), TEST(test_same_number),    TEST(test_client_gone),
        TEST(test_fiber),  TEST(test_no_descriptors), TEST(test_unwatchable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
