/* SPDX-License-Identifier: ISC */
/*
 * redis_lease.h - renew the leases that this process holds in Redis, in a
 * thread with a connection of its own: so a program that waits for the backend
 * as plain CGI keeps its lease, too. All of them are in one Redis.
 */
#ifndef POSTERN_STORE_REDIS_LEASE_H
#define POSTERN_STORE_REDIS_LEASE_H

#include "base/base.h"
#include "base/error.h"
#include "store/store_lock.h"
#include "store/store_operations.h"

/* The kind of a lease's key: see redis_key_make(). */
#define REDIS_LEASE_KIND "order"

/* A handle is opened, or closed. With the last one, the thread ends. */
void redis_lease_open(void);
void redis_lease_close(void);

/*
 * Renew the lease of a lock until redis_lease_remove(), or until it turns out
 * to be lost.
 *   lock  its token and valid_until are set; must not move
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err redis_lease_add(struct store *store,
                                          struct store_lock *lock);

/* Does nothing for one that was not added. */
void redis_lease_remove(struct store_lock *lock);

/* Until when the lease is certainly ours: of clock_ms(). */
int64_t redis_lease_end(const struct store_lock *lock);

#endif
