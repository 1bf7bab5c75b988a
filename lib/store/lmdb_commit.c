/* SPDX-License-Identifier: ISC */
/*
 * lmdb_commit.c - apply changes to an LMDB folder and commit them, several at
 * once.
 */
#include "store/lmdb_commit.h"

#include <string.h>

#include "store/lmdb_expiry.h"

/* Entries of the expiry index that each write looks at: more than it adds. */
#define EXPIRE_PER_WRITE 8

/* Commits after which to look for readers that were killed: the file grows
 * while they keep pages. */
#define CHECK_READERS_EVERY 256

/* Entries to look at to make room in a full map. */
#define EXPIRE_WHEN_FULL 512

/* Would nobody want this change any more? */
static bool
commit_is_unwanted(struct lmdb_write *write)
{
    return !write->change.applies_late &&
           atomic_load(&write->state) == LMDB_WRITE_LEFT;
}

static struct lmdb_txn
commit_txn(const struct lmdb_committer *committer,
           const struct lmdb_write *write, struct MDB_txn *handle)
{
    return (struct lmdb_txn){.environment = committer->environment,
                             .handle = handle,
                             .tag = write->tag,
                             .now = write->change.now};
}

int
lmdb_apply_expire(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const size_t *limit = change->what;

    return lmdb_expire(txn, *limit, &change->swept);
}

/* Apply a change; then remove a few expired records. */
static int
commit_apply(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    struct store_sweep_result ignored = {0, 0};
    int rc;

    change->result = PST_OK;
    change->number = 0;
    change->swept = (struct store_sweep_result){0, 0};
    rc = change->apply(txn, change);
    if (rc == 0 && change->apply != lmdb_apply_expire)
        rc = lmdb_expire(txn, EXPIRE_PER_WRITE, &ignored);
    return rc;
}

/* Is there room for what these changes add? Returns 0 or LMDB_MAP_FULL. */
static int
commit_check_room(struct lmdb_committer *committer,
                  struct lmdb_write *const *group, size_t count)
{
    size_t tenths = 1;
    bool grows = false;
    int rc = 0;

    for (size_t i = 0; i < count; i++)
        grows = grows || group[i]->change.grows;
    if (grows)
        rc = lmdb_free_tenths(committer->environment, &committer->reader,
                              &tenths);
    return rc == 0 && tenths == 0 ? LMDB_MAP_FULL : rc;
}

/* Apply some changes in one transaction. If one fails, none is applied, and its
 * error is returned. */
static int
commit_try(struct lmdb_committer *committer, struct lmdb_write *const *group,
           size_t count)
{
    struct MDB_txn *handle;
    bool is_changed = false;
    int rc = commit_check_room(committer, group, count);

    if (rc == 0)
        rc = lmdb_write_begin(committer->environment, &handle);
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++) {
        struct lmdb_txn txn = commit_txn(committer, group[i], handle);

        group[i]->rc = LMDB_LATE;
        if (commit_is_unwanted(group[i]))
            continue;
        rc = commit_apply(&txn, &group[i]->change);
        if (rc != 0 && rc != LMDB_UNCHANGED) {
            lmdb_write_abort(handle);
            return rc;
        }
        group[i]->rc = 0;
        is_changed = is_changed || rc == 0;
    }
    if (is_changed)
        return lmdb_write_commit(handle);
    lmdb_write_abort(handle);
    return 0;
}

static int
commit_adopt_map(struct lmdb_committer *committer)
{
    int rc;

    lmdb_readers_stop(committer->readers);
    rc = lmdb_environment_adopt_map(committer->environment);
    lmdb_readers_resume(committer->readers);
    return rc;
}

/* Nobody waits for the disk: meanwhile, the environment is lost to those who
 * read it. */
static int
commit_reopen(struct lmdb_committer *committer)
{
    struct lmdb_environment *environment = committer->environment;
    struct lmdb_environment opened;
    int rc;

    lmdb_readers_stop(committer->readers);
    environment->is_lost = true;
    lmdb_readers_end(committer->readers);
    lmdb_readers_resume(committer->readers);
    lmdb_reader_free(committer->reader);
    committer->reader = NULL;
    lmdb_environment_close(environment);
    rc = lmdb_environment_open(&opened, environment->folder,
                               environment->map_size);
    if (rc)
        return rc;
    lmdb_readers_stop(committer->readers);
    *environment = opened;
    lmdb_readers_resume(committer->readers);
    return 0;
}

int
lmdb_commit_recover(struct lmdb_committer *committer, int rc)
{
    if (rc == LMDB_MAP_RESIZED)
        return commit_adopt_map(committer);
    rc = lmdb_reader_begin(committer->environment, &committer->reader);
    if (rc == 0)
        lmdb_reader_end(committer->reader);
    return rc == LMDB_PANIC ? commit_reopen(committer) : rc;
}

static int
commit_try_again(struct lmdb_committer *committer,
                 struct lmdb_write *const *group, size_t count)
{
    int rc = commit_try(committer, group, count);

    if (rc != LMDB_MAP_RESIZED && rc != LMDB_PANIC)
        return rc;
    rc = lmdb_commit_recover(committer, rc);
    return rc ? rc : commit_try(committer, group, count);
}

/* Remove expired records, and the slots of readers that were killed: they keep
 * the pages that they saw. Returns whether it may have helped. */
static bool
commit_make_room(struct lmdb_committer *committer,
                 const struct lmdb_write *write)
{
    size_t limit = EXPIRE_WHEN_FULL;
    struct lmdb_write expire = {.change = {.apply = lmdb_apply_expire,
                                           .now = write->change.now,
                                           .applies_late = true,
                                           .what = &limit}};
    struct lmdb_write *const group[] = {&expire};
    bool is_freed = lmdb_check_readers(committer->environment);

    memcpy(expire.tag, write->tag, LMDB_TAG_LEN);
    /* Entries of deleted records use room as well. */
    return (commit_try(committer, group, 1) == 0 &&
            expire.change.swept.examined > 0) ||
           is_freed;
}

/*
 * The caller left while the disk confirmed the change: take it back. If that
 * fails, what is left expires by itself.
 */
static void
commit_undo(struct lmdb_committer *committer, const struct lmdb_write *write)
{
    struct MDB_txn *handle;
    struct lmdb_txn txn;
    int rc = lmdb_write_begin(committer->environment, &handle);

    if (rc)
        return;
    txn = commit_txn(committer, write, handle);
    rc = write->change.undo(&txn, &write->change);
    if (rc == 0)
        rc = lmdb_write_commit(handle);
    else
        lmdb_write_abort(handle);
    (void)rc;
}

/* Returns whether the caller had left. */
static bool
commit_finish(struct lmdb_write *write)
{
    return atomic_exchange(&write->state, LMDB_WRITE_FINISHED) ==
           LMDB_WRITE_LEFT;
}

static void
commit_one(struct lmdb_committer *committer, struct lmdb_write *write)
{
    struct lmdb_write *const group[] = {write};
    int rc = commit_try_again(committer, group, 1);

    if ((rc == LMDB_MAP_FULL || rc == LMDB_SHARE_FULL) &&
        commit_make_room(committer, write))
        rc = commit_try_again(committer, group, 1);
    if (rc)
        write->rc = rc;
}

void
lmdb_commit(struct lmdb_committer *committer, struct lmdb_write *const *group,
            size_t count)
{
    bool is_done = count > 1 && commit_try_again(committer, group, count) == 0;

    if (++committer->commits % CHECK_READERS_EVERY == 0)
        (void)lmdb_check_readers(committer->environment);
    for (size_t i = 0; i < count; i++) {
        /* One that fails must not fail the others. */
        if (!is_done)
            commit_one(committer, group[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct lmdb_write *write = group[i];

        if (commit_finish(write) && write->rc == 0 &&
            write->change.result == PST_OK && write->change.undo)
            commit_undo(committer, write);
    }
}
