/* SPDX-License-Identifier: ISC */
/*
 * log_line.h - format a log line, with control characters escaped. For
 * server/log.c only. Pure.
 */
#ifndef POSTERN_SERVER_LOG_LINE_H
#define POSTERN_SERVER_LOG_LINE_H

#include "server/log.h"

/* Bytes of a line with its newline: half of PIPE_BUF, up to which writes to a
 * pipe are atomic. */
#define LOG_LINE_MAX 2048

struct log_fields {
    const struct log_field *ptr;
    size_t count;
};

/*
 * Format a line into storage of LOG_LINE_MAX bytes; returns its length. If it
 * is too long, it is formatted again with shorter values: it is better to
 * truncate a long value than to lose the fields after it.
 */
size_t log_line_format(char *storage, enum log_format format,
                       const struct log_fields *standard_fields,
                       const struct log_fields *event_fields);

#endif
