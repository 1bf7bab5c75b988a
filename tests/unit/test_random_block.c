/* SPDX-License-Identifier: ISC */
/*
 * test_random_block.c - random bytes are handed out once, and never by a parent
 * and its child.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/random_block.h"

#define DRAWS 1000
#define DRAW_LEN 16

static void
test_once(void **state)
{
    static uint8_t draws[DRAWS][DRAW_LEN];

    (void)state;
    for (size_t i = 0; i < DRAWS; i++) {
        assert_int_equal(random_block_get(draws[i], DRAW_LEN), PST_OK);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(draws[i], draws[j], DRAW_LEN);
    }
}

/* More than a block holds, and lengths that leave a rest. */
static void
test_lengths(void **state)
{
    static const size_t lens[] = {0, 1, 2047, 2, 2048, 2049, 10000};
    static uint8_t draw[10000];
    static const uint8_t zeros[64];

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(draw, 0, sizeof(draw));
        assert_int_equal(random_block_get(draw, lens[i]), PST_OK);
        for (size_t at = 0; at + sizeof(zeros) <= lens[i]; at += sizeof(zeros))
            assert_memory_not_equal(draw + at, zeros, sizeof(zeros));
        for (size_t at = lens[i]; at < sizeof(draw); at++)
            assert_int_equal(draw[at], 0);
    }
}

static void
test_fork(void **state)
{
    uint8_t first[DRAW_LEN];
    uint8_t ours[DRAW_LEN];
    uint8_t theirs[DRAW_LEN];
    int status = 0;
    int ends[2];
    pid_t child;

    (void)state;
    assert_int_equal(random_block_get(first, sizeof(first)), PST_OK);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(random_block_get(theirs, sizeof(theirs)) != PST_OK ||
              write(ends[1], theirs, sizeof(theirs)) != sizeof(theirs));
    assert_int_equal(random_block_get(ours, sizeof(ours)), PST_OK);
    assert_int_equal(read(ends[0], theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_not_equal(ours, theirs, sizeof(ours));
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_fork),
    };

    return cmocka_run_group_tests_name("random_block", tests, NULL, NULL);
}
