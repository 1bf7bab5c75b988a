/* SPDX-License-Identifier: ISC */
/*
 * plain_client.h - our own HTTP/1.1 client, for backends without TLS. Many
 * exchanges of one thread's fibers may run at once.
 */
#ifndef POSTERN_UPSTREAM_PLAIN_CLIENT_H
#define POSTERN_UPSTREAM_PLAIN_CLIENT_H

#include "upstream/connection_pool.h"
#include "upstream/http_client.h"
#include "upstream/http_target.h"

struct plain_client {
    const struct http_target *target; /* must outlive the client */
    struct connection_pool pool;
};

void plain_client_init(struct plain_client *client,
                       const struct http_target *target);

/* Close all connections; no exchange may be running. */
void plain_client_fini(struct plain_client *client);

/* As http_client_run(). */
PST_MUST_USE enum pst_err plain_client_run(struct plain_client *client,
                                           struct pst_arena *arena,
                                           const struct http_exchange *exchange,
                                           struct http_error *error);

#endif
