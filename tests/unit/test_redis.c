/* SPDX-License-Identifier: ISC */
/*
 * test_redis.c - commands as they are sent to Redis, and replies as they are
 * received, in pieces of any size, and those that are refused; without a
 * server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "store/redis.h"

static void
expect_text(const struct redis_batch *batch, size_t index, const char *want,
            size_t len)
{
    assert_true(index < batch->count);
    assert_int_equal(batch->lens[index], len);
    assert_memory_equal(batch->texts[index], want, len);
}

static void
test_commands(void **state)
{
    static const char set[] =
        "*7\r\n$3\r\nSET\r\n$3\r\nkey\r\n$4\r\na\0\r\n\r\n"
        "$0\r\n\r\n$2\r\n-7\r\n$64\r\n"
        "0102030000000000000000000000000000000000"
        "000000000000000000000000\r\n$2\r\n12\r\n";
    static const char evalsha[] =
        "*4\r\n$7\r\nEVALSHA\r\n"
        "$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n"
        "$1\r\n1\r\n$3\r\nkey\r\n";
    static const char eval[] =
        "*4\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$3\r\nkey\r\n";
    const struct redis_key key = {"key", 3};
    const struct store_id id = {{1, 2, 3}};
    struct redis_batch batch = {.count = 0};
    struct redis_command command;

    (void)state;
    redis_command_init(&command, "SET");
    redis_add_key(&command, &key);
    redis_add_bytes(&command, "a\0\r\n", 4);
    redis_add_string(&command, "");
    redis_add_number(&command, -7);
    redis_add_id(&command, &id);
    redis_add_number(&command, 12);
    redis_batch_add(&batch, &command);
    redis_command_init_script(&command, "return 1", 1);
    redis_add_key(&command, &key);
    redis_batch_add(&batch, &command);
    redis_command_spell_script(&command);
    redis_batch_add(&batch, &command);
    assert_false(batch.failed);
    assert_int_equal(batch.count, 3);
    expect_text(&batch, 0, set, sizeof(set) - 1);
    expect_text(&batch, 1, evalsha, sizeof(evalsha) - 1);
    expect_text(&batch, 2, eval, sizeof(eval) - 1);
    redis_batch_free(&batch);
    assert_int_equal(batch.count, 0);
}

/* A batch that waits for so many replies. */
static struct redis_batch
batch_of(size_t count)
{
    struct redis_batch batch = {.count = 0};
    struct redis_command command;

    for (size_t i = 0; i < count; i++) {
        redis_command_init(&command, "PING");
        redis_batch_add(&batch, &command);
    }
    return batch;
}

static void
expect_replies(const struct redis_batch *batch)
{
    struct redisReply **items;
    struct pst_bytes bytes;
    int64_t number = 0;
    size_t count = 0;

    assert_int_equal(batch->replied, 3);
    assert_true(redis_reply_parse_number(batch->replies[0], &number));
    assert_int_equal(number, -42);
    assert_false(redis_reply_parse_bytes(batch->replies[0], &bytes));
    assert_false(redis_reply_parse_list(batch->replies[0], &items, &count));
    assert_null(redis_reply_error(batch->replies[0]));
    assert_true(redis_reply_parse_list(batch->replies[1], &items, &count));
    assert_int_equal(count, 2);
    assert_true(redis_reply_parse_bytes(items[0], &bytes));
    assert_int_equal(bytes.len, 4);
    assert_memory_equal(bytes.ptr, "a\0\r\n", 5); /* with the NUL behind it */
    assert_true(redis_reply_parse_bytes(items[1], &bytes));
    assert_null(bytes.ptr);
    assert_false(redis_reply_parse_number(items[1], &number));
    assert_string_equal(redis_reply_error(batch->replies[2]), "OOM too much");
    assert_false(redis_reply_parse_bytes(batch->replies[2], &bytes));
}

/* Read the replies that are complete into the batch. */
static bool
read_replies(struct redis_reader *reader, struct redis_batch *batch)
{
    struct redisReply *reply;

    for (;;) {
        if (!redis_reader_next(reader, &reply))
            return false;
        if (!reply)
            return true;
        assert_true(batch->replied < batch->count);
        batch->replies[batch->replied++] = reply;
    }
}

/* In one piece, and byte by byte. */
static void
test_replies(void **state)
{
    static const char received[] =
        ":-42\r\n*2\r\n$4\r\na\0\r\n\r\n$-1\r\n-OOM too much\r\n";
    struct redis_reader *reader = redis_reader_new();
    struct redis_batch batch = batch_of(3);

    (void)state;
    assert_non_null(reader);
    assert_true(redis_reader_is_empty(reader));
    assert_true(redis_reader_feed(reader, received, sizeof(received) - 1));
    assert_true(read_replies(reader, &batch));
    expect_replies(&batch);
    redis_batch_rewind(&batch);
    assert_int_equal(batch.replied, 0);
    for (size_t i = 0; i < sizeof(received) - 1; i++) {
        assert_true(batch.replied < 3);
        assert_true(redis_reader_feed(reader, received + i, 1));
        assert_true(read_replies(reader, &batch));
    }
    expect_replies(&batch);
    assert_true(redis_reader_is_empty(reader));
    redis_batch_free(&batch);
    redis_reader_free(reader);
}

/* Feed a text over and over, in pieces, until it is refused or all is fed. */
static bool
feed_often(struct redis_reader *reader, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        struct redisReply *reply = NULL;

        if (!redis_reader_feed(reader, text, strlen(text)) ||
            !redis_reader_next(reader, &reply))
            return false;
        redis_reply_free(reply);
    }
    return true;
}

#define BYTES_64 \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BYTES_256 BYTES_64 BYTES_64 BYTES_64 BYTES_64
#define LINE BYTES_256 BYTES_256 BYTES_256 BYTES_256 /* 1 KiB */

/* What would make hiredis allocate gigabytes, or read without end. */
static void
test_hostile_replies(void **state)
{
    static const struct {
        const char *begin;
        const char *more; /* so many times */
        size_t times;
        const char *want; /* NULL: no error */
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "", 0, "Protocol error"},
        {"*1000000000\r\n", "", 0, "too many elements"},
        {"*16385\r\n", "", 0, "too many elements"},
        {"*16384\r\n", "", 0, NULL},
        {"*2\r\n*16382\r\n", "", 0, NULL},
        {"*2\r\n*16383\r\n", "", 0, "too many elements"},
        {"*-2\r\n", "", 0, "out of range"},
        {"*9999999999999999999\r\n", "", 0, "Bad multi-bulk length"},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "", 0, NULL},
        {"", "*1\r\n", 9, "nested"},
        {"$1000000000\r\n", "", 0, "a string that is too long"},
        {"$9223372036854775807\r\n", "", 0, "a string that is too long"},
        {"$99999999999999999999\r\n", "", 0, "Bad bulk string length"},
        {"$4194305\r\n", "", 0, "a string that is too long"},
        {"$4194304\r\n", "", 0, NULL},
        {"$4194304\r\n", LINE, 4095, NULL},
        {"$", "1", 30, "a string that is too long"},
        {"+", LINE, 15, NULL},
        {"+", LINE, 17, "a line that is too long"},
        {"-", LINE, 17, "a line that is too long"},
        {":", LINE, 17, "a line that is too long"},
        {"*", LINE, 17, "a line that is too long"},
        {"*2\r\n+", LINE, 17, "a line that is too long"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct redis_reader *reader = redis_reader_new();
        bool is_taken;

        assert_non_null(reader);
        is_taken = feed_often(reader, rows[i].begin, 1) &&
                   feed_often(reader, rows[i].more, rows[i].times);
        if (is_taken != (rows[i].want == NULL) ||
            (rows[i].want && !strstr(redis_reader_error(reader), rows[i].want)))
            fail_msg("row %zu: %s", i, redis_reader_error(reader));
        redis_reader_free(reader);
    }
    redis_reader_free(NULL);
}

/* The limit of elements counts anew for each reply. */
static void
test_many_replies(void **state)
{
    struct redis_reader *reader = redis_reader_new();
    struct redisReply *reply;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(feed_often(reader, "*10000\r\n", 1));
        for (int j = 0; j < 10000; j++)
            assert_true(redis_reader_feed(reader, ":1\r\n", 4));
        assert_true(redis_reader_next(reader, &reply));
        assert_non_null(reply);
        redis_reply_free(reply);
    }
    redis_reader_free(reader);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_hostile_replies),
        cmocka_unit_test(test_many_replies),
    };

    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
