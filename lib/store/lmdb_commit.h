/* SPDX-License-Identifier: ISC */
/*
 * lmdb_commit.h - apply changes to an LMDB folder and commit them, several at
 * once; in the thread of store/lmdb_writer.h only.
 */
#ifndef POSTERN_STORE_LMDB_COMMIT_H
#define POSTERN_STORE_LMDB_COMMIT_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "base/base.h"
#include "base/error.h"
#include "store/lmdb.h"
#include "store/lmdb_readers.h"
#include "store/store.h"

/* What is to be written. */
struct lmdb_change {
    /* Returns 0, LMDB_UNCHANGED, LMDB_NEWER_RECORD, LMDB_SHARE_FULL, or an
     * error code of LMDB. */
    int (*apply)(const struct lmdb_txn *txn, struct lmdb_change *change);
    int64_t now;
    bool grows;        /* refused when less than a tenth of the map is free:
                          that is left for revocations */
    bool applies_late; /* also when its caller has left */

    /* What apply() needs, in one block of malloc(3): it may outlive the
     * caller. NULL: there was no memory. */
    void *what;

    /* Take back what a commit after the caller had left did; NULL: that does no
     * harm. */
    int (*undo)(const struct lmdb_txn *txn, const struct lmdb_change *change);

    /* Set by apply(): what to return when nothing failed, and more. */
    enum pst_err result;
    int64_t number;
    struct store_sweep_result swept;
};

/* Which of the two came first: the commit, or the caller's departure. */
enum { LMDB_WRITE_PENDING, LMDB_WRITE_FINISHED, LMDB_WRITE_LEFT };

/* A change on its way. */
struct lmdb_write {
    struct lmdb_change change;
    uint8_t tag[LMDB_TAG_LEN];
    int rc;           /* set before the state is LMDB_WRITE_FINISHED */
    atomic_int state; /* of the enum above */

    /* For store/lmdb_writer.c. */
    struct lmdb_writer *writer;
    atomic_uint references;
    bool is_listed;
    TAILQ_ENTRY(lmdb_write) link;
};

struct lmdb_committer {
    struct lmdb_environment *environment;
    struct lmdb_readers *readers;
    struct MDB_txn *reader; /* to count free pages; NULL at first */
    unsigned commits;
};

/*
 * Apply some changes, each as a whole or not at all, and set their rc and
 * state. They are committed together; if that fails, each alone. When the map
 * is full, expired records are removed.
 */
void lmdb_commit(struct lmdb_committer *committer,
                 struct lmdb_write *const *group, size_t count);

/*
 * Make the environment usable again.
 *   rc  why it was not: LMDB_MAP_RESIZED, another process has made a larger
 *       map, which is adopted; LMDB_PANIC, after the disk has refused a write,
 *       say: unless that was done meanwhile, the files are opened again
 * Returns 0 or an error code of LMDB or errno.
 */
PST_MUST_USE int lmdb_commit_recover(struct lmdb_committer *committer, int rc);

/* The change that only removes expired records. what: a size_t, the limit. */
PST_MUST_USE int lmdb_apply_expire(const struct lmdb_txn *txn,
                                   struct lmdb_change *change);

#endif
