/* SPDX-License-Identifier: ISC */
/*
 * redis_socket.h - connect to Redis, with a deadline.
 *
 * The sockets are ours, not those of hiredis, so that a call ends at its
 * deadline whatever the server does, and a broken connection raises no SIGPIPE.
 */
#ifndef POSTERN_STORE_REDIS_SOCKET_H
#define POSTERN_STORE_REDIS_SOCKET_H

#include "base/base.h"
#include "server/store_url.h"

/* Why something failed. */
struct redis_error {
    char text[256];
};

/* Set it to the two texts, one after the other. */
void redis_error_set(struct redis_error *error, const char *what,
                     const char *cause);

/*
 * Connect to a server by TCP. In a fiber, others run meanwhile.
 *   deadline  of clock_ms()
 *   error     set on failure
 * Returns a non-blocking socket, which the caller closes, or -1.
 */
PST_MUST_USE int redis_socket_connect(const struct store_address *address,
                                      int64_t deadline,
                                      struct redis_error *error);

/* The same for a Unix socket. */
PST_MUST_USE int redis_socket_connect_path(const char *path, int64_t deadline,
                                           struct redis_error *error);

#endif
