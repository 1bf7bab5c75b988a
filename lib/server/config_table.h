/* SPDX-License-Identifier: ISC */
/*
 * config_table.h - a table of variables, and how it is filled from an
 * environment. Which variables there are is server/config.c's affair.
 */
#ifndef POSTERN_SERVER_CONFIG_TABLE_H
#define POSTERN_SERVER_CONFIG_TABLE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config_parse.h"

/* Where complaints go: one call for each thing that is wrong. */
struct config_reporter {
    void (*report_error)(void *context, const char *variable,
                         const char *error);
    void *context;
};

/* One row of the table, for `postern check`, `postern config`, and papers. */
struct config_row {
    const char *name;
    const char *group;
    const char *kind;          /* "duration", "switch", "text", … */
    const char *default_value; /* as one would write it */
    const char *help;          /* one sentence */
    bool is_secret;
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

/* A word that a variable may be, and what it stands for. */
struct config_keyword {
    const char *keyword; /* NULL ends a list of them */
    unsigned value;
};

/* A row, and where its value goes: an offset into the reader's target. */
struct config_entry {
    struct config_row row;
    const char *vendure_default; /* under that preset; NULL: the same */
    config_read_fn *read;
    config_check_fn *check;                /* of texts, and of lists' entries */
    const struct config_keyword *keywords; /* of words and flags */
    int64_t min;                           /* of numbers */
    int64_t max;
    size_t offset;
    size_t second_offset; /* of what goes to two places */
};

struct config_state {
    struct pst_str raw_value; /* a slice of the environment; absent: not set */
    bool is_invalid;          /* its value was refused */
};

struct config_reader {
    const struct config_entry *entries;
    size_t count;
    struct config_state *states; /* one for each entry */
    struct pst_str *display;     /* what each amounts to; lives with target */
    struct pst_arena *arena;
    void *target;
    const struct config_reporter *reporter; /* may be NULL */
    struct config_error error;              /* of the newest refusal */
    bool is_invalid;                        /* something was refused */
};

/* Say that reader->error is wrong with this variable. */
void config_report_error(struct config_reader *reader, const char *variable);

/*
 * Find the table's names in an environment. Complains of a name given twice,
 * and of a POSTERN_ name that is not in the table.
 */
void config_scan_environment(struct config_reader *reader,
                             const char *const *environment);

/* The index of a name that is in the table. */
size_t config_find_entry(const struct config_reader *reader, const char *name);

/* What the environment gave for a name of the table; absent: not set. */
struct pst_str config_get_raw_value(const struct config_reader *reader,
                                    const char *name);

/* Was a variable of this group, or "" of any, refused? */
bool config_is_group_invalid(const struct config_reader *reader,
                             const char *group);

/*
 * Read one entry from the environment, or from `otherwise` ("" is nothing,
 * and the target stays as it is). Complains. PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_read_entry(struct config_reader *reader,
                                            size_t index,
                                            const char *default_value);

/* The places in the target that the entry's value goes to. */
void *config_get_field(const struct config_reader *reader,
                       const struct config_entry *entry);
void *config_get_second_field(const struct config_reader *reader,
                              const struct config_entry *entry);

/* Set what a variable amounts to, where that is not what was written. */
void config_set_display(struct config_reader *reader,
                        const struct config_entry *entry, struct pst_str text);

#endif
