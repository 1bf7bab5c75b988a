/* SPDX-License-Identifier: ISC */
/*
 * redis_connect.h - connect to the server that has a store's data, and
 * authenticate: the server of the URL, the master that a Sentinel names, or the
 * node of a Cluster to which a server has redirected us.
 */
#ifndef POSTERN_STORE_REDIS_CONNECT_H
#define POSTERN_STORE_REDIS_CONNECT_H

#include "store/redis_connection.h"

struct redis_target {
    const struct store_url *url;
    size_t sentinel;            /* the one that answered last */
    struct store_address moved; /* where MOVED or ASK sent us; "": none */
    bool is_moved_first;        /* go there, once; else only if the URL's server
                                   does not answer */
    struct store_address at;    /* where the last connection went; "": to a Unix
                                   socket */
};

/*
 * Connect, within the deadline of clock_ms().
 *   error  set on failure
 * Returns a connection, which the caller holds, or NULL.
 */
struct redis_connection *redis_connect(struct redis_target *target,
                                       int64_t deadline,
                                       struct redis_error *error);

#endif
