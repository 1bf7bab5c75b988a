/* SPDX-License-Identifier: ISC */
/*
 * log_output.h - the file, pipe or socket that log lines are written to,
 * without waiting for whoever reads it.
 */
#ifndef POSTERN_SERVER_LOG_OUTPUT_H
#define POSTERN_SERVER_LOG_OUTPUT_H

#include <stdatomic.h>
#include <sys/un.h>

#include "base/base.h"
#include "base/str.h"

struct log_output {
    int descriptor;
    struct sockaddr_un address; /* of a daemon, if is_socket */
    bool is_socket;
    bool is_own; /* opened here, so closed here */
    bool polls;  /* its descriptor is shared with other processes, and a write
                    to it may block */
    atomic_size_t lost_count;
    atomic_bool is_cut; /* the last line was written in part */
};

/*
 * Open an output.
 *   path  NULL: stderr; else a file to append to (created with 0640), or a
 *         FIFO
 * Returns false with errno set.
 */
PST_MUST_USE bool log_output_open(struct log_output *output, const char *path);

/*
 * Open an output that sends a datagram to a daemon's Unix socket for each line.
 * The daemon need not run: its address is looked up for each datagram, so that
 * one which was restarted is found again. Returns false with errno set.
 *   path  shorter than sun_path
 */
PST_MUST_USE bool log_output_open_socket(struct log_output *output,
                                         const char *path);

/* Does a daemon read from this socket? If not, errno says why. */
PST_MUST_USE bool log_output_try_socket(const char *path);

void log_output_close(struct log_output *output);

/* Open a path anew. Returns false with errno set: then the old file stays in
 * use. Any thread may write meanwhile. */
PST_MUST_USE bool log_output_reopen(struct log_output *output,
                                    const char *path);

/*
 * Write a line in one write(2), or send it in one datagram. A line that would
 * have to wait, that does not fit on the disk, or that no daemon receives, is
 * lost and counted. Any thread may call this.
 *   line  at most PIPE_BUF bytes
 * Returns whether it was written.
 */
bool log_output_write(struct log_output *output, struct pst_str line);

#endif
