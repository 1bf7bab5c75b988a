/* SPDX-License-Identifier: ISC */
/*
 * store_lock.c - locks in the store: wait in the process's queue, then until no
 * other process has the lock.
 */
#include "store/store_lock.h"

#include <errno.h>

#include "base/clock.h"
#include "store/store_operations.h"

/* Milliseconds between attempts: the pause doubles with each one, and then
 * grows with the time spent waiting. The attack: many sessions, each with one
 * request that takes long and one that waits, keep the store busy with
 * attempts. */
#define RETRY_DELAY 1
#define RETRY_DELAY_MIDDLE 8
#define RETRY_DELAY_MAX 100
#define RETRY_SHARE 8 /* of the time spent waiting */

static enum pst_err
store_lock_error(int error)
{
    return error == ECANCELED ? PST_CLIENT_GONE : PST_OVERLOADED;
}

/* The pause after a pause, when so many milliseconds were spent waiting. */
static int64_t
store_lock_next_delay(int64_t delay, int64_t waited)
{
    int64_t most = waited / RETRY_SHARE;

    if (most < RETRY_DELAY_MIDDLE)
        most = RETRY_DELAY_MIDDLE;
    if (most > RETRY_DELAY_MAX)
        most = RETRY_DELAY_MAX;
    return delay * 2 < most ? delay * 2 : most;
}

/* Wait until no other process has the lock. */
static enum pst_err
store_lock_compete(struct store *store, struct store_lock *lock,
                   const struct wait_limit *limit, bool *has_waited)
{
    int64_t begun = clock_ms();
    int64_t delay = RETRY_DELAY;
    enum pst_err e;

    while ((e = store->backend->lock(store, lock)) == PST_OVERLOADED) {
        int64_t now = clock_ms();
        struct wait_limit pause = {now + delay, limit->client};
        int error = now < limit->deadline ? wait_until(&pause) : ETIMEDOUT;

        if (error) {
            e = store_lock_error(error);
            break;
        }
        *has_waited = true;
        delay = store_lock_next_delay(delay, now - begun);
    }
    if (e)
        store->backend->unlock(store, lock);
    return e;
}

enum pst_err
store_lock_acquire(struct store *store, struct store_lock *lock,
                   const struct store_id *id, const struct wait_limit *limit,
                   bool *has_waited)
{
    int error;
    enum pst_err e;

    PST_REQUIRE(!lock->store);
    error = lock_queue_enter(&lock->place, id, limit, has_waited);
    if (error)
        return store_lock_error(error);
    e = store_lock_compete(store, lock, limit, has_waited);
    if (e)
        lock_queue_leave(&lock->place);
    else
        lock->store = store;
    return e;
}

bool
store_lock_is_held(const struct store_lock *lock)
{
    return lock->store && lock->store->backend->is_locked(lock);
}

void
store_lock_release(struct store_lock *lock)
{
    if (!lock->store)
        return;
    lock->store->backend->unlock(lock->store, lock);
    lock->store = NULL;
    lock_queue_leave(&lock->place);
}
