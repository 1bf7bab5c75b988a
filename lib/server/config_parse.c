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
static const struct unit durations[] = {
    {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
static const struct unit sizes[] = {
    {'G', 1024L * 1024 * 1024}, {'M', 1024L * 1024}, {'K', 1024}};

enum pst_err
config_refuse(struct config_why *why, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(why->text, sizeof(why->text), format, values);
    va_end(values);
    return PST_BAD_CONFIG;
}

/*
 * A number with a unit's letter behind it, or with none.
 * Returns PST_OK or PST_MALFORMED.
 */
static enum pst_err
parse_scaled(struct pst_text value, const struct unit *units, size_t count,
             int64_t *out)
{
    int64_t factor = 1;
    int64_t number;
    enum pst_err e;

    for (size_t i = 0; i < count && value.len > 0; i++) {
        if (value.ptr[value.len - 1] != units[i].letter)
            continue;
        factor = units[i].factor;
        value = pst_text_first(value, value.len - 1);
        break;
    }
    e = pst_text_number(value, &number);
    if (e)
        return e;
    return __builtin_mul_overflow(number, factor, out) ? PST_MALFORMED : PST_OK;
}

enum pst_err
config_parse_duration(struct pst_text value, int64_t *out,
                      struct config_why *why)
{
    if (parse_scaled(value, durations, PST_COUNT(durations), out) != PST_OK)
        return config_refuse(why, "is no duration such as 90s, 30m, 12h or "
                                  "30d");
    return PST_OK;
}

enum pst_err
config_parse_milliseconds(struct pst_text value, int64_t *out,
                          struct config_why *why)
{
    int64_t number;

    if (pst_text_ends(value, PST_TEXT("ms")) &&
        pst_text_number(pst_text_first(value, value.len - 2), out) == PST_OK)
        return PST_OK;
    if (parse_scaled(value, durations, PST_COUNT(durations), &number) !=
            PST_OK ||
        __builtin_mul_overflow(number, 1000, out))
        return config_refuse(why, "is no duration such as 500ms or 2s");
    return PST_OK;
}

enum pst_err
config_parse_size(struct pst_text value, int64_t *out, struct config_why *why)
{
    if (parse_scaled(value, sizes, PST_COUNT(sizes), out) != PST_OK)
        return config_refuse(why, "is no size such as 65536, 64K, 32M or 1G");
    return PST_OK;
}

enum pst_err
config_parse_number(struct pst_text value, int64_t *out, struct config_why *why)
{
    if (pst_text_number(value, out) != PST_OK)
        return config_refuse(why, "is no number");
    return PST_OK;
}

static void
emit_scaled(struct pst_buf *buf, int64_t number, const struct unit *units,
            size_t count)
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
    emit_scaled(buf, seconds, durations, PST_COUNT(durations));
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
config_emit_size(struct pst_buf *buf, int64_t octets)
{
    emit_scaled(buf, octets, sizes, PST_COUNT(sizes));
}

enum pst_err
config_parse_list(struct pst_arena *arena, struct pst_text value,
                  config_check *check, struct config_list *out,
                  struct config_why *why)
{
    struct config_list list = {NULL, 0};
    struct pst_text rest = value;
    struct pst_text item;
    enum pst_err e;

    while (pst_text_word(&rest, LIST_SEPARATORS, &item)) {
        e = check(item, why);
        if (e)
            return e;
        list.count++;
    }
    if (list.count == 0 || list.count > CONFIG_LIST_MAX)
        return config_refuse(why,
                             "is no list of 1 to %d entries with spaces "
                             "or commas between them",
                             CONFIG_LIST_MAX);
    list.items = pst_arena_alloc(arena, list.count * sizeof(*list.items));
    if (!list.items)
        return PST_NO_MEMORY;
    rest = value;
    for (size_t i = 0; i < list.count; i++)
        (void)pst_text_word(&rest, LIST_SEPARATORS, &list.items[i]);
    *out = list;
    return PST_OK;
}
