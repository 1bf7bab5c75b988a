/* SPDX-License-Identifier: ISC */
/*
 * test_redis_output.c - all commands are sent, in order, also when the socket
 * takes a part only, and nothing is left of them in memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/redis_output.h"

#define LARGE 300000

static int pair[2];

static int
set_up(void **state)
{
    (void)state;
    if (signal(SIGPIPE, SIG_DFL) == SIG_ERR)
        return -1;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static int
tear_down(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static struct redis_batch
large_batch(void)
{
    static uint8_t large[LARGE];
    struct redis_batch batch = {.count = 0};
    struct redis_command command;

    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)(i * 7 % 251);
    redis_command_init(&command, "SET");
    redis_add_bytes(&command, large, sizeof(large));
    redis_batch_add(&batch, &command);
    redis_command_init(&command, "PING");
    redis_batch_add(&batch, &command);
    assert_false(batch.failed);
    return batch;
}

static void
test_large(void **state)
{
    static char got[4 * LARGE];
    struct redis_batch batch = large_batch();
    struct redis_output output = {.len = 0};
    size_t want = batch.lens[0] + batch.lens[1];
    size_t len = 0;
    int cause = EAGAIN;

    (void)state;
    assert_true(redis_output_add(&output, &batch));
    while (len < want || cause != 0) {
        ssize_t more;

        cause = redis_output_send(&output, pair[0]);
        assert_true(cause == 0 || cause == EAGAIN);
        assert_int_equal(output.sent + output.len, want);
        more = recv(pair[1], got + len, sizeof(got) - len, 0);
        assert_true(more > 0);
        len += (size_t)more;
    }
    assert_int_equal(output.added, want);
    assert_memory_equal(got, batch.texts[0], batch.lens[0]);
    assert_memory_equal(got + batch.lens[0], batch.texts[1], batch.lens[1]);
    for (size_t i = 0; i < output.size; i++)
        assert_int_equal(output.bytes[i], 0);
    redis_output_free(&output);
    redis_batch_free(&batch);
}

/* A server that does not read. */
static void
test_limit(void **state)
{
    struct redis_batch batch = large_batch();
    struct redis_output output = {.len = 0};
    size_t count = 0;

    (void)state;
    while (redis_output_add(&output, &batch))
        count++;
    assert_int_equal(count, REDIS_OUTPUT_MAX / (batch.lens[0] + batch.lens[1]));
    redis_output_free(&output);
    redis_batch_free(&batch);
}

static void
test_closed(void **state)
{
    struct redis_batch batch = large_batch();
    struct redis_output output = {.len = 0};

    (void)state;
    close(pair[1]);
    assert_int_equal(redis_output_send(&output, pair[0]), 0);
    assert_true(redis_output_add(&output, &batch));
    assert_int_equal(redis_output_send(&output, pair[0]), EPIPE);
    assert_int_equal(output.sent, 0);
    redis_output_free(&output);
    redis_batch_free(&batch);
    pair[1] = dup(pair[0]);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_large),
        TEST(test_limit),
        TEST(test_closed),
    };

    return cmocka_run_group_tests_name("redis_output", tests, NULL, NULL);
}
