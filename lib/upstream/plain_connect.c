/* SPDX-License-Identifier: ISC */
/*
 * plain_connect.c - open a connection to the backend.
 */
#include "upstream/plain_connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "base/clock.h"
#include "upstream/resolver.h"

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

/* Set *out to a connected socket. Returns 0 or an errno. */
static int
connect_address(const struct socket_address *address,
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

/* Returns 0 or the errno of the last address. */
static int
connect_any(const struct socket_addresses *addresses,
            const struct wait_limit *limit, int *out)
{
    int cause = ENOENT;

    for (size_t i = 0; i < addresses->count; i++) {
        int64_t now = clock_ms();
        struct wait_limit share = {
            .deadline =
                now + (limit->deadline - now) / (int64_t)(addresses->count - i),
            .client = limit->client};

        cause = connect_address(&addresses->list[i], &share, out);
        if (cause == 0 || cause == ECANCELED)
            break;
    }
    return cause;
}

/* Look the name up, and connect to one of its addresses. */
static enum pst_err
connect_to_name(struct plain_exchange *x, int *out)
{
    struct socket_addresses addresses;
    const char *cause;
    enum pst_err e = resolver_find(x->target->host, x->target->port,
                                   x->limit.deadline, &addresses, &cause);
    int error;

    if (e)
        return http_error_set(x->error, e, "cannot resolve %.100s: %s",
                              x->target->host, cause);
    error = connect_any(&addresses, &x->limit, out);
    return error ? plain_fail_errno(x, error) : PST_OK;
}

enum pst_err
plain_connect(struct plain_exchange *x)
{
    enum pst_err e = PST_OK;
    int socket = -1;
    int error;

    plain_begin_phase(x, PLAIN_CONNECTING);
    if (x->target->has_fixed_address) {
        error = connect_address(&x->target->address, &x->limit, &socket);
        e = error ? plain_fail_errno(x, error) : PST_OK;
    } else {
        e = connect_to_name(x, &socket);
    }
    if (e)
        return e;
    x->connection = connection_new(socket, x->now);
    return x->connection
               ? PST_OK
               : http_error_set(x->error, PST_NO_MEMORY, "out of memory");
}
