/* SPDX-License-Identifier: ISC */
/*
 * connection_pool.c - the connections to one backend that are kept open between
 * exchanges, and the buffers that responses are read into.
 */
#include "upstream/connection_pool.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/wait.h"

void
connection_pool_init(struct connection_pool *pool)
{
    TAILQ_INIT(&pool->kept);
    pool->kept_count = 0;
    SLIST_INIT(&pool->buffers);
    pool->buffer_count = 0;
}

static void
pool_remove(struct connection_pool *pool, struct connection *connection)
{
    TAILQ_REMOVE(&pool->kept, connection, link);
    pool->kept_count--;
}

static void
pool_close_oldest(struct connection_pool *pool)
{
    struct connection *oldest = TAILQ_LAST(&pool->kept, connection_list);

    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the last one left the list */
    pool_remove(pool, oldest);
    connection_close(&oldest);
}

void
connection_pool_fini(struct connection_pool *pool)
{
    while (!TAILQ_EMPTY(&pool->kept))
        pool_close_oldest(pool);
    while (!SLIST_EMPTY(&pool->buffers)) {
        struct response_buffer *buffer = SLIST_FIRST(&pool->buffers);

        SLIST_REMOVE_HEAD(&pool->buffers, link);
        free(buffer);
    }
    pool->buffer_count = 0;
}

struct connection *
connection_pool_take(struct connection_pool *pool, int64_t now,
                     int64_t idle_max)
{
    struct connection *newest;

    connection_pool_close_idle(pool, now);
    newest = TAILQ_FIRST(&pool->kept);
    if (!newest || now - newest->idle_since > idle_max)
        return NULL;
    pool_remove(pool, newest);
    return newest;
}

void
connection_pool_keep(struct connection_pool *pool,
                     struct connection *connection, int64_t now)
{
    connection->was_kept = true;
    connection->idle_since = now;
    TAILQ_INSERT_HEAD(&pool->kept, connection, link);
    if (++pool->kept_count > CONNECTIONS_KEPT_MAX)
        pool_close_oldest(pool);
}

void
connection_pool_close_idle(struct connection_pool *pool, int64_t now)
{
    while (!TAILQ_EMPTY(&pool->kept) &&
           now - TAILQ_LAST(&pool->kept, connection_list)->idle_since >
               CONNECTION_IDLE_MAX)
        pool_close_oldest(pool);
}

struct connection *
connection_new(int socket, int64_t now)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        wait_close(socket);
        return NULL;
    }
    connection->socket = socket;
    connection->opened_at = now;
    return connection;
}

void
connection_close(struct connection **connection)
{
    if (!*connection)
        return;
    wait_close((*connection)->socket);
    free(*connection);
    *connection = NULL;
}

bool
connection_is_usable(const struct connection *connection)
{
    char byte;

    return recv(connection->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

struct response_buffer *
connection_pool_take_buffer(struct connection_pool *pool)
{
    struct response_buffer *buffer = SLIST_FIRST(&pool->buffers);

    if (!buffer)
        return malloc(sizeof(*buffer));
    SLIST_REMOVE_HEAD(&pool->buffers, link);
    pool->buffer_count--;
    return buffer;
}

void
connection_pool_give_buffer(struct connection_pool *pool,
                            struct response_buffer *buffer, size_t used)
{
    explicit_bzero(buffer->bytes, used);
    if (pool->buffer_count == BUFFERS_KEPT_MAX) {
        free(buffer);
        return;
    }
    SLIST_INSERT_HEAD(&pool->buffers, buffer, link);
    pool->buffer_count++;
}
