/* SPDX-License-Identifier: ISC */
/*
 * resolver.h - find the addresses of a host name without blocking the loop.
 *
 * getaddrinfo() runs in a pool of threads that the process shares. What it
 * found is kept for a few seconds, so that a change of address is followed, and
 * many requests that begin at once do not each ask a name server.
 */
#ifndef POSTERN_ENGINE_RESOLVER_H
#define POSTERN_ENGINE_RESOLVER_H

#include "engine/socket_address.h"

/* Call before resolver_find(), as often as convenient. Starts no thread.
 * Returns PST_OK or PST_NO_MEMORY. */
PST_MUST_USE enum pst_err resolver_start(void);

/* Free the pool; nothing else may use it. When a look-up still runs, which its
 * caller has given up, nothing is freed: the process is about to end. */
void resolver_stop(void);

/*
 * Find the addresses of a name.
 *   host, port  at most 255 and 5 bytes
 *   deadline    of clock_ms()
 *   out         set on PST_OK: at least one address
 *   cause       set on another result: why, for the log
 * Returns PST_OK; PST_UPSTREAM_TIMEOUT (the deadline); PST_UPSTREAM_DOWN (there
 * is no such name, or no name server answers); PST_NO_MEMORY (too many wait).
 */
PST_MUST_USE enum pst_err resolver_find(const char *host, const char *port,
                                        int64_t deadline,
                                        struct socket_addresses *out,
                                        const char **cause);

#endif
