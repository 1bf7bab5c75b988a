/* SPDX-License-Identifier: ISC */
/*
 * test_config_secret.c - keys come of good secrets, wherever they stand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "server/config_secret.h"

#define SECRET_VALUE "Xq3vT9wLk2RzB7nPc5YhJd8sGm4FuAe6"
#define OTHER_VALUE "aN5tQ8jVx2KfW7rEy4HbMc9pZs3DgUu6"

struct file_row {
    const char *name;
    struct pst_str octets;
    mode_t mode;
    const char *display; /* of the secrets; NULL: refused */
    const char *error;
};

static char many_octets[17000];

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
     "everybody may read"},
    {"writable by everybody",
     {SECRET_VALUE, 32},
     0602,
     NULL,
     "everybody may write"},
    {"empty", {"", 0}, 0600, NULL, "empty"},
    {"only a newline", {"\n", 1}, 0600, NULL, "is refused"},
    {"binary", {SECRET_VALUE "\0\1", 34}, 0600, NULL, "control octet"},
    {"too large", {many_octets, sizeof(many_octets)}, 0600, NULL, "more than"},
    {"too short", {"Xq3vT9wLk2", 10}, 0600, NULL, "is refused"},
};

/* A file with these bytes and this mode; the caller unlinks it. */
static void
make_file(char *path, size_t size, struct pst_str octets, mode_t mode)
{
    int descriptor;

    snprintf(path, size, "/tmp/postern-test-secret-XXXXXX");
    descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, octets.ptr, octets.len), octets.len);
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
files_are_read(void **state)
{
    struct pst_arena *arena = *state;

    memset(many_octets, 'a', sizeof(many_octets));
    for (size_t i = 0; i < PST_COUNT(secret_files); i++) {
        const struct file_row *row = &secret_files[i];
        struct config_secret secret = {.audience = PST_STR("a")};
        struct config_error error = {""};
        char path[64];
        enum pst_err e;

        make_file(path, sizeof(path), row->octets, row->mode);
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
                      !strstr(error.text, row->error) || secret.ring)
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.text);
        pst_keyring_free(&secret.ring);
    }
}

struct row {
    const char *name;
    const char *value;
    const char *file;
    const char *variable; /* to blame; NULL: good */
    const char *error;
};

static const struct row rows[] = {
    {"one", SECRET_VALUE, "", NULL, NULL},
    {"two lines", SECRET_VALUE "\n" OTHER_VALUE, "", NULL, NULL},
    {"R2: none", "", "", "COOKIE_SESSION_SECRET", "is not set"},
    {"both", SECRET_VALUE, "/tmp/a", "COOKIE_SESSION_SECRET", "only one"},
    {"white space alone", " \n", "", "COOKIE_SESSION_SECRET", "is refused"},
    {"short", "Xq3vT9wLk2RzB7nPc5YhJd8sGm4FuAe", "", "COOKIE_SESSION_SECRET",
     "is refused"},
    {"control octet", SECRET_VALUE "\x1f", "", "COOKIE_SESSION_SECRET",
     "control octet"},
    {"no such file", "", "/nonexistent/a", "COOKIE_SESSION_SECRET_FILE",
     "No such file"},
    {"file's name in two lines", "", "/tmp/a\nb", "COOKIE_SESSION_SECRET_FILE",
     "control octet"},
};

static void
variables_are_read(void **state)
{
    struct pst_arena *arena = *state;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct config_secret secret = {.value = pst_str_from(row->value),
                                       .file = pst_str_from(row->file),
                                       .audience = PST_STR("a")};
        struct config_error error = {""};
        enum pst_err e = config_secret_load(arena, &secret, &error);

        if (row->variable ? e != PST_BAD_CONFIG || secret.ring ||
                                strcmp(secret.variable, row->variable) != 0 ||
                                !strstr(error.text, row->error) ||
                                strstr(error.text, "Xq3vT9wLk2")
                          : e != PST_OK || !secret.ring)
            fail_msg("%s: %s %s", row->name, pst_err_code(e), error.text);
        pst_keyring_free(&secret.ring);
    }
}

/* Where the audience was refused, a weak secret is still told of. */
static void
secret_is_judged_without_an_audience(void **state)
{
    struct config_secret secret = {.value = PST_STR("short")};
    struct config_error error = {""};

    assert_int_equal(config_secret_load(*state, &secret, &error),
                     PST_BAD_CONFIG);
    assert_non_null(strstr(error.text, "is refused: "));
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
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(variables_are_read),
        cmocka_unit_test(secret_is_judged_without_an_audience),
        cmocka_unit_test(audience_is_in_the_keys),
    };

    return cmocka_run_group_tests_name("config_secret", tests, start, stop);
}
