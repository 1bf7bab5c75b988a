/* SPDX-License-Identifier: ISC */
/*
 * test_poller.c - events of descriptors, their order, and waking.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/poller.h"
#include "fake_clock.h"

#define LONG_MS 10000
#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */

/* Replaces the C library's: when nothing has happened, time passes at once. */
int skipping_wait(int epoll, struct epoll_event *events, int max,
                  int timeout) __asm__("epoll_wait");

int
skipping_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    int got = epoll_pwait(epoll, events, max, timeout > 0 ? 0 : timeout, NULL);

    if (got == 0)
        fake_clock_advance(timeout);
    return got;
}

struct pair {
    int ends[2]; /* a pipe: what is written to [1] is an event of [0] */
    struct poller_watch watch;
};

static struct poller poller;
static char order[16]; /* of events: the owners' letters */
static size_t order_len;

static void
on_event(struct poller_watch *watch, uint32_t events)
{
    const char *letter = watch->owner;

    assert_true(events & (EPOLLIN | EPOLLHUP));
    order[order_len++] = *letter;
    order[order_len] = '\0';
}

static void
pair_open(struct pair *pair, const char *letter, bool is_urgent)
{
    assert_int_equal(pipe(pair->ends), 0);
    pair->watch = (struct poller_watch){.descriptor = pair->ends[0],
                                        .is_urgent = is_urgent,
                                        .owner = (void *)(uintptr_t)letter,
                                        .on_event = on_event};
}

static void
pair_close(struct pair *pair)
{
    close(pair->ends[0]);
    close(pair->ends[1]);
}

static int
set_up(void **state)
{
    (void)state;
    order_len = 0;
    order[0] = '\0';
    return poller_open(&poller) ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    poller_close(&poller);
    return 0;
}

static void
test_urgent_events_come_first(void **state)
{
    struct pair pairs[3];

    (void)state;
    pair_open(&pairs[0], "a", false);
    pair_open(&pairs[1], "b", true);
    pair_open(&pairs[2], "c", false);
    for (size_t i = 0; i < PST_COUNT(pairs); i++) {
        assert_true(poller_add(&poller, &pairs[i].watch, EPOLLIN));
        assert_int_equal(write(pairs[i].ends[1], "x", 1), 1);
    }
    poller_wait(&poller, LONG_MS);
    assert_string_equal(order, "bac");
    for (size_t i = 0; i < PST_COUNT(pairs); i++)
        pair_close(&pairs[i]);
}

static void
test_one_shot_until_rearmed(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, "a", false);
    assert_true(poller_add(&poller, &pair.watch, EPOLLIN | EPOLLONESHOT));
    assert_int_equal(write(pair.ends[1], "x", 1), 1);
    poller_wait(&poller, LONG_MS);
    poller_wait(&poller, 0);
    assert_string_equal(order, "a");
    assert_true(poller_rearm(&poller, &pair.watch, EPOLLIN | EPOLLONESHOT));
    poller_wait(&poller, LONG_MS);
    assert_string_equal(order, "aa");
    pair_close(&pair);
}

static void
test_removed_watch_gets_no_event(void **state)
{
    struct pair pair;

    (void)state;
    pair_open(&pair, "a", false);
    assert_true(poller_add(&poller, &pair.watch, EPOLLIN));
    assert_int_equal(write(pair.ends[1], "x", 1), 1);
    poller_remove(&poller, &pair.watch);
    poller_wait(&poller, 0);
    assert_string_equal(order, "");
    assert_false(poller_rearm(&poller, &pair.watch, EPOLLIN));
    assert_int_equal(errno, ENOENT);
    pair_close(&pair);
}

static void *
wake(void *argument)
{
    poller_wake(argument);
    return NULL;
}

/* A wake ends one wait, also when it comes before it, and no other. */
static void
test_wake(void **state)
{
    int64_t begun_ms = clock_ms();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wake, &poller), 0);
    poller_wait(&poller, -1);
    pthread_join(thread, NULL);
    poller_wake(&poller);
    poller_wake(&poller);
    poller_wait(&poller, LONG_MS);
    assert_int_equal(clock_ms(), begun_ms);
    poller_wait(&poller, 30);
    assert_int_equal(clock_ms(), begun_ms + 30);
}

static void
test_no_descriptors(void **state)
{
    struct poller other;
    struct rlimit limit;
    struct rlimit none;
    bool is_open;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    is_open = poller_open(&other);
    assert_int_equal(errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_false(is_open);
    poller_close(&other);
}

#define POLLER_TEST(test) \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        POLLER_TEST(test_urgent_events_come_first),
        POLLER_TEST(test_one_shot_until_rearmed),
        POLLER_TEST(test_removed_watch_gets_no_event),
        POLLER_TEST(test_wake),
        POLLER_TEST(test_no_descriptors),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
