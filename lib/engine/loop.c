/* SPDX-License-Identifier: ISC */
/*
 * loop.c - an event loop: one thread that runs fibers, and lets each go on when
 * its descriptor is ready or its deadline has come.
 *
 * Descriptors are registered with epoll once, edge-triggered; what epoll said
 * of each is kept here, so that most waits need no system call.
 */
#include "engine/loop.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop_state.h"

#define EVENTS_MAX 64 /* handled after one epoll_wait(2) */
#define DESCRIPTORS_MAX (1 << 20)

static _Thread_local struct loop *current_loop;

struct loop *
loop_current(void)
{
    return current_loop;
}

/* The limit of open files, raised as far as it may be. */
static size_t
descriptor_limit(void)
{
    struct rlimit limit = {0, 0};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur < DESCRIPTORS_MAX ? (size_t)limit.rlim_cur
                                            : DESCRIPTORS_MAX;
}

struct slot *
loop_slot(const struct loop *loop, int descriptor)
{
    PST_REQUIRE(descriptor >= 0);
    return &loop->slots[(size_t)descriptor < loop->slot_count
                            ? (size_t)descriptor
                            : loop->slot_count];
}

int
loop_register(struct loop *loop, int descriptor, uint32_t events)
{
    struct slot *slot = loop_slot(loop, descriptor);
    struct epoll_event event;
    int operation;

    if (slot == &loop->slots[loop->slot_count])
        return EMFILE;
    if ((slot->registered & events) == events)
        return 0;
    operation = slot->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    event.events = slot->registered | events;
    event.data.u64 = (uint64_t)slot->generation << 32 | (uint32_t)descriptor;
    if (epoll_ctl(loop->epoll, operation, descriptor, &event) != 0)
        return errno;
    slot->registered = event.events;
    return 0;
}

enum pst_err
loop_new(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    int error = 0;

    PST_REQUIRE(!current_loop);
    if (!loop)
        return PST_NO_MEMORY;
    loop->woken_end = &loop->woken;
    loop->tasks_end = &loop->tasks;
    timers_init(&loop->timers);
    pthread_mutex_init(&loop->lock, NULL);
    loop->slot_count = descriptor_limit();
    loop->slots = calloc(loop->slot_count + 1, sizeof(*loop->slots));
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    current_loop = loop;
    if (!loop->slots || loop->epoll < 0 || loop->event < 0 ||
        timers_reserve(&loop->timers, LOOP_TIMERS_MAX) != PST_OK)
        error = ENOMEM;
    if (!error)
        error = loop_register(loop, loop->event, EPOLLIN);
    if (error) {
        loop_free(&loop);
        return PST_NO_MEMORY;
    }
    fiber_report_overflow();
    *out = loop;
    return PST_OK;
}

void
loop_free(struct loop **loop)
{
    struct loop *freed = *loop;

    if (!freed)
        return;
    PST_REQUIRE(freed->busy_count == 0 && current_loop == freed);
    loop_run_woken(freed);
    loop_free_idle_fibers(freed, 0);
    if (freed->epoll >= 0)
        close(freed->epoll);
    if (freed->event >= 0)
        close(freed->event);
    timers_fini(&freed->timers);
    pthread_mutex_destroy(&freed->lock);
    free(freed->slots);
    free(freed);
    current_loop = NULL;
    *loop = NULL;
}

void
loop_notify(struct loop *loop, struct loop_task *task)
{
    const uint64_t one = 1;
    bool was_empty;
    ssize_t written;

    pthread_mutex_lock(&loop->lock);
    was_empty = !loop->tasks;
    if (!task->is_queued) {
        task->is_queued = true;
        task->next = NULL;
        *loop->tasks_end = task;
        loop->tasks_end = &task->next;
    }
    pthread_mutex_unlock(&loop->lock);
    if (!was_empty)
        return;
    written = write(loop->event, &one, sizeof(one));
    (void)written; /* it fails where the counter is full: that wakes too */
}

/* Run the tasks that other threads have sent. */
static void
loop_run_tasks(struct loop *loop)
{
    struct loop_task *list;
    uint64_t count;
    ssize_t got = read(loop->event, &count, sizeof(count));

    (void)got;
    pthread_mutex_lock(&loop->lock);
    list = loop->tasks;
    loop->tasks = NULL;
    loop->tasks_end = &loop->tasks;
    pthread_mutex_unlock(&loop->lock);
    while (list) {
        struct loop_task *task = list;

        list = task->next;
        pthread_mutex_lock(&loop->lock);
        task->is_queued = false;
        pthread_mutex_unlock(&loop->lock);
        task->run(task);
    }
}

static void
loop_handle_event(struct loop *loop, const struct epoll_event *event)
{
    int descriptor = (int)(uint32_t)event->data.u64;
    struct slot *slot = loop_slot(loop, descriptor);

    if (descriptor == loop->event) {
        loop_run_tasks(loop);
        return;
    }
    if (slot->generation != (uint32_t)(event->data.u64 >> 32))
        return; /* of a descriptor that was closed meanwhile */
    slot->ready |= event->events;
    if (slot->fiber && (slot->wanted & event->events))
        loop_run_fiber(loop, slot->fiber);
    else if (slot->client && (event->events & LOOP_CLIENT_GONE))
        loop_run_fiber(loop, slot->client);
    else if (slot->watch)
        slot->watch->on_event(slot->watch, event->events);
}

int64_t
loop_now(const struct loop *loop)
{
    return loop->now != 0 ? loop->now : clock_ms();
}

/* Milliseconds that epoll_wait(2) may wait: more than are left by as long as
 * this turn took. */
static int
loop_timeout(const struct loop *loop)
{
    int64_t first = timers_first(&loop->timers);
    int64_t left;

    if (loop->woken)
        return 0;
    if (first == INT64_MAX)
        return -1;
    left = first - loop_now(loop);
    if (left < 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

void
loop_run(struct loop *loop)
{
    struct epoll_event events[EVENTS_MAX];

    loop->is_stopping = false;
    while (!loop->is_stopping) {
        int count =
            epoll_wait(loop->epoll, events, EVENTS_MAX, loop_timeout(loop));

        loop->now = clock_ms();
        for (int i = 0; i < count; i++)
            loop_handle_event(loop, &events[i]);
        loop_run_woken(loop);
        timers_run(&loop->timers, loop->now);
    }
    loop->now = 0;
}

void
loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

bool
loop_watch(struct loop *loop, int descriptor, struct loop_watch *watch,
           uint32_t events)
{
    struct slot *slot = loop_slot(loop, descriptor);
    int error = loop_register(loop, descriptor, events);

    if (error) {
        errno = error;
        return false;
    }
    slot->watch = watch;
    return true;
}

void
loop_unwatch(struct loop *loop, int descriptor)
{
    struct slot *slot = loop_slot(loop, descriptor);

    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, descriptor, NULL);
    *slot = (struct slot){.generation = slot->generation + 1};
}

void
loop_close(struct loop *loop, int descriptor)
{
    struct slot *slot = loop_slot(loop, descriptor);

    *slot = (struct slot){.generation = slot->generation + 1};
    close(descriptor);
}

bool
loop_has_input(const struct loop *loop, int descriptor)
{
    const struct slot *slot = loop_slot(loop, descriptor);

    return (slot->ready & (EPOLLIN | LOOP_CLIENT_GONE)) != 0;
}

void
loop_set_timer(struct loop *loop, struct timer *timer, int64_t at)
{
    timers_set(&loop->timers, timer, at);
}

void
loop_clear_timer(struct loop *loop, struct timer *timer)
{
    timers_clear(&loop->timers, timer);
}

void
loop_forget_input(struct loop *loop, int descriptor)
{
    struct slot *slot = loop_slot(loop, descriptor);

    slot->ready &= ~(uint32_t)EPOLLIN;
}

void
loop_forget_output(struct loop *loop, int descriptor)
{
    struct slot *slot = loop_slot(loop, descriptor);

    slot->ready &= ~(uint32_t)EPOLLOUT;
}
