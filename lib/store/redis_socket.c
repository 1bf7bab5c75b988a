/* SPDX-License-Identifier: ISC */
/*
 * redis_socket.c - connect to Redis, with a deadline.
 */
#include "store/redis_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "engine/blocking.h"
#include "engine/wait.h"

void
redis_error_set(struct redis_error *error, const char *what, const char *cause)
{
    (void)snprintf(error->text, sizeof(error->text), "%s%s", what, cause);
}

/* Returns 0 or an errno. */
static int
redis_finish_connect(int fd, int64_t deadline)
{
    const struct wait_limit limit = {.deadline = deadline, .client = -1};
    socklen_t size = sizeof(int);
    int cause = wait_for(fd, POLLOUT, &limit);

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
    wait_close(fd);
    return -cause;
}

static int
redis_connect_unix(const char *path, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path));
    return redis_connect_address((const struct sockaddr *)&address,
                                 sizeof(address), deadline);
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

/* The look-up of a host name, in a thread. */
struct lookup {
    struct store_address address;
    struct addrinfo *found;
    int rc; /* of getaddrinfo(3) */
};

static void
lookup_run(void *argument)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                          .ai_flags = AI_NUMERICSERV};
    struct lookup *lookup = argument;

    lookup->rc = getaddrinfo(lookup->address.host, lookup->address.port, &hints,
                             &lookup->found);
}

static void
lookup_release(void *argument)
{
    struct lookup *lookup = argument;

    if (lookup->found)
        freeaddrinfo(lookup->found);
    free(lookup);
}

/* Look up a host. Returns NULL, or what lookup_release() frees. */
static struct lookup *
redis_lookup_host(const struct store_address *address,
                  struct blocking_pool *resolver, int64_t deadline,
                  struct redis_error *error)
{
    static const char what[] = "its host name cannot be resolved: ";
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    const struct blocking_call call = {lookup_run, lookup_release, lookup};

    if (!lookup) {
        redis_error_set(error, what, "out of memory");
        return NULL;
    }
    lookup->address = *address;
    if (blocking_pool_run(resolver, &call, deadline) != BLOCKING_DONE) {
        redis_error_set(error, what, "this took too long");
        return NULL;
    }
    if (lookup->rc == 0)
        return lookup;
    redis_error_set(error, what, gai_strerror(lookup->rc));
    lookup_release(lookup);
    return NULL;
}

/* What a function above returned, as the caller gets it. */
static int
redis_socket_result(int fd, struct redis_error *error)
{
    if (fd >= 0)
        return fd;
    redis_error_set(error, "cannot connect: ", strerror(-fd));
    return -1;
}

int
redis_socket_connect(const struct store_address *address,
                     struct blocking_pool *resolver, int64_t deadline,
                     struct redis_error *error)
{
    struct lookup *lookup =
        redis_lookup_host(address, resolver, deadline, error);
    int fd;

    if (!lookup)
        return -1;
    fd = redis_connect_any(lookup->found, deadline);
    lookup_release(lookup);
    return redis_socket_result(fd, error);
}

int
redis_socket_connect_path(const char *path, int64_t deadline,
                          struct redis_error *error)
{
    return redis_socket_result(redis_connect_unix(path, deadline), error);
}
