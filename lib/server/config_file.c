/* SPDX-License-Identifier: ISC */
/*
 * config_file.c - files that variables name, read whole at start.
 */
#include "server/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for the words of strerror_r(), bytes. */
#define REASON_MAX 100

/* errno in words, whichever thread asks. */
static enum pst_err
config_file_set_errno(struct config_error *error, int code)
{
    char storage[REASON_MAX];

    return config_set_error(error, "names a file that cannot be read: %s",
                            strerror_r(code, storage, sizeof(storage)));
}

/* Open a regular file; O_NONBLOCK, so that a FIFO does not hold us up. */
static enum pst_err
open_regular_file(const char *path, int *out, struct stat *st,
                  struct config_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (descriptor < 0)
        return config_file_set_errno(error, errno);
    if (fstat(descriptor, st) == 0 && S_ISREG(st->st_mode)) {
        *out = descriptor;
        return PST_OK;
    }
    close(descriptor);
    return config_set_error(error, "names something that is no regular file");
}

static enum pst_err
check_file_rule(const struct stat *st, const struct config_file_rule *rule,
                struct config_error *error)
{
    if (rule->is_secret && (st->st_mode & (S_IROTH | S_IWOTH)))
        return config_set_error(
            error,
            "names a file that everybody may %s; chmod 0640 "
            "or less",
            st->st_mode & S_IROTH ? "read" : "write");
    if (st->st_size > (off_t)rule->max)
        return config_set_error(error, "names a file of more than %zu octets",
                                rule->max);
    if (st->st_size == 0)
        return config_set_error(error, "names an empty file");
    return PST_OK;
}

/* Exactly size bytes; a file that changes its size meanwhile is refused. */
static enum pst_err
read_whole_file(int descriptor, char *out, size_t size,
                struct config_error *error)
{
    size_t total = 0;
    ssize_t count = 1;

    while (total <= size && count > 0) {
        /* One more than there should be, to see that there is no more. */
        count = read(descriptor, out + total, size + 1 - total);
        if (count < 0 && errno == EINTR)
            count = 1;
        else if (count < 0)
            return config_file_set_errno(error, errno);
        else
            total += (size_t)count;
    }
    if (total != size)
        return config_set_error(error,
                                "names a file that is just being written");
    return PST_OK;
}

enum pst_err
config_file_read(struct pst_arena *arena, const char *path,
                 const struct config_file_rule *rule, struct pst_str *out,
                 struct config_error *error)
{
    struct stat st;
    int descriptor = -1;
    char *bytes = NULL;
    size_t size = 0;
    enum pst_err e;

    e = open_regular_file(path, &descriptor, &st, error);
    if (e)
        return e;
    e = check_file_rule(&st, rule, error);
    if (!e) {
        size = (size_t)st.st_size;
        bytes = pst_arena_alloc(arena, size + 1);
        e = bytes ? read_whole_file(descriptor, bytes, size, error)
                  : PST_NO_MEMORY;
    }
    close(descriptor);
    if (e)
        return e;
    *out = (struct pst_str){bytes, size};
    return PST_OK;
}

enum pst_err
config_file_check(const char *path, struct config_error *error)
{
    struct stat st;
    int descriptor;
    enum pst_err e = open_regular_file(path, &descriptor, &st, error);

    if (e)
        return e;
    close(descriptor);
    return PST_OK;
}
