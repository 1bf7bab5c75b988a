/* SPDX-License-Identifier: ISC */
/*
 * redis_handle.c - a store handle on Redis (or Valkey): it connects when needed
 * and runs commands in round trips.
 */
#include "store/redis_handle.h"

#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "crypto/crypto.h"
#include "engine/blocking.h"
#include "engine/wait.h"
#include "store/redis_connection.h"

/* Milliseconds. The pause after a failure doubles with each further one. */
#define CONNECT_TIMEOUT 1000
#define COMMAND_TIMEOUT 500
#define RETRY_DELAY 250
#define RETRY_DELAY_MAX 2000
#define CLOSE_TIMEOUT 250

/* Connections of one handle, and the milliseconds between looks for one that
 * has become free. */
#define CONNECTIONS_MAX 16
#define BUSY_DELAY 2

struct redis_handle {
    struct store base;
    struct store_url url;
    struct blocking_pool *resolver; /* of host names */
    struct redis_connection connections[CONNECTIONS_MAX];
    int64_t retry_at;    /* monotonic milliseconds: not to connect before */
    int64_t retry_delay; /* 0: the last attempt did not fail */
    char reason[STORE_ERROR_MAX]; /* why it failed */
};

struct store *
redis_handle_base(struct redis_handle *handle)
{
    return &handle->base;
}

struct redis_handle *
redis_handle_from_base(struct store *store)
{
    return (struct redis_handle *)(void *)store;
}

const struct store_url *
redis_handle_url(const struct redis_handle *handle)
{
    return &handle->url;
}

enum pst_err
redis_set_error(struct redis_handle *handle, const char *what,
                const char *cause)
{
    char location[STORE_URL_PART_MAX * 3];
    struct pst_str text = PST_STR_NONE;
    struct pst_buf buf;

    pst_buf_init(&buf, location, sizeof(location));
    store_url_emit(&buf, &handle->url);
    (void)!pst_buf_finish(&buf, &text);
    return store_set_error(&handle->base, "%.*s: %s%s", (int)text.len,
                           text.ptr ? text.ptr : "", what, cause);
}

enum pst_err
redis_set_reply_error(struct redis_handle *handle)
{
    return redis_set_error(handle, "sent a reply of an unexpected type", "");
}

struct redis_key
redis_key_make(struct redis_handle *handle, const char *kind,
               const struct store_id *id)
{
    struct pst_buf buf;
    struct redis_key key;

    pst_buf_init(&buf, key.text, sizeof(key.text));
    pst_buf_add_string(&buf, "postern:{");
    pst_buf_add(&buf, (struct pst_str){handle->base.audience,
                                       handle->base.audience_len});
    pst_buf_add_string(&buf, "}:");
    pst_buf_add_string(&buf, kind);
    pst_buf_add_char(&buf, ':');
    if (id)
        pst_buf_add_hex(&buf, (struct pst_bytes){id->bytes, PST_HASH_LEN});
    PST_REQUIRE(buf.err == PST_OK);
    key.len = buf.len;
    return key;
}

/* Does this error mean that the connection is of no more use? */
static bool
redis_is_fatal_error(const char *error)
{
    static const char *const fatal_errors[] = {"NOAUTH", "WRONGPASS",
                                               "READONLY", "MASTERDOWN"};

    for (size_t i = 0; i < PST_COUNT(fatal_errors); i++) {
        if (strncmp(error, fatal_errors[i], strlen(fatal_errors[i])) == 0)
            return true;
    }
    return false;
}

/* Fails if any reply is an error. */
static enum pst_err
redis_check_replies(struct redis_handle *handle,
                    struct redis_connection *connection,
                    struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const char *error = redis_reply_error(batch->replies[i]);

        if (!error)
            continue;
        batch->is_unknown_script = strncmp(error, "NOSCRIPT", 8) == 0;
        (void)redis_set_error(handle, "replied: ", error);
        if (redis_is_fatal_error(error))
            redis_connection_close(connection);
        return PST_STORE_DOWN;
    }
    return PST_OK;
}

/* Connecting. */

/* The server is gone: let calls fail at once for a while. Not all handles
 * connect again at the same instant. */
static void
redis_back_off(struct redis_handle *handle)
{
    int64_t delay = handle->retry_delay * 2;
    uint16_t random = 0;

    /* Else others failed with this one. 0: another has connected meanwhile. */
    if (clock_ms() >= handle->retry_at || handle->retry_delay == 0)
        handle->retry_delay = delay == 0                ? RETRY_DELAY
                              : delay > RETRY_DELAY_MAX ? RETRY_DELAY_MAX
                                                        : delay;
    (void)!pst_crypto_random(&random, sizeof(random));
    handle->retry_at =
        clock_ms() + handle->retry_delay + random % (handle->retry_delay / 2);
    memcpy(handle->reason, handle->base.error, sizeof(handle->reason));
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (!handle->connections[i].is_busy)
            redis_connection_close(&handle->connections[i]);
    }
}

/* Authenticate, and select the database. */
static enum pst_err
redis_handshake(struct redis_handle *handle,
                struct redis_connection *connection)
{
    const struct store_url *url = &handle->url;
    int64_t deadline = clock_ms() + COMMAND_TIMEOUT;
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    struct redis_error error;
    enum pst_err e;

    if (url->password[0] != '\0') {
        redis_command_init(&command, "AUTH");
        if (url->user[0] != '\0')
            redis_add_string(&command, url->user);
        redis_add_string(&command, url->password);
        redis_batch_add(&batch, &command);
    }
    if (url->db != 0) {
        redis_command_init(&command, "SELECT");
        redis_add_number(&command, url->db);
        redis_batch_add(&batch, &command);
    }
    if (batch.failed)
        e = redis_set_error(handle, "out of memory", "");
    else if (redis_connection_exchange(connection, &batch, deadline, &error) !=
             REDIS_DONE)
        e = redis_set_error(handle, error.what, error.cause);
    else
        e = redis_check_replies(handle, connection, &batch);
    redis_batch_free(&batch);
    return e;
}

static enum pst_err
redis_connect(struct redis_handle *handle, struct redis_connection *connection)
{
    struct redis_error error;
    enum pst_err e;
    int socket;

    if (clock_ms() < handle->retry_at)
        return store_set_error(&handle->base, "%s", handle->reason);
    socket = redis_socket_connect(&handle->url, handle->resolver,
                                  CONNECT_TIMEOUT, &error);
    if (socket < 0)
        e = redis_set_error(handle, error.what, error.cause);
    else if (!redis_connection_open(connection, socket))
        e = redis_set_error(handle, "out of memory", "");
    else
        e = redis_handshake(handle, connection);
    if (e) {
        redis_connection_close(connection);
        redis_back_off(handle);
        return e;
    }
    handle->retry_at = 0; /* another fiber may have failed meanwhile */
    handle->retry_delay = 0;
    return PST_OK;
}

/* Calls. */

/* An open connection that no call uses; else one that is not open; NULL: all
 * are in use. */
static struct redis_connection *
redis_find_connection(struct redis_handle *handle)
{
    struct redis_connection *closed = NULL;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct redis_connection *connection = &handle->connections[i];

        if (connection->is_busy)
            continue;
        if (connection->socket >= 0)
            return connection;
        if (!closed)
            closed = connection;
    }
    return closed;
}

/* Take a connection for one call; other fibers have others meanwhile. NULL: all
 * were in use for as long as a command may take. */
static struct redis_connection *
redis_take_connection(struct redis_handle *handle)
{
    int64_t deadline = clock_ms() + COMMAND_TIMEOUT;
    struct redis_connection *connection = redis_find_connection(handle);

    while (!connection && clock_ms() < deadline) {
        (void)!wait_until(&(struct wait_limit){clock_ms() + BUSY_DELAY, -1});
        connection = redis_find_connection(handle);
    }
    if (connection)
        connection->is_busy = true;
    return connection;
}

/* Exchange a batch, and close the connection if that fails. */
static enum redis_outcome
redis_try_exchange(struct redis_handle *handle,
                   struct redis_connection *connection,
                   struct redis_batch *batch)
{
    int64_t deadline = clock_ms() + COMMAND_TIMEOUT;
    struct redis_error error;
    enum redis_outcome outcome =
        redis_connection_exchange(connection, batch, deadline, &error);

    if (outcome == REDIS_DONE)
        return outcome;
    (void)redis_set_error(handle, error.what, error.cause);
    redis_connection_close(connection);
    return outcome;
}

/* If an open connection turns out to be broken, connect again. What may have
 * been executed is not repeated, unless it only reads. */
static enum pst_err
redis_exchange(struct redis_handle *handle, struct redis_connection *connection,
               struct redis_batch *batch)
{
    bool is_old;
    enum redis_outcome outcome;
    enum pst_err e = PST_OK;

    if (!redis_connection_is_alive(connection))
        redis_connection_close(connection);
    is_old = connection->socket >= 0;
    if (!is_old)
        e = redis_connect(handle, connection);
    if (e)
        return e;
    outcome = redis_try_exchange(handle, connection, batch);
    if (outcome == REDIS_LOST && is_old && batch->is_read_only) {
        redis_batch_rewind(batch);
        e = redis_connect(handle, connection);
        if (e)
            return e;
        outcome = redis_try_exchange(handle, connection, batch);
    }
    if (outcome == REDIS_DONE)
        return redis_check_replies(handle, connection, batch);
    redis_back_off(handle);
    return PST_STORE_DOWN;
}

enum pst_err
redis_call(struct redis_handle *handle, struct redis_batch *batch)
{
    struct redis_connection *connection = NULL;
    enum pst_err e;

    if (!batch->failed)
        connection = redis_take_connection(handle);
    if (connection) {
        e = redis_exchange(handle, connection, batch);
        connection->is_busy = false;
    } else {
        e = redis_set_error(
            handle,
            batch->failed ? "out of memory" : "all connections are in use", "");
    }
    if (e)
        redis_batch_free(batch);
    return e;
}

enum pst_err
redis_call_script(struct redis_handle *handle, struct redis_command *command,
                  int64_t *number)
{
    struct redis_batch batch = {.count = 0};
    enum pst_err e;

    redis_batch_add(&batch, command);
    e = redis_call(handle, &batch);
    if (batch.is_unknown_script) { /* so it was not executed */
        batch = (struct redis_batch){.count = 0};
        redis_command_spell_script(command);
        redis_batch_add(&batch, command);
        e = redis_call(handle, &batch);
    }
    if (e)
        return e;
    if (!redis_reply_parse_number(batch.replies[0], number))
        e = redis_set_reply_error(handle);
    redis_batch_free(&batch);
    return e;
}

enum pst_err
redis_reply_bytes(struct redis_handle *handle, const struct redisReply *reply,
                  struct pst_bytes *bytes)
{
    return redis_reply_parse_bytes(reply, bytes)
               ? PST_OK
               : redis_set_reply_error(handle);
}

enum pst_err
redis_reply_list(struct redis_handle *handle, const struct redisReply *reply,
                 struct redisReply ***items, size_t *count)
{
    return redis_reply_parse_list(reply, items, count)
               ? PST_OK
               : redis_set_reply_error(handle);
}

/* Handles. */

enum pst_err
redis_handle_new(struct redis_handle **out, const struct store_url *url)
{
    struct redis_handle *handle = calloc(1, sizeof(*handle));

    if (!handle || blocking_pool_new(&handle->resolver, 1, CONNECTIONS_MAX)) {
        free(handle);
        return PST_NO_MEMORY;
    }
    handle->url = *url;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        handle->connections[i].socket = -1;
    *out = handle;
    return PST_OK;
}

void
redis_handle_free(struct redis_handle *handle)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        redis_connection_close(&handle->connections[i]);
    /* A look-up may hang for longer than the program wants to wait. */
    if (blocking_pool_drain(handle->resolver, clock_ms() + CLOSE_TIMEOUT))
        blocking_pool_free(&handle->resolver);
    pst_crypto_wipe(&handle->url, sizeof(handle->url));
    free(handle);
}
