/* SPDX-License-Identifier: ISC */
/*
 * socket_set.h - the sockets of a library that has its own connections: wait
 * until one of them is ready, in a fiber or not.
 */
#ifndef POSTERN_UPSTREAM_SOCKET_SET_H
#define POSTERN_UPSTREAM_SOCKET_SET_H

#include <sys/epoll.h>

#include "base/base.h"
#include "engine/wait.h"

#define SOCKET_SET_EVENTS_MAX 8

struct socket_set {
    int epoll; /* -1: not open */
};

/* Returns false when the kernel has no descriptor left; socket_set_close() is
 * safe after either. */
PST_MUST_USE bool socket_set_open(struct socket_set *set);
void socket_set_close(struct socket_set *set);

/* Watch a socket for these events (EPOLLIN, EPOLLOUT), and no longer for
 * others; 0: not at all. Before it is closed, it must be removed. Returns false
 * when the kernel has no memory, or watches too many. */
PST_MUST_USE bool socket_set_change(struct socket_set *set, int socket,
                                    uint32_t events);

/*
 * Wait until a socket is ready.
 *   events  set: the sockets (data.fd) and what happened; room for
 *           SOCKET_SET_EVENTS_MAX
 *   count   set: how many; 0 at the deadline
 * Returns 0, or an errno: ECANCELED when the client hung up.
 */
PST_MUST_USE int socket_set_wait(struct socket_set *set,
                                 const struct wait_limit *limit,
                                 struct epoll_event *events, int *count);

#endif
