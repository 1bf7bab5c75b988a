/* SPDX-License-Identifier: ISC */
/*
 * lmdb.c - the only file that calls LMDB: an environment and its tables,
 * transactions, records by key, cursors.
 */
#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lmdb.h>

/* The names in the file. */
static const char *const table_names[] = {
    [RECORD_REVOKED] = "revoked",
    [RECORD_SINCE] = "since",
    [RECORD_SESSION] = "session",
    [RECORD_SPILL] = "spill",
    [RECORD_COUNTER] = "counter",
    [LMDB_EXPIRY] = "hints",
    [LMDB_EXPIRY_SHORT_COUNTERS] = "short-counters",
    [LMDB_EXPIRY_LONG_COUNTERS] = "long-counters",
    [LMDB_EXPIRY_GUESTS] = "guests",
};

static_assert(PST_COUNT(table_names) == LMDB_TABLES, "each table has a name");
static_assert(LMDB_NOT_FOUND == MDB_NOTFOUND && LMDB_MAP_FULL == MDB_MAP_FULL &&
                  LMDB_MAP_RESIZED == MDB_MAP_RESIZED &&
                  LMDB_PANIC == MDB_PANIC,
              "the same codes under our names");
static_assert(sizeof(MDB_dbi) == sizeof(unsigned), "tables hold MDB_dbi");

const char *
lmdb_error_text(int rc)
{
    return mdb_strerror(rc);
}

const char *
lmdb_error_advice(int rc)
{
    switch (rc) {
    case MDB_MAP_FULL:
        return ": raise its limit with ?size=";
    case MDB_READERS_FULL:
        return ": too many processes and threads read it: run fewer";
    case MDB_MAP_RESIZED:
        return ": restart this program";
    case MDB_BAD_RSLOT:
        return ": it was opened before a fork";
    case EACCES:
        return ": run this as the owner of the folder";
    default:
        return "";
    }
}

/* Environments. */

static int
lmdb_open_tables(struct lmdb_environment *environment, unsigned flags)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(environment->env, NULL, flags, &txn);

    if (rc)
        return rc;
    for (size_t i = 0; i < LMDB_TABLES && rc == 0; i++)
        rc = mdb_dbi_open(txn, table_names[i], flags == 0 ? MDB_CREATE : 0,
                          &environment->tables[i]);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

bool
lmdb_check_readers(const struct lmdb_environment *environment)
{
    int dead = 0;

    return mdb_reader_check(environment->env, &dead) == 0 && dead > 0;
}

static int
lmdb_open_files(const struct lmdb_environment *environment, const char *folder)
{
    int rc = mdb_env_set_mapsize(environment->env, environment->map_size);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(environment->env, LMDB_TABLES);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(environment->env, LMDB_READERS_MAX);
    if (rc == 0)
        rc = mdb_env_open(environment->env, folder, MDB_NOTLS, 0600);
    if (rc == 0)
        (void)lmdb_check_readers(environment);
    return rc;
}

int
lmdb_environment_open(struct lmdb_environment *environment, const char *folder,
                      size_t map_size)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    struct lmdb_environment opened = {.map_size =
                                          map_size - map_size % page_size};
    MDB_envinfo info;
    MDB_stat stat;
    int rc = mdb_env_create(&opened.env);

    if (rc)
        return rc;
    (void)snprintf(opened.folder, sizeof(opened.folder), "%s", folder);
    rc = lmdb_open_files(&opened, folder);
    /* Creating tables takes the write lock; opening existing ones does not. */
    if (rc == 0)
        rc = lmdb_open_tables(&opened, MDB_RDONLY);
    if (rc == MDB_NOTFOUND)
        rc = lmdb_open_tables(&opened, 0);
    if (rc == 0)
        rc = mdb_env_stat(opened.env, &stat);
    /* LMDB makes it larger when the file is. */
    if (rc == 0)
        rc = mdb_env_info(opened.env, &info);
    if (rc) {
        mdb_env_close(opened.env);
        return rc;
    }
    opened.page_size = stat.ms_psize;
    opened.map_size = info.me_mapsize;
    *environment = opened;
    return 0;
}

void
lmdb_environment_close(struct lmdb_environment *environment)
{
    mdb_env_close(environment->env);
    environment->env = NULL;
}

int
lmdb_environment_adopt_map(struct lmdb_environment *environment)
{
    MDB_envinfo info;
    int rc = mdb_env_set_mapsize(environment->env, 0);

    if (rc == 0)
        rc = mdb_env_info(environment->env, &info);
    if (rc == 0)
        environment->map_size = info.me_mapsize;
    environment->is_lost = rc != 0;
    return rc;
}

/* Count the pages inside the file that can be used again: LMDB lists them in
 * its database 0. */
static int
lmdb_count_free_pages(MDB_txn *reader, size_t *pages)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val list;
    size_t length;
    int rc = mdb_cursor_open(reader, 0, &cursor);

    if (rc)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &list, MDB_FIRST);
    while (rc == 0) {
        memcpy(&length, list.mv_data, sizeof(length));
        *pages += length;
        rc = mdb_cursor_get(cursor, &key, &list, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
lmdb_free_tenths(const struct lmdb_environment *environment, MDB_txn **reader,
                 size_t *tenths)
{
    MDB_envinfo info;
    size_t total;
    size_t left;
    int rc = environment->is_lost ? MDB_PANIC
                                  : mdb_env_info(environment->env, &info);

    if (rc)
        return rc;
    total = info.me_mapsize / environment->page_size;
    left = total - info.me_last_pgno - 1;
    if (left < total / 10) {
        rc = lmdb_reader_begin(environment, reader);
        if (rc)
            return rc;
        rc = lmdb_count_free_pages(*reader, &left);
        lmdb_reader_end(*reader);
    }
    *tenths = left / (total / 10);
    return rc;
}

/* Transactions. */

int
lmdb_reader_begin(const struct lmdb_environment *environment, MDB_txn **reader)
{
    MDB_env *env = environment->env;
    int rc;

    if (environment->is_lost)
        return MDB_PANIC;
    if (*reader)
        return mdb_txn_renew(*reader);
    rc = mdb_txn_begin(env, NULL, MDB_RDONLY, reader);
    if (rc == MDB_READERS_FULL && lmdb_check_readers(environment))
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, reader);
    if (rc)
        *reader = NULL;
    return rc;
}

/* While a reader is open, LMDB cannot reuse the pages that it sees. */
void
lmdb_reader_end(MDB_txn *reader)
{
    mdb_txn_reset(reader);
}

void
lmdb_reader_free(MDB_txn *reader)
{
    if (reader)
        mdb_txn_abort(reader);
}

int
lmdb_write_begin(const struct lmdb_environment *environment, MDB_txn **txn)
{
    return environment->is_lost ? MDB_PANIC
                                : mdb_txn_begin(environment->env, NULL, 0, txn);
}

int
lmdb_write_commit(MDB_txn *txn)
{
    return mdb_txn_commit(txn);
}

void
lmdb_write_abort(MDB_txn *txn)
{
    mdb_txn_abort(txn);
}

/* Records. */

/* LMDB does not write to keys, but its type has no const. */
static MDB_val
lmdb_key_value(const struct lmdb_key *key)
{
    return (MDB_val){key->len, (void *)(uintptr_t)key->bytes};
}

static struct pst_bytes
lmdb_value_bytes(MDB_val value)
{
    return (struct pst_bytes){value.mv_data, value.mv_size};
}

int
lmdb_get(const struct lmdb_txn *txn, unsigned table, const struct lmdb_key *key,
         struct pst_bytes *record)
{
    MDB_val name = lmdb_key_value(key);
    MDB_val value;
    int rc =
        mdb_get(txn->handle, txn->environment->tables[table], &name, &value);

    if (rc == 0)
        *record = lmdb_value_bytes(value);
    return rc;
}

int
lmdb_put_value(const struct lmdb_txn *txn, unsigned table,
               const struct lmdb_key *key,
               const struct pst_bytes parts[static 2])
{
    MDB_val value = {parts[0].len + parts[1].len, NULL};
    MDB_val name = lmdb_key_value(key);
    int rc = mdb_put(txn->handle, txn->environment->tables[table], &name,
                     &value, MDB_RESERVE);

    if (rc)
        return rc;
    if (parts[0].len > 0)
        memcpy(value.mv_data, parts[0].ptr, parts[0].len);
    if (parts[1].len > 0)
        memcpy((uint8_t *)value.mv_data + parts[0].len, parts[1].ptr,
               parts[1].len);
    return 0;
}

int
lmdb_del(const struct lmdb_txn *txn, unsigned table, const struct lmdb_key *key)
{
    MDB_val name = lmdb_key_value(key);
    int rc = mdb_del(txn->handle, txn->environment->tables[table], &name, NULL);

    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
lmdb_measure(const struct lmdb_txn *txn, unsigned table, size_t *count,
             size_t *bytes)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->handle, txn->environment->tables[table], &stat);

    if (rc)
        return rc;
    *count = stat.ms_entries;
    *bytes = stat.ms_psize * (stat.ms_branch_pages + stat.ms_leaf_pages +
                              stat.ms_overflow_pages);
    return 0;
}

/* Cursors. */

int
lmdb_cursor_open(const struct lmdb_txn *txn, unsigned table,
                 MDB_cursor **cursor)
{
    return mdb_cursor_open(txn->handle, txn->environment->tables[table],
                           cursor);
}

void
lmdb_cursor_close(MDB_cursor *cursor)
{
    mdb_cursor_close(cursor);
}

int
lmdb_cursor_first(MDB_cursor *cursor, struct pst_bytes *key)
{
    MDB_val name;
    MDB_val value;
    int rc = mdb_cursor_get(cursor, &name, &value, MDB_FIRST);

    if (rc == 0)
        *key = lmdb_value_bytes(name);
    return rc;
}

int
lmdb_cursor_del(MDB_cursor *cursor)
{
    return mdb_cursor_del(cursor, 0);
}

int
lmdb_range_open(struct lmdb_range *range, const struct lmdb_txn *txn,
                unsigned table, const struct lmdb_key *prefix)
{
    range->prefix = *prefix;
    range->is_begun = false;
    return lmdb_cursor_open(txn, table, &range->cursor);
}

int
lmdb_range_next(struct lmdb_range *range, struct pst_bytes *key,
                struct pst_bytes *record)
{
    MDB_val name = lmdb_key_value(&range->prefix);
    MDB_val value;
    int rc = mdb_cursor_get(range->cursor, &name, &value,
                            range->is_begun ? MDB_NEXT : MDB_SET_RANGE);

    if (rc)
        return rc;
    range->is_begun = true;
    if (name.mv_size < range->prefix.len ||
        memcmp(name.mv_data, range->prefix.bytes, range->prefix.len) != 0)
        return MDB_NOTFOUND;
    *key = lmdb_value_bytes(name);
    *record = lmdb_value_bytes(value);
    return 0;
}
