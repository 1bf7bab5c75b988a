/* SPDX-License-Identifier: ISC */
/*
 * thread_pool.h - a thread pool: threads take descriptors from a queue and
 * handle them. Threads start when jobs wait, and end when there is no work.
 */
#ifndef POSTERN_ENGINE_THREAD_POOL_H
#define POSTERN_ENGINE_THREAD_POOL_H

#include <sys/queue.h>

#include "base/base.h"
#include "base/error.h"

/* A descriptor to handle. It belongs to the pool from thread_pool_submit()
 * until on_done() is called. */
struct thread_pool_job {
    int descriptor;
    void *owner; /* the submitter's, for on_done() */
    TAILQ_ENTRY(thread_pool_job) link;
};

TAILQ_HEAD(thread_pool_list, thread_pool_job);

/* What the threads do. All of these are called in the thread itself. */
struct thread_pool_work {
    void *context;

    /* Make a thread's own state. NULL: that failed, and the thread ends
     * without taking a job. */
    void *(*new_state)(void *context);

    /* Handle a job. Returns true when the descriptor can be submitted again,
     * false when it has been closed. */
    bool (*handle)(void *state, int descriptor);

    void (*free_state)(void *state);
};

/* Who owns the jobs. Both functions are called without any lock held. */
struct thread_pool_owner {
    void *owner;

    /* A job is finished; is_open as handle() returned it. */
    void (*on_done)(void *owner, struct thread_pool_job *job, bool is_open);

    /* A thread is ready for thread_pool_join(). */
    void (*on_thread_end)(void *owner);
};

struct thread_pool;

/*
 * Make a pool; no thread starts yet.
 *   threads_max   1 or more
 *   idle_timeout  seconds after which a thread without work ends
 *   work, owner   copied
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
thread_pool_new(struct thread_pool **out, size_t threads_max,
                int64_t idle_timeout, const struct thread_pool_work *work,
                const struct thread_pool_owner *owner);

/* Free the pool; all threads must be joined and no job may wait. */
void thread_pool_free(struct thread_pool **pool);

/* Queue a job. Jobs are handled first come, first served. */
void thread_pool_submit(struct thread_pool *pool, struct thread_pool_job *job);

/*
 * Start a thread if a job waits and none could be started before. Returns
 * false when that fails again: call this again soon. If no thread at all
 * could be started for two seconds, the jobs that wait are closed and
 * on_done() is called for them, so that the web server can ask another
 * process.
 */
bool thread_pool_ensure(struct thread_pool *pool);

/* Threads end as soon as no job waits. */
void thread_pool_shutdown(struct thread_pool *pool);

/*
 * Join the threads that have ended.
 * Returns how many threads and waiting jobs are left.
 */
size_t thread_pool_join(struct thread_pool *pool);

/*
 * Shut down the descriptors of the jobs in progress, so that no thread waits
 * for the other end. Close the jobs that wait; on_done() is called for these.
 */
void thread_pool_abort(struct thread_pool *pool);

#endif
