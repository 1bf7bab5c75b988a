/* SPDX-License-Identifier: ISC */
/*
 * lmdb_handle.h - a store handle on an LMDB folder: it opens the folder, again
 * when that failed, and runs reads and writes as transactions.
 *
 * A read takes no lock and needs no system call. A write is on the disk
 * (fdatasync) before it returns, so a revocation survives a power cut, and
 * kill -9 of any process. A writer that dies leaves no changes behind; the
 * next writer takes over its lock.
 */
#ifndef POSTERN_STORE_LMDB_HANDLE_H
#define POSTERN_STORE_LMDB_HANDLE_H

#include "base/base.h"
#include "base/error.h"
#include "server/store_url.h"
#include "store/lmdb.h"
#include "store/lmdb_expiry.h"
#include "store/store_operations.h"

/* Results of an apply function, beside 0 and the error codes of LMDB; neither
 * LMDB nor errno uses them. There is nothing to commit; and: a newer program
 * wrote the record that this change has to read. */
#define LMDB_UNCHANGED (-1)
#define LMDB_NEWER_RECORD (-2)

/* Its first member is its struct store. */
struct lmdb_handle;

/* One write. */
struct lmdb_change {
    int (*apply)(const struct lmdb_txn *txn, struct lmdb_change *change);
    int64_t now;
    bool grows;       /* refused when less than a tenth of the map is free:
                         that is left for revocations */
    const void *what; /* for apply() */

    /* Set by apply(): what to return when nothing failed, and more. */
    enum pst_err result;
    int64_t number;
    struct store_sweep_result swept;
};

/*
 * Make a handle, and open the folder if that is possible now.
 *   url  STORE_LMDB; copied
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err lmdb_handle_new(struct lmdb_handle **out,
                                          const struct store_url *url);
void lmdb_handle_free(struct lmdb_handle *handle);

struct store *lmdb_handle_base(struct lmdb_handle *handle);
struct lmdb_handle *lmdb_handle_from_base(struct store *store);

/*
 * Begin to read.
 *   txn  set on PST_OK; then lmdb_read_end() must follow
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err lmdb_read_begin(struct lmdb_handle *handle,
                                          struct lmdb_txn *txn);

/* End a read. Returns result when rc is 0, else PST_STORE_DOWN. */
PST_MUST_USE enum pst_err lmdb_read_end(struct lmdb_handle *handle, int rc,
                                        enum pst_err result);

/*
 * Apply a change as a whole or not at all. When the map is full, remove expired
 * records and try again once.
 * Returns change->result or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err lmdb_write(struct lmdb_handle *handle,
                                     struct lmdb_change *change);

/* store_sweep() */
PST_MUST_USE enum pst_err lmdb_sweep(struct lmdb_handle *handle, size_t limit,
                                     int64_t now,
                                     struct store_sweep_result *swept);

/* Is less than a fifth of the map free? Only after a successful write. */
bool lmdb_is_nearly_full(struct lmdb_handle *handle);

#endif
