/* SPDX-License-Identifier: ISC */
/*
 * redis.h - formats commands, and parses replies: the only file that calls
 * hiredis. Does no I/O.
 */
#ifndef POSTERN_STORE_REDIS_H
#define POSTERN_STORE_REDIS_H

#include "base/base.h"
#include "base/limits.h"
#include "base/str.h"
#include "store/store.h"

/* Commands in one round trip, and arguments of one command. */
#define REDIS_BATCH_MAX 3
#define REDIS_ARGUMENTS_MAX 32

/* Bytes of a key: its parts, and a hash in hex. */
#define REDIS_KEY_MAX (PST_AUDIENCE_MAX + 32 + 2 * PST_HASH_LEN)

struct redisReply;
struct redis_reader;

struct redis_key {
    char text[REDIS_KEY_MAX];
    size_t len;
};

/* A command. Its arguments point to the caller's bytes, which must outlive it,
 * or into storage. */
struct redis_command {
    const char *arguments[REDIS_ARGUMENTS_MAX];
    size_t lens[REDIS_ARGUMENTS_MAX];
    int count;
    char storage[352]; /* numbers, and ids in hex */
    size_t used;
    const char *script;                 /* NULL: none */
    char script_hash[2 * PST_SHA1_LEN]; /* in hex */
};

/* Commands that are sent together, and their replies. Begins as zeros. */
struct redis_batch {
    char *texts[REDIS_BATCH_MAX]; /* as they are sent */
    size_t lens[REDIS_BATCH_MAX];
    struct redisReply *replies[REDIS_BATCH_MAX];
    size_t count;
    size_t replied;         /* the first so many replies are there */
    bool failed;            /* no memory */
    bool is_read_only;      /* it may be sent again */
    bool is_unknown_script; /* a reply: the server does not know the script */
};

/* Commands. */

/* Begin a command by its name; or EVALSHA of a script, to which the caller adds
 * so many keys (KEYS), then its arguments (ARGV). The script is static. */
void redis_command_init(struct redis_command *command, const char *name);
void redis_command_init_script(struct redis_command *command,
                               const char *script, size_t keys);

/* Make the EVALSHA an EVAL, with the text of the script. */
void redis_command_spell_script(struct redis_command *command);

/* Add an argument. A caller's bug: more than REDIS_ARGUMENTS_MAX. */
void redis_add_bytes(struct redis_command *command, const void *bytes,
                     size_t len);
void redis_add_string(struct redis_command *command, const char *string);
void redis_add_key(struct redis_command *command, const struct redis_key *key);
void redis_add_number(struct redis_command *command, int64_t number);
void redis_add_id(struct redis_command *command, const struct store_id *id);

/* Format a command, and add it to the batch; sets batch->failed when there is
 * no memory. */
void redis_batch_add(struct redis_batch *batch, struct redis_command *command);

/* Add AUTH, if the URL has a password. */
void redis_batch_add_auth(struct redis_batch *batch,
                          const struct store_url *url);

/* Free the replies, so that the batch can be sent again. */
void redis_batch_rewind(struct redis_batch *batch);

/* Free commands and replies, and wipe the commands: one may hold a password. */
void redis_batch_free(struct redis_batch *batch);

/* Replies. */

/* A reader refuses what no reply to our commands is. Otherwise a few bytes,
 * such as "*1000000000", would make it allocate gigabytes and stop the loop for
 * as long as it frees them. */
#define REDIS_REPLY_MAX (4 * 1024 * 1024) /* bytes that wait to be parsed */
#define REDIS_LINE_MAX (16 * 1024)        /* bytes of a line */
#define REDIS_ELEMENTS_MAX (16 * 1024)    /* of all arrays in one reply */

/* NULL: no memory. */
struct redis_reader *redis_reader_new(void);
void redis_reader_free(struct redis_reader *reader);

/* Add bytes that were received. Returns false when they are no replies. */
PST_MUST_USE bool redis_reader_feed(struct redis_reader *reader,
                                    const char *bytes, size_t len);

/*
 * Read the next reply.
 *   reply  set to it, for redis_reply_free(); NULL: more bytes are needed
 * Returns false when the bytes are no reply, or one over the limits above.
 */
PST_MUST_USE bool redis_reader_next(struct redis_reader *reader,
                                    struct redisReply **reply);

/* Has every byte that was fed been read? */
bool redis_reader_is_empty(const struct redis_reader *reader);

/* Why feeding or reading returned false. Valid until the reader is freed. */
const char *redis_reader_error(const struct redis_reader *reader);

/* reply may be NULL. */
void redis_reply_free(struct redisReply *reply);

/* The text of an error reply; NULL when the reply is none. */
const char *redis_reply_error(const struct redisReply *reply);

/* The value of a reply. Returns false when it is of another type. bytes: absent
 * for nil; otherwise a slice of the reply, followed by a NUL. */
PST_MUST_USE bool redis_reply_parse_number(const struct redisReply *reply,
                                           int64_t *number);
PST_MUST_USE bool redis_reply_parse_bytes(const struct redisReply *reply,
                                          struct pst_bytes *bytes);
PST_MUST_USE bool redis_reply_parse_list(const struct redisReply *reply,
                                         struct redisReply ***items,
                                         size_t *count);

#endif
