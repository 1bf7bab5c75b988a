/* SPDX-License-Identifier: ISC */
/*
 * test_blocking.c - a pool of threads for what blocks: each result of a call,
 * calls that nobody waits for, and the end while a thread hangs.
 */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/blocking.h"

#define LONG 60000 /* milliseconds: never reached */

static struct blocking_pool *pool;

/* What the calls of a test did. */
static atomic_int ran;
static atomic_int released;

/* A gate that a call waits at, so that its thread hangs. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t at_gate = PTHREAD_COND_INITIALIZER;
static bool is_at_gate;
static bool is_open;

static void
run(void *argument)
{
    (void)argument;
    ran++;
}

static void
run_at_gate(void *argument)
{
    pthread_mutex_lock(&gate);
    is_at_gate = true;
    pthread_cond_broadcast(&at_gate);
    while (!is_open)
        pthread_cond_wait(&at_gate, &gate);
    pthread_mutex_unlock(&gate);
    run(argument);
}

static void
release(void *argument)
{
    (void)argument;
    released++;
}

static const struct blocking_call quick = {run, release, NULL};
static const struct blocking_call hanging = {run_at_gate, release, NULL};

static void
open_gate(void)
{
    pthread_mutex_lock(&gate);
    is_open = true;
    pthread_cond_broadcast(&at_gate);
    pthread_mutex_unlock(&gate);
}

/* Let the only thread hang. */
static void
hang(void)
{
    assert_true(blocking_pool_post(pool, &hanging));
    pthread_mutex_lock(&gate);
    while (!is_at_gate)
        pthread_cond_wait(&at_gate, &gate);
    pthread_mutex_unlock(&gate);
}

static int
set_up(void **state)
{
    (void)state;
    ran = 0;
    released = 0;
    is_at_gate = false;
    is_open = false;
    return blocking_pool_new(&pool, 1, 2) != PST_OK;
}

static int
tear_down(void **state)
{
    (void)state;
    open_gate();
    blocking_pool_free(&pool);
    return pool != NULL;
}

static void
test_done(void **state)
{
    (void)state;
    assert_int_equal(blocking_pool_run(pool, &quick, clock_ms() + LONG),
                     BLOCKING_DONE);
    assert_int_equal(ran, 1);
    assert_int_equal(released, 0); /* the argument is the caller's */
    assert_true(blocking_pool_drain(pool, clock_ms() + LONG));
}

static void
test_cancelled(void **state)
{
    (void)state;
    hang();
    assert_int_equal(blocking_pool_run(pool, &quick, clock_ms()),
                     BLOCKING_CANCELLED);
    assert_int_equal(released, 1);
    open_gate();
    assert_true(blocking_pool_drain(pool, clock_ms() + LONG));
    assert_int_equal(ran, 1); /* the one that hung */
    assert_int_equal(released, 2);
}

/* Its deadline passes after it has begun; its argument is released later. */
static void
test_abandoned(void **state)
{
    enum blocking_result result = BLOCKING_CANCELLED;

    (void)state;
    while (result == BLOCKING_CANCELLED)
        result = blocking_pool_run(pool, &hanging, clock_ms() + 1);
    assert_int_equal(result, BLOCKING_ABANDONED);
    assert_int_equal(ran, 0);
    assert_false(blocking_pool_drain(pool, clock_ms()));
    open_gate();
    assert_true(blocking_pool_drain(pool, clock_ms() + LONG));
    assert_int_equal(ran, 1);
}

static void *
wait_for_call(void *result)
{
    enum blocking_result *got = result;

    while (*got == BLOCKING_REFUSED)
        *got = blocking_pool_run(pool, &quick, clock_ms() + LONG);
    return NULL;
}

/* Of the two that may wait, only one may be a call that nobody waits for. */
static void
test_refused(void **state)
{
    enum blocking_result result = BLOCKING_REFUSED;
    pthread_t thread;

    (void)state;
    hang();
    assert_true(blocking_pool_post(pool, &quick));
    assert_false(blocking_pool_post(pool, &quick));
    assert_int_equal(released, 1);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_call, &result), 0);
    /* Until the other one waits, this one does so for a moment. */
    while (blocking_pool_run(pool, &quick, clock_ms()) != BLOCKING_REFUSED)
        continue;
    open_gate();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(result, BLOCKING_DONE);
    assert_true(blocking_pool_drain(pool, clock_ms() + LONG));
    assert_int_equal(ran, 3);
}

/* What was posted runs before the pool is freed. */
static void
test_free_pool(void **state)
{
    (void)state;
    assert_true(blocking_pool_post(pool, &quick));
    blocking_pool_free(&pool);
    assert_null(pool);
    assert_int_equal(ran, 1);
    assert_int_equal(released, 1);
}

static void
read_mask(void *argument)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, argument);
}

/* A signal is for the main thread, which ends the program. */
static void
test_signals(void **state)
{
    sigset_t mask;
    const struct blocking_call call = {read_mask, release, &mask};

    (void)state;
    assert_int_equal(blocking_pool_run(pool, &call, clock_ms() + LONG),
                     BLOCKING_DONE);
    assert_true(sigismember(&mask, SIGTERM) == 1);
    assert_true(sigismember(&mask, SIGHUP) == 1);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_true(sigismember(&mask, SIGTERM) == 0);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_done),    TEST(test_cancelled), TEST(test_abandoned),
        TEST(test_refused), TEST(test_free_pool), TEST(test_signals),
    };

    return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
