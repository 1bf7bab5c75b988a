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

/* What a thread hears. The giver's own until crew_give(), and again when
 * heard() is called. */
struct crew_item {
    int descriptor;
    void *giver; /* whatever the giver wants to find again */
    TAILQ_ENTRY(crew_item) link;
};

TAILQ_HEAD(crew_list, crew_item);

/* What the threads do; each gets `context`. */
struct crew_work {
    void *context;

    /* A new thread's own state; NULL: it has none, and ends without taking
     * an item. Called in the thread, as the others are. */
    void *(*begin)(void *context);

    /* Returns true when the descriptor may be heard again, false when it
     * has been closed. */
    bool (*hear)(void *state, int descriptor);

    void (*end)(void *state);
};

/* Who gives, and is told; each gets `giver`. */
struct crew_giver {
    void *giver;
    void (*heard)(void *giver, struct crew_item *item, bool is_open);
    void (*ended)(void *giver); /* a thread is ready for crew_reap() */
};

struct crew;

/*
 * No thread starts yet.
 *   threads_max  1 or more
 *   idle         seconds after which a thread without work ends
 *   work, giver  copied
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err crew_new(struct crew **out, size_t threads_max,
                                   int64_t idle, const struct crew_work *work,
                                   const struct crew_giver *giver);

/* Free it; no thread may be left. */
void crew_free(struct crew **crew);

/* Hear this as soon as a thread has time, first come first served. */
void crew_give(struct crew *crew, struct crew_item *item);

/*
 * See that what waits has a thread. False when one was wanted and could not
 * begin: call again soon. Where no thread at all has begun for two seconds,
 * what waits is closed (heard() is called for it): the other end may know of
 * somebody else to ask.
 */
bool crew_call(struct crew *crew);

/* Threads end as soon as nothing waits. */
void crew_dismiss(struct crew *crew);

/*
 * Join the threads that have ended.
 * Returns how much is left: threads, and items that wait.
 */
size_t crew_reap(struct crew *crew);

/*
 * Shut down the descriptors that are being heard, so that nobody waits for
 * the other end any longer, and close the items that wait (heard() is called
 * for these).
 */
void crew_cut(struct crew *crew);

#endif
