/* SPDX-License-Identifier: ISC */
/*
 * connect.h - connect a socket, with a deadline.
 */
#ifndef POSTERN_ENGINE_CONNECT_H
#define POSTERN_ENGINE_CONNECT_H

#include "engine/socket_address.h"
#include "engine/wait.h"

/*
 * Connect to an address. In a fiber, others run meanwhile. A Unix socket whose
 * queue is full is tried again until the deadline.
 *   out  set on success: a non-blocking socket, for wait_close()
 * Returns 0 or an errno, as wait_for() and connect(2).
 */
PST_MUST_USE int connect_to_address(const struct socket_address *address,
                                    const struct wait_limit *limit, int *out);

/* Try one address after the other. Each gets an equal share of the time that is
 * left, so that one that does not answer leaves time for the next. Returns 0 or
 * the errno of the last one. */
PST_MUST_USE int connect_to_any(const struct socket_addresses *addresses,
                                const struct wait_limit *limit, int *out);

#endif
