/* SPDX-License-Identifier: ISC */
/*
 * lmdb_handle.c - a store handle on an LMDB folder: it opens the folder, again
 * when that failed, and runs reads and writes as transactions.
 */
#include "store/lmdb_handle.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/lmdb_expiry.h"
#include "store/lmdb_folder.h"

/* Milliseconds between attempts to open a folder. */
#define REOPEN_DELAY 250

struct lmdb_handle {
    struct store base;
    struct store_url url;
    struct lmdb_folder *folder; /* NULL: not open */
    struct lmdb_reader reader;
    int open_error;   /* of the last attempt to open the folder */
    int64_t retry_at; /* monotonic milliseconds */
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

/* The texts for our own codes and for those that need another one. */
static const struct {
    int rc;
    const char *text;
} error_texts[] = {
    {LMDB_NEWER_RECORD, ": " RECORD_NEWER_ERROR},
    {LMDB_FOLDER_IS_WRITABLE,
     ": its group or others may write to this folder: chmod 700 it, or, if "
     "several users share it by its group, chmod 2770 it"},
    {LMDB_FOLDER_IS_FOREIGN,
     ": root does not open a store that another user may write to: run this as "
     "the user of the programs"},
    {LMDB_FILE_IS_FOREIGN,
     ": a file in this folder belongs to another user and not to the folder's "
     "group: chgrp the files to that group, and chmod 660 them"},
    {ENOENT,
     " does not exist: make it, owned by the user who runs the programs "
     "(install -d -m 700 -o USER FOLDER)"},
    {LMDB_LATE,
     ": the lock for writing was not free in time: another process holds it, "
     "perhaps one that was stopped, or the disk is slow"},
    {LMDB_SHARE_FULL,
     ": the share of guests, or that of large sessions, is used up: raise the "
     "limit of the map with ?size="},
    {LMDB_BUSY, ": too many changes wait for the lock for writing"},
};

enum pst_err
lmdb_set_error(struct lmdb_handle *handle, int rc)
{
    const char *path = handle->url.path;

    for (size_t i = 0; i < PST_COUNT(error_texts); i++) {
        if (error_texts[i].rc == rc)
            return store_set_error(&handle->base, "lmdb:%s%s", path,
                                   error_texts[i].text);
    }
    return store_set_error(&handle->base, "lmdb:%s: %s%s", path,
                           lmdb_error_text(rc), lmdb_error_advice(rc));
}

static enum pst_err
lmdb_ensure_open(struct lmdb_handle *handle)
{
    if (handle->folder)
        return PST_OK;
    if (clock_ms() >= handle->retry_at) {
        handle->open_error = lmdb_folder_acquire(&handle->url, &handle->folder);
        handle->retry_at = clock_ms() + REOPEN_DELAY;
    }
    if (handle->open_error)
        return lmdb_set_error(handle, handle->open_error);
    lmdb_readers_add(&handle->folder->readers, &handle->reader);
    return PST_OK;
}

enum pst_err
lmdb_handle_new(struct lmdb_handle **out, const struct store_url *url)
{
    struct lmdb_handle *handle = calloc(1, sizeof(*handle));

    if (!handle)
        return PST_NO_MEMORY;
    handle->url = *url;
    (void)!lmdb_ensure_open(handle);
    *out = handle;
    return PST_OK;
}

void
lmdb_handle_free(struct lmdb_handle *handle)
{
    if (handle->folder) {
        lmdb_readers_remove(&handle->folder->readers, &handle->reader);
        lmdb_folder_release(handle->folder);
    }
    free(handle);
}

/* Reading. */

static int
lmdb_try_read(struct lmdb_handle *handle)
{
    int rc;

    lmdb_readers_enter(&handle->folder->readers, &handle->reader);
    rc = lmdb_reader_begin(&handle->folder->environment, &handle->reader.txn);
    if (rc)
        lmdb_readers_leave(&handle->reader);
    return rc;
}

enum pst_err
lmdb_read_begin(struct lmdb_handle *handle, struct lmdb_txn *txn)
{
    enum pst_err e = lmdb_ensure_open(handle);
    int rc;

    if (e)
        return e;
    rc = lmdb_try_read(handle);
    if (rc == LMDB_MAP_RESIZED || rc == LMDB_PANIC) {
        rc = lmdb_writer_recover(handle->folder->writer, rc);
        if (rc == 0)
            rc = lmdb_try_read(handle);
    }
    if (rc)
        return lmdb_set_error(handle, rc);
    *txn = (struct lmdb_txn){.environment = &handle->folder->environment,
                             .handle = handle->reader.txn,
                             .tag = handle->base.tag};
    return PST_OK;
}

enum pst_err
lmdb_read_end(struct lmdb_handle *handle, int rc, enum pst_err result)
{
    lmdb_reader_end(handle->reader.txn);
    lmdb_readers_leave(&handle->reader);
    return rc == 0 ? result : lmdb_set_error(handle, rc);
}

bool
lmdb_is_nearly_full(struct lmdb_handle *handle)
{
    struct lmdb_folder *folder = handle->folder;
    size_t tenths;
    int rc;

    lmdb_readers_enter(&folder->readers, &handle->reader);
    rc = lmdb_free_tenths(&folder->environment, &handle->reader.txn, &tenths);
    lmdb_readers_leave(&handle->reader);
    return rc == 0 && tenths < 2;
}

/* Writing. */

enum pst_err
lmdb_write(struct lmdb_handle *handle, struct lmdb_change *change)
{
    enum pst_err e = lmdb_ensure_open(handle);
    int rc;

    if (e) {
        free(change->what);
        return e;
    }
    rc = lmdb_writer_run(handle->folder->writer, handle->base.tag, change);
    return rc ? lmdb_set_error(handle, rc) : change->result;
}

void
lmdb_write_later(struct lmdb_handle *handle, const struct lmdb_change *change)
{
    if (lmdb_ensure_open(handle) != PST_OK)
        free(change->what);
    else
        lmdb_writer_post(handle->folder->writer, handle->base.tag, change);
}

enum pst_err
lmdb_handle_lock_file(struct lmdb_handle *handle, int *descriptor)
{
    enum pst_err e = lmdb_ensure_open(handle);

    if (!e)
        *descriptor = handle->folder->lock_file;
    return e;
}
