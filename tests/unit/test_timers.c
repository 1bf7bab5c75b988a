/* SPDX-License-Identifier: ISC */
/*
 * test_timers.c - timers expire in the order of their times, and can be moved
 * and cleared at any moment.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "engine/timers.h"

#define MANY 500

static struct timers timers;
static struct timer list[MANY];
static size_t expired[MANY * 2]; /* indexes of `list` */
static size_t expired_count;

static size_t
index_of(const struct timer *timer)
{
    return (size_t)(timer - list);
}

static void
note(struct timer *timer)
{
    assert_int_equal(timer->place, 0);
    assert_true(expired_count < PST_COUNT(expired));
    expired[expired_count++] = index_of(timer);
}

static int
set_up(void **state)
{
    (void)state;
    timers_init(&timers);
    expired_count = 0;
    for (size_t i = 0; i < MANY; i++)
        list[i] = (struct timer){.on_expire = note};
    return timers_reserve(&timers, MANY) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    timers_fini(&timers);
    return 0;
}

static void
assert_expired(size_t count, const size_t *want)
{
    assert_int_equal(expired_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(expired[i], want[i]);
}

static void
test_none(void **state)
{
    (void)state;
    assert_true(timers_first(&timers) == INT64_MAX);
    timers_run(&timers, INT64_MAX);
    timers_clear(&timers, &list[0]);
    assert_int_equal(expired_count, 0);
}

static void
test_order(void **state)
{
    (void)state;
    timers_set(&timers, &list[0], 30);
    timers_set(&timers, &list[1], 10);
    timers_set(&timers, &list[2], 20);
    assert_int_equal(timers_first(&timers), 10);
    timers_run(&timers, 9);
    assert_int_equal(expired_count, 0);
    timers_run(&timers, 10);
    assert_expired(1, (const size_t[]){1});
    assert_int_equal(timers_first(&timers), 20);
    timers_run(&timers, 1000);
    assert_expired(3, (const size_t[]){1, 2, 0});
    assert_true(timers_first(&timers) == INT64_MAX);
}

static void
test_move(void **state)
{
    (void)state;
    timers_set(&timers, &list[0], 10);
    timers_set(&timers, &list[1], 20);
    timers_set(&timers, &list[0], 30);
    timers_set(&timers, &list[2], 40);
    timers_set(&timers, &list[2], 5);
    timers_run(&timers, 100);
    assert_expired(3, (const size_t[]){2, 1, 0});
}

static void
test_clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++)
        timers_set(&timers, &list[i], (int64_t)i);
    timers_clear(&timers, &list[0]);
    timers_clear(&timers, &list[3]);
    timers_clear(&timers, &list[4]);
    timers_clear(&timers, &list[4]);
    assert_int_equal(timers_first(&timers), 1);
    timers_run(&timers, 100);
    assert_expired(2, (const size_t[]){1, 2});
    timers_set(&timers, &list[4], 7); /* it can be set again */
    timers_run(&timers, 7);
    assert_int_equal(expired[2], 4);
}

/* Setting a timer again takes no more room. */
static void
test_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        timers_set(&timers, &list[i], 1);
    for (size_t i = 0; i < MANY; i++)
        timers_set(&timers, &list[i], 2);
    assert_int_equal(timers_reserve(&timers, 10 * MANY), PST_OK);
    assert_int_equal(timers_reserve(&timers, 1), PST_OK);
    timers_run(&timers, 2);
    assert_int_equal(expired_count, MANY);
}

static void
restart_next(struct timer *timer)
{
    note(timer);
    timers_clear(&timers, &list[2]);
    timers_set(&timers, &list[3], 10);
    if (expired_count == 1)
        timers_set(&timers, timer, 10); /* expires again in the same run */
}

/* Timers that on_expire() sets and clears. */
static void
test_changes_while_running(void **state)
{
    (void)state;
    list[1].on_expire = restart_next;
    timers_set(&timers, &list[1], 1);
    timers_set(&timers, &list[2], 2);
    timers_set(&timers, &list[0], 5);
    timers_set(&timers, &list[4], 11);
    timers_run(&timers, 10);
    assert_int_equal(expired_count, 4);
    assert_int_equal(expired[0], 1);
    assert_int_equal(expired[1], 0);
    assert_int_equal(expired[2] + expired[3], 1 + 3);
    assert_int_equal(list[2].place, 0);
    assert_int_equal(timers_first(&timers), 11);
}

static uint32_t random_state;

static uint32_t
next_random(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % limit;
}

/* The index of the first one that is set, by a search of all; MANY: none. */
static int64_t
first_of(const int64_t *times)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < MANY; i++)
        first = times[i] < first ? times[i] : first;
    return first;
}

/* Set, move and clear at random; a plain array must agree. INT64_MAX in it:
 * not set. */
static void
test_random(void **state)
{
    static int64_t times[MANY];
    int64_t last = 0;

    (void)state;
    random_state = 1;
    for (size_t i = 0; i < MANY; i++)
        times[i] = INT64_MAX;
    for (int i = 0; i < 20000; i++) {
        size_t place = next_random(MANY);

        times[place] = next_random(3) == 0 ? INT64_MAX : next_random(1000);
        if (times[place] == INT64_MAX)
            timers_clear(&timers, &list[place]);
        else
            timers_set(&timers, &list[place], times[place]);
        assert_true(timers_first(&timers) == first_of(times));
    }
    timers_run(&timers, 499);
    for (size_t i = 0; i < expired_count; i++) {
        assert_true(times[expired[i]] >= last && times[expired[i]] < 500);
        last = times[expired[i]];
        times[expired[i]] = INT64_MAX;
    }
    assert_true(expired_count > MANY / 8);
    assert_true(first_of(times) >= 500);
    assert_true(timers_first(&timers) == first_of(times));
}

#define TIMERS_TEST(test) \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TIMERS_TEST(test_none),   TIMERS_TEST(test_order),
        TIMERS_TEST(test_move),   TIMERS_TEST(test_clear),
        TIMERS_TEST(test_room),   TIMERS_TEST(test_changes_while_running),
        TIMERS_TEST(test_random),
    };

    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
