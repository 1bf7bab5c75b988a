/* SPDX-License-Identifier: ISC */
/*
 * backend_config.h - configurations for tests that read a backend's
 * responses, with documents of their own.
 */
#ifndef TESTS_BACKEND_CONFIG_H
#define TESTS_BACKEND_CONFIG_H

#include "server/config.h"

#define NOW 1700000000 /* 2023-11-14T22:13:20Z */

/* A configuration with documents of its own. */
struct setting {
    const char *login; /* NULL: the preset's */
    const char *who;
    const char *variables[5];
};

extern const struct setting fauna;
extern const struct setting vendure;
extern const struct setting renamed; /* everything renamed, and nested */
extern const struct setting asked;   /* token in JSON, and a who document */
extern const struct setting endless; /* the same without the token's end */
extern const struct setting nested;  /* the who document has the id below */
extern const struct setting cookie;  /* the token is a cookie */

/* 256 KiB, for the whole program; reset it for each row. */
extern struct pst_arena *arena;

/* Free it with config_free(). */
struct config *configured(const struct setting *setting);

/* got is want; NULL: absent. */
void expect_text(const char *row, struct pst_str got, const char *want);

/* Run a group of tests with the arena. */
#define RUN_WITH_ARENA(tests) \
    (open_arena() ? 1         \
                  : close_arena(cmocka_run_group_tests((tests), NULL, NULL)))
int open_arena(void);
int close_arena(int failed);

#endif
