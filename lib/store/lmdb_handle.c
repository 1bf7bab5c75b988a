/* SPDX-License-Identifier: ISC */
/*
 * lmdb_handle.c - a store handle on an LMDB folder: it opens the folder, again
 * when that failed, and runs reads and writes as transactions.
 */
#include "store/lmdb_handle.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/* Entries of the expiry index that each write looks at: more than it adds. */
#define EXPIRE_PER_WRITE 8

/* Entries to look at to make room in a full map. */
#define EXPIRE_WHEN_FULL 512

/* Milliseconds between attempts to open a folder. */
#define REOPEN_DELAY 250

/* What is wrong with the folder. Neither LMDB nor errno uses these codes. */
#define FOLDER_IS_WRITABLE (-3)
#define FOLDER_IS_FOREIGN (-4)

/* An environment may be open only once in a process: when a process closes any
 * descriptor of a file, POSIX drops all its locks on that file. So handles on
 * one folder share it. */
struct shared_environment {
    struct lmdb_environment environment;
    struct shared_environment *next;
    unsigned users;
    pid_t pid; /* a child process must open its own */
    dev_t device;
    ino_t inode;
};

static pthread_mutex_t environments_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared_environment *environments;

struct lmdb_handle {
    struct store base;
    struct store_url url;
    struct shared_environment *shared; /* NULL: not open */
    struct MDB_txn *reader;            /* kept between reads; NULL: none yet */
    int64_t retry_at;                  /* monotonic milliseconds */
};

struct store *
lmdb_handle_base(struct lmdb_handle *handle)
{
    return &handle->base;
}

struct lmdb_handle *
lmdb_handle_from_base(struct store *store)
{
    return (struct lmdb_handle *)(void *)store;
}

static enum pst_err
lmdb_set_error(struct lmdb_handle *handle, int rc)
{
    const char *path = handle->url.path;

    if (rc == LMDB_NEWER_RECORD)
        return store_set_error(&handle->base, "lmdb:%s: " RECORD_NEWER_ERROR,
                               path);
    if (rc == FOLDER_IS_WRITABLE)
        return store_set_error(&handle->base,
                               "lmdb:%s: its group or others may write to this "
                               "folder: chmod 700 it",
                               path);
    if (rc == FOLDER_IS_FOREIGN)
        return store_set_error(
            &handle->base,
            "lmdb:%s: this folder belongs to another user, who could not open "
            "files that we create in it: run this as that user",
            path);
    if (rc == ENOENT)
        return store_set_error(
            &handle->base,
            "lmdb:%s does not exist: make it, owned by the user who runs the "
            "programs (install -d -m 700 -o USER FOLDER)",
            path);
    return store_set_error(&handle->base, "lmdb:%s: %s%s", path,
                           lmdb_error_text(rc), lmdb_error_advice(rc));
}

/* The folder. */

/* Would LMDB have to create a file? */
static bool
lmdb_folder_lacks_files(const char *path)
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
 * Create the folder if it is missing, and check who may use it.
 * Returns 0, FOLDER_IS_WRITABLE, FOLDER_IS_FOREIGN or an errno.
 */
static int
lmdb_folder_prepare(const char *path, struct stat *folder)
{
    /* EACCES does not tell whether it is missing; stat(2) does. */
    if (mkdir(path, 0700) != 0 && errno != EEXIST && errno != EACCES)
        return errno;
    if (stat(path, folder) != 0)
        return errno;
    if (!S_ISDIR(folder->st_mode))
        return ENOTDIR;
    /* The attack: a user who can write to this folder can replace the files. */
    if ((folder->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return FOLDER_IS_WRITABLE;
    /* Files that root creates there only root could open (mode 0600). */
    if (folder->st_uid != geteuid() && lmdb_folder_lacks_files(path))
        return FOLDER_IS_FOREIGN;
    return 0;
}

/* Environments shared by the handles of a process. */

static struct shared_environment *
lmdb_environment_find(const struct stat *folder)
{
    struct shared_environment *shared = environments;
    pid_t pid = getpid();

    while (shared && (shared->pid != pid || shared->device != folder->st_dev ||
                      shared->inode != folder->st_ino))
        shared = shared->next;
    return shared;
}

/* Open an environment, and add it to the list. */
static int
lmdb_environment_add(const struct store_url *url, const struct stat *folder,
                     struct shared_environment **out)
{
    struct shared_environment *shared = calloc(1, sizeof(*shared));
    int rc;

    if (!shared)
        return ENOMEM;
    shared->pid = getpid();
    shared->device = folder->st_dev;
    shared->inode = folder->st_ino;
    rc = lmdb_environment_open(&shared->environment, url->path,
                               (size_t)url->map_size);
    if (rc) {
        free(shared);
        return rc;
    }
    shared->next = environments;
    environments = shared;
    *out = shared;
    return 0;
}

/* Returns 0, an errno, or a code of ours or of LMDB. */
static int
lmdb_environment_acquire(const struct store_url *url,
                         struct shared_environment **out)
{
    struct shared_environment *shared;
    struct stat folder;
    int rc = lmdb_folder_prepare(url->path, &folder);

    if (rc)
        return rc;
    pthread_mutex_lock(&environments_lock);
    shared = lmdb_environment_find(&folder);
    if (!shared)
        rc = lmdb_environment_add(url, &folder, &shared);
    if (rc == 0) {
        shared->users++;
        *out = shared;
    }
    pthread_mutex_unlock(&environments_lock);
    return rc;
}

static void
lmdb_environment_release(struct shared_environment *shared)
{
    struct shared_environment **link = &environments;

    pthread_mutex_lock(&environments_lock);
    if (--shared->users == 0) {
        while (*link != shared)
            link = &(*link)->next;
        *link = shared->next;
        lmdb_environment_close(&shared->environment);
        free(shared);
    }
    pthread_mutex_unlock(&environments_lock);
}

/* Handles. */

static enum pst_err
lmdb_ensure_open(struct lmdb_handle *handle)
{
    int rc;

    if (handle->shared)
        return PST_OK;
    if (clock_ms() < handle->retry_at)
        return PST_STORE_DOWN;
    rc = lmdb_environment_acquire(&handle->url, &handle->shared);
    if (rc == 0)
        return PST_OK;
    handle->retry_at = clock_ms() + REOPEN_DELAY;
    return lmdb_set_error(handle, rc);
}

enum pst_err
lmdb_handle_new(struct lmdb_handle **out, const struct store_url *url)
{
    struct lmdb_handle *handle = calloc(1, sizeof(*handle));

    if (!handle)
        return PST_NO_MEMORY;
    handle->url = *url;
    (void)lmdb_ensure_open(handle);
    *out = handle;
    return PST_OK;
}

void
lmdb_handle_free(struct lmdb_handle *handle)
{
    lmdb_reader_free(handle->reader);
    if (handle->shared)
        lmdb_environment_release(handle->shared);
    free(handle);
}

/* Transactions. */

static struct lmdb_txn
lmdb_txn_make(const struct lmdb_handle *handle, int64_t now)
{
    return (struct lmdb_txn){.environment = &handle->shared->environment,
                             .tag = handle->base.tag,
                             .now = now};
}

enum pst_err
lmdb_read_begin(struct lmdb_handle *handle, struct lmdb_txn *txn)
{
    enum pst_err e = lmdb_ensure_open(handle);
    int rc;

    if (e)
        return e;
    rc = lmdb_reader_begin(&handle->shared->environment, &handle->reader);
    if (rc)
        return lmdb_set_error(handle, rc);
    *txn = lmdb_txn_make(handle, 0);
    txn->handle = handle->reader;
    return PST_OK;
}

enum pst_err
lmdb_read_end(struct lmdb_handle *handle, int rc, enum pst_err result)
{
    lmdb_reader_end(handle->reader);
    return rc == 0 ? result : lmdb_set_error(handle, rc);
}

/* The change that only removes expired records. */
static int
lmdb_apply_expire(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const size_t *limit = change->what;

    return lmdb_expire(txn, *limit, &change->swept);
}

/* Apply a change; then remove a few expired records. */
static int
lmdb_apply_change(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    struct store_sweep_result ignored = {0, 0};
    int rc;

    change->result = PST_OK;
    change->swept = (struct store_sweep_result){0, 0};
    rc = change->apply(txn, change);
    if (rc == 0 && change->apply != lmdb_apply_expire)
        rc = lmdb_expire(txn, EXPIRE_PER_WRITE, &ignored);
    return rc;
}

/* Try to apply a change, as a whole or not at all. */
static int
lmdb_try_change(struct lmdb_handle *handle, struct lmdb_change *change)
{
    struct lmdb_txn txn = lmdb_txn_make(handle, change->now);
    size_t tenths = 1;
    int rc = 0;

    if (change->grows)
        rc = lmdb_free_tenths(txn.environment, &handle->reader, &tenths);
    if (rc == 0 && tenths == 0)
        rc = LMDB_MAP_FULL;
    if (rc == 0)
        rc = lmdb_write_begin(txn.environment, &txn.handle);
    if (rc)
        return rc;
    rc = lmdb_apply_change(&txn, change);
    if (rc == 0)
        return lmdb_write_commit(txn.handle);
    lmdb_write_abort(txn.handle);
    return rc == LMDB_UNCHANGED ? 0 : rc;
}

enum pst_err
lmdb_write(struct lmdb_handle *handle, struct lmdb_change *change)
{
    static const size_t limit = EXPIRE_WHEN_FULL;
    struct lmdb_change expire = {
        .apply = lmdb_apply_expire, .now = change->now, .what = &limit};
    enum pst_err e = lmdb_ensure_open(handle);
    int rc;

    if (e)
        return e;
    rc = lmdb_try_change(handle, change);
    /* Entries of deleted records use room as well. */
    if (rc == LMDB_MAP_FULL && lmdb_try_change(handle, &expire) == 0 &&
        expire.swept.examined > 0)
        rc = lmdb_try_change(handle, change);
    if (rc)
        return lmdb_set_error(handle, rc);
    return change->result;
}

enum pst_err
lmdb_sweep(struct lmdb_handle *handle, size_t limit, int64_t now,
           struct store_sweep_result *swept)
{
    struct lmdb_change change = {
        .apply = lmdb_apply_expire, .now = now, .what = &limit};
    enum pst_err e = lmdb_write(handle, &change);

    if (e)
        return e;
    *swept = change.swept;
    return PST_OK;
}

bool
lmdb_is_nearly_full(struct lmdb_handle *handle)
{
    size_t tenths;

    return lmdb_free_tenths(&handle->shared->environment, &handle->reader,
                            &tenths) == 0 &&
           tenths < 2;
}
