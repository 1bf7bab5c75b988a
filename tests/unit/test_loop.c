/* SPDX-License-Identifier: ISC */
/*
 * test_loop.c - an event loop calls what watches a descriptor, the timers that
 * have expired, and the tasks that other threads send. Its fibers are in
 * test_loop_fiber.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop.h"
#include "engine/wait.h"
#include "fake_clock.h"
#include "fake_wait.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */

static struct loop *loop;

/* Two connections; [0] is the loop's end. */
static int pairs[2][2];

/* A watch, and what it was called with. */
struct watcher {
    struct loop_watch watch;
    size_t index; /* of its pair */
    size_t count;
    uint32_t events;
};

static struct watcher watchers[2];

static void
open_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends),
                     0);
}

static int
set_up(void **state)
{
    (void)state;
    fake_wait_set_skipping(true);
    for (size_t i = 0; i < PST_COUNT(pairs); i++)
        open_pair(pairs[i]);
    return loop_new(&loop) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(pairs); i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    loop_free(&loop);
    loop_free(&loop); /* does nothing */
    return loop != NULL;
}

static void
send_byte(size_t i)
{
    assert_int_equal(send(pairs[i][1], "x", 1, MSG_NOSIGNAL), 1);
}

static void
note_event(struct loop_watch *watch, uint32_t events)
{
    struct watcher *watcher = watch->owner;

    watcher->count++;
    watcher->events = events;
    loop_stop(loop);
}

static void
watch(size_t i, void (*on_event)(struct loop_watch *watch, uint32_t events),
      uint32_t events)
{
    watchers[i] = (struct watcher){
        .watch = {.on_event = on_event, .owner = &watchers[i]}, .index = i};
    assert_true(loop_watch(loop, pairs[i][0], &watchers[i].watch, events));
}

static void
stop_at(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

/* Handle what has happened so far. */
static void
run_for(int64_t ms)
{
    struct timer timer = {.on_expire = stop_at};

    loop_set_timer(loop, &timer, clock_ms() + ms);
    loop_run(loop);
    loop_clear_timer(loop, &timer);
}

static void
test_current(void **state)
{
    (void)state;
    assert_ptr_equal(loop_current(), loop);
    assert_int_equal(loop_fiber_count(loop), 0);
    loop_free(&loop);
    assert_null(loop_current());
    assert_int_equal(loop_new(&loop), PST_OK);
    assert_ptr_equal(loop_current(), loop);
}

static int64_t noted[3];

static void
note_turn(struct loop_watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    noted[0] = wait_now();
    fake_clock_advance(70);
    noted[1] = wait_now();
    noted[2] = clock_ms();
    loop_stop(loop);
}

/* The time of a turn does not change in it. Outside of the loop, and in the
 * next turn, it is that of the clock. */
static void
test_now(void **state)
{
    int64_t begun = clock_ms();

    (void)state;
    assert_int_equal(wait_now(), begun);
    watch(0, note_turn, EPOLLIN | EPOLLET);
    send_byte(0);
    loop_run(loop);
    assert_int_equal(noted[0], begun);
    assert_int_equal(noted[1], begun);
    assert_int_equal(noted[2], begun + 70);
    assert_int_equal(wait_now(), begun + 70);
    send_byte(0);
    loop_run(loop);
    assert_int_equal(noted[1], begun + 70);
}

/* An edge: the watch is called once for each arrival, and not again for bytes
 * that nobody has read. */
static void
test_watch_edges(void **state)
{
    (void)state;
    watch(0, note_event, EPOLLIN | EPOLLRDHUP | EPOLLET);
    run_for(1);
    assert_int_equal(watchers[0].count, 0);
    assert_false(loop_has_input(loop, pairs[0][0]));
    send_byte(0);
    loop_run(loop);
    assert_int_equal(watchers[0].count, 1);
    assert_int_equal(watchers[0].events, EPOLLIN);
    assert_true(loop_has_input(loop, pairs[0][0]));
    run_for(1);
    assert_int_equal(watchers[0].count, 1);
    send_byte(0);
    loop_run(loop);
    assert_int_equal(watchers[0].count, 2);
    loop_forget_input(loop, pairs[0][0]);
    assert_false(loop_has_input(loop, pairs[0][0]));
    shutdown(pairs[0][1], SHUT_WR);
    loop_run(loop);
    assert_int_equal(watchers[0].count, 3);
    assert_true(watchers[0].events & EPOLLRDHUP);
    loop_forget_input(loop, pairs[0][0]);
    assert_true(loop_has_input(loop, pairs[0][0])); /* the end is input */
}

/* Without EPOLLET, as for listening sockets: called until it was read. */
static void
test_watch_levels(void **state)
{
    (void)state;
    watch(0, note_event, EPOLLIN);
    send_byte(0);
    for (size_t i = 1; i <= 3; i++) {
        loop_run(loop);
        assert_int_equal(watchers[0].count, i);
    }
    loop_unwatch(loop, pairs[0][0]);
    run_for(1);
    assert_int_equal(watchers[0].count, 3);
    assert_false(loop_has_input(loop, pairs[0][0]));
    watch(0, note_event, EPOLLIN); /* it can be watched again */
    loop_run(loop);
    assert_int_equal(watchers[0].count, 1);
}

static void
test_what_cannot_be_watched(void **state)
{
    struct loop_watch none = {.on_event = note_event};
    int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(file >= 0);
    errno = 0;
    assert_false(loop_watch(loop, file, &none, EPOLLIN));
    assert_int_equal(errno, EPERM);
    loop_close(loop, file);
    assert_false(loop_watch(loop, file, &none, EPOLLIN));
    assert_int_equal(errno, EBADF);
    assert_false(loop_watch(loop, 1 << 30, &none, EPOLLIN));
    assert_int_equal(errno, EMFILE);
    assert_false(loop_has_input(loop, 1 << 30));
}

/* Close the other connection, and open one with its number. */
static void
replace_other(struct loop_watch *watch, uint32_t events)
{
    struct watcher *watcher = watch->owner;
    size_t other = 1 - watcher->index;
    int number = pairs[other][0];
    int fresh[2];

    note_event(watch, events);
    loop_close(loop, number);
    open_pair(fresh);
    if (fresh[0] != number && fresh[1] != number) {
        assert_int_equal(dup2(fresh[0], number), number);
        close(fresh[0]);
        fresh[0] = number;
    }
    if (fresh[1] == number) {
        fresh[1] = fresh[0];
        fresh[0] = number;
    }
    pairs[other][0] = fresh[0];
    close(pairs[other][1]);
    pairs[other][1] = fresh[1];
    assert_true(
        loop_watch(loop, number, &watchers[other].watch, EPOLLIN | EPOLLET));
}

/* Two events come together. The first one's function closes the other
 * connection, and another one gets its number: the second event is late, and
 * means nothing to that one. */
static void
test_late_event(void **state)
{
    (void)state;
    watch(0, replace_other, EPOLLIN | EPOLLET);
    watch(1, replace_other, EPOLLIN | EPOLLET);
    send_byte(0);
    send_byte(1);
    loop_run(loop);
    assert_int_equal(watchers[0].count + watchers[1].count, 1);
    assert_false(loop_has_input(loop, pairs[watchers[0].count > 0 ? 1 : 0][0]));
    run_for(1);
    assert_int_equal(watchers[0].count + watchers[1].count, 1);
}

static int64_t expired_at[3];

static void
note_time(struct timer *timer)
{
    *(int64_t *)timer->owner = clock_ms();
}

static void
test_timers(void **state)
{
    struct timer timers[3];
    int64_t begun = clock_ms();

    (void)state;
    for (size_t i = 0; i < PST_COUNT(timers); i++) {
        expired_at[i] = 0;
        timers[i] =
            (struct timer){.on_expire = note_time, .owner = &expired_at[i]};
        loop_set_timer(loop, &timers[i], begun + 1000 * (int64_t)(3 - i));
    }
    loop_clear_timer(loop, &timers[1]);
    run_for(5000);
    assert_int_equal(expired_at[0], begun + 3000);
    assert_int_equal(expired_at[1], 0);
    assert_int_equal(expired_at[2], begun + 1000);
    assert_int_equal(clock_ms(), begun + 5000);
}

/* One that is late does not hold up the others, and one beyond what
 * epoll_wait(2) can wait for is not early. */
static void
test_timer_limits(void **state)
{
    int64_t begun = clock_ms();
    struct timer timer = {.on_expire = note_time, .owner = &expired_at[0]};

    (void)state;
    expired_at[0] = 0;
    loop_set_timer(loop, &timer, begun - 1000);
    run_for(1);
    assert_true(expired_at[0] <= begun + 1 && expired_at[0] != 0);
    loop_set_timer(loop, &timer, begun + INT64_C(5000000000));
    run_for(INT64_C(5000000001));
    assert_true(expired_at[0] == begun + INT64_C(5000000000));
}

static size_t order[8];
static size_t order_count;
static struct loop_task tasks[3];

static void
note_task(struct loop_task *task)
{
    order[order_count++] = (size_t)(task - tasks);
    if (order_count == PST_COUNT(tasks))
        loop_stop(loop);
}

static void
set_up_tasks(void)
{
    order_count = 0;
    for (size_t i = 0; i < PST_COUNT(tasks); i++)
        tasks[i] = (struct loop_task){.run = note_task};
}

/* Tasks run in the order in which they were sent: a server's "end now" comes
 * after its "finish". */
static void
test_tasks_in_order(void **state)
{
    (void)state;
    set_up_tasks();
    for (size_t i = 0; i < PST_COUNT(tasks); i++)
        loop_notify(loop, &tasks[i]);
    loop_notify(loop, &tasks[0]); /* waits already */
    loop_run(loop);
    assert_int_equal(order_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(order[i], i);
}

static void
notify_again(struct loop_task *task)
{
    if (++order_count < 5)
        loop_notify(loop, task);
    else
        loop_stop(loop);
}

/* A task may send itself again. */
static void
test_task_again(void **state)
{
    struct loop_task task = {.run = notify_again};

    (void)state;
    order_count = 0;
    loop_notify(loop, &task);
    loop_run(loop);
    assert_int_equal(order_count, 5);
}

/* What the two threads of the next test count. */
static size_t handled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void
handle_notice(struct loop_task *task)
{
    (void)task;
    assert_ptr_equal(loop_current(), loop);
    pthread_mutex_lock(&lock);
    handled++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void
stop_task(struct loop_task *task)
{
    (void)task;
    loop_stop(loop);
}

static void *
notify_from_thread(void *argument)
{
    static struct loop_task notice = {.run = handle_notice};
    static struct loop_task stop = {.run = stop_task};

    (void)argument;
    assert_null(loop_current());
    for (size_t i = 1; i <= 1000; i++) {
        loop_notify(loop, &notice);
        pthread_mutex_lock(&lock);
        while (handled < i)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
    }
    loop_notify(loop, &stop);
    return NULL;
}

static void
test_notify_from_thread(void **state)
{
    pthread_t thread;

    (void)state;
    handled = 0;
    assert_int_equal(pthread_create(&thread, NULL, notify_from_thread, NULL),
                     0);
    loop_run(loop);
    pthread_join(thread, NULL);
    assert_int_equal(handled, 1000);
}

/* An idle loop waits without a time limit. */
static void
test_idle_loop_sleeps(void **state)
{
    size_t before = fake_wait_count();

    (void)state;
    watch(0, note_event, EPOLLIN | EPOLLET);
    send_byte(0);
    loop_run(loop);
    assert_int_equal(fake_wait_count(), before);
}

#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_current),
        LOOP_TEST(test_now),
        LOOP_TEST(test_watch_edges),
        LOOP_TEST(test_watch_levels),
        LOOP_TEST(test_what_cannot_be_watched),
        LOOP_TEST(test_late_event),
        LOOP_TEST(test_timers),
        LOOP_TEST(test_timer_limits),
        LOOP_TEST(test_tasks_in_order),
        LOOP_TEST(test_task_again),
        LOOP_TEST(test_notify_from_thread),
        LOOP_TEST(test_idle_loop_sleeps),
    };

    alarm(TIMEOUT);
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
