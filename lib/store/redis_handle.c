/* SPDX-License-Identifier: ISC */
/*
 * redis_handle.c - a store handle on Redis (or Valkey): it connects when needed
 * and runs commands in round trips.
 */
#include "store/redis_handle.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "crypto/crypto.h"
#include "store/redis_socket.h"

/* Milliseconds. */
#define CONNECT_TIMEOUT 1000
#define COMMAND_TIMEOUT 500
#define RETRY_DELAY 250

struct redis_handle {
    struct store base;
    struct store_url url;
    int socket;                 /* -1: not connected */
    struct redisReader *reader; /* NULL: not connected */
    int64_t retry_at;           /* monotonic milliseconds */
};

enum outcome { EXCHANGE_DONE, EXCHANGE_LOST, EXCHANGE_TIMED_OUT };

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
    pst_buf_add_string(&buf, "postern:");
    pst_buf_add(&buf, (struct pst_str){handle->base.audience,
                                       handle->base.audience_len});
    pst_buf_add_char(&buf, ':');
    pst_buf_add_string(&buf, kind);
    pst_buf_add_char(&buf, ':');
    if (id)
        pst_buf_add_hex(&buf, (struct pst_bytes){id->bytes, PST_HASH_LEN});
    PST_REQUIRE(buf.err == PST_OK);
    key.len = buf.len;
    return key;
}

/* Round trips on an open connection. */

static void
redis_disconnect(struct redis_handle *handle)
{
    if (handle->socket >= 0)
        close(handle->socket);
    redis_reader_free(handle->reader);
    handle->socket = -1;
    handle->reader = NULL;
}

/* cause: an errno; 0: the server closed the connection. */
static enum outcome
redis_connection_lost(struct redis_handle *handle, int cause)
{
    bool is_timeout = cause == ETIMEDOUT;

    (void)redis_set_error(
        handle, is_timeout ? "does not answer: " : "connection lost: ",
        cause ? strerror(cause) : "closed by the server");
    return is_timeout ? EXCHANGE_TIMED_OUT : EXCHANGE_LOST;
}

static enum outcome
redis_protocol_error(struct redis_handle *handle)
{
    (void)redis_set_error(handle, "sent something that is not a Redis reply: ",
                          redis_reader_error(handle->reader));
    return EXCHANGE_LOST;
}

static enum outcome
redis_batch_send(struct redis_handle *handle, const struct redis_batch *batch,
                 int64_t deadline)
{
    struct iovec pieces[REDIS_BATCH_MAX];
    int cause;

    for (size_t i = 0; i < batch->count; i++)
        pieces[i] = (struct iovec){batch->texts[i], batch->lens[i]};
    cause = redis_socket_send(handle->socket, pieces, batch->count, deadline);
    return cause ? redis_connection_lost(handle, cause) : EXCHANGE_DONE;
}

static enum outcome
redis_batch_receive(struct redis_handle *handle, int64_t deadline)
{
    char bytes[2048];
    size_t len = 0;
    int cause = redis_socket_receive(handle->socket, bytes, sizeof(bytes),
                                     deadline, &len);

    if (cause || len == 0)
        return redis_connection_lost(handle, cause);
    if (!redis_reader_feed(handle->reader, bytes, len))
        return redis_protocol_error(handle);
    return EXCHANGE_DONE;
}

static enum outcome
redis_batch_exchange(struct redis_handle *handle, struct redis_batch *batch)
{
    int64_t deadline = clock_ms() + COMMAND_TIMEOUT;
    enum outcome outcome = redis_batch_send(handle, batch, deadline);

    while (outcome == EXCHANGE_DONE) {
        if (!redis_reader_read(handle->reader, batch))
            return redis_protocol_error(handle);
        if (batch->replied == batch->count)
            break;
        outcome = redis_batch_receive(handle, deadline);
    }
    return outcome;
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
                    const struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const char *error = redis_reply_error(batch->replies[i]);
        enum pst_err e;

        if (!error)
            continue;
        e = redis_set_error(handle, "replied: ", error);
        if (redis_is_fatal_error(error))
            redis_disconnect(handle);
        return e;
    }
    return PST_OK;
}

/* Connecting. */

/* Authenticate, and select the database. */
static enum pst_err
redis_handshake(struct redis_handle *handle)
{
    const struct store_url *url = &handle->url;
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    enum pst_err e = PST_STORE_DOWN;

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
        (void)redis_set_error(handle, "out of memory", "");
    else if (redis_batch_exchange(handle, &batch) == EXCHANGE_DONE)
        e = redis_check_replies(handle, &batch);
    redis_batch_free(&batch);
    return e;
}

static enum pst_err
redis_connect(struct redis_handle *handle)
{
    struct redis_error error;

    handle->socket =
        redis_socket_connect(&handle->url, CONNECT_TIMEOUT, &error);
    if (handle->socket < 0)
        return redis_set_error(handle, error.what, error.cause);
    handle->reader = redis_reader_new();
    if (!handle->reader)
        return redis_set_error(handle, "out of memory", "");
    return redis_handshake(handle);
}

static enum pst_err
redis_ensure_connected(struct redis_handle *handle)
{
    enum pst_err e;

    if (handle->socket >= 0)
        return PST_OK;
    if (clock_ms() < handle->retry_at)
        return PST_STORE_DOWN; /* with the error of the last attempt */
    e = redis_connect(handle);
    if (e == PST_OK)
        return PST_OK;
    redis_disconnect(handle);
    handle->retry_at = clock_ms() + RETRY_DELAY;
    return e;
}

/* Calls. */

/* Exchange the batch, a second time on a new connection if an open one turns
 * out to be broken. */
static enum pst_err
redis_exchange_again(struct redis_handle *handle, struct redis_batch *batch)
{
    bool was_open = handle->socket >= 0;
    enum outcome outcome;
    enum pst_err e = redis_ensure_connected(handle);

    if (e)
        return e;
    outcome = redis_batch_exchange(handle, batch);
    if (outcome == EXCHANGE_LOST && was_open) {
        redis_disconnect(handle);
        redis_batch_rewind(batch);
        e = redis_ensure_connected(handle);
        if (e)
            return e;
        outcome = redis_batch_exchange(handle, batch);
    }
    if (outcome == EXCHANGE_DONE)
        return PST_OK;
    redis_disconnect(handle);
    handle->retry_at = clock_ms() + RETRY_DELAY;
    return PST_STORE_DOWN;
}

enum pst_err
redis_call(struct redis_handle *handle, struct redis_batch *batch)
{
    enum pst_err e;

    if (batch->failed)
        e = redis_set_error(handle, "out of memory", "");
    else
        e = redis_exchange_again(handle, batch);
    if (e == PST_OK)
        e = redis_check_replies(handle, batch);
    if (e)
        redis_batch_free(batch);
    return e;
}

enum pst_err
redis_call_number(struct redis_handle *handle, struct redis_command *command,
                  int64_t *number)
{
    struct redis_batch batch = {.count = 0};
    enum pst_err e;

    redis_batch_add(&batch, command);
    e = redis_call(handle, &batch);
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

    if (!handle)
        return PST_NO_MEMORY;
    handle->url = *url;
    handle->socket = -1;
    *out = handle;
    return PST_OK;
}

void
redis_handle_free(struct redis_handle *handle)
{
    redis_disconnect(handle);
    pst_crypto_wipe(&handle->url, sizeof(handle->url));
    free(handle);
}
