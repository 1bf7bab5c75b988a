/* SPDX-License-Identifier: ISC */
/*
 * redis_connection.c - one connection to Redis: send commands and receive their
 * replies, for one call at a time.
 */
#include "store/redis_connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/wait.h"

bool
redis_connection_open(struct redis_connection *connection, int socket)
{
    connection->socket = socket;
    connection->reader = redis_reader_new();
    if (connection->reader)
        return true;
    redis_connection_close(connection);
    return false;
}

void
redis_connection_close(struct redis_connection *connection)
{
    if (connection->socket >= 0)
        wait_close(connection->socket);
    redis_reader_free(connection->reader);
    connection->socket = -1;
    connection->reader = NULL;
}

bool
redis_connection_is_alive(const struct redis_connection *connection)
{
    char byte;

    return connection->socket >= 0 &&
           recv(connection->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

/* cause: an errno; 0: the server closed the connection */
static enum redis_outcome
redis_set_lost(struct redis_error *error, int cause)
{
    bool is_timeout = cause == ETIMEDOUT;

    error->what = is_timeout ? "does not answer: " : "connection lost: ";
    error->cause = cause ? strerror(cause) : "closed by the server";
    return is_timeout ? REDIS_TIMED_OUT : REDIS_LOST;
}

static enum redis_outcome
redis_set_garbled(const struct redis_connection *connection,
                  struct redis_error *error)
{
    error->what = "sent something that is not a Redis reply: ";
    error->cause = redis_reader_error(connection->reader);
    return REDIS_LOST;
}

/* A reply to nothing: the next call would take it for its own. */
static enum redis_outcome
redis_set_unasked(struct redis_error *error)
{
    error->what = "sent a reply to no command";
    error->cause = "";
    return REDIS_LOST;
}

static enum redis_outcome
redis_batch_send(const struct redis_connection *connection,
                 const struct redis_batch *batch, int64_t deadline,
                 struct redis_error *error)
{
    struct iovec pieces[REDIS_BATCH_MAX];
    int cause;

    for (size_t i = 0; i < batch->count; i++)
        pieces[i] = (struct iovec){batch->texts[i], batch->lens[i]};
    cause =
        redis_socket_send(connection->socket, pieces, batch->count, deadline);
    return cause ? redis_set_lost(error, cause) : REDIS_DONE;
}

static enum redis_outcome
redis_batch_receive(struct redis_connection *connection, int64_t deadline,
                    struct redis_error *error)
{
    char bytes[2048];
    size_t len = 0;
    int cause = redis_socket_receive(connection->socket, bytes, sizeof(bytes),
                                     deadline, &len);

    if (cause || len == 0)
        return redis_set_lost(error, cause);
    if (!redis_reader_feed(connection->reader, bytes, len))
        return redis_set_garbled(connection, error);
    return REDIS_DONE;
}

enum redis_outcome
redis_connection_exchange(struct redis_connection *connection,
                          struct redis_batch *batch, int64_t deadline,
                          struct redis_error *error)
{
    enum redis_outcome outcome =
        redis_batch_send(connection, batch, deadline, error);

    while (outcome == REDIS_DONE) {
        if (!redis_reader_read(connection->reader, batch))
            return redis_set_garbled(connection, error);
        if (batch->replied == batch->count)
            break;
        outcome = redis_batch_receive(connection, deadline, error);
    }
    if (outcome == REDIS_DONE && !redis_reader_is_empty(connection->reader))
        return redis_set_unasked(error);
    return outcome;
}
