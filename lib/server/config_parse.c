/* SPDX-License-Identifier: ISC */
/*
 * config_parse.c - numbers, durations, sizes and lists as variables spell them.
 */
#include "server/config_parse.h"

#include <stdarg.h>

/* What separates the entries of a list. */
#define LIST_SEPARATORS " ,"

struct unit {
    char letter;
    int64_t factor;
};

/* Largest first. */
static const struct unit duration_units[] = {
    {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
static const struct unit size_units[] = {
    {'G', 1024L * 1024 * 1024}, {'M', 1024L * 1024}, {'K', 1024}};

enum pst_err
config_set_error(struct config_error *error, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, values);
    va_end(values);
    return PST_BAD_CONFIG;
}

/*
 * A number with a unit's letter behind it, or with none.
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
        return config_set_error(error,
                                "is no duration such as 90s, 30m, 12h or "
                                "30d");
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
        return config_set_error(error, "is no duration such as 500ms or 2s");
    return PST_OK;
}

enum pst_err
config_parse_size(struct pst_str value, int64_t *out,
                  struct config_error *error)
{
    if (parse_number_with_unit(value, size_units, PST_COUNT(size_units), out) !=
        PST_OK)
        return config_set_error(error,
                                "is no size such as 65536, 64K, 32M or 1G");
    return PST_OK;
}

enum pst_err
config_parse_number(struct pst_str value, int64_t *out,
                    struct config_error *error)
{
    if (pst_str_parse_number(value, out) != PST_OK)
        return config_set_error(error, "is no number");
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
        e = check(item, error);
        if (e)
            return e;
        list.count++;
    }
    if (list.count == 0 || list.count > CONFIG_LIST_MAX)
        return config_set_error(error,
                                "is no list of 1 to %d entries with spaces "
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
