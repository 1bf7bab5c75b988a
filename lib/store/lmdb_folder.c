/* SPDX-License-Identifier: ISC */
/*
 * lmdb_folder.c - an LMDB folder: who may use it; its environment and writer,
 * which all handles of a process share.
 */
#include "store/lmdb_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_FLAGS (O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* Bytes of the path of a file: the folder's, and a name. */
#define FILE_PATH_SIZE (STORE_URL_PART_MAX + 1 + 16)

/* Of the files of a shared folder. */
#define SHARED_FILE_MODE 0660

static pthread_mutex_t folders_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lmdb_folder *folders;

/* LMDB's mark (MDB_MAGIC), and the size of the head of a page before it. */
#define LMDB_MAGIC 0xBEEFC0DEu
#define LMDB_PAGE_HEAD_LEN (sizeof(size_t) + 8)

/* The files of LMDB, and the one whose bytes are locked. */
#define LOCK_FILE "order"
static const struct lmdb_file {
    const char *name;
    off_t magic_at; /* -1: the file is empty */
} files[] = {
    {"data.mdb", LMDB_PAGE_HEAD_LEN}, {"lock.mdb", 0}, {LOCK_FILE, -1}};

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

/* Is it a file of a store? A member of the group can move others here. */
static bool
lmdb_file_is_genuine(int file, const struct stat *found, off_t magic_at)
{
    uint32_t magic = 0;

    if (!S_ISREG(found->st_mode) || found->st_nlink != 1)
        return false;
    return found->st_size == 0 ||
           (pread(file, &magic, sizeof(magic), magic_at) == sizeof(magic) &&
            magic == LMDB_MAGIC);
}

/* Make a file. It gets its name when it has its mode, which the umask may have
 * withheld: so nobody finds a file that others cannot open, and nobody waits.
 */
static int
lmdb_file_make(const char *path, gid_t group, const char *name)
{
    char made[FILE_PATH_SIZE];
    char last[FILE_PATH_SIZE];
    int file;
    int rc = 0;

    (void)snprintf(made, sizeof(made), "%s/new-XXXXXX", path);
    (void)snprintf(last, sizeof(last), "%s/%s", path, name);
    file = mkostemp(made, O_CLOEXEC);
    if (file < 0)
        return errno;
    if (fchown(file, (uid_t)-1, group) != 0 ||
        fchmod(file, SHARED_FILE_MODE) != 0 ||
        (link(made, last) != 0 && errno != EEXIST))
        rc = errno;
    close(file);
    unlink(made);
    return rc;
}

/*
 * Make a file that every member of the group can open; it may exist. If it is
 * older than the sharing, its owner gives it the group and the mode.
 *   folder  a descriptor, and what fstat(2) says of it
 * Returns 0, LMDB_FILE_IS_FOREIGN or an errno.
 */
static int
lmdb_file_share(const char *path, int folder, const struct stat *place,
                const struct lmdb_file *wanted)
{
    int file = openat(folder, wanted->name, FILE_FLAGS);
    struct stat found;
    int rc = 0;

    if (file < 0 && errno == ENOENT)
        return lmdb_file_make(path, place->st_gid, wanted->name);
    if (file < 0)
        return errno == EACCES ? LMDB_FILE_IS_FOREIGN : errno;
    if (fstat(file, &found) != 0)
        rc = errno;
    else if (found.st_uid == geteuid() &&
             (found.st_gid != place->st_gid ||
              (found.st_mode & 0777) != SHARED_FILE_MODE) &&
             lmdb_file_is_genuine(file, &found, wanted->magic_at) &&
             (fchown(file, (uid_t)-1, place->st_gid) != 0 ||
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
lmdb_folder_share(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat place;
    int rc = 0;

    if (folder < 0)
        return errno;
    if (fstat(folder, &place) != 0)
        rc = errno;
    else if (store_folder_is_shared(place.st_mode)) {
        for (size_t i = 0; i < PST_COUNT(files) && rc == 0; i++)
            rc = lmdb_file_share(path, folder, &place, &files[i]);
    }
    close(folder);
    return rc;
}

/*
 * LMDB's lock file is a hole that it maps into memory: on a full disk, the
 * first write to one of its pages would end the program (SIGBUS). So they are
 * allocated beforehand, where the file system can. The size of the file stays,
 * because LMDB sets it. The file must not be open in this process.
 * Returns 0, ENOSPC or EDQUOT.
 */
static int
lmdb_reserve_lock_pages(const char *path)
{
    char name[FILE_PATH_SIZE];
    int rc = 0;
    int file;

    (void)snprintf(name, sizeof(name), "%s/lock.mdb", path);
    file = open(name, FILE_FLAGS | O_CREAT, 0600);
    if (file < 0)
        return 0; /* LMDB says why */
    if (fallocate(file, FALLOC_FL_KEEP_SIZE, 0, LMDB_LOCK_SIZE) != 0 &&
        (errno == ENOSPC || errno == EDQUOT))
        rc = errno;
    close(file);
    return rc;
}

/* In a folder of one user, this makes it. */
static int
lmdb_lock_file_open(const char *path, int *descriptor)
{
    char name[FILE_PATH_SIZE];

    (void)snprintf(name, sizeof(name), "%s/" LOCK_FILE, path);
    *descriptor = open(name, FILE_FLAGS | O_CREAT, 0600);
    return *descriptor < 0 ? errno : 0;
}

#ifndef __SANITIZE_ADDRESS__ /* it reports SIGBUS itself */
/* Print what a SIGBUS means; then the fault repeats, and ends the process. */
static void
on_bus_error(int number)
{
    static const char text[] =
        "postern: SIGBUS: a file of the LMDB store is damaged, or its disk has "
        "failed\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    signal(number, SIG_DFL);
}
#endif

static void
lmdb_report_bus_errors(void)
{
#ifndef __SANITIZE_ADDRESS__
    const struct sigaction action = {.sa_handler = on_bus_error,
                                     .sa_flags = SA_ONSTACK};

    (void)sigaction(SIGBUS, &action, NULL);
#endif
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

static int
lmdb_folder_open_files(struct lmdb_folder *folder, const struct store_url *url)
{
    int rc = lmdb_folder_share(url->path);

    if (rc == 0)
        rc = lmdb_reserve_lock_pages(url->path);
    if (rc == 0)
        rc = lmdb_lock_file_open(url->path, &folder->lock_file);
    if (rc)
        return rc;
    rc = lmdb_environment_open(&folder->environment, url->path,
                               (size_t)url->map_size);
    if (rc)
        close(folder->lock_file);
    return rc;
}

static void
lmdb_folder_close_files(struct lmdb_folder *folder)
{
    lmdb_readers_fini(&folder->readers);
    lmdb_environment_close(&folder->environment);
    close(folder->lock_file);
}

/* Open a folder, and add it to the list. */
static int
lmdb_folder_open(const struct store_url *url, const struct stat *found,
                 struct lmdb_folder **out)
{
    struct lmdb_folder *folder = calloc(1, sizeof(*folder));
    int rc;

    if (!folder)
        return ENOMEM;
    lmdb_report_bus_errors();
    folder->pid = getpid();
    folder->device = found->st_dev;
    folder->inode = found->st_ino;
    rc = lmdb_folder_open_files(folder, url);
    if (rc) {
        free(folder);
        return rc;
    }
    lmdb_readers_init(&folder->readers);
    rc = lmdb_writer_new(&folder->writer, &folder->environment,
                         &folder->readers);
    if (rc) {
        lmdb_folder_close_files(folder);
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

void
lmdb_folder_release(struct lmdb_folder *folder)
{
    struct lmdb_folder **link = &folders;

    pthread_mutex_lock(&folders_lock);
    if (--folder->users == 0 && lmdb_writer_free(&folder->writer)) {
        while (*link != folder)
            link = &(*link)->next;
        *link = folder->next;
        lmdb_folder_close_files(folder);
        free(folder);
    }
    pthread_mutex_unlock(&folders_lock);
}
