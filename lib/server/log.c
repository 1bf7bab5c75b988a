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
#include "server/log_datagram.h"
#include "server/log_line.h"
#include "server/log_output.h"

/* Enough for what log_datagram.h puts before a line. */
#define DATAGRAM_HEAD_MAX 192

enum log_form { LINE, SYSLOG, JOURNALD };

/* The daemons of a machine, with the paths that all of them use. */
static const struct log_daemon {
    const char *target;
    const char *path;
    enum log_form form;
} daemons[] = {
    {"syslog", "/dev/log", SYSLOG},
    {"journald", "/run/systemd/journal/socket", JOURNALD},
};

struct log {
    struct log_output output;
    enum log_form form;
    enum log_format format;
    enum log_level level;
    struct pst_str program;
    pid_t pid;        /* cached: getpid(2) is a system call */
    const char *path; /* NULL: stderr, or a daemon */
    char target[];
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static const struct log_daemon *
log_find_daemon(const char *target)
{
    for (size_t i = 0; i < PST_COUNT(daemons); i++)
        if (strcmp(target, daemons[i].target) == 0)
            return &daemons[i];
    return NULL;
}

const char *
log_socket_path(const char *target)
{
    const struct log_daemon *daemon = log_find_daemon(target);

    return daemon ? daemon->path : NULL;
}

static bool
log_open_output(struct log *log, const char *target)
{
    const struct log_daemon *daemon = log_find_daemon(target);

    if (daemon) {
        tzset(); /* reads a file: not in a request */
        log->form = daemon->form;
        return log_output_open_socket(&log->output, daemon->path);
    }
    memcpy(log->target, target, strlen(target));
    log->path = strcmp(target, "stderr") == 0 ? NULL : log->target;
    return log_output_open(&log->output, log->path);
}

enum pst_err
log_open(struct log **out, const char *target, enum log_format format,
         enum log_level level, const char *program)
{
    struct log *log = calloc(1, sizeof(*log) + strlen(target) + 1);

    if (!log)
        return PST_NO_MEMORY;
    if (!log_open_output(log, target)) {
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

/* Begin a line, in storage of DATAGRAM_HEAD_MAX bytes; returns their number. */
static size_t
log_begin_line(enum log_form form, const struct log_datagram *datagram,
               int64_t now, char *storage)
{
    const time_t seconds = (time_t)now;
    struct tm local_time = {0};
    struct pst_buf head;

    pst_buf_init(&head, storage, DATAGRAM_HEAD_MAX);
    if (form == SYSLOG && localtime_r(&seconds, &local_time))
        log_datagram_begin_syslog(&head, datagram, &local_time);
    else if (form == JOURNALD)
        log_datagram_begin_journald(&head, datagram);
    return pst_buf_str(&head).len;
}

/* The fields before those of the event; a datagram has some already. Returns
 * their number. */
static size_t
log_standard_fields(enum log_form form, const struct log_datagram *datagram,
                    struct pst_str when, struct log_field fields[static 5])
{
    size_t count = 0;

    if (form == LINE)
        fields[count++] = LOG_STR("time", when);
    fields[count++] = LOG_C_STRING("level", level_names[datagram->level]);
    if (form == LINE) {
        fields[count++] = LOG_STR("program", datagram->program);
        fields[count++] = LOG_NUMBER("pid", datagram->pid);
    }
    fields[count++] = LOG_C_STRING("event", datagram->event);
    return count;
}

/* Write one line, and return whether that was possible. `begin` comes before
 * it. */
static bool
log_write_line(struct log *log, const char *begin, enum log_level level,
               const char *event, const struct log_fields *fields)
{
    const struct log_datagram datagram = {level, log->program, log->pid, event};
    char storage[DATAGRAM_HEAD_MAX + 1 + LOG_LINE_MAX];
    char time_storage[32];
    struct pst_buf when;
    struct log_field standard_fields[5];
    const int64_t now = (int64_t)time(NULL);
    size_t count;
    size_t len = log_begin_line(log->form, &datagram, now, storage);

    pst_buf_init(&when, time_storage, sizeof(time_storage));
    pst_date_emit_rfc3339(&when, now);
    count = log_standard_fields(log->form, &datagram, pst_buf_str(&when),
                                standard_fields);
    memcpy(storage + len, begin, strlen(begin));
    len += strlen(begin);
    len +=
        log_line_format(storage + len, log->format,
                        &(struct log_fields){standard_fields, count}, fields);
    if (log->form == SYSLOG)
        len--; /* the newline */
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
