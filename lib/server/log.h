/* SPDX-License-Identifier: ISC */
/*
 * log.h - write one log line for each event, with control characters escaped.
 *
 * Never log a token, a cookie, a key, a password or a body. A session is named
 * by the first 8 hex digits of the hash of its id.
 */
#ifndef POSTERN_SERVER_LOG_H
#define POSTERN_SERVER_LOG_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

enum log_format { LOG_LOGFMT, LOG_JSON };

/* A named value: a number if is_number is set, else a text. */
struct log_field {
    const char *name;
    struct pst_str text;
    int64_t number;
    bool is_number;
};

/* Make fields for log_write(). An absent text is left out of the line. */
#define LOG_STR(field_name, value) \
    ((struct log_field){.name = (field_name), .text = (value)})
#define LOG_C_STRING(field_name, value) LOG_STR(field_name, pst_str_from(value))
#define LOG_NUMBER(field_name, value) \
    ((struct log_field){              \
        .name = (field_name), .number = (value), .is_number = true})

/* log_write() with the fields as arguments; at least one. They are evaluated
 * only if the line is written. */
#define LOG_EVENT(log, level, event, ...)                                    \
    do {                                                                     \
        if (log_is_level_enabled(log, level))                                \
            log_write(log, level, event,                                     \
                      (const struct log_field[]){__VA_ARGS__},               \
                      PST_COUNT(((const struct log_field[]){__VA_ARGS__}))); \
    } while (0)

struct log;

/*
 * Open a log. Lines contain the process id at this time, so a child process
 * must open its own log.
 *   target   "stderr"; "syslog" or "journald", the daemon of this machine; or
 *            the path of a file to append to (created with 0640), or of a FIFO
 *   program  a name for every line; must outlive the log
 * Returns PST_OK, PST_NO_MEMORY, PST_BAD_CONFIG (cannot be opened; errno says
 * why). A daemon need not run yet.
 */
PST_MUST_USE enum pst_err log_open(struct log **out, const char *target,
                                   enum log_format format, enum log_level level,
                                   const char *program);

/* The path of a daemon's socket; NULL if the target is another one. */
const char *log_socket_path(const char *target);

/*
 * Open the file anew by its path, after it was renamed. Returns false, with
 * errno set, when it cannot be opened: then the old one stays in use. Does
 * nothing for stderr and for a daemon. Any thread may write meanwhile.
 */
PST_MUST_USE bool log_reopen(struct log *log);

void log_close(struct log **log);

/* Are lines of this level written? False if log is NULL. */
bool log_is_level_enabled(const struct log *log, enum log_level level);

/*
 * Write one line: time (RFC 3339, UTC), level, program, pid, event, then the
 * fields in order. In a line over 2 KiB, long values are truncated. Each line
 * is one write(2). Any thread may call this. Does nothing if log is NULL or
 * excludes the level.
 * Never waits for a pipe, FIFO or terminal that nobody reads, and a full disk
 * does not stop the service: such lines are lost, and the first one that can be
 * written again comes after a line "log-lines-lost" with their number.
 */
void log_write(struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count);

#endif
