/* SPDX-License-Identifier: ISC */
/*
 * config_store.c - read POSTERN_STORE and POSTERN_STORE_FILE, the URL of the
 * store.
 */
#include "server/config_store.h"

#include "base/buffer.h"
#include "server/config_files.h"
#include "server/store_url.h"

/* The variable whose value POSTERN_STORE_FILE replaces. */
#define STORE_VARIABLE "POSTERN_STORE"

/* Bytes of the URL as it is displayed. */
#define DISPLAY_MAX 1024

/* Parse the URL into the entry's field. Its displayed value masks the
 * password. */
static enum pst_err
parse_store_url(struct config_reader *reader, const struct config_entry *entry,
                struct pst_str value, struct config_error *error)
{
    struct store_url *field = config_get_field(reader, entry);
    struct pst_str display;
    struct pst_buf buf;
    enum pst_err e = store_url_parse(value, field, error);

    if (e)
        return e;
    pst_buf_init_arena(&buf, reader->arena, DISPLAY_MAX);
    store_url_emit(&buf, field);
    e = pst_buf_finish(&buf, &display);
    if (!e)
        config_set_display(reader, entry, display);
    return e;
}

enum pst_err
config_read_store_url(struct config_reader *reader,
                      const struct config_entry *entry, struct pst_str value)
{
    return parse_store_url(reader, entry, value, &reader->error);
}

static bool
is_white_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Set out to the only line of a file, without the white space around it. */
static enum pst_err
parse_single_line(const char *path, struct pst_str text, struct pst_str *out,
                  struct config_error *error)
{
    while (text.len > 0 && is_white_space(text.ptr[0]))
        text = pst_str_skip(text, 1);
    while (text.len > 0 && is_white_space(text.ptr[text.len - 1]))
        text = pst_str_first(text, text.len - 1);
    if (text.len == 0)
        return config_set_error(error, "%.256s contains only white space",
                                path);
    if (pst_str_index(text, '\n') != text.len)
        return config_set_error(error, "%.256s has more than one line", path);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7F)
            return config_set_error(
                error, "%.256s contains a control character: remove it", path);
    *out = text;
    return PST_OK;
}

/* file_arena contains only the text of the file, so that the caller can wipe
 * it at once: it may contain the password. */
static enum pst_err
parse_store_file(struct config_reader *reader, struct pst_arena *file_arena,
                 const char *path)
{
    const struct config_file_rule rule = {.max = CONFIG_STORE_MAX,
                                          .is_secret = true};
    size_t store = config_find_entry(reader, STORE_VARIABLE);
    struct config_error error = {""};
    struct pst_str text;
    enum pst_err e;

    e = config_file_read(file_arena, path, &rule, &text, &reader->error);
    if (e)
        return e;
    e = parse_single_line(path, text, &text, &reader->error);
    if (e)
        return e;
    e = parse_store_url(reader, &reader->entries[store], text, &error);
    if (e == PST_BAD_CONFIG)
        return config_set_error(&reader->error, "%.256s: its URL %s", path,
                                error.message);
    return e;
}

enum pst_err
config_read_store_file(struct config_reader *reader,
                       const struct config_entry *entry, struct pst_str value)
{
    struct pst_arena *file_arena = NULL;
    enum pst_err e;

    (void)entry;
    if (config_get_raw_value(reader, STORE_VARIABLE).len > 0)
        return config_set_error(&reader->error,
                                "is set, and so is " STORE_VARIABLE
                                ": set only one of them");
    e = pst_arena_new(&file_arena, CONFIG_STORE_MAX + 1024);
    if (e)
        return e;
    e = parse_store_file(reader, file_arena, value.ptr);
    pst_arena_free(&file_arena); /* wipes the text of the file */
    return e;
}
