/* SPDX-License-Identifier: ISC */
/*
 * lmdb_readers.c - who reads an environment in this process, so that its map
 * can be replaced while nobody does.
 */
#include "store/lmdb_readers.h"

#include <sched.h>

#include "store/lmdb.h"

void
lmdb_readers_init(struct lmdb_readers *readers)
{
    pthread_mutex_init(&readers->lock, NULL);
    LIST_INIT(&readers->list);
    atomic_init(&readers->is_stopped, false);
}

void
lmdb_readers_fini(struct lmdb_readers *readers)
{
    PST_REQUIRE(LIST_EMPTY(&readers->list));
    pthread_mutex_destroy(&readers->lock);
}

void
lmdb_readers_add(struct lmdb_readers *readers, struct lmdb_reader *reader)
{
    pthread_mutex_lock(&readers->lock);
    LIST_INSERT_HEAD(&readers->list, reader, link);
    pthread_mutex_unlock(&readers->lock);
}

void
lmdb_readers_remove(struct lmdb_readers *readers, struct lmdb_reader *reader)
{
    pthread_mutex_lock(&readers->lock);
    LIST_REMOVE(reader, link);
    lmdb_reader_free(reader->txn);
    reader->txn = NULL;
    pthread_mutex_unlock(&readers->lock);
}

/*
 * Each side writes its own flag before it reads the other's (both sequentially
 * consistent): so at least one of them sees the other.
 */
void
lmdb_readers_enter(struct lmdb_readers *readers, struct lmdb_reader *reader)
{
    atomic_store(&reader->is_reading, true);
    while (atomic_load(&readers->is_stopped)) {
        atomic_store(&reader->is_reading, false);
        (void)sched_yield();
        atomic_store(&reader->is_reading, true);
    }
}

void
lmdb_readers_leave(struct lmdb_reader *reader)
{
    atomic_store(&reader->is_reading, false);
}

void
lmdb_readers_stop(struct lmdb_readers *readers)
{
    const struct lmdb_reader *reader;

    pthread_mutex_lock(&readers->lock);
    atomic_store(&readers->is_stopped, true);
    LIST_FOREACH(reader, &readers->list, link)
    {
        while (atomic_load(&reader->is_reading))
            (void)sched_yield();
    }
}

void
lmdb_readers_end(struct lmdb_readers *readers)
{
    struct lmdb_reader *reader;

    LIST_FOREACH(reader, &readers->list, link)
    {
        lmdb_reader_free(reader->txn);
        reader->txn = NULL;
    }
}

void
lmdb_readers_resume(struct lmdb_readers *readers)
{
    atomic_store(&readers->is_stopped, false);
    pthread_mutex_unlock(&readers->lock);
}
