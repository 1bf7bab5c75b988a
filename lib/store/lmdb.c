/* SPDX-License-Identifier: ISC */
/*
 * lmdb.c - one of the two files that call LMDB: an environment and its tables,
 * transactions.
 */
#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>

#include "base/clock.h"

/* The pages that LMDB begins with. */
#define META_PAGES 2

/* Readers check the length of the file once in this time. */
#define CHECK_EACH_MS 1000

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
                  LMDB_PANIC == MDB_PANIC && LMDB_CORRUPTED == MDB_CORRUPTED,
              "the same codes under our names");
static_assert(sizeof(MDB_dbi) == sizeof(unsigned), "tables hold MDB_dbi");

const char *
lmdb_table_name(unsigned table)
{
    return table_names[table];
}

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
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_BAD_TXN:
        return ": data.mdb is damaged: stop the programs, and restore it";
    case MDB_BAD_RSLOT:
        return ": it was opened before a fork";
    case EACCES:
        return ": run this as the owner of the folder";
    default:
        return "";
    }
}

/* Environments. */

/*
 * Reading a page beyond the end of data.mdb would end the program (SIGBUS). So
 * a file that was cut short gets its length back: its new pages are empty, and
 * LMDB refuses them as damaged. A short file alone is no damage, because free
 * pages at its end need not have been written; but LMDB never writes a part of
 * a page.
 * Returns MDB_INVALID if the file has no room for the first pages,
 * MDB_CORRUPTED if it ends within a page.
 */
static int
lmdb_check_length(const struct lmdb_environment *environment)
{
    MDB_env *env = environment->env;
    mdb_filehandle_t file;
    struct stat found;
    MDB_envinfo info;
    off_t last;
    int rc = mdb_env_get_fd(env, &file);

    if (rc)
        return rc;
    if (fstat(file, &found) != 0)
        return errno;
    if ((size_t)found.st_size < META_PAGES * environment->page_size)
        return MDB_INVALID;
    rc = mdb_env_info(env, &info);
    if (rc)
        return rc;
    if (info.me_last_pgno + 1 < META_PAGES)
        return MDB_INVALID;
    if (info.me_last_pgno >= info.me_mapsize / environment->page_size)
        return 0; /* the transaction fails: MDB_MAP_RESIZED */
    last = (off_t)((info.me_last_pgno + 1) * environment->page_size - 1);
    if (found.st_size > last)
        return 0;
    if (fstat(file, &found) != 0) /* again: others may have made it longer */
        return errno;
    if ((size_t)found.st_size % environment->page_size != 0)
        return MDB_CORRUPTED;
    /* It never shortens a file that others make longer. On a full disk it may
     * fail, but who cuts a file makes room. */
    (void)fallocate(file, 0, last, 1);
    return 0;
}

static int
lmdb_check_file(const struct lmdb_environment *environment)
{
    return environment->is_lost ? MDB_PANIC : lmdb_check_length(environment);
}

static int
lmdb_open_tables(struct lmdb_environment *environment, unsigned flags)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(environment->env, NULL, flags, &txn);

    if (rc)
        return rc;
    rc = mdb_dbi_open(txn, NULL, 0, &environment->names);
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
lmdb_open_files(struct lmdb_environment *environment, const char *folder)
{
    MDB_stat stat;
    int rc = mdb_env_set_mapsize(environment->env, environment->map_size);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(environment->env, LMDB_TABLES);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(environment->env, LMDB_READERS_MAX);
    if (rc == 0)
        rc = mdb_env_open(environment->env, folder, MDB_NOTLS, 0600);
    if (rc == 0)
        rc = mdb_env_stat(environment->env, &stat);
    if (rc)
        return rc;
    environment->page_size = stat.ms_psize;
    (void)lmdb_check_readers(environment);
    return lmdb_check_length(environment);
}

int
lmdb_environment_open(struct lmdb_environment *environment, const char *folder,
                      size_t map_size)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    struct lmdb_environment opened = {.map_size =
                                          map_size - map_size % page_size};
    MDB_envinfo info;
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
    /* LMDB makes it larger when the file is. */
    if (rc == 0)
        rc = mdb_env_info(opened.env, &info);
    if (rc) {
        mdb_env_close(opened.env);
        return rc;
    }
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
lmdb_free_tenths(struct lmdb_environment *environment, MDB_txn **reader,
                 size_t *tenths)
{
    MDB_envinfo info;
    size_t total;
    size_t left;
    int rc = lmdb_check_file(environment);

    if (rc == 0)
        rc = mdb_env_info(environment->env, &info);
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
lmdb_reader_begin(struct lmdb_environment *environment, MDB_txn **reader)
{
    MDB_env *env = environment->env;
    int64_t now = clock_coarse_ms();
    int rc;

    if (environment->is_lost ||
        now - environment->checked_at >= CHECK_EACH_MS) {
        rc = lmdb_check_file(environment);
        if (rc)
            return rc;
        environment->checked_at = now;
    }
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
    int rc = lmdb_check_file(environment);

    return rc ? rc : mdb_txn_begin(environment->env, NULL, 0, txn);
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
