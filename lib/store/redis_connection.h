/* SPDX-License-Identifier: ISC */
/*
 * redis_connection.h - one connection to Redis: send commands and receive their
 * replies, for one call at a time.
 */
#ifndef POSTERN_STORE_REDIS_CONNECTION_H
#define POSTERN_STORE_REDIS_CONNECTION_H

#include "base/base.h"
#include "store/redis.h"
#include "store/redis_socket.h"

struct redis_connection {
    int socket;                 /* -1: not connected */
    struct redisReader *reader; /* NULL: not connected */
    bool is_busy;               /* some call uses it */
};

enum redis_outcome {
    REDIS_DONE,
    REDIS_LOST, /* the commands may have been executed */
    REDIS_TIMED_OUT,
};

/* Adopt a connected socket. Returns false, and closes it, when there is no
 * memory. */
PST_MUST_USE bool redis_connection_open(struct redis_connection *connection,
                                        int socket);
void redis_connection_close(struct redis_connection *connection);

/* Has the server neither closed it nor sent anything, since the last call? */
bool redis_connection_is_alive(const struct redis_connection *connection);

/*
 * Send the commands and receive their replies.
 *   deadline  of clock_ms()
 *   error     set unless the result is REDIS_DONE; valid until the connection
 *             is closed
 */
PST_MUST_USE enum redis_outcome
redis_connection_exchange(struct redis_connection *connection,
                          struct redis_batch *batch, int64_t deadline,
                          struct redis_error *error);

#endif
