/* SPDX-License-Identifier: ISC */
/*
 * lmdb_readers.h - who reads an environment in this process, so that its map
 * can be replaced while nobody does.
 *
 * A read costs no lock: it writes a flag of its own, and reads one that hardly
 * ever changes. A read never waits for anything, so whoever replaces the map
 * waits for microseconds only.
 */
#ifndef POSTERN_STORE_LMDB_READERS_H
#define POSTERN_STORE_LMDB_READERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/base.h"

struct MDB_txn;

/* One for each handle: it is used by one thread. */
struct lmdb_reader {
    struct MDB_txn *txn; /* kept between reads; NULL: none yet */
    atomic_bool is_reading;
    LIST_ENTRY(lmdb_reader) link;
};

struct lmdb_readers {
    pthread_mutex_t lock; /* guards the list */
    LIST_HEAD(, lmdb_reader) list;
    atomic_bool is_stopped;
};

void lmdb_readers_init(struct lmdb_readers *readers);
void lmdb_readers_fini(struct lmdb_readers *readers);

void lmdb_readers_add(struct lmdb_readers *readers, struct lmdb_reader *reader);

/* Remove a reader, and give its slot back. */
void lmdb_readers_remove(struct lmdb_readers *readers,
                         struct lmdb_reader *reader);

/* Before and after each read. Between them the map stays where it is. */
void lmdb_readers_enter(struct lmdb_readers *readers,
                        struct lmdb_reader *reader);
void lmdb_readers_leave(struct lmdb_reader *reader);

/* Wait until nobody reads; then nobody does until lmdb_readers_resume(). */
void lmdb_readers_stop(struct lmdb_readers *readers);

/* Between them: give the slots of all readers back. */
void lmdb_readers_end(struct lmdb_readers *readers);
void lmdb_readers_resume(struct lmdb_readers *readers);

#endif
