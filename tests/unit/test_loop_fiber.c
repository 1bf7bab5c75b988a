/* SPDX-License-Identifier: ISC */
/*
 * test_loop_fiber.c - fibers of a loop wait for descriptors, deadlines and each
 * other, and are kept for later functions. How they read and write is in
 * test_wait.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop_state.h"
#include "fake_clock.h"
#include "fake_wait.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define MANY 300   /* more than are kept */

static struct loop *loop;
static int ends[2]; /* [0] is waited for */

/* What one fiber waits for, and what came of it. */
struct waiter {
    int descriptor;
    uint32_t events;
    int client;
    int64_t deadline;
    struct fiber *fiber;
    int result;
    int64_t ended_at;
    size_t ended_as; /* its place in the order of all */
};

static struct waiter waiters[MANY];
static size_t ended;

static int
set_up(void **state)
{
    (void)state;
    ended = 0;
    fake_wait_set_hook(NULL);
    memset(waiters, 0, sizeof(waiters));
    for (size_t i = 0; i < MANY; i++)
        waiters[i] = (struct waiter){.descriptor = -1,
                                     .client = -1,
                                     .deadline = INT64_MAX,
                                     .result = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    return loop_new(&loop) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    loop_free(&loop);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* The function of a fiber: wait once. The last one to end stops the loop. */
static void
wait_once(void *argument)
{
    struct waiter *waiter = argument;

    waiter->fiber = fiber_current();
    waiter->result = loop_wait(loop, waiter->descriptor, waiter->events,
                               waiter->client, waiter->deadline);
    waiter->ended_at = clock_ms();
    waiter->ended_as = ended++;
    if (loop_fiber_count(loop) == 1)
        loop_stop(loop);
}

static void
start(size_t i)
{
    assert_int_equal(loop_start_fiber(loop, wait_once, &waiters[i]), PST_OK);
}

static void
send_byte(void)
{
    assert_int_equal(send(ends[1], "x", 1, MSG_NOSIGNAL), 1);
}

/* A fiber runs at once, up to its first wait. */
static void
test_start(void **state)
{
    (void)state;
    waiters[0].deadline = clock_ms() + 1000;
    start(0);
    assert_non_null(waiters[0].fiber);
    assert_null(fiber_current());
    assert_int_equal(loop_fiber_count(loop), 1);
    assert_int_equal(waiters[0].result, -1);
    loop_run(loop);
    assert_int_equal(loop_fiber_count(loop), 0);
    assert_int_equal(waiters[0].result, ETIMEDOUT);
    assert_int_equal(waiters[0].ended_at, waiters[0].deadline);
}

static void
test_deadlines_in_order(void **state)
{
    static const size_t seconds[] = {3, 1, 4, 2, 5};
    int64_t begun = clock_ms();

    (void)state;
    for (size_t i = 0; i < PST_COUNT(seconds); i++) {
        waiters[i].deadline = begun + 1000 * (int64_t)seconds[i];
        start(i);
    }
    loop_run(loop);
    for (size_t i = 0; i < PST_COUNT(seconds); i++) {
        assert_int_equal(waiters[i].ended_as, seconds[i] - 1);
        assert_int_equal(waiters[i].ended_at, waiters[i].deadline);
    }
}

static bool
send_once(void)
{
    if (waiters[0].result >= 0 || ended > 0)
        return false;
    fake_wait_set_hook(NULL);
    send_byte();
    return true;
}

/* The fiber that waits for the descriptor goes on, and no other. */
static void
test_descriptor(void **state)
{
    (void)state;
    waiters[0].descriptor = ends[0];
    waiters[0].events = EPOLLIN;
    waiters[1].deadline = clock_ms() + 1000;
    fake_wait_set_hook(send_once);
    start(1);
    start(0);
    loop_run(loop);
    assert_int_equal(waiters[0].result, 0);
    assert_int_equal(waiters[0].ended_as, 0);
    assert_int_equal(waiters[0].ended_at, waiters[1].deadline - 1000);
    assert_int_equal(waiters[1].result, ETIMEDOUT);
}

/* What is known to be ready is not waited for, until somebody finds out that
 * there is no more. */
static void
test_known_to_be_ready(void **state)
{
    (void)state;
    send_byte();
    waiters[0].descriptor = ends[0];
    waiters[0].events = EPOLLIN;
    waiters[1] = waiters[2] = waiters[0];
    start(0);
    loop_run(loop);
    assert_int_equal(waiters[0].result, 0);
    waiters[1].deadline = clock_ms() - 1;
    start(1);
    assert_int_equal(loop_fiber_count(loop), 0);
    assert_int_equal(waiters[1].result, 0);
    loop_forget_input(loop, ends[0]);
    waiters[2].deadline = clock_ms() + 1;
    start(2);
    assert_int_equal(loop_fiber_count(loop), 1);
    loop_run(loop);
    assert_int_equal(waiters[2].result, ETIMEDOUT);
}

/* An end is input, and is for ever. */
static void
test_end_is_ready(void **state)
{
    (void)state;
    shutdown(ends[1], SHUT_WR);
    waiters[0].descriptor = ends[0];
    waiters[0].events = EPOLLIN;
    waiters[1] = waiters[0];
    start(0);
    loop_run(loop);
    loop_forget_input(loop, ends[0]);
    start(1);
    assert_int_equal(waiters[0].result, 0);
    assert_int_equal(waiters[1].result, 0);
}

static void
test_what_cannot_be_waited_for(void **state)
{
    int closed = dup(ends[0]);

    (void)state;
    close(closed);
    waiters[0].descriptor = closed;
    waiters[0].events = EPOLLIN;
    start(0);
    assert_int_equal(waiters[0].result, EBADF);
    waiters[1].descriptor = 1 << 30;
    waiters[1].events = EPOLLOUT;
    start(1);
    assert_int_equal(waiters[1].result, EMFILE);
}

/* Two fibers whose client is gone, one of them before it waited. */
static void
test_client_is_gone(void **state)
{
    int clients[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, clients), 0);
    waiters[0].client = clients[0];
    waiters[0].descriptor = ends[0];
    waiters[0].events = EPOLLIN;
    waiters[1].client = clients[0];
    start(0);
    close(clients[1]);
    loop_run(loop);
    assert_int_equal(waiters[0].result, ECANCELED);
    start(1);
    assert_int_equal(waiters[1].result, ECANCELED);
    loop_close(loop, clients[0]);
}

/* The same by loop_cancel(), until loop_restore(). */
static void
test_client_is_cancelled(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        waiters[i].client = ends[0];
    waiters[2].deadline = clock_ms() + 100;
    start(0);
    assert_int_equal(ended, 0);
    loop_cancel(loop, ends[0]);
    assert_int_equal(waiters[0].result, ECANCELED);
    start(1);
    assert_int_equal(waiters[1].result, ECANCELED);
    loop_restore(loop, ends[0]);
    start(2);
    loop_run(loop);
    assert_int_equal(waiters[2].result, ETIMEDOUT);
}

/* Wake the first, the second and the first again. */
static void
wake_both(void *argument)
{
    (void)argument;
    loop_wake_fiber(loop, waiters[0].fiber);
    loop_wake_fiber(loop, waiters[1].fiber);
    loop_wake_fiber(loop, waiters[0].fiber);
    assert_int_equal(ended, 0); /* soon, not now */
}

static void
test_wake(void **state)
{
    (void)state;
    start(0);
    start(1);
    assert_int_equal(loop_start_fiber(loop, wake_both, NULL), PST_OK);
    assert_int_equal(loop_fiber_count(loop), 2);
    loop_run(loop);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(waiters[i].result, 0);
        assert_int_equal(waiters[i].ended_as, i);
    }
}

/* A fiber that waits for a descriptor goes on waiting when it is woken. */
static void
test_wake_without_reason(void **state)
{
    (void)state;
    waiters[0].descriptor = ends[0];
    waiters[0].events = EPOLLIN;
    waiters[0].deadline = clock_ms() + 1000;
    start(0);
    loop_wake_fiber(loop, waiters[0].fiber);
    loop_run(loop);
    assert_int_equal(waiters[0].result, ETIMEDOUT);
    assert_int_equal(waiters[0].ended_at, waiters[0].deadline);
}

/* A fiber is woken and its function ends before that; the fiber is idle by
 * then, or has another function, which does not end early. */
static void
test_wake_too_late(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        waiters[i].descriptor = ends[0];
        waiters[i].events = EPOLLIN;
        waiters[i].deadline = clock_ms() + 1000;
    }
    start(0);
    send_byte();
    loop_wake_fiber(loop, waiters[0].fiber);
    loop_run(loop); /* the event comes first */
    assert_int_equal(waiters[0].result, 0);
    loop_forget_input(loop, ends[0]);
    loop_wake_fiber(loop, waiters[0].fiber);
    start(1);
    assert_ptr_equal(waiters[1].fiber, waiters[0].fiber); /* it was kept */
    loop_run(loop);
    assert_int_equal(waiters[1].result, ETIMEDOUT);
}

/* More fibers than are kept, at once and then again. */
static void
test_many(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        ended = 0;
        for (size_t i = 0; i < MANY; i++) {
            waiters[i].deadline = clock_ms() + (int64_t)(i * 7 % MANY);
            start(i);
        }
        assert_in_range(loop_fiber_count(loop), MANY - 1, MANY);
        loop_run(loop);
        assert_int_equal(ended, MANY);
        assert_int_equal(loop_fiber_count(loop), 0);
        for (size_t i = 0; i < MANY; i++)
            assert_int_equal(waiters[i].ended_at, waiters[i].deadline);
    }
}

/* All of them are woken when they have ended, and none is used after it was
 * freed. */
static void
test_many_woken_too_late(void **state)
{
    int64_t deadline = clock_ms() + 10;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        waiters[i].deadline = deadline;
        start(i);
        waiters[i].descriptor = -1;
    }
    fake_clock_advance(20);
    for (size_t i = 0; i < MANY; i++)
        loop_wake_fiber(loop, waiters[i].fiber);
    loop_run(loop);
    assert_int_equal(ended, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(waiters[i].result, 0);
    assert_int_equal(loop_fiber_count(loop), 0);
}

/* Fibers that ended are kept, and freed on request, but not one that the loop
 * is about to look at. */
static void
test_idle_fibers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        waiters[i].deadline = clock_ms() + 1000;
        start(i);
    }
    loop_run(loop);
    assert_int_equal(loop->idle_count, 5);
    loop_free_idle_fibers(loop, 3);
    assert_int_equal(loop->idle_count, 3);
    loop_wake_fiber(loop, loop->idle->fiber);
    loop_free_idle_fibers(loop, 0);
    assert_int_equal(loop->idle_count, 1);
    loop_run_woken(loop);
    loop_free_idle_fibers(loop, 0);
    assert_int_equal(loop->idle_count, 0);
}

#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_start),
        LOOP_TEST(test_deadlines_in_order),
        LOOP_TEST(test_descriptor),
        LOOP_TEST(test_known_to_be_ready),
        LOOP_TEST(test_end_is_ready),
        LOOP_TEST(test_what_cannot_be_waited_for),
        LOOP_TEST(test_client_is_gone),
        LOOP_TEST(test_client_is_cancelled),
        LOOP_TEST(test_wake),
        LOOP_TEST(test_wake_without_reason),
        LOOP_TEST(test_wake_too_late),
        LOOP_TEST(test_many),
        LOOP_TEST(test_many_woken_too_late),
        LOOP_TEST(test_idle_fibers),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("loop_fiber", tests, NULL, NULL);
}
