/* SPDX-License-Identifier: ISC */
/*
 * lmdb_folder.h - an LMDB folder: who may use it; its environment and writer,
 * which all handles of a process share.
 *
 * A folder belongs to one user (mode 0700), or to the members of a group, who
 * share it (mode 2770). The files of a shared folder have its group and mode
 * 0660, whatever the umask: so it does not matter who starts first. Root opens
 * only a folder of its own.
 *
 * An environment may be open only once in a process: when a process closes any
 * descriptor of a file, POSIX drops all its locks on that file.
 */
#ifndef POSTERN_STORE_LMDB_FOLDER_H
#define POSTERN_STORE_LMDB_FOLDER_H

#include <sys/types.h>

#include "base/base.h"
#include "server/store_url.h"
#include "store/lmdb.h"
#include "store/lmdb_readers.h"
#include "store/lmdb_writer.h"

struct lmdb_folder {
    struct lmdb_environment environment;
    struct lmdb_readers readers;
    struct lmdb_writer *writer;
    int lock_file; /* "order", whose bytes are locked (store/lmdb_lock.c) */

    /* For store/lmdb_folder.c. */
    struct lmdb_folder *next;
    unsigned users;
    pid_t pid; /* a child process must open its own */
    dev_t device;
    ino_t inode;
};

/*
 * Open a folder, or share what is open.
 *   url  STORE_LMDB
 *   out  set on success; the caller releases it
 * Returns 0, LMDB_FOLDER_IS_WRITABLE, LMDB_FOLDER_IS_FOREIGN,
 * LMDB_FILE_IS_FOREIGN, an error code of LMDB or an errno.
 */
PST_MUST_USE int lmdb_folder_acquire(const struct store_url *url,
                                     struct lmdb_folder **out);

/* The last user closes it, after what was posted to the writer. While the
 * writer hangs, it stays open, for the next user. */
void lmdb_folder_release(struct lmdb_folder *folder);

#endif
