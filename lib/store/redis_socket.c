/* SPDX-License-Identifier: ISC */
/*
 * redis_socket.c - connect to Redis, with a deadline.
 */
#include "store/redis_socket.h"

#include <errno.h>
#include <string.h>

#include "engine/connect.h"
#include "engine/resolver.h"

void
redis_error_set(struct redis_error *error, const char *what, const char *cause)
{
    (void)snprintf(error->text, sizeof(error->text), "%s%s", what, cause);
}

int
redis_socket_connect(const struct store_address *address, int64_t deadline,
                     struct redis_error *error)
{
    const struct wait_limit limit = {.deadline = deadline, .client = -1};
    struct socket_addresses found;
    const char *reason;
    int socket = -1;
    int cause;

    if (resolver_find(address->host, address->port, deadline, &found,
                      &reason) != PST_OK) {
        redis_error_set(error, "its host name cannot be resolved: ", reason);
        return -1;
    }
    cause = connect_to_any(&found, &limit, &socket);
    if (cause)
        redis_error_set(error, "cannot connect: ", strerror(cause));
    return socket;
}

int
redis_socket_connect_path(const char *path, int64_t deadline,
                          struct redis_error *error)
{
    const struct wait_limit limit = {.deadline = deadline, .client = -1};
    struct socket_address address;
    int socket = -1;
    int cause = ENAMETOOLONG;

    if (socket_address_set_path(&address, path))
        cause = connect_to_address(&address, &limit, &socket);
    if (cause)
        redis_error_set(error, "cannot connect: ", strerror(cause));
    return socket;
}
