/* SPDX-License-Identifier: ISC */
/*
 * redis.c - formats commands, and parses replies: the only file that calls
 * hiredis. Does no I/O.
 */
#include "store/redis.h"

#include <string.h>

#include <hiredis/hiredis.h>

#include "base/buffer.h"
#include "crypto/crypto.h"

/* Commands. */

void
redis_add_bytes(struct redis_command *command, const void *bytes, size_t len)
{
    PST_REQUIRE(command->count < REDIS_ARGUMENTS_MAX);
    command->arguments[command->count] = bytes;
    command->lens[command->count] = len;
    command->count++;
}

void
redis_add_string(struct redis_command *command, const char *string)
{
    redis_add_bytes(command, string, strlen(string));
}

void
redis_add_key(struct redis_command *command, const struct redis_key *key)
{
    redis_add_bytes(command, key->text, key->len);
}

/* Build an argument in the rest of the command's storage. */
static void
redis_storage_init(struct redis_command *command, struct pst_buf *buf)
{
    pst_buf_init(buf, command->storage + command->used,
                 sizeof(command->storage) - command->used);
}

static void
redis_add_storage(struct redis_command *command, const struct pst_buf *buf)
{
    struct pst_str text = pst_buf_str(buf);

    PST_REQUIRE(buf->err == PST_OK);
    redis_add_bytes(command, text.ptr, text.len);
    command->used += text.len;
}

void
redis_add_number(struct redis_command *command, int64_t number)
{
    struct pst_buf buf;

    redis_storage_init(command, &buf);
    pst_buf_add_number(&buf, number);
    redis_add_storage(command, &buf);
}

void
redis_add_id(struct redis_command *command, const struct store_id *id)
{
    struct pst_buf buf;

    redis_storage_init(command, &buf);
    pst_buf_add_hex(&buf, (struct pst_bytes){id->bytes, PST_HASH_LEN});
    redis_add_storage(command, &buf);
}

void
redis_command_init(struct redis_command *command, const char *name)
{
    command->count = 0;
    command->used = 0;
    command->script = NULL;
    redis_add_string(command, name);
}

void
redis_command_init_script(struct redis_command *command, const char *script,
                          size_t keys)
{
    uint8_t hash[PST_SHA1_LEN];
    struct pst_buf buf;

    pst_crypto_sha1(pst_str_bytes(pst_str_from(script)), hash);
    pst_buf_init(&buf, command->script_hash, sizeof(command->script_hash));
    pst_buf_add_hex(&buf, (struct pst_bytes){hash, sizeof(hash)});
    redis_command_init(command, "EVALSHA");
    command->script = script;
    redis_add_bytes(command, command->script_hash,
                    sizeof(command->script_hash));
    redis_add_number(command, (int64_t)keys);
}

void
redis_command_spell_script(struct redis_command *command)
{
    PST_REQUIRE(command->script);
    command->arguments[0] = "EVAL";
    command->lens[0] = strlen("EVAL");
    command->arguments[1] = command->script;
    command->lens[1] = strlen(command->script);
}

/* Bytes of "$len\r\n" and the like, at most. */
#define HEADER_MAX 24

/* Write a mark, a number and the end of the line. Returns what follows. */
static char *
redis_write_header(char *out, char mark, size_t number)
{
    struct pst_buf buf;

    pst_buf_init(&buf, out, HEADER_MAX);
    pst_buf_add_char(&buf, mark);
    pst_buf_add_number(&buf, (int64_t)number);
    pst_buf_add_string(&buf, "\r\n");
    return out + buf.len;
}

/* hiredis' own function calls printf() for each argument. */
static char *
redis_format_command(const struct redis_command *command, size_t *len)
{
    size_t size = HEADER_MAX;
    char *text;
    char *at;

    for (int i = 0; i < command->count; i++)
        size += command->lens[i] + HEADER_MAX + 2;
    text = malloc(size);
    if (!text)
        return NULL;
    at = redis_write_header(text, '*', (size_t)command->count);
    for (int i = 0; i < command->count; i++) {
        at = redis_write_header(at, '$', command->lens[i]);
        memcpy(at, command->arguments[i], command->lens[i]);
        at += command->lens[i];
        memcpy(at, "\r\n", 2);
        at += 2;
    }
    *len = (size_t)(at - text);
    return text;
}

void
redis_batch_add(struct redis_batch *batch, struct redis_command *command)
{
    size_t len;
    char *text = redis_format_command(command, &len);

    PST_REQUIRE(batch->count < REDIS_BATCH_MAX);
    if (!text) {
        batch->failed = true;
        return;
    }
    batch->texts[batch->count] = text;
    batch->lens[batch->count] = len;
    batch->count++;
}

void
redis_batch_add_auth(struct redis_batch *batch, const struct store_url *url)
{
    struct redis_command command;

    if (url->password[0] == '\0')
        return;
    redis_command_init(&command, "AUTH");
    if (url->user[0] != '\0')
        redis_add_string(&command, url->user);
    redis_add_string(&command, url->password);
    redis_batch_add(batch, &command);
}

void
redis_batch_rewind(struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->replied; i++) {
        redis_reply_free(batch->replies[i]);
        batch->replies[i] = NULL;
    }
    batch->replied = 0;
}

void
redis_batch_free(struct redis_batch *batch)
{
    redis_batch_rewind(batch);
    for (size_t i = 0; i < batch->count; i++) {
        pst_crypto_wipe(batch->texts[i], batch->lens[i]); /* AUTH's password */
        free(batch->texts[i]);
    }
    batch->count = 0;
}

/* Replies. */

/* The functions by which hiredis makes replies changed in its version 1. */
#if HIREDIS_MAJOR >= 1
typedef size_t redis_elements;
#define READER_TASK(reader) ((reader)->task[(reader)->ridx])
#else
typedef int redis_elements;
#define READER_TASK(reader) (&(reader)->rstack[(reader)->ridx])
#endif

/* Bytes of the length before a bulk string. */
#define BULK_HEADER_MAX 24

struct redis_reader {
    redisReader *parser;
    redisReplyObjectFunctions functions; /* hiredis' own, but one */
    void *(*create_array)(const redisReadTask *task, redis_elements count);
    size_t elements;   /* of the arrays of this reply so far */
    const char *error; /* our own; NULL: the parser's */
};

/* hiredis calls this before it allocates an array. NULL: an error. */
static void *
redis_create_array(const redisReadTask *task, redis_elements count)
{
    struct redis_reader *reader = task->privdata;

    if (count < 0 || (size_t)count > REDIS_ELEMENTS_MAX - reader->elements) {
        reader->error = "an array with too many elements";
        return NULL;
    }
    reader->elements += (size_t)count;
    return reader->create_array(task, count);
}

struct redis_reader *
redis_reader_new(void)
{
    struct redis_reader *reader = calloc(1, sizeof(*reader));
    redisReader *parser = redisReaderCreate();

    if (!reader || !parser) {
        free(reader);
        if (parser)
            redisReaderFree(parser);
        return NULL;
    }
    reader->parser = parser;
    reader->functions = *parser->fn;
    reader->create_array = reader->functions.createArray;
    reader->functions.createArray = redis_create_array;
    parser->fn = &reader->functions;
    parser->privdata = reader;
    return reader;
}

void
redis_reader_free(struct redis_reader *reader)
{
    if (!reader)
        return;
    redisReaderFree(reader->parser);
    free(reader);
}

/* Is the part that has not been parsed yet too long for what it seems to be?
 * Returns why, or NULL. */
static const char *
redis_check_rest(const redisReader *parser)
{
    const char *bytes = parser->buf + parser->pos;
    size_t len = parser->len - parser->pos;
    int64_t bulk_len = 0;
    size_t digits;

    if (len > REDIS_REPLY_MAX + BULK_HEADER_MAX)
        return "a reply that is too long";
    if (len == 0 || parser->ridx < 0)
        return NULL;
    if (READER_TASK(parser)->type != REDIS_REPLY_STRING)
        return len > REDIS_LINE_MAX ? "a line that is too long" : NULL;
    digits = pst_str_index(
        (struct pst_str){bytes, len < BULK_HEADER_MAX ? len : BULK_HEADER_MAX},
        '\r');
    if (digits == BULK_HEADER_MAX)
        return "a string that is too long";
    if (digits < len &&
        pst_str_parse_number((struct pst_str){bytes, digits}, &bulk_len) ==
            PST_OK &&
        bulk_len > REDIS_REPLY_MAX)
        return "a string that is too long";
    return NULL;
}

bool
redis_reader_feed(struct redis_reader *reader, const char *bytes, size_t len)
{
    return redisReaderFeed(reader->parser, bytes, len) == REDIS_OK;
}

bool
redis_reader_next(struct redis_reader *reader, redisReply **reply)
{
    void *found = NULL;

    *reply = NULL;
    if (redisReaderGetReply(reader->parser, &found) != REDIS_OK)
        return false;
    if (!found) {
        reader->error = redis_check_rest(reader->parser);
        return reader->error == NULL;
    }
    reader->elements = 0;
    *reply = found;
    return true;
}

bool
redis_reader_is_empty(const struct redis_reader *reader)
{
    const redisReader *parser = reader->parser;

    /* hiredis begins a reply before its first byte has come. */
    return parser->pos == parser->len &&
           (parser->ridx < 0 ||
            (parser->ridx == 0 && READER_TASK(parser)->type < 0));
}

const char *
redis_reader_error(const struct redis_reader *reader)
{
    return reader->error ? reader->error : reader->parser->errstr;
}

void
redis_reply_free(redisReply *reply)
{
    if (reply)
        freeReplyObject(reply);
}

const char *
redis_reply_error(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR ? reply->str : NULL;
}

bool
redis_reply_parse_number(const redisReply *reply, int64_t *number)
{
    if (reply->type != REDIS_REPLY_INTEGER)
        return false;
    *number = reply->integer;
    return true;
}

bool
redis_reply_parse_bytes(const redisReply *reply, struct pst_bytes *bytes)
{
    if (reply->type == REDIS_REPLY_NIL) {
        *bytes = (struct pst_bytes){NULL, 0};
        return true;
    }
    if (reply->type != REDIS_REPLY_STRING)
        return false;
    *bytes =
        (struct pst_bytes){(const uint8_t *)reply->str, (size_t)reply->len};
    return true;
}

bool
redis_reply_parse_list(const redisReply *reply, redisReply ***items,
                       size_t *count)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    *items = reply->element;
    *count = reply->elements;
    return true;
}
