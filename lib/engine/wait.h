/* SPDX-License-Identifier: ISC */
/*
 * wait.h - read, write and wait on a non-blocking descriptor, each with a
 * deadline.
 *
 * In a fiber, the loop runs other fibers meanwhile. Elsewhere (plain CGI,
 * threads, tests) the calling thread waits in poll(2).
 */
#ifndef POSTERN_ENGINE_WAIT_H
#define POSTERN_ENGINE_WAIT_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/base.h"

#define WAIT_NO_DEADLINE INT64_MAX

/* The time for a deadline. In a loop, it is the same for all that happened
 * since the loop last waited: loop_now(). Elsewhere it is clock_ms(). */
int64_t wait_now(void);

/* What ends a wait early. */
struct wait_limit {
    int64_t deadline; /* of clock_ms(); WAIT_NO_DEADLINE: none */
    int client;       /* a descriptor whose other side may hang up; -1: none.
                         Unread bytes on it do not matter */
};

/*
 * Wait until a descriptor is ready: to be called after EAGAIN or EINPROGRESS.
 * A wake-up may be spurious: try again, and wait again at EAGAIN.
 *   events  POLLIN, POLLOUT (poll(2)) or both: then either ends the wait
 * Returns 0, or an errno: ETIMEDOUT at the deadline, ECANCELED when the client
 * hung up. Errors of the descriptor itself are reported as ready.
 */
PST_MUST_USE int wait_for(int descriptor, short events,
                          const struct wait_limit *limit);

/*
 * Read what is there, at least one byte; wait if there is none.
 *   len  set on success; 0: the end
 * Returns 0 or an errno, as wait_for() and read(2). Never EAGAIN or EINTR.
 */
PST_MUST_USE int wait_read(int descriptor, void *out, size_t size,
                           const struct wait_limit *limit, size_t *len);

/*
 * Wait until a read could bring something without waiting: for callers of
 * wait_read() that need no memory for it meanwhile. Outside of fibers it does
 * not wait. Returns 0 or an errno, as wait_for().
 */
PST_MUST_USE int wait_input(int descriptor, const struct wait_limit *limit);

/*
 * Read what is there, without waiting.
 *   len  set on success; 0: the end
 * Returns 0 or an errno: EAGAIN when there is nothing. Never EINTR.
 */
PST_MUST_USE int wait_try_read(int descriptor, void *out, size_t size,
                               size_t *len);

/*
 * Write all of the pieces.
 *   pieces  changed: what is left to write
 * Returns 0 or an errno, as wait_for() and writev(2). A closed connection is
 * EPIPE; SIGPIPE must be ignored.
 */
PST_MUST_USE int wait_write(int descriptor, struct iovec *pieces, int count,
                            const struct wait_limit *limit);

/*
 * Take what was written off the pieces, for callers of writev(2) and the like.
 * Returns whether something is left.
 */
bool wait_advance(struct iovec *pieces, int count, size_t written);

/* Let time pass. Returns 0 at the deadline, ECANCELED when the client hung
 * up. */
PST_MUST_USE int wait_until(const struct wait_limit *limit);

/* Close a descriptor that these functions may have waited for. close(2) alone
 * would leave a trace of it in the loop. */
void wait_close(int descriptor);

#endif
