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
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/thread_pool.h"

#define ITEMS 200

/* What the threads and the giver saw; under the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t begun;
    size_t ended;
    size_t running; /* inside hear() */
    size_t most;    /* running at once */
    size_t heard;
    size_t heard_open;
    int order[ITEMS];
    size_t blind;     /* how often begin() will give no state */
    size_t stateless; /* how often it gave none */
    bool is_held;     /* hear() waits until it is false */
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static struct crew_item items[ITEMS];

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
hear(void *state, int descriptor)
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
heard(void *giver, struct crew_item *item, bool is_open)
{
    assert_ptr_equal(giver, items);
    assert_ptr_equal(item->giver, item);
    pthread_mutex_lock(&seen.lock);
    seen.order[seen.heard++] = item->descriptor;
    seen.heard_open += is_open;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

static void
ended(void *giver)
{
    assert_ptr_equal(giver, items);
}

static struct crew *
make(size_t threads, int64_t idle)
{
    const struct crew_work work = {&seen, begin, hear, end};
    const struct crew_giver giver = {items, heard, ended};
    struct crew *crew = NULL;

    seen.begun = seen.ended = seen.running = seen.most = 0;
    seen.heard = seen.heard_open = 0;
    seen.blind = seen.stateless = 0;
    seen.is_held = false;
    assert_int_equal(crew_new(&crew, threads, idle, &work, &giver), PST_OK);
    return crew;
}

static void
give(struct crew *crew, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        items[i] = (struct crew_item){.descriptor = (int)i, .giver = &items[i]};
        crew_give(crew, &items[i]);
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

/* Wait until so many are inside hear(), or have been heard. */
static void
await(const size_t *number, size_t count)
{
    pthread_mutex_lock(&seen.lock);
    while (*number < count)
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static void
pause_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Until nothing is left, for ten seconds at most. */
static void
reap_all(struct crew *crew)
{
    int tries = 1000;

    while (crew_reap(crew) > 0 && tries-- > 0)
        pause_ms(10);
    assert_true(tries > 0);
}

static void
finish(struct crew *crew)
{
    crew_dismiss(crew);
    reap_all(crew);
    assert_int_equal(seen.begun, seen.ended);
    crew_free(&crew);
    assert_null(crew);
}

static void
test_nothing_to_do(void **state)
{
    struct crew *crew = make(4, 10);

    (void)state;
    assert_int_equal(crew_reap(crew), 0);
    assert_true(crew_call(crew));
    finish(crew);
    assert_int_equal(seen.begun, 0);
}

static void
test_one_thread_hears_in_order(void **state)
{
    struct crew *crew = make(1, 10);

    (void)state;
    give(crew, 0, ITEMS);
    await(&seen.heard, ITEMS);
    assert_int_equal(seen.begun, 1);
    assert_int_equal(seen.heard_open, ITEMS / 2);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(seen.order[i], i);
    finish(crew);
}

static void
test_as_many_as_allowed(void **state)
{
    struct crew *crew = make(4, 10);

    (void)state;
    hold(true);
    give(crew, 0, 50);
    await(&seen.running, 4);
    pause_ms(20);
    assert_int_equal(seen.begun, 4);
    assert_int_equal(seen.running, 4);
    hold(false);
    await(&seen.heard, 50);
    assert_int_equal(seen.most, 4);
    finish(crew);
}

/* A thread that waits is used before another starts. */
static void
test_no_more_than_needed(void **state)
{
    struct crew *crew = make(8, 10);

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        give(crew, i, 1);
        await(&seen.heard, i + 1);
        pause_ms(5); /* it goes back to waiting */
    }
    assert_int_equal(seen.begun, 1);
    finish(crew);
}

static void
test_idle_thread_ends(void **state)
{
    struct crew *crew = make(1, 0);

    (void)state;
    give(crew, 0, 1);
    await(&seen.heard, 1);
    reap_all(crew);
    assert_int_equal(seen.ended, 1);
    give(crew, 1, 1);
    await(&seen.heard, 2);
    finish(crew);
    assert_int_equal(seen.begun, 2);
}

/* What was given before the end is heard. */
static void
test_dismissed_with_work_left(void **state)
{
    struct crew *crew = make(2, 10);

    (void)state;
    hold(true);
    give(crew, 0, 20);
    crew_dismiss(crew);
    hold(false);
    reap_all(crew);
    assert_int_equal(seen.heard, 20);
    finish(crew);
}

/* A descriptor of its own for an item that will be closed. */
static void
give_open(struct crew *crew, struct crew_item *item, int descriptor)
{
    *item = (struct crew_item){.descriptor = descriptor, .giver = item};
    crew_give(crew, item);
}

static void
test_cut(void **state)
{
    struct crew *crew = make(1, 10);
    int ends[2];
    int waiting = dup(STDERR_FILENO);
    char octet;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    hold(true);
    give_open(crew, &items[0], ends[0]);
    await(&seen.running, 1);
    give_open(crew, &items[1], waiting);
    crew_cut(crew);
    assert_int_equal(recv(ends[1], &octet, 1, 0), 0);
    assert_int_equal(seen.heard, 1);
    assert_int_equal(seen.order[0], waiting);
    assert_int_equal(fcntl(waiting, F_GETFD), -1);
    hold(false);
    finish(crew);
    assert_int_equal(seen.heard, 2);
    close(ends[0]);
    close(ends[1]);
}

/* As the dispatcher does, until so many have been heard; ten seconds at
 * most. */
static void
call_until_heard(struct crew *crew, size_t count)
{
    size_t heard_now = 0;

    for (int tries = 0; heard_now < count; tries++) {
        if (tries == 1000)
            fail_msg("%zu heard of %zu", heard_now, count);
        crew_call(crew);
        crew_reap(crew);
        pause_ms(10);
        pthread_mutex_lock(&seen.lock);
        heard_now = seen.heard;
        pthread_mutex_unlock(&seen.lock);
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
    struct crew *crew = make(8, 10);

    (void)state;
    seen.blind = 1;
    for (size_t i = 0; i < ITEMS; i++) {
        give(crew, i, 1);
        if (i % 10 == 0)
            pause_ms(1);
    }
    call_until_heard(crew, ITEMS);
    assert_int_equal(seen.stateless, 1);
    assert_int_equal(seen.heard_open, ITEMS / 2);
    finish(crew);
}

/* What waits when the only one could not begin is heard by the next. */
static void
test_begins_again(void **state)
{
    struct crew *crew = make(1, 10);

    (void)state;
    seen.blind = 2;
    give(crew, 0, 2);
    call_until_heard(crew, 2);
    assert_int_equal(seen.stateless, 2);
    assert_int_equal(seen.heard_open, 1);
    assert_true(crew_call(crew));
    finish(crew);
}

/* One that hears cannot do for all: the place of one that failed is filled
 * though nothing more is given. */
static void
test_others_are_busy(void **state)
{
    struct crew *crew = make(2, 10);

    (void)state;
    hold(true);
    give(crew, 0, 1);
    await(&seen.running, 1);
    seen.blind = 1;
    give(crew, 1, 1);
    await(&seen.stateless, 1);
    for (int tries = 0; tries < 100 && seen.begun < 2; tries++) {
        crew_call(crew);
        pause_ms(10);
    }
    await(&seen.running, 2);
    hold(false);
    await(&seen.heard, 2);
    finish(crew);
}

/* Where none can begin, few are tried, and what waits is closed at last. */
static void
test_none_can_begin(void **state)
{
    struct crew *crew = make(8, 10);
    int descriptor = dup(STDERR_FILENO);

    (void)state;
    seen.blind = SIZE_MAX;
    give_open(crew, &items[0], descriptor);
    await(&seen.stateless, 1);
    pause_ms(20);
    assert_false(crew_call(crew));
    assert_true(fcntl(descriptor, F_GETFD) >= 0);
    call_until_heard(crew, 1);
    assert_in_range(seen.stateless, 5, 20);
    assert_int_equal(seen.heard_open, 0);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1);
    assert_true(crew_call(crew));
    seen.blind = 0;
    give(crew, 1, 1);
    call_until_heard(crew, 2);
    assert_int_equal(seen.heard_open, 1);
    finish(crew);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_one_thread_hears_in_order),
        cmocka_unit_test(test_as_many_as_allowed),
        cmocka_unit_test(test_no_more_than_needed),
        cmocka_unit_test(test_idle_thread_ends),
        cmocka_unit_test(test_dismissed_with_work_left),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_thread_without_state_takes_nothing),
        cmocka_unit_test(test_begins_again),
        cmocka_unit_test(test_others_are_busy),
        cmocka_unit_test(test_none_can_begin),
    };

    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
