/* SPDX-License-Identifier: ISC */
/*
 * test_thread_pool.c - threads come when they are needed and go when they are
 * not.
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
#define TIMEOUT 60 /* seconds; then something waited for does not happen */
#define TURN 100   /* milliseconds between two looks of the dispatcher */

/* What the threads and the giver saw; under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t begun;
    size_t ended;
    size_t running; /* inside handle() */
    size_t most;    /* running at once */
    size_t handled;
    size_t handled_open;
    int order[JOBS];
    size_t started;   /* threads */
    size_t gone;      /* of these, ready to be joined */
    size_t waits;     /* how often one began to wait for an item */
    size_t blind;     /* how often begin() will give no state */
    size_t stateless; /* how often it gave none */
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

/* In the place of the C library's: count the threads. */
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

/* In the place of the C library's: who holds the crew's lock after this was
 * counted knows that the thread waits. */
int
pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                       const struct timespec *until)
{
    count(&seen.waits);
    return pthread_cond_clockwait(condition, lock, CLOCK_MONOTONIC, until);
}

static void *
begin(void *context)
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
end(void *state)
{
    assert_ptr_equal(state, &seen);
    pthread_mutex_lock(&seen.lock);
    seen.ended++;
    pthread_mutex_unlock(&seen.lock);
}

static void
handled(void *owner, struct thread_pool_job *job, bool is_open)
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
ended(void *owner)
{
    assert_ptr_equal(owner, jobs);
    count(&seen.gone);
}

static struct thread_pool *
make(size_t threads, int64_t idle)
{
    const struct thread_pool_work work = {&seen, begin, handle, end};
    const struct thread_pool_owner owner = {jobs, handled, ended};
    struct thread_pool *pool = NULL;

    seen.begun = seen.ended = seen.running = seen.most = 0;
    seen.handled = seen.handled_open = 0;
    seen.started = seen.gone = seen.waits = 0;
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

/* Wait until so many are inside handle(), or have been heard. */
static void
await(const size_t *number, size_t count)
{
    pthread_mutex_lock(&seen.lock);
    while (*number < count)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

/* Until nothing is left. */
static void
join_all(struct thread_pool *pool)
{
    size_t gone = 0;

    while (thread_pool_join(pool) > 0) {
        await(&seen.gone, gone + 1);
        pthread_mutex_lock(&seen.lock);
        gone = seen.gone;
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

/* A thread that waits is used before another starts. */
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

/* What was given before the end is heard. */
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

/* A descriptor of its own for an item that will be closed. */
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

/* Until every thread has begun, or is ready to be joined; and where one has
 * begun, until so many have been heard. */
static size_t
settle(size_t heard_wanted)
{
    size_t handled_now;

    pthread_mutex_lock(&seen.lock);
    while (seen.begun + seen.stateless < seen.started ||
           seen.gone < seen.stateless ||
           (seen.begun > seen.ended && seen.handled < heard_wanted))
        pthread_cond_wait(&seen.changed, &seen.lock);
    handled_now = seen.handled;
    pthread_mutex_unlock(&seen.lock);
    return handled_now;
}

/* As the dispatcher does, until so many have been heard. */
static void
ensure_until_handled(struct thread_pool *pool, size_t wanted)
{
    size_t handled_now = settle(wanted);

    for (int tries = 0; handled_now < wanted; tries++) {
        if (tries == 1000)
            fail_msg("%zu heard of %zu", handled_now, wanted);
        thread_pool_ensure(pool);
        thread_pool_join(pool);
        fake_clock_advance(TURN);
        handled_now = settle(wanted);
    }
}

/*
 * A worker that could not begin (out of descriptors, say) stayed among the
 * others, closed what it was given, and so was the one that was free for the
 * next: 166 of 200 were closed unheard.
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
            (void)settle(0);
    }
    ensure_until_handled(pool, JOBS);
    assert_int_equal(seen.stateless, 1);
    assert_int_equal(seen.handled_open, JOBS / 2);
    finish(pool);
}

/* What waits when the only one could not begin is heard by the next. */
static void
test_begins_again(void **state)
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

/* One that hears cannot do for all: the place of one that failed is filled
 * though nothing more is given. */
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
    await(&seen.gone, 1);
    fake_clock_advance(2 * TURN);
    thread_pool_ensure(pool);
    await(&seen.running, 2);
    hold(false);
    await(&seen.handled, 2);
    finish(pool);
}

/* Where none can begin, few are tried, and what waits is closed at last. */
static void
test_none_can_begin(void **state)
{
    struct thread_pool *pool = make(8, 10);
    int descriptor = dup(STDERR_FILENO);

    (void)state;
    seen.blind = SIZE_MAX;
    submit_open(pool, &jobs[0], descriptor);
    await(&seen.gone, 1);
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
        cmocka_unit_test(test_begins_again),
        cmocka_unit_test(test_others_are_busy),
        cmocka_unit_test(test_none_can_begin),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
