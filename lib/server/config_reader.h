/* SPDX-License-Identifier: ISC */
/*
 * config_reader.h - read environment variables by a table that describes them,
 * and report every one whose value is wrong.
 *
 * The table itself is in server/config_variables.c.
 */
#ifndef POSTERN_SERVER_CONFIG_READER_H
#define POSTERN_SERVER_CONFIG_READER_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/*
 * Why a value is refused: a sentence that begins behind "VARIABLE: ", without
 * a full stop. It never repeats a value that may hold a password, and what is
 * foreign in it is escaped (base/escape.h): it can be printed as it is.
 */
struct config_error {
    char message[512];
};

/* Format the message, escaped and cut to its buffer; the arguments need not be
 * escaped. Returns PST_BAD_CONFIG, always. */
enum pst_err config_set_error(struct config_error *error, const char *format,
                              ...) PST_PRINTF(2, 3);

/*
 * The same with the value at the beginning: 'VALUE' and then the message. Not
 * for variables that hold a secret. A long value is cut, and a value with an @
 * is not shown at all: it may be a URL with a password that was set in the
 * wrong variable.
 */
enum pst_err config_set_value_error(struct config_error *error,
                                    struct pst_str value, const char *format,
                                    ...) PST_PRINTF(3, 4);

/* Put the name of a file, escaped, and a space before the message. Returns
 * PST_BAD_CONFIG, always. */
enum pst_err config_prefix_error(struct config_error *error,
                                 struct pst_str path);

/* May a variable have this value? PST_OK, or PST_BAD_CONFIG with error set. */
typedef enum pst_err config_check_fn(struct pst_str value,
                                     struct config_error *error);

/* Receives the errors: one call for each error found. */
struct config_reporter {
    void (*report_error)(void *context, const char *variable,
                         const char *message);
    void *context;
};

/* One row of the table, as `postern check` and the documentation show it. */
struct config_row {
    const char *name;
    const char *group;
    const char *kind;          /* "duration", "switch", "text", … */
    const char *default_value; /* as an administrator would write it */
    const char *help;          /* one sentence */
    bool is_secret;            /* perhaps: wiped once it has been read */
};

struct config_reader;
struct config_entry;

/*
 * Read one value into the target.
 *   value  without control bytes; lives as long as the reader's arena, and
 *          is followed by a NUL
 * Returns PST_OK, PST_BAD_CONFIG (reader->error is set), PST_NO_MEMORY.
 */
typedef enum pst_err config_read_fn(struct config_reader *reader,
                                    const struct config_entry *entry,
                                    struct pst_str value);

/* A word that a variable may have as its value, and the number it means. */
struct config_keyword {
    const char *keyword; /* NULL ends a list of them */
    unsigned value;
};

/* A row, and where its value is stored: an offset into the reader's target. */
struct config_entry {
    struct config_row row;
    const char *vendure_default; /* under that preset; NULL: the same */
    config_read_fn *read;
    config_check_fn *check;                /* of texts, and of list items */
    const struct config_keyword *keywords; /* of words and flags */
    int64_t min;                           /* of numbers */
    int64_t max;
    size_t offset;
    size_t second_offset; /* of a value that fills two fields */
};

struct config_state {
    struct pst_str raw_value; /* a slice of the environment; absent: not set */
    bool is_invalid;          /* its value was refused */
};

struct config_reader {
    const struct config_entry *entries;
    size_t count;
    struct config_state *states; /* one for each entry */
    struct pst_str *display; /* the value in use, to be shown, of each entry;
                                lives with the target */
    struct pst_arena *arena;
    void *target;
    const struct config_reporter *reporter; /* may be NULL */
    struct config_error error;              /* the last one */
    bool is_invalid;                        /* an error was reported */
};

/* Report reader->error for this variable. */
void config_report_error(struct config_reader *reader, const char *variable);

/*
 * Find the table's variables in an environment. Reports a variable that is set
 * twice, and a POSTERN_ variable that is not in the table.
 */
void config_scan_environment(struct config_reader *reader,
                             const char *const *environment);

/* Overwrite the values of the secret variables of a table in an environment. */
void config_wipe_secrets(const struct config_entry *entries, size_t count,
                         char *const *environment);

/* The index of a name that is in the table. */
size_t config_find_entry(const struct config_reader *reader, const char *name);

/* The environment's value for a name of the table; absent: not set. */
struct pst_str config_get_raw_value(const struct config_reader *reader,
                                    const char *name);

/* Was a variable of this group refused? group "": of any group. */
bool config_is_group_invalid(const struct config_reader *reader,
                             const char *group);

/*
 * Read one entry from the environment or, where it is not set, from
 * default_value ("": leave the target as it is). Reports a value that is
 * wrong. Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_read_entry(struct config_reader *reader,
                                            size_t index,
                                            const char *default_value);

/* The fields of the target in which the entry's value is stored. */
void *config_get_field(const struct config_reader *reader,
                       const struct config_entry *entry);
void *config_get_second_field(const struct config_reader *reader,
                              const struct config_entry *entry);

/* Set what is shown as the entry's value, where it is not the text as set. */
void config_set_display(struct config_reader *reader,
                        const struct config_entry *entry, struct pst_str text);

#endif
