/* SPDX-License-Identifier: ISC */
/*
 * loop.h - an event loop: one thread that runs fibers, and lets each go on when
 * its descriptor is ready or its deadline has come.
 *
 * Handlers do not use it; they call engine/wait.h.
 */
#ifndef POSTERN_ENGINE_LOOP_H
#define POSTERN_ENGINE_LOOP_H

#include <sys/epoll.h>

#include "base/base.h"
#include "base/error.h"
#include "engine/fiber.h"
#include "engine/timers.h"

struct loop;
struct loop_task;

/* A function that is called, outside of fibers, when a descriptor is ready. */
struct loop_watch {
    void (*on_event)(struct loop_watch *watch, uint32_t events); /* epoll's */
    void *owner; /* the caller's, for on_event() */
};

/*
 * Make a loop for the calling thread; from then on loop_current() returns it
 * there. Descriptors up to the limit of open files (RLIMIT_NOFILE) can be
 * watched.
 * Returns PST_OK or PST_NO_MEMORY (no descriptors, too).
 */
PST_MUST_USE enum pst_err loop_new(struct loop **out);

/* Free a loop without fibers in a function. In the thread that made it. */
void loop_free(struct loop **loop);

/* The loop of this thread; NULL: it has none. */
struct loop *loop_current(void);

/* Run until loop_stop(). */
void loop_run(struct loop *loop);

/* What clock_ms() was when the descriptors that are handled now were found
 * ready. Outside of loop_run(): what it is. */
int64_t loop_now(const struct loop *loop);

/* Let loop_run() return. In the loop's thread. */
void loop_stop(struct loop *loop);

/* Run a task soon in the loop's thread, after those that were sent before. Any
 * thread may call this. */
void loop_notify(struct loop *loop, struct loop_task *task);

/* A call to make in a loop's thread; zero at first, in its owner's storage. It
 * can be notified again once run() was called. */
struct loop_task {
    void (*run)(struct loop_task *task);
    void *owner; /* the caller's, for run() */
    struct loop_task *next;
    bool is_queued;
};

/*
 * Start a fiber, which runs at once until it waits.
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err loop_start_fiber(struct loop *loop, fiber_fn *fn,
                                           void *argument);

/* Free fibers that are in no function until `count` are left. The others are
 * kept for later. */
void loop_free_idle_fibers(struct loop *loop, size_t count);

/* How many fibers are in a function. */
size_t loop_fiber_count(const struct loop *loop);

/* Let a fiber that waits go on soon. In the loop's thread. Its wait may then
 * be spurious. */
void loop_wake_fiber(struct loop *loop, struct fiber *fiber);

/*
 * Watch a descriptor: on_event() is called for each event while no fiber waits
 * for the descriptor.
 *   events  epoll's; EPOLLET for all but listening sockets
 * Returns false, with errno set, when it cannot be watched.
 */
PST_MUST_USE bool loop_watch(struct loop *loop, int descriptor,
                             struct loop_watch *watch, uint32_t events);

/* Stop watching; it stays open. */
void loop_unwatch(struct loop *loop, int descriptor);

/* Has the descriptor bytes to read, or has it failed, as far as is known? */
bool loop_has_input(const struct loop *loop, int descriptor);

/* Timers that may be set at a time, beside those of the fibers. */
#define LOOP_TIMERS_MAX 64

/* Set and clear a timer (engine/timers.h). */
void loop_set_timer(struct loop *loop, struct timer *timer, int64_t at);
void loop_clear_timer(struct loop *loop, struct timer *timer);

/*
 * The functions behind engine/wait.h, in a fiber.
 *
 * loop_wait() suspends the fiber until the descriptor has one of the events,
 * the client hangs up, or the deadline comes.
 *   descriptor  -1: none
 *   events      EPOLLIN or EPOLLOUT
 *   client      -1: none
 * Returns 0, ETIMEDOUT or ECANCELED, or why the descriptor cannot be watched.
 *
 * loop_forget_input() notes that there was nothing more to read, and
 * loop_forget_output() that there was no room to write: the next loop_wait()
 * waits until epoll reports that again.
 */
PST_MUST_USE int loop_wait(struct loop *loop, int descriptor, uint32_t events,
                           int client, int64_t deadline);
void loop_forget_input(struct loop *loop, int descriptor);
void loop_forget_output(struct loop *loop, int descriptor);

/*
 * As if a client had hung up: fibers that wait with it as their client get
 * ECANCELED, now and later, until loop_restore(). Not in a fiber.
 */
void loop_cancel(struct loop *loop, int client);
void loop_restore(struct loop *loop, int client);

/* Close a descriptor that the loop may know. */
void loop_close(struct loop *loop, int descriptor);

#endif
