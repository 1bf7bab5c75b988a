/* SPDX-License-Identifier: ISC */
/*
 * lmdb_writer.c - the thread that makes all changes to an LMDB folder, and the
 * deadline of each.
 */
#include "store/lmdb_writer.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "engine/blocking.h"

/* Milliseconds: for a change; and at the end, for what was posted. */
#define WRITE_TIMEOUT 1000
#define CLOSE_TIMEOUT 250

/* Changes that may wait, and changes that are committed together. */
#define WAITING_MAX 512
#define GROUP_MAX 32

struct lmdb_writer {
    struct blocking_pool *pool;
    pthread_mutex_t lock;
    TAILQ_HEAD(, lmdb_write) waiting; /* guarded by lock */

    struct lmdb_committer committer; /* for the thread only */
};

int
lmdb_writer_new(struct lmdb_writer **out, struct lmdb_environment *environment,
                struct lmdb_readers *readers)
{
    struct lmdb_writer *writer = calloc(1, sizeof(*writer));

    if (!writer || blocking_pool_new(&writer->pool, 1, WAITING_MAX) != PST_OK) {
        free(writer);
        return ENOMEM;
    }
    pthread_mutex_init(&writer->lock, NULL);
    TAILQ_INIT(&writer->waiting);
    writer->committer.environment = environment;
    writer->committer.readers = readers;
    *out = writer;
    return 0;
}

bool
lmdb_writer_free(struct lmdb_writer **writer)
{
    struct lmdb_writer *freed = *writer;

    if (!blocking_pool_drain(freed->pool, clock_ms() + CLOSE_TIMEOUT))
        return false;
    blocking_pool_free(&freed->pool);
    lmdb_reader_free(freed->committer.reader);
    pthread_mutex_destroy(&freed->lock);
    free(freed);
    *writer = NULL;
    return true;
}

/* Writes that wait. */

/* Put a change on the list, with a reference for the caller and one for the
 * pool. Takes change->what. Returns NULL when there is no memory. */
static struct lmdb_write *
write_new(struct lmdb_writer *writer, const uint8_t *tag,
          const struct lmdb_change *change, int state)
{
    struct lmdb_write *write = change->what ? calloc(1, sizeof(*write)) : NULL;

    if (!write) {
        free(change->what);
        return NULL;
    }
    write->writer = writer;
    write->change = *change;
    memcpy(write->tag, tag, LMDB_TAG_LEN);
    atomic_init(&write->state, state);
    atomic_init(&write->references, 2);
    write->is_listed = true;
    pthread_mutex_lock(&writer->lock);
    TAILQ_INSERT_TAIL(&writer->waiting, write, link);
    pthread_mutex_unlock(&writer->lock);
    return write;
}

static void
write_release(void *argument)
{
    struct lmdb_write *write = argument;

    if (atomic_fetch_sub(&write->references, 1) > 1)
        return;
    free(write->change.what);
    free(write);
}

/* Take a write off the list if it is still there; called with the lock held. */
static void
write_unlist(struct lmdb_write *write)
{
    if (write->is_listed)
        TAILQ_REMOVE(&write->writer->waiting, write, link);
    write->is_listed = false;
}

static void
write_withdraw(struct lmdb_write *write)
{
    pthread_mutex_lock(&write->writer->lock);
    write_unlist(write);
    pthread_mutex_unlock(&write->writer->lock);
}

/* In the thread. */

/* Commit all that waits, until this write is among it. Another run may have
 * done so already. */
static void
writer_run(void *argument)
{
    struct lmdb_write *write = argument;
    struct lmdb_writer *writer = write->writer;
    struct lmdb_write *group[GROUP_MAX];
    size_t count = 0;

    pthread_mutex_lock(&writer->lock);
    while (write->is_listed) {
        for (count = 0; count < GROUP_MAX && !TAILQ_EMPTY(&writer->waiting);
             count++) {
            group[count] = TAILQ_FIRST(&writer->waiting);
            write_unlist(group[count]);
            atomic_fetch_add(&group[count]->references, 1);
        }
        pthread_mutex_unlock(&writer->lock);
        lmdb_commit(&writer->committer, group, count);
        for (size_t i = 0; i < count; i++)
            write_release(group[i]);
        pthread_mutex_lock(&writer->lock);
    }
    pthread_mutex_unlock(&writer->lock);
}

/* In other threads and fibers. */

int
lmdb_writer_run(struct lmdb_writer *writer, const uint8_t *tag,
                struct lmdb_change *change)
{
    struct lmdb_write *write =
        write_new(writer, tag, change, LMDB_WRITE_PENDING);
    const struct blocking_call call = {writer_run, write_release, write};
    enum blocking_result result;
    int rc;

    if (!write)
        return ENOMEM;
    result = blocking_pool_run(writer->pool, &call, clock_ms() + WRITE_TIMEOUT);
    if (result == BLOCKING_CANCELLED || result == BLOCKING_REFUSED)
        write_withdraw(write);
    if (atomic_exchange(&write->state, LMDB_WRITE_LEFT) ==
        LMDB_WRITE_FINISHED) {
        rc = write->rc;
        *change = write->change;
    } else {
        rc = result == BLOCKING_REFUSED ? LMDB_BUSY : LMDB_LATE;
    }
    change->what = NULL;
    if (result == BLOCKING_DONE)
        write_release(write); /* the pool's reference is ours again */
    write_release(write);
    return rc;
}

void
lmdb_writer_post(struct lmdb_writer *writer, const uint8_t *tag,
                 const struct lmdb_change *change)
{
    struct lmdb_write *write = write_new(writer, tag, change, LMDB_WRITE_LEFT);
    const struct blocking_call call = {writer_run, write_release, write};

    PST_REQUIRE(change->applies_late && !change->undo);
    if (!write)
        return;
    if (!blocking_pool_post(writer->pool, &call))
        write_withdraw(write);
    write_release(write);
}

struct recovery {
    struct lmdb_writer *writer;
    int rc; /* what it is for, then its result */
};

static void
writer_run_recovery(void *argument)
{
    struct recovery *recovery = argument;

    recovery->rc =
        lmdb_commit_recover(&recovery->writer->committer, recovery->rc);
}

int
lmdb_writer_recover(struct lmdb_writer *writer, int rc)
{
    struct recovery *recovery = calloc(1, sizeof(*recovery));
    const struct blocking_call call = {writer_run_recovery, free, recovery};

    if (!recovery)
        return ENOMEM;
    recovery->writer = writer;
    recovery->rc = rc;
    if (blocking_pool_run(writer->pool, &call, clock_ms() + WRITE_TIMEOUT) !=
        BLOCKING_DONE)
        return LMDB_LATE; /* cppcheck-suppress memleak ; the pool frees it */
    rc = recovery->rc;
    free(recovery);
    return rc;
}
