/* SPDX-License-Identifier: ISC */
/*
 * place.c - say why a file or a folder cannot be used: what is missing, whose
 * it is, and what to do.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER_NAME_MAX 64

/* Bytes of a path; a longer one is refused. */
#define PATH_BYTES 1024

/* The name of a user, or its number. */
static const char *
user_name(uid_t uid, char storage[static USER_NAME_MAX])
{
    const struct passwd *entry = getpwuid(uid);

    if (entry)
        (void)snprintf(storage, USER_NAME_MAX, "%s", entry->pw_name);
    else
        (void)snprintf(storage, USER_NAME_MAX, "%lu", (unsigned long)uid);
    return storage;
}

static bool
set_reason(char reason[static PLACE_REASON_MAX], const char *what,
           const char *path, const char *why)
{
    (void)snprintf(reason, PLACE_REASON_MAX, "%s%.256s %s", what, path, why);
    return false;
}

/* The file or folder belongs to somebody else, or its mode forbids it. */
static bool
set_owner_reason(char reason[static PLACE_REASON_MAX], const char *path,
                 const struct stat *place)
{
    char owner[USER_NAME_MAX];
    char self[USER_NAME_MAX];

    (void)snprintf(reason, PLACE_REASON_MAX,
                   "%.256s belongs to the user %s (mode %04o), and %s may not "
                   "write there: run this as the user of the programs, or "
                   "change the owner",
                   path, user_name(place->st_uid, owner),
                   (unsigned)(place->st_mode & 07777),
                   user_name(geteuid(), self));
    return false;
}

/* Is there a folder of this name, which this user may enter? */
static bool
check_folder_exists(const char *folder, char reason[static PLACE_REASON_MAX])
{
    struct stat found;

    if (stat(folder, &found) == 0 && !S_ISDIR(found.st_mode))
        return set_reason(reason, "", folder, "is not a folder");
    if (faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) == 0)
        return true;
    switch (errno) {
    case ENOENT:
        return set_reason(reason, "the folder ", folder,
                          "is missing: make it for the programs' user "
                          "(install -d -m 700 -o USER FOLDER)");
    case EACCES:
        return set_reason(reason, "the folder ", folder,
                          "cannot be entered: let this user do so (chmod +x)");
    default:
        return set_reason(reason, "the folder ", folder, strerror(errno));
    }
}

/* The same for each folder above it, from the root. */
static bool
check_path(const char *folder, char reason[static PLACE_REASON_MAX])
{
    char path[PATH_BYTES];
    size_t len = strlen(folder);

    if (folder[0] != '/' || len >= sizeof(path))
        return set_reason(reason, "", folder, "is not an absolute path");
    for (size_t i = 1; i <= len; i++) {
        if (folder[i] != '/' && folder[i] != '\0')
            continue;
        memcpy(path, folder, i);
        path[i] = '\0';
        if (!check_folder_exists(path, reason))
            return false;
    }
    return true;
}

bool
place_check_folder(const char *folder, char reason[static PLACE_REASON_MAX])
{
    struct stat found;

    if (!check_path(folder, reason))
        return false;
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    if (errno == EACCES && stat(folder, &found) == 0)
        return set_owner_reason(reason, folder, &found);
    return set_reason(reason, "the folder ", folder, strerror(errno));
}

/* The folder of a file or folder, whose path may end with slashes; "/" stays.
 */
static void
copy_parent(const char *path, char parent[static PATH_BYTES])
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 1 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    (void)snprintf(parent, PATH_BYTES, "%.*s", (int)len, path);
}

bool
place_check_file(const char *path, char reason[static PLACE_REASON_MAX])
{
    char parent[PATH_BYTES];
    struct stat found;

    copy_parent(path, parent);
    if (stat(path, &found) != 0)
        return place_check_folder(parent, reason);
    if (S_ISDIR(found.st_mode))
        return set_reason(reason, "", path, "is a folder");
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return true;
    if (errno == EACCES)
        return set_owner_reason(reason, path, &found);
    return set_reason(reason, "", path, strerror(errno));
}

bool
place_check_socket(const char *path, char reason[static PLACE_REASON_MAX])
{
    char parent[PATH_BYTES];
    struct stat found;

    copy_parent(path, parent);
    if (stat(path, &found) != 0 && errno == ENOENT)
        return set_reason(reason, "", path,
                          "is missing: start the server that listens there, or "
                          "correct the path");
    if (!check_path(parent, reason))
        return false;
    if (stat(path, &found) != 0)
        return set_reason(reason, "", path, strerror(errno));
    if (!S_ISSOCK(found.st_mode))
        return set_reason(reason, "", path, "is not a socket");
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return true;
    return set_owner_reason(reason, path, &found);
}

bool
place_check_store(const struct store_url *url,
                  char reason[static PLACE_REASON_MAX])
{
    char parent[PATH_BYTES];
    char owner[USER_NAME_MAX];
    char self[USER_NAME_MAX];
    struct stat found;

    if (url->kind != STORE_LMDB)
        return url->path[0] != '/' || place_check_socket(url->path, reason);
    if (stat(url->path, &found) != 0) {
        copy_parent(url->path, parent);
        if (geteuid() != 0 || (errno != ENOENT && errno != EACCES))
            return place_check_folder(parent, reason);
        return set_reason(reason, "the folder ", url->path,
                          "is missing, and one that root makes would be of no "
                          "use to the programs: make it for their user "
                          "(install -d -m 700 -o USER FOLDER), or, with "
                          "StateDirectory of systemd, start a program once");
    }
    if (geteuid() == 0 || found.st_uid == geteuid())
        return true;
    (void)snprintf(reason, PLACE_REASON_MAX,
                   "the folder %.256s belongs to the user %s, and this is %s: "
                   "run this, and all programs, as the same user",
                   url->path, user_name(found.st_uid, owner),
                   user_name(geteuid(), self));
    return false;
}
