/* SPDX-License-Identifier: ISC */
/*
 * redis_session.c - the lists of live sessions in Redis: begin a session in the
 * place of another one, note that it was used, list.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "store/redis_script.h"
#include "store/redis_store.h"

/* Keys that one step of SCAN looks at, and the size of its cursor. */
#define SCAN_STEP "512"
#define CURSOR_SIZE 24

/* Replacing a session. */

/* What the arguments of SCRIPT_SESSION_REPLACE point to. On the heap: too large
 * for the stack. */
struct replace_arguments {
    struct redis_key keys[9];
    struct redis_key revoked; /* prefixes of such keys */
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
redis_add_replace_keys(struct redis_handle *handle,
                       struct redis_command *command,
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
        arguments->keys[i] = redis_key_make(handle, keys[i].kind, keys[i].id);
        redis_add_key(command, &arguments->keys[i]);
    }
}

static void
redis_add_new_session(struct redis_handle *handle,
                      struct redis_command *command,
                      const struct store_replacement *replacement,
                      struct replace_arguments *arguments)
{
    const struct store_session *session = replacement->session;
    int64_t cap = replacement->cap;
    size_t len = 0;

    if (!replacement->is_guest)
        record_emit_session(arguments->record, &len, session);
    arguments->revoked = redis_key_make(handle, "revoked", NULL);
    arguments->spill = redis_key_make(handle, "spill", NULL);
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

enum pst_err
redis_session_replace(struct store *base,
                      const struct store_replacement *replacement,
                      int64_t *since)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct replace_arguments *arguments = replace_arguments_new(replacement);
    struct redis_command command;
    int64_t result;
    enum pst_err e;

    if (!arguments)
        return PST_NO_MEMORY;
    redis_command_init_script(&command, SCRIPT_SESSION_REPLACE,
                              PST_COUNT(arguments->keys));
    redis_add_replace_keys(handle, &command, replacement, arguments);
    redis_add_new_session(handle, &command, replacement, arguments);
    redis_add_old_sessions(&command, replacement, arguments);
    redis_add_lifetimes(&command);
    e = redis_call_script(handle, &command, &result);
    free(arguments);
    if (e || result == 0)
        return e;
    if (result < 0)
        return PST_REVOKED;
    *since = result;
    return PST_EXPIRED;
}

/* Noting that a session was used. */

enum pst_err
redis_session_touch(struct store *base, const struct store_use *use)
{
    struct redis_handle *handle = redis_handle_from_base(base);
    struct redis_key key = redis_key_make(handle, "sessions", use->subject);
    struct redis_command command;
    int64_t found;
    enum pst_err e;

    redis_command_init_script(&command, SCRIPT_SESSION_TOUCH, 1);
    redis_add_key(&command, &key);
    redis_add_id(&command, use->sid);
    redis_add_number(&command, use->expires);
    redis_add_number(&command, use->now);
    redis_add_number(&command, use->interval);
    e = redis_call_script(handle, &command, &found);
    if (e)
        return e;
    return found == 1 ? PST_OK : PST_NOT_FOUND;
}

/* Lists. */

/* Call back for one field of a list, if it is a live session. */
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

/* Read the replies of redis_walk_subject(). */
static enum pst_err
redis_walk_list(struct redis_handle *handle, const struct store_walk *walk,
                const struct redis_batch *batch, const struct store_id *subject)
{
    struct store_session session = {.subject = *subject};
    struct record_since since;
    struct pst_bytes record;
    struct pst_bytes field;
    struct redisReply **items;
    size_t count;
    enum pst_err e =
        redis_reply_list(handle, batch->replies[0], &items, &count);

    if (e == PST_OK)
        e = redis_parse_since(handle, batch->replies[1], &since);
    for (size_t i = 0; e == PST_OK && i + 1 < count; i += 2) {
        e = redis_reply_bytes(handle, items[i], &field);
        if (e == PST_OK)
            e = redis_reply_bytes(handle, items[i + 1], &record);
        if (e == PST_OK)
            e = redis_walk_session(walk, field, record, &session, since.since);
    }
    return e;
}

/* Call back for the sessions of one user: one round trip. */
static enum pst_err
redis_walk_subject(struct redis_handle *handle, const struct store_walk *walk,
                   const struct store_id *subject)
{
    struct redis_key sessions = redis_key_make(handle, "sessions", subject);
    struct redis_key key = redis_key_make(handle, "since", subject);
    struct redis_batch batch = {.is_read_only = true};
    struct redis_command command;
    enum pst_err e;

    redis_command_init(&command, "HGETALL");
    redis_add_key(&command, &sessions);
    redis_batch_add(&batch, &command);
    redis_batch_add_get(&batch, &key);
    e = redis_call(handle, &batch);
    if (e)
        return e;
    e = redis_walk_list(handle, walk, &batch, subject);
    redis_batch_free(&batch);
    return e;
}

/* Call back for the sessions in those keys that are lists. */
static enum pst_err
redis_walk_keys(struct redis_handle *handle, const struct store_walk *walk,
                const struct redisReply *keys, size_t prefix)
{
    struct redisReply **items;
    struct store_id subject;
    struct pst_bytes key;
    size_t count;
    enum pst_err e = redis_reply_list(handle, keys, &items, &count);

    for (size_t i = 0; e == PST_OK && i < count; i++) {
        e = redis_reply_bytes(handle, items[i], &key);
        if (e || key.len < prefix)
            continue;
        key.ptr += prefix;
        key.len -= prefix;
        if (store_id_parse(pst_str_from_bytes(key), &subject))
            e = redis_walk_subject(handle, walk, &subject);
    }
    return e;
}

/* The pattern for SCAN, which matches all keys with the prefix. Characters of
 * the audience that are special in a pattern are escaped. */
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

/* Read the reply of redis_walk_scan_step(): the next cursor, and keys. */
static enum pst_err
redis_walk_scan_reply(struct redis_handle *handle,
                      const struct store_walk *walk,
                      const struct redisReply *reply,
                      char cursor[static CURSOR_SIZE])
{
    struct redis_key prefix = redis_key_make(handle, "sessions", NULL);
    struct redisReply **items;
    struct pst_bytes next;
    size_t count;
    enum pst_err e = redis_reply_list(handle, reply, &items, &count);

    if (e)
        return e;
    if (count != 2)
        return redis_set_reply_error(handle);
    e = redis_reply_bytes(handle, items[0], &next);
    if (e)
        return e;
    if (!next.ptr || next.len >= CURSOR_SIZE)
        return redis_set_reply_error(handle);
    memcpy(cursor, next.ptr, next.len);
    cursor[next.len] = '\0';
    return redis_walk_keys(handle, walk, items[1], prefix.len);
}

/* One step of SCAN. The cursor is "0" after the last one. */
static enum pst_err
redis_walk_scan_step(struct redis_handle *handle, const struct store_walk *walk,
                     char cursor[static CURSOR_SIZE])
{
    struct redis_key prefix = redis_key_make(handle, "sessions", NULL);
    char storage[2 * REDIS_KEY_MAX];
    struct pst_str pattern =
        redis_scan_pattern(&prefix, storage, sizeof(storage));
    struct redis_batch batch = {.is_read_only = true};
    struct redis_command command;
    enum pst_err e;

    redis_command_init(&command, "SCAN");
    redis_add_string(&command, cursor);
    redis_add_string(&command, "MATCH");
    redis_add_bytes(&command, pattern.ptr, pattern.len);
    redis_add_string(&command, "COUNT");
    redis_add_string(&command, SCAN_STEP);
    redis_batch_add(&batch, &command);
    e = redis_call(handle, &batch);
    if (e)
        return e;
    e = redis_walk_scan_reply(handle, walk, batch.replies[0], cursor);
    redis_batch_free(&batch);
    return e;
}

enum pst_err
redis_session_walk(struct store *base, const struct store_walk *walk)
{
    char cursor[CURSOR_SIZE] = "0";
    enum pst_err e;

    if (walk->subject)
        return redis_walk_subject(redis_handle_from_base(base), walk,
                                  walk->subject);
    do {
        e = redis_walk_scan_step(redis_handle_from_base(base), walk, cursor);
    } while (e == PST_OK && strcmp(cursor, "0") != 0);
    return e;
}
