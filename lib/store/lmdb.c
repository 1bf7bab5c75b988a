/* SPDX-License-Identifier: ISC */
/*
 * lmdb.c - the door to LMDB: environment, transactions, records by key.
 *
 * One named database for each kind of record, and three that list by time what
 * is to be looked at: counters, short and long ones, and all else. Keys begin
 * with the audience's tag. A read is a renewed transaction on a slot of its
 * own: no lock, no system call. A write is on the disk (fdatasync) before it is
 * answered, so a revocation outlives kill -9 of any process and a power cut. A
 * writer that dies leaves nothing; the next one takes over its lock.
 *
 * Counters are what anybody can make without an account, by names that he makes
 * up: they have a quarter of the map, and beyond it those make room that are
 * over first, which a name that was tried once is before one that is tried
 * again and again. Those that take hours to be over have a share of their own,
 * or they would push out all others.
 *
 * Invariant: each record has at least one entry in the time list at or
 * before its end. An entry is only a hint: whoever finds it early moves it.
 */
#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>

#include "base/clock.h"

/* Readers of all processes at once: 64 bytes each in the lock file. */
#define READERS_MAX 4096

/* What each write looks at in the time list: more than it adds to it. */
#define SWEEP_PER_WRITE 8

/* What is looked at to make room in a full map. */
#define SWEEP_WHEN_FULL 512

/* What a counter takes in the map, with its hint and half-full pages, and the
 * part of the map that each of the two lists of them may take. */
#define COUNTER_SIZE 256
#define COUNTERS_FRACTION 8

/* Seconds to its end that make a new counter a long one. */
#define COUNTER_LONG 3600

/* Hints looked at to drop a counter: those that are early are moved. */
#define EVICT_HINTS_MAX 16

/* A record that a newer program wrote is looked at again after so long. */
#define NEWER_RECORD_DELAY 86400

/* Milliseconds between attempts to open what cannot be opened. */
#define REOPEN_DELAY 250

/* The folder's mode: no code of LMDB, and no errno. */
#define FOLDER_IS_WRITABLE (-3)
#define FOLDER_IS_FOREIGN (-4)

/* Databases beside those of the kinds. */
enum { HINTS = RECORD_KINDS, SHORT_COUNTERS, LONG_COUNTERS, DATABASES };

static const char *const database_names[] = {
    [RECORD_REVOKED] = "revoked",        [RECORD_SINCE] = "since",
    [RECORD_SESSION] = "session",        [RECORD_SPILL] = "spill",
    [RECORD_COUNTER] = "counter",        [HINTS] = "hints",
    [SHORT_COUNTERS] = "short-counters", [LONG_COUNTERS] = "long-counters",
};

static_assert(PST_COUNT(database_names) == DATABASES,
              "each database has a name");

/* An environment may be open once in a process: POSIX drops all locks of a
 * file with the first descriptor of it that is closed. */
struct environment {
    struct environment *next;
    MDB_env *env;
    MDB_dbi dbi[DATABASES];
    unsigned page_size;
    size_t counters_max; /* in each list */
    unsigned users;
    pid_t pid; /* a child does not inherit it */
    dev_t device;
    ino_t inode;
};

static pthread_mutex_t environments_lock = PTHREAD_MUTEX_INITIALIZER;
static struct environment *environments;

struct lmdb_store {
    struct store base;
    struct store_url url;
    struct environment *environment; /* NULL: not open */
    MDB_txn *reader;                 /* reset between reads; NULL: none yet */
    int64_t now;                     /* of the change that is being written */
    int64_t retry_at;                /* monotonic milliseconds */
};

static_assert(LMDB_NOT_FOUND == MDB_NOTFOUND, "one code, two names");

struct store *
lmdb_base(struct lmdb_store *store)
{
    return &store->base;
}

struct lmdb_store *
lmdb_from_base(struct store *store)
{
    return (struct lmdb_store *)(void *)store;
}

/* What went wrong. */

static enum pst_err
lmdb_set_error(struct lmdb_store *store, int rc)
{
    const char *what;
    const char *advice = "";

    if (rc == LMDB_NEWER_RECORD)
        what = RECORD_NEWER_ERROR;
    else if (rc == FOLDER_IS_WRITABLE)
        what = "the folder may be written by its group or by everybody; it "
               "must be 0700";
    else if (rc == FOLDER_IS_FOREIGN)
        what = "the folder belongs to another user, whom files of ours would "
               "shut out: run this as that user";
    else
        what = mdb_strerror(rc);
    if (rc == MDB_MAP_FULL)
        advice = ": give it more room with ?size=";
    else if (rc == MDB_READERS_FULL)
        advice = ": too many processes and workers read it";
    else if (rc == MDB_MAP_RESIZED || rc == MDB_PANIC)
        advice = ": start this program again";
    else if (rc == MDB_BAD_RSLOT)
        advice = ": it was opened before a fork";
    return store_set_error(&store->base, "lmdb:%s: %s%s", store->url.path, what,
                           advice);
}

/* The environment. */

/* LMDB would have to make a file there. */
static bool
lmdb_lacks_files(const char *path)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool lacks = false;

    if (folder < 0)
        return false;
    for (size_t i = 0; i < PST_COUNT(files); i++)
        lacks |= faccessat(folder, files[i], F_OK, 0) != 0;
    close(folder);
    return lacks;
}

/*
 * Make the folder if it is missing. Returns 0, FOLDER_IS_WRITABLE,
 * FOLDER_IS_FOREIGN or an errno.
 */
static int
lmdb_prepare_folder(struct lmdb_store *store, struct stat *folder)
{
    const char *path = store->url.path;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return errno;
    if (stat(path, folder) != 0)
        return errno;
    if (!S_ISDIR(folder->st_mode))
        return ENOTDIR;
    /* Whoever may write there could put another file into its place. */
    if ((folder->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return FOLDER_IS_WRITABLE;
    /* Root's files in it would be root's alone (0600). */
    if (folder->st_uid != geteuid() && lmdb_lacks_files(path))
        return FOLDER_IS_FOREIGN;
    return 0;
}

static int
lmdb_open_databases(struct environment *environment, unsigned flags)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(environment->env, NULL, flags, &txn);

    if (rc)
        return rc;
    for (size_t i = 0; i < PST_COUNT(database_names) && rc == 0; i++)
        rc = mdb_dbi_open(txn, database_names[i], flags == 0 ? MDB_CREATE : 0,
                          &environment->dbi[i]);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

static int
lmdb_open_environment(struct environment *environment,
                      const struct store_url *url)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t size = (size_t)url->map_size;
    MDB_stat stat;
    int dead;
    int rc;

    environment->page_size = (unsigned)page;
    size -= size % (size_t)page;
    environment->counters_max = size / COUNTERS_FRACTION / COUNTER_SIZE;
    rc = mdb_env_set_mapsize(environment->env, size);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(environment->env, PST_COUNT(database_names));
    if (rc == 0)
        rc = mdb_env_set_maxreaders(environment->env, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_open(environment->env, url->path, MDB_NOTLS, 0600);
    if (rc == 0)
        rc = mdb_reader_check(environment->env, &dead);
    if (rc)
        return rc;
    /* Creating them takes the writers' lock; finding them does not. */
    rc = lmdb_open_databases(environment, MDB_RDONLY);
    if (rc == MDB_NOTFOUND)
        rc = lmdb_open_databases(environment, 0);
    if (rc == 0)
        rc = mdb_env_stat(environment->env, &stat);
    if (rc == 0)
        environment->page_size = stat.ms_psize;
    return rc;
}

static int
lmdb_new_environment(const struct store_url *url, const struct stat *folder,
                     struct environment **out)
{
    struct environment *environment = calloc(1, sizeof(*environment));
    int rc;

    if (!environment)
        return ENOMEM;
    environment->pid = getpid();
    environment->device = folder->st_dev;
    environment->inode = folder->st_ino;
    rc = mdb_env_create(&environment->env);
    if (rc == 0)
        rc = lmdb_open_environment(environment, url);
    if (rc) {
        if (environment->env)
            mdb_env_close(environment->env);
        free(environment);
        return rc;
    }
    *out = environment;
    return 0;
}

static struct environment *
lmdb_find_environment(const struct stat *folder)
{
    struct environment *environment = environments;
    pid_t pid = getpid();

    while (environment &&
           (environment->pid != pid || environment->device != folder->st_dev ||
            environment->inode != folder->st_ino))
        environment = environment->next;
    return environment;
}

/* Returns 0, an errno, or a code of ours or of LMDB. */
static int
lmdb_acquire_environment(struct lmdb_store *store)
{
    struct environment *environment;
    struct stat folder;
    int rc = lmdb_prepare_folder(store, &folder);

    if (rc)
        return rc;
    pthread_mutex_lock(&environments_lock);
    environment = lmdb_find_environment(&folder);
    if (!environment) {
        rc = lmdb_new_environment(&store->url, &folder, &environment);
        if (rc == 0) {
            environment->next = environments;
            environments = environment;
        }
    }
    if (rc == 0) {
        environment->users++;
        store->environment = environment;
    }
    pthread_mutex_unlock(&environments_lock);
    return rc;
}

static void
lmdb_release_environment(struct lmdb_store *store)
{
    struct environment **link = &environments;
    struct environment *environment = store->environment;

    if (store->reader)
        mdb_txn_abort(store->reader);
    store->reader = NULL;
    store->environment = NULL;
    if (!environment)
        return;
    pthread_mutex_lock(&environments_lock);
    if (--environment->users == 0) {
        while (*link != environment)
            link = &(*link)->next;
        *link = environment->next;
        mdb_env_close(environment->env);
        free(environment);
    }
    pthread_mutex_unlock(&environments_lock);
}

static enum pst_err
lmdb_ensure_open(struct lmdb_store *store)
{
    int rc;

    if (store->environment)
        return PST_OK;
    if (clock_ms() < store->retry_at)
        return PST_STORE_DOWN;
    rc = lmdb_acquire_environment(store);
    if (rc == 0)
        return PST_OK;
    store->retry_at = clock_ms() + REOPEN_DELAY;
    return lmdb_set_error(store, rc);
}

/* Keys. */

static void
lmdb_key_add(struct lmdb_key *key, const void *bytes, size_t len)
{
    memcpy(key->bytes + key->len, bytes, len);
    key->len += len;
}

struct lmdb_key
lmdb_key_make(struct lmdb_store *store, const struct store_id *first,
              const struct store_id *second)
{
    struct lmdb_key key;

    key.len = 0;
    lmdb_key_add(&key, store->base.tag, LMDB_TAG_LEN);
    if (first)
        lmdb_key_add(&key, first->bytes, PST_HASH_LEN);
    if (second)
        lmdb_key_add(&key, second->bytes, PST_HASH_LEN);
    return key;
}

static MDB_val
lmdb_key_value(struct lmdb_key *key)
{
    return (MDB_val){key->len, key->bytes};
}

static struct pst_bytes
lmdb_value_bytes(MDB_val value)
{
    return (struct pst_bytes){value.mv_data, value.mv_size};
}

/* Records, inside a transaction. */

int
lmdb_get(struct lmdb_store *store, MDB_txn *txn, enum record_kind kind,
         struct lmdb_key *key, struct pst_bytes *record)
{
    MDB_val name = lmdb_key_value(key);
    MDB_val value;
    int rc = mdb_get(txn, store->environment->dbi[kind], &name, &value);

    if (rc == 0)
        *record = lmdb_value_bytes(value);
    return rc;
}

/* Remove it if it is there. Its hint stays, and leads nowhere. */
int
lmdb_del(struct lmdb_store *store, MDB_txn *txn, enum record_kind kind,
         struct lmdb_key *key)
{
    MDB_val name = lmdb_key_value(key);
    int rc = mdb_del(txn, store->environment->dbi[kind], &name, NULL);

    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* When a record is to be looked at, and in which database that stands. */
struct hint {
    MDB_dbi list;
    enum record_kind kind;
    int64_t when;
};

static int
lmdb_put_hint(MDB_txn *txn, struct hint hint, const struct lmdb_key *record_key)
{
    struct lmdb_key key = {.len = LMDB_HINT_HEAD_LEN};
    MDB_val empty = {0, NULL};
    MDB_val name;

    record_set_time(key.bytes, hint.when);
    key.bytes[RECORD_TIME_LEN] = (uint8_t)hint.kind;
    lmdb_key_add(&key, record_key->bytes, record_key->len);
    name = lmdb_key_value(&key);
    return mdb_put(txn, hint.list, &name, &empty, 0);
}

/* The hint of a new record. */
static struct hint
lmdb_new_hint(const struct lmdb_store *store, enum record_kind kind,
              int64_t when)
{
    size_t list = HINTS;

    if (kind == RECORD_COUNTER)
        list =
            when - store->now > COUNTER_LONG ? LONG_COUNTERS : SHORT_COUNTERS;
    return (struct hint){store->environment->dbi[list], kind, when};
}

/* Delete the counter that a hint speaks of; where it is over later than the
 * hint says, it gets its place among the others instead. */
static int
lmdb_evict_counter(struct lmdb_store *store, MDB_txn *txn, MDB_dbi list,
                   const struct lmdb_key *hint, bool *is_evicted)
{
    struct hint moved = {.list = list, .kind = RECORD_COUNTER};
    struct lmdb_key key = {.len = 0};
    struct pst_bytes record;
    int rc;

    lmdb_key_add(&key, hint->bytes + LMDB_HINT_HEAD_LEN,
                 hint->len - LMDB_HINT_HEAD_LEN);
    rc = lmdb_get(store, txn, RECORD_COUNTER, &key, &record);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    if (record_expires(RECORD_COUNTER, record, &moved.when) &&
        moved.when > record_get_time(hint->bytes))
        return lmdb_put_hint(txn, moved, &key);
    *is_evicted = true;
    return lmdb_del(store, txn, RECORD_COUNTER, &key);
}

/* Drop the counter of a list that is over first. */
static int
lmdb_evict_first_counter(struct lmdb_store *store, MDB_txn *txn, MDB_dbi list)
{
    struct lmdb_key copy = {.len = 0};
    bool is_evicted = false;
    MDB_cursor *cursor;
    MDB_val hint;
    MDB_val none;
    int rc = mdb_cursor_open(txn, list, &cursor);

    if (rc)
        return rc;
    for (unsigned i = 0; i < EVICT_HINTS_MAX && rc == 0 && !is_evicted; i++) {
        rc = mdb_cursor_get(cursor, &hint, &none, MDB_FIRST);
        if (rc || hint.mv_size < LMDB_HINT_HEAD_LEN ||
            hint.mv_size > sizeof(copy.bytes))
            break;
        /* The page under a key moves when the tree is written. */
        copy.len = 0;
        lmdb_key_add(&copy, hint.mv_data, hint.mv_size);
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0)
            rc = lmdb_evict_counter(store, txn, list, &copy, &is_evicted);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Is there room in a list of counters for one more? Else one goes. */
static int
lmdb_limit_counters(struct lmdb_store *store, MDB_txn *txn, MDB_dbi list)
{
    MDB_stat stat;
    int rc = mdb_stat(txn, list, &stat);

    if (rc || stat.ms_entries < store->environment->counters_max)
        return rc;
    return lmdb_evict_first_counter(store, txn, list);
}

/* Will no hint be found at or before the new end? */
static bool
lmdb_needs_hint(enum record_kind kind, int rc, struct pst_bytes old,
                int64_t expires)
{
    int64_t before;

    return rc != 0 || !record_expires(kind, old, &before) || before > expires;
}

/* Note when a new record is to be looked at. */
static int
lmdb_add_hint(struct lmdb_store *store, MDB_txn *txn, enum record_kind kind,
              const struct lmdb_key *key, int64_t when)
{
    struct hint hint = lmdb_new_hint(store, kind, when);
    int rc = 0;

    if (kind == RECORD_COUNTER)
        rc = lmdb_limit_counters(store, txn, hint.list);
    return rc ? rc : lmdb_put_hint(txn, hint, key);
}

int
lmdb_put(struct lmdb_store *store, MDB_txn *txn, enum record_kind kind,
         struct lmdb_key *key, const struct pst_bytes parts[static 2])
{
    MDB_val value = {parts[0].len + parts[1].len, NULL};
    MDB_val name = lmdb_key_value(key);
    struct pst_bytes old;
    int64_t expires;
    int rc = lmdb_get(store, txn, kind, key, &old);

    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    PST_REQUIRE(record_expires(kind, parts[0], &expires));
    if (lmdb_needs_hint(kind, rc, old, expires)) {
        rc = lmdb_add_hint(store, txn, kind, key, expires);
        if (rc)
            return rc;
    }
    rc =
        mdb_put(txn, store->environment->dbi[kind], &name, &value, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(value.mv_data, parts[0].ptr, parts[0].len);
    if (parts[1].len > 0)
        memcpy((uint8_t *)value.mv_data + parts[0].len, parts[1].ptr,
               parts[1].len);
    return 0;
}

/* Ranges. */

int
lmdb_range_open(struct lmdb_range *range, struct lmdb_store *store,
                MDB_txn *txn, enum record_kind kind,
                const struct lmdb_key *prefix)
{
    range->prefix = *prefix;
    range->is_begun = false;
    return mdb_cursor_open(txn, store->environment->dbi[kind], &range->cursor);
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

void
lmdb_range_close(struct lmdb_range *range)
{
    mdb_cursor_close(range->cursor);
}

/* Sweeping. */

/* Look at one due record: remove it, or say when to look again. */
static int
lmdb_sweep_record(struct lmdb_store *store, MDB_txn *txn, MDB_dbi list,
                  MDB_val hint, struct lmdb_change *change)
{
    const uint8_t *bytes = hint.mv_data;
    struct hint moved = {list, bytes[RECORD_TIME_LEN], 0};
    enum record_kind kind = moved.kind;
    struct lmdb_key key = {.len = 0};
    struct pst_bytes record;
    int rc;

    if (kind >= RECORD_KINDS ||
        hint.mv_size - LMDB_HINT_HEAD_LEN > LMDB_KEY_MAX)
        return 0;
    lmdb_key_add(&key, bytes + LMDB_HINT_HEAD_LEN,
                 hint.mv_size - LMDB_HINT_HEAD_LEN);
    rc = lmdb_get(store, txn, kind, &key, &record);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return rc;
    if (!record_expires(kind, record, &moved.when))
        moved.when = change->now + NEWER_RECORD_DELAY;
    if (moved.when > change->now)
        return lmdb_put_hint(txn, moved, &key);
    change->swept.removed++;
    return lmdb_del(store, txn, kind, &key);
}

/* Look at due entries of one list until `limit` have been looked at. */
static int
lmdb_sweep_list(struct lmdb_store *store, MDB_txn *txn, MDB_dbi list,
                size_t limit, struct lmdb_change *change)
{
    struct lmdb_key copy = {.len = 0};
    MDB_cursor *cursor;
    MDB_val hint;
    MDB_val none;
    int rc = mdb_cursor_open(txn, list, &cursor);

    if (rc)
        return rc;
    while (change->swept.examined < limit && rc == 0) {
        rc = mdb_cursor_get(cursor, &hint, &none, MDB_FIRST);
        if (rc || hint.mv_size < LMDB_HINT_HEAD_LEN ||
            hint.mv_size > sizeof(copy.bytes) ||
            record_get_time(hint.mv_data) > change->now)
            break;
        /* The page under a key moves when the tree is written. */
        copy.len = 0;
        lmdb_key_add(&copy, hint.mv_data, hint.mv_size);
        rc = mdb_cursor_del(cursor, 0);
        change->swept.examined++;
        if (rc == 0)
            rc = lmdb_sweep_record(store, txn, list, lmdb_key_value(&copy),
                                   change);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Look at `limit` due entries, and count in change what came of it. */
static int
lmdb_sweep_lists(struct lmdb_store *store, MDB_txn *txn, size_t limit,
                 struct lmdb_change *change)
{
    int rc = 0;

    for (size_t i = HINTS; i < DATABASES && rc == 0; i++)
        rc = lmdb_sweep_list(store, txn, store->environment->dbi[i], limit,
                             change);
    return rc;
}

static int
lmdb_apply_sweep(struct lmdb_store *store, MDB_txn *txn,
                 struct lmdb_change *change)
{
    const size_t *limit = change->what;

    return lmdb_sweep_lists(store, txn, *limit, change);
}

/* Transactions. */

/* Take the slot for reading again, or a first one. */
static int
lmdb_renew_reader(struct lmdb_store *store)
{
    MDB_env *env = store->environment->env;
    int dead;
    int rc;

    if (store->reader)
        return mdb_txn_renew(store->reader);
    rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &store->reader);
    /* Slots of processes that were killed are free again after this. */
    if (rc == MDB_READERS_FULL && mdb_reader_check(env, &dead) == 0)
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &store->reader);
    if (rc)
        store->reader = NULL;
    return rc;
}

enum pst_err
lmdb_read_begin(struct lmdb_store *store, MDB_txn **txn)
{
    enum pst_err e = lmdb_ensure_open(store);
    int rc;

    if (e)
        return e;
    rc = lmdb_renew_reader(store);
    if (rc)
        return lmdb_set_error(store, rc);
    *txn = store->reader;
    return PST_OK;
}

/* Whatever came of it, the slot must not hold old pages. */
enum pst_err
lmdb_read_end(struct lmdb_store *store, int rc, enum pst_err result)
{
    mdb_txn_reset(store->reader);
    return rc == 0 ? result : lmdb_set_error(store, rc);
}

/* Pages that are free inside the file: LMDB's own list of them. */
static int
lmdb_count_free_pages(struct lmdb_store *store, size_t *pages)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val list;
    size_t length;
    int rc = lmdb_renew_reader(store);

    if (rc)
        return rc;
    rc = mdb_cursor_open(store->reader, 0, &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &list, MDB_FIRST);
        while (rc == 0) {
            memcpy(&length, list.mv_data, sizeof(length));
            *pages += length;
            rc = mdb_cursor_get(cursor, &key, &list, MDB_NEXT);
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_reset(store->reader);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
lmdb_free_tenths(struct lmdb_store *store, size_t *tenths)
{
    MDB_envinfo info;
    size_t total;
    size_t left;
    int rc = mdb_env_info(store->environment->env, &info);

    if (rc)
        return rc;
    total = info.me_mapsize / store->environment->page_size;
    left = total - info.me_last_pgno - 1;
    if (left < total / 10)
        rc = lmdb_count_free_pages(store, &left);
    *tenths = left / (total / 10);
    return rc;
}

/* One attempt at a change, whole or not at all. */
static int
lmdb_try_change(struct lmdb_store *store, struct lmdb_change *change)
{
    size_t tenths = 1;
    MDB_txn *txn;
    int rc = 0;

    if (change->grows)
        rc = lmdb_free_tenths(store, &tenths);
    if (rc == 0 && tenths == 0)
        rc = MDB_MAP_FULL;
    if (rc == 0)
        rc = mdb_txn_begin(store->environment->env, NULL, 0, &txn);
    if (rc)
        return rc;
    change->count = 0;
    change->swept = (struct store_sweep_result){0, 0};
    change->result = PST_OK;
    store->now = change->now;
    rc = change->apply(store, txn, change);
    if (rc == 0 && change->apply != lmdb_apply_sweep) {
        struct lmdb_change sweep_change = {.now = change->now};

        rc = lmdb_sweep_lists(store, txn, SWEEP_PER_WRITE, &sweep_change);
    }
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc == LMDB_UNCHANGED ? 0 : rc;
}

enum pst_err
lmdb_write(struct lmdb_store *store, struct lmdb_change *change)
{
    static const size_t full = SWEEP_WHEN_FULL;
    struct lmdb_change sweep_change = {
        .apply = lmdb_apply_sweep, .now = change->now, .what = &full};
    enum pst_err e = lmdb_ensure_open(store);
    int rc;

    if (e)
        return e;
    rc = lmdb_try_change(store, change);
    /* A hint that led nowhere took room as well. */
    if (rc == MDB_MAP_FULL && lmdb_try_change(store, &sweep_change) == 0 &&
        sweep_change.swept.examined > 0)
        rc = lmdb_try_change(store, change);
    if (rc)
        return lmdb_set_error(store, rc);
    return change->result;
}

enum pst_err
lmdb_sweep(struct lmdb_store *store, size_t limit, int64_t now,
           struct store_sweep_result *swept)
{
    struct lmdb_change change = {
        .apply = lmdb_apply_sweep, .now = now, .what = &limit};
    enum pst_err e = lmdb_write(store, &change);

    if (e)
        return e;
    *swept = change.swept;
    return PST_OK;
}

/* Opening. */

enum pst_err
lmdb_new(struct lmdb_store **out, const struct store_url *url)
{
    struct lmdb_store *store = calloc(1, sizeof(*store));

    if (!store)
        return PST_NO_MEMORY;
    store->url = *url;
    (void)lmdb_ensure_open(store);
    *out = store;
    return PST_OK;
}

void
lmdb_free(struct lmdb_store *store)
{
    lmdb_release_environment(store);
    free(store);
}
