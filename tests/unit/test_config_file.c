/* SPDX-License-Identifier: ISC */
/*
 * test_config_file.c - files that variables name are read whole, or refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/config_file.h"

#define MAX 16

struct row {
    const char *name;
    const char *bytes;
    mode_t mode;
    bool is_secret;
    const char *error; /* part of the sentence; NULL: read */
};

static const struct row rows[] = {
    {"some octets", "abc\n", 0644, false, NULL},
    {"as many as may be", "0123456789abcdef", 0644, false, NULL},
    {"one more", "0123456789abcdefg", 0644, false, "more than 16 octets"},
    {"none", "", 0644, false, "empty"},
    {"a secret of ours alone", "abc", 0600, true, NULL},
    {"a secret of our group's", "abc", 0640, true, NULL},
    {"a secret that everybody reads", "abc", 0604, true, "everybody may read"},
    {"a secret that everybody writes", "abc", 0602, true,
     "everybody may write"},
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
                ? e != PST_BAD_CONFIG || !strstr(error.text, row->error) ||
                      out.ptr
                : e != PST_OK || !pst_str_equal(out, pst_str_from(row->bytes)))
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.text);
        fixture_close(&f);
    }
}

/* What is no file is refused at once; nobody writes into the FIFO. */
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
    assert_non_null(strstr(error.text, "No such file"));
    assert_int_equal(config_file_check(f.path, &error), PST_BAD_CONFIG);

    assert_int_equal(mkfifo(f.path, 0600), 0);
    assert_int_equal(config_file_read(f.arena, f.path, &rule, &out, &error),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(error.text, "no regular file"));
    assert_int_equal(config_file_check(f.path, &error), PST_BAD_CONFIG);
    assert_int_equal(unlink(f.path), 0);

    assert_int_equal(config_file_check(f.folder, &error), PST_BAD_CONFIG);
    assert_int_equal(config_file_check("/dev/zero", &error), PST_BAD_CONFIG);
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
    assert_int_equal(config_file_check(link, &error), PST_OK);
    assert_int_equal(unlink(link), 0);
    fixture_close(&f);
}

static void
missing_memory_is_told(void **state)
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_or_refused),
        cmocka_unit_test(other_things_are_refused),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(missing_memory_is_told),
    };

    return cmocka_run_group_tests_name("config_file", tests, NULL, NULL);
}
