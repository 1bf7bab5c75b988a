/* SPDX-License-Identifier: ISC */
/*
 * log_datagram.c - what comes before a log line in a datagram to a syslog
 * daemon or to systemd-journald. Pure.
 */
#include "server/log_datagram.h"

#include <syslog.h>

static const int priorities[] = {
    [LEVEL_ERROR] = LOG_ERR,
    [LEVEL_WARNING] = LOG_WARNING,
    [LEVEL_INFO] = LOG_INFO,
    [LEVEL_DEBUG] = LOG_DEBUG,
};

static void
datagram_add_tag(struct pst_buf *buf, const struct log_datagram *datagram)
{
    pst_buf_add_string(buf, "postern-");
    pst_buf_add(buf, datagram->program);
}

void
log_datagram_begin_syslog(struct pst_buf *buf,
                          const struct log_datagram *datagram,
                          const struct tm *local_time)
{
    char when[sizeof("Jan  1 00:00:00")];

    if (strftime(when, sizeof(when), "%b %e %H:%M:%S", local_time) == 0)
        when[0] = '\0';
    pst_buf_add_char(buf, '<');
    pst_buf_add_number(buf, LOG_DAEMON | priorities[datagram->level]);
    pst_buf_add_char(buf, '>');
    pst_buf_add_string(buf, when);
    pst_buf_add_char(buf, ' ');
    datagram_add_tag(buf, datagram);
    pst_buf_add_char(buf, '[');
    pst_buf_add_number(buf, datagram->pid);
    pst_buf_add_string(buf, "]: ");
}

void
log_datagram_begin_journald(struct pst_buf *buf,
                            const struct log_datagram *datagram)
{
    pst_buf_add_string(buf, "PRIORITY=");
    pst_buf_add_number(buf, priorities[datagram->level]);
    pst_buf_add_string(buf, "\nSYSLOG_FACILITY=");
    pst_buf_add_number(buf, LOG_FAC(LOG_DAEMON));
    pst_buf_add_string(buf, "\nSYSLOG_IDENTIFIER=");
    datagram_add_tag(buf, datagram);
    pst_buf_add_string(buf, "\nPOSTERN_EVENT=");
    pst_buf_add_string(buf, datagram->event);
    pst_buf_add_string(buf, "\nMESSAGE=");
}
