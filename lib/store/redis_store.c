/* SPDX-License-Identifier: ISC */
/*
 * redis_store.c - the store in Redis (or Valkey), for several machines: revoked
 * sessions, spilled sessions, and the table of its functions.
 */
#include "store/redis_store.h"

#include <stdlib.h>
#include <string.h>

#include "store/redis_lease.h"
#include "store/redis_script.h"

int64_t
redis_seconds_to_keep(int64_t expires, int64_t now)
{
    return expires > now ? expires - now : 1;
}

void
redis_batch_add_get(struct redis_batch *batch, const struct redis_key *key)
{
    struct redis_command command;

    redis_command_init(&command, "GET");
    redis_add_key(&command, key);
    redis_batch_add(batch, &command);
}

/* Open, close, ping. */

static enum pst_err
redis_store_open(struct store **out, const struct store_url *url)
{
    struct redis_handle *handle;
    enum pst_err e = redis_handle_new(&handle, url);

    if (e)
        return e;
    redis_lease_open();
    *out = redis_handle_base(handle);
    return PST_OK;
}

static void
redis_store_close(struct store *base)
{
    redis_handle_free(redis_handle_from_base(base));
    redis_lease_close();
}

/* Warn if INFO shows that Redis may lose records. */
static void
redis_warn_of_loss(struct redis_handle *handle, const char *info)
{
    const char *policy = strstr(info, "maxmemory_policy:");
    const char *none = "maxmemory_policy:noeviction";
    bool is_limited = strstr(info, "maxmemory:") != NULL &&
                      strstr(info, "maxmemory:0\r") == NULL;

    if (is_limited && policy && strncmp(policy, none, strlen(none)) != 0)
        (void)redis_set_error(handle,
                              "its maxmemory-policy lets it evict records, so "
                              "that revoked sessions become valid again: set "
                              "maxmemory-policy noeviction",
                              "");
    else if (strstr(info, "aof_enabled:0") != NULL)
        (void)redis_set_error(
            handle,
            "it has no append-only file: after a restart, sessions revoked "
            "since it last saved are valid again: set appendonly yes",
            "");
}

static void
redis_read_info(struct redis_handle *handle)
{
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    struct pst_bytes info;
    enum pst_err e;

    redis_command_init(&command, "INFO");
    redis_batch_add(&batch, &command);
    e = redis_call(handle, &batch);
    redis_handle_base(handle)->error[0] = '\0'; /* INFO may be forbidden */
    if (e)
        return;
    if (redis_reply_parse_bytes(batch.replies[0], &info) && info.ptr)
        redis_warn_of_loss(handle, (const char *)info.ptr);
    redis_batch_free(&batch);
}

static enum pst_err
redis_store_ping(struct store *base, int64_t now)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    static const struct store_id id = {{0}};
    struct redis_key key = redis_key_make(handle, "ping", &id);
    struct redis_batch batch = {.is_read_only = true};
    struct redis_command command;
    struct pst_bytes kept;
    enum pst_err e;

    (void)now;
    redis_command_init(&command, "SET");
    redis_add_key(&command, &key);
    redis_add_string(&command, "1");
    redis_add_string(&command, "EX");
    redis_add_string(&command, "60");
    redis_batch_add(&batch, &command);
    redis_batch_add_get(&batch, &key);
    e = redis_call(handle, &batch);
    if (e)
        return e;
    e = redis_reply_bytes(handle, batch.replies[1], &kept);
    if (e == PST_OK && !kept.ptr)
        e = redis_set_error(handle, "accepted a record, but does not have it",
                            "");
    redis_batch_free(&batch);
    if (e == PST_OK)
        redis_read_info(handle);
    return e;
}

/* Revoked sessions. */

enum pst_err
redis_parse_since(struct redis_handle *handle, const struct redisReply *reply,
                  struct record_since *since)
{
    struct pst_bytes record;
    enum pst_err e = redis_reply_bytes(handle, reply, &record);

    if (e)
        return e;
    *since = (struct record_since){0, 0};
    if (record.ptr && !record_parse_since(record, since))
        *since = (struct record_since){RECORD_TIME_MAX, RECORD_TIME_MAX};
    return PST_OK;
}

/* Read the replies of redis_store_check(). */
static enum pst_err
redis_check_revoked(struct redis_handle *handle,
                    const struct redis_batch *batch, int64_t iat)
{
    struct record_since since;
    struct pst_bytes record;
    enum pst_err e = redis_reply_bytes(handle, batch->replies[0], &record);

    if (e)
        return e;
    if (record.ptr)
        return PST_REVOKED;
    if (batch->count < 2)
        return PST_OK;
    e = redis_parse_since(handle, batch->replies[1], &since);
    if (e)
        return e;
    return iat <= since.since ? PST_REVOKED : PST_OK;
}

static enum pst_err
redis_store_check(struct store *base, const struct store_id *sid,
                  const struct store_id *subject, int64_t iat)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct redis_key key = redis_key_make(handle, "revoked", sid);
    struct redis_batch batch = {.is_read_only = true};
    enum pst_err e;

    redis_batch_add_get(&batch, &key);
    if (subject) {
        key = redis_key_make(handle, "since", subject);
        redis_batch_add_get(&batch, &key);
    }
    e = redis_call(handle, &batch);
    if (e)
        return e;
    e = redis_check_revoked(handle, &batch, iat);
    redis_batch_free(&batch);
    return e;
}

void
redis_add_revocation(struct redis_command *command,
                     uint8_t record[static RECORD_REVOKED_LEN], int64_t expires,
                     int64_t now)
{
    record_emit_time(record, expires > now ? expires : now);
    redis_add_bytes(command, record, RECORD_REVOKED_LEN);
    redis_add_number(command,
                     redis_seconds_to_keep(expires, now) + PST_CLOCK_SKEW_MAX);
}

static enum pst_err
redis_store_revoke(struct store *base,
                   const struct store_revocation *revocation)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct redis_key revoked =
        redis_key_make(handle, "revoked", revocation->sid);
    struct redis_key spill = redis_key_make(handle, "spill", revocation->sid);
    struct redis_key sessions =
        redis_key_make(handle, "sessions", revocation->subject);
    uint8_t record[RECORD_REVOKED_LEN];
    struct redis_command command;
    int64_t done;

    redis_command_init_script(&command, SCRIPT_REVOKE_SESSION,
                              revocation->subject ? 3 : 2);
    redis_add_key(&command, &revoked);
    redis_add_key(&command, &spill);
    if (revocation->subject)
        redis_add_key(&command, &sessions);
    redis_add_revocation(&command, record, revocation->expires,
                         revocation->now);
    redis_add_id(&command, revocation->sid);
    return redis_call_script(handle, &command, &done);
}

void
redis_add_lifetimes(struct redis_command *command)
{
    redis_add_number(command, PST_LIFETIME_MAX);
    redis_add_number(command, PST_CLOCK_SKEW_MAX);
}

static enum pst_err
redis_store_revoke_all(struct store *base, const struct store_id *subject,
                       int64_t now, int64_t *since)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct redis_key key = redis_key_make(handle, "since", subject);
    struct redis_command command;

    redis_command_init_script(&command, SCRIPT_REVOKE_ALL, 1);
    redis_add_key(&command, &key);
    redis_add_number(&command, now);
    redis_add_lifetimes(&command);
    return redis_call_script(handle, &command, since);
}

/* Spilled sessions. */

void
redis_emit_spill(uint8_t *out, struct pst_bytes blob, int64_t expires)
{
    record_emit_time(out, expires);
    memcpy(out + RECORD_SPILL_HEAD_LEN, blob.ptr, blob.len);
}

/* The key of a session's tokens is that of its spilled part and one letter:
 * SCRIPT_REVOKE_FUNCTION deletes both. */
static struct redis_key
redis_spill_key(struct redis_handle *handle, const struct store_spill *spill)
{
    struct redis_key key = redis_key_make(handle, "spill", spill->sid);

    if (!spill->is_tokens)
        return key;
    PST_REQUIRE(key.len < sizeof(key.text));
    key.text[key.len++] = REDIS_TOKENS_SUFFIX[0];
    return key;
}

static enum pst_err
redis_put_spill(struct redis_handle *handle, const struct store_spill *spill,
                struct pst_bytes record)
{
    struct redis_key key = redis_spill_key(handle, spill);
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    int64_t done;
    enum pst_err e;

    if (spill->only_replace) {
        redis_command_init_script(&command, SCRIPT_SPILL_REPLACE, 1);
        redis_add_key(&command, &key);
        redis_add_bytes(&command, record.ptr, record.len);
        redis_add_number(&command,
                         redis_seconds_to_keep(spill->expires, spill->now));
        redis_add_number(&command, spill->now);
        e = redis_call_script(handle, &command, &done);
        return e == PST_OK && done != 1 ? PST_NOT_FOUND : e;
    }
    redis_command_init(&command, "SET");
    redis_add_key(&command, &key);
    redis_add_bytes(&command, record.ptr, record.len);
    redis_add_string(&command, "EX");
    redis_add_number(&command,
                     redis_seconds_to_keep(spill->expires, spill->now));
    redis_batch_add(&batch, &command);
    e = redis_call(handle, &batch);
    if (e == PST_OK)
        redis_batch_free(&batch);
    return e;
}

static enum pst_err
redis_store_spill_put(struct store *base, const struct store_spill *spill)
{
    size_t len = RECORD_SPILL_HEAD_LEN + spill->blob.len;
    uint8_t *record = malloc(len);
    enum pst_err e;

    if (!record)
        return PST_NO_MEMORY;
    redis_emit_spill(record, spill->blob, spill->expires);
    e = redis_put_spill(redis_handle_from_base(base), spill,
                        (struct pst_bytes){record, len});
    free(record);
    return e;
}

static enum pst_err
redis_store_spill_get(struct store *base, const struct store_spill *spill,
                      struct pst_arena *arena, struct pst_bytes *blob)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct redis_key key = redis_spill_key(handle, spill);
    struct redis_batch batch = {.is_read_only = true};
    struct pst_bytes record;
    enum pst_err e;

    redis_batch_add_get(&batch, &key);
    e = redis_call(handle, &batch);
    if (e)
        return e;
    e = redis_reply_bytes(handle, batch.replies[0], &record);
    if (e == PST_OK)
        e = record_copy_spill(record, spill->now, arena, blob);
    redis_batch_free(&batch);
    return e;
}

/* Redis removes expired keys by itself. */
static enum pst_err
redis_store_sweep(struct store *base, size_t limit, int64_t now,
                  struct store_sweep_result *swept)
{
    (void)base;
    (void)limit;
    (void)now;
    *swept = (struct store_sweep_result){0, 0};
    return PST_OK;
}

const struct store_operations store_redis = {
    .open = redis_store_open,
    .close = redis_store_close,
    .ping = redis_store_ping,
    .check = redis_store_check,
    .revoke = redis_store_revoke,
    .revoke_all = redis_store_revoke_all,
    .replace = redis_session_replace,
    .session_touch = redis_session_touch,
    .session_walk = redis_session_walk,
    .spill_put = redis_store_spill_put,
    .spill_get = redis_store_spill_get,
    .acquire = redis_counter_acquire,
    .refund = redis_counter_refund,
    .lock = redis_lock,
    .is_locked = redis_is_locked,
    .unlock = redis_unlock,
    .sweep = redis_store_sweep,
};
