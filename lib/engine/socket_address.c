/* SPDX-License-Identifier: ISC */
/*
 * socket_address.c - the address of a socket, and a short list of them.
 */
#include "engine/socket_address.h"

#include <string.h>

static bool
socket_address_copy(struct socket_address *out, const struct addrinfo *found)
{
    if ((found->ai_family != AF_INET && found->ai_family != AF_INET6) ||
        found->ai_addrlen > sizeof(out->ipv6))
        return false;
    out->len = found->ai_addrlen;
    memcpy(&out->any, found->ai_addr, found->ai_addrlen);
    return true;
}

void
socket_addresses_set(struct socket_addresses *addresses,
                     const struct addrinfo *found)
{
    addresses->count = 0;
    for (; found && addresses->count < SOCKET_ADDRESSES_MAX;
         found = found->ai_next)
        if (socket_address_copy(&addresses->list[addresses->count], found))
            addresses->count++;
}

bool
socket_address_parse(struct socket_address *out, const char *host,
                     const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    bool is_copied;

    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    is_copied = socket_address_copy(out, found);
    freeaddrinfo(found);
    return is_copied;
}

bool
socket_address_set_path(struct socket_address *out, const char *path)
{
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(out->local.sun_path))
        return false;
    *out = (struct socket_address){.len = sizeof(out->local)};
    out->local.sun_family = AF_UNIX;
    memcpy(out->local.sun_path, path, len + 1);
    return true;
}
