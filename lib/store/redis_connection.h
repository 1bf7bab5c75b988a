/* SPDX-License-Identifier: ISC */
/*
 * redis_connection.h - one connection to Redis, which many calls use at a time:
 * what they send is written together, and replies are matched with them in
 * order.
 *
 * In a fiber, the loop sends and receives, outside of fibers; elsewhere the
 * caller does. hiredis has an asynchronous interface as well. It is not used:
 * it cannot tell whether a command was sent, so whether it may be repeated; it
 * needs a loop, which plain CGI has not; and it resolves names by itself.
 */
#ifndef POSTERN_STORE_REDIS_CONNECTION_H
#define POSTERN_STORE_REDIS_CONNECTION_H

#include "base/base.h"
#include "store/redis.h"
#include "store/redis_socket.h"

struct redis_connection;

enum redis_outcome {
    REDIS_DONE,
    REDIS_LOST,   /* the commands may have been executed */
    REDIS_UNSENT, /* none of them has left this process */
    REDIS_TIMED_OUT,
};

/* Adopt a connected socket. Returns NULL, and closes it, when there is no
 * memory. The caller holds the connection. */
struct redis_connection *redis_connection_new(int socket);

/* A connection exists, and stays open unless it breaks, for as long as somebody
 * holds it. Releasing sets the pointer to NULL, which it may be already. */
struct redis_connection *
redis_connection_hold(struct redis_connection *connection);
void redis_connection_release(struct redis_connection **connection);

/* Has it not broken, as far as is known? */
bool redis_connection_is_open(const struct redis_connection *connection);

/* Has the server sent anything yet? */
bool redis_connection_has_answered(const struct redis_connection *connection);

/*
 * Send the commands and receive their replies. The caller holds the connection.
 * A call that ends at its deadline breaks the connection if the server sent
 * nothing meanwhile; otherwise its replies are dropped when they come.
 *   deadline  of clock_ms()
 *   error     set unless the result is REDIS_DONE
 */
PST_MUST_USE enum redis_outcome
redis_connection_exchange(struct redis_connection *connection,
                          struct redis_batch *batch, int64_t deadline,
                          struct redis_error *error);

#endif
