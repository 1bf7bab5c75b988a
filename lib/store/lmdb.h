/* SPDX-License-Identifier: ISC */
/*
 * lmdb.h - the only files that call LMDB: an environment and its tables,
 * transactions (lmdb.c), records by key, cursors (lmdb_records.c).
 *
 * Functions that return int return 0 on success. Otherwise they return
 * LMDB_NOT_FOUND, another error code of LMDB, or an errno; lmdb_error_text()
 * describes the last two.
 */
#ifndef POSTERN_STORE_LMDB_H
#define POSTERN_STORE_LMDB_H

#include "base/base.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/store_url.h"
#include "store/record.h"

/* Readers in all processes at the same time, and the bytes that they need in
 * the lock file, with its head. */
#define LMDB_READERS_MAX 4096
#define LMDB_LOCK_SIZE (4096 + LMDB_READERS_MAX * 64)

/* The error codes of LMDB that callers treat specially. */
#define LMDB_NOT_FOUND (-30798) /* MDB_NOTFOUND: there is no such record */
#define LMDB_MAP_FULL (-30792)  /* MDB_MAP_FULL */
#define LMDB_MAP_RESIZED \
    (-30785) /* MDB_MAP_RESIZED: another process made a larger map */
#define LMDB_CORRUPTED (-30796) /* MDB_CORRUPTED: the file is damaged */
#define LMDB_PANIC (-30795) /* MDB_PANIC: the environment is of no more use */

/* Codes of our own. Neither LMDB nor errno uses them. */
enum {
    LMDB_UNCHANGED = -1,          /* nothing was changed: nothing to commit */
    LMDB_NEWER_RECORD = -2,       /* a newer program wrote the record to read */
    LMDB_FOLDER_IS_WRITABLE = -3, /* by the group or by others */
    LMDB_FOLDER_IS_FOREIGN = -4,  /* of others, and this is root */
    LMDB_LATE = -5,               /* the caller of a write had left */
    LMDB_BUSY = -6,               /* too many writes wait */
    LMDB_SHARE_FULL = -7,         /* a share of the map is used up */
    LMDB_FILE_IS_FOREIGN = -8,    /* in a shared folder, but not its group's */
};

/* A key: the tag of the audience and up to two ids. The key of an expiry entry
 * has a time and a record kind before that. */
#define LMDB_TAG_LEN 8
#define LMDB_KEY_MAX (LMDB_TAG_LEN + 2 * PST_HASH_LEN)
#define LMDB_EXPIRY_HEAD_LEN (RECORD_TIME_LEN + 1)

/* One table for each record kind, and the tables of the expiry index
 * (store/lmdb_expiry.h). */
enum {
    LMDB_EXPIRY = RECORD_KINDS,
    LMDB_EXPIRY_SHORT_COUNTERS,
    LMDB_EXPIRY_LONG_COUNTERS,
    LMDB_EXPIRY_GUESTS,
    LMDB_TABLES
};

struct MDB_cursor;
struct MDB_env;
struct MDB_txn;

/* The files of one folder, mapped into memory. */
struct lmdb_environment {
    struct MDB_env *env;
    unsigned tables[LMDB_TABLES];
    unsigned names;  /* the table that has the names of the others */
    size_t map_size; /* bytes */
    size_t page_size;
    _Atomic int64_t checked_at; /* its length; clock_coarse_ms() */
    bool is_lost; /* the map is gone; env is NULL, or of no more use */
    char folder[STORE_URL_PART_MAX + 1]; /* its path */
};

/* One transaction, with what is needed to build keys and to age records. */
struct lmdb_txn {
    const struct lmdb_environment *environment;
    struct MDB_txn *handle;
    const uint8_t *tag; /* LMDB_TAG_LEN bytes */
    int64_t now;        /* unix seconds; 0 in a transaction that reads */
};

struct lmdb_key {
    uint8_t bytes[LMDB_EXPIRY_HEAD_LEN + LMDB_KEY_MAX];
    size_t len;
};

/* An iteration over the records whose keys begin with a prefix. */
struct lmdb_range {
    struct MDB_cursor *cursor;
    struct lmdb_key prefix;
    bool is_begun;
};

const char *lmdb_table_name(unsigned table);

/* Describe an error. The string is static. */
const char *lmdb_error_text(int rc);

/* What the operator can do about it: a clause that begins with ": ", or "". */
const char *lmdb_error_advice(int rc);

/* Environments. */

/*
 * Open the environment in a folder, and create the files that are missing. A
 * process must not open one folder twice (store/lmdb_folder.h).
 *   map_size     bytes of address space, the limit of the file's size; rounded
 *                down to whole pages. The file grows as it is needed
 *   environment  set on success; the caller closes it
 */
PST_MUST_USE int lmdb_environment_open(struct lmdb_environment *environment,
                                       const char *folder, size_t map_size);
void lmdb_environment_close(struct lmdb_environment *environment);

/* Adopt the larger map that another process has made. No transaction may be
 * open in this process. After a failure the environment is of no more use. */
PST_MUST_USE int
lmdb_environment_adopt_map(struct lmdb_environment *environment);

/* Free the slots of readers whose process was killed. Returns whether there
 * were any. */
bool lmdb_check_readers(const struct lmdb_environment *environment);

/*
 * How much of the map is free, in tenths, rounded down.
 *   reader  as for lmdb_reader_begin(), and not in use
 */
PST_MUST_USE int lmdb_free_tenths(struct lmdb_environment *environment,
                                  struct MDB_txn **reader, size_t *tenths);

/* Transactions. */

/*
 * Begin to read. Every begin needs an end before the next one.
 *   reader  NULL the first time. It keeps a slot in LMDB's table of readers,
 *           so later transactions take no lock, and need no system call but
 *           one in a second, for the length of the file.
 */
PST_MUST_USE int lmdb_reader_begin(struct lmdb_environment *environment,
                                   struct MDB_txn **reader);
void lmdb_reader_end(struct MDB_txn *reader);

/* Give the slot back; NULL is allowed. */
void lmdb_reader_free(struct MDB_txn *reader);

/*
 * Begin to write: waits until no other process writes.
 * lmdb_write_commit() and lmdb_write_abort() end the transaction. After a
 * successful commit the change is on the disk (fdatasync).
 */
PST_MUST_USE int lmdb_write_begin(const struct lmdb_environment *environment,
                                  struct MDB_txn **txn);
PST_MUST_USE int lmdb_write_commit(struct MDB_txn *txn);
void lmdb_write_abort(struct MDB_txn *txn);

/* Records. */

void lmdb_key_add(struct lmdb_key *key, const void *bytes, size_t len);

/* The key of a record: the tag of the audience, and those ids that are not
 * NULL. */
struct lmdb_key lmdb_key_make(const struct lmdb_txn *txn,
                              const struct store_id *first,
                              const struct store_id *second);

/* record: a slice of the map, valid until the transaction ends or writes. */
PST_MUST_USE int lmdb_get(const struct lmdb_txn *txn, unsigned table,
                          const struct lmdb_key *key, struct pst_bytes *record);

/* The same for a table whose keys are of one length, and where a record that is
 * missing gives a right: LMDB_CORRUPTED if the page where it would be is
 * damaged. */
PST_MUST_USE int lmdb_get_checked(const struct lmdb_txn *txn, unsigned table,
                                  const struct lmdb_key *key,
                                  struct pst_bytes *record);

/* Write a record, which is the concatenation of two parts. Does not add it to
 * the expiry index: see lmdb_put(). */
PST_MUST_USE int lmdb_put_value(const struct lmdb_txn *txn, unsigned table,
                                const struct lmdb_key *key,
                                const struct pst_bytes parts[static 2]);

/* Delete a record. Returns 0 as well when there is none. Its entry in the
 * expiry index stays, and is dropped when it is due. */
PST_MUST_USE int lmdb_del(const struct lmdb_txn *txn, unsigned table,
                          const struct lmdb_key *key);

/* The number of records in a table, and the bytes that its pages use. */
PST_MUST_USE int lmdb_measure(const struct lmdb_txn *txn, unsigned table,
                              size_t *count, size_t *bytes);

/* Cursors. */

PST_MUST_USE int lmdb_cursor_open(const struct lmdb_txn *txn, unsigned table,
                                  struct MDB_cursor **cursor);
void lmdb_cursor_close(struct MDB_cursor *cursor);

/* Go to the first record of the table. key: a slice of the map. Returns
 * LMDB_NOT_FOUND when the table is empty. */
PST_MUST_USE int lmdb_cursor_first(struct MDB_cursor *cursor,
                                   struct pst_bytes *key);

/* Delete the record at the cursor. */
PST_MUST_USE int lmdb_cursor_del(struct MDB_cursor *cursor);

/* Begin an iteration. On success the caller closes the cursor. */
PST_MUST_USE int lmdb_range_open(struct lmdb_range *range,
                                 const struct lmdb_txn *txn, unsigned table,
                                 const struct lmdb_key *prefix);

/* The next record, or LMDB_NOT_FOUND after the last one. key, record: slices
 * of the map. */
PST_MUST_USE int lmdb_range_next(struct lmdb_range *range,
                                 struct pst_bytes *key,
                                 struct pst_bytes *record);

#endif
