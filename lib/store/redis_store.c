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
stay(int64_t expires, int64_t now)
{
    return expires > now ? expires - now : 1;
}

static void
add_get(struct redis_batch *batch, const struct redis_key *key)
{
    struct redis_command command;

    redis_command_init(&command, "GET");
    redis_add_key(&command, key);
    redis_batch_add(batch, &command);
}

/* Opening. */

static enum pst_err
redis_open(struct store **out, const struct store_url *url)
{
    struct redis_store *store;
    enum pst_err e = redis_new(&store, url);

    if (e)
        return e;
    *out = redis_base(store);
    return PST_OK;
}

static void
redis_close(struct store *base)
{
    redis_free(redis_of(base));
}

/* What INFO says of a Redis that will forget; nothing when it says nothing. */
static void
warn_of_loss(struct redis_store *store, const char *info)
{
    const char *policy = strstr(info, "maxmemory_policy:");
    const char *none = "maxmemory_policy:noeviction";
    bool is_limited = strstr(info, "maxmemory:") != NULL &&
                      strstr(info, "maxmemory:0\r") == NULL;

    if (is_limited && policy && strncmp(policy, none, strlen(none)) != 0)
        (void)redis_because(store,
                            "its maxmemory-policy lets it drop records, and "
                            "ended sessions live again: set noeviction",
                            "");
    else if (strstr(info, "aof_enabled:0") != NULL)
        (void)redis_because(store,
                            "it keeps no append-only file: what was ended "
                            "since it last saved lives again when it restarts",
                            "");
}

static void
read_info(struct redis_store *store)
{
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    struct pst_bytes info;

    redis_command_init(&command, "INFO");
    redis_batch_add(&batch, &command);
    if (redis_call(store, &batch) == PST_OK) {
        if (redis_reply_bytes(store, batch.replies[0], &info) == PST_OK &&
            info.ptr)
            warn_of_loss(store, (const char *)info.ptr);
        redis_batch_free(&batch);
        return;
    }
    redis_base(store)->why[0] = '\0'; /* it may not be ours to ask */
}

static enum pst_err
redis_ping(struct store *base, int64_t now)
{
    struct redis_store *store = redis_of(base);
    static const struct store_id id = {{0}};
    struct redis_key key = redis_key_of(store, "ping", &id);
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    struct pst_bytes kept;
    enum pst_err e;

    (void)now;
    redis_command_init(&command, "SET");
    redis_add_key(&command, &key);
    redis_add_word(&command, "1");
    redis_add_word(&command, "EX");
    redis_add_word(&command, "60");
    redis_batch_add(&batch, &command);
    add_get(&batch, &key);
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = redis_reply_bytes(store, batch.replies[1], &kept);
    if (e == PST_OK && !kept.ptr)
        e = redis_because(store, "does not keep what it is given", "");
    redis_batch_free(&batch);
    if (e == PST_OK)
        read_info(store);
    return e;
}

/* Sessions that ended. */

/* What is known of a user; zeros when nothing is. What cannot be read may
 * have ended them all. */
static enum pst_err
read_since(struct redis_store *store, const struct redisReply *reply,
           struct stored_since *since)
{
    struct pst_bytes record;
    enum pst_err e = redis_reply_bytes(store, reply, &record);

    if (e)
        return e;
    *since = (struct stored_since){0, 0};
    if (record.ptr && !stored_parse_since(record, since))
        *since = (struct stored_since){INT64_MAX, INT64_MAX};
    return PST_OK;
}

/* What the two replies amount to. */
static enum pst_err
judge(struct redis_store *store, const struct redis_batch *batch, int64_t iat)
{
    struct stored_since since;
    struct pst_bytes record;
    enum pst_err e = redis_reply_bytes(store, batch->replies[0], &record);

    if (e)
        return e;
    if (record.ptr)
        return PST_REVOKED;
    if (batch->count < 2)
        return PST_OK;
    e = read_since(store, batch->replies[1], &since);
    if (e)
        return e;
    return iat <= since.since ? PST_REVOKED : PST_OK;
}

static enum pst_err
redis_check(struct store *base, const struct store_id *sid,
            const struct store_id *subject, int64_t iat)
{
    struct redis_store *store = redis_of(base);
    struct redis_key key = redis_key_of(store, "revoked", sid);
    struct redis_batch batch = {.count = 0};
    enum pst_err e;

    add_get(&batch, &key);
    if (subject) {
        key = redis_key_of(store, "since", subject);
        add_get(&batch, &key);
    }
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = judge(store, &batch, iat);
    redis_batch_free(&batch);
    return e;
}

/* The record of an end, and how long it stays. */
static void
add_ending(struct redis_command *command,
           uint8_t record[static STORED_REVOKED_LEN], int64_t expires,
           int64_t now)
{
    stored_emit_time(record, expires > now ? expires : now);
    redis_add_octets(command, record, STORED_REVOKED_LEN);
    redis_add_number(command, stay(expires, now) + PST_SKEW);
}

static enum pst_err
redis_end(struct store *base, const struct store_event *ending)
{
    struct redis_store *store = redis_of(base);
    struct redis_key revoked = redis_key_of(store, "revoked", ending->sid);
    struct redis_key spill = redis_key_of(store, "spill", ending->sid);
    struct redis_key sessions =
        redis_key_of(store, "sessions", ending->subject);
    uint8_t record[STORED_REVOKED_LEN];
    struct redis_command command;
    int64_t done;

    redis_command_init_script(&command, SCRIPT_END, ending->subject ? 3 : 2);
    redis_add_key(&command, &revoked);
    redis_add_key(&command, &spill);
    if (ending->subject)
        redis_add_key(&command, &sessions);
    add_ending(&command, record, ending->expires, ending->now);
    redis_add_id(&command, ending->sid);
    return redis_call_number(store, &command, &done);
}

static void
add_spans(struct redis_command *command)
{
    redis_add_number(command, PST_LIFETIME_MAX);
    redis_add_number(command, PST_SKEW);
}

static enum pst_err
redis_end_all(struct store *base, const struct store_id *subject, int64_t now,
              int64_t *since)
{
    struct redis_store *store = redis_of(base);
    struct redis_key key = redis_key_of(store, "since", subject);
    struct redis_command command;

    redis_command_init_script(&command, SCRIPT_END_ALL, 1);
    redis_add_key(&command, &key);
    redis_add_number(&command, now);
    add_spans(&command);
    return redis_call_number(store, &command, since);
}

/* Lists of live sessions. */

/* A blob as it is stored: STORED_SPILL_HEAD more bytes than it has. */
static void
emit_spilled(uint8_t *out, struct pst_bytes blob, int64_t expires)
{
    stored_emit_time(out, expires);
    memcpy(out + STORED_SPILL_HEAD, blob.ptr, blob.len);
}

/* What the words of SCRIPT_BEGIN point to; more than fits on a stack. */
struct beginning {
    struct redis_key keys[9];
    struct redis_key revoked; /* what such keys begin with */
    struct redis_key spill;
    uint8_t record[STORED_SESSION_MAX];
    uint8_t old_record[STORED_REVOKED_LEN];
    uint8_t guest_record[STORED_REVOKED_LEN];
    size_t spilled_len; /* 0: nothing is spilled */
    uint8_t spilled[];
};

static struct beginning *
new_beginning(const struct store_replacement *replacement)
{
    struct pst_bytes blob = replacement->blob;
    size_t len = blob.len > 0 ? STORED_SPILL_HEAD + blob.len : 0;
    struct beginning *words = malloc(sizeof(*words) + len);

    if (!words)
        return NULL;
    words->spilled_len = len;
    if (len > 0)
        emit_spilled(words->spilled, blob, replacement->session->expires);
    return words;
}

static void
add_begin_keys(struct redis_store *store, struct redis_command *command,
               const struct store_replacement *replacement,
               struct beginning *words)
{
    const struct store_id *sid = &replacement->session->sid;
    const struct store_id *subject =
        replacement->is_guest ? NULL : &replacement->session->subject;
    const struct {
        const char *kind;
        const struct store_id *id;
    } keys[PST_COUNT(words->keys)] = {
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
        words->keys[i] = redis_key_of(store, keys[i].kind, keys[i].id);
        redis_add_key(command, &words->keys[i]);
    }
}

static void
add_new_session(struct redis_store *store, struct redis_command *command,
                const struct store_replacement *replacement,
                struct beginning *words)
{
    const struct store_session *session = replacement->session;
    int64_t cap = replacement->cap;
    size_t len = 0;

    if (!replacement->is_guest)
        stored_emit_session(words->record, &len, session);
    words->revoked = redis_key_of(store, "revoked", NULL);
    words->spill = redis_key_of(store, "spill", NULL);
    redis_add_id(command, &session->sid);
    redis_add_octets(command, words->record, len);
    redis_add_number(command, session->created);
    redis_add_number(command, session->expires);
    redis_add_number(command, replacement->now);
    redis_add_number(
        command, cap > 0 && cap < STORE_LISTED_MAX ? cap : STORE_LISTED_MAX);
    redis_add_word(command, cap > 0 ? "1" : "0");
    redis_add_key(command, &words->revoked);
    redis_add_key(command, &words->spill);
    redis_add_octets(command, words->spilled, words->spilled_len);
}

static void
add_old_sessions(struct redis_command *command,
                 const struct store_replacement *replacement,
                 struct beginning *words)
{
    if (replacement->old)
        redis_add_id(command, replacement->old);
    else
        redis_add_word(command, "");
    redis_add_word(command, replacement->old_subject ? "1" : "0");
    redis_add_number(command, replacement->old_iat);
    add_ending(command, words->old_record, replacement->old_expires,
               replacement->now);
    redis_add_word(command, replacement->follows ? "1" : "0");
    if (replacement->guest) {
        add_ending(command, words->guest_record, replacement->guest_expires,
                   replacement->now);
    } else {
        redis_add_word(command, "");
        redis_add_word(command, "0");
    }
}

static enum pst_err
redis_replace(struct store *base, const struct store_replacement *replacement,
              int64_t *since)
{
    struct redis_store *store = redis_of(base);
    struct beginning *words = new_beginning(replacement);
    struct redis_command command;
    int64_t answer;
    enum pst_err e;

    if (!words)
        return PST_NO_MEMORY;
    redis_command_init_script(&command, SCRIPT_BEGIN, PST_COUNT(words->keys));
    add_begin_keys(store, &command, replacement, words);
    add_new_session(store, &command, replacement, words);
    add_old_sessions(&command, replacement, words);
    add_spans(&command);
    e = redis_call_number(store, &command, &answer);
    free(words);
    if (e || answer == 0)
        return e;
    if (answer < 0)
        return PST_REVOKED;
    *since = answer;
    return PST_EXPIRED;
}

static enum pst_err
redis_session_touch(struct store *base, const struct store_event *touch)
{
    struct redis_store *store = redis_of(base);
    struct redis_key key = redis_key_of(store, "sessions", touch->subject);
    struct redis_command command;
    int64_t found;
    enum pst_err e;

    redis_command_init_script(&command, SCRIPT_TOUCH, 1);
    redis_add_key(&command, &key);
    redis_add_id(&command, touch->sid);
    redis_add_number(&command, touch->expires);
    redis_add_number(&command, touch->now);
    e = redis_call_number(store, &command, &found);
    if (e)
        return e;
    return found == 1 ? PST_OK : PST_ABSENT;
}

/* One field of a list and its record; odd ones are nobody's session. */
static enum pst_err
tell(const struct store_walk *walk, struct pst_bytes field,
     struct pst_bytes record, struct store_session *session, int64_t since)
{
    if (!store_id_parse(pst_bytes_text(field), &session->sid) ||
        !stored_parse_session(record, session) ||
        !stored_session_is_live(session, since, walk->now))
        return PST_OK;
    return walk->each(walk->context, session);
}

/* All that a list and a `since` record tell. */
static enum pst_err
walk_list(struct redis_store *store, const struct store_walk *walk,
          const struct redis_batch *batch, const struct store_id *subject)
{
    struct store_session session = {.subject = *subject};
    struct stored_since since;
    struct pst_bytes record;
    struct pst_bytes field;
    struct redisReply **items;
    size_t count;
    enum pst_err e = redis_reply_list(store, batch->replies[0], &items, &count);

    if (e == PST_OK)
        e = read_since(store, batch->replies[1], &since);
    for (size_t i = 0; e == PST_OK && i + 1 < count; i += 2) {
        e = redis_reply_bytes(store, items[i], &field);
        if (e == PST_OK)
            e = redis_reply_bytes(store, items[i + 1], &record);
        if (e == PST_OK)
            e = tell(walk, field, record, &session, since.since);
    }
    return e;
}

/* All of one user's, in one round trip. */
static enum pst_err
walk_one(struct redis_store *store, const struct store_walk *walk,
         const struct store_id *subject)
{
    struct redis_key sessions = redis_key_of(store, "sessions", subject);
    struct redis_key key = redis_key_of(store, "since", subject);
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    enum pst_err e;

    redis_command_init(&command, "HGETALL");
    redis_add_key(&command, &sessions);
    redis_batch_add(&batch, &command);
    add_get(&batch, &key);
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = walk_list(store, walk, &batch, subject);
    redis_batch_free(&batch);
    return e;
}

/* Lists among the keys of one step of SCAN. */
static enum pst_err
walk_keys(struct redis_store *store, const struct store_walk *walk,
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
        if (store_id_parse(pst_bytes_text(key), &subject))
            e = walk_one(store, walk, &subject);
    }
    return e;
}

/* SCAN's pattern: the audience may hold what a pattern takes for its own. */
static struct pst_text
make_pattern(const struct redis_key *prefix, char *room, size_t size)
{
    struct pst_text pattern = PST_NO_TEXT;
    struct pst_buf buf;

    pst_buf_init(&buf, room, size);
    for (size_t i = 0; i < prefix->len; i++) {
        if (strchr("*?[]^\\", prefix->text[i]) && prefix->text[i] != '\0')
            pst_buf_add_char(&buf, '\\');
        pst_buf_add_char(&buf, prefix->text[i]);
    }
    pst_buf_add_char(&buf, '*');
    PST_REQUIRE(pst_buf_end(&buf, &pattern) == PST_OK);
    return pattern;
}

/* What one step of SCAN answered: the next cursor, and keys. */
static enum pst_err
walk_answer(struct redis_store *store, const struct store_walk *walk,
            const struct redisReply *reply, char cursor[static CURSOR_SIZE])
{
    struct redis_key prefix = redis_key_of(store, "sessions", NULL);
    struct redisReply **items;
    struct pst_bytes next;
    size_t count;
    enum pst_err e = redis_reply_list(store, reply, &items, &count);

    if (e)
        return e;
    if (count != 2)
        return redis_odd(store);
    e = redis_reply_bytes(store, items[0], &next);
    if (e)
        return e;
    if (!next.ptr || next.len >= CURSOR_SIZE)
        return redis_odd(store);
    memcpy(cursor, next.ptr, next.len);
    cursor[next.len] = '\0';
    return walk_keys(store, walk, items[1], prefix.len);
}

/* One step; cursor becomes "0" after the last. */
static enum pst_err
walk_step(struct redis_store *store, const struct store_walk *walk,
          char cursor[static CURSOR_SIZE])
{
    struct redis_key prefix = redis_key_of(store, "sessions", NULL);
    char room[2 * REDIS_KEY_MAX];
    struct pst_text pattern = make_pattern(&prefix, room, sizeof(room));
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    enum pst_err e;

    redis_command_init(&command, "SCAN");
    redis_add_word(&command, cursor);
    redis_add_word(&command, "MATCH");
    redis_add_octets(&command, pattern.ptr, pattern.len);
    redis_add_word(&command, "COUNT");
    redis_add_word(&command, SCAN_STEP);
    redis_batch_add(&batch, &command);
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = walk_answer(store, walk, batch.replies[0], cursor);
    redis_batch_free(&batch);
    return e;
}

static enum pst_err
redis_session_walk(struct store *base, const struct store_walk *walk)
{
    char cursor[CURSOR_SIZE] = "0";
    enum pst_err e;

    if (walk->subject)
        return walk_one(redis_of(base), walk, walk->subject);
    do {
        e = walk_step(redis_of(base), walk, cursor);
    } while (e == PST_OK && strcmp(cursor, "0") != 0);
    return e;
}

/* Sealed sessions. */

static enum pst_err
put_spill(struct redis_store *store, const struct store_spill *spill,
          struct pst_bytes record)
{
    struct redis_key key = redis_key_of(store, "spill", spill->sid);
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    int64_t done;
    enum pst_err e;

    if (spill->only_replace) {
        redis_command_init_script(&command, SCRIPT_REPLACE, 1);
        redis_add_key(&command, &key);
        redis_add_octets(&command, record.ptr, record.len);
        redis_add_number(&command, stay(spill->expires, spill->now));
        redis_add_number(&command, spill->now);
        e = redis_call_number(store, &command, &done);
        return e == PST_OK && done != 1 ? PST_ABSENT : e;
    }
    redis_command_init(&command, "SET");
    redis_add_key(&command, &key);
    redis_add_octets(&command, record.ptr, record.len);
    redis_add_word(&command, "EX");
    redis_add_number(&command, stay(spill->expires, spill->now));
    redis_batch_add(&batch, &command);
    e = redis_call(store, &batch);
    if (e == PST_OK)
        redis_batch_free(&batch);
    return e;
}

static enum pst_err
redis_spill_put(struct store *base, const struct store_spill *spill)
{
    size_t len = STORED_SPILL_HEAD + spill->blob.len;
    uint8_t *record = malloc(len);
    enum pst_err e;

    if (!record)
        return PST_NO_MEMORY;
    emit_spilled(record, spill->blob, spill->expires);
    e = put_spill(redis_of(base), spill, (struct pst_bytes){record, len});
    free(record);
    return e;
}

static enum pst_err
redis_spill_get(struct store *base, const struct store_id *sid, int64_t now,
                struct pst_arena *arena, struct pst_bytes *blob)
{
    struct redis_store *store = redis_of(base);
    struct redis_key key = redis_key_of(store, "spill", sid);
    struct redis_batch batch = {.count = 0};
    struct pst_bytes record;
    enum pst_err e;

    add_get(&batch, &key);
    e = redis_call(store, &batch);
    if (e)
        return e;
    e = redis_reply_bytes(store, batch.replies[0], &record);
    if (e == PST_OK)
        e = stored_copy_spill(record, now, arena, blob);
    redis_batch_free(&batch);
    return e;
}

/* Counters. */

struct counter_keys {
    struct redis_key keys[STORE_COUNTERS_MAX];
};

static void
add_counters(struct redis_store *store, struct redis_command *command,
             const struct store_counters *counters, struct counter_keys *keys)
{
    for (size_t i = 0; i < counters->count; i++) {
        keys->keys[i] = redis_key_of(store, "counter", &counters->items[i].id);
        redis_add_key(command, &keys->keys[i]);
    }
}

static enum pst_err
redis_take(struct store *base, const struct store_counters *counters,
           int64_t *retry_after)
{
    struct redis_store *store = redis_of(base);
    struct counter_keys keys;
    struct redis_command command;
    int64_t wait = 0;
    enum pst_err e;

    redis_command_init_script(&command, SCRIPT_TAKE, counters->count);
    add_counters(store, &command, counters, &keys);
    redis_add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        redis_add_number(&command, counters->items[i].rate.limit);
        redis_add_number(&command, counters->items[i].rate.period);
        redis_add_word(&command, counters->items[i].is_tally ? "1" : "0");
    }
    e = redis_call_number(store, &command, &wait);
    if (e)
        return e;
    if (wait <= 0)
        return PST_OK;
    *retry_after = wait;
    return PST_THROTTLED;
}

/* What SCRIPT_GIVE calls the ways to give back. */
static const char *
way_of(const struct store_counter *counter)
{
    if (counter->forget)
        return "all";
    return counter->as_before ? "before" : "one";
}

static enum pst_err
redis_give(struct store *base, const struct store_counters *counters,
           int64_t *held)
{
    struct redis_store *store = redis_of(base);
    struct counter_keys keys;
    struct redis_command command;

    redis_command_init_script(&command, SCRIPT_GIVE, counters->count);
    add_counters(store, &command, counters, &keys);
    redis_add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        redis_add_number(&command, counters->items[i].rate.limit);
        redis_add_number(&command, counters->items[i].rate.period);
        redis_add_word(&command, way_of(&counters->items[i]));
    }
    return redis_call_number(store, &command, held);
}

/* Redis drops keys when their time has come. */
static enum pst_err
redis_sweep(struct store *base, size_t limit, int64_t now,
            struct store_swept *swept)
{
    (void)base;
    (void)limit;
    (void)now;
    *swept = (struct store_swept){0, 0};
    return PST_OK;
}

const struct store_backend store_redis = {
    .open = redis_open,
    .close = redis_close,
    .ping = redis_ping,
    .check = redis_check,
    .end = redis_end,
    .end_all = redis_end_all,
    .replace = redis_replace,
    .session_touch = redis_session_touch,
    .session_walk = redis_session_walk,
    .spill_put = redis_spill_put,
    .spill_get = redis_spill_get,
    .take = redis_take,
    .give = redis_give,
    .sweep = redis_sweep,
};
