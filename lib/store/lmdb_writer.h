/* SPDX-License-Identifier: ISC */
/*
 * lmdb_writer.h - the thread that makes all changes to an LMDB folder, and the
 * deadline of each.
 *
 * LMDB waits without limit for the lock of the writers. When another process
 * stops while it holds that lock, this thread hangs, and those who wait for it
 * leave at their deadline. Changes that wait for the lock at the same time are
 * committed together, each as a whole or not at all.
 *
 * A caller that left has got an error for its change. So a change that was
 * not applied yet is dropped then, unless it says `applies_late`. There is one
 * moment when that is too late: while the disk confirms the commit. A change
 * that may do harm then has `undo`.
 */
#ifndef POSTERN_STORE_LMDB_WRITER_H
#define POSTERN_STORE_LMDB_WRITER_H

#include "base/base.h"
#include "store/lmdb_commit.h"
#include "store/lmdb_readers.h"

struct lmdb_writer;

/*
 * Make a writer. Its thread starts with the first change.
 *   environment, readers  outlive it
 * Returns 0 or an errno.
 */
PST_MUST_USE int lmdb_writer_new(struct lmdb_writer **out,
                                 struct lmdb_environment *environment,
                                 struct lmdb_readers *readers);

/* Apply what was posted, and free the writer. Returns false, and frees nothing,
 * when that does not end soon: the thread hangs. */
PST_MUST_USE bool lmdb_writer_free(struct lmdb_writer **writer);

/*
 * Apply a change as a whole or not at all, and wait for it. When the map is
 * full, remove expired records and try again once.
 *   tag     LMDB_TAG_LEN bytes; copied
 *   change  copied, and its results are copied back; change->what is freed
 * Returns 0, LMDB_LATE, LMDB_BUSY, LMDB_NEWER_RECORD, an error code of LMDB or
 * an errno.
 */
PST_MUST_USE int lmdb_writer_run(struct lmdb_writer *writer, const uint8_t *tag,
                                 struct lmdb_change *change);

/* The same, but nobody waits for it or hears of an error. It is dropped when
 * many changes wait. */
void lmdb_writer_post(struct lmdb_writer *writer, const uint8_t *tag,
                      const struct lmdb_change *change);

/* As lmdb_commit_recover(), and wait for that. Returns as lmdb_writer_run(). */
PST_MUST_USE int lmdb_writer_recover(struct lmdb_writer *writer, int rc);

#endif
