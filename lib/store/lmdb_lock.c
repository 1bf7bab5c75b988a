/* SPDX-License-Identifier: ISC */
/*
 * lmdb_lock.c - locks among the processes of one machine: bytes of the file
 * "order" in the folder, locked for the open file description (OFD), so that
 * the kernel frees those of a process that ends.
 *
 * An id has two bytes, at a place that is its hash: the lock, and one for the
 * process that waits for it. Who wants the lock needs the second byte first:
 * so the process that releases it cannot overtake the one that waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "store/lmdb_handle.h"
#include "store/lmdb_store.h"
#include "store/store_lock.h"

/* The bytes of one id. Other ids may share them, with a probability of 2^-62:
 * then one waits for the other. */
enum lock_byte { LOCK_BYTE_HELD, LOCK_BYTE_NEXT, LOCK_BYTES };

static off_t
lock_offset(const struct store_lock *lock)
{
    uint64_t hash;

    memcpy(&hash, lock->place.id.bytes, sizeof(hash));
    return (off_t)(hash >> 2) * LOCK_BYTES;
}

static int
lock_set(int file, short type, off_t start, off_t length)
{
    struct flock range = {.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = start,
                          .l_len = length};

    return fcntl(file, F_OFD_SETLK, &range) == 0 ? 0 : errno;
}

/* Returns 0, EAGAIN when another process holds what is needed, or an errno. */
static int
lock_try(int file, struct store_lock *lock)
{
    off_t start = lock_offset(lock);
    int error = 0;

    if (!lock->is_next)
        error = lock_set(file, F_WRLCK, start + LOCK_BYTE_NEXT, 1);
    lock->is_next = !error;
    if (!error)
        error = lock_set(file, F_WRLCK, start + LOCK_BYTE_HELD, 1);
    if (!error)
        error = lock_set(file, F_UNLCK, start + LOCK_BYTE_NEXT, 1);
    return error == EACCES ? EAGAIN : error;
}

enum pst_err
lmdb_lock(struct store *store, struct store_lock *lock)
{
    struct lmdb_handle *handle = lmdb_handle_from_base(store);
    enum pst_err e;
    int error;
    int file;

    e = lmdb_handle_lock_file(handle, &file);
    if (e)
        return e;
    error = lock_try(file, lock);
    if (error == EAGAIN)
        return PST_OVERLOADED;
    return error ? lmdb_set_error(handle, error) : PST_OK;
}

bool
lmdb_is_locked(const struct store_lock *lock)
{
    (void)lock;
    return true;
}

/* Both bytes, of a lock that is held or waited for. */
void
lmdb_unlock(struct store *store, struct store_lock *lock)
{
    int file;

    if (lmdb_handle_lock_file(lmdb_handle_from_base(store), &file) == PST_OK)
        (void)lock_set(file, F_UNLCK, lock_offset(lock), LOCK_BYTES);
    lock->is_next = false;
}
