/* SPDX-License-Identifier: ISC */
/*
 * lock_queue.h - the queue of one process for each lock: its fibers and threads
 * get the lock one after another, in the order in which they asked for it. So
 * only the first of them competes with other processes.
 */
#ifndef POSTERN_STORE_LOCK_QUEUE_H
#define POSTERN_STORE_LOCK_QUEUE_H

#include <sys/queue.h>

#include "base/base.h"
#include "engine/loop.h"
#include "engine/wait.h"
#include "store/store.h"

/* A place in a queue, in its owner's storage, which must not move. */
struct lock_place {
    struct store_id id;
    bool is_first;     /* guarded by the lock of the queues */
    struct loop *loop; /* of the fiber that waits; NULL: a thread waits */
    struct fiber *fiber;
    struct loop_task wake;
    bool has_woken; /* `wake` has run, in the loop's thread */
    TAILQ_ENTRY(lock_place) link;
};

/*
 * Enter the queue of an id, and wait until it is our turn. In a fiber, the loop
 * runs other fibers meanwhile.
 *   has_waited  set: somebody was there before
 * Returns 0: call lock_queue_leave(). ETIMEDOUT or ECANCELED, as limit says:
 * the place was left.
 */
PST_MUST_USE int lock_queue_enter(struct lock_place *place,
                                  const struct store_id *id,
                                  const struct wait_limit *limit,
                                  bool *has_waited);

/* Leave: the next one's turn has come. */
void lock_queue_leave(struct lock_place *place);

#endif
