/* SPDX-License-Identifier: ISC */
/*
 * socket_set.c - the sockets of a library that has its own connections: wait
 * until one of them is ready.
 *
 * They are in an epoll instance of their own, which is readable when one of
 * them is ready, and so can be waited for like a socket.
 */
#include "upstream/socket_set.h"

#include <errno.h>
#include <poll.h>

bool
socket_set_open(struct socket_set *set)
{
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    return set->epoll >= 0;
}

void
socket_set_close(struct socket_set *set)
{
    if (set->epoll >= 0)
        wait_close(set->epoll);
    set->epoll = -1;
}

bool
socket_set_change(struct socket_set *set, int socket, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = socket};

    if (events == 0) {
        epoll_ctl(set->epoll, EPOLL_CTL_DEL, socket, NULL);
        return true;
    }
    return epoll_ctl(set->epoll, EPOLL_CTL_ADD, socket, &event) == 0 ||
           epoll_ctl(set->epoll, EPOLL_CTL_MOD, socket, &event) == 0;
}

int
socket_set_wait(struct socket_set *set, const struct wait_limit *limit,
                struct epoll_event *events, int *count)
{
    int error;

    *count = epoll_wait(set->epoll, events, SOCKET_SET_EVENTS_MAX, 0);
    if (*count > 0)
        return 0;
    error = wait_for(set->epoll, POLLIN, limit);
    if (error && error != ETIMEDOUT)
        return error;
    *count = epoll_wait(set->epoll, events, SOCKET_SET_EVENTS_MAX, 0);
    if (*count < 0)
        *count = 0;
    return 0;
}
