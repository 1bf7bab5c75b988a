/* SPDX-License-Identifier: ISC */
/*
 * redis_socket.c - connect to Redis, send and receive bytes, each with a
 * deadline.
 */
#include "store/redis_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* Wait until the socket is ready. Returns 0 or an errno. */
static int
redis_socket_wait(int socket, short events, int64_t deadline)
{
    struct pollfd ready = {.fd = socket, .events = events};
    int64_t left;
    int got;

    for (;;) {
        left = deadline - clock_ms();
        if (left <= 0)
            return ETIMEDOUT;
        got = poll(&ready, 1, (int)left);
        if (got > 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return errno;
    }
}

/* Returns 0 or an errno. */
static int
redis_finish_connect(int fd, int64_t deadline)
{
    socklen_t size = sizeof(int);
    int cause = redis_socket_wait(fd, POLLOUT, deadline);

    if (cause == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size) != 0)
        cause = errno;
    return cause;
}

/* Returns a connected socket, or minus an errno. */
static int
redis_connect_address(const struct sockaddr *address, socklen_t len,
                      int64_t deadline)
{
    int family = address->sa_family;
    int one = 1;
    int cause = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, address, len) != 0)
        cause =
            errno == EINPROGRESS ? redis_finish_connect(fd, deadline) : errno;
    if (cause == 0)
        return fd;
    close(fd);
    return -cause;
}

static int
redis_connect_unix(const char *path, int64_t timeout)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path));
    return redis_connect_address((const struct sockaddr *)&address,
                                 sizeof(address), clock_ms() + timeout);
}

/* Try one address after the other. Each gets an equal share of the time that
 * is left, so that an address that does not answer leaves time for the next. */
static int
redis_connect_any(const struct addrinfo *found, int64_t deadline)
{
    int64_t count = 0;
    int fd = -ENOENT;

    for (const struct addrinfo *at = found; at; at = at->ai_next)
        count++;
    for (; found && fd < 0; found = found->ai_next) {
        int64_t now = clock_ms();

        fd = redis_connect_address(found->ai_addr, found->ai_addrlen,
                                   now + (deadline - now) / count--);
    }
    return fd;
}

int
redis_socket_connect(const struct store_url *url, int64_t timeout,
                     struct redis_error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int fd;
    int rc;

    if (url->host[0] == '\0') {
        fd = redis_connect_unix(url->path, timeout);
    } else {
        rc = getaddrinfo(url->host, url->port, &hints, &found);
        if (rc) {
            *error = (struct redis_error){"its host name cannot be resolved: ",
                                          gai_strerror(rc)};
            return -1;
        }
        fd = redis_connect_any(found, clock_ms() + timeout);
        freeaddrinfo(found);
    }
    if (fd >= 0)
        return fd;
    *error = (struct redis_error){"cannot connect: ", strerror(-fd)};
    return -1;
}

/* Skip the first len bytes of the pieces. */
static void
redis_skip_sent(struct iovec **pieces, size_t *count, size_t len)
{
    while (*count > 0 && len >= (*pieces)->iov_len) {
        len -= (*pieces)->iov_len;
        (*pieces)++;
        (*count)--;
    }
    if (*count > 0) {
        (*pieces)->iov_base = (char *)(*pieces)->iov_base + len;
        (*pieces)->iov_len -= len;
    }
}

int
redis_socket_send(int socket, struct iovec *pieces, size_t count,
                  int64_t deadline)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
        ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
        int cause = errno;

        if (sent >= 0) {
            redis_skip_sent(&pieces, &count, (size_t)sent);
            continue;
        }
        if (cause == EAGAIN)
            cause = redis_socket_wait(socket, POLLOUT, deadline);
        if (cause != 0 && cause != EINTR)
            return cause;
    }
    return 0;
}

int
redis_socket_receive(int socket, char *bytes, size_t size, int64_t deadline,
                     size_t *len)
{
    for (;;) {
        ssize_t got;
        int cause = redis_socket_wait(socket, POLLIN, deadline);

        if (cause)
            return cause;
        got = recv(socket, bytes, size, 0);
        if (got >= 0) {
            *len = (size_t)got;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return errno;
    }
}
