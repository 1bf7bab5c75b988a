/* SPDX-License-Identifier: ISC */
/*
 * test_lock_queue.c - fibers and threads of one process get a lock one after
 * another, in their order; one that gives up holds up nobody.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_clock.h"
#include "fake_wait.h"
#include "store/lock_queue.h"
#include "stores.h"

#define MANY 5
#define THREADS 4
#define ROUNDS 50

static struct loop *loop;
static int ends[2]; /* [0] is a client */

/* A fiber that takes a lock. */
struct holder {
    struct lock_place place;
    unsigned id;
    int64_t keeps; /* milliseconds */
    int client;
    int64_t deadline;
    bool has_waited;
    int result;
    int64_t begun_at;
};

static struct holder holders[MANY];

static int
set_up(void **state)
{
    (void)state;
    fake_wait_set_skipping(true);
    memset(holders, 0, sizeof(holders));
    for (size_t i = 0; i < MANY; i++)
        holders[i] = (struct holder){
            .keeps = 100, .client = -1, .deadline = INT64_MAX, .result = -1};
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
    if (ends[1] >= 0)
        close(ends[1]);
    return 0;
}

/* The function of a fiber. The last one to end stops the loop. */
static void
hold_once(void *argument)
{
    struct holder *holder = argument;
    const struct wait_limit limit = {holder->deadline, holder->client};
    const struct store_id id = stores_id(holder->id);

    holder->result =
        lock_queue_enter(&holder->place, &id, &limit, &holder->has_waited);
    holder->begun_at = clock_ms();
    if (holder->result == 0) {
        (void)!wait_until(&(struct wait_limit){clock_ms() + holder->keeps, -1});
        lock_queue_leave(&holder->place);
    }
    /* Nothing may come to it any more. */
    memset(&holder->place, 0xff, sizeof(holder->place));
    if (loop_fiber_count(loop) == 1)
        loop_stop(loop);
}

static void
run(size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(loop_start_fiber(loop, hold_once, &holders[i]),
                         PST_OK);
    loop_run(loop);
}

static void
test_order(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    holders[3].id = 1;
    run(MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(holders[i].result, 0);
    /* The other lock is free. */
    assert_int_equal(holders[3].begun_at, start);
    assert_false(holders[3].has_waited);
    assert_false(holders[0].has_waited);
    assert_int_equal(holders[0].begun_at, start);
    assert_int_equal(holders[1].begun_at, start + 100);
    assert_int_equal(holders[2].begun_at, start + 200);
    assert_int_equal(holders[4].begun_at, start + 300);
    assert_true(holders[4].has_waited);
}

static void
test_deadline(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    holders[1].deadline = start + 50;
    run(3);
    assert_int_equal(holders[1].result, ETIMEDOUT);
    assert_int_equal(holders[1].begun_at, start + 50);
    assert_int_equal(holders[2].result, 0);
    assert_int_equal(holders[2].begun_at, start + 100);
}

/* At the deadline, too, the turn comes, and goes to the next one. */
static void
test_deadline_with_turn(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    holders[1].deadline = start + 100;
    run(3);
    assert_int_equal(holders[1].result, ETIMEDOUT);
    assert_int_equal(holders[2].result, 0);
    assert_int_equal(holders[2].begun_at, start + 100);
}

static void
test_client_gone(void **state)
{
    int64_t start = clock_ms();

    (void)state;
    holders[1].client = ends[0];
    close(ends[1]);
    ends[1] = -1;
    run(3);
    assert_int_equal(holders[1].result, ECANCELED);
    assert_int_equal(holders[1].begun_at, start);
    assert_int_equal(holders[2].begun_at, start + 100);
}

/* Threads. */

static int inside;
static int collisions;

/* A hundred times in a fiber, or in a thread: two must not be inside. */
static void
enter_often(void *argument)
{
    const struct wait_limit limit = {INT64_MAX, -1};
    const struct store_id id = stores_id(0);
    struct lock_place place;
    bool has_waited;

    (void)argument;
    for (size_t i = 0; i < ROUNDS; i++) {
        if (lock_queue_enter(&place, &id, &limit, &has_waited) != 0) {
            collisions++;
            return;
        }
        collisions += __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) != 1;
        sched_yield();
        __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
        lock_queue_leave(&place);
    }
    if (loop_current() && loop_fiber_count(loop_current()) == 1)
        loop_stop(loop_current());
}

static void *
run_loop(void *argument)
{
    struct loop *own;

    if (loop_new(&own) != PST_OK ||
        loop_start_fiber(own, enter_often, NULL) != PST_OK ||
        loop_start_fiber(own, enter_often, NULL) != PST_OK)
        abort();
    if (loop_fiber_count(own) > 0)
        loop_run(own);
    loop_free(&own);
    return argument;
}

static void *
run_thread(void *argument)
{
    enter_often(NULL);
    return argument;
}

static void
test_threads(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    fake_wait_set_skipping(false);
    inside = collisions = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i % 2 ? run_thread : run_loop, NULL),
                         0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(collisions, 0);
}

/* A thread outside of a loop. */
static void
test_thread_limits(void **state)
{
    const struct store_id id = stores_id(0);
    struct wait_limit limit = {clock_ms() + 50, -1};
    struct lock_place first;
    struct lock_place second;
    bool has_waited;

    (void)state;
    assert_int_equal(lock_queue_enter(&first, &id, &limit, &has_waited), 0);
    assert_false(has_waited);
    assert_int_equal(lock_queue_enter(&second, &id, &limit, &has_waited),
                     ETIMEDOUT);
    assert_true(has_waited);
    limit = (struct wait_limit){INT64_MAX, ends[0]};
    close(ends[1]);
    ends[1] = -1;
    assert_int_equal(lock_queue_enter(&second, &id, &limit, &has_waited),
                     ECANCELED);
    lock_queue_leave(&first);
    assert_int_equal(lock_queue_enter(&second, &id, &limit, &has_waited), 0);
    assert_false(has_waited);
    lock_queue_leave(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline_with_turn, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_client_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_thread_limits, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
