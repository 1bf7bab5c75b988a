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
#define WORDS_MAX 100

typedef enum pst_err parse_number(struct pst_text, int64_t *,
                                  struct config_why *);
typedef void emit_number(struct pst_buf *, int64_t);

static enum pst_err
read_number(struct config_reader *reader, const struct config_entry *entry,
            struct pst_text value, parse_number *parse, emit_number *emit)
{
    int64_t *place = config_place(reader, entry);
    char storage[3][NUMBER_MAX + 1] = {"", "", ""};
    int64_t numbers[3] = {0, entry->min, entry->max};
    struct pst_text shown;
    enum pst_err e;

    e = parse(value, &numbers[0], &reader->why);
    if (e)
        return e;
    for (size_t i = 0; i < PST_COUNT(numbers); i++) {
        struct pst_buf buf;

        pst_buf_init(&buf, storage[i], NUMBER_MAX);
        emit(&buf, numbers[i]);
    }
    if (numbers[0] < entry->min || numbers[0] > entry->max)
        return config_refuse(&reader->why, "is not between %s and %s",
                             storage[1], storage[2]);
    e = pst_arena_text(reader->arena, pst_text_from(storage[0]), &shown);
    if (e)
        return e;
    config_show(reader, entry, shown);
    *place = numbers[0];
    return PST_OK;
}

enum pst_err
config_read_duration(struct config_reader *reader,
                     const struct config_entry *entry, struct pst_text value)
{
    return read_number(reader, entry, value, config_parse_duration,
                       config_emit_duration);
}

enum pst_err
config_read_milliseconds(struct config_reader *reader,
                         const struct config_entry *entry,
                         struct pst_text value)
{
    return read_number(reader, entry, value, config_parse_milliseconds,
                       config_emit_milliseconds);
}

enum pst_err
config_read_optional_duration(struct config_reader *reader,
                              const struct config_entry *entry,
                              struct pst_text value)
{
    int64_t *place = config_place(reader, entry);

    if (!pst_text_equal_nocase(value, PST_TEXT("off")))
        return config_read_duration(reader, entry, value);
    config_show(reader, entry, PST_TEXT("off"));
    *place = 0;
    return PST_OK;
}

enum pst_err
config_read_size(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_text value)
{
    return read_number(reader, entry, value, config_parse_size,
                       config_emit_size);
}

enum pst_err
config_read_number(struct config_reader *reader,
                   const struct config_entry *entry, struct pst_text value)
{
    return read_number(reader, entry, value, config_parse_number,
                       pst_buf_add_number);
}

/* The entry's word that text is, in any case; NULL when it is none. */
static const struct config_word *
find_word(const struct config_entry *entry, struct pst_text text)
{
    for (const struct config_word *w = entry->words; w->word; w++)
        if (pst_text_equal_nocase(text, pst_text_from(w->word)))
            return w;
    return NULL;
}

static enum pst_err
refuse_word(struct config_reader *reader, const struct config_entry *entry)
{
    char storage[WORDS_MAX] = "";
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage) - 1);
    for (const struct config_word *w = entry->words; w->word; w++) {
        pst_buf_add_string(&buf, w == entry->words ? "" : ", ");
        pst_buf_add_string(&buf, w->word);
    }
    return config_refuse(&reader->why, "is none of: %s", storage);
}

enum pst_err
config_read_word(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_text value)
{
    unsigned *place = config_place(reader, entry);
    const struct config_word *word = find_word(entry, value);

    if (!word)
        return refuse_word(reader, entry);
    config_show(reader, entry, pst_text_from(word->word));
    *place = word->value;
    return PST_OK;
}

enum pst_err
config_read_flag(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_text value)
{
    bool *place = config_place(reader, entry);
    const struct config_word *word = find_word(entry, value);

    if (!word)
        return refuse_word(reader, entry);
    config_show(reader, entry, pst_text_from(word->word));
    *place = word->value != 0;
    return PST_OK;
}

enum pst_err
config_read_words(struct config_reader *reader,
                  const struct config_entry *entry, struct pst_text value)
{
    unsigned *place = config_place(reader, entry);
    struct pst_text rest = value;
    unsigned flags = 0;
    struct pst_text text;

    while (pst_text_word(&rest, " ,", &text)) {
        const struct config_word *word = find_word(entry, text);

        if (!word)
            return refuse_word(reader, entry);
        flags |= word->value;
    }
    if (flags == 0)
        return refuse_word(reader, entry);
    *place = flags;
    return PST_OK;
}

/* "a/b" as "/a/b". */
static enum pst_err
make_pointer(struct config_reader *reader, struct pst_text value,
             struct pst_text *out)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reader->arena, 1 + value.len);
    pst_buf_add_char(&buf, '/');
    pst_buf_add(&buf, value);
    return pst_buf_end(&buf, out);
}

enum pst_err
config_read_place(struct config_reader *reader,
                  const struct config_entry *entry, struct pst_text value)
{
    unsigned *place = config_place(reader, entry);
    struct pst_text *name = config_second_place(reader, entry);
    size_t colon = pst_text_index(value, ':');
    const struct config_word *word;
    enum pst_err e;

    e = entry->check(value, &reader->why);
    if (e)
        return e;
    word = find_word(entry, pst_text_first(value, colon));
    if (!word)
        return refuse_word(reader, entry);
    *place = word->value;
    value = pst_text_from_octet(value, colon + 1);
    if (word->value != 0 || value.len == 0) {
        *name = value;
        return PST_OK;
    }
    return make_pointer(reader, value, name); /* the first is json:POINTER */
}

enum pst_err
config_read_text(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_text value)
{
    struct pst_text *place = config_place(reader, entry);
    enum pst_err e = entry->check(value, &reader->why);

    if (e)
        return e;
    *place = value;
    return PST_OK;
}

enum pst_err
config_read_lower(struct config_reader *reader,
                  const struct config_entry *entry, struct pst_text value)
{
    char *lower = pst_arena_alloc(reader->arena, value.len);

    if (!lower)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < value.len; i++)
        lower[i] = pst_lower(value.ptr[i]);
    value.ptr = lower;
    config_show(reader, entry, value);
    return config_read_text(reader, entry, value);
}

enum pst_err
config_read_string(struct config_reader *reader,
                   const struct config_entry *entry, struct pst_text value)
{
    const char **place = config_place(reader, entry);
    enum pst_err e = entry->check(value, &reader->why);

    if (e)
        return e;
    *place = value.ptr; /* a NUL follows, as config_read promises */
    return PST_OK;
}

enum pst_err
config_read_pointer(struct config_reader *reader,
                    const struct config_entry *entry, struct pst_text value)
{
    struct pst_text *place = config_place(reader, entry);
    enum pst_err e = entry->check(value, &reader->why);

    return e ? e : make_pointer(reader, value, place);
}

/* The text of a file that holds a document. */
static enum pst_err
read_document(struct config_reader *reader, const char *path,
              struct pst_text *out)
{
    const struct config_file_rule rule = {.max = CONFIG_DOCUMENT_MAX};
    struct pst_text document;
    enum pst_err e;

    e = config_file_read(reader->arena, path, &rule, &document, &reader->why);
    if (e)
        return e;
    if (!pst_text_is_utf8(document) ||
        pst_text_index(document, '\0') < document.len)
        return config_refuse(&reader->why,
                             "names a file that is no text in UTF-8");
    *out = document;
    return PST_OK;
}

enum pst_err
config_read_document(struct config_reader *reader,
                     const struct config_entry *entry, struct pst_text value)
{
    return read_document(reader, value.ptr, config_place(reader, entry));
}

/* A file's name needs no check but that it can be read. */
static enum pst_err
check_nothing(struct pst_text value, struct config_why *why)
{
    (void)value;
    (void)why;
    return PST_OK;
}

enum pst_err
config_read_documents(struct config_reader *reader,
                      const struct config_entry *entry, struct pst_text value)
{
    struct pst_text **texts = config_place(reader, entry);
    size_t *count = config_second_place(reader, entry);
    struct config_list list;
    enum pst_err e = config_parse_list(reader->arena, value, check_nothing,
                                       &list, &reader->why);

    if (!e && list.count > CONFIG_DOCUMENTS_MAX)
        e = config_refuse(&reader->why, "names more than %d files",
                          CONFIG_DOCUMENTS_MAX);
    for (size_t i = 0; i < list.count && !e; i++) {
        const char *path;

        e = pst_arena_string(reader->arena, list.items[i], &path);
        if (!e)
            e = read_document(reader, path, &list.items[i]);
    }
    if (e)
        return e;
    *texts = list.items;
    *count = list.count;
    return PST_OK;
}

enum pst_err
config_read_file_name(struct config_reader *reader,
                      const struct config_entry *entry, struct pst_text value)
{
    const char **place = config_place(reader, entry);
    enum pst_err e = config_file_check(value.ptr, &reader->why);

    if (e)
        return e;
    *place = value.ptr; /* a NUL follows, as config_read promises */
    return PST_OK;
}

enum pst_err
config_read_list(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_text value)
{
    struct pst_text **items = config_place(reader, entry);
    size_t *count = config_second_place(reader, entry);
    struct config_list list;
    enum pst_err e = config_parse_list(reader->arena, value, entry->check,
                                       &list, &reader->why);

    if (e)
        return e;
    *items = list.items;
    *count = list.count;
    return PST_OK;
}

/* The URL goes to entry's place, and is shown there without its password. */
static enum pst_err
read_store(struct config_reader *reader, const struct config_entry *entry,
           struct pst_text value, struct config_why *why)
{
    struct store_url *place = config_place(reader, entry);
    struct pst_text shown;
    struct pst_buf buf;
    enum pst_err e = store_url_parse(value, place, why);

    if (e)
        return e;
    pst_buf_init_arena(&buf, reader->arena, 1024);
    store_url_emit(&buf, place);
    e = pst_buf_end(&buf, &shown);
    if (!e)
        config_show(reader, entry, shown);
    return e;
}

enum pst_err
config_read_store(struct config_reader *reader,
                  const struct config_entry *entry, struct pst_text value)
{
    return read_store(reader, entry, value, &reader->why);
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The one line that a file holds, without the white space around it. */
static enum pst_err
take_line(struct pst_text text, struct pst_text *out, struct config_why *why)
{
    while (text.len > 0 && is_space(text.ptr[0]))
        text = pst_text_from_octet(text, 1);
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text = pst_text_first(text, text.len - 1);
    if (text.len == 0)
        return config_refuse(why, "names a file with nothing in it");
    if (pst_text_index(text, '\n') != text.len)
        return config_refuse(why, "names a file of more than one line");
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7F)
            return config_refuse(why, "names a file with a control octet");
    *out = text;
    return PST_OK;
}

/* The store of a file that is read into an arena of its own. */
static enum pst_err
read_store_in(struct config_reader *reader, struct pst_arena *own,
              const char *path)
{
    const struct config_file_rule rule = {.max = CONFIG_STORE_MAX,
                                          .is_secret = true};
    size_t store = config_find(reader, STORE_VARIABLE);
    struct config_why why = {""};
    struct pst_text text;
    enum pst_err e;

    e = config_file_read(own, path, &rule, &text, &reader->why);
    if (e)
        return e;
    e = take_line(text, &text, &reader->why);
    if (e)
        return e;
    e = read_store(reader, &reader->entries[store], text, &why);
    if (e == PST_BAD_CONFIG)
        return config_refuse(&reader->why, "names a file whose URL %s",
                             why.text);
    return e;
}

enum pst_err
config_read_store_file(struct config_reader *reader,
                       const struct config_entry *entry, struct pst_text value)
{
    struct pst_arena *own = NULL;
    enum pst_err e;

    (void)entry;
    if (config_given(reader, STORE_VARIABLE).len > 0)
        return config_refuse(&reader->why, "is set, and " STORE_VARIABLE
                                           " too: only one of them may be");
    e = pst_arena_new(&own, CONFIG_STORE_MAX + 1024);
    if (e)
        return e;
    e = read_store_in(reader, own, value.ptr);
    pst_arena_free(&own); /* which wipes what was read */
    return e;
}

enum pst_err
config_read_rate(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_text value)
{
    struct rate *place = config_place(reader, entry);

    return rate_parse(value, place, &reader->why);
}
