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
#include "engine/resolver.h"
#include "store/redis_cluster.h"

#define CALL_TIMEOUT 1000 /* milliseconds, of a whole call */
#define LOCATION_MAX 160  /* bytes of a URL in a message */

struct redis_handle {
    struct store base;
    struct store_url url;
    struct redis_link link;
    struct redis_link asked; /* in a Cluster, while a slot moves */
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
    char location[LOCATION_MAX];
    struct pst_buf buf;

    pst_buf_init(&buf, location, sizeof(location));
    store_url_emit(&buf, &handle->url);
    return store_set_error(&handle->base, "%.*s: %s%s", (int)buf.len, location,
                           what, cause);
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

/* Calls. */

/* Fails if any reply is an error. */
static enum pst_err
redis_check_replies(struct redis_handle *handle, struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const char *error = redis_reply_error(batch->replies[i]);

        if (!error)
            continue;
        batch->is_unknown_script = strncmp(error, "NOSCRIPT", 8) == 0;
        return redis_set_error(handle, "replied: ", error);
    }
    return PST_OK;
}

enum pst_err
redis_call(struct redis_handle *handle, struct redis_batch *batch)
{
    int64_t deadline = clock_ms() + CALL_TIMEOUT;
    struct redis_error error;
    enum pst_err e;

    if (batch->failed)
        e = redis_set_error(handle, "out of memory", "");
    else if (!redis_link_exchange(&handle->link, batch, deadline, &error) ||
             !redis_cluster_follow(&handle->link, &handle->asked, batch,
                                   deadline, &error))
        e = redis_set_error(handle, error.text, "");
    else
        e = redis_check_replies(handle, batch);
    if (e)
        redis_batch_free(batch);
    return e;
}

/* Call, and read the one reply, which is a number. */
static enum pst_err
redis_call_number(struct redis_handle *handle, struct redis_batch *batch,
                  int64_t *number)
{
    enum pst_err e = redis_call(handle, batch);

    if (e)
        return e;
    if (!redis_reply_parse_number(batch->replies[0], number))
        e = redis_set_reply_error(handle);
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
    e = redis_call_number(handle, &batch, number);
    if (batch.is_unknown_script) { /* so it was not executed */
        batch = (struct redis_batch){.count = 0};
        redis_command_spell_script(command);
        redis_batch_add(&batch, command);
        e = redis_call_number(handle, &batch, number);
    }
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

    if (!handle || resolver_start() != PST_OK) {
        free(handle);
        return PST_NO_MEMORY;
    }
    handle->url = *url;
    handle->link.target.url = &handle->url;
    handle->asked.target.url = &handle->url;
    *out = handle;
    return PST_OK;
}

void
redis_handle_free(struct redis_handle *handle)
{
    redis_link_close(&handle->link);
    redis_link_close(&handle->asked);
    pst_crypto_wipe(&handle->url, sizeof(handle->url));
    free(handle);
}
