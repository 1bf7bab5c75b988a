/* SPDX-License-Identifier: ISC */
/*
 * test_thread_pool.c - threads start when jobs wait, and end without work.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/thread_pool.h"
#include "fake_clock.h"

#define JOBS 200
#define TIMEOUT 60   /* seconds; by then, what a test waits for has failed */
#define RETRY_MS 100 /* between two calls of thread_pool_ensure() */

/* What the callbacks counted; under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t begun;
    size_t ended;
    size_t running; /* in handle() */
    size_t most;    /* running at once */
    size_t handled;
    size_t handled_open;
    int order[JOBS];
    size_t started;   /* threads */
    size_t joinable;  /* threads that have ended */
    size_t waits;     /* how often a thread began to wait for a job */
    size_t blind;     /* how often new_state() will fail */
    size_t stateless; /* how often it has failed */
    bool is_held;     /* handle() waits until it is false */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static struct thread_pool_job jobs[JOBS];

static void
count(size_t *number)
{
    pthread_mutex_lock(&seen.lock);
    (*number)++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

/* Replaces the C library's function: counts the threads. */
int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
               void *(*run)(void *), void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *found = dlsym(RTLD_NEXT, "pthread_create");

    assert_non_null(found);
    memcpy(&real, &found, sizeof(real));
    count(&seen.started);
    return real(thread, attributes, run, argument);
}

/*
 * Replaces the C library's function: counts the waits. The caller holds the
 * pool's lock until it waits. So whoever gets that lock after the count has
 * changed finds the thread idle.
 */
int
pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                       const struct timespec *until)
{
    count(&seen.waits);
    return pthread_cond_clockwait(condition, lock, CLOCK_MONOTONIC, until);
}

static void *
new_state(void *context)
{
    void *state = context;

    assert_ptr_equal(context, &seen);
    pthread_mutex_lock(&seen.lock);
    if (seen.blind > 0) {
        seen.blind--;
        seen.stateless++;
        state = NULL;
    } else {
        seen.begun++;
    }
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    return state;
}

/* Descriptors are only numbers here; odd ones stay open. */
static bool
handle(void *state, int descriptor)
{
    assert_ptr_equal(state, &seen);
    pthread_mutex_lock(&seen.lock);
    seen.running++;
    if (seen.running > seen.most)
        seen.most = seen.running;
    pthread_cond_broadcast(&seen.changed);
    while (seen.is_held)
        pthread_cond_wait(&seen.changed, &seen.lock);
    seen.running--;
    pthread_mutex_unlock(&seen.lock);
    return descriptor % 2 == 1;
}

static void
free_state(void *state)
{
    assert_ptr_equal(state, &seen);
    pthread_mutex_lock(&seen.lock);
    seen.ended++;
    pthread_mutex_unlock(&seen.lock);
}

static void
on_done(void *owner, struct thread_pool_job *job, bool is_open)
{
    assert_ptr_equal(owner, jobs);
    assert_ptr_equal(job->owner, job);
    pthread_mutex_lock(&seen.lock);
    seen.order[seen.handled++] = job->descriptor;
    seen.handled_open += is_open;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static void
on_thread_end(void *owner)
{
    assert_ptr_equal(owner, jobs);
    count(&seen.joinable);
}

static struct thread_pool *
make(size_t threads, int64_t idle)
{
    const struct thread_pool_work work = {&seen, new_state, handle, free_state};
    const struct thread_pool_owner owner = {jobs, on_done, on_thread_end};
    struct thread_pool *pool = NULL;

    seen.begun = seen.ended = seen.running = seen.most = 0;
    seen.handled = seen.handled_open = 0;
    seen.started = seen.joinable = seen.waits = 0;
    seen.blind = seen.stateless = 0;
    seen.is_held = false;
    assert_int_equal(thread_pool_new(&pool, threads, idle, &work, &owner),
                     PST_OK);
    return pool;
}

static void
submit(struct thread_pool *pool, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        jobs[i] =
            (struct thread_pool_job){.descriptor = (int)i, .owner = &jobs[i]};
        thread_pool_submit(pool, &jobs[i]);
    }
}

static void
hold(bool is_held)
{
    pthread_mutex_lock(&seen.lock);
    seen.is_held = is_held;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

/* Wait until one of the counters above has this value. */
static void
await(const size_t *number, size_t count)
{
    pthread_mutex_lock(&seen.lock);
    while (*number < count)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

/* Join until nothing is left. */
static void
join_all(struct thread_pool *pool)
{
    size_t joinable = 0;

    while (thread_pool_join(pool) > 0) {
        await(&seen.joinable, joinable + 1);
        pthread_mutex_lock(&seen.lock);
        joinable = seen.joinable;
        pthread_mutex_unlock(&seen.lock);
    }
}

static void
finish(struct thread_pool *pool)
{
    thread_pool_shutdown(pool);
    join_all(pool);
    assert_int_equal(seen.begun, seen.ended);
    thread_pool_free(&pool);
    assert_null(pool);
}

static void
test_nothing_to_do(void **state)
{
    struct thread_pool *pool = make(4, 10);

    (void)state;
    assert_int_equal(thread_pool_join(pool), 0);
    assert_true(thread_pool_ensure(pool));
    finish(pool);
    assert_int_equal(seen.begun, 0);
}

static void
test_one_thread_handles_in_order(void **state)
{
    struct thread_pool *pool = make(1, 10);

    (void)state;
    submit(pool, 0, JOBS);
    await(&seen.handled, JOBS);
    assert_int_equal(seen.begun, 1);
    assert_int_equal(seen.handled_open, JOBS / 2);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(seen.order[i], i);
    finish(pool);
}

static void
test_as_many_as_allowed(void **state)
{
    struct thread_pool *pool = make(4, 10);

    (void)state;
    hold(true);
    submit(pool, 0, 50);
    await(&seen.running, 4);
    assert_int_equal(seen.started, 4);
    hold(false);
    await(&seen.handled, 50);
    assert_int_equal(seen.most, 4);
    finish(pool);
    assert_int_equal(seen.started, 4);
    assert_int_equal(seen.begun, 4);
}

/* An idle thread is used before another starts. */
static void
test_no_more_than_needed(void **state)
{
    struct thread_pool *pool = make(8, 10);

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        submit(pool, i, 1);
        await(&seen.handled, i + 1);
        await(&seen.waits, i + 1);
    }
    assert_int_equal(seen.started, 1);
    finish(pool);
}

static void
test_idle_thread_ends(void **state)
{
    struct thread_pool *pool = make(1, 0);

    (void)state;
    submit(pool, 0, 1);
    await(&seen.handled, 1);
    join_all(pool);
    assert_int_equal(seen.ended, 1);
    submit(pool, 1, 1);
    await(&seen.handled, 2);
    finish(pool);
    assert_int_equal(seen.begun, 2);
}

/* Jobs submitted before the shutdown are handled. */
static void
test_shutdown_with_work_left(void **state)
{
    struct thread_pool *pool = make(2, 10);

    (void)state;
    hold(true);
    submit(pool, 0, 20);
    thread_pool_shutdown(pool);
    hold(false);
    join_all(pool);
    assert_int_equal(seen.handled, 20);
    finish(pool);
}

/* Submit a real descriptor, since the pool will close it. */
static void
submit_open(struct thread_pool *pool, struct thread_pool_job *job,
            int descriptor)
{
    *job = (struct thread_pool_job){.descriptor = descriptor, .owner = job};
    thread_pool_submit(pool, job);
}

static void
test_abort(void **state)
{
    struct thread_pool *pool = make(1, 10);
    int ends[2];
    int waiting = dup(STDERR_FILENO);
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    hold(true);
    submit_open(pool, &jobs[0], ends[0]);
    await(&seen.running, 1);
    submit_open(pool, &jobs[1], waiting);
    thread_pool_abort(pool);
    assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
    assert_int_equal(seen.handled, 1);
    assert_int_equal(seen.order[0], waiting);
    assert_int_equal(fcntl(waiting, F_GETFD), -1);
    hold(false);
    finish(pool);
    assert_int_equal(seen.handled, 2);
    close(ends[0]);
    close(ends[1]);
}

/*
 * Wait until each thread has made its state or is joinable. While a thread
 * with state runs, wait also until this many jobs are done. Returns how many
 * are done.
 */
static size_t
wait_for_threads(size_t wanted)
{
    size_t handled_now;

    pthread_mutex_lock(&seen.lock);
    while (seen.begun + seen.stateless < seen.started ||
           seen.joinable < seen.stateless ||
           (seen.begun > seen.ended && seen.handled < wanted))
        pthread_cond_wait(&seen.changed, &seen.lock);
    handled_now = seen.handled;
    pthread_mutex_unlock(&seen.lock);
    return handled_now;
}

/* Do what the dispatcher does until this many jobs are done. */
static void
ensure_until_handled(struct thread_pool *pool, size_t wanted)
{
    size_t handled_now = wait_for_threads(wanted);

    for (int tries = 0; handled_now < wanted; tries++) {
        if (tries == 1000)
            fail_msg("%zu jobs done of %zu", handled_now, wanted);
        thread_pool_ensure(pool);
        thread_pool_join(pool);
        fake_clock_advance(RETRY_MS);
        handled_now = wait_for_threads(wanted);
    }
}

/*
 * A thread without state (no free descriptors) once took jobs and closed them.
 * It was never busy, so it also took the next jobs. 166 of 200 jobs were closed
 * unhandled.
 */
static void
test_thread_without_state_takes_nothing(void **state)
{
    struct thread_pool *pool = make(8, 10);

    (void)state;
    seen.blind = 1;
    for (size_t i = 0; i < JOBS; i++) {
        submit(pool, i, 1);
        if (i % 10 == 0)
            (void)wait_for_threads(0);
    }
    ensure_until_handled(pool, JOBS);
    assert_int_equal(seen.stateless, 1);
    assert_int_equal(seen.handled_open, JOBS / 2);
    finish(pool);
}

/* The only thread has no state: the next one handles the jobs. */
static void
test_start_is_tried_again(void **state)
{
    struct thread_pool *pool = make(1, 10);

    (void)state;
    seen.blind = 2;
    submit(pool, 0, 2);
    ensure_until_handled(pool, 2);
    assert_int_equal(seen.stateless, 2);
    assert_int_equal(seen.handled_open, 1);
    assert_true(thread_pool_ensure(pool));
    finish(pool);
}

/* One thread is busy and the other has no state: that one is replaced, though
 * no further job is submitted. */
static void
test_others_are_busy(void **state)
{
    struct thread_pool *pool = make(2, 10);

    (void)state;
    hold(true);
    submit(pool, 0, 1);
    await(&seen.running, 1);
    seen.blind = 1;
    submit(pool, 1, 1);
    await(&seen.joinable, 1);
    fake_clock_advance(2 * RETRY_MS);
    thread_pool_ensure(pool);
    await(&seen.running, 2);
    hold(false);
    await(&seen.handled, 2);
    finish(pool);
}

/* If no thread can start, the pool tries few and closes the waiting jobs. */
static void
test_no_thread_can_start(void **state)
{
    struct thread_pool *pool = make(8, 10);
    int descriptor = dup(STDERR_FILENO);

    (void)state;
    seen.blind = SIZE_MAX;
    submit_open(pool, &jobs[0], descriptor);
    await(&seen.joinable, 1);
    assert_false(thread_pool_ensure(pool));
    assert_int_equal(seen.started, 1);
    assert_true(fcntl(descriptor, F_GETFD) >= 0);
    ensure_until_handled(pool, 1);
    assert_int_equal(seen.stateless, 10);
    assert_int_equal(seen.handled_open, 0);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1);
    assert_true(thread_pool_ensure(pool));
    seen.blind = 0;
    submit(pool, 1, 1);
    ensure_until_handled(pool, 2);
    assert_int_equal(seen.handled_open, 1);
    finish(pool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_one_thread_handles_in_order),
        cmocka_unit_test(test_as_many_as_allowed),
        cmocka_unit_test(test_no_more_than_needed),
        cmocka_unit_test(test_idle_thread_ends),
        cmocka_unit_test(test_shutdown_with_work_left),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_thread_without_state_takes_nothing),
        cmocka_unit_test(test_start_is_tried_again),
        cmocka_unit_test(test_others_are_busy),
        cmocka_unit_test(test_no_thread_can_start),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("thread_pool", tests, NULL, NULL);
}
