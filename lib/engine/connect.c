/* SPDX-License-Identifier: ISC */
/*
 * connect.c - connect a socket, with a deadline.
 */
#include "engine/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "base/clock.h"

#define FULL_QUEUE_PAUSE 10 /* milliseconds: our choice */

/* Returns 0 or an errno. */
static int
finish_connecting(int fd, const struct wait_limit *limit)
{
    socklen_t size = sizeof(int);
    int cause = wait_for(fd, POLLOUT, limit);

    if (cause == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size) != 0)
        cause = errno;
    return cause;
}

/* A Unix socket whose queue of connections is full: try again for as long as
 * possible. Returns 0 or an errno. */
static int
connect_when_possible(int fd, const struct socket_address *address,
                      const struct wait_limit *limit)
{
    int cause = EAGAIN;

    while (cause == EAGAIN) {
        int64_t now = clock_ms();
        struct wait_limit pause = {.deadline = now + FULL_QUEUE_PAUSE,
                                   .client = limit->client};

        if (now >= limit->deadline)
            return ETIMEDOUT;
        cause = wait_until(&pause);
        if (!cause)
            cause = connect(fd, &address->any, address->len) == 0 ? 0 : errno;
    }
    return cause;
}

static int
start_connecting(int fd, const struct socket_address *address,
                 const struct wait_limit *limit)
{
    if (connect(fd, &address->any, address->len) == 0)
        return 0;
    switch (errno) {
    case EINPROGRESS:
    case EINTR:
        return finish_connecting(fd, limit);
    case EAGAIN:
        return connect_when_possible(fd, address, limit);
    default:
        return errno;
    }
}

int
connect_to_address(const struct socket_address *address,
                   const struct wait_limit *limit, int *out)
{
    int one = 1;
    int cause;
    int fd = socket(address->any.sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return errno;
    if (address->any.sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    cause = start_connecting(fd, address, limit);
    if (cause) {
        wait_close(fd);
        return cause;
    }
    *out = fd;
    return 0;
}

int
connect_to_any(const struct socket_addresses *addresses,
               const struct wait_limit *limit, int *out)
{
    int cause = ENOENT;

    for (size_t i = 0; i < addresses->count; i++) {
        int64_t now = clock_ms();
        struct wait_limit share = {
            .deadline =
                now + (limit->deadline - now) / (int64_t)(addresses->count - i),
            .client = limit->client};

        cause = connect_to_address(&addresses->list[i], &share, out);
        if (cause == 0 || cause == ECANCELED)
            break;
    }
    return cause;
}
