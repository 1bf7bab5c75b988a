/* SPDX-License-Identifier: ISC */
/*
 * env_file.c - read a file of variables into the environment (--env-file).
 */
#include "env_file.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "print.h"
#include "server/config_files.h"

/* Bytes of a file, and of the memory for it and its values. */
#define FILE_MAX ((size_t)64 * 1024)
#define ARENA_SIZE (64 * FILE_MAX)

/* Bytes of one value. */
#define VALUE_MAX ((size_t)32 * 1024)

/* What is left of the file, and where. */
struct env_reader {
    const char *path;
    struct pst_str rest;
    size_t line;
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_name_byte(char c, bool is_first)
{
    return (pst_lower(c) >= 'a' && pst_lower(c) <= 'z') || c == '_' ||
           (!is_first && c >= '0' && c <= '9');
}

/* The next character of the file, or NUL at its end. */
static char
env_peek(const struct env_reader *reader)
{
    return reader->rest.len > 0 ? reader->rest.ptr[0] : '\0';
}

static char
env_next(struct env_reader *reader)
{
    char c = env_peek(reader);

    if (c == '\n')
        reader->line++;
    if (reader->rest.len > 0)
        reader->rest = pst_str_skip(reader->rest, 1);
    return c;
}

static int
env_report(const struct env_reader *reader, const char *reason)
{
    print_error_line("postern: %s: line %zu %s", reader->path, reader->line,
                     reason);
    return EX_DATAERR;
}

/* Read up to the closing quote. False: there is none. */
static bool
env_read_quoted(struct env_reader *reader, char quote, struct pst_buf *value)
{
    while (reader->rest.len > 0) {
        char c = env_next(reader);

        if (c == quote)
            return true;
        if (c == '\\' && quote == '"') {
            c = env_next(reader);
            if (c == '\n')
                continue;
            if (c != '"' && c != '\\' && c != '$' && c != '`')
                pst_buf_add_char(value, '\\');
        }
        pst_buf_add_char(value, c);
    }
    return false;
}

/* Read a value and the end of its line. White space around it is dropped. */
static int
env_read_value(struct env_reader *reader, struct pst_buf *value)
{
    const struct env_reader begin = *reader;
    size_t len = 0; /* without the white space at the end */

    while (is_blank(env_peek(reader)))
        env_next(reader);
    while (reader->rest.len > 0 && env_peek(reader) != '\n') {
        char c = env_next(reader);

        if (c == '\'' || c == '"') {
            if (!env_read_quoted(reader, c, value))
                return env_report(&begin, "has a quote that is not closed");
        } else if (c == '\\') {
            c = env_next(reader);
            if (c == '\n')
                continue;
            pst_buf_add_char(value, c);
        } else {
            pst_buf_add_char(value, c);
            if (is_blank(c))
                continue;
        }
        len = value->len;
    }
    pst_buf_truncate(value, len);
    return 0;
}

/* Read one line that is neither empty nor a comment. */
static int
env_read_variable(struct env_reader *reader, struct pst_arena *arena)
{
    const struct env_reader begin = *reader;
    struct pst_str name = reader->rest;
    struct pst_str text;
    struct pst_buf value;
    const char *c_name;
    const char *c_value;
    int status;

    while (is_name_byte(env_peek(reader), reader->rest.len == name.len))
        env_next(reader);
    name = pst_str_first(name, name.len - reader->rest.len);
    if (name.len == 0 || env_next(reader) != '=')
        return env_report(&begin, "is not NAME=value");
    pst_buf_init_arena(&value, arena, VALUE_MAX);
    status = env_read_value(reader, &value);
    if (status)
        return status;
    if (pst_buf_finish(&value, &text) ||
        pst_arena_c_string(arena, text, &c_value) ||
        pst_arena_c_string(arena, name, &c_name) ||
        setenv(c_name, c_value, 1) != 0)
        return env_report(&begin, "is too long, or has a NUL in it");
    return 0;
}

static int
env_read_file(struct env_reader *reader, struct pst_arena *arena)
{
    int status = 0;

    while (reader->rest.len > 0 && !status) {
        char c = env_peek(reader);

        if (is_blank(c) || c == '\n')
            env_next(reader);
        else if (c == '#' || c == ';')
            reader->rest =
                pst_str_skip(reader->rest, pst_str_index(reader->rest, '\n'));
        else
            status = env_read_variable(reader, arena);
    }
    return status;
}

int
env_file_load(const char *path)
{
    const struct config_file_rule rule = {.max = FILE_MAX};
    struct env_reader reader = {.path = path, .line = 1};
    struct config_error error = {""};
    struct pst_arena *arena = NULL;
    int status = EX_NOINPUT;

    if (pst_arena_new(&arena, ARENA_SIZE) != PST_OK)
        return EX_OSERR;
    if (config_file_read(arena, path, &rule, &reader.rest, &error))
        fprintf(stderr, "postern: %s\n", error.message); /* escaped already */
    else
        status = env_read_file(&reader, arena);
    pst_arena_free(&arena);
    return status;
}
