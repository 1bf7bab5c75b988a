/* SPDX-License-Identifier: ISC */
/*
 * socket_address.h - the address of a socket, and a short list of them.
 */
#ifndef POSTERN_ENGINE_SOCKET_ADDRESS_H
#define POSTERN_ENGINE_SOCKET_ADDRESS_H

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/base.h"
#include "base/error.h"

#define SOCKET_ADDRESSES_MAX 8 /* of one name: our choice */

struct socket_address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
        struct sockaddr_un local;
    };
};

struct socket_addresses {
    size_t count;
    struct socket_address list[SOCKET_ADDRESSES_MAX];
};

/*
 * Keep what getaddrinfo() found: the first IPv4 and IPv6 addresses, in its
 * order.
 */
void socket_addresses_set(struct socket_addresses *addresses,
                          const struct addrinfo *found);

/*
 * Parse an IP address.
 *   host  "127.0.0.1", "::1", "fe80::1%eth0"; no name
 *   port  decimal
 * Returns false when it is none; nothing is set then.
 */
bool socket_address_parse(struct socket_address *out, const char *host,
                          const char *port);

/*
 * Set the address of a Unix socket. Returns false when the path is empty or
 * longer than 107 bytes.
 */
bool socket_address_set_path(struct socket_address *out, const char *path);

#endif
