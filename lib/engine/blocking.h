/* SPDX-License-Identifier: ISC */
/*
 * blocking.h - run functions that may block (name resolution, files, a write
 * lock) in threads of their own, and wait for each with a deadline.
 */
#ifndef POSTERN_ENGINE_BLOCKING_H
#define POSTERN_ENGINE_BLOCKING_H

#include "base/base.h"
#include "base/error.h"

struct blocking_pool;

/* One call. */
struct blocking_call {
    void (*run)(void *argument);     /* in a thread of the pool */
    void (*release)(void *argument); /* free the argument; in any thread */
    void *argument;
};

enum blocking_result {
    BLOCKING_DONE,      /* it has run: the argument is the caller's again */
    BLOCKING_CANCELLED, /* at the deadline, before it began: never run */
    BLOCKING_ABANDONED, /* at the deadline, while it ran: it may still finish */
    BLOCKING_REFUSED,   /* too many wait already: never run */
};

/*
 * Make a pool. Its threads start with the first call.
 *   threads  1 for calls that must not run side by side
 *   waiting  calls that may wait for a thread
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err blocking_pool_new(struct blocking_pool **out,
                                            size_t threads, size_t waiting);

/* Run what was posted, wait for what runs, however long that takes, and free
 * the pool. Nobody may be waiting in blocking_pool_run(). */
void blocking_pool_free(struct blocking_pool **pool);

/*
 * Wait until no call waits or runs; not in a fiber.
 *   deadline  of clock_ms()
 * Returns false at the deadline. Then a thread may hang, and so would
 * blocking_pool_free().
 */
PST_MUST_USE bool blocking_pool_drain(struct blocking_pool *pool,
                                      int64_t deadline);

/*
 * Run a function in the pool and wait until it has finished. In a fiber, the
 * loop runs other fibers meanwhile.
 *   call      copied; the argument belongs to the pool, which releases it,
 *             unless the result is BLOCKING_DONE
 *   deadline  of clock_ms()
 */
PST_MUST_USE enum blocking_result
blocking_pool_run(struct blocking_pool *pool, const struct blocking_call *call,
                  int64_t deadline);

/*
 * Run a function in the pool some time later; nobody waits for it. The pool
 * releases the argument.
 * Returns false, and never runs it, when half of the calls that may wait do so
 * already: the other half is kept for blocking_pool_run().
 */
bool blocking_pool_post(struct blocking_pool *pool,
                        const struct blocking_call *call);

#endif
