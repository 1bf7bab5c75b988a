/* SPDX-License-Identifier: ISC */
/*
 * redis_sentinel.c - ask the sentinels of a URL which server is the master.
 */
#include "store/redis_sentinel.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Copy a text that a server sent. Returns false when it is too long. */
static bool
redis_copy_text(const struct redisReply *reply, char *out, size_t size)
{
    struct pst_bytes bytes;

    if (!redis_reply_parse_bytes(reply, &bytes) || !bytes.ptr ||
        bytes.len == 0 || bytes.len >= size)
        return false;
    memcpy(out, bytes.ptr, bytes.len);
    out[bytes.len] = '\0';
    return true;
}

/* Read the reply to SENTINEL get-master-addr-by-name: host and port. */
static bool
redis_sentinel_parse(const struct redisReply *reply,
                     struct store_address *master, struct redis_error *error)
{
    const char *refusal = redis_reply_error(reply);
    struct redisReply **items;
    struct pst_bytes nothing;
    size_t count;

    if (redis_reply_parse_list(reply, &items, &count) && count == 2 &&
        redis_copy_text(items[0], master->host, sizeof(master->host)) &&
        redis_copy_text(items[1], master->port, sizeof(master->port)))
        return true;
    if (refusal)
        redis_error_set(error, "replied: ", refusal);
    else if (redis_reply_parse_bytes(reply, &nothing) && !nothing.ptr)
        redis_error_set(error, "does not know this master", "");
    else
        redis_error_set(error, "sent a reply of an unexpected type", "");
    return false;
}

/* AUTH may be refused where no password is needed: its reply is ignored. */
static bool
redis_sentinel_ask(const struct store_url *url,
                   struct redis_connection *connection, int64_t deadline,
                   struct store_address *master, struct redis_error *error)
{
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    bool is_known = false;

    redis_batch_add_auth(&batch, url);
    redis_command_init(&command, "SENTINEL");
    redis_add_string(&command, "get-master-addr-by-name");
    redis_add_string(&command, url->master);
    redis_batch_add(&batch, &command);
    if (batch.failed)
        redis_error_set(error, "out of memory", "");
    else if (redis_connection_exchange(connection, &batch, deadline, error) ==
             REDIS_DONE)
        is_known =
            redis_sentinel_parse(batch.replies[batch.count - 1], master, error);
    redis_batch_free(&batch);
    return is_known;
}

static bool
redis_sentinel_try(const struct redis_target *target,
                   const struct store_address *sentinel, int64_t deadline,
                   struct store_address *master, struct redis_error *error)
{
    struct redis_connection *connection = NULL;
    struct redis_error cause;
    bool is_known = false;
    int socket = redis_socket_connect(sentinel, deadline, &cause);

    if (socket >= 0) {
        connection = redis_connection_new(socket);
        if (!connection)
            redis_error_set(&cause, "out of memory", "");
    }
    if (connection)
        is_known = redis_sentinel_ask(target->url, connection, deadline, master,
                                      &cause);
    redis_connection_release(&connection);
    if (!is_known)
        (void)snprintf(error->text, sizeof(error->text),
                       "sentinel %.64s:%s: %.150s", sentinel->host,
                       sentinel->port, cause.text);
    return is_known;
}

bool
redis_sentinel_find(struct redis_target *target, int64_t deadline,
                    struct store_address *master, struct redis_error *error)
{
    size_t count = target->url->sentinel_count;

    for (size_t i = 0; i < count; i++) {
        size_t index = (target->sentinel + i) % count;
        int64_t now = clock_ms();
        /* An equal share for each one left, and for the master. */
        int64_t share = (deadline - now) / (int64_t)(count - i + 1);

        if (redis_sentinel_try(target, &target->url->sentinels[index],
                               now + share, master, error)) {
            target->sentinel = index;
            return true;
        }
    }
    return false;
}
