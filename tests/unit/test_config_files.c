/* SPDX-License-Identifier: ISC */
/*
 * test_config_files.c - the files that variables name, and the secrets, are
 * read or refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "crypto/crypto.h"
#include "server/config_files.h"

#define MAX 16

struct row {
    const char *name;
    const char *bytes;
    mode_t mode;
    bool is_secret;
    const char *error; /* part of the sentence; NULL: read */
};

static const struct row rows[] = {
    {"some bytes", "abc\n", 0644, false, NULL},
    {"as many as may be", "0123456789abcdef", 0644, false, NULL},
    {"one more", "0123456789abcdefg", 0644, false, "larger than 16 bytes"},
    {"none", "", 0644, false, "empty"},
    {"a secret only the owner reads", "abc", 0600, true, NULL},
    {"a secret the group reads", "abc", 0640, true, NULL},
    {"a secret that everybody reads", "abc", 0604, true,
     "readable by everybody: chmod 640 it"},
    {"a secret that everybody writes", "abc", 0602, true,
     "writable by everybody: chmod 640 it"},
    {"no secret, and everybody writes", "abc", 0666, false, NULL},
};

/* A folder of its own for each test, and a path in it. */
struct fixture {
    char folder[64];
    char path[80];
    struct pst_arena *arena;
};

static void
fixture_open(struct fixture *f)
{
    snprintf(f->folder, sizeof(f->folder), "/tmp/postern-test-file-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/f", f->folder);
    f->arena = NULL;
    assert_int_equal(pst_arena_new(&f->arena, 65536), PST_OK);
}

static void
fixture_close(struct fixture *f)
{
    pst_arena_free(&f->arena);
    unlink(f->path);
    assert_int_equal(rmdir(f->folder), 0);
}

static void
write_file(const struct fixture *f, const char *bytes, mode_t mode)
{
    int descriptor = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    size_t len = strlen(bytes);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, len), len);
    assert_int_equal(fchmod(descriptor, mode), 0);
    close(descriptor);
}

static void
files_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        const struct config_file_rule rule = {MAX, row->is_secret};
        struct config_error error = {""};
        struct pst_str out = PST_STR_NONE;
        struct fixture f;
        enum pst_err e;

        fixture_open(&f);
        write_file(&f, row->bytes, row->mode);
        e = config_file_read(f.arena, f.path, &rule, &out, &error);
        if (row->error
                ? e != PST_BAD_CONFIG || !strstr(error.message, row->error) ||
                      out.ptr
                : e != PST_OK || !pst_str_equal(out, pst_str_from(row->bytes)))
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.message);
        fixture_close(&f);
    }
}

/* Read the name of a file that must be one that can be opened. */
static enum pst_err
check_file_name(const char *path)
{
    static const struct config_entry entry = {.offset = 0};
    const char *name = NULL;
    struct config_reader reader = {.target = &name};
    enum pst_err e = config_read_file_name(&reader, &entry, pst_str_from(path));

    assert_true(name == (e ? NULL : path));
    return e;
}

/* Other things than files are refused without waiting: a FIFO, too. */
static void
other_things_are_refused(void **state)
{
    const struct config_file_rule rule = {.max = MAX};
    struct config_error error = {""};
    struct pst_str out = PST_STR_NONE;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_int_equal(config_file_read(f.arena, f.path, &rule, &out, &error),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(check_file_name(f.path), PST_BAD_CONFIG);

    assert_int_equal(mkfifo(f.path, 0600), 0);
    assert_int_equal(config_file_read(f.arena, f.path, &rule, &out, &error),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(error.message, "not a regular file"));
    assert_int_equal(check_file_name(f.path), PST_BAD_CONFIG);
    assert_int_equal(unlink(f.path), 0);

    assert_int_equal(check_file_name(f.folder), PST_BAD_CONFIG);
    assert_int_equal(check_file_name("/dev/zero"), PST_BAD_CONFIG);
    fixture_close(&f);
}

/* A symbolic link, as Kubernetes mounts its secrets, is followed. */
static void
links_are_followed(void **state)
{
    const struct config_file_rule rule = {.max = MAX, .is_secret = true};
    struct config_error error = {""};
    struct pst_str out = PST_STR_NONE;
    char link[96];
    struct fixture f;

    (void)state;
    fixture_open(&f);
    write_file(&f, "abc", 0600);
    snprintf(link, sizeof(link), "%s/link", f.folder);
    assert_int_equal(symlink("f", link), 0);
    assert_int_equal(config_file_read(f.arena, link, &rule, &out, &error),
                     PST_OK);
    assert_int_equal(check_file_name(link), PST_OK);
    assert_int_equal(unlink(link), 0);
    fixture_close(&f);
}

static void
missing_memory_is_reported(void **state)
{
    const struct config_file_rule rule = {.max = MAX};
    struct config_error error = {""};
    struct pst_str out = PST_STR_NONE;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    write_file(&f, "abc", 0600);
    pst_arena_fail_at(f.arena, 1);
    assert_int_equal(config_file_read(f.arena, f.path, &rule, &out, &error),
                     PST_NO_MEMORY);
    assert_null(out.ptr);
    fixture_close(&f);
}

enum kind { DOCUMENT, DOCUMENTS, FILE_NAME, KINDS };

struct target {
    struct pst_str text;
    const char *string;
    struct pst_str *items;
    size_t count;
};

#define AT(field) .offset = offsetof(struct target, field)
#define SECOND(field) .second_offset = offsetof(struct target, field)

static const struct config_entry entries[KINDS] = {
    [DOCUMENT] = {.read = config_read_document, AT(text)},
    [DOCUMENTS] = {.read = config_read_documents, AT(items), SECOND(count)},
    [FILE_NAME] = {.read = config_read_file_name, AT(string)},
};

struct file_kind_row {
    enum kind kind;
    const char *value;
    const char *want; /* what the target then holds, "…;…"; NULL: refused */
    const char *display; /* or, when refused, part of the sentence */
};

static const struct file_kind_row kind_rows[] = {
    {DOCUMENT, "/nonexistent", NULL, "No such file"},
    {DOCUMENTS, "/nonexistent", NULL, "No such file"},
    {DOCUMENTS, "/tmp", NULL, "not a regular file"},
    {DOCUMENTS, " , ", NULL, "must be a list"},
    {DOCUMENTS, "a a a a a a a a a a a a a a a a a", NULL, "more than 16"},
    {FILE_NAME, "/nonexistent", NULL, "No such file"},
    /* A path reached the terminal as it was set. */
    {DOCUMENT, "/nonexistent/\xc2\x9b\xff", NULL,
     "/nonexistent/\\xc2\\x9b\\xff cannot be read"},
    {FILE_NAME, "/nonexistent/\x1b[2J", NULL,
     "/nonexistent/\\x1b[2J cannot be read"},
};

static void
add_text(struct pst_buf *buf, const char *what, struct pst_str text)
{
    if (pst_str_is_absent(text))
        return;
    pst_buf_add_string(buf, what);
    pst_buf_add(buf, text);
    pst_buf_add_char(buf, ';');
}

/* Everything in the target that is not zero. */
static void
describe(struct pst_buf *buf, const struct target *target)
{
    add_text(buf, "text ", target->text);
    add_text(buf, "string ", pst_str_from(target->string));
    for (size_t i = 0; i < target->count; i++)
        add_text(buf, "item ", target->items[i]);
}

static enum pst_err
read_one(struct pst_arena *arena, struct config_reader *reader,
         struct target *target, const struct file_kind_row *row)
{
    static struct config_state states[KINDS];
    static struct pst_str display[KINDS];

    memset(target, 0, sizeof(*target));
    memset(display, 0, sizeof(display));
    *reader = (struct config_reader){.entries = entries,
                                     .count = KINDS,
                                     .states = states,
                                     .display = display,
                                     .arena = arena,
                                     .target = target};
    config_set_display(reader, &entries[row->kind], pst_str_from(row->value));
    return entries[row->kind].read(reader, &entries[row->kind],
                                   pst_str_from(row->value));
}

static void
wrong_files_are_refused(void **state)
{
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 65536), PST_OK);
    for (size_t i = 0; i < PST_COUNT(kind_rows); i++) {
        const struct file_kind_row *row = &kind_rows[i];
        struct config_reader reader;
        struct target target;
        char storage[256];
        struct pst_buf buf;
        enum pst_err e = read_one(arena, &reader, &target, row);

        pst_buf_init(&buf, storage, sizeof(storage));
        describe(&buf, &target);
        if (row->want ? e != PST_OK ||
                            !pst_str_equal(pst_buf_str(&buf),
                                           pst_str_from(row->want)) ||
                            !pst_str_equal(reader.display[row->kind],
                                           pst_str_from(row->display))
                      : e != PST_BAD_CONFIG || buf.len > 0 ||
                            !strstr(reader.error.message, row->display))
            fail_msg("kind %d, \"%s\": %s, %.*s, %s", (int)row->kind,
                     row->value, pst_err_code(e), (int)buf.len, storage,
                     reader.error.message);
    }
    pst_arena_free(&arena);
}

/* The names of two files of these documents; the caller unlinks them. */
static void
make_files(char paths[2][64], const char *first, const char *second)
{
    const char *const documents[] = {first, second};

    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(documents[i]);
        int descriptor;

        snprintf(paths[i], sizeof(paths[i]), "/tmp/postern-test-read-XXXXXX");
        descriptor = mkstemp(paths[i]);
        assert_true(descriptor >= 0);
        assert_int_equal(write(descriptor, documents[i], len), len);
        close(descriptor);
    }
}

/* Several files are read in their order; each of them must be good. */
static void
documents_are_read(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        const char *want; /* as of a row; NULL: refused */
        const char *error;
    } files[] = {
        {"mutation{a}", "mutation{b}", "item mutation{a};item mutation{b};",
         ""},
        {"mutation{a}", "", NULL, "empty"},
        {"mutation{a}", "\xFF", NULL, "not UTF-8 text"},
    };
    struct pst_arena *arena = NULL;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 262144), PST_OK);
    for (size_t i = 0; i < PST_COUNT(files); i++) {
        struct config_reader reader;
        struct target target;
        char paths[2][64];
        char value[200];
        struct file_kind_row row = {DOCUMENTS, value, files[i].want,
                                    files[i].error};
        char storage[256];
        struct pst_buf buf;
        enum pst_err e;

        make_files(paths, files[i].first, files[i].second);
        snprintf(value, sizeof(value), "%s, %s", paths[0], paths[1]);
        e = read_one(arena, &reader, &target, &row);
        unlink(paths[0]);
        unlink(paths[1]);
        pst_buf_init(&buf, storage, sizeof(storage));
        describe(&buf, &target);
        if (row.want ? e != PST_OK || !pst_str_equal(pst_buf_str(&buf),
                                                     pst_str_from(row.want))
                     : e != PST_BAD_CONFIG || buf.len > 0 ||
                           !strstr(reader.error.message, row.display))
            fail_msg("%s: %s, %.*s, %s", row.value, pst_err_code(e),
                     (int)buf.len, storage, reader.error.message);
    }
    pst_arena_free(&arena);
}

/* Nor is a list of documents half set. */
static void
documents_need_memory(void **state)
{
    struct pst_arena *arena = NULL;
    enum pst_err e = PST_NO_MEMORY;
    char paths[2][64];
    char value[200];
    size_t n;

    (void)state;
    assert_int_equal(pst_arena_new(&arena, 262144), PST_OK);
    make_files(paths, "{a}", "{b}");
    snprintf(value, sizeof(value), "%s %s", paths[0], paths[1]);
    for (n = 1; e == PST_NO_MEMORY && n < 100; n++) {
        const struct file_kind_row row = {DOCUMENTS, value, NULL, NULL};
        struct config_reader reader;
        struct target target;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = read_one(arena, &reader, &target, &row);
        assert_int_equal(target.count, e ? 0 : 2);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 4, 99);
    unlink(paths[0]);
    unlink(paths[1]);
    pst_arena_free(&arena);
}

#define SECRET_VALUE "Xq3vT9wLk2RzB7nPc5YhJd8sGm4FuAe6"
#define OTHER_VALUE "aN5tQ8jVx2KfW7rEy4HbMc9pZs3DgUu6"

struct file_row {
    const char *name;
    struct pst_str bytes;
    mode_t mode;
    const char *display; /* of the secrets; NULL: refused */
    const char *error;
};

static char many_bytes[17000];

static const struct file_row secret_files[] = {
    {"U29: a newline at the end",
     {SECRET_VALUE "\n", 33},
     0600,
     "(set, 1 secret)",
     NULL},
    {"two lines of DOS",
     {SECRET_VALUE "\r\n" OTHER_VALUE "\r\n", 68},
     0640,
     "(set, 2 secrets)",
     NULL},
    {"readable by the group",
     {SECRET_VALUE, 32},
     0440,
     "(set, 1 secret)",
     NULL},
    {"readable by everybody",
     {SECRET_VALUE, 32},
     0644,
     NULL,
     "readable by everybody: chmod 640 it"},
    {"writable by everybody",
     {SECRET_VALUE, 32},
     0602,
     NULL,
     "writable by everybody: chmod 640 it"},
    {"empty", {"", 0}, 0600, NULL, "empty"},
    {"only a newline", {"\n", 1}, 0600, NULL, "is refused"},
    {"binary", {SECRET_VALUE "\0\1", 34}, 0600, NULL, "control character"},
    {"too large", {many_bytes, sizeof(many_bytes)}, 0600, NULL, "larger than"},
    {"too short", {"Xq3vT9wLk2", 10}, 0600, NULL, "is refused"},
};

/* A file with these bytes and this mode; the caller unlinks it. */
static void
make_file(char *path, size_t size, struct pst_str bytes, mode_t mode)
{
    int descriptor;

    snprintf(path, size, "/tmp/postern-test-secret-XXXXXX");
    descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes.ptr, bytes.len), bytes.len);
    assert_int_equal(fchmod(descriptor, mode), 0);
    close(descriptor);
}

static int
start(void **state)
{
    struct pst_arena *arena = NULL;

    if (pst_crypto_init() != PST_OK || pst_arena_new(&arena, 65536) != PST_OK)
        return -1;
    *state = arena;
    return 0;
}

static int
stop(void **state)
{
    struct pst_arena *arena = *state;

    pst_arena_free(&arena);
    return 0;
}

static void
secret_files_are_read(void **state)
{
    struct pst_arena *arena = *state;

    memset(many_bytes, 'a', sizeof(many_bytes));
    for (size_t i = 0; i < PST_COUNT(secret_files); i++) {
        const struct file_row *row = &secret_files[i];
        struct config_secret secret = {.audience = PST_STR("a")};
        struct config_error error = {""};
        char path[64];
        enum pst_err e;

        make_file(path, sizeof(path), row->bytes, row->mode);
        secret.file = pst_str_from(path);
        e = config_secret_load(arena, &secret, &error);
        unlink(path);
        if (row->display
                ? e != PST_OK ||
                      !pst_str_equal(secret.display,
                                     pst_str_from(row->display)) ||
                      !pst_str_equal(secret.display_file, pst_str_from(path))
                : e != PST_BAD_CONFIG ||
                      strcmp(secret.variable, "COOKIE_SESSION_SECRET_FILE") !=
                          0 ||
                      !strstr(error.message, row->error) ||
                      strncmp(error.message, path, strlen(path)) != 0 ||
                      secret.ring)
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.message);
        pst_keyring_free(&secret.ring);
    }
}

struct secret_row {
    const char *name;
    const char *value;
    const char *file;
    const char *variable; /* to blame; NULL: good */
    const char *error;
};

static const struct secret_row secret_rows[] = {
    {"one", SECRET_VALUE, "", NULL, NULL},
    {"two lines", SECRET_VALUE "\n" OTHER_VALUE, "", NULL, NULL},
    {"R2: none", "", "", "COOKIE_SESSION_SECRET", "is not set"},
    {"both", SECRET_VALUE, "/tmp/a", "COOKIE_SESSION_SECRET", "set only one"},
    {"white space alone", " \n", "", "COOKIE_SESSION_SECRET", "is refused"},
    {"short", "Xq3vT9wLk2RzB7nPc5YhJd8sGm4FuAe", "", "COOKIE_SESSION_SECRET",
     "is refused"},
    {"control character", SECRET_VALUE "\x1f", "", "COOKIE_SESSION_SECRET",
     "control character"},
    {"no such file", "", "/nonexistent/a", "COOKIE_SESSION_SECRET_FILE",
     "/nonexistent/a cannot be read: No such file"},
    {"a credential of systemd", "",
     "/run/credentials/postern@login.service/secret",
     "COOKIE_SESSION_SECRET_FILE",
     "/run/credentials/postern@login.service/secret cannot be read: No such "
     "file"},
    {"a long path of no folder", "",
     "/nonexistent/etc/postern/secrets/session.secret",
     "COOKIE_SESSION_SECRET_FILE", "the file cannot be read: No such file"},
    {"a URL with a password in place of the file's name", "", "/redis://:a@b/",
     "COOKIE_SESSION_SECRET_FILE", "the file cannot be read: No such file"},
    {"a URL, which is no path", "", "redis://b/", "COOKIE_SESSION_SECRET_FILE",
     "the file cannot be read: No such file"},
    {"a folder", "", "/tmp", "COOKIE_SESSION_SECRET_FILE",
     "/tmp is not a regular file"},
    {"a secret that begins with a slash in place of the file's name", "",
     "/" SECRET_VALUE, "COOKIE_SESSION_SECRET_FILE",
     "the file cannot be read: No such file"},
    {"the same, as if in a folder", "", "/tmp/" SECRET_VALUE,
     "COOKIE_SESSION_SECRET_FILE", "the file cannot be read: No such file"},
    {"a secret in place of the file's name, which is not repeated", "",
     SECRET_VALUE, "COOKIE_SESSION_SECRET_FILE",
     "the file cannot be read: No such file"},
    {"file's name in two lines", "", "/tmp/a\nb", "COOKIE_SESSION_SECRET_FILE",
     "control character"},
};

static void
variables_are_read(void **state)
{
    struct pst_arena *arena = *state;

    for (size_t i = 0; i < PST_COUNT(secret_rows); i++) {
        const struct secret_row *row = &secret_rows[i];
        struct config_secret secret = {.value = pst_str_from(row->value),
                                       .file = pst_str_from(row->file),
                                       .audience = PST_STR("a")};
        struct config_error error = {""};
        enum pst_err e = config_secret_load(arena, &secret, &error);

        if (row->variable ? e != PST_BAD_CONFIG || secret.ring ||
                                strcmp(secret.variable, row->variable) != 0 ||
                                !strstr(error.message, row->error) ||
                                strstr(error.message, "Xq3vT9wLk2")
                          : e != PST_OK || !secret.ring)
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.message);
        pst_keyring_free(&secret.ring);
    }
}

/* A weak secret is reported even if the audience was refused. */
static void
secret_is_checked_without_an_audience(void **state)
{
    struct config_secret secret = {.value = PST_STR("short")};
    struct config_error error = {""};

    assert_int_equal(config_secret_load(*state, &secret, &error),
                     PST_BAD_CONFIG);
    /* The advice was given twice. */
    assert_string_equal(error.message,
                        "is refused: the secret is shorter than 32 bytes: make "
                        "one with `postern secret`");
    secret.value = PST_STR(SECRET_VALUE);
    assert_int_equal(config_secret_load(*state, &secret, &error), PST_OK);
    pst_keyring_free(&secret.ring);
}

/* R13, L39: another audience, other keys. */
static void
audience_is_in_the_keys(void **state)
{
    static const char *const audiences[] = {"a.example", "b.example"};
    struct pst_key keys[PST_COUNT(audiences)];

    for (size_t i = 0; i < PST_COUNT(audiences); i++) {
        struct config_secret secret = {.value = PST_STR(SECRET_VALUE),
                                       .audience = pst_str_from(audiences[i])};
        struct config_error error;
        struct pst_kid kid;

        assert_int_equal(config_secret_load(*state, &secret, &error), PST_OK);
        kid = pst_keyring_kid(secret.ring, 0);
        assert_int_equal(pst_keyring_key(secret.ring, &kid, PST_A256GCM,
                                         PST_PURPOSE_COOKIE, &keys[i]),
                         PST_OK);
        pst_keyring_free(&secret.ring);
    }
    assert_memory_not_equal(&keys[0], &keys[1], sizeof(keys[0]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_or_refused),
        cmocka_unit_test(other_things_are_refused),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(missing_memory_is_reported),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(documents_are_read),
        cmocka_unit_test(documents_need_memory),
        cmocka_unit_test(secret_files_are_read),
        cmocka_unit_test(variables_are_read),
        cmocka_unit_test(secret_is_checked_without_an_audience),
        cmocka_unit_test(audience_is_in_the_keys),
    };

    return cmocka_run_group_tests_name("config_files", tests, start, stop);
}
