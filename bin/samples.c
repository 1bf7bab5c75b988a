/* SPDX-License-Identifier: ISC */
/*
 * samples.c - `postern config`: print the configurations of etc/, with this
 * installation's paths in the place of the usual ones.
 */
#include <string.h>

#include "base/str.h"
#include "commands.h"
#include "samples.h"

#ifndef POSTERN_PROGRAMS
#define POSTERN_PROGRAMS "/usr/local/libexec/postern"
#endif

/* What stands in the files, and what to write instead. */
struct path {
    const char *option;
    const char *usual;
    const char *wanted;
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
    PATHS
};

struct wish {
    const char *server;
    const char *file; /* NULL: those that a first try needs */
    struct path paths[PATHS];
};

/* The longest of the paths that stands at the beginning of line, or NULL. */
static const struct path *
path_at(const struct wish *wish, const char *line)
{
    for (size_t i = 0; i < PATHS; i++) {
        const struct path *path = &wish->paths[i];
        size_t len = strlen(path->usual);

        if (strncmp(line, path->usual, len) == 0)
            return path;
    }
    return NULL;
}

static void
print_line(const struct wish *wish, const char *line)
{
    while (*line) {
        const struct path *path = path_at(wish, line);

        if (path) {
            fputs(path->wanted, stdout);
            line += strlen(path->usual);
        } else {
            putchar(*line++);
        }
    }
    putchar('\n');
}

/* A file's place is "server/name". */
static bool
is_wanted(const struct wish *wish, const struct sample *sample)
{
    const char *name = strchr(sample->place, '/');
    size_t len = (size_t)(name - sample->place);

    if (strlen(wish->server) != len ||
        strncmp(wish->server, sample->place, len) != 0)
        return false;
    return wish->file ? strcmp(wish->file, name + 1) == 0 : sample->is_first;
}

static int
list(FILE *out, const char *indent)
{
    for (size_t i = 0; i < PST_COUNT(samples); i++)
        fprintf(out, "%s%s\n", indent, samples[i].place);
    return 0;
}

static int
print_samples(const struct wish *wish)
{
    size_t printed = 0;

    for (size_t i = 0; i < PST_COUNT(samples); i++) {
        if (!is_wanted(wish, &samples[i]))
            continue;
        if (!wish->file)
            printf("%s# --- %s\n\n", printed > 0 ? "\n" : "",
                   strchr(samples[i].place, '/') + 1);
        for (const char *const *line = samples[i].lines; *line; line++)
            print_line(wish, *line);
        printed++;
    }
    if (printed > 0)
        return 0;
    fprintf(stderr, "postern config: there is no %s%s%s; there are\n",
            wish->server, wish->file ? "/" : "", wish->file ? wish->file : "");
    list(stderr, "  ");
    return EX_USAGE;
}

/* --name VALUE for one of the paths. Returns NULL, or what is wrong. */
static const char *
read_option(struct wish *wish, const char *option, const char *value)
{
    const char *wrong = "is no option";

    for (size_t i = 0; i < PATHS; i++)
        if (strcmp(wish->paths[i].option, option) == 0) {
            if (!value)
                return "needs a value";
            /* Whatever it is, it stands between quotes in some file. */
            if (strpbrk(value, "\"'\\$%\n\r"))
                return "must not have a quote, a backslash, $, % or a line's "
                       "end in it";
            wish->paths[i].wanted = value;
            wrong = NULL;
        }
    return wrong;
}

/* Fills wish in. Returns NULL, or what is wrong, which may be in `room`. */
static const char *
read_arguments(struct wish *wish, char **argv, char *room, size_t size)
{
    for (argv++; *argv; argv++) {
        if (strncmp(*argv, "--", 2) == 0) {
            const char *wrong = read_option(wish, argv[0], argv[1]);

            if (wrong) {
                (void)snprintf(room, size, "%s %s", argv[0], wrong);
                return room;
            }
            argv++;
        } else if (!wish->server) {
            wish->server = *argv;
        } else if (!wish->file) {
            wish->file = *argv;
        } else {
            return "takes a server and a file";
        }
    }
    return wish->server ? NULL : "needs a server, or list";
}

int
command_config_files(int argc, char **argv)
{
    struct wish wish = {
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
        }};

    char room[256];
    const char *wrong = read_arguments(&wish, argv, room, sizeof(room));

    (void)argc;
    if (wrong)
        return command_misused(argv[0], wrong);
    if (strcmp(wish.server, "list") != 0)
        return print_samples(&wish);
    if (wish.file)
        return command_misused(argv[0], "list takes nothing");
    return list(stdout, "");
}
