/* SPDX-License-Identifier: ISC */
/*
 * store_operations.h - the interface that an implementation of a store (LMDB,
 * Redis) provides: a table of functions behind store/store.h.
 */
#ifndef POSTERN_STORE_STORE_OPERATIONS_H
#define POSTERN_STORE_STORE_OPERATIONS_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "server/store_url.h"
#include "store/store.h"

/* A session that is revoked. */
struct store_revocation {
    const struct store_id *sid;
    const struct store_id *subject; /* NULL: a guest, or unknown */
    int64_t expires;
    int64_t now;
};

/* A sealed session, or the sealed tokens of one. */
struct store_spill {
    const struct store_id *sid;
    struct pst_bytes blob; /* not for spill_get */
    int64_t expires;       /* likewise */
    int64_t now;
    bool only_replace; /* store_spill_replace(), store_tokens_replace() */
    bool is_tokens;    /* store_tokens_…() */
};

struct store_lock; /* store/store_lock.h */

/* store_session_walk() */
struct store_walk {
    const struct store_id *subject; /* NULL: all users */
    int64_t now;
    store_session_fn *callback;
    void *context;
};

/* Each function keeps the promises of the function of the same name in
 * store/store.h. Arguments were checked. */
struct store_operations {
    enum pst_err (*open)(struct store **out, const struct store_url *url);
    void (*close)(struct store *store);
    enum pst_err (*ping)(struct store *store, int64_t now);
    enum pst_err (*check)(struct store *store, const struct store_id *sid,
                          const struct store_id *subject, int64_t iat);
    enum pst_err (*revoke)(struct store *store,
                           const struct store_revocation *revocation);
    enum pst_err (*revoke_all)(struct store *store,
                               const struct store_id *subject, int64_t now,
                               int64_t *since);
    enum pst_err (*replace)(struct store *store,
                            const struct store_replacement *replacement,
                            int64_t *since);
    enum pst_err (*session_touch)(struct store *store,
                                  const struct store_use *use);
    enum pst_err (*session_walk)(struct store *store,
                                 const struct store_walk *walk);
    enum pst_err (*spill_put)(struct store *store,
                              const struct store_spill *spill);
    enum pst_err (*spill_get)(struct store *store,
                              const struct store_spill *spill,
                              struct pst_arena *arena, struct pst_bytes *blob);
    enum pst_err (*acquire)(struct store *store,
                            const struct store_counters *counters,
                            int64_t *retry_after);
    /* in_use: how many of the counters were not empty */
    enum pst_err (*refund)(struct store *store,
                           const struct store_counters *counters,
                           int64_t *in_use);
    /* Lock for this process, as store_lock_acquire() does, but without waiting:
     * PST_OVERLOADED, when another one has the lock. Its fibers and threads
     * never do so at the same time for one id. */
    enum pst_err (*lock)(struct store *store, struct store_lock *lock);
    bool (*is_locked)(const struct store_lock *lock);
    /* After lock(), whatever it returned. */
    void (*unlock)(struct store *store, struct store_lock *lock);
    enum pst_err (*sweep)(struct store *store, size_t limit, int64_t now,
                          struct store_sweep_result *swept);
};

extern const struct store_operations store_lmdb;  /* store/lmdb_store.c */
extern const struct store_operations store_redis; /* store/redis_store.c */

/* Bytes of what store_error() returns. */
#define STORE_ERROR_MAX 320

/* The first member of the handle of every implementation. */
struct store {
    const struct store_operations *backend;
    char audience[PST_AUDIENCE_MAX + 1]; /* filled after open() */
    size_t audience_len;
    uint8_t tag[8]; /* a hash of the audience; filled after open() */
    char error[STORE_ERROR_MAX];
};

/*
 * Set what store_error() returns. Fibers share the handle, so each call that
 * fails sets it, after its last wait: then it is still there when the caller
 * reads it.
 * Returns PST_STORE_DOWN, always.
 */
enum pst_err store_set_error(struct store *store, const char *format, ...)
    PST_PRINTF(2, 3);

#endif
