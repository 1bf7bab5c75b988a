/* SPDX-License-Identifier: ISC */
/*
 * log_datagram.h - what comes before a log line in a datagram to a syslog
 * daemon or to systemd-journald. For server/log.c only. Pure.
 */
#ifndef POSTERN_SERVER_LOG_DATAGRAM_H
#define POSTERN_SERVER_LOG_DATAGRAM_H

#include <time.h>

#include "base/buffer.h"
#include "server/log.h"

/* Who logs what. */
struct log_datagram {
    enum log_level level;
    struct pst_str program;
    int64_t pid;
    const char *event;
};

/*
 * Begin a datagram for /dev/log: priority (facility daemon), time, and the tag
 * "postern-PROGRAM[PID]". The line follows, without its newline.
 *   local_time  the time of this machine's time zone, as the format wants it
 * Source: RFC 3164 section 4.1, without a host name, as syslog(3) sends it.
 */
void log_datagram_begin_syslog(struct pst_buf *buf,
                               const struct log_datagram *datagram,
                               const struct tm *local_time);

/*
 * Begin a datagram for systemd-journald's socket, with the fields PRIORITY,
 * SYSLOG_FACILITY, SYSLOG_IDENTIFIER and POSTERN_EVENT. The line follows, with
 * its newline; it is the field MESSAGE.
 * Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
 */
void log_datagram_begin_journald(struct pst_buf *buf,
                                 const struct log_datagram *datagram);

#endif
