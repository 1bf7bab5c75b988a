/* SPDX-License-Identifier: ISC */
/*
 * configs.h - load configurations from environments, for tests.
 */
#ifndef POSTERN_TESTS_CONFIGS_H
#define POSTERN_TESTS_CONFIGS_H

#include <sys/stat.h>

#include "server/config.h"

#define SECRET_VALUE "Xq3vT9wLk2RzB7nPc5YhJd8sGm4FuAe6"
#define OTHER_VALUE "aN5tQ8jVx2KfW7rEy4HbMc9pZs3DgUu6"
#define SECRET "COOKIE_SESSION_SECRET=" SECRET_VALUE
#define SECRET_FILE "COOKIE_SESSION_SECRET_FILE="
#define STORE_FILE "POSTERN_STORE_FILE="
#define UPSTREAM "POSTERN_UPSTREAM=http://127.0.0.1:4000/graphql"

/* Variables of one environment at most, and errors that are kept. */
#define ENVIRONMENT_MAX 12
#define CONFIG_ERRORS_MAX 12

struct config_errors {
    size_t count;
    char variable[CONFIG_ERRORS_MAX][80];
    char message[CONFIG_ERRORS_MAX][sizeof(struct config_error)];
};

/* config_new() with the errors it reports. */
enum pst_err load_config(struct config **config, const char *const *environment,
                         struct config_errors *errors);

/* A configuration of these variables, and the secret and the upstream. Fails
 * the test on an error. more: NULL at the end; may be NULL. */
struct config *make_config(const char *const *more);

#define MAKE_CONFIG(...) make_config((const char *const[]){__VA_ARGS__, NULL})

/* Make a file of these bytes with this mode, and write its path. The caller
 * unlinks it. */
void make_config_file(char *path, size_t size, struct pst_str bytes,
                      mode_t mode);

/* The text is want; NULL: it is absent. */
void expect_text(const char *what, struct pst_str text, const char *want);

/* The value in use of a variable, as `postern check` shows it. */
void expect_display(const struct config *config, const char *variable,
                    const char *want);

#endif
