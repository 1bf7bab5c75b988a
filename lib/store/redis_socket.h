/* SPDX-License-Identifier: ISC */
/*
 * redis_socket.h - connect to Redis, send and receive bytes, each with a
 * deadline.
 *
 * The sockets are ours, not those of hiredis, so that a call ends at its
 * deadline whatever the server does, and a broken connection raises no SIGPIPE.
 * A host name is looked up in a thread.
 */
#ifndef POSTERN_STORE_REDIS_SOCKET_H
#define POSTERN_STORE_REDIS_SOCKET_H

#include <sys/uio.h>

#include "base/base.h"
#include "server/store_url.h"

struct blocking_pool;

/* Why something failed: two static strings, to be read one after the other. */
struct redis_error {
    const char *what;
    const char *cause;
};

/*
 * Connect to url->host or url->path. In a fiber, this and the functions below
 * let others run meanwhile.
 *   resolver  a pool that looks up host names
 *   timeout   milliseconds, for the look-up and for the connection each
 *   error     set on failure
 * Returns a non-blocking socket, which the caller closes, or -1.
 */
PST_MUST_USE int redis_socket_connect(const struct store_url *url,
                                      struct blocking_pool *resolver,
                                      int64_t timeout,
                                      struct redis_error *error);

/*
 * Send all bytes.
 *   pieces    changed: what is left to send
 *   deadline  of clock_ms()
 * Returns 0 or an errno: ETIMEDOUT at the deadline.
 */
PST_MUST_USE int redis_socket_send(int socket, struct iovec *pieces,
                                   size_t count, int64_t deadline);

/*
 * Wait for bytes, and receive what is there.
 *   deadline  of clock_ms()
 *   len       set on success; 0: the server closed the connection
 * Returns 0 or an errno: ETIMEDOUT at the deadline.
 */
PST_MUST_USE int redis_socket_receive(int socket, char *bytes, size_t size,
                                      int64_t deadline, size_t *len);

#endif
