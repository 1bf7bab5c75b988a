/* SPDX-License-Identifier: ISC */
/*
 * test_blocking_fiber.c - functions run in the threads of a pool, and are
 * waited for in a fiber, or in a thread, until a deadline. An argument is freed
 * exactly once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/blocking.h"
#include "engine/loop.h"
#include "fake_wait.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define MANY 10
#define STRESS 2000

/* The argument of a call. */
struct job {
    sem_t *begun;   /* posted when it runs; NULL: not */
    sem_t *may_end; /* waited for before it ends; NULL: not */
    sem_t *released;
    size_t index;
    atomic_int run_count;
    atomic_int release_count;
};

static struct blocking_pool *pool;
static struct loop *loop;
static sem_t begun;
static sem_t may_end;
static sem_t released;
static sem_t waits; /* posted when a thread begins to wait for its job */
static atomic_size_t run_count;
static size_t order[MANY];

/* Does the deadline of a thread that waits pass once a job has begun? */
static atomic_bool is_late;

static void
await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

/* Replaces the C library's: either the deadline comes when a job runs, or it
 * does not come. */
int
pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                       const struct timespec *until)
{
    (void)until;
    sem_post(&waits);
    if (!is_late)
        return pthread_cond_wait(condition, lock);
    pthread_mutex_unlock(lock);
    await(&begun);
    pthread_mutex_lock(lock);
    return ETIMEDOUT;
}

/* The same for a fiber. */
static bool
await_begun(void)
{
    if (is_late)
        await(&begun);
    return false;
}

static void
run_job(void *argument)
{
    struct job *job = argument;
    size_t place = run_count++;

    job->run_count++;
    if (place < MANY)
        order[place] = job->index;
    if (job->begun)
        sem_post(job->begun);
    if (job->may_end)
        await(job->may_end);
}

static void
release_job(void *argument)
{
    struct job *job = argument;

    job->release_count++;
    if (job->released)
        sem_post(job->released);
}

static enum blocking_result
run(struct job *job)
{
    const struct blocking_call call = {run_job, release_job, job};

    return blocking_pool_run(pool, &call, clock_ms() + 60000);
}

static void
assert_job(const struct job *job, int runs, int releases)
{
    assert_int_equal(job->run_count, runs);
    assert_int_equal(job->release_count, releases);
}

/* Let deadlines come, once for each job that has posted `begun`, or not. */
static void
set_late(bool late)
{
    is_late = late;
    fake_wait_set_skipping(late);
    fake_wait_set_hook(late ? await_begun : NULL);
}

static void
set_up_pool(size_t threads, size_t waiting)
{
    run_count = 0;
    set_late(false);
    sem_init(&begun, 0, 0);
    sem_init(&may_end, 0, 0);
    sem_init(&released, 0, 0);
    sem_init(&waits, 0, 0);
    assert_int_equal(blocking_pool_new(&pool, threads, waiting), PST_OK);
}

static void
run_scenario(void *argument)
{
    void (*const *scenario)(void) = argument;

    (*scenario)();
    if (fiber_current())
        loop_stop(loop);
}

static void
run_in_fiber(void (*scenario)(void))
{
    assert_int_equal(loop_new(&loop), PST_OK);
    assert_int_equal(loop_start_fiber(loop, run_scenario, &scenario), PST_OK);
    if (loop_fiber_count(loop) > 0)
        loop_run(loop);
    loop_free(&loop);
}

/* Run a scenario in a thread, and in a fiber, each with a pool of its own. */
static void
run_both(void (*scenario)(void), size_t threads, size_t waiting)
{
    set_up_pool(threads, waiting);
    run_scenario(&scenario);
    blocking_pool_free(&pool);
    assert_null(pool);
    set_up_pool(threads, waiting);
    run_in_fiber(scenario);
    blocking_pool_free(&pool);
}

static void
run_three(void)
{
    for (size_t i = 0; i < 3; i++) {
        struct job job = {.index = i};

        assert_int_equal(run(&job), BLOCKING_DONE);
        assert_job(&job, 1, 0); /* it is the caller's again */
        assert_int_equal(order[i], i);
    }
}

static void
test_done(void **state)
{
    (void)state;
    run_both(run_three, 2, 1);
}

static void
test_unused_pool(void **state)
{
    (void)state;
    set_up_pool(3, 1);
    blocking_pool_free(&pool);
    blocking_pool_free(&pool); /* does nothing */
    assert_null(pool);
}

static struct job slow;
static struct job late;

/* One runs at its deadline, and is released when it has ended. Another one is
 * still waiting at its own, and never runs. */
static void
abandon_and_cancel(void)
{
    slow = (struct job){
        .begun = &begun, .may_end = &may_end, .released = &released};
    late = (struct job){.index = 1};
    set_late(true);
    assert_int_equal(run(&slow), BLOCKING_ABANDONED);
    assert_job(&slow, 1, 0);
    sem_post(&begun); /* for `late`, which does not begin */
    assert_int_equal(run(&late), BLOCKING_CANCELLED);
    assert_job(&late, 0, 1);
    assert_job(&slow, 1, 0);
    sem_post(&may_end);
    await(&released);
    assert_job(&slow, 1, 1);
    set_late(false);
    late = (struct job){.index = 1};
    assert_int_equal(run(&late), BLOCKING_DONE);
    assert_job(&late, 1, 0);
}

static void
test_deadlines(void **state)
{
    (void)state;
    run_both(abandon_and_cancel, 1, 1);
}

static void
abandon(void)
{
    slow = (struct job){.begun = &begun, .may_end = &may_end};
    set_late(true);
    assert_int_equal(run(&slow), BLOCKING_ABANDONED);
    sem_post(&may_end);
}

/* Freeing the pool waits for what still runs. */
static void
test_free_waits(void **state)
{
    (void)state;
    set_up_pool(1, 1);
    abandon();
    blocking_pool_free(&pool);
    assert_job(&slow, 1, 1);
    set_up_pool(1, 1);
    run_in_fiber(abandon);
    blocking_pool_free(&pool);
    assert_job(&slow, 1, 1);
}

static void *
run_in_thread(void *argument)
{
    assert_int_equal(run(argument), BLOCKING_DONE);
    return NULL;
}

/* One runs, one waits: there is no room for a third. */
static void
test_refused(void **state)
{
    struct job jobs[] = {{.begun = &begun, .may_end = &may_end}, {.index = 1}};
    struct job refused = {.index = 2};
    pthread_t threads[2];

    (void)state;
    set_up_pool(1, 1);
    assert_int_equal(pthread_create(&threads[0], NULL, run_in_thread, &jobs[0]),
                     0);
    await(&waits);
    await(&begun);
    assert_int_equal(pthread_create(&threads[1], NULL, run_in_thread, &jobs[1]),
                     0);
    await(&waits);
    assert_int_equal(run(&refused), BLOCKING_REFUSED);
    assert_job(&refused, 0, 1);
    sem_post(&may_end);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_job(&jobs[0], 1, 0);
    assert_job(&jobs[1], 1, 0);
    blocking_pool_free(&pool);
}

static struct job jobs[MANY];
static enum blocking_result results[MANY];
static size_t ended;

/* A fiber of many: run its job. The last one to end stops the loop. */
static void
run_one_of_many(void *argument)
{
    struct job *job = argument;

    results[job->index] = run(job);
    if (++ended == MANY)
        loop_stop(loop);
}

/* Start a fiber for each job, and run until all have ended. */
static void
run_many(size_t threads, size_t waiting)
{
    ended = 0;
    set_up_pool(threads, waiting);
    assert_int_equal(loop_new(&loop), PST_OK);
    for (size_t i = 0; i < MANY; i++) {
        jobs[i].index = i;
        jobs[i].run_count = jobs[i].release_count = 0;
        assert_int_equal(loop_start_fiber(loop, run_one_of_many, &jobs[i]),
                         PST_OK);
    }
    assert_true(ended < MANY);
    loop_run(loop);
    loop_free(&loop);
    blocking_pool_free(&pool);
}

/* With one thread, calls run one after the other, in their order; the loop
 * runs the other fibers meanwhile. */
static void
test_order(void **state)
{
    (void)state;
    run_many(1, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(results[i], BLOCKING_DONE);
        assert_int_equal(order[i], i);
        assert_job(&jobs[i], 1, 0);
    }
}

/* All of them run at once: each waits until all have begun. */
static pthread_barrier_t barrier;

static void
meet(void *argument)
{
    struct job *job = argument;

    job->run_count++;
    pthread_barrier_wait(&barrier);
}

static void
meet_others(void *argument)
{
    struct job *job = argument;
    const struct blocking_call call = {meet, release_job, job};

    results[job->index] = blocking_pool_run(pool, &call, clock_ms() + 60000);
    if (++ended == MANY)
        loop_stop(loop);
}

static void
test_side_by_side(void **state)
{
    (void)state;
    ended = 0;
    set_up_pool(MANY, MANY);
    pthread_barrier_init(&barrier, NULL, MANY);
    assert_int_equal(loop_new(&loop), PST_OK);
    for (size_t i = 0; i < MANY; i++) {
        jobs[i] = (struct job){.index = i};
        assert_int_equal(loop_start_fiber(loop, meet_others, &jobs[i]), PST_OK);
    }
    loop_run(loop);
    loop_free(&loop);
    blocking_pool_free(&pool);
    pthread_barrier_destroy(&barrier);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(results[i], BLOCKING_DONE);
}

/* Deadlines that come at any moment: whatever the result, the argument is the
 * caller's or was released, once. */
static void
run_stress(void)
{
    static struct job stressed[STRESS];
    static enum blocking_result stress_results[STRESS];

    fake_wait_set_skipping(true);
    for (size_t i = 0; i < STRESS; i++) {
        const struct blocking_call call = {run_job, release_job, &stressed[i]};

        stressed[i] = (struct job){.index = i};
        stress_results[i] =
            blocking_pool_run(pool, &call, clock_ms() + (int64_t)(i % 2));
    }
    fake_wait_set_skipping(false);
    slow = (struct job){.index = STRESS};
    assert_int_equal(run(&slow), BLOCKING_DONE); /* and all others before it */
    for (size_t i = 0; i < STRESS; i++) {
        switch (stress_results[i]) {
        case BLOCKING_DONE:
            assert_job(&stressed[i], 1, 0);
            break;
        case BLOCKING_ABANDONED:
            assert_job(&stressed[i], 1, 1);
            break;
        default:
            assert_job(&stressed[i], 0, 1);
        }
    }
}

static void
test_any_deadline(void **state)
{
    (void)state;
    set_up_pool(1, MANY);
    run_in_fiber(run_stress);
    blocking_pool_free(&pool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_done),
        cmocka_unit_test(test_unused_pool),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_free_waits),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_any_deadline),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("blocking_fiber", tests, NULL, NULL);
}
