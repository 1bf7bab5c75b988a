/* SPDX-License-Identifier: ISC */
/*
 * config_values.h - parse numbers, durations, sizes, keywords and lists, as
 * variables contain them.
 */
#ifndef POSTERN_SERVER_CONFIG_VALUES_H
#define POSTERN_SERVER_CONFIG_VALUES_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config_reader.h"

/* Items in a list at most. */
#define CONFIG_LIST_MAX 256

/*
 * Parsers: out is set on PST_OK only; each returns PST_OK or PST_BAD_CONFIG
 * (error is set).
 */

/* "90", "90s", "30m", "12h", "30d": seconds. */
PST_MUST_USE enum pst_err config_parse_duration(struct pst_str value,
                                                int64_t *out,
                                                struct config_error *error);

/* "500ms", or a duration: milliseconds. */
PST_MUST_USE enum pst_err config_parse_milliseconds(struct pst_str value,
                                                    int64_t *out,
                                                    struct config_error *error);

/* "65536", "64K", "32M", "1G": bytes. */
PST_MUST_USE enum pst_err config_parse_size(struct pst_str value, int64_t *out,
                                            struct config_error *error);

/* A decimal number without sign. */
PST_MUST_USE enum pst_err config_parse_number(struct pst_str value,
                                              int64_t *out,
                                              struct config_error *error);

/* Write seconds in the largest unit that divides them, such as "30m". */
void config_emit_duration(struct pst_buf *buf, int64_t seconds);

/* Write milliseconds likewise: "500ms", "2s". */
void config_emit_milliseconds(struct pst_buf *buf, int64_t milliseconds);

/* Write bytes likewise, such as "32M". */
void config_emit_size(struct pst_buf *buf, int64_t bytes);

struct config_list {
    struct pst_str *items;
    size_t count;
};

/*
 * Parse a list whose items are separated by spaces or commas.
 *   check  called with each item; NULL: any item is allowed
 *   out    set on PST_OK to an array in arena of slices of value
 * Returns PST_OK, PST_BAD_CONFIG (error is set), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_parse_list(struct pst_arena *arena,
                                            struct pst_str value,
                                            config_check_fn *check,
                                            struct config_list *out,
                                            struct config_error *error);

/* Readers for the table. */

/* To int64_t, from the entry's min to its max. */
config_read_fn config_read_duration;
config_read_fn config_read_size;
config_read_fn config_read_milliseconds;      /* "500ms", or a duration */
config_read_fn config_read_optional_duration; /* "off" is 0 */
config_read_fn config_read_number;

/* One of the entry's keywords, in any case: to an enum, and to a bool. */
config_read_fn config_read_keyword;
config_read_fn config_read_bool;

/* Several of them: to unsigned, their values or-ed together. */
config_read_fn config_read_flags;

/* To an array of struct pst_str, and its count in the second field. */
config_read_fn config_read_list;

/* To struct rate. */
config_read_fn config_read_rate;

/* The entry's keyword that equals text in any case, or NULL. */
const struct config_keyword *
config_find_keyword(const struct config_entry *entry, struct pst_str text);

#endif
