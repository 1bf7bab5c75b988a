/* SPDX-License-Identifier: ISC */
/*
 * redis.h - the door to Redis: commands, round trips, replies. What is
 * asked of it is store/redis_store.c's affair.
 */
#ifndef POSTERN_STORE_REDIS_H
#define POSTERN_STORE_REDIS_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/store_url.h"
#include "store/store.h"

/* Commands in one round trip, and words in one command. */
#define REDIS_BATCH_MAX 3
#define REDIS_ARGUMENTS_MAX 32

/* A key: its parts, and a hash in hex. */
#define REDIS_KEY_MAX (PST_AUDIENCE_MAX + 32 + 2 * PST_HASH_LEN)

struct redisReply;

/* A handle; it begins with its struct store. */
struct redis_store;

/* One command: its words point to what outlives it. */
struct redis_command {
    const char *arguments[REDIS_ARGUMENTS_MAX];
    size_t lens[REDIS_ARGUMENTS_MAX];
    int count;
    char storage[352]; /* numbers, and ids in hex */
    size_t used;
};

/* Commands that are sent together, and what came back. Begins as zeros. */
struct redis_batch {
    char *texts[REDIS_BATCH_MAX];
    size_t lens[REDIS_BATCH_MAX];
    struct redisReply *replies[REDIS_BATCH_MAX];
    size_t count;
    bool failed; /* no memory */
};

struct redis_key {
    char text[REDIS_KEY_MAX];
    size_t len;
};

/* A handle that is not connected yet. PST_OK or PST_NO_MEMORY. */
PST_MUST_USE enum pst_err redis_new(struct redis_store **out,
                                    const struct store_url *url);
void redis_free(struct redis_store *store);

struct store *redis_base(struct redis_store *store);
struct redis_store *redis_from_base(struct store *store);

/* Note why: where it is, and two parts of a sentence. PST_STORE_DOWN. */
enum pst_err redis_set_error(struct redis_store *store, const char *what,
                             const char *cause);

/* An answer was of the wrong kind. PST_STORE_DOWN. */
enum pst_err redis_set_reply_error(struct redis_store *store);

/* The key of a kind of record; for NULL, what such keys begin with. */
struct redis_key redis_key_make(struct redis_store *store, const char *kind,
                                const struct store_id *id);

/* Begin a command by its name; or EVAL with so many keys, of which KEYS and
 * ARGV are to follow. */
void redis_command_init(struct redis_command *command, const char *name);
void redis_command_init_script(struct redis_command *command,
                               const char *script, size_t keys);

void redis_add_bytes(struct redis_command *command, const void *bytes,
                     size_t len);
void redis_add_string(struct redis_command *command, const char *string);
void redis_add_key(struct redis_command *command, const struct redis_key *key);
void redis_add_number(struct redis_command *command, int64_t number);
void redis_add_id(struct redis_command *command, const struct store_id *id);

void redis_batch_add(struct redis_batch *batch, struct redis_command *command);
void redis_batch_free(struct redis_batch *batch);

/*
 * One round trip. A connection that had been open may have broken since, with
 * the server's restart: then, and only then, it is tried again on a new one.
 * Returns PST_OK, with as many replies as commands and no error among them:
 * free the batch; or PST_STORE_DOWN: it is freed.
 */
PST_MUST_USE enum pst_err redis_call(struct redis_store *store,
                                     struct redis_batch *batch);

/* One command, whose answer is a number: set on PST_OK, else PST_STORE_DOWN. */
PST_MUST_USE enum pst_err redis_call_number(struct redis_store *store,
                                            struct redis_command *command,
                                            int64_t *number);

/* A string, or absent for nil; anything else is PST_STORE_DOWN. The bytes are
 * the batch's, and a NUL stands behind them. */
PST_MUST_USE enum pst_err redis_reply_bytes(struct redis_store *store,
                                            const struct redisReply *reply,
                                            struct pst_bytes *out);

/* An array's elements, of which `count` there are. PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err redis_reply_list(struct redis_store *store,
                                           const struct redisReply *reply,
                                           struct redisReply ***items,
                                           size_t *count);

#endif
