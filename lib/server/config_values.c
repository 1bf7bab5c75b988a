/* SPDX-License-Identifier: ISC */
/*
 * config_values.c - parse the numbers, durations, sizes, keywords and lists in
 * variables.
 */
#include "server/config_values.h"

#include "server/rate.h"

/* These separate the items of a list. */
#define LIST_SEPARATORS " ,"

/* Characters of a number with its unit at most. */
#define NUMBER_MAX 24

/* Characters of all keywords of an entry, with ", " between. */
#define KEYWORDS_MAX 100

struct unit {
    char letter;
    int64_t factor;
};

/* Largest first. */
static const struct unit duration_units[] = {
    {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
static const struct unit size_units[] = {
    {'G', 1024L * 1024 * 1024}, {'M', 1024L * 1024}, {'K', 1024}};

/*
 * A number with or without the letter of a unit behind it.
 * Returns PST_OK or PST_MALFORMED.
 */
static enum pst_err
parse_number_with_unit(struct pst_str value, const struct unit *units,
                       size_t count, int64_t *out)
{
    int64_t factor = 1;
    int64_t number;
    enum pst_err e;

    for (size_t i = 0; i < count && value.len > 0; i++) {
        if (value.ptr[value.len - 1] != units[i].letter)
            continue;
        factor = units[i].factor;
        value = pst_str_first(value, value.len - 1);
        break;
    }
    e = pst_str_parse_number(value, &number);
    if (e)
        return e;
    return __builtin_mul_overflow(number, factor, out) ? PST_MALFORMED : PST_OK;
}

enum pst_err
config_parse_duration(struct pst_str value, int64_t *out,
                      struct config_error *error)
{
    if (parse_number_with_unit(value, duration_units, PST_COUNT(duration_units),
                               out) != PST_OK)
        return config_set_value_error(
            error, value,
            "is not a duration: write it like 90s, 30m, 12h or 30d");
    return PST_OK;
}

enum pst_err
config_parse_milliseconds(struct pst_str value, int64_t *out,
                          struct config_error *error)
{
    int64_t number;

    if (pst_str_ends(value, PST_STR("ms")) &&
        pst_str_parse_number(pst_str_first(value, value.len - 2), out) ==
            PST_OK)
        return PST_OK;
    if (parse_number_with_unit(value, duration_units, PST_COUNT(duration_units),
                               &number) != PST_OK ||
        __builtin_mul_overflow(number, 1000, out))
        return config_set_value_error(
            error, value, "is not a duration: write it like 500ms or 2s");
    return PST_OK;
}

enum pst_err
config_parse_size(struct pst_str value, int64_t *out,
                  struct config_error *error)
{
    if (parse_number_with_unit(value, size_units, PST_COUNT(size_units), out) !=
        PST_OK)
        return config_set_value_error(
            error, value, "is not a size: write it like 65536, 64K, 32M or 1G");
    return PST_OK;
}

enum pst_err
config_parse_number(struct pst_str value, int64_t *out,
                    struct config_error *error)
{
    if (pst_str_parse_number(value, out) != PST_OK)
        return config_set_value_error(error, value, "is not a whole number");
    return PST_OK;
}

static void
emit_number_with_unit(struct pst_buf *buf, int64_t number,
                      const struct unit *units, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (number == 0 || number % units[i].factor != 0)
            continue;
        pst_buf_add_number(buf, number / units[i].factor);
        pst_buf_add_char(buf, units[i].letter);
        return;
    }
    pst_buf_add_number(buf, number);
}

void
config_emit_duration(struct pst_buf *buf, int64_t seconds)
{
    emit_number_with_unit(buf, seconds, duration_units,
                          PST_COUNT(duration_units));
}

void
config_emit_milliseconds(struct pst_buf *buf, int64_t milliseconds)
{
    if (milliseconds % 1000 == 0) {
        config_emit_duration(buf, milliseconds / 1000);
    } else {
        pst_buf_add_number(buf, milliseconds);
        pst_buf_add_string(buf, "ms");
    }
}

void
config_emit_size(struct pst_buf *buf, int64_t bytes)
{
    emit_number_with_unit(buf, bytes, size_units, PST_COUNT(size_units));
}

enum pst_err
config_parse_list(struct pst_arena *arena, struct pst_str value,
                  config_check_fn *check, struct config_list *out,
                  struct config_error *error)
{
    struct config_list list = {NULL, 0};
    struct pst_str rest = value;
    struct pst_str item;
    enum pst_err e;

    while (pst_str_next_token(&rest, LIST_SEPARATORS, &item)) {
        e = check ? check(item, error) : PST_OK;
        if (e)
            return e;
        list.count++;
    }
    if (list.count == 0 || list.count > CONFIG_LIST_MAX)
        return config_set_error(error,
                                "must be a list of 1 to %d items, with spaces "
                                "or commas between them",
                                CONFIG_LIST_MAX);
    list.items = pst_arena_alloc(arena, list.count * sizeof(*list.items));
    if (!list.items)
        return PST_NO_MEMORY;
    rest = value;
    for (size_t i = 0; i < list.count; i++)
        (void)pst_str_next_token(&rest, LIST_SEPARATORS, &list.items[i]);
    *out = list;
    return PST_OK;
}

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
        return config_set_value_error(&reader->error, value,
                                      "is not between %s and %s", storage[1],
                                      storage[2]);
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

const struct config_keyword *
config_find_keyword(const struct config_entry *entry, struct pst_str text)
{
    for (const struct config_keyword *w = entry->keywords; w->keyword; w++)
        if (pst_str_equal_nocase(text, pst_str_from(w->keyword)))
            return w;
    return NULL;
}

static enum pst_err
config_set_keyword_error(struct config_reader *reader,
                         const struct config_entry *entry, struct pst_str value)
{
    char storage[KEYWORDS_MAX] = "";
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage) - 1);
    for (const struct config_keyword *w = entry->keywords; w->keyword; w++) {
        pst_buf_add_string(&buf, w == entry->keywords ? "" : ", ");
        pst_buf_add_string(&buf, w->keyword);
    }
    return config_set_value_error(&reader->error, value, "is not one of: %s",
                                  storage);
}

enum pst_err
config_read_keyword(struct config_reader *reader,
                    const struct config_entry *entry, struct pst_str value)
{
    unsigned *field = config_get_field(reader, entry);
    const struct config_keyword *keyword = config_find_keyword(entry, value);

    if (!keyword)
        return config_set_keyword_error(reader, entry, value);
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
        return config_set_keyword_error(reader, entry, value);
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
            return config_set_keyword_error(reader, entry, text);
        flags |= keyword->value;
    }
    if (flags == 0)
        return config_set_keyword_error(reader, entry, value);
    *field = flags;
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

enum pst_err
config_read_rate(struct config_reader *reader, const struct config_entry *entry,
                 struct pst_str value)
{
    struct rate *field = config_get_field(reader, entry);

    return rate_parse(value, field, &reader->error);
}
