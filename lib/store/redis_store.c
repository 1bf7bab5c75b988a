/* SPDX-License-Identifier: ISC */
/*
 * redis_store.c - the store of several machines: what is asked of a store, as
 * keys of Redis (or Valkey) and scripts that run there.
 *
 * Keys: postern:<audience>:<kind>:<hash in hex>.
 */
#include <stdlib.h>
#include <string.h>

#include "store/record.h"
#include "store/redis.h"
#include "store/redis_script.h"
#include "store/store.h"

/* What SCAN looks at in one step, and the bytes of its cursor. */
#define SCAN_STEP "512"
#define CURSOR_SIZE 24

/* How long Redis is to keep something, counted from the caller's clock. */
static int64_t
redis_seconds_to_keep(int64_t expires, int64_t now)
{
    return expires > now ? expires - now : 1;
}

static void
redis_batch_add_get(struct redis_batch *batch, const struct redis_key *key)
{
    struct redis_command command;

    redis_command_init(&command, "GET");
    redis_add_key(&command, key);
    redis_batch_add(batch, &command);
}

/* Opening. */

static enum pst_err
redis_store_open(struct store **out, const struct store_url *url)
{
    struct redis_store *store;
    enum pst_err e = redis_new(&store, url);

    if (e)
        return e;
    *out = redis_base(store);
    return PST_OK;
}

static void
redis_store_close(struct store *base)
{
    redis_free(redis_from_base(base));
}

/* What INFO says of a Redis that will forget; nothing when it says nothing. */
static void
redis_warn_of_loss(struct redis_store *store, const char *info)
{
    const char *policy = strstr(info, "maxmemory_policy:");
    const char *none = "maxmemory_policy:noeviction";
    bool is_limited = strstr(info, "maxmemory:") != NULL &&
                      strstr(info, "maxmemory:0\r") == NULL;

    if (is_limited && policy && strncmp(policy, none, strlen(none)) != 0)
        (void)redis_set_error(store,
                              "its maxmemory-policy lets it drop records, and "
                              "ended sessions live again: set noeviction",
                              "");
    else if (strstr(info, "aof_enabled:0") != NULL)
        (void)redis_set_error(
            store,
            "it keeps no append-only file: what was ended "
            "since it last saved lives again when it restarts",
            "");
}

static void
redis_read_info(struct redis_store *store)
{
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    struct pst_bytes info;

    redis_command_init(&command, "INFO");
    redis_batch_add(&batch, &command);
    if (redis_call(store, &batch) == PST_OK) {
        if (redis_reply_bytes(store, batch.replies[0], &info) == PST_OK &&
            info.ptr)
            redis_warn_of_loss(store, (const char *)info.ptr);
        redis_batch_free(&batch);
        return;
    }
    redis_base(store)->error[0] = '\0'; /* it may not be ours to ask */
}

static enum pst_err
redis_store_ping(struct store *base, int64_t now)
{
    struct redis_store *store = redis_from_base(base);
    static const struct store_id id = {{0}};
    struct redis_key key = redis_key_make(store, "ping", &id);
    struct redis_batch batch = {.count = 0};
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
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = redis_reply_bytes(store, batch.replies[1], &kept);
    if (e == PST_OK && !kept.ptr)
        e = redis_set_error(store, "does not keep what it is given", "");
    redis_batch_free(&batch);
    if (e == PST_OK)
        redis_read_info(store);
    return e;
}

/* Sessions that ended. */

/* What is known of a user; zeros when nothing is. What cannot be read may
 * have ended them all. */
static enum pst_err
redis_parse_since(struct redis_store *store, const struct redisReply *reply,
                  struct record_since *since)
{
    struct pst_bytes record;
    enum pst_err e = redis_reply_bytes(store, reply, &record);

    if (e)
        return e;
    *since = (struct record_since){0, 0};
    if (record.ptr && !record_parse_since(record, since))
        *since = (struct record_since){INT64_MAX, INT64_MAX};
    return PST_OK;
}

/* What the two replies amount to. */
static enum pst_err
redis_check_revoked(struct redis_store *store, const struct redis_batch *batch,
                    int64_t iat)
{
    struct record_since since;
    struct pst_bytes record;
    enum pst_err e = redis_reply_bytes(store, batch->replies[0], &record);

    if (e)
        return e;
    if (record.ptr)
        return PST_REVOKED;
    if (batch->count < 2)
        return PST_OK;
    e = redis_parse_since(store, batch->replies[1], &since);
    if (e)
        return e;
    return iat <= since.since ? PST_REVOKED : PST_OK;
}

static enum pst_err
redis_store_check(struct store *base, const struct store_id *sid,
                  const struct store_id *subject, int64_t iat)
{
    struct redis_store *store = redis_from_base(base);
    struct redis_key key = redis_key_make(store, "revoked", sid);
    struct redis_batch batch = {.count = 0};
    enum pst_err e;

    redis_batch_add_get(&batch, &key);
    if (subject) {
        key = redis_key_make(store, "since", subject);
        redis_batch_add_get(&batch, &key);
    }
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = redis_check_revoked(store, &batch, iat);
    redis_batch_free(&batch);
    return e;
}

/* The record of an end, and how long it stays. */
static void
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
                   const struct store_session_change *revocation)
{
    struct redis_store *store = redis_from_base(base);
    struct redis_key revoked =
        redis_key_make(store, "revoked", revocation->sid);
    struct redis_key spill = redis_key_make(store, "spill", revocation->sid);
    struct redis_key sessions =
        redis_key_make(store, "sessions", revocation->subject);
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
    return redis_call_number(store, &command, &done);
}

static void
redis_add_lifetimes(struct redis_command *command)
{
    redis_add_number(command, PST_LIFETIME_MAX);
    redis_add_number(command, PST_CLOCK_SKEW_MAX);
}

static enum pst_err
redis_store_revoke_all(struct store *base, const struct store_id *subject,
                       int64_t now, int64_t *since)
{
    struct redis_store *store = redis_from_base(base);
    struct redis_key key = redis_key_make(store, "since", subject);
    struct redis_command command;

    redis_command_init_script(&command, SCRIPT_REVOKE_ALL, 1);
    redis_add_key(&command, &key);
    redis_add_number(&command, now);
    redis_add_lifetimes(&command);
    return redis_call_number(store, &command, since);
}

/* Lists of live sessions. */

/* A blob as it is stored: RECORD_SPILL_HEAD_LEN more bytes than it has. */
static void
redis_emit_spill(uint8_t *out, struct pst_bytes blob, int64_t expires)
{
    record_emit_time(out, expires);
    memcpy(out + RECORD_SPILL_HEAD_LEN, blob.ptr, blob.len);
}

/* What the words of SCRIPT_SESSION_REPLACE point to; more than fits on a stack.
 */
struct replace_arguments {
    struct redis_key keys[9];
    struct redis_key revoked; /* what such keys begin with */
    struct redis_key spill;
    uint8_t record[RECORD_SESSION_MAX];
    uint8_t old_record[RECORD_REVOKED_LEN];
    uint8_t guest_record[RECORD_REVOKED_LEN];
    size_t spill_record_len; /* 0: nothing is spilled */
    uint8_t spill_record[];
};

static struct replace_arguments *
replace_arguments_new(const struct store_replacement *replacement)
{
    struct pst_bytes blob = replacement->blob;
    size_t len = blob.len > 0 ? RECORD_SPILL_HEAD_LEN + blob.len : 0;
    struct replace_arguments *arguments = malloc(sizeof(*arguments) + len);

    if (!arguments)
        return NULL;
    arguments->spill_record_len = len;
    if (len > 0)
        redis_emit_spill(arguments->spill_record, blob,
                         replacement->session->expires);
    return arguments;
}

static void
redis_add_replace_keys(struct redis_store *store, struct redis_command *command,
                       const struct store_replacement *replacement,
                       struct replace_arguments *arguments)
{
    const struct store_id *sid = &replacement->session->sid;
    const struct store_id *subject =
        replacement->is_guest ? NULL : &replacement->session->subject;
    const struct {
        const char *kind;
        const struct store_id *id;
    } keys[PST_COUNT(arguments->keys)] = {
        {"sessions", subject},
        {"since", subject},
        {"spill", sid},
        {"revoked", replacement->old},
        {"spill", replacement->old},
        {"sessions", replacement->old_subject},
        {"since", replacement->old_subject},
        {"revoked", replacement->guest},
        {"spill", replacement->guest},
    };

    for (size_t i = 0; i < PST_COUNT(keys); i++) {
        arguments->keys[i] = redis_key_make(store, keys[i].kind, keys[i].id);
        redis_add_key(command, &arguments->keys[i]);
    }
}

static void
redis_add_new_session(struct redis_store *store, struct redis_command *command,
                      const struct store_replacement *replacement,
                      struct replace_arguments *arguments)
{
    const struct store_session *session = replacement->session;
    int64_t cap = replacement->cap;
    size_t len = 0;

    if (!replacement->is_guest)
        record_emit_session(arguments->record, &len, session);
    arguments->revoked = redis_key_make(store, "revoked", NULL);
    arguments->spill = redis_key_make(store, "spill", NULL);
    redis_add_id(command, &session->sid);
    redis_add_bytes(command, arguments->record, len);
    redis_add_number(command, session->created);
    redis_add_number(command, session->expires);
    redis_add_number(command, replacement->now);
    redis_add_number(
        command, cap > 0 && cap < STORE_LISTED_MAX ? cap : STORE_LISTED_MAX);
    redis_add_string(command, cap > 0 ? "1" : "0");
    redis_add_key(command, &arguments->revoked);
    redis_add_key(command, &arguments->spill);
    redis_add_bytes(command, arguments->spill_record,
                    arguments->spill_record_len);
}

static void
redis_add_old_sessions(struct redis_command *command,
                       const struct store_replacement *replacement,
                       struct replace_arguments *arguments)
{
    if (replacement->old)
        redis_add_id(command, replacement->old);
    else
        redis_add_string(command, "");
    redis_add_string(command, replacement->old_subject ? "1" : "0");
    redis_add_number(command, replacement->old_iat);
    redis_add_revocation(command, arguments->old_record,
                         replacement->old_expires, replacement->now);
    redis_add_string(command, replacement->requires_old ? "1" : "0");
    if (replacement->guest) {
        redis_add_revocation(command, arguments->guest_record,
                             replacement->guest_expires, replacement->now);
    } else {
        redis_add_string(command, "");
        redis_add_string(command, "0");
    }
}

static enum pst_err
redis_store_replace(struct store *base,
                    const struct store_replacement *replacement, int64_t *since)
{
    struct redis_store *store = redis_from_base(base);
    struct replace_arguments *arguments = replace_arguments_new(replacement);
    struct redis_command command;
    int64_t answer;
    enum pst_err e;

    if (!arguments)
        return PST_NO_MEMORY;
    redis_command_init_script(&command, SCRIPT_SESSION_REPLACE,
                              PST_COUNT(arguments->keys));
    redis_add_replace_keys(store, &command, replacement, arguments);
    redis_add_new_session(store, &command, replacement, arguments);
    redis_add_old_sessions(&command, replacement, arguments);
    redis_add_lifetimes(&command);
    e = redis_call_number(store, &command, &answer);
    free(arguments);
    if (e || answer == 0)
        return e;
    if (answer < 0)
        return PST_REVOKED;
    *since = answer;
    return PST_EXPIRED;
}

static enum pst_err
redis_store_session_touch(struct store *base,
                          const struct store_session_change *touch)
{
    struct redis_store *store = redis_from_base(base);
    struct redis_key key = redis_key_make(store, "sessions", touch->subject);
    struct redis_command command;
    int64_t found;
    enum pst_err e;

    redis_command_init_script(&command, SCRIPT_SESSION_TOUCH, 1);
    redis_add_key(&command, &key);
    redis_add_id(&command, touch->sid);
    redis_add_number(&command, touch->expires);
    redis_add_number(&command, touch->now);
    e = redis_call_number(store, &command, &found);
    if (e)
        return e;
    return found == 1 ? PST_OK : PST_NOT_FOUND;
}

/* One field of a list and its record; odd ones are nobody's session. */
static enum pst_err
redis_walk_session(const struct store_walk *walk, struct pst_bytes field,
                   struct pst_bytes record, struct store_session *session,
                   int64_t since)
{
    if (!store_id_parse(pst_str_from_bytes(field), &session->sid) ||
        !record_parse_session(record, session) ||
        !record_session_is_live(session, since, walk->now))
        return PST_OK;
    return walk->callback(walk->context, session);
}

/* All that a list and a `since` record tell. */
static enum pst_err
redis_walk_list(struct redis_store *store, const struct store_walk *walk,
                const struct redis_batch *batch, const struct store_id *subject)
{
    struct store_session session = {.subject = *subject};
    struct record_since since;
    struct pst_bytes record;
    struct pst_bytes field;
    struct redisReply **items;
    size_t count;
    enum pst_err e = redis_reply_list(store, batch->replies[0], &items, &count);

    if (e == PST_OK)
        e = redis_parse_since(store, batch->replies[1], &since);
    for (size_t i = 0; e == PST_OK && i + 1 < count; i += 2) {
        e = redis_reply_bytes(store, items[i], &field);
        if (e == PST_OK)
            e = redis_reply_bytes(store, items[i + 1], &record);
        if (e == PST_OK)
            e = redis_walk_session(walk, field, record, &session, since.since);
    }
    return e;
}

/* All of one user's, in one round trip. */
static enum pst_err
redis_walk_subject(struct redis_store *store, const struct store_walk *walk,
                   const struct store_id *subject)
{
    struct redis_key sessions = redis_key_make(store, "sessions", subject);
    struct redis_key key = redis_key_make(store, "since", subject);
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    enum pst_err e;

    redis_command_init(&command, "HGETALL");
    redis_add_key(&command, &sessions);
    redis_batch_add(&batch, &command);
    redis_batch_add_get(&batch, &key);
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = redis_walk_list(store, walk, &batch, subject);
    redis_batch_free(&batch);
    return e;
}

/* Lists among the keys of one step of SCAN. */
static enum pst_err
redis_walk_keys(struct redis_store *store, const struct store_walk *walk,
                const struct redisReply *keys, size_t prefix)
{
    struct redisReply **items;
    struct store_id subject;
    struct pst_bytes key;
    size_t count;
    enum pst_err e = redis_reply_list(store, keys, &items, &count);

    for (size_t i = 0; e == PST_OK && i < count; i++) {
        e = redis_reply_bytes(store, items[i], &key);
        if (e || key.len < prefix)
            continue;
        key.ptr += prefix;
        key.len -= prefix;
        if (store_id_parse(pst_str_from_bytes(key), &subject))
            e = redis_walk_subject(store, walk, &subject);
    }
    return e;
}

/* SCAN's pattern: the audience may hold what a pattern takes for its own. */
static struct pst_str
redis_scan_pattern(const struct redis_key *prefix, char *storage, size_t size)
{
    struct pst_str pattern = PST_STR_NONE;
    struct pst_buf buf;

    pst_buf_init(&buf, storage, size);
    for (size_t i = 0; i < prefix->len; i++) {
        if (strchr("*?[]^\\", prefix->text[i]) && prefix->text[i] != '\0')
            pst_buf_add_char(&buf, '\\');
        pst_buf_add_char(&buf, prefix->text[i]);
    }
    pst_buf_add_char(&buf, '*');
    PST_REQUIRE(pst_buf_finish(&buf, &pattern) == PST_OK);
    return pattern;
}

/* What one step of SCAN answered: the next cursor, and keys. */
static enum pst_err
redis_walk_scan_reply(struct redis_store *store, const struct store_walk *walk,
                      const struct redisReply *reply,
                      char cursor[static CURSOR_SIZE])
{
    struct redis_key prefix = redis_key_make(store, "sessions", NULL);
    struct redisReply **items;
    struct pst_bytes next;
    size_t count;
    enum pst_err e = redis_reply_list(store, reply, &items, &count);

    if (e)
        return e;
    if (count != 2)
        return redis_set_reply_error(store);
    e = redis_reply_bytes(store, items[0], &next);
    if (e)
        return e;
    if (!next.ptr || next.len >= CURSOR_SIZE)
        return redis_set_reply_error(store);
    memcpy(cursor, next.ptr, next.len);
    cursor[next.len] = '\0';
    return redis_walk_keys(store, walk, items[1], prefix.len);
}

/* One step; cursor becomes "0" after the last. */
static enum pst_err
redis_walk_scan_step(struct redis_store *store, const struct store_walk *walk,
                     char cursor[static CURSOR_SIZE])
{
    struct redis_key prefix = redis_key_make(store, "sessions", NULL);
    char storage[2 * REDIS_KEY_MAX];
    struct pst_str pattern =
        redis_scan_pattern(&prefix, storage, sizeof(storage));
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    enum pst_err e;

    redis_command_init(&command, "SCAN");
    redis_add_string(&command, cursor);
    redis_add_string(&command, "MATCH");
    redis_add_bytes(&command, pattern.ptr, pattern.len);
    redis_add_string(&command, "COUNT");
    redis_add_string(&command, SCAN_STEP);
    redis_batch_add(&batch, &command);
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = redis_walk_scan_reply(store, walk, batch.replies[0], cursor);
    redis_batch_free(&batch);
    return e;
}

static enum pst_err
redis_store_session_walk(struct store *base, const struct store_walk *walk)
{
    char cursor[CURSOR_SIZE] = "0";
    enum pst_err e;

    if (walk->subject)
        return redis_walk_subject(redis_from_base(base), walk, walk->subject);
    do {
        e = redis_walk_scan_step(redis_from_base(base), walk, cursor);
    } while (e == PST_OK && strcmp(cursor, "0") != 0);
    return e;
}

/* Sealed sessions. */

static enum pst_err
redis_put_spill(struct redis_store *store, const struct store_spill *spill,
                struct pst_bytes record)
{
    struct redis_key key = redis_key_make(store, "spill", spill->sid);
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
        e = redis_call_number(store, &command, &done);
        return e == PST_OK && done != 1 ? PST_NOT_FOUND : e;
    }
    redis_command_init(&command, "SET");
    redis_add_key(&command, &key);
    redis_add_bytes(&command, record.ptr, record.len);
    redis_add_string(&command, "EX");
    redis_add_number(&command,
                     redis_seconds_to_keep(spill->expires, spill->now));
    redis_batch_add(&batch, &command);
    e = redis_call(store, &batch);
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
    e = redis_put_spill(redis_from_base(base), spill,
                        (struct pst_bytes){record, len});
    free(record);
    return e;
}

static enum pst_err
redis_store_spill_get(struct store *base, const struct store_id *sid,
                      int64_t now, struct pst_arena *arena,
                      struct pst_bytes *blob)
{
    struct redis_store *store = redis_from_base(base);
    struct redis_key key = redis_key_make(store, "spill", sid);
    struct redis_batch batch = {.count = 0};
    struct pst_bytes record;
    enum pst_err e;

    redis_batch_add_get(&batch, &key);
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = redis_reply_bytes(store, batch.replies[0], &record);
    if (e == PST_OK)
        e = record_copy_spill(record, now, arena, blob);
    redis_batch_free(&batch);
    return e;
}

/* Counters. */

struct counter_keys {
    struct redis_key keys[STORE_COUNTERS_MAX];
};

static void
redis_add_counters(struct redis_store *store, struct redis_command *command,
                   const struct store_counters *counters,
                   struct counter_keys *keys)
{
    for (size_t i = 0; i < counters->count; i++) {
        keys->keys[i] =
            redis_key_make(store, "counter", &counters->items[i].id);
        redis_add_key(command, &keys->keys[i]);
    }
}

static enum pst_err
redis_store_acquire(struct store *base, const struct store_counters *counters,
                    int64_t *retry_after)
{
    struct redis_store *store = redis_from_base(base);
    struct counter_keys keys;
    struct redis_command command;
    int64_t wait = 0;
    enum pst_err e;

    redis_command_init_script(&command, SCRIPT_COUNTER_ACQUIRE,
                              counters->count);
    redis_add_counters(store, &command, counters, &keys);
    redis_add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        redis_add_number(&command, counters->items[i].rate.limit);
        redis_add_number(&command, counters->items[i].rate.period);
        redis_add_string(&command,
                         counters->items[i].is_count_only ? "1" : "0");
    }
    e = redis_call_number(store, &command, &wait);
    if (e)
        return e;
    if (wait <= 0)
        return PST_OK;
    *retry_after = wait;
    return PST_THROTTLED;
}

/* What SCRIPT_COUNTER_REFUND calls the ways to give back. */
static const char *
redis_refund_mode(const struct store_counter *counter)
{
    if (counter->reset_all)
        return "all";
    return counter->as_previous ? "before" : "one";
}

static enum pst_err
redis_store_refund(struct store *base, const struct store_counters *counters,
                   int64_t *in_use)
{
    struct redis_store *store = redis_from_base(base);
    struct counter_keys keys;
    struct redis_command command;

    redis_command_init_script(&command, SCRIPT_COUNTER_REFUND, counters->count);
    redis_add_counters(store, &command, counters, &keys);
    redis_add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        redis_add_number(&command, counters->items[i].rate.limit);
        redis_add_number(&command, counters->items[i].rate.period);
        redis_add_string(&command, redis_refund_mode(&counters->items[i]));
    }
    return redis_call_number(store, &command, in_use);
}

/* Redis drops keys when their time has come. */
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

const struct store_backend store_redis = {
    .open = redis_store_open,
    .close = redis_store_close,
    .ping = redis_store_ping,
    .check = redis_store_check,
    .revoke = redis_store_revoke,
    .revoke_all = redis_store_revoke_all,
    .replace = redis_store_replace,
    .session_touch = redis_store_session_touch,
    .session_walk = redis_store_session_walk,
    .spill_put = redis_store_spill_put,
    .spill_get = redis_store_spill_get,
    .acquire = redis_store_acquire,
    .refund = redis_store_refund,
    .sweep = redis_store_sweep,
};
