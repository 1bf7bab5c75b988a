/* SPDX-License-Identifier: ISC */
/*
 * place.c - say why a file or a folder cannot be used: what is missing, whose
 * it is, and what to do.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

#define NAME_BYTES 64 /* of a user or a group */

/* Bytes of a path; a longer one is refused. */
#define PATH_BYTES 1024

/* The name of a user, or its number. */
static const char *
user_name(uid_t uid, char storage[static NAME_BYTES])
{
    const struct passwd *entry = getpwuid(uid);

    if (entry)
        (void)snprintf(storage, NAME_BYTES, "%s", entry->pw_name);
    else
        (void)snprintf(storage, NAME_BYTES, "%lu", (unsigned long)uid);
    return storage;
}

/* The name of a group, or its number. */
static const char *
group_name(gid_t gid, char storage[static NAME_BYTES])
{
    const struct group *entry = getgrgid(gid);

    if (entry)
        (void)snprintf(storage, NAME_BYTES, "%s", entry->gr_name);
    else
        (void)snprintf(storage, NAME_BYTES, "%lu", (unsigned long)gid);
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
    char owner[NAME_BYTES];
    char self[NAME_BYTES];

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

/* A folder for the store that is not there. */
static bool
check_missing_store(const char *folder, char reason[static PLACE_REASON_MAX])
{
    char parent[PATH_BYTES];

    copy_parent(folder, parent);
    if (geteuid() != 0 || (errno != ENOENT && errno != EACCES))
        return place_check_folder(parent, reason);
    return set_reason(reason, "the folder ", folder,
                      "is missing, and one that root makes would be of no use "
                      "to the programs: make it for their user "
                      "(install -d -m 700 -o USER FOLDER), or for several "
                      "users of a group (install -d -m 2770 -o USER -g GROUP "
                      "FOLDER)");
}

/* A file of a shared folder that other users than its owner cannot open. Its
 * owner need not care: opening the store repairs it. */
static bool
check_shared_file(const struct stat *folder, const char *path,
                  char reason[static PLACE_REASON_MAX])
{
    char group[NAME_BYTES];
    char owner[NAME_BYTES];
    struct stat found;

    if (stat(path, &found) != 0 || found.st_uid == geteuid() ||
        (found.st_gid == folder->st_gid && (found.st_mode & 0060) == 0060))
        return true;
    (void)group_name(folder->st_gid, group);
    (void)snprintf(reason, PLACE_REASON_MAX,
                   "%.256s belongs to the user %s (mode %04o), and not to the "
                   "group %s of its folder: chgrp %s and chmod 660 it",
                   path, user_name(found.st_uid, owner),
                   (unsigned)(found.st_mode & 07777), group, group);
    return false;
}

static bool
check_shared_store(const struct stat *folder, const char *path,
                   char reason[static PLACE_REASON_MAX])
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "order"};
    char group[NAME_BYTES];
    char self[NAME_BYTES];
    char file[PATH_BYTES];

    if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        (void)user_name(geteuid(), self);
        (void)group_name(folder->st_gid, group);
        (void)snprintf(reason, PLACE_REASON_MAX,
                       "the folder %.256s is for the group %s, and %s is not "
                       "in it: usermod -aG %s %s, and restart what this user "
                       "runs",
                       path, group, self, group, self);
        return false;
    }
    for (size_t i = 0; i < PST_COUNT(files); i++) {
        (void)snprintf(file, sizeof(file), "%s/%s", path, files[i]);
        if (!check_shared_file(folder, file, reason))
            return false;
    }
    return true;
}

/* Of a folder that exists. */
static bool
check_store(const struct stat *folder, const char *path,
            char reason[static PLACE_REASON_MAX])
{
    char owner[NAME_BYTES];
    char self[NAME_BYTES];

    if (store_folder_is_shared(folder->st_mode))
        return check_shared_store(folder, path, reason);
    if (folder->st_uid == geteuid())
        return true;
    (void)snprintf(reason, PLACE_REASON_MAX,
                   "the folder %.256s belongs to the user %s, and this is %s: "
                   "run this, and all programs, as the same user; or let a "
                   "group of both share it: chgrp GROUP and chmod 2770 it",
                   path, user_name(folder->st_uid, owner),
                   user_name(geteuid(), self));
    return false;
}

/* Give up root for the owner of the folder, with the owner's groups. */
static bool
become_owner(const struct stat *folder)
{
    const struct passwd *owner = getpwuid(folder->st_uid);
    bool is_shared = store_folder_is_shared(folder->st_mode);
    gid_t group = owner && !is_shared ? owner->pw_gid : folder->st_gid;

    if (owner ? initgroups(owner->pw_name, owner->pw_gid) != 0
              : setgroups(0, NULL) != 0)
        return false;
    return setgid(group) == 0 && setuid(folder->st_uid) == 0;
}

bool
place_enter_store(const struct store_url *url,
                  char reason[static PLACE_REASON_MAX])
{
    struct stat found;

    if (url->kind != STORE_LMDB)
        return url->path[0] != '/' || place_check_socket(url->path, reason);
    if (stat(url->path, &found) != 0)
        return check_missing_store(url->path, reason);
    if (geteuid() == 0 && found.st_uid == 0 &&
        store_folder_is_shared(found.st_mode))
        return set_reason(reason, "the folder ", url->path,
                          "belongs to root, who does not open a store that "
                          "others may write to: chown it to a user of the "
                          "programs, or run this as one (runuser -u USER)");
    if (geteuid() == 0 && found.st_uid != 0 && !become_owner(&found))
        return set_reason(reason, "root cannot become the owner of ", url->path,
                          strerror(errno));
    /* What its owner may do: stat(2) of root may have gone further. */
    if (stat(url->path, &found) != 0)
        return check_missing_store(url->path, reason);
    return check_store(&found, url->path, reason);
}
