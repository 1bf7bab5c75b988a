/* SPDX-License-Identifier: ISC */
/*
 * config_parse.h - numbers, durations, sizes and lists as variables spell
 * them, and the sentence that says why a value is refused.
 */
#ifndef POSTERN_SERVER_CONFIG_PARSE_H
#define POSTERN_SERVER_CONFIG_PARSE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/* Entries in a list at most. */
#define CONFIG_LIST_MAX 256

/*
 * Why a value is refused: a sentence without a full stop. It never repeats
 * the value, which may hold a password, but for its canonical spelling.
 */
struct config_error {
    char text[320];
};

/* Write the sentence, cut to its room. Returns PST_BAD_CONFIG, always. */
enum pst_err config_set_error(struct config_error *error, const char *format,
                              ...) PST_PRINTF(2, 3);

/* May a variable have this value? PST_OK, or PST_BAD_CONFIG with why set. */
typedef enum pst_err config_check_fn(struct pst_str value,
                                     struct config_error *error);

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
 * Read a list whose entries are separated by spaces or commas.
 *   check  asked about each
 *   out    set on PST_OK to an array in arena of slices of value
 * Returns PST_OK, PST_BAD_CONFIG (why is set), PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err config_parse_list(struct pst_arena *arena,
                                            struct pst_str value,
                                            config_check_fn *check,
                                            struct config_list *out,
                                            struct config_error *error);

#endif
