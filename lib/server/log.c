/* SPDX-License-Identifier: ISC */
/*
 * log.c - write one log line for each event.
 */
#include "server/log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "codec/date.h"
#include "server/log_line.h"
#include "server/log_output.h"

struct log {
    struct log_output output;
    enum log_format format;
    enum log_level level;
    struct pst_str program;
    pid_t pid;        /* cached: getpid(2) is a system call */
    const char *path; /* NULL: stderr */
    char target[];
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

enum pst_err
log_open(struct log **out, const char *target, enum log_format format,
         enum log_level level, const char *program)
{
    struct log *log = calloc(1, sizeof(*log) + strlen(target) + 1);

    if (!log)
        return PST_NO_MEMORY;
    memcpy(log->target, target, strlen(target));
    log->path = strcmp(target, "stderr") == 0 ? NULL : log->target;
    if (!log_output_open(&log->output, log->path)) {
        free(log); /* errno stays */
        return PST_BAD_CONFIG;
    }
    log->format = format;
    log->level = level;
    log->program = pst_str_from(program);
    log->pid = getpid();
    *out = log;
    return PST_OK;
}

void
log_close(struct log **log)
{
    if (!*log)
        return;
    log_output_close(&(*log)->output);
    free(*log);
    *log = NULL;
}

bool
log_reopen(struct log *log)
{
    return !log->path || log_output_reopen(&log->output, log->path);
}

bool
log_is_level_enabled(const struct log *log, enum log_level level)
{
    return log && level <= log->level;
}

/* Write one line, and return whether that was possible. `begin` comes before
 * it. */
static bool
log_write_line(struct log *log, const char *begin, enum log_level level,
               const char *event, const struct log_fields *fields)
{
    char storage[1 + LOG_LINE_MAX];
    char time_storage[32];
    struct pst_buf when;
    struct log_field standard_fields[5];
    size_t len = strlen(begin);

    pst_buf_init(&when, time_storage, sizeof(time_storage));
    pst_date_emit_rfc3339(&when, (int64_t)time(NULL));
    standard_fields[0] = LOG_STR("time", pst_buf_str(&when));
    standard_fields[1] = LOG_C_STRING("level", level_names[level]);
    standard_fields[2] = LOG_STR("program", log->program);
    standard_fields[3] = LOG_NUMBER("pid", log->pid);
    standard_fields[4] = LOG_C_STRING("event", event);
    memcpy(storage, begin, len);
    len += log_line_format(
        storage + len, log->format,
        &(struct log_fields){standard_fields, PST_COUNT(standard_fields)},
        fields);
    return log_output_write(&log->output, (struct pst_str){storage, len});
}

/* Say how many lines could not be written, now that it may be possible again.
 */
static void
log_write_lost(struct log *log)
{
    struct log_output *output = &log->output;
    size_t count = atomic_exchange(&output->lost_count, 0);
    /* Another thread that sets it has not counted its line yet. */
    bool is_cut = count > 0 && atomic_exchange(&output->is_cut, false);
    const struct log_field field = LOG_NUMBER("count", (int64_t)count);

    if (count == 0 ||
        log_write_line(log, is_cut ? "\n" : "", LEVEL_WARNING, "log-lines-lost",
                       &(struct log_fields){&field, 1}))
        return;
    atomic_fetch_add(&output->lost_count, count - 1); /* this line was lost */
    if (is_cut)
        atomic_store(&output->is_cut, true);
}

/* Not inlined: its frame is large, and most calls end before it. */
static __attribute__((noinline)) void
log_write_event(struct log *log, enum log_level level, const char *event,
                const struct log_field *fields, size_t count)
{
    if (atomic_load(&log->output.lost_count) > 0)
        log_write_lost(log);
    (void)log_write_line(log, "", level, event,
                         &(struct log_fields){fields, count});
}

void
log_write(struct log *log, enum log_level level, const char *event,
          const struct log_field *fields, size_t count)
{
    if (log_is_level_enabled(log, level))
        log_write_event(log, level, event, fields, count);
}
