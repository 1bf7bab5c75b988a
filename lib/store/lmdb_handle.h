/* SPDX-License-Identifier: ISC */
/*
 * lmdb_handle.h - a store handle on an LMDB folder: it opens the folder, again
 * when that failed, and runs reads and writes as transactions.
 *
 * A read runs in the calling fiber. It takes no lock, needs no system call, and
 * must not span a wait: nothing between lmdb_read_begin() and lmdb_read_end()
 * may switch fibers. Only the adoption of a larger map waits, before the read.
 *
 * A write waits for the writer thread (store/lmdb_writer.h), a second at most.
 * It is on the disk (fdatasync) before it returns, so a revocation survives a
 * power cut, and kill -9 of any process. A writer that dies leaves no changes
 * behind; the next writer takes over its lock.
 *
 * Fibers share a handle. What belongs to one call is in its own variables, and
 * a call sets the error after its last wait.
 */
#ifndef POSTERN_STORE_LMDB_HANDLE_H
#define POSTERN_STORE_LMDB_HANDLE_H

#include "base/base.h"
#include "base/error.h"
#include "server/store_url.h"
#include "store/lmdb.h"
#include "store/lmdb_commit.h"
#include "store/store_operations.h"

/* Its first member is its struct store. */
struct lmdb_handle;

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
 * records and try again once. change->what is freed.
 * Returns change->result or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err lmdb_write(struct lmdb_handle *handle,
                                     struct lmdb_change *change);

/* The same, but return at once; it may fail unnoticed. */
void lmdb_write_later(struct lmdb_handle *handle,
                      const struct lmdb_change *change);

/*
 * The file for locks in the folder, which stays open as long as the handle.
 *   descriptor  set on PST_OK
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err lmdb_handle_lock_file(struct lmdb_handle *handle,
                                                int *descriptor);

/* Set the error by a code of this folder, LMDB's or the system's. Returns
 * PST_STORE_DOWN, always. */
enum pst_err lmdb_set_error(struct lmdb_handle *handle, int rc);

/* Is less than a fifth of the map free? Only after a successful write. */
bool lmdb_is_nearly_full(struct lmdb_handle *handle);

#endif
