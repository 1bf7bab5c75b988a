/* SPDX-License-Identifier: ISC */
/*
 * configs.c - load configurations from environments, for tests.
 */
#include "configs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
collect_error(void *context, const char *variable, const char *message)
{
    struct config_errors *errors = context;

    assert_true(errors->count < CONFIG_ERRORS_MAX);
    snprintf(errors->variable[errors->count], sizeof(errors->variable[0]), "%s",
             variable);
    snprintf(errors->message[errors->count++], sizeof(errors->message[0]), "%s",
             message);
}

enum pst_err
load_config(struct config **config, const char *const *environment,
            struct config_errors *errors)
{
    const struct config_reporter reporter = {collect_error, errors};

    memset(errors, 0, sizeof(*errors));
    return config_new(config, environment, &reporter);
}

struct config *
make_config(const char *const *more)
{
    const char *environment[ENVIRONMENT_MAX + 1] = {SECRET, UPSTREAM};
    static struct config_errors errors;
    struct config *config = NULL;

    for (size_t i = 0; more && more[i]; i++) {
        assert_true(i + 2 < ENVIRONMENT_MAX);
        environment[i + 2] = more[i];
    }
    if (load_config(&config, environment, &errors) != PST_OK)
        fail_msg("%s: %s", errors.variable[0], errors.message[0]);
    assert_int_equal(errors.count, 0);
    return config;
}

void
make_config_file(char *path, size_t size, struct pst_str bytes, mode_t mode)
{
    int descriptor;

    snprintf(path, size, "/tmp/postern-test-config-XXXXXX");
    descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes.ptr, bytes.len), bytes.len);
    assert_int_equal(fchmod(descriptor, mode), 0);
    close(descriptor);
}

void
expect_text(const char *what, struct pst_str text, const char *want)
{
    if (!want && !pst_str_is_absent(text))
        fail_msg("%s: is \"%.*s\", not absent", what, (int)text.len, text.ptr);
    if (want &&
        (pst_str_is_absent(text) || !pst_str_equal(text, pst_str_from(want))))
        fail_msg("%s: is \"%.*s\", not \"%s\"", what, (int)text.len,
                 text.ptr ? text.ptr : "", want);
}

void
expect_display(const struct config *config, const char *variable,
               const char *want)
{
    char storage[1024];
    struct pst_buf buf;
    size_t index = 0;

    while (strcmp(config_row(index)->name, variable) != 0)
        index++;
    pst_buf_init(&buf, storage, sizeof(storage));
    config_emit_value(&buf, config, index);
    expect_text(variable, pst_buf_str(&buf), want);
}
