/* SPDX-License-Identifier: ISC */
/*
 * config_read.c - the kinds of variables, each read into its place.
 */
#include "server/config_read.h"

#include "base/buffer.h"
#include "server/config_file.h"
#include "server/rate.h"
#include "server/store_url.h"

/* Room for a number with its unit. */
#define NUMBER_MAX 24

/* The variable that POSTERN_STORE_FILE stands for. */
#define STORE_VARIABLE "POSTERN_STORE"

/* Room for all the words of an entry. */
#define KEYWORDS_MAX 100

typedef enum pst_err parse_number_fn(struct pst_str, int64_t *,
                                     struct config_error *);
typedef void emit_number_fn(struct pst_buf *, int64_t);

static enum pst_err
config_read_bounded_number(struct config_reader *reader,
                           const struct config_entry *entry,
                           struct pst_str value, parse_number_fn *parse,
                           emit_number_fn *emit)
{
    int64_t *field = config_get_field(reader, entry);
    char storage[3][NUMBER_MAX + 1] = {"", "", ""};
    int64_t numbers[3] = {0, entry->min, entry->max};
    struct pst_str display;
    enum pst_err e;

    e = parse(value, &numbers[0], &reader->error);
    if (e)
        return e;
    for (size_t i = 0; i < PST_COUNT(numbers); i++) {
        struct pst_buf buf;

        pst_buf_init(&buf, storage[i], NUMBER_MAX);
        emit(&buf, numbers[i]);
    }
    if (numbers[0] < entry->min || numbers[0] > entry->max)
        return config_set_error(&reader->error, "is not between %s and %s",
                                storage[1], storage[2]);
    e = pst_arena_copy(reader->arena, pst_str_from(storage[0]), &display);
    if (e)
        return e;
    config_set_display(reader, entry, display);
    *field = numbers[0];
    return PST_OK;
}

enum pst_err
config_read_duration(struct config_reader *reader,
                     const struct config_entry *entry, struct pst_str value)
{
    return config_read_bounded_number(
        reader, entry, value, config_parse_duration, config_emit_duration);
}

enum pst_err
config_read_milliseconds(struct config_reader *reader,
                         const struct config_entry *entry, struct pst_str value)
{
    return config_read_bounded_number(reader, entry, value,
                                      config_parse_milliseconds,
                                      config_emit_milliseconds);
}

enum pst_err
config_read_optional_duration(struct config_reader *reader,
                              const struct config_entry *entry,
                              struct pst_str value)
{
    int64_t *field = config_get_field(reader, entry);

    if (!pst_str_equal_nocase(value, PST_STR("off")))
        return config_read_duration(reader, entry, value);
    config_set_display(reader, entry, PST_STR("off"));
    *field = 0;
    return PST_OK;
}

enum pst_err
config_read_size(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_str value)
{
    return config_read_bounded_number(reader, entry, value, config_parse_size,
                                      config_emit_size);
}

enum pst_err
config_read_number(struct config_reader *reader,
                   const struct config_entry *entry, struct pst_str value)
{
    return config_read_bounded_number(reader, entry, value, config_parse_number,
                                      pst_buf_add_number);
}

/* The entry's word that text is, in any case; NULL when it is none. */
static const struct config_keyword *
config_find_keyword(const struct config_entry *entry, struct pst_str text)
{
    for (const struct config_keyword *w = entry->keywords; w->keyword; w++)
        if (pst_str_equal_nocase(text, pst_str_from(w->keyword)))
            return w;
    return NULL;
}

static enum pst_err
config_set_keyword_error(struct config_reader *reader,
                         const struct config_entry *entry)
{
    char storage[KEYWORDS_MAX] = "";
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage) - 1);
    for (const struct config_keyword *w = entry->keywords; w->keyword; w++) {
        pst_buf_add_string(&buf, w == entry->keywords ? "" : ", ");
        pst_buf_add_string(&buf, w->keyword);
    }
    return config_set_error(&reader->error, "is none of: %s", storage);
}

enum pst_err
config_read_keyword(struct config_reader *reader,
                    const struct config_entry *entry, struct pst_str value)
{
    unsigned *field = config_get_field(reader, entry);
    const struct config_keyword *keyword = config_find_keyword(entry, value);

    if (!keyword)
        return config_set_keyword_error(reader, entry);
    config_set_display(reader, entry, pst_str_from(keyword->keyword));
    *field = keyword->value;
    return PST_OK;
}

enum pst_err
config_read_bool(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_str value)
{
    bool *field = config_get_field(reader, entry);
    const struct config_keyword *keyword = config_find_keyword(entry, value);

    if (!keyword)
        return config_set_keyword_error(reader, entry);
    config_set_display(reader, entry, pst_str_from(keyword->keyword));
    *field = keyword->value != 0;
    return PST_OK;
}

enum pst_err
config_read_flags(struct config_reader *reader,
                  const struct config_entry *entry, struct pst_str value)
{
    unsigned *field = config_get_field(reader, entry);
    struct pst_str rest = value;
    unsigned flags = 0;
    struct pst_str text;

    while (pst_str_next_token(&rest, " ,", &text)) {
        const struct config_keyword *keyword = config_find_keyword(entry, text);

        if (!keyword)
            return config_set_keyword_error(reader, entry);
        flags |= keyword->value;
    }
    if (flags == 0)
        return config_set_keyword_error(reader, entry);
    *field = flags;
    return PST_OK;
}

/* "a/b" as "/a/b". */
static enum pst_err
build_json_pointer(struct config_reader *reader, struct pst_str value,
                   struct pst_str *out)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reader->arena, 1 + value.len);
    pst_buf_add_char(&buf, '/');
    pst_buf_add(&buf, value);
    return pst_buf_finish(&buf, out);
}

enum pst_err
config_read_token_location(struct config_reader *reader,
                           const struct config_entry *entry,
                           struct pst_str value)
{
    unsigned *field = config_get_field(reader, entry);
    struct pst_str *name = config_get_second_field(reader, entry);
    size_t colon = pst_str_index(value, ':');
    const struct config_keyword *keyword;
    enum pst_err e;

    e = entry->check(value, &reader->error);
    if (e)
        return e;
    keyword = config_find_keyword(entry, pst_str_first(value, colon));
    if (!keyword)
        return config_set_keyword_error(reader, entry);
    *field = keyword->value;
    value = pst_str_skip(value, colon + 1);
    if (keyword->value != 0 || value.len == 0) {
        *name = value;
        return PST_OK;
    }
    return build_json_pointer(reader, value,
                              name); /* the first is json:POINTER */
}

enum pst_err
config_read_text(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_str value)
{
    struct pst_str *field = config_get_field(reader, entry);
    enum pst_err e = entry->check(value, &reader->error);

    if (e)
        return e;
    *field = value;
    return PST_OK;
}

enum pst_err
config_read_lower_case(struct config_reader *reader,
                       const struct config_entry *entry, struct pst_str value)
{
    char *lower = pst_arena_alloc(reader->arena, value.len);

    if (!lower)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < value.len; i++)
        lower[i] = pst_lower(value.ptr[i]);
    value.ptr = lower;
    config_set_display(reader, entry, value);
    return config_read_text(reader, entry, value);
}

enum pst_err
config_read_string(struct config_reader *reader,
                   const struct config_entry *entry, struct pst_str value)
{
    const char **field = config_get_field(reader, entry);
    enum pst_err e = entry->check(value, &reader->error);

    if (e)
        return e;
    *field = value.ptr; /* a NUL follows, as config_read_fn promises */
    return PST_OK;
}

enum pst_err
config_read_pointer(struct config_reader *reader,
                    const struct config_entry *entry, struct pst_str value)
{
    struct pst_str *field = config_get_field(reader, entry);
    enum pst_err e = entry->check(value, &reader->error);

    return e ? e : build_json_pointer(reader, value, field);
}

/* The text of a file that holds a document. */
static enum pst_err
config_read_document_file(struct config_reader *reader, const char *path,
                          struct pst_str *out)
{
    const struct config_file_rule rule = {.max = CONFIG_DOCUMENT_MAX};
    struct pst_str document;
    enum pst_err e;

    e = config_file_read(reader->arena, path, &rule, &document, &reader->error);
    if (e)
        return e;
    if (!pst_str_is_utf8(document) ||
        pst_str_index(document, '\0') < document.len)
        return config_set_error(&reader->error,
                                "names a file that is no text in UTF-8");
    *out = document;
    return PST_OK;
}

enum pst_err
config_read_document(struct config_reader *reader,
                     const struct config_entry *entry, struct pst_str value)
{
    return config_read_document_file(reader, value.ptr,
                                     config_get_field(reader, entry));
}

/* A file's name needs no check but that it can be read. */
static enum pst_err
config_check_any_value(struct pst_str value, struct config_error *error)
{
    (void)value;
    (void)error;
    return PST_OK;
}

enum pst_err
config_read_documents(struct config_reader *reader,
                      const struct config_entry *entry, struct pst_str value)
{
    struct pst_str **texts = config_get_field(reader, entry);
    size_t *count = config_get_second_field(reader, entry);
    struct config_list list;
    enum pst_err e = config_parse_list(
        reader->arena, value, config_check_any_value, &list, &reader->error);

    if (!e && list.count > CONFIG_DOCUMENTS_MAX)
        e = config_set_error(&reader->error, "names more than %d files",
                             CONFIG_DOCUMENTS_MAX);
    for (size_t i = 0; i < list.count && !e; i++) {
        const char *path;

        e = pst_arena_c_string(reader->arena, list.items[i], &path);
        if (!e)
            e = config_read_document_file(reader, path, &list.items[i]);
    }
    if (e)
        return e;
    *texts = list.items;
    *count = list.count;
    return PST_OK;
}

enum pst_err
config_read_file_name(struct config_reader *reader,
                      const struct config_entry *entry, struct pst_str value)
{
    const char **field = config_get_field(reader, entry);
    enum pst_err e = config_file_check(value.ptr, &reader->error);

    if (e)
        return e;
    *field = value.ptr; /* a NUL follows, as config_read_fn promises */
    return PST_OK;
}

enum pst_err
config_read_list(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_str value)
{
    struct pst_str **items = config_get_field(reader, entry);
    size_t *count = config_get_second_field(reader, entry);
    struct config_list list;
    enum pst_err e = config_parse_list(reader->arena, value, entry->check,
                                       &list, &reader->error);

    if (e)
        return e;
    *items = list.items;
    *count = list.count;
    return PST_OK;
}

/* The URL goes to entry's place, and is shown there without its password. */
static enum pst_err
config_parse_store_url(struct config_reader *reader,
                       const struct config_entry *entry, struct pst_str value,
                       struct config_error *error)
{
    struct store_url *field = config_get_field(reader, entry);
    struct pst_str display;
    struct pst_buf buf;
    enum pst_err e = store_url_parse(value, field, error);

    if (e)
        return e;
    pst_buf_init_arena(&buf, reader->arena, 1024);
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
    return config_parse_store_url(reader, entry, value, &reader->error);
}

static bool
is_white_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The one line that a file holds, without the white space around it. */
static enum pst_err
parse_single_line(struct pst_str text, struct pst_str *out,
                  struct config_error *error)
{
    while (text.len > 0 && is_white_space(text.ptr[0]))
        text = pst_str_skip(text, 1);
    while (text.len > 0 && is_white_space(text.ptr[text.len - 1]))
        text = pst_str_first(text, text.len - 1);
    if (text.len == 0)
        return config_set_error(error, "names a file with nothing in it");
    if (pst_str_index(text, '\n') != text.len)
        return config_set_error(error, "names a file of more than one line");
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7F)
            return config_set_error(error, "names a file with a control octet");
    *out = text;
    return PST_OK;
}

/* The store of a file that is read into an arena of its own. */
static enum pst_err
config_parse_store_file(struct config_reader *reader,
                        struct pst_arena *file_arena, const char *path)
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
    e = parse_single_line(text, &text, &reader->error);
    if (e)
        return e;
    e = config_parse_store_url(reader, &reader->entries[store], text, &error);
    if (e == PST_BAD_CONFIG)
        return config_set_error(&reader->error, "names a file whose URL %s",
                                error.text);
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
                                "is set, and " STORE_VARIABLE
                                " too: only one of them may be");
    e = pst_arena_new(&file_arena, CONFIG_STORE_MAX + 1024);
    if (e)
        return e;
    e = config_parse_store_file(reader, file_arena, value.ptr);
    pst_arena_free(&file_arena); /* which wipes what was read */
    return e;
}

enum pst_err
config_read_rate(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_str value)
{
    struct rate *field = config_get_field(reader, entry);

    return rate_parse(value, field, &reader->error);
}
