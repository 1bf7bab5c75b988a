/* SPDX-License-Identifier: ISC */
/*
 * store_lmdb.c - the store of one machine: a folder with an LMDB environment.
 *
 * One named database for each kind of record, and one that lists by time
 * what is to be looked at. Keys begin with the audience's tag. A read is a
 * renewed transaction on a slot of its own: no lock, no system call. A write
 * is on the disk (fdatasync) before it is answered, so a revocation outlives
 * kill -9 of any process and a power cut. A writer that dies leaves nothing;
 * the next one takes over its lock.
 *
 * Invariant: each record has at least one entry in the time list at or
 * before its end. An entry is only a hint: whoever finds it early moves it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lmdb.h>

#include "store.h"
#include "stored.h"

/* Readers of all processes at once: 64 octets each in the lock file. */
#define READERS_MAX 4096

/* What each write looks at in the time list: more than it adds to it. */
#define SWEEP_SHARE 8

/* What is looked at to make room in a full map. */
#define SWEEP_FULL 512

/* A record that a newer program wrote is looked at again after so long. */
#define FOREIGN_DELAY 86400

/* Milliseconds between attempts to open what cannot be opened. */
#define REOPEN_DELAY 250

#define TAG_LEN 8
#define KEY_MAX (TAG_LEN + 2 * PST_HASH_LEN)
#define HINT_HEAD (STORED_TIME_LEN + 1)
#define HINTS STORED_KINDS

/* What an apply function returns when there is nothing to commit. Neither
 * errno nor LMDB uses it. */
#define UNCHANGED (-1)

static const char *const names[] = {
    [STORED_REVOKED] = "revoked", [STORED_SINCE] = "since",
    [STORED_SESSION] = "session", [STORED_SPILL] = "spill",
    [STORED_COUNTER] = "counter", [HINTS] = "hints",
};

/* An environment may be open once in a process: POSIX drops all locks of a
 * file with the first descriptor of it that is closed. */
struct environment {
    struct environment *next;
    MDB_env *env;
    MDB_dbi dbi[STORED_KINDS + 1];
    unsigned page_size;
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
    struct environment *shared; /* NULL: not open */
    MDB_txn *reader;            /* reset between reads; NULL: none yet */
    int64_t closed_until;       /* monotonic milliseconds */
};

struct key {
    uint8_t octets[HINT_HEAD + KEY_MAX];
    size_t len;
};

/* One write. */
struct change {
    int (*apply)(struct lmdb_store *store, MDB_txn *txn, struct change *change);
    int64_t now;
    bool grows; /* leaves the last tenth of the map to those that end */
    const void *what;
    enum pst_err result; /* what to answer when nothing failed */
    int64_t number;
    size_t count;
};

static struct lmdb_store *
of(struct store *store)
{
    return (struct lmdb_store *)(void *)store;
}

/* --- what went wrong -------------------------------------------------------
 */

static enum pst_err
because(struct lmdb_store *store, int rc)
{
    const char *advice = "";

    if (rc == MDB_MAP_FULL)
        advice = ": give it more room with ?size=";
    else if (rc == MDB_READERS_FULL)
        advice = ": too many processes and workers read it";
    else if (rc == MDB_MAP_RESIZED)
        advice = ": start this program again";
    else if (rc == MDB_BAD_RSLOT)
        advice = ": it was opened before a fork";
    return store_because(&store->base, "lmdb:%s: %s%s", store->url.path,
                         mdb_strerror(rc), advice);
}

/* --- the environment -------------------------------------------------------
 */

/* Make the folder if it is missing. Returns 0 or an errno. */
static int
claim_folder(struct lmdb_store *store, struct stat *folder)
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
        return EPERM;
    return 0;
}

static int
open_databases(struct environment *shared, unsigned flags)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(shared->env, NULL, flags, &txn);

    if (rc)
        return rc;
    for (size_t i = 0; i < PST_COUNT(names) && rc == 0; i++)
        rc = mdb_dbi_open(txn, names[i], flags == 0 ? MDB_CREATE : 0,
                          &shared->dbi[i]);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

static int
open_environment(struct environment *shared, const struct store_url *url)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t size = (size_t)url->map_size;
    MDB_stat stat;
    int dead;
    int rc;

    shared->page_size = (unsigned)page;
    size -= size % (size_t)page;
    rc = mdb_env_set_mapsize(shared->env, size);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(shared->env, PST_COUNT(names));
    if (rc == 0)
        rc = mdb_env_set_maxreaders(shared->env, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_open(shared->env, url->path, MDB_NOTLS, 0600);
    if (rc == 0)
        rc = mdb_reader_check(shared->env, &dead);
    if (rc)
        return rc;
    /* Creating them takes the writers' lock; finding them does not. */
    rc = open_databases(shared, MDB_RDONLY);
    if (rc == MDB_NOTFOUND)
        rc = open_databases(shared, 0);
    if (rc == 0)
        rc = mdb_env_stat(shared->env, &stat);
    if (rc == 0)
        shared->page_size = stat.ms_psize;
    return rc;
}

static int
new_environment(const struct store_url *url, const struct stat *folder,
                struct environment **out)
{
    struct environment *shared = calloc(1, sizeof(*shared));
    int rc;

    if (!shared)
        return ENOMEM;
    shared->pid = getpid();
    shared->device = folder->st_dev;
    shared->inode = folder->st_ino;
    rc = mdb_env_create(&shared->env);
    if (rc == 0)
        rc = open_environment(shared, url);
    if (rc) {
        if (shared->env)
            mdb_env_close(shared->env);
        free(shared);
        return rc;
    }
    *out = shared;
    return 0;
}

static struct environment *
find_environment(const struct stat *folder)
{
    struct environment *shared = environments;
    pid_t pid = getpid();

    while (shared && (shared->pid != pid || shared->device != folder->st_dev ||
                      shared->inode != folder->st_ino))
        shared = shared->next;
    return shared;
}

/* Returns 0, an errno or a code of LMDB. */
static int
join(struct lmdb_store *store)
{
    struct environment *shared;
    struct stat folder;
    int rc = claim_folder(store, &folder);

    if (rc)
        return rc;
    pthread_mutex_lock(&environments_lock);
    shared = find_environment(&folder);
    if (!shared) {
        rc = new_environment(&store->url, &folder, &shared);
        if (rc == 0) {
            shared->next = environments;
            environments = shared;
        }
    }
    if (rc == 0) {
        shared->users++;
        store->shared = shared;
    }
    pthread_mutex_unlock(&environments_lock);
    return rc;
}

static void
leave(struct lmdb_store *store)
{
    struct environment **link = &environments;
    struct environment *shared = store->shared;

    if (store->reader)
        mdb_txn_abort(store->reader);
    store->reader = NULL;
    store->shared = NULL;
    if (!shared)
        return;
    pthread_mutex_lock(&environments_lock);
    if (--shared->users == 0) {
        while (*link != shared)
            link = &(*link)->next;
        *link = shared->next;
        mdb_env_close(shared->env);
        free(shared);
    }
    pthread_mutex_unlock(&environments_lock);
}

static int64_t
monotonic(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum pst_err
ensure(struct lmdb_store *store)
{
    int rc;

    if (store->shared)
        return PST_OK;
    if (monotonic() < store->closed_until)
        return PST_STORE_DOWN;
    rc = join(store);
    if (rc == 0)
        return PST_OK;
    store->closed_until = monotonic() + REOPEN_DELAY;
    if (rc == EPERM)
        return store_because(&store->base,
                             "lmdb:%s: the folder may be written by its group "
                             "or by everybody; it must be 0700",
                             store->url.path);
    return because(store, rc);
}

/* --- keys ------------------------------------------------------------------
 */

static void
key_add(struct key *key, const void *octets, size_t len)
{
    memcpy(key->octets + key->len, octets, len);
    key->len += len;
}

/* The key of a record; any of the ids may be missing from its end. */
static struct key
key_of(const struct lmdb_store *store, const struct store_id *first,
       const struct store_id *second)
{
    struct key key;

    key.len = 0;
    key_add(&key, store->base.tag, TAG_LEN);
    if (first)
        key_add(&key, first->octets, PST_HASH_LEN);
    if (second)
        key_add(&key, second->octets, PST_HASH_LEN);
    return key;
}

static MDB_val
key_value(struct key *key)
{
    return (MDB_val){key->len, key->octets};
}

static struct pst_bytes
value_bytes(MDB_val value)
{
    return (struct pst_bytes){value.mv_data, value.mv_size};
}

/* --- records, inside a transaction -----------------------------------------
 */

static int
get(struct lmdb_store *store, MDB_txn *txn, enum stored_kind kind,
    struct key *key, MDB_val *record)
{
    MDB_val name = key_value(key);

    return mdb_get(txn, store->shared->dbi[kind], &name, record);
}

/* Remove it if it is there. Its hint stays, and leads nowhere. */
static int
del(struct lmdb_store *store, MDB_txn *txn, enum stored_kind kind,
    struct key *key)
{
    MDB_val name = key_value(key);
    int rc = mdb_del(txn, store->shared->dbi[kind], &name, NULL);

    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
put_hint(struct lmdb_store *store, MDB_txn *txn, enum stored_kind kind,
         const struct key *of_record, int64_t when)
{
    struct key hint = {.len = HINT_HEAD};
    MDB_val empty = {0, NULL};
    MDB_val name;

    stored_put_time(hint.octets, when);
    hint.octets[STORED_TIME_LEN] = (uint8_t)kind;
    key_add(&hint, of_record->octets, of_record->len);
    name = key_value(&hint);
    return mdb_put(txn, store->shared->dbi[HINTS], &name, &empty, 0);
}

static int
put(struct lmdb_store *store, MDB_txn *txn, enum stored_kind kind,
    struct key *key, struct pst_bytes record)
{
    MDB_val name = key_value(key);
    MDB_val old;
    MDB_val value = {record.len, NULL};
    int64_t expires;
    int rc = get(store, txn, kind, key, &old);

    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    if (rc == MDB_NOTFOUND) {
        PST_REQUIRE(stored_expires(kind, record, &expires));
        rc = put_hint(store, txn, kind, key, expires);
        if (rc)
            return rc;
    }
    rc = mdb_put(txn, store->shared->dbi[kind], &name, &value, MDB_RESERVE);
    if (rc == 0)
        memcpy(value.mv_data, record.ptr, record.len);
    return rc;
}

/* What is known of a user; zeros when nothing is, or nothing can be read. */
static int
get_since(struct lmdb_store *store, MDB_txn *txn,
          const struct store_id *subject, struct stored_since *since)
{
    struct key key = key_of(store, subject, NULL);
    MDB_val record;
    int rc = get(store, txn, STORED_SINCE, &key, &record);

    *since = (struct stored_since){0, 0};
    if (rc == 0)
        (void)!stored_parse_since(value_bytes(record), since);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
put_since(struct lmdb_store *store, MDB_txn *txn,
          const struct store_id *subject, struct stored_since since)
{
    struct key key = key_of(store, subject, NULL);
    uint8_t record[STORED_SINCE_LEN];

    stored_emit_since(record, since);
    return put(store, txn, STORED_SINCE, &key,
               (struct pst_bytes){record, sizeof(record)});
}

/* --- sweeping --------------------------------------------------------------
 */

/* Look at one due record: remove it, or say when to look again. */
static int
sweep_record(struct lmdb_store *store, MDB_txn *txn, MDB_val hint,
             struct change *change)
{
    const uint8_t *octets = hint.mv_data;
    enum stored_kind kind = octets[STORED_TIME_LEN];
    struct key key = {.len = 0};
    int64_t expires;
    MDB_val record;
    int rc;

    if (kind >= STORED_KINDS || hint.mv_size - HINT_HEAD > KEY_MAX)
        return 0;
    key_add(&key, octets + HINT_HEAD, hint.mv_size - HINT_HEAD);
    rc = get(store, txn, kind, &key, &record);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return rc;
    if (!stored_expires(kind, value_bytes(record), &expires))
        expires = change->now + FOREIGN_DELAY;
    if (expires > change->now)
        return put_hint(store, txn, kind, &key, expires);
    change->count++;
    return del(store, txn, kind, &key);
}

/* Look at `limit` due entries, and count in change what was removed. */
static int
sweep(struct lmdb_store *store, MDB_txn *txn, size_t limit,
      struct change *change)
{
    struct key copy = {.len = 0};
    MDB_cursor *cursor;
    MDB_val hint;
    MDB_val none;
    int rc = mdb_cursor_open(txn, store->shared->dbi[HINTS], &cursor);

    if (rc)
        return rc;
    for (size_t i = 0; i < limit && rc == 0; i++) {
        rc = mdb_cursor_get(cursor, &hint, &none, MDB_FIRST);
        if (rc || hint.mv_size < HINT_HEAD ||
            hint.mv_size > sizeof(copy.octets) ||
            stored_get_time(hint.mv_data) > change->now)
            break;
        /* The page under a key moves when the tree is written. */
        copy.len = 0;
        key_add(&copy, hint.mv_data, hint.mv_size);
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0)
            rc = sweep_record(store, txn, key_value(&copy), change);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
apply_sweep(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const size_t *limit = change->what;

    return sweep(store, txn, *limit, change);
}

/* --- transactions ----------------------------------------------------------
 */

static enum pst_err
read_begin(struct lmdb_store *store, MDB_txn **txn)
{
    enum pst_err e = ensure(store);
    int dead;
    int rc;

    if (e)
        return e;
    if (store->reader) {
        rc = mdb_txn_renew(store->reader);
    } else {
        rc =
            mdb_txn_begin(store->shared->env, NULL, MDB_RDONLY, &store->reader);
        /* Slots of processes that were killed are free again after this. */
        if (rc == MDB_READERS_FULL &&
            mdb_reader_check(store->shared->env, &dead) == 0)
            rc = mdb_txn_begin(store->shared->env, NULL, MDB_RDONLY,
                               &store->reader);
        if (rc)
            store->reader = NULL;
    }
    if (rc)
        return because(store, rc);
    *txn = store->reader;
    return PST_OK;
}

/* Whatever came of it, the slot must not hold old pages. */
static enum pst_err
read_end(struct lmdb_store *store, int rc, enum pst_err result)
{
    mdb_txn_reset(store->reader);
    return rc == 0 ? result : because(store, rc);
}

/* Pages that are free inside the file: LMDB's own list of them. */
static int
count_free(struct lmdb_store *store, size_t *pages)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val list;
    MDB_txn *txn;
    size_t length;
    int rc;

    if (read_begin(store, &txn) != PST_OK)
        return MDB_PANIC;
    rc = mdb_cursor_open(txn, 0, &cursor);
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

/* How many tenths of the map are left, rounded down. */
static int
count_left(struct lmdb_store *store, size_t *tenths)
{
    MDB_envinfo info;
    size_t total;
    size_t left;
    int rc = mdb_env_info(store->shared->env, &info);

    if (rc)
        return rc;
    total = info.me_mapsize / store->shared->page_size;
    left = total - info.me_last_pgno - 1;
    if (left < total / 10)
        rc = count_free(store, &left);
    *tenths = left / (total / 10);
    return rc;
}

/* One attempt at a change, whole or not at all. */
static int
attempt(struct lmdb_store *store, struct change *change)
{
    size_t tenths = 1;
    MDB_txn *txn;
    int rc = 0;

    if (change->grows)
        rc = count_left(store, &tenths);
    if (rc == 0 && tenths == 0)
        rc = MDB_MAP_FULL;
    if (rc == 0)
        rc = mdb_txn_begin(store->shared->env, NULL, 0, &txn);
    if (rc)
        return rc;
    change->count = 0;
    change->result = PST_OK;
    rc = change->apply(store, txn, change);
    if (rc == 0 && change->apply != apply_sweep) {
        struct change share = {.now = change->now};

        rc = sweep(store, txn, SWEEP_SHARE, &share);
    }
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc == UNCHANGED ? 0 : rc;
}

static enum pst_err
write_change(struct lmdb_store *store, struct change *change)
{
    static const size_t full = SWEEP_FULL;
    struct change room = {
        .apply = apply_sweep, .now = change->now, .what = &full};
    enum pst_err e = ensure(store);
    int rc;

    if (e)
        return e;
    rc = attempt(store, change);
    if (rc == MDB_MAP_FULL && attempt(store, &room) == 0 && room.count > 0)
        rc = attempt(store, change);
    if (rc)
        return because(store, rc);
    return change->result;
}

/* --- opening ---------------------------------------------------------------
 */

static enum pst_err
lmdb_open(struct store **out, const struct store_url *url)
{
    struct lmdb_store *store = calloc(1, sizeof(*store));

    if (!store)
        return PST_NO_MEMORY;
    store->url = *url;
    *out = &store->base;
    (void)ensure(store);
    return PST_OK;
}

static void
lmdb_close(struct store *base)
{
    struct lmdb_store *store = of(base);

    leave(store);
    free(store);
}

static int
apply_ping(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    static const struct store_id id = {{0}};
    struct key key = key_of(store, &id, NULL);
    uint8_t record[STORED_COUNTER_LEN];

    stored_emit_time(record, change->now);
    return put(store, txn, STORED_COUNTER, &key,
               (struct pst_bytes){record, sizeof(record)});
}

static enum pst_err
lmdb_ping(struct store *base, int64_t now)
{
    struct lmdb_store *store = of(base);
    struct change change = {.apply = apply_ping, .now = now};
    enum pst_err e = write_change(store, &change);
    size_t tenths;
    MDB_txn *txn;

    if (e)
        return e;
    e = read_begin(store, &txn);
    if (e)
        return e;
    mdb_txn_reset(txn);
    if (count_left(store, &tenths) == 0 && tenths < 2)
        (void)store_because(base,
                            "lmdb:%s: less than a fifth of its room is left: "
                            "give it more with ?size=",
                            store->url.path);
    return PST_OK;
}

/* --- sessions that ended ---------------------------------------------------
 */

static enum pst_err
lmdb_check(struct store *base, const struct store_id *sid,
           const struct store_id *subject, int64_t iat)
{
    struct lmdb_store *store = of(base);
    struct key key = key_of(store, sid, NULL);
    struct stored_since since = {0, 0};
    enum pst_err result = PST_OK;
    MDB_val record;
    MDB_txn *txn;
    enum pst_err e = read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = get(store, txn, STORED_REVOKED, &key, &record);
    if (rc == 0)
        return read_end(store, 0, PST_REVOKED);
    if (rc == MDB_NOTFOUND && subject) {
        key = key_of(store, subject, NULL);
        rc = get(store, txn, STORED_SINCE, &key, &record);
        if (rc == 0 && (!stored_parse_since(value_bytes(record), &since) ||
                        iat <= since.since))
            result = PST_REVOKED;
    }
    return read_end(store, rc == MDB_NOTFOUND ? 0 : rc, result);
}

static int
revoke_sid(struct lmdb_store *store, MDB_txn *txn, const struct store_id *sid,
           int64_t expires)
{
    struct key key = key_of(store, sid, NULL);
    uint8_t record[STORED_REVOKED_LEN];
    int64_t known;
    MDB_val old;
    int rc = get(store, txn, STORED_REVOKED, &key, &old);

    if (rc == 0 &&
        (!stored_parse_time(value_bytes(old), &known) || known >= expires))
        return 0;
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    stored_emit_time(record, expires);
    return put(store, txn, STORED_REVOKED, &key,
               (struct pst_bytes){record, sizeof(record)});
}

static int
end_session(struct lmdb_store *store, MDB_txn *txn,
            const struct store_ending *ending)
{
    struct key key = key_of(store, ending->sid, NULL);
    int rc = revoke_sid(store, txn, ending->sid, ending->expires);

    if (rc == 0)
        rc = del(store, txn, STORED_SPILL, &key);
    if (rc == 0 && ending->subject) {
        key = key_of(store, ending->subject, ending->sid);
        rc = del(store, txn, STORED_SESSION, &key);
    }
    return rc;
}

static int
apply_end(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    return end_session(store, txn, change->what);
}

static enum pst_err
lmdb_end(struct store *base, const struct store_ending *ending)
{
    struct store_ending kept = *ending;
    struct change change = {
        .apply = apply_end, .now = ending->now, .what = &kept};

    if (kept.expires < kept.now)
        kept.expires = kept.now;
    return write_change(of(base), &change);
}

static int
apply_end_all(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    struct stored_since since;
    int rc = get_since(store, txn, change->what, &since);

    if (rc)
        return rc;
    since = stored_since_end(since, change->now);
    change->number = since.since;
    return put_since(store, txn, change->what, since);
}

static enum pst_err
lmdb_end_all(struct store *base, const struct store_id *subject, int64_t now,
             int64_t *since)
{
    struct change change = {
        .apply = apply_end_all, .now = now, .what = subject};
    enum pst_err e = write_change(of(base), &change);

    if (e)
        return e;
    *since = change.number;
    return PST_OK;
}

static enum pst_err
lmdb_since(struct store *base, const struct store_id *subject, int64_t *since)
{
    struct lmdb_store *store = of(base);
    struct stored_since found;
    MDB_txn *txn;
    enum pst_err e = read_begin(store, &txn);

    if (e)
        return e;
    e = read_end(store, get_since(store, txn, subject, &found), PST_OK);
    if (e)
        return e;
    *since = found.since;
    return PST_OK;
}

/* --- lists of live sessions ------------------------------------------------
 */

/* A walk over the keys that begin with a prefix. */
struct range {
    struct lmdb_store *store;
    MDB_txn *txn;
    MDB_cursor *cursor;
    struct key prefix;
    MDB_cursor_op op;
    struct store_id subject; /* whose `since` is known */
    struct stored_since since;
};

static int
range_open(struct range *range, struct lmdb_store *store, MDB_txn *txn,
           const struct store_id *subject)
{
    memset(range, 0, sizeof(*range));
    range->store = store;
    range->txn = txn;
    range->prefix = key_of(store, subject, NULL);
    range->op = MDB_SET_RANGE;
    return mdb_cursor_open(txn, store->shared->dbi[STORED_SESSION],
                           &range->cursor);
}

/* Whose session is it, and since when are that user's valid? */
static int
range_name(struct range *range, const uint8_t *octets,
           struct store_session *session)
{
    bool is_known =
        memcmp(octets + TAG_LEN, range->subject.octets, PST_HASH_LEN) == 0;

    memcpy(session->subject.octets, octets + TAG_LEN, PST_HASH_LEN);
    memcpy(session->sid.octets, octets + TAG_LEN + PST_HASH_LEN, PST_HASH_LEN);
    if (is_known)
        return 0;
    range->subject = session->subject;
    return get_since(range->store, range->txn, &range->subject, &range->since);
}

/* The next session that is live at `now`; MDB_NOTFOUND after the last. */
static int
range_next(struct range *range, int64_t now, struct store_session *session)
{
    MDB_val key = key_value(&range->prefix);
    MDB_val record;
    int rc;

    for (;;) {
        rc = mdb_cursor_get(range->cursor, &key, &record, range->op);
        if (rc)
            return rc;
        range->op = MDB_NEXT;
        if (key.mv_size != KEY_MAX ||
            memcmp(key.mv_data, range->prefix.octets, range->prefix.len) != 0)
            return MDB_NOTFOUND;
        rc = range_name(range, key.mv_data, session);
        if (rc)
            return rc;
        if (stored_parse_session(value_bytes(record), session) &&
            stored_session_is_live(session, range->since.since, now))
            return 0;
    }
}

static void
range_close(struct range *range)
{
    mdb_cursor_close(range->cursor);
}

/* How many others are live, and which of them is the oldest. */
static int
find_oldest(struct lmdb_store *store, MDB_txn *txn,
            const struct store_session *added, struct change *change,
            struct store_session *oldest)
{
    struct store_session session = {0};
    struct range range;
    int rc = range_open(&range, store, txn, &added->subject);

    if (rc)
        return rc;
    change->count = 0;
    for (;;) {
        rc = range_next(&range, change->now, &session);
        if (rc)
            break;
        if (memcmp(session.sid.octets, added->sid.octets, PST_HASH_LEN) == 0)
            continue;
        if (change->count == 0 || session.created < oldest->created)
            *oldest = session;
        change->count++;
    }
    range_close(&range);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Make room for one more in a list. */
static int
apply_cap(struct lmdb_store *store, MDB_txn *txn, struct change *change,
          const struct store_session *added)
{
    int64_t cap = change->number;
    size_t max =
        cap > 0 && cap < STORE_LISTED_MAX ? (size_t)cap : STORE_LISTED_MAX;
    struct store_session oldest = {0};
    struct store_ending ending = {&oldest.sid, &oldest.subject, 0, change->now};
    struct key key;
    int rc;

    for (;;) {
        rc = find_oldest(store, txn, added, change, &oldest);
        if (rc || change->count < max)
            return rc;
        ending.expires = oldest.expires;
        if (cap > 0) {
            rc = end_session(store, txn, &ending);
        } else {
            key = key_of(store, &oldest.subject, &oldest.sid);
            rc = del(store, txn, STORED_SESSION, &key);
        }
        if (rc)
            return rc;
    }
}

static int
apply_add(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const struct store_session *session = change->what;
    struct key key = key_of(store, &session->subject, &session->sid);
    uint8_t record[STORED_SESSION_MAX];
    struct stored_since since;
    size_t len;
    int rc = apply_cap(store, txn, change, session);

    if (rc)
        return rc;
    stored_emit_session(record, &len, session);
    rc = put(store, txn, STORED_SESSION, &key, (struct pst_bytes){record, len});
    if (rc == 0)
        rc = get_since(store, txn, &session->subject, &since);
    if (rc || since.newest >= session->created)
        return rc;
    since.newest = session->created;
    return put_since(store, txn, &session->subject, since);
}

static enum pst_err
lmdb_session_add(struct store *base, const struct store_session *session,
                 int64_t cap, int64_t now)
{
    struct change change = {.apply = apply_add,
                            .now = now,
                            .grows = true,
                            .what = session,
                            .number = cap};

    return write_change(of(base), &change);
}

static int
apply_touch(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const struct store_touch *touch = change->what;
    struct key key = key_of(store, touch->subject, touch->sid);
    uint8_t octets[STORED_SESSION_MAX];
    struct store_session session = {0};
    MDB_val record;
    size_t len;
    int rc = get(store, txn, STORED_SESSION, &key, &record);

    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    if (rc == MDB_NOTFOUND ||
        !stored_parse_session(value_bytes(record), &session) ||
        session.expires <= touch->now) {
        change->result = PST_ABSENT;
        return UNCHANGED;
    }
    if (touch->now <= session.seen && touch->expires <= session.expires)
        return UNCHANGED;
    if (touch->now > session.seen)
        session.seen = touch->now;
    if (touch->expires > session.expires)
        session.expires = touch->expires;
    stored_emit_session(octets, &len, &session);
    return put(store, txn, STORED_SESSION, &key,
               (struct pst_bytes){octets, len});
}

static enum pst_err
lmdb_session_touch(struct store *base, const struct store_touch *touch)
{
    struct change change = {
        .apply = apply_touch, .now = touch->now, .what = touch};

    return write_change(of(base), &change);
}

static int
apply_del(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const struct store_touch *touch = change->what;
    struct key key = key_of(store, touch->subject, touch->sid);

    return del(store, txn, STORED_SESSION, &key);
}

static enum pst_err
lmdb_session_del(struct store *base, const struct store_touch *touch)
{
    struct change change = {
        .apply = apply_del, .now = touch->now, .what = touch};

    return write_change(of(base), &change);
}

static enum pst_err
lmdb_session_walk(struct store *base, const struct store_walk *walk)
{
    struct lmdb_store *store = of(base);
    struct store_session session = {0};
    struct range range;
    MDB_txn *txn;
    enum pst_err e = read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = range_open(&range, store, txn, walk->subject);
    if (rc)
        return read_end(store, rc, PST_OK);
    while (rc == 0 && e == PST_OK) {
        rc = range_next(&range, walk->now, &session);
        if (rc == 0)
            e = walk->each(walk->context, &session);
    }
    range_close(&range);
    return read_end(store, rc == MDB_NOTFOUND ? 0 : rc, e);
}

/* --- sealed sessions -------------------------------------------------------
 */

/* Is there one that has not ended? */
static int
get_spill(struct lmdb_store *store, MDB_txn *txn, const struct store_spill *at,
          struct pst_bytes *blob)
{
    struct key key = key_of(store, at->sid, NULL);
    MDB_val record;
    int64_t expires;
    int rc = get(store, txn, STORED_SPILL, &key, &record);

    if (rc)
        return rc;
    if (!stored_parse_spill(value_bytes(record), &expires, blob) ||
        expires <= at->now)
        return MDB_NOTFOUND;
    return 0;
}

static int
apply_spill(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const struct store_spill *spill = change->what;
    struct key key = key_of(store, spill->sid, NULL);
    MDB_val name = key_value(&key);
    MDB_val value = {STORED_SPILL_HEAD + spill->blob.len, NULL};
    struct pst_bytes old;
    uint8_t *octets;
    int rc = get_spill(store, txn, spill, &old);

    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    if (rc == MDB_NOTFOUND && spill->only_replace) {
        change->result = PST_ABSENT;
        return UNCHANGED;
    }
    rc = put_hint(store, txn, STORED_SPILL, &key, spill->expires);
    if (rc)
        return rc;
    rc = mdb_put(txn, store->shared->dbi[STORED_SPILL], &name, &value,
                 MDB_RESERVE);
    if (rc)
        return rc;
    octets = value.mv_data;
    stored_emit_time(octets, spill->expires);
    memcpy(octets + STORED_SPILL_HEAD, spill->blob.ptr, spill->blob.len);
    return 0;
}

static enum pst_err
lmdb_spill_put(struct store *base, const struct store_spill *spill)
{
    struct change change = {
        .apply = apply_spill, .now = spill->now, .grows = true, .what = spill};

    return write_change(of(base), &change);
}

static enum pst_err
lmdb_spill_get(struct store *base, const struct store_spill *at,
               struct pst_arena *arena, struct pst_bytes *blob)
{
    struct lmdb_store *store = of(base);
    struct pst_bytes found;
    uint8_t *copy;
    MDB_txn *txn;
    enum pst_err e = read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = get_spill(store, txn, at, &found);
    if (rc == MDB_NOTFOUND)
        return read_end(store, 0, PST_ABSENT);
    if (rc)
        return read_end(store, rc, PST_OK);
    copy = pst_arena_alloc(arena, found.len);
    if (!copy)
        return read_end(store, 0, PST_NO_MEMORY);
    memcpy(copy, found.ptr, found.len);
    *blob = (struct pst_bytes){copy, found.len};
    return read_end(store, 0, PST_OK);
}

static int
apply_spill_del(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const struct store_spill *at = change->what;
    struct key key = key_of(store, at->sid, NULL);

    return del(store, txn, STORED_SPILL, &key);
}

static enum pst_err
lmdb_spill_del(struct store *base, const struct store_spill *at)
{
    struct change change = {
        .apply = apply_spill_del, .now = at->now, .what = at};

    return write_change(of(base), &change);
}

/* --- counters --------------------------------------------------------------
 */

/* 0 for none, and for one that cannot be read. */
static int
get_instant(struct lmdb_store *store, MDB_txn *txn, const struct store_id *id,
            int64_t *instant)
{
    struct key key = key_of(store, id, NULL);
    MDB_val record;
    int rc = get(store, txn, STORED_COUNTER, &key, &record);

    *instant = 0;
    if (rc == 0)
        (void)!stored_parse_time(value_bytes(record), instant);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
put_instant(struct lmdb_store *store, MDB_txn *txn, const struct store_id *id,
            int64_t instant)
{
    struct key key = key_of(store, id, NULL);
    uint8_t record[STORED_COUNTER_LEN];

    if (instant == 0)
        return del(store, txn, STORED_COUNTER, &key);
    stored_emit_time(record, instant);
    return put(store, txn, STORED_COUNTER, &key,
               (struct pst_bytes){record, sizeof(record)});
}

/* Ask all of them. wait: the longest of them, 0 when each has room. */
static int
ask_counters(struct lmdb_store *store, MDB_txn *txn,
             const struct store_counters *counters,
             int64_t next[static STORE_COUNTERS_MAX], int64_t *wait)
{
    int64_t longest = 0;
    int64_t instant;
    int64_t one;
    int rc;

    for (size_t i = 0; i < counters->count; i++) {
        const struct store_counter *counter = &counters->items[i];

        rc = get_instant(store, txn, &counter->id, &instant);
        if (rc)
            return rc;
        if (!stored_counter_take(instant, counter->rate, counters->now,
                                 &next[i], &one) &&
            one > longest)
            longest = one;
    }
    *wait = longest;
    return 0;
}

static int
apply_take(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const struct store_counters *counters = change->what;
    int64_t next[STORE_COUNTERS_MAX];
    int rc = ask_counters(store, txn, counters, next, &change->number);

    if (rc)
        return rc;
    if (change->number > 0) {
        change->result = PST_THROTTLED;
        return UNCHANGED;
    }
    for (size_t i = 0; i < counters->count && rc == 0; i++)
        rc = put_instant(store, txn, &counters->items[i].id, next[i]);
    return rc;
}

static enum pst_err
peek(struct lmdb_store *store, const struct store_counters *counters,
     int64_t *retry_after)
{
    int64_t next[STORE_COUNTERS_MAX];
    int64_t wait = 0;
    MDB_txn *txn;
    enum pst_err e = read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = ask_counters(store, txn, counters, next, &wait);
    e = read_end(store, rc, wait > 0 ? PST_THROTTLED : PST_OK);
    if (e == PST_THROTTLED)
        *retry_after = wait;
    return e;
}

static enum pst_err
lmdb_take(struct store *base, const struct store_counters *counters,
          bool charge, int64_t *retry_after)
{
    struct change change = {.apply = apply_take,
                            .now = counters->now,
                            .grows = true,
                            .what = counters};
    enum pst_err e;

    /* A flood that is refused anyway must not queue for the writers' lock. */
    e = peek(of(base), counters, retry_after);
    if (e != PST_OK || !charge)
        return e;
    e = write_change(of(base), &change);
    if (e == PST_THROTTLED)
        *retry_after = change.number;
    return e;
}

static int
apply_give(struct lmdb_store *store, MDB_txn *txn, struct change *change)
{
    const struct store_counters *counters = change->what;
    int64_t instant;
    int rc = 0;

    for (size_t i = 0; i < counters->count && rc == 0; i++) {
        const struct store_counter *counter = &counters->items[i];

        rc = get_instant(store, txn, &counter->id, &instant);
        if (rc)
            return rc;
        instant = counter->forget ? 0
                                  : stored_counter_give(instant, counter->rate,
                                                        counters->now);
        rc = put_instant(store, txn, &counter->id, instant);
    }
    return rc;
}

static enum pst_err
lmdb_give(struct store *base, const struct store_counters *counters)
{
    struct change change = {
        .apply = apply_give, .now = counters->now, .what = counters};

    return write_change(of(base), &change);
}

static enum pst_err
lmdb_sweep(struct store *base, size_t limit, int64_t now, size_t *removed)
{
    struct change change = {.apply = apply_sweep, .now = now, .what = &limit};
    enum pst_err e = write_change(of(base), &change);

    if (e)
        return e;
    *removed = change.count;
    return PST_OK;
}

const struct store_backend store_lmdb = {
    .open = lmdb_open,
    .close = lmdb_close,
    .ping = lmdb_ping,
    .check = lmdb_check,
    .end = lmdb_end,
    .end_all = lmdb_end_all,
    .since = lmdb_since,
    .session_add = lmdb_session_add,
    .session_touch = lmdb_session_touch,
    .session_del = lmdb_session_del,
    .session_walk = lmdb_session_walk,
    .spill_put = lmdb_spill_put,
    .spill_get = lmdb_spill_get,
    .spill_del = lmdb_spill_del,
    .take = lmdb_take,
    .give = lmdb_give,
    .sweep = lmdb_sweep,
};
