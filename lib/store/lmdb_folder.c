/* SPDX-License-Identifier: ISC */
/*
 * lmdb_folder.c - an LMDB folder: who may use it; its environment and writer,
 * which all handles of a process share.
 */
#include "store/lmdb_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "order"
#define LOCK_FILE_FLAGS (O_RDWR | O_CLOEXEC | O_NOFOLLOW)
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Of the files of a shared folder. */
#define SHARED_FILE_MODE 0660

static pthread_mutex_t folders_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lmdb_folder *folders;

/* The files of LMDB. */
static const char *const files[] = {"data.mdb", "lock.mdb"};

/*
 * Create the folder if it is missing, and check who may use it.
 * Returns 0, LMDB_FOLDER_IS_WRITABLE, LMDB_FOLDER_IS_FOREIGN or an errno.
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
    /* LMDB follows links. The attack: who may write to this folder puts a link
     * there, and root overwrites what it leads to. */
    if (geteuid() == 0 &&
        (folder->st_uid != 0 || store_folder_is_shared(folder->st_mode)))
        return LMDB_FOLDER_IS_FOREIGN;
    if (store_folder_is_shared(folder->st_mode))
        return 0;
    /* The attack: a user who can write to this folder can replace the files. */
    if ((folder->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return LMDB_FOLDER_IS_WRITABLE;
    return 0;
}

/* Shared folders. */

/*
 * Make a file that every member of the group can open; it may exist. Its owner
 * gives it the group and the mode, for the umask may have withheld them, and it
 * may be older than the sharing.
 *   folder  a descriptor, and what fstat(2) says of it
 * Returns 0, LMDB_FILE_IS_FOREIGN or an errno.
 */
static int
lmdb_file_share(int folder, const struct stat *found, const char *name)
{
    int file = openat(folder, name, LOCK_FILE_FLAGS | O_CREAT | O_NONBLOCK,
                      SHARED_FILE_MODE);
    struct stat st;
    int rc = 0;

    if (file < 0)
        return errno == EACCES ? LMDB_FILE_IS_FOREIGN : errno;
    if (fstat(file, &st) != 0)
        rc = errno;
    else if (st.st_uid == geteuid() &&
             (st.st_gid != found->st_gid ||
              (st.st_mode & 0777) != SHARED_FILE_MODE) &&
             (fchown(file, (uid_t)-1, found->st_gid) != 0 ||
              fchmod(file, SHARED_FILE_MODE) != 0))
        rc = errno;
    close(file);
    return rc;
}

/*
 * Make the files of a shared folder; of one that is not shared, none. They must
 * not be open in this process.
 * Returns 0, LMDB_FILE_IS_FOREIGN or an errno.
 */
static int
lmdb_folder_share_files(int folder, const char *const *names, size_t count)
{
    struct stat found;
    int rc = 0;

    if (fstat(folder, &found) != 0)
        return errno;
    if (!store_folder_is_shared(found.st_mode))
        return 0;
    /* Nobody must find a file that has not got its mode yet. */
    if (flock(folder, LOCK_EX) != 0)
        return errno;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = lmdb_file_share(folder, &found, names[i]);
    return rc;
}

static int
lmdb_folder_share(const char *path)
{
    int folder = open(path, FOLDER_FLAGS);
    int rc;

    if (folder < 0)
        return errno;
    rc = lmdb_folder_share_files(folder, files, PST_COUNT(files));
    close(folder); /* and its lock */
    return rc;
}

/* Folders that are open in this process. */

static struct lmdb_folder *
lmdb_folder_find(const struct stat *found)
{
    struct lmdb_folder *folder = folders;
    pid_t pid = getpid();

    while (folder && (folder->pid != pid || folder->device != found->st_dev ||
                      folder->inode != found->st_ino))
        folder = folder->next;
    return folder;
}

/* Open a folder, and add it to the list. */
static int
lmdb_folder_open(const struct store_url *url, const struct stat *found,
                 struct lmdb_folder **out)
{
    int rc = lmdb_folder_share(url->path);
    struct lmdb_folder *folder;

    if (rc)
        return rc;
    folder = calloc(1, sizeof(*folder));
    if (!folder)
        return ENOMEM;
    folder->pid = getpid();
    folder->device = found->st_dev;
    folder->inode = found->st_ino;
    folder->lock_file = -1;
    rc = lmdb_environment_open(&folder->environment, url->path,
                               (size_t)url->map_size);
    if (rc) {
        free(folder);
        return rc;
    }
    lmdb_readers_init(&folder->readers);
    rc = lmdb_writer_new(&folder->writer, &folder->environment,
                         &folder->readers);
    if (rc) {
        lmdb_readers_fini(&folder->readers);
        lmdb_environment_close(&folder->environment);
        free(folder);
        return rc;
    }
    folder->next = folders;
    folders = folder;
    *out = folder;
    return 0;
}

int
lmdb_folder_acquire(const struct store_url *url, struct lmdb_folder **out)
{
    struct lmdb_folder *folder;
    struct stat found;
    int rc = lmdb_folder_prepare(url->path, &found);

    if (rc)
        return rc;
    pthread_mutex_lock(&folders_lock);
    folder = lmdb_folder_find(&found);
    if (!folder)
        rc = lmdb_folder_open(url, &found, &folder);
    if (rc == 0) {
        folder->users++;
        *out = folder;
    }
    pthread_mutex_unlock(&folders_lock);
    return rc;
}

/* Create the file only where every process can open it (mode 0600). */
static int
lmdb_lock_file_create(int folder, int *descriptor)
{
    struct stat found;

    if (fstat(folder, &found) != 0)
        return errno;
    if (found.st_uid != geteuid())
        return LMDB_FOLDER_IS_FOREIGN;
    *descriptor = openat(folder, LOCK_FILE, LOCK_FILE_FLAGS | O_CREAT, 0600);
    return *descriptor < 0 ? errno : 0;
}

static int
lmdb_lock_file_open(const char *path, int *descriptor)
{
    static const char *const name = LOCK_FILE;
    int folder = open(path, FOLDER_FLAGS);
    int rc;

    if (folder < 0)
        return errno;
    rc = lmdb_folder_share_files(folder, &name, 1);
    if (rc == 0) {
        *descriptor = openat(folder, LOCK_FILE, LOCK_FILE_FLAGS);
        if (*descriptor < 0)
            rc = errno == ENOENT ? lmdb_lock_file_create(folder, descriptor)
                                 : errno;
    }
    close(folder);
    return rc;
}

int
lmdb_folder_open_lock_file(struct lmdb_folder *folder, const char *path,
                           int *descriptor)
{
    int rc = 0;

    pthread_mutex_lock(&folders_lock);
    if (folder->lock_file < 0)
        rc = lmdb_lock_file_open(path, &folder->lock_file);
    *descriptor = folder->lock_file;
    pthread_mutex_unlock(&folders_lock);
    return rc;
}

void
lmdb_folder_release(struct lmdb_folder *folder)
{
    struct lmdb_folder **link = &folders;

    pthread_mutex_lock(&folders_lock);
    if (--folder->users == 0 && lmdb_writer_free(&folder->writer)) {
        while (*link != folder)
            link = &(*link)->next;
        *link = folder->next;
        lmdb_readers_fini(&folder->readers);
        lmdb_environment_close(&folder->environment);
        if (folder->lock_file >= 0)
            close(folder->lock_file);
        free(folder);
    }
    pthread_mutex_unlock(&folders_lock);
}
