/* SPDX-License-Identifier: ISC */
/*
 * connection_pool.h - the connections to one backend that are kept open between
 * exchanges, and the buffers that responses are read into. For one thread.
 */
#ifndef POSTERN_UPSTREAM_CONNECTION_POOL_H
#define POSTERN_UPSTREAM_CONNECTION_POOL_H

#include <sys/queue.h>

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"

#define CONNECTIONS_KEPT_MAX 256 /* our choice */
#define BUFFERS_KEPT_MAX 16      /* our choice */

/* Milliseconds. Many servers close a connection that was idle for 5 s. */
#define CONNECTION_IDLE_MAX 15000
#define CONNECTION_IDLE_ONE_SHOT_MAX 4000

struct connection {
    int socket;
    bool was_kept;      /* it has carried an exchange before */
    int64_t opened_at;  /* milliseconds (clock_ms()) */
    int64_t idle_since; /* likewise */
    TAILQ_ENTRY(connection) link;
};

/* The head of a response must fit. */
struct response_buffer {
    SLIST_ENTRY(response_buffer) link;
    char bytes[PST_HEADERS_MAX];
};

struct connection_pool {
    TAILQ_HEAD(connection_list, connection) kept; /* newest first */
    size_t kept_count;
    SLIST_HEAD(buffer_list, response_buffer) buffers;
    size_t buffer_count;
};

void connection_pool_init(struct connection_pool *pool);

/* Close and free everything that is not in use. */
void connection_pool_fini(struct connection_pool *pool);

/*
 * Take the connection that was kept last.
 *   now       of clock_ms()
 *   idle_max  milliseconds
 * Returns NULL when there is none that was idle for at most idle_max.
 */
struct connection *connection_pool_take(struct connection_pool *pool,
                                        int64_t now, int64_t idle_max);

/* Keep a connection for the next exchange; the pool owns it from now on. */
void connection_pool_keep(struct connection_pool *pool,
                          struct connection *connection, int64_t now);

/* Close the connections that were idle for CONNECTION_IDLE_MAX. */
void connection_pool_close_idle(struct connection_pool *pool, int64_t now);

/* Make a connection of a socket, which it owns from now on. NULL: no memory;
 * the socket is closed then. */
struct connection *connection_new(int socket, int64_t now);

/* Close and free it, and set the pointer to NULL. NULL inside is allowed. */
void connection_close(struct connection **connection);

/*
 * Is a kept connection still open, with nothing to read on it? Bytes that come
 * without a request must not be taken for the response to the next one.
 */
bool connection_is_usable(const struct connection *connection);

/* A buffer, or NULL: no memory. */
struct response_buffer *
connection_pool_take_buffer(struct connection_pool *pool);

/*
 * Give a buffer back.
 *   used  bytes at its start that were written to; they are wiped
 */
void connection_pool_give_buffer(struct connection_pool *pool,
                                 struct response_buffer *buffer, size_t used);

#endif
