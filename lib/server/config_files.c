/* SPDX-License-Identifier: ISC */
/*
 * config_files.c - read the files that variables name: documents and secrets.
 */
#include "server/config_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "server/config_values.h"

/* Bytes for the text of strerror_r(). */
#define REASON_MAX 100

/* Bytes of "(set, 16 secrets)" at most. */
#define DISPLAY_MAX 32

/* Set "PATH MESSAGE"; the end of a very long path is cut off. */
static enum pst_err
config_file_set_error(struct config_error *error, const char *path,
                      const char *message)
{
    return config_set_error(error, "%.256s %s", path, message);
}

static enum pst_err
config_file_set_errno(struct config_error *error, const char *path, int code)
{
    char storage[REASON_MAX];

    return config_set_error(
        error, "%.256s cannot be read: %s%s", path,
        strerror_r(code, storage, sizeof(storage)),
        code == EACCES ? ": let the user who runs the program read it" : "");
}

/* Does a path begin with a folder that exists, such as "/run"? */
static bool
begins_with_folder(const char *path)
{
    char first[NAME_MAX + 2];
    const size_t len = strcspn(path + 1, "/") + 1;
    struct stat st;

    if (path[len] != '/' || len >= sizeof(first))
        return false;
    memcpy(first, path, len);
    first[len] = '\0';
    return stat(first, &st) == 0 && S_ISDIR(st.st_mode);
}

/*
 * The name of a file that cannot be opened, for messages. A secret or a URL
 * with a password may be set in place of the name of its file, and must not get
 * into a log. So the name is shown only if there is a file of this name, or if
 * it looks like one: what is behind its last slash is too short for a secret,
 * and it either begins with a folder that exists, or is short and has no "@".
 */
static const char *
shown_path(const char *path, bool is_secret)
{
    const char *slash = strrchr(path, '/');
    bool is_path = path[0] == '/' && strlen(slash + 1) < PST_SECRET_MIN &&
                   (begins_with_folder(path) ||
                    (!strchr(path, '@') && strlen(path) < PST_SECRET_MIN));
    struct stat st;

    return is_secret && !is_path && stat(path, &st) != 0 ? "the file" : path;
}

/* Open a regular file; with O_NONBLOCK, because opening a FIFO would wait. */
static enum pst_err
open_regular_file(const char *path, bool is_secret, int *out, struct stat *st,
                  struct config_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int code = errno;

    if (descriptor < 0)
        return config_file_set_errno(error, shown_path(path, is_secret), code);
    if (fstat(descriptor, st) == 0 && S_ISREG(st->st_mode)) {
        *out = descriptor;
        return PST_OK;
    }
    close(descriptor);
    return config_file_set_error(error, path, "is not a regular file");
}

static enum pst_err
check_file_rule(const char *path, const struct stat *st,
                const struct config_file_rule *rule, struct config_error *error)
{
    if (rule->is_secret && (st->st_mode & (S_IROTH | S_IWOTH)))
        return config_set_error(
            error, "%.256s is %s by everybody: chmod 640 it", path,
            st->st_mode & S_IROTH ? "readable" : "writable");
    if (st->st_size > (off_t)rule->max)
        return config_set_error(error, "%.256s is larger than %zu bytes", path,
                                rule->max);
    if (st->st_size == 0)
        return config_file_set_error(error, path, "is empty");
    return PST_OK;
}

/*
 * Read exactly size bytes, and fail if the file has another size now.
 * PST_MALFORMED: it has; PST_BAD_CONFIG: errno is set.
 */
static enum pst_err
read_whole_file(int descriptor, char *out, size_t size)
{
    size_t total = 0;
    ssize_t count = 1;

    while (total <= size && count > 0) {
        /* One byte more than expected shows that the file has grown. */
        count = read(descriptor, out + total, size + 1 - total);
        if (count < 0 && errno == EINTR)
            count = 1;
        else if (count < 0)
            return PST_BAD_CONFIG;
        else
            total += (size_t)count;
    }
    return total == size ? PST_OK : PST_MALFORMED;
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

    e = open_regular_file(path, rule->is_secret, &descriptor, &st, error);
    if (e)
        return e;
    e = check_file_rule(path, &st, rule, error);
    if (!e) {
        size = (size_t)st.st_size;
        bytes = pst_arena_alloc(arena, size + 1);
        e = bytes ? read_whole_file(descriptor, bytes, size) : PST_NO_MEMORY;
        if (e == PST_BAD_CONFIG)
            e = config_file_set_errno(error, path, errno);
        else if (e == PST_MALFORMED)
            e = config_file_set_error(error, path,
                                      "changed while it was read: start again");
    }
    close(descriptor);
    if (e)
        return e;
    *out = (struct pst_str){bytes, size};
    return PST_OK;
}

/* Can the file be opened for reading? */
static enum pst_err
config_file_check(const char *path, struct config_error *error)
{
    struct stat st;
    int descriptor;
    enum pst_err e = open_regular_file(path, false, &descriptor, &st, error);

    if (e)
        return e;
    close(descriptor);
    return PST_OK;
}

enum pst_err
config_read_file_name(struct config_reader *reader,
                      const struct config_entry *entry, struct pst_str value)
{
    const char **field = config_get_field(reader, entry);
    enum pst_err e = config_file_check(value.ptr, &reader->error);

    if (e)
        return e;
    *field = value.ptr; /* a NUL follows (config_read_fn) */
    return PST_OK;
}

/* Read a GraphQL document from a file. */
static enum pst_err
config_read_document_file(struct config_reader *reader, const char *path,
                          struct pst_str *out)
{
    const struct config_file_rule rule = {.max = CONFIG_DOCUMENT_MAX};
    struct pst_str document;
    enum pst_err e;

    e = config_file_read(reader->arena, path, &rule, &document, &reader->error);
    if (e)
        return e;
    if (!pst_str_is_utf8(document) ||
        pst_str_index(document, '\0') < document.len)
        return config_file_set_error(&reader->error, path, "is not UTF-8 text");
    *out = document;
    return PST_OK;
}

enum pst_err
config_read_document(struct config_reader *reader,
                     const struct config_entry *entry, struct pst_str value)
{
    return config_read_document_file(reader, value.ptr,
                                     config_get_field(reader, entry));
}

enum pst_err
config_read_documents(struct config_reader *reader,
                      const struct config_entry *entry, struct pst_str value)
{
    struct pst_str **texts = config_get_field(reader, entry);
    size_t *count = config_get_second_field(reader, entry);
    struct config_list list;
    enum pst_err e =
        config_parse_list(reader->arena, value, NULL, &list, &reader->error);

    if (!e && list.count > CONFIG_DOCUMENTS_MAX)
        e = config_set_error(&reader->error, "lists more than %d files",
                             CONFIG_DOCUMENTS_MAX);
    for (size_t i = 0; i < list.count && !e; i++) {
        const char *path;

        e = pst_arena_c_string(reader->arena, list.items[i], &path);
        if (!e)
            e = config_read_document_file(reader, path, &list.items[i]);
    }
    if (e)
        return e;
    *texts = list.items;
    *count = list.count;
    return PST_OK;
}

/* What is shown of secrets: their number, so that a rotation can be checked. */
static enum pst_err
format_secret_count(struct pst_arena *arena, struct pst_str secrets,
                    struct pst_str *out)
{
    struct pst_str entry;
    struct pst_buf buf;
    int64_t count = 0;

    while (pst_str_next_token(&secrets, PST_SECRET_SEPARATORS, &entry))
        count++;
    pst_buf_init_arena(&buf, arena, DISPLAY_MAX);
    pst_buf_add_string(&buf, "(set, ");
    pst_buf_add_number(&buf, count);
    pst_buf_add_string(&buf, count == 1 ? " secret)" : " secrets)");
    return pst_buf_finish(&buf, out);
}

/* Control bytes other than those in allowed mean that something else than
 * text was set by mistake. */
static enum pst_err
check_control_bytes(struct pst_str text, const char *allowed,
                    struct config_error *error)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if ((c < ' ' || c == 0x7F) && !memchr(allowed, c, strlen(allowed)))
            return config_set_error(error,
                                    "contains a control character: remove it");
    }
    return PST_OK;
}

static enum pst_err
config_secret_make_keyring(struct pst_arena *arena,
                           struct config_secret *secret, struct pst_str secrets,
                           struct config_error *error)
{
    /* Without a valid audience, the secrets can still be checked. */
    struct pst_str audience =
        pst_str_is_absent(secret->audience) ? PST_STR("-") : secret->audience;
    const char *message = "";
    enum pst_err e;

    e = check_control_bytes(secrets, PST_SECRET_SEPARATORS, error);
    if (e)
        return e;
    e = format_secret_count(arena, secrets, &secret->display);
    if (e)
        return e;
    e = pst_keyring_new(&secret->ring, secrets, audience, &message);
    if (e == PST_BAD_CONFIG)
        return config_set_error(error, "is refused: %s", message);
    return e;
}

/* file_arena: only for what is read, so that it can be wiped at once. */
static enum pst_err
config_secret_parse_file(struct pst_arena *arena, struct pst_arena *file_arena,
                         struct config_secret *secret,
                         struct config_error *error)
{
    const struct config_file_rule rule = {.max = CONFIG_SECRETS_MAX,
                                          .is_secret = true};
    struct pst_str secrets;
    const char *path;
    enum pst_err e;

    e = check_control_bytes(secret->file, "", error);
    if (e)
        return e;
    e = pst_arena_c_string(arena, secret->file, &path);
    if (e)
        return e;
    e = config_file_read(file_arena, path, &rule, &secrets, error);
    if (e)
        return e;
    secret->display_file = pst_str_from(path);
    e = config_secret_make_keyring(arena, secret, secrets, error);
    return e == PST_BAD_CONFIG ? config_prefix_error(error, secret->file) : e;
}

static enum pst_err
config_secret_load_file(struct pst_arena *arena, struct config_secret *secret,
                        struct config_error *error)
{
    struct pst_arena *file_arena = NULL;
    enum pst_err e = pst_arena_new(&file_arena, CONFIG_SECRETS_MAX + 1024);

    if (e)
        return e;
    e = config_secret_parse_file(arena, file_arena, secret, error);
    pst_arena_free(&file_arena); /* which wipes what was read */
    return e;
}

enum pst_err
config_secret_load(struct pst_arena *arena, struct config_secret *secret,
                   struct config_error *error)
{
    secret->variable = "COOKIE_SESSION_SECRET";
    if (secret->value.len > 0 && secret->file.len > 0)
        return config_set_error(error,
                                "is set, and so is COOKIE_SESSION_SECRET_FILE: "
                                "set only one of them");
    if (secret->value.len > 0)
        return config_secret_make_keyring(arena, secret, secret->value, error);
    if (secret->file.len == 0)
        return config_set_error(error,
                                "is not set: make one with `postern secret`, "
                                "or name its file in "
                                "COOKIE_SESSION_SECRET_FILE");
    secret->variable = "COOKIE_SESSION_SECRET_FILE";
    return config_secret_load_file(arena, secret, error);
}
