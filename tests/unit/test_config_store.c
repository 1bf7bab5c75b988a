/* SPDX-License-Identifier: ISC */
/*
 * test_config_store.c - the store's URL from POSTERN_STORE_FILE: which files
 * are accepted, and what is displayed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "configs.h"

struct store_row {
    const char *name;
    struct pst_str bytes;
    mode_t mode;
    const char *shown; /* as displayed; NULL: refused */
    const char *error;
};

/* The bytes of a literal, which may contain NUL, without its last NUL. */
#define BYTES(literal)                 \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

#define REDIS_URL "redis://ann:hidden-word@db.example/3"
#define REDIS_SHOWN "redis://ann:***@db.example:6379/3"

static char long_line[5000];

static const struct store_row stores[] = {
    {"a line", BYTES(REDIS_URL "\n"), 0600, REDIS_SHOWN, NULL},
    {"no end of line", BYTES(REDIS_URL), 0440, REDIS_SHOWN, NULL},
    {"white space around", BYTES("\r\n \t" REDIS_URL " \t\r\n\n"), 0640,
     REDIS_SHOWN, NULL},
    {"none", BYTES("none\n"), 0600, "none", NULL},
    {"readable by everybody", BYTES(REDIS_URL), 0604, NULL,
     "readable by everybody: chmod 640 it"},
    {"writable by everybody", BYTES(REDIS_URL), 0602, NULL,
     "writable by everybody: chmod 640 it"},
    {"empty", BYTES(""), 0600, NULL, "empty"},
    {"only white space", BYTES(" \n"), 0600, NULL, "contains only white space"},
    {"two lines", BYTES(REDIS_URL "\nnone\n"), 0600, NULL,
     "has more than one line"},
    {"a NUL", BYTES(REDIS_URL "\0"), 0600, NULL, "control character"},
    {"a tab inside", BYTES("lmdb:/a\tb"), 0600, NULL, "control character"},
    {"too long",
     {long_line, sizeof(long_line)},
     0600,
     NULL,
     "larger than 4096"},
    {"not the URL of a store", BYTES("memcached://ann:hidden-word@a"), 0600,
     NULL, ": its URL must be one of"},
};

/* `postern check` shows the file, and as POSTERN_STORE the URL from it with
 * its password masked. */
static void
expect_store(const struct config *config, const char *path, const char *shown)
{
    bool is_redis = strcmp(shown, "none") != 0;

    expect_display(config, "POSTERN_STORE", shown);
    expect_display(config, "POSTERN_STORE_FILE", path);
    assert_int_equal(config->store.kind, is_redis ? STORE_REDIS : STORE_NONE);
    assert_string_equal(config->store.password, is_redis ? "hidden-word" : "");
}

static void
stores_are_read_from_files(void **state)
{
    (void)state;
    memset(long_line, 'a', sizeof(long_line));
    for (size_t i = 0; i < PST_COUNT(stores); i++) {
        const struct store_row *row = &stores[i];
        char path[64];
        char variable[128];
        const char *environment[] = {SECRET, UPSTREAM,
                                     "POSTERN_STORE=", variable, NULL};
        static struct config_errors errors;
        struct config *config = NULL;
        enum pst_err e;

        if (row->shown && strcmp(row->shown, "none") != 0 &&
            !POSTERN_WITH_REDIS)
            continue; /* this build refuses the URL */
        make_config_file(path, sizeof(path), row->bytes, row->mode);
        snprintf(variable, sizeof(variable), STORE_FILE "%s", path);
        e = load_config(&config, environment, &errors);
        unlink(path);
        if (row->shown) {
            if (e != PST_OK)
                fail_msg("%s: %s", row->name, errors.message[0]);
            expect_store(config, path, row->shown);
        } else if (e != PST_BAD_CONFIG || errors.count != 1 ||
                   strcmp(errors.variable[0], "POSTERN_STORE_FILE") != 0 ||
                   !strstr(errors.message[0], row->error) ||
                   strstr(errors.message[0], "hidden-word")) {
            fail_msg("%s: %s: %s", row->name, pst_err_code(e),
                     errors.message[0]);
        }
        config_free(&config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_are_read_from_files),
    };

    return cmocka_run_group_tests_name("config_store", tests, NULL, NULL);
}
