/* SPDX-License-Identifier: ISC */
/*
 * secret_file.c - add or remove a secret in the file of secrets, atomically:
 * programs read it meanwhile.
 */
#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "codec/date.h"
#include "commands.h"
#include "crypto/keyring.h"
#include "print.h"
#include "server/config_files.h"

/* Bytes for names and for the old and new text; wiped with the arena. */
#define CHANGE_ARENA_SIZE (4 * CONFIG_SECRETS_MAX + 16384)

/* One change of a file. */
struct change {
    struct pst_arena *arena;
    const char *path;     /* with symbolic links resolved */
    char *temporary_path; /* FILE.new */
    int descriptor;       /* of temporary_path; -1: not open */
    struct stat old;      /* st_ino is 0: there is no file yet */
    struct pst_str secrets[PST_SECRETS_MAX + 1];
    size_t count;
    bool keeps_time; /* of the last rotation */
    bool is_renamed;
};

static int
report_file_error(const char *path, const char *reason)
{
    print_error_line("postern: %s: %s", path, reason);
    return EX_CANTCREAT;
}

/* Reading. */

static int
secretfile_read_secrets(struct change *change)
{
    const struct config_file_rule rule = {.max = CONFIG_SECRETS_MAX,
                                          .is_secret = true};
    struct config_error reason = {""};
    struct pst_str rest;

    if (config_file_read(change->arena, change->path, &rule, &rest, &reason)) {
        fprintf(stderr, "postern: %s\n", reason.message);
        return EX_NOINPUT;
    }
    while (change->count < PST_COUNT(change->secrets) &&
           pst_str_next_token(&rest, PST_SECRET_SEPARATORS,
                              &change->secrets[change->count]))
        change->count++;
    return 0;
}

/* Writing. */

/* One on each line: what the programs would not take is not written. */
static int
secretfile_compose(struct change *change, struct pst_str *out)
{
    struct pst_keyring *ring = NULL;
    const char *reason = "";
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, change->arena, CONFIG_SECRETS_MAX);
    for (size_t i = 0; i < change->count; i++) {
        pst_buf_add(&buf, change->secrets[i]);
        pst_buf_add_char(&buf, '\n');
    }
    e = pst_buf_finish(&buf, out);
    if (!e)
        e = pst_keyring_new(&ring, *out, PST_STR("-"), &reason);
    pst_keyring_free(&ring);
    if (!e)
        return 0;
    print_error_line(
        "postern: %s is not changed, since it would be refused: %s",
        change->path, *reason ? reason : pst_err_text(e));
    return EX_DATAERR;
}

/* Give the new file the owner and the mode of the old one. */
static bool
copy_owner_and_mode(const struct change *change)
{
    if (change->old.st_ino == 0)
        return true;
    return fchown(change->descriptor, change->old.st_uid, change->old.st_gid) ==
               0 &&
           fchmod(change->descriptor, change->old.st_mode & 07777) == 0;
}

/* A retirement is no rotation: the next one need not wait again. */
static bool
copy_time(const struct change *change)
{
    const struct timespec times[] = {change->old.st_atim, change->old.st_mtim};

    return !change->keeps_time || futimens(change->descriptor, times) == 0;
}

static bool
write_and_sync(int descriptor, struct pst_str text)
{
    while (text.len > 0) {
        ssize_t written = write(descriptor, text.ptr, text.len);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0)
            text = pst_str_skip(text, (size_t)written);
    }
    return fsync(descriptor) == 0;
}

/* Write the new name to disk, so that it survives a power failure. */
static void
sync_directory(const struct change *change)
{
    int directory = open(dirname(change->temporary_path), O_RDONLY | O_CLOEXEC);

    if (directory < 0)
        return;
    (void)fsync(directory);
    close(directory);
}

static int
secretfile_replace(struct change *change)
{
    struct pst_str text;
    int status = secretfile_compose(change, &text);

    if (status)
        return status;
    if (!copy_owner_and_mode(change) ||
        !write_and_sync(change->descriptor, text) || !copy_time(change) ||
        rename(change->temporary_path, change->path) != 0)
        return report_file_error(change->temporary_path, strerror(errno));
    change->is_renamed = true;
    sync_directory(change);
    return 0;
}

/* Begin and end a change. */

/* Resolve symbolic links, so that the file is replaced and not a link. */
static int
secretfile_resolve_path(struct change *change, const char *path)
{
    char *resolved = realpath(path, NULL);
    const char *name = resolved ? resolved : path;
    const char *copy;
    char *temporary_path;
    size_t size;

    if (!resolved && errno != ENOENT)
        return report_file_error(path, strerror(errno));
    size = strlen(name) + sizeof(".new");
    temporary_path = pst_arena_alloc(change->arena, size);
    if (!temporary_path ||
        pst_arena_c_string(change->arena, pst_str_from(name), &copy)) {
        free(resolved);
        return EX_OSERR;
    }
    (void)snprintf(temporary_path, size, "%s.new", name);
    free(resolved);
    change->path = copy;
    change->temporary_path = temporary_path;
    return 0;
}

/* Read the old file, now that the lock is held. */
static int
secretfile_load(struct change *change)
{
    if (stat(change->path, &change->old) == 0)
        return secretfile_read_secrets(change);
    change->old.st_ino = 0;
    return errno == ENOENT ? 0
                           : report_file_error(change->path, strerror(errno));
}

static int
secretfile_change_begin(struct change *change, const char *path)
{
    int status;

    *change = (struct change){.descriptor = -1};
    if (pst_arena_new(&change->arena, CHANGE_ARENA_SIZE) != PST_OK)
        return EX_OSERR;
    status = secretfile_resolve_path(change, path);
    if (status)
        return status;
    change->descriptor = open(change->temporary_path,
                              O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (change->descriptor < 0 && errno == EEXIST)
        return report_file_error(change->temporary_path,
                                 "exists: another change is under way, or one "
                                 "was interrupted; in that case remove it");
    if (change->descriptor < 0)
        return report_file_error(change->temporary_path, strerror(errno));
    return secretfile_load(change);
}

static int
secretfile_change_end(struct change *change, int status)
{
    if (change->descriptor >= 0) {
        if (!change->is_renamed)
            (void)unlink(change->temporary_path);
        close(change->descriptor);
    }
    pst_arena_free(&change->arena);
    return status;
}

/* The two changes. */

static int64_t
longest_lifetime(const struct pst_session_timeouts *timeouts)
{
    int64_t longest = timeouts->lifetime;

    if (timeouts->remember > longest)
        longest = timeouts->remember;
    return timeouts->guest > longest ? timeouts->guest : longest;
}

/* Are there any variables of the programs? */
static bool
has_environment(void)
{
    for (char **at = environ; *at; at++)
        if (strncmp(*at, "POSTERN_", strlen("POSTERN_")) == 0)
            return true;
    return false;
}

/* How long a token may live that is sealed now, and whose lifetimes these are.
 * Returns false if they cannot be loaded. */
static bool
load_longest_lifetime(int64_t *out, bool *is_environment)
{
    static const char *const no_variables[] = {NULL};
    struct config *config = NULL;

    *is_environment = has_environment() &&
                      config_new_parts(&config, (const char *const *)environ,
                                       NULL, 0) == PST_OK;
    if (!*is_environment &&
        config_new_parts(&config, no_variables, NULL, 0) != PST_OK)
        return false;
    *out = longest_lifetime(&config->timeouts) + PST_CLOCK_SKEW_MAX;
    config_free(&config);
    return true;
}

static void
report_default_lifetimes(bool is_environment)
{
    if (!is_environment)
        fputs(
            "(by the default lifetimes, because the programs' environment is "
            "not set here, or is wrong: see --env-file and `postern check`)\n",
            stderr);
}

/* A time in RFC 3339. */
static struct pst_str
format_time(char storage[static 64], int64_t when)
{
    struct pst_buf buf;

    pst_buf_init(&buf, storage, 64);
    pst_date_emit_rfc3339(&buf, when);
    return pst_buf_str(&buf);
}

/*
 * Print when the last secret can be retired. The last token that it sealed was
 * sealed just now, and ends after the longest lifetime at the latest.
 */
static void
report_retirement_time(const char *path)
{
    bool is_environment;
    struct pst_str text;
    char storage[64];
    int64_t lifetime;

    if (!load_longest_lifetime(&lifetime, &is_environment))
        return;
    text = format_time(storage, time(NULL) + lifetime);
    print_error_line(
        "the new secret seals from now on; retire the last one after "
        "%.*s: postern secret --retire %s",
        (int)text.len, text.ptr, path);
    report_default_lifetimes(is_environment);
}

/*
 * Refuse to retire a secret that may have sealed sessions that still live. When
 * it was replaced is not known; the file was changed then, or later.
 */
static int
check_retirement_time(const char *path, const struct stat *old)
{
    bool is_environment;
    struct pst_str text;
    char storage[64];
    int64_t lifetime;

    if (!load_longest_lifetime(&lifetime, &is_environment))
        return EX_SOFTWARE;
    if ((int64_t)old->st_mtim.tv_sec + lifetime <= (int64_t)time(NULL))
        return 0;
    text = format_time(storage, (int64_t)old->st_mtim.tv_sec + lifetime);
    print_error_line(
        "postern: %s is not changed: its last secret may have sealed sessions "
        "that live until %.*s, and would end now. Wait until then, or use "
        "--force",
        path, (int)text.len, text.ptr);
    report_default_lifetimes(is_environment);
    return EX_TEMPFAIL;
}

int
secretfile_rotate(const char *path, struct pst_str secret, bool is_forced)
{
    struct change change;
    int status = secretfile_change_begin(&change, path);

    if (!status && change.old.st_ino == 0 && !is_forced)
        status = report_file_error(
            path, "does not exist: correct the name, or make it with --force");
    if (!status && change.count >= PST_SECRETS_MAX)
        status = report_file_error(
            path, "has as many secrets as are allowed: retire one");
    if (!status) {
        memmove(change.secrets + 1, change.secrets,
                change.count * sizeof(change.secrets[0]));
        change.secrets[0] = secret;
        change.count++;
        status = secretfile_replace(&change);
    }
    if (!status && change.count > 1)
        report_retirement_time(path);
    return secretfile_change_end(&change, status);
}

int
secretfile_retire(const char *path, bool is_forced)
{
    struct change change;
    int status = secretfile_change_begin(&change, path);

    if (!status && change.old.st_ino == 0)
        status = report_file_error(path, "does not exist");
    else if (!status && change.count < 2)
        status = report_file_error(
            path, "has only one secret, which cannot be retired");
    else if (!status && !is_forced)
        status = check_retirement_time(path, &change.old);
    if (!status) {
        change.count--;
        change.keeps_time = true;
        status = secretfile_replace(&change);
    }
    if (!status)
        fprintf(stderr,
                "%zu secret%s left; sessions of the retired one are "
                "logged out\n",
                change.count, change.count == 1 ? " is" : "s are");
    return secretfile_change_end(&change, status);
}
