/* SPDX-License-Identifier: ISC */
/*
 * fuzz_redis.c - parse any bytes as replies of Redis, and check that it does
 * not matter in which pieces they come.
 */
#include <string.h>

#include "store/redis.h"

#define DEPTH_MAX 16 /* more than a reply may have */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is made of the input. */
struct outcome {
    size_t count;     /* replies */
    uint64_t sum;     /* of all that is in them */
    size_t elements;  /* of the arrays of a reply */
    bool is_refused;  /* the rest is no reply */
    bool is_complete; /* nothing of a further reply has come */
};

static void
add_byte(struct outcome *out, uint8_t byte)
{
    out->sum = out->sum * 31 + byte;
}

static void
add_reply(struct outcome *out, const struct redisReply *reply, int depth)
{
    const char *error = redis_reply_error(reply);
    struct redisReply **items;
    struct pst_bytes bytes;
    int64_t number;
    size_t count;

    PST_REQUIRE(depth < DEPTH_MAX);
    if (error) {
        add_byte(out, '-');
        for (; *error; error++)
            add_byte(out, (uint8_t)*error);
    } else if (redis_reply_parse_number(reply, &number)) {
        for (int i = 0; i < 64; i += 8)
            add_byte(out, (uint8_t)((uint64_t)number >> i & 0xff));
    } else if (redis_reply_parse_bytes(reply, &bytes)) {
        add_byte(out, bytes.ptr ? '$' : '0');
        PST_REQUIRE(bytes.len <= REDIS_REPLY_MAX);
        for (size_t i = 0; i < bytes.len; i++)
            add_byte(out, bytes.ptr[i]);
        PST_REQUIRE(!bytes.ptr || bytes.ptr[bytes.len] == '\0');
    } else if (redis_reply_parse_list(reply, &items, &count)) {
        out->elements += count;
        PST_REQUIRE(out->elements <= REDIS_ELEMENTS_MAX);
        for (size_t i = 0; i < count; i++)
            add_reply(out, items[i], depth + 1);
        add_byte(out, '*');
    } else {
        add_byte(out, '+');
    }
}

/* Read the input in pieces of `step` bytes. */
static struct outcome
read_replies(const uint8_t *data, size_t size, size_t step)
{
    struct redis_reader *reader = redis_reader_new();
    struct outcome out;
    struct redisReply *reply;

    PST_REQUIRE(reader);
    memset(&out, 0, sizeof(out));
    while (size > 0 && !out.is_refused) {
        size_t len = step < size ? step : size;

        out.is_refused = !redis_reader_feed(reader, (const char *)data, len);
        data += len;
        size -= len;
        while (!out.is_refused) {
            out.is_refused = !redis_reader_next(reader, &reply);
            if (out.is_refused || !reply)
                break;
            out.count++;
            out.elements = 0;
            add_reply(&out, reply, 0);
            redis_reply_free(reply);
        }
    }
    PST_REQUIRE(!out.is_refused || strlen(redis_reader_error(reader)) > 0);
    out.is_complete = !out.is_refused && redis_reader_is_empty(reader);
    redis_reader_free(reader);
    return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 64};
    struct outcome whole = read_replies(data, size, size > 0 ? size : 1);

    for (size_t i = 0; i < PST_COUNT(steps); i++) {
        struct outcome out = read_replies(data, size, steps[i]);

        PST_REQUIRE(out.is_refused == whole.is_refused &&
                    out.count == whole.count && out.sum == whole.sum &&
                    out.is_complete == whole.is_complete);
    }
    return 0;
}
