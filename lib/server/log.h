/* SPDX-License-Identifier: ISC */
/*
 * log.h - write one line per event to the log, with all values escaped.
 *
 * Never log a token, a cookie, a key, a password or a body. A session is
 * logged by the first 8 hex digits of the hash of its id.
 */
#ifndef POSTERN_SERVER_LOG_H
#define POSTERN_SERVER_LOG_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

enum log_format { LOG_LOGFMT, LOG_JSON };

/* One named value: a text or, if is_number is set, a number. */
struct log_field {
    const char *name;
    struct pst_str text;
    int64_t number;
    bool is_number;
};

/* Fields for log_write(). A field with an absent text is left out. */
#define LOG_STR(field_name, value) \
    ((struct log_field){.name = (field_name), .text = (value)})
#define LOG_C_STRING(field_name, value) LOG_STR(field_name, pst_str_from(value))
#define LOG_NUMBER(field_name, value) \
    ((struct log_field){              \
        .name = (field_name), .number = (value), .is_number = true})

/* log_write() with the fields as arguments; at least one. */
#define LOG_EVENT(log, level, event, ...)                                 \
    log_write(log, level, event, (const struct log_field[]){__VA_ARGS__}, \
              PST_COUNT(((const struct log_field[]){__VA_ARGS__})))

struct log;

/*
 * Open a log. A process that forks opens another one, because the lines contain
 * the process id.
 *   target   "stderr", or the path of a file to append to (made 0640)
 *   level    lines of this level and the more severe ones are written
 *   program  its name, in every line; must outlive the log
 * Returns PST_OK, PST_NO_MEMORY, PST_BAD_CONFIG (cannot be opened; errno is
 * set).
 */
PST_MUST_USE enum pst_err log_open(struct log **out, const char *target,
                                   enum log_format format, enum log_level level,
                                   const char *program);

void log_close(struct log **log);

/*
 * Write one line: time (RFC 3339, UTC), level, program, pid, event, then the
 * fields in order. If it would be longer than 2 KiB, long values are cut. May
 * be called from any thread; a line is one write(2). Does nothing if log is
 * NULL. An error of write(2) is ignored.
 */
void log_write(struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count);

#endif
