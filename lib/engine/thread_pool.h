/* SPDX-License-Identifier: ISC */
/*
 * thread_pool.h - threads that hear what they are given: more when there is
 * more to hear, fewer when there is nothing.
 */
#ifndef POSTERN_ENGINE_THREAD_POOL_H
#define POSTERN_ENGINE_THREAD_POOL_H

#include <sys/queue.h>

#include "base/base.h"
#include "base/error.h"

/* What a thread hears. The giver's own until thread_pool_submit(), and again
 * when handled() is called. */
struct thread_pool_job {
    int descriptor;
    void *owner; /* whatever the giver wants to find again */
    TAILQ_ENTRY(thread_pool_job) link;
};

TAILQ_HEAD(thread_pool_list, thread_pool_job);

/* What the threads do; each gets `context`. */
struct thread_pool_work {
    void *context;

    /* A new thread's own state; NULL: it has none, and ends without taking
     * an item. Called in the thread, as the others are. */
    void *(*begin)(void *context);

    /* Returns true when the descriptor may be heard again, false when it
     * has been closed. */
    bool (*handle)(void *state, int descriptor);

    void (*end)(void *state);
};

/* Who gives, and is told; each gets `giver`. */
struct thread_pool_owner {
    void *owner;
    void (*handled)(void *owner, struct thread_pool_job *job, bool is_open);
    void (*ended)(void *owner); /* a thread is ready for thread_pool_join() */
};

struct thread_pool;

/*
 * No thread starts yet.
 *   threads_max  1 or more
 *   idle_timeout         seconds after which a thread without work ends
 *   work, owner  copied
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
thread_pool_new(struct thread_pool **out, size_t threads_max,
                int64_t idle_timeout, const struct thread_pool_work *work,
                const struct thread_pool_owner *owner);

/* Free it; no thread may be left. */
void thread_pool_free(struct thread_pool **pool);

/* Hear this as soon as a thread has time, first come first served. */
void thread_pool_submit(struct thread_pool *pool, struct thread_pool_job *job);

/*
 * See that what waits has a thread. False when one was wanted and could not
 * begin: call again soon. Where no thread at all has begun for two seconds,
 * what waits is closed (handled() is called for it): the other end may know of
 * somebody else to ask.
 */
bool thread_pool_ensure(struct thread_pool *pool);

/* Threads end as soon as nothing waits. */
void thread_pool_shutdown(struct thread_pool *pool);

/*
 * Join the threads that have ended.
 * Returns how much is left: threads, and items that wait.
 */
size_t thread_pool_join(struct thread_pool *pool);

/*
 * Shut down the descriptors that are being heard, so that nobody waits for
 * the other end any longer, and close the items that wait (handled() is called
 * for these).
 */
void thread_pool_abort(struct thread_pool *pool);

#endif
