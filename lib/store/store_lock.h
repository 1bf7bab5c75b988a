/* SPDX-License-Identifier: ISC */
/*
 * store_lock.h - locks in the store: at most one fiber, thread, process and,
 * with Redis, machine at a time holds the lock on an id.
 *
 * Within a process, the lock is handed over in the order of the requests
 * (store/lock_queue.h). The first of each process competes with those of other
 * processes; none of them can take the lock twice while another waits.
 *
 * A holder that dies frees the lock: with LMDB at once, since the kernel does
 * so; with Redis within LOCK_LEASE_MS, since nobody renews its lease.
 */
#ifndef POSTERN_STORE_STORE_LOCK_H
#define POSTERN_STORE_STORE_LOCK_H

#include "base/base.h"
#include "base/error.h"
#include "engine/wait.h"
#include "store/lock_queue.h"
#include "store/store.h"

/* Milliseconds of a lease in Redis. Its holder renews it three times as often.
 */
#define LOCK_LEASE_MS 1000

/* A lock, in its holder's storage, which must not move. Zero at first. */
struct store_lock {
    struct store *store; /* NULL: not held */
    struct lock_place place;

    /* LMDB: holds the byte of the next one. */
    bool is_next;

    /* Redis. */
    uint8_t token[16];
    bool is_known; /* the server may know the token */

    /* Redis, guarded by store/redis_lease.c. */
    bool is_leased;
    bool is_renewed;     /* in this round */
    int64_t valid_until; /* of clock_ms() */
    TAILQ_ENTRY(store_lock) link;
};

/*
 * Wait until the lock is ours.
 *   lock        not held; release it on PST_OK
 *   has_waited  set: it was not free
 * Returns PST_OK; PST_OVERLOADED at the deadline; PST_CLIENT_GONE;
 * PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_lock_acquire(struct store *store,
                                             struct store_lock *lock,
                                             const struct store_id *id,
                                             const struct wait_limit *limit,
                                             bool *has_waited);

/* Is it certain that nobody else can have the lock now? A lease of Redis may
 * have run out, where this process was stopped for a while. */
bool store_lock_is_held(const struct store_lock *lock);

/* Release a lock; does nothing if it is not held. */
void store_lock_release(struct store_lock *lock);

#endif
