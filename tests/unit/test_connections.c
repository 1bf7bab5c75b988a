/* SPDX-License-Identifier: ISC */
/*
 * test_connections.c - idle connections and those with a thread, the limit of
 * both, and how a connection is closed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/connections.h"

#define LIMIT 3
#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */

/* The clock, and how far it advances when it is read: a process may be
 * preempted for as long between any two readings. */
static _Atomic int64_t clock_now;
static int64_t clock_step;

/* The shortest timeout that poll(2) was called with. */
static int shortest;

/* Replaces that of lib/base. */
int64_t
clock_ms(void)
{
    clock_now += clock_step;
    return clock_now;
}

/* Replaces the C library's: it does not wait. */
int poll_without_waiting(struct pollfd *list, nfds_t count,
                         int timeout) __asm__("poll");

int
poll_without_waiting(struct pollfd *list, nfds_t count, int timeout)
{
    const struct timespec none = {0};

    if (timeout < shortest)
        shortest = timeout;
    return (int)syscall(SYS_ppoll, list, count, &none, NULL, 0);
}

static struct poller poller;
static struct thread_pool *thread_pool;
static struct connections *connections;
static atomic_size_t handled;

/* Each end of a connection: [0] is in the set, [1] is the web server's. */
static int pairs[8][2];

static void *
new_state(void *context)
{
    return context;
}

/* Read a byte; 'c' closes the connection. */
static bool
handle(void *state, int descriptor)
{
    char byte = 0;
    bool is_open = recv(descriptor, &byte, 1, 0) == 1 && byte != 'c';

    (void)state;
    if (!is_open)
        close(descriptor);
    return is_open;
}

static void
free_state(void *state)
{
    (void)state;
}

static void
on_done(void *owner, struct thread_pool_job *job, bool is_open)
{
    (void)owner;
    connections_finish_job(connections, job, is_open);
    handled++;
    poller_wake(&poller);
}

static void
on_thread_end(void *owner)
{
    (void)owner;
    poller_wake(&poller);
}

static int
set_up(void **state)
{
    const struct thread_pool_work work = {&poller, new_state, handle,
                                          free_state};
    const struct thread_pool_owner owner = {NULL, on_done, on_thread_end};

    (void)state;
    handled = 0;
    clock_step = 0;
    return poller_open(&poller) &&
                   thread_pool_new(&thread_pool, 1, 10, &work, &owner) ==
                       PST_OK &&
                   connections_new(&connections, &poller, thread_pool, LIMIT) ==
                       PST_OK
               ? 0
               : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    connections_drain(connections);
    thread_pool_shutdown(thread_pool);
    while (thread_pool_join(thread_pool) > 0)
        poller_wait(&poller, -1);
    connections_free(&connections);
    thread_pool_free(&thread_pool);
    poller_close(&poller);
    return connections || thread_pool;
}

/* Add connection i to the set. */
static void
add(size_t i)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
    connections_add(connections, pairs[i][0], false);
}

static bool
is_open(int descriptor)
{
    return fcntl(descriptor, F_GETFD) >= 0;
}

/* Handle events until so many requests have been handled. */
static void
wait_until_handled(size_t count)
{
    while (handled < count)
        poller_wait(&poller, -1);
}

/* Handle events until no connection is open. */
static void
wait_until_closed(void)
{
    while (connections_count(connections) > 0)
        poller_wait(&poller, -1);
}

static void
test_request_is_handled_and_connection_kept(void **state)
{
    (void)state;
    add(0);
    for (size_t i = 1; i <= 20; i++) {
        assert_int_equal(write(pairs[0][1], "x", 1), 1);
        wait_until_handled(i);
    }
    assert_int_equal(connections_count(connections), 1);
    assert_int_equal(write(pairs[0][1], "c", 1), 1);
    wait_until_handled(21);
    assert_int_equal(connections_count(connections), 0);
    assert_false(is_open(pairs[0][0]));
    close(pairs[0][1]);
}

/* No thread is used for a connection that ends while it is idle. */
static void
test_idle_connection_ends(void **state)
{
    (void)state;
    add(0);
    close(pairs[0][1]);
    wait_until_closed();
    assert_false(is_open(pairs[0][0]));
    assert_int_equal(handled, 0);
}

/* The last request before the end is handled. */
static void
test_request_before_closing(void **state)
{
    (void)state;
    add(0);
    assert_int_equal(write(pairs[0][1], "x", 1), 1);
    close(pairs[0][1]);
    wait_until_handled(1);
    wait_until_closed();
}

static void
test_oldest_makes_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIMIT - 1; i++)
        add(i);
    assert_true(connections_make_room(connections, false));
    assert_int_equal(connections_count(connections), LIMIT - 1);
    add(LIMIT - 1);
    assert_true(connections_make_room(connections, false));
    assert_int_equal(connections_count(connections), LIMIT - 1);
    assert_false(is_open(pairs[0][0]));
    assert_true(is_open(pairs[1][0]));
    assert_true(connections_make_room(connections, true)); /* though not full */
    assert_false(is_open(pairs[1][0]));
    for (size_t i = 0; i < LIMIT; i++)
        close(pairs[i][1]);
}

/* A request has arrived on the oldest: it is handled, the next one closed. */
static void
test_oldest_has_a_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIMIT; i++)
        add(i);
    assert_int_equal(write(pairs[0][1], "x", 1), 1);
    assert_true(connections_make_room(connections, false));
    assert_true(is_open(pairs[0][0]));
    assert_false(is_open(pairs[1][0]));
    wait_until_handled(1);
    assert_int_equal(write(pairs[0][1], "x", 1), 1); /* it is watched again */
    wait_until_handled(2);
    for (size_t i = 0; i < LIMIT; i++)
        close(pairs[i][1]);
}

static void
test_no_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIMIT; i++) {
        add(i);
        assert_int_equal(write(pairs[i][1], "x", 1), 1);
    }
    assert_false(connections_make_room(connections, false));
    wait_until_handled(LIMIT);
    assert_true(connections_make_room(connections, false));
    for (size_t i = 0; i < LIMIT; i++)
        close(pairs[i][1]);
}

static void
test_drain(void **state)
{
    (void)state;
    add(0);
    add(1);
    assert_int_equal(write(pairs[1][1], "x", 1), 1);
    connections_drain(connections);
    assert_false(is_open(pairs[0][0]));
    wait_until_handled(1);
    assert_false(is_open(pairs[1][0]));
    assert_int_equal(connections_count(connections), 0);
    close(pairs[0][1]);
    close(pairs[1][1]);
}

/* A pair of sockets. The first must be closed. */
static void
open_pair(int ends[2])
{
    clock_now = 0;
    clock_step = 1;
    shortest = INT32_MAX;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void
assert_closed(int ends[2])
{
    char byte;

    assert_false(is_open(ends[0]));
    assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
    close(ends[1]);
}

/* Preempted between reading the clock and waiting, it once waited with a
 * timeout below 0: for ever, if the other end sent nothing. */
static void
test_lingering_close_has_an_end(void **state)
{
    (void)state;
    for (int64_t step = 0; step < 3000; step += 100) {
        int ends[2];

        open_pair(ends);
        assert_int_equal(send(ends[1], "x", 1, 0), 1);
        clock_step = step;
        connection_close_lingering(ends[0]);
        assert_closed(ends);
        if (shortest < 0)
            fail_msg("%d ms, the clock at steps of %d", shortest, (int)step);
    }
}

/* Bytes that were left unread would make the last read fail: ECONNRESET. */
static void
test_lingering_close_reads(void **state)
{
    char bytes[3000] = {0};
    int ends[2];

    (void)state;
    open_pair(ends);
    assert_int_equal(send(ends[1], bytes, sizeof(bytes), 0), sizeof(bytes));
    connection_close_lingering(ends[0]);
    assert_closed(ends);
}

#define SET_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SET_TEST(test_request_is_handled_and_connection_kept),
        SET_TEST(test_idle_connection_ends),
        SET_TEST(test_request_before_closing),
        SET_TEST(test_oldest_makes_room),
        SET_TEST(test_oldest_has_a_request),
        SET_TEST(test_no_room),
        SET_TEST(test_drain),
        cmocka_unit_test(test_lingering_close_has_an_end),
        cmocka_unit_test(test_lingering_close_reads),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
