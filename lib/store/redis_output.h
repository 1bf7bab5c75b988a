/* SPDX-License-Identifier: ISC */
/*
 * redis_output.h - commands that are to be sent to Redis, in one piece.
 */
#ifndef POSTERN_STORE_REDIS_OUTPUT_H
#define POSTERN_STORE_REDIS_OUTPUT_H

#include "base/base.h"
#include "store/redis.h"

#define REDIS_OUTPUT_MAX (16 * 1024 * 1024) /* bytes that wait: our choice */

/* Begins as zeros. */
struct redis_output {
    char *bytes; /* what is left to send */
    size_t len;
    size_t size;
    uint64_t added; /* bytes, ever */
    uint64_t sent;  /* of these */
};

/* Free it, and wipe it: there may have been a password. */
void redis_output_free(struct redis_output *output);

/* Add all commands of a batch, or none. Returns false when there is no memory,
 * or too much waits. */
PST_MUST_USE bool redis_output_add(struct redis_output *output,
                                   const struct redis_batch *batch);

/* Send what the socket takes, without waiting. Returns 0 when all is sent, or
 * an errno: EAGAIN when something is left. Raises no SIGPIPE. */
PST_MUST_USE int redis_output_send(struct redis_output *output, int socket);

#endif
