/* SPDX-License-Identifier: ISC */
/*
 * redis_connect.c - connect to the server that has a store's data, and
 * authenticate.
 */
#include "store/redis_connect.h"

#include <string.h>

#include "base/clock.h"
#include "store/redis_sentinel.h"

/* Is this the reply of a master to ROLE? */
static bool
redis_is_master(const struct redisReply *reply)
{
    struct redisReply **items;
    struct pst_bytes role;
    size_t count;

    return redis_reply_parse_list(reply, &items, &count) && count > 0 &&
           redis_reply_parse_bytes(items[0], &role) &&
           pst_str_equal(pst_str_from_bytes(role), PST_STR("master"));
}

static bool
redis_check_handshake(const struct redis_batch *batch, bool has_role,
                      struct redis_error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        const char *text = redis_reply_error(batch->replies[i]);

        if (!text)
            continue;
        redis_error_set(error, "replied: ", text);
        return false;
    }
    if (!has_role || redis_is_master(batch->replies[batch->count - 1]))
        return true;
    redis_error_set(error, "the server that the sentinels name is no master",
                    "");
    return false;
}

/* Authenticate, select the database, and ask whether this is a master. */
static void
redis_add_handshake(struct redis_batch *batch, const struct store_url *url)
{
    struct redis_command command;

    redis_batch_add_auth(batch, url);
    if (url->db != 0) {
        redis_command_init(&command, "SELECT");
        redis_add_number(&command, url->db);
        redis_batch_add(batch, &command);
    }
    if (url->sentinel_count > 0) {
        redis_command_init(&command, "ROLE");
        redis_batch_add(batch, &command);
    }
}

static bool
redis_handshake(const struct store_url *url,
                struct redis_connection *connection, int64_t deadline,
                struct redis_error *error)
{
    struct redis_batch batch = {.count = 0};
    bool is_done = true;

    redis_add_handshake(&batch, url);
    if (batch.failed) {
        redis_error_set(error, "out of memory", "");
        is_done = false;
    } else if (batch.count > 0) {
        is_done = redis_connection_exchange(connection, &batch, deadline,
                                            error) == REDIS_DONE &&
                  redis_check_handshake(&batch, url->sentinel_count > 0, error);
    }
    redis_batch_free(&batch);
    return is_done;
}

/* Connect to one address; NULL: to the socket of the URL. Meanwhile, another
 * fiber may change target->moved. */
static struct redis_connection *
redis_connect_to(struct redis_target *target,
                 const struct store_address *address, int64_t deadline,
                 struct redis_error *error)
{
    const struct store_address none = {.host = ""};
    const struct store_address to = address ? *address : none;
    struct redis_connection *connection;
    int socket =
        address ? redis_socket_connect(&to, deadline, error)
                : redis_socket_connect_path(target->url->path, deadline, error);

    if (socket < 0)
        return NULL;
    connection = redis_connection_new(socket);
    if (!connection)
        redis_error_set(error, "out of memory", "");
    else if (!redis_handshake(target->url, connection, deadline, error))
        redis_connection_release(&connection);
    if (connection)
        target->at = to;
    return connection;
}

/* Connect to the server that the URL names. */
static struct redis_connection *
redis_connect_by_url(struct redis_target *target, int64_t deadline,
                     struct redis_error *error)
{
    const struct store_url *url = target->url;
    struct store_address master;

    if (url->sentinel_count == 0)
        return redis_connect_to(target, url->path[0] ? NULL : &url->server,
                                deadline, error);
    if (!redis_sentinel_find(target, deadline, &master, error))
        return NULL;
    return redis_connect_to(target, &master, deadline, error);
}

struct redis_connection *
redis_connect(struct redis_target *target, int64_t deadline,
              struct redis_error *error)
{
    bool is_moved_first = target->is_moved_first;
    struct redis_connection *connection = NULL;
    struct redis_error other;
    int64_t now = clock_ms();

    target->is_moved_first = false;
    if (is_moved_first)
        return redis_connect_to(target, &target->moved, deadline, error);
    if (target->moved.host[0] == '\0')
        return redis_connect_by_url(target, deadline, error);
    connection =
        redis_connect_by_url(target, now + (deadline - now) / 2, error);
    if (connection)
        return connection;
    return redis_connect_to(target, &target->moved, deadline, &other);
}
