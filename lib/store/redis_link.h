/* SPDX-License-Identifier: ISC */
/*
 * redis_link.h - the connection of a handle to its server: it is made when it
 * is needed, and again when it has broken.
 *
 * When a connection breaks during a call, only what reads, or was never sent,
 * is sent again: a write may have been executed. When that fails, or the server
 * does not answer, calls fail at once for a short while: a dead Redis must not
 * cost every request a timeout.
 */
#ifndef POSTERN_STORE_REDIS_LINK_H
#define POSTERN_STORE_REDIS_LINK_H

#include <sys/queue.h>

#include "store/redis_connect.h"

/* Begins as zeros, but for target.url. */
struct redis_link {
    struct redis_target target;
    struct redis_connection *connection;
    bool is_connecting;                /* some fiber connects */
    LIST_HEAD(, redis_waiter) waiters; /* fibers that wait for it */
    int64_t retry_at;    /* monotonic milliseconds: not to connect before */
    int64_t retry_delay; /* 0: the last attempt did not fail */
    struct redis_error reason; /* why it failed */
};

/*
 * Send the commands and receive their replies, any of which may be an error.
 *   deadline  of clock_ms()
 *   error     set when the result is false
 */
PST_MUST_USE bool redis_link_exchange(struct redis_link *link,
                                      struct redis_batch *batch,
                                      int64_t deadline,
                                      struct redis_error *error);

/* Close the connection. Calls that use it still get their replies; the next one
 * connects again. */
void redis_link_close(struct redis_link *link);

#endif
