/* SPDX-License-Identifier: ISC */
/*
 * lmdb.h - the door to LMDB: an environment, transactions, and records
 * under keys. What the records mean is store/lmdb_store.c's affair.
 *
 * Functions that return int give 0, LMDB_NOT_FOUND, an errno or another code of
 * LMDB; lmdb_read_end() and lmdb_write() make a reason out of it.
 */
#ifndef POSTERN_STORE_LMDB_H
#define POSTERN_STORE_LMDB_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/store_url.h"
#include "store/record.h"
#include "store/store.h"

/* There is no such record: MDB_NOTFOUND. */
#define LMDB_NOT_FOUND (-30798)

/* What an apply function returns when there is nothing to commit. Neither
 * errno nor LMDB uses it. */
#define LMDB_UNCHANGED (-1)

/* A newer program wrote the record that this write would have to change. */
#define LMDB_NEWER_RECORD (-2)

#define LMDB_TAG_LEN 8
#define LMDB_KEY_MAX (LMDB_TAG_LEN + 2 * PST_HASH_LEN)
#define LMDB_HINT_HEAD_LEN (RECORD_TIME_LEN + 1)

struct MDB_txn;
struct MDB_cursor;

/* A handle; it begins with its struct store. */
struct lmdb_store;

struct lmdb_key {
    uint8_t bytes[LMDB_HINT_HEAD_LEN + LMDB_KEY_MAX];
    size_t len;
};

/* One write. */
struct lmdb_change {
    int (*apply)(struct lmdb_store *store, struct MDB_txn *txn,
                 struct lmdb_change *change);
    int64_t now;
    bool grows; /* leaves the last tenth of the map to those that end */
    const void *what;
    enum pst_err result; /* what to answer when nothing failed */
    int64_t number;
    size_t count;
    struct store_sweep_result swept;
};

/* A walk over the records of one kind whose keys begin alike. */
struct lmdb_range {
    struct MDB_cursor *cursor;
    struct lmdb_key prefix;
    bool is_begun;
};

/* A handle, opened if that is possible now. PST_OK or PST_NO_MEMORY. */
PST_MUST_USE enum pst_err lmdb_new(struct lmdb_store **out,
                                   const struct store_url *url);
void lmdb_free(struct lmdb_store *store);

struct store *lmdb_base(struct lmdb_store *store);
struct lmdb_store *lmdb_from_base(struct store *store);

/* The key of a record: the audience's tag, and as many ids as are not NULL. */
struct lmdb_key lmdb_key_make(struct lmdb_store *store,
                              const struct store_id *first,
                              const struct store_id *second);

/*
 * Begin to read; every begin has its end.
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err lmdb_read_begin(struct lmdb_store *store,
                                          struct MDB_txn **txn);

/* Returns result when rc is 0, else PST_STORE_DOWN. */
enum pst_err lmdb_read_end(struct lmdb_store *store, int rc,
                           enum pst_err result);

/*
 * Apply a change, whole or not at all. Where the map is full, what has ended
 * is removed first, and it is tried again.
 * Returns change->result or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err lmdb_write(struct lmdb_store *store,
                                     struct lmdb_change *change);

/* record: bytes of the map, until the transaction ends or writes. */
int lmdb_get(struct lmdb_store *store, struct MDB_txn *txn,
             enum record_kind kind, struct lmdb_key *key,
             struct pst_bytes *record);

/* The record is head, and tail behind it. */
int lmdb_put(struct lmdb_store *store, struct MDB_txn *txn,
             enum record_kind kind, struct lmdb_key *key,
             const struct pst_bytes parts[static 2]);

/* 0 also when it is not there. */
int lmdb_del(struct lmdb_store *store, struct MDB_txn *txn,
             enum record_kind kind, struct lmdb_key *key);

/* The records whose keys begin with prefix. */
int lmdb_range_open(struct lmdb_range *range, struct lmdb_store *store,
                    struct MDB_txn *txn, enum record_kind kind,
                    const struct lmdb_key *prefix);

/* The next one, or LMDB_NOT_FOUND after the last. */
int lmdb_range_next(struct lmdb_range *range, struct pst_bytes *key,
                    struct pst_bytes *record);
void lmdb_range_close(struct lmdb_range *range);

/* Look at `limit` hints whose time has come, and remove what is over. */
PST_MUST_USE enum pst_err lmdb_sweep(struct lmdb_store *store, size_t limit,
                                     int64_t now,
                                     struct store_sweep_result *swept);

/* How many tenths of the map are free, rounded down; after a write. */
int lmdb_free_tenths(struct lmdb_store *store, size_t *tenths);

#endif
