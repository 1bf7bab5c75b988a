/* SPDX-License-Identifier: ISC */
/*
 * samples.c - `postern config`: print the configuration files of etc/ with the
 * paths of this installation.
 */
#include <string.h>

#include "base/str.h"
#include "commands.h"
#include "print.h"
#include "samples.h"

#ifndef POSTERN_PROGRAMS
#define POSTERN_PROGRAMS "/usr/local/libexec/postern"
#endif

/* A path in the files, and what replaces it. */
struct path {
    const char *option;
    const char *original;
    const char *replacement;
};

enum {
    PROGRAMS,
    SOCKETS,
    LIGHTTPD_SOCKETS,
    SECRET,
    STORE,
    ENV,
    PHP,
    UPSTREAM,
    ORIGIN,
    PATH_COUNT
};

struct selection {
    const char *server;
    const char *file; /* NULL: all that a first try needs */
    struct path paths[PATH_COUNT];
};

/* The path with which the line begins, or NULL. */
static const struct path *
find_sample_path(const struct selection *selection, const char *line)
{
    for (size_t i = 0; i < PATH_COUNT; i++) {
        const struct path *path = &selection->paths[i];
        size_t len = strlen(path->original);

        if (strncmp(line, path->original, len) == 0)
            return path;
    }
    return NULL;
}

static void
print_sample_line(const struct selection *selection, const char *line)
{
    while (*line) {
        const struct path *path = find_sample_path(selection, line);

        if (path) {
            fputs(path->replacement, stdout);
            line += strlen(path->original);
        } else {
            putchar(*line++);
        }
    }
    putchar('\n');
}

/* A file's place is "server/name". */
static bool
is_sample_selected(const struct selection *selection,
                   const struct sample *sample)
{
    const char *name = strchr(sample->place, '/');
    size_t len = (size_t)(name - sample->place);

    if (strlen(selection->server) != len ||
        strncmp(selection->server, sample->place, len) != 0)
        return false;
    return selection->file ? strcmp(selection->file, name + 1) == 0
                           : sample->is_first;
}

static int
list_samples(FILE *out, const char *indent)
{
    for (size_t i = 0; i < PST_COUNT(samples); i++)
        fprintf(out, "%s%s\n", indent, samples[i].place);
    return 0;
}

static int
print_selected_samples(const struct selection *selection)
{
    size_t printed = 0;

    for (size_t i = 0; i < PST_COUNT(samples); i++) {
        if (!is_sample_selected(selection, &samples[i]))
            continue;
        if (!selection->file)
            printf("%s# --- %s\n\n", printed > 0 ? "\n" : "",
                   strchr(samples[i].place, '/') + 1);
        for (const char *const *line = samples[i].lines; *line; line++)
            print_sample_line(selection, *line);
        printed++;
    }
    if (printed > 0)
        return 0;
    print_error_line(
        "postern config: there is no %s%s%s; there are:", selection->server,
        selection->file ? "/" : "", selection->file ? selection->file : "");
    list_samples(stderr, "  ");
    return EX_USAGE;
}

/* Set the path of an option. Returns NULL, or the error message. */
static const char *
parse_samples_option(struct selection *selection, const char *option,
                     const char *value)
{
    const char *error = "is not an option";

    for (size_t i = 0; i < PATH_COUNT; i++)
        if (strcmp(selection->paths[i].option, option) == 0) {
            if (!value)
                return "needs a value";
            /* Some file has it between quotes. */
            if (strpbrk(value, "\"'\\$%\n\r"))
                return "must not have a quote, a backslash, $, % or a line "
                       "break in it";
            selection->paths[i].replacement = value;
            error = NULL;
        }
    return error;
}

/* Set selection from the arguments. Returns NULL, or the error message, which
 * may be in the buffer `message`. */
static const char *
parse_samples_arguments(struct selection *selection, char **argv, char *message,
                        size_t size)
{
    for (argv++; *argv; argv++) {
        if (strncmp(*argv, "--", 2) == 0) {
            const char *error =
                parse_samples_option(selection, argv[0], argv[1]);

            if (error) {
                (void)snprintf(message, size, "%s %s", argv[0], error);
                return message;
            }
            argv++;
        } else if (!selection->server) {
            selection->server = *argv;
        } else if (!selection->file) {
            selection->file = *argv;
        } else {
            return "takes one SERVER and one FILE";
        }
    }
    return selection->server ? NULL : "needs a SERVER, or list";
}

int
command_config_files(int argc, char **argv)
{
    struct selection selection = {
        .paths = {
            [PROGRAMS] = {"--programs", "/usr/local/libexec/postern",
                          POSTERN_PROGRAMS},
            [SOCKETS] = {"--sockets", "/run/postern", "/run/postern"},
            [LIGHTTPD_SOCKETS] = {"--sockets", "/run/lighttpd",
                                  "/run/lighttpd"},
            [SECRET] = {"--secret", "/etc/postern/secret",
                        "/etc/postern/secret"},
            [STORE] = {"--store", "/var/lib/postern", POSTERN_STATE},
            [ENV] = {"--env", "/etc/postern/postern.env",
                     "/etc/postern/postern.env"},
            [PHP] = {"--php", "/run/php/php-fpm.sock", "/run/php/php-fpm.sock"},
            [UPSTREAM] = {"--upstream", "http://127.0.0.1:3000/graphql",
                          "http://127.0.0.1:3000/graphql"},
            [ORIGIN] = {"--origin", "https://shop.example",
                        "https://shop.example"},
        }};

    char message[256];
    const char *error =
        parse_samples_arguments(&selection, argv, message, sizeof(message));

    (void)argc;
    if (error)
        return command_usage_error(argv[0], error);
    if (strcmp(selection.server, "list") != 0)
        return print_selected_samples(&selection);
    if (selection.file)
        return command_usage_error(argv[0], "list takes no arguments");
    return list_samples(stdout, "");
}
