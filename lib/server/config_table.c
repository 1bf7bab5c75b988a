/* SPDX-License-Identifier: ISC */
/*
 * config_table.c - a table of variables is filled from an environment.
 */
#include "server/config_table.h"

#include <string.h>

#define OUR_PREFIX PST_TEXT("POSTERN_")

/* A value's bytes at most: far more than any needs. */
#define VALUE_MAX (32 * 1024)

/* A name's bytes that we compare and repeat in complaints. */
#define NAME_MAX_OCTETS 64

void
config_complain(struct config_reader *reader, const char *variable)
{
    reader->is_bad = true;
    if (reader->complaint)
        reader->complaint->tell(reader->complaint->context, variable,
                                reader->why.text);
}

static size_t
find(const struct config_reader *reader, struct pst_text name)
{
    size_t index = 0;

    while (
        index < reader->count &&
        !pst_text_equal(name, pst_text_from(reader->entries[index].row.name)))
        index++;
    return index;
}

size_t
config_find(const struct config_reader *reader, const char *name)
{
    size_t index = find(reader, pst_text_from(name));

    PST_REQUIRE(index < reader->count);
    return index;
}

struct pst_text
config_given(const struct config_reader *reader, const char *name)
{
    return reader->states[config_find(reader, name)].given;
}

bool
config_is_group_bad(const struct config_reader *reader, const char *group)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->states[i].is_bad &&
            (!*group || strcmp(reader->entries[i].row.group, group) == 0))
            return true;
    return false;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * How many bytes must be put in, taken out or changed to make b of a
 * (Levenshtein); both at most NAME_MAX_OCTETS long.
 */
static size_t
distance(struct pst_text a, struct pst_text b)
{
    size_t row[NAME_MAX_OCTETS + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t above = row[j + 1];
            size_t changed = diagonal + (a.ptr[i] != b.ptr[j]);

            row[j + 1] = least(changed, 1 + least(above, row[j]));
            diagonal = above;
        }
    }
    return row[b.len];
}

/* The table's name that somebody who wrote this most likely meant, or NULL. */
static const char *
nearest(const struct config_reader *reader, struct pst_text name)
{
    size_t best = (name.len - OUR_PREFIX.len) / 2 + 1;
    const char *found = NULL;

    if (name.len > NAME_MAX_OCTETS)
        return NULL;
    for (size_t i = 0; i < reader->count; i++) {
        struct pst_text known = pst_text_from(reader->entries[i].row.name);
        size_t far = distance(name, known);

        /* A name that only ends too early, or too late, is a near one. */
        if (name.len > OUR_PREFIX.len && pst_text_starts(known, name))
            far = least(far, 2);
        if (far < best) {
            best = far;
            found = reader->entries[i].row.name;
        }
    }
    return found;
}

static void
complain_unknown(struct config_reader *reader, struct pst_text name)
{
    char storage[NAME_MAX_OCTETS + 1] = "";
    struct pst_text shown = pst_text_first(name, NAME_MAX_OCTETS);
    const char *meant = nearest(reader, name);

    for (size_t i = 0; i < shown.len; i++)
        storage[i] =
            shown.ptr[i] > ' ' && shown.ptr[i] <= '~' ? shown.ptr[i] : '?';
    config_refuse(&reader->why, "is an unknown variable%s%s%s",
                  meant ? "; did you mean " : "", meant ? meant : "",
                  meant ? "?" : "");
    config_complain(reader, storage);
}

void
config_scan(struct config_reader *reader, const char *const *environment)
{
    for (const char *const *at = environment; *at; at++) {
        struct pst_text whole = pst_text_from(*at);
        struct pst_text name =
            pst_text_first(whole, pst_text_index(whole, '='));
        size_t index = find(reader, name);
        struct config_state *state = &reader->states[index];

        if (index == reader->count) {
            if (pst_text_starts(name, OUR_PREFIX))
                complain_unknown(reader, name);
            continue;
        }
        if (!pst_text_is_absent(state->given)) {
            state->is_bad = true;
            config_refuse(&reader->why, "is given twice");
            config_complain(reader, reader->entries[index].row.name);
            continue;
        }
        state->given = pst_text_from_octet(whole, name.len + 1);
    }
}

/* A copy, with a NUL behind it, of a value that may be looked at. */
static enum pst_err
copy_value(struct config_reader *reader, struct pst_text given,
           struct pst_text *out)
{
    const char *copy;
    enum pst_err e;

    if (given.len > VALUE_MAX)
        return config_refuse(&reader->why, "is longer than %d octets",
                             VALUE_MAX);
    for (size_t i = 0; i < given.len; i++)
        if ((unsigned char)given.ptr[i] < ' ' || given.ptr[i] == 0x7F)
            return config_refuse(&reader->why,
                                 "holds a control octet, such as a line's "
                                 "end or a tab");
    e = pst_arena_string(reader->arena, given, &copy);
    if (e)
        return e;
    *out = pst_text_from(copy);
    return PST_OK;
}

enum pst_err
config_read_entry(struct config_reader *reader, size_t index,
                  const char *otherwise)
{
    const struct config_entry *entry = &reader->entries[index];
    struct config_state *state = &reader->states[index];
    struct pst_text value = pst_text_from(otherwise);
    enum pst_err e = PST_OK;

    if (state->given.len > 0)
        e = copy_value(reader, state->given, &value);
    if (e == PST_OK && value.len > 0) {
        config_show(reader, entry, value);
        e = entry->read(reader, entry, value);
    }
    if (e != PST_BAD_CONFIG)
        return e;
    state->is_bad = true;
    config_complain(reader, entry->row.name);
    return PST_OK;
}

void *
config_place(const struct config_reader *reader,
             const struct config_entry *entry)
{
    return (char *)reader->target + entry->offset;
}

void *
config_second_place(const struct config_reader *reader,
                    const struct config_entry *entry)
{
    return (char *)reader->target + entry->second_offset;
}

void
config_show(struct config_reader *reader, const struct config_entry *entry,
            struct pst_text text)
{
    reader->shown[entry - reader->entries] = text;
}
