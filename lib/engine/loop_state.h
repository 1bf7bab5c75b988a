/* SPDX-License-Identifier: ISC */
/*
 * loop_state.h - the inside of an event loop, for engine/loop.c and
 * engine/loop_fiber.c only.
 */
#ifndef POSTERN_ENGINE_LOOP_STATE_H
#define POSTERN_ENGINE_LOOP_STATE_H

#include <pthread.h>

#include "engine/loop.h"

#define LOOP_CLIENT_GONE (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

/* What the loop knows of a descriptor. */
struct slot {
    struct loop_fiber *fiber;  /* waits until it is ready */
    struct loop_fiber *client; /* waits, and its client is this descriptor */
    struct loop_watch *watch;
    bool is_cancelled;   /* its request is; see loop_cancel() */
    uint32_t wanted;     /* the events that `fiber` waits for */
    uint32_t ready;      /* events since somebody found that there is no more */
    uint32_t registered; /* with epoll; 0: not */
    uint32_t generation; /* grows when the descriptor is closed or no longer
                            watched: events of older ones are ignored */
};

/* A fiber and its wait. */
struct loop_fiber {
    struct fiber *fiber;
    struct loop *loop;
    struct timer timer;
    bool is_expired;      /* the timer has expired */
    unsigned quick_waits; /* one after the other that were over at once */
    bool is_woken;        /* it is in loop->woken */
    struct loop_fiber *next_woken;
    struct loop_fiber *next_idle;
};

struct loop {
    int epoll;
    int event; /* an eventfd: tasks have come from other threads */
    bool is_stopping;
    int64_t now; /* clock_ms() when this turn began; 0: it does not run */
    struct slot *slots;
    size_t slot_count;
    struct timers timers;
    struct loop_fiber *idle;
    size_t idle_count;
    size_t busy_count;
    struct loop_fiber *woken; /* oldest first */
    struct loop_fiber **woken_end;
    pthread_mutex_t lock;    /* guards `tasks` */
    struct loop_task *tasks; /* oldest first */
    struct loop_task **tasks_end;
};

/* The slot of a descriptor. Those above the limit share one, which is never
 * registered. */
struct slot *loop_slot(const struct loop *loop, int descriptor);

/* Register a descriptor with epoll for these events too. Returns 0 or an
 * errno. */
PST_MUST_USE int loop_register(struct loop *loop, int descriptor,
                               uint32_t events);

/* Let a fiber go on. When its function has returned, it is kept for another
 * one. */
void loop_run_fiber(struct loop *loop, struct loop_fiber *fiber);

/* Let those that were woken so far go on. */
void loop_run_woken(struct loop *loop);

#endif
