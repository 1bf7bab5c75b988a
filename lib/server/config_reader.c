/* SPDX-License-Identifier: ISC */
/*
 * config_reader.c - read environment variables by a table that describes them,
 * and report every one whose value is wrong.
 */
#include "server/config_reader.h"

#include <stdarg.h>
#include <string.h>

#include "base/escape.h"

#define VARIABLE_PREFIX PST_STR("POSTERN_")

/* Bytes of a value at most: far more than any needs. */
#define VALUE_MAX (32 * 1024)

/* Bytes of a name that are compared and repeated in messages. */
#define NAME_MAX_BYTES 64

/* Bytes of a value that are repeated in messages. */
#define QUOTED_MAX_BYTES 60

/* Bytes of a file's name, escaped, in messages. */
#define PATH_MAX_BYTES 256

enum pst_err
config_set_error(struct config_error *error, const char *format, ...)
{
    char raw[sizeof(error->message)];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(raw, sizeof(raw), format, values);
    va_end(values);
    /* As a whole: paths, values and names in it come from outside. */
    (void)pst_escape_copy(error->message, sizeof(error->message),
                          pst_str_from(raw));
    return PST_BAD_CONFIG;
}

enum pst_err
config_set_value_error(struct config_error *error, struct pst_str value,
                       const char *format, ...)
{
    char message[sizeof(error->message) - QUOTED_MAX_BYTES - 8];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(message, sizeof(message), format, values);
    va_end(values);
    if (pst_str_index(value, '@') < value.len)
        return config_set_error(error, "the value %s", message);
    return config_set_error(
        error, "'%.*s%s' %s", (int)pst_str_first(value, QUOTED_MAX_BYTES).len,
        value.ptr, value.len > QUOTED_MAX_BYTES ? "..." : "", message);
}

enum pst_err
config_prefix_error(struct config_error *error, struct pst_str path)
{
    char message[sizeof(error->message)];
    char shown[PATH_MAX_BYTES];

    (void)pst_escape_copy(shown, sizeof(shown), path);
    memcpy(message, error->message, sizeof(message));
    (void)snprintf(error->message, sizeof(error->message), "%s %.*s", shown,
                   (int)(sizeof(message) - sizeof(shown) - 1), message);
    return PST_BAD_CONFIG;
}

void
config_report_error(struct config_reader *reader, const char *variable)
{
    reader->is_invalid = true;
    if (reader->reporter)
        reader->reporter->report_error(reader->reporter->context, variable,
                                       reader->error.message);
}

static size_t
config_find_name(const struct config_reader *reader, struct pst_str name)
{
    size_t index = 0;

    while (index < reader->count &&
           !pst_str_equal(name, pst_str_from(reader->entries[index].row.name)))
        index++;
    return index;
}

size_t
config_find_entry(const struct config_reader *reader, const char *name)
{
    size_t index = config_find_name(reader, pst_str_from(name));

    PST_REQUIRE(index < reader->count);
    return index;
}

struct pst_str
config_get_raw_value(const struct config_reader *reader, const char *name)
{
    return reader->states[config_find_entry(reader, name)].raw_value;
}

bool
config_is_group_invalid(const struct config_reader *reader, const char *group)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->states[i].is_invalid &&
            (!*group || strcmp(reader->entries[i].row.group, group) == 0))
            return true;
    return false;
}

static size_t
min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * How many bytes must be inserted, removed or replaced to turn a into b
 * (Levenshtein). Both are at most NAME_MAX_BYTES long.
 */
static size_t
levenshtein_distance(struct pst_str a, struct pst_str b)
{
    size_t row[NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t above = row[j + 1];
            size_t changed = diagonal + (a.ptr[i] != b.ptr[j]);

            row[j + 1] = min_size(changed, 1 + min_size(above, row[j]));
            diagonal = above;
        }
    }
    return row[b.len];
}

/* The name in the table that was most likely meant by this one, or NULL. */
static const char *
config_find_nearest_name(const struct config_reader *reader,
                         struct pst_str name)
{
    size_t best = (name.len - VARIABLE_PREFIX.len) / 2 + 1;
    const char *found = NULL;

    if (name.len > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < reader->count; i++) {
        struct pst_str known = pst_str_from(reader->entries[i].row.name);
        size_t distance = levenshtein_distance(name, known);

        /* A name of which only the end is missing is near. */
        if (name.len > VARIABLE_PREFIX.len && pst_str_starts(known, name))
            distance = min_size(distance, 2);
        if (distance < best) {
            best = distance;
            found = reader->entries[i].row.name;
        }
    }
    return found;
}

static void
config_report_unknown(struct config_reader *reader, struct pst_str name)
{
    char storage[NAME_MAX_BYTES + 1];
    const char *suggestion = config_find_nearest_name(reader, name);

    (void)pst_escape_copy(storage, sizeof(storage), name);
    config_set_error(&reader->error, "is an unknown variable: %s%s%s",
                     suggestion ? "did you mean " : "see postern-config(5)",
                     suggestion ? suggestion : "", suggestion ? "?" : "");
    config_report_error(reader, storage);
}

void
config_scan_environment(struct config_reader *reader,
                        const char *const *environment)
{
    for (const char *const *at = environment; *at; at++) {
        struct pst_str whole = pst_str_from(*at);
        struct pst_str name = pst_str_first(whole, pst_str_index(whole, '='));
        size_t index = config_find_name(reader, name);
        struct config_state *state = &reader->states[index];

        if (index == reader->count) {
            if (pst_str_starts(name, VARIABLE_PREFIX))
                config_report_unknown(reader, name);
            continue;
        }
        if (!pst_str_is_absent(state->raw_value)) {
            state->is_invalid = true;
            config_set_error(&reader->error,
                             "is set twice in the environment: remove one");
            config_report_error(reader, reader->entries[index].row.name);
            continue;
        }
        state->raw_value = pst_str_skip(whole, name.len + 1);
    }
}

void
config_wipe_secrets(const struct config_entry *entries, size_t count,
                    char *const *environment)
{
    for (char *const *at = environment; *at; at++) {
        size_t name_len = strcspn(*at, "=");
        size_t len = strlen(*at);

        for (size_t i = 0; i < count && name_len < len; i++)
            if (entries[i].row.is_secret &&
                pst_str_equal((struct pst_str){*at, name_len},
                              pst_str_from(entries[i].row.name)))
                explicit_bzero(*at + name_len + 1, len - name_len - 1);
    }
}

/* Copy a value that has an allowed length and no control bytes, and a NUL. */
static enum pst_err
config_copy_value(struct config_reader *reader, struct pst_str raw_value,
                  struct pst_str *out)
{
    const char *copy;
    enum pst_err e;

    if (raw_value.len > VALUE_MAX)
        return config_set_error(&reader->error, "is longer than %d bytes",
                                VALUE_MAX);
    for (size_t i = 0; i < raw_value.len; i++)
        if ((unsigned char)raw_value.ptr[i] < ' ' || raw_value.ptr[i] == 0x7F)
            return config_set_error(&reader->error,
                                    "contains a control character, such as a "
                                    "line break or a tab: remove it");
    e = pst_arena_c_string(reader->arena, raw_value, &copy);
    if (e)
        return e;
    *out = pst_str_from(copy);
    return PST_OK;
}

void *
config_get_field(const struct config_reader *reader,
                 const struct config_entry *entry)
{
    return (char *)reader->target + entry->offset;
}

void *
config_get_second_field(const struct config_reader *reader,
                        const struct config_entry *entry)
{
    return (char *)reader->target + entry->second_offset;
}

void
config_set_display(struct config_reader *reader,
                   const struct config_entry *entry, struct pst_str text)
{
    reader->display[entry - reader->entries] = text;
}

enum pst_err
config_read_entry(struct config_reader *reader, size_t index,
                  const char *default_value)
{
    const struct config_entry *entry = &reader->entries[index];
    struct config_state *state = &reader->states[index];
    struct pst_str value = pst_str_from(default_value);
    enum pst_err e = PST_OK;

    if (state->raw_value.len > 0)
        e = config_copy_value(reader, state->raw_value, &value);
    if (e == PST_OK && value.len > 0) {
        config_set_display(reader, entry, value);
        e = entry->read(reader, entry, value);
    }
    if (e != PST_BAD_CONFIG)
        return e;
    state->is_invalid = true;
    config_report_error(reader, entry->row.name);
    return PST_OK;
}
