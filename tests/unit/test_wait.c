/* SPDX-License-Identifier: ISC */
/*
 * test_wait.c - read, write and wait, each with a deadline: the same in a fiber
 * of a loop as elsewhere.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop.h"
#include "engine/wait.h"
#include "fake_wait.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define LARGE ((size_t)4 << 20)

static int ends[2];    /* [0] is ours */
static int clients[2]; /* the same, of the client */
static struct loop *loop;

/* No deadline and no client. */
static const struct wait_limit unlimited = {WAIT_NO_DEADLINE, -1};

static void
open_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
}

static void
run_scenario(void *argument)
{
    void (*const *scenario)(void) = argument;

    (*scenario)();
    if (fiber_current())
        loop_stop(loop);
}

/* Run a scenario in a fiber, and without a loop. */
static void
run_both(void (*scenario)(void))
{
    for (int i = 0; i < 2; i++) {
        open_pair(ends);
        open_pair(clients);
        fake_wait_set_hook(NULL);
        if (i == 0) {
            run_scenario(&scenario);
        } else {
            assert_int_equal(loop_new(&loop), PST_OK);
            assert_int_equal(loop_start_fiber(loop, run_scenario, &scenario),
                             PST_OK);
            if (loop_fiber_count(loop) > 0)
                loop_run(loop);
            assert_int_equal(loop_fiber_count(loop), 0);
            loop_free(&loop);
        }
        close(ends[0]);
        close(ends[1]);
        close(clients[0]);
        close(clients[1]);
    }
}

static void
send_text(int descriptor, const char *text)
{
    assert_int_equal(send(descriptor, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

static void
assert_read(size_t size, const char *want)
{
    char bytes[64] = "";
    size_t len = 77;

    assert_true(size < sizeof(bytes));
    assert_int_equal(wait_read(ends[0], bytes, size, &unlimited, &len), 0);
    assert_int_equal(len, strlen(want));
    assert_memory_equal(bytes, want, len);
}

/* Send once, when the reader waits. */
static int sends_left;

static bool
send_one(void)
{
    if (sends_left == 0)
        return false;
    sends_left--;
    send_text(ends[1], "later");
    return true;
}

/* A read that leaves bytes, one that takes all that is there, and one that
 * takes more than is there: the next read waits, or does not, accordingly. */
static void
read_pieces(void)
{
    sends_left = 3;
    fake_wait_set_hook(send_one);
    send_text(ends[1], "abcdef");
    assert_read(2, "ab");
    assert_read(2, "cd");
    assert_read(2, "ef");
    assert_read(10, "later");
    assert_read(5, "later");
    assert_read(10, "later");
    assert_int_equal(sends_left, 0);
    send_text(ends[1], "end");
    shutdown(ends[1], SHUT_WR);
    assert_read(1, "e");
    assert_read(10, "nd");
    assert_read(10, "");
    assert_read(10, "");
}

static void
test_read(void **state)
{
    (void)state;
    run_both(read_pieces);
}

/* Close an end; false: it is closed already. */
static bool
close_end(int *end)
{
    int closed = *end;

    *end = -1;
    return close(closed) == 0;
}

static bool
close_other_end(void)
{
    return close_end(&ends[1]);
}

static void
read_end(void)
{
    fake_wait_set_hook(close_other_end);
    assert_read(10, "");
    assert_int_equal(ends[1], -1);
}

static void
test_read_end(void **state)
{
    (void)state;
    run_both(read_end);
}

static void
read_late(void)
{
    struct wait_limit limit = {clock_ms() + 3000, -1};
    char bytes[8];
    size_t len;

    assert_int_equal(wait_read(ends[0], bytes, 8, &limit, &len), ETIMEDOUT);
    assert_int_equal(clock_ms(), limit.deadline);
    assert_int_equal(wait_read(ends[0], bytes, 8, &limit, &len), ETIMEDOUT);
    assert_int_equal(clock_ms(), limit.deadline);
    /* What is known to be there is read even then. */
    send_text(ends[1], "xy");
    assert_read(1, "x");
    assert_int_equal(wait_read(ends[0], bytes, 8, &limit, &len), 0);
    assert_int_equal(len, 1);
    limit.deadline += INT64_C(5000000000); /* more than poll(2) can wait */
    assert_int_equal(wait_read(ends[0], bytes, 8, &limit, &len), ETIMEDOUT);
    assert_true(clock_ms() == limit.deadline);
}

static void
test_deadline(void **state)
{
    (void)state;
    run_both(read_late);
}

static bool
hang_up(void)
{
    return close_end(&clients[1]);
}

/* The client's unread bytes do not matter; its end does. */
static void
read_until_hangup(void)
{
    struct wait_limit limit = {clock_ms() + 1000, clients[0]};
    char bytes[8];
    size_t len;

    send_text(clients[1], "unread");
    assert_int_equal(wait_read(ends[0], bytes, 8, &limit, &len), ETIMEDOUT);
    limit.deadline = WAIT_NO_DEADLINE;
    fake_wait_set_hook(hang_up);
    assert_int_equal(wait_read(ends[0], bytes, 8, &limit, &len), ECANCELED);
    assert_int_equal(wait_read(ends[0], bytes, 8, &limit, &len), ECANCELED);
    assert_int_equal(wait_until(&limit), ECANCELED);
}

static void
test_client_hangs_up(void **state)
{
    (void)state;
    run_both(read_until_hangup);
}

static void
let_time_pass(void)
{
    struct wait_limit limit = {clock_ms() + 3000, clients[0]};

    assert_int_equal(wait_until(&limit), 0);
    assert_int_equal(clock_ms(), limit.deadline);
    assert_int_equal(wait_until(&limit), 0); /* it is over */
    limit.deadline++;
    limit.client = -1;
    assert_int_equal(wait_until(&limit), 0);
    assert_int_equal(clock_ms(), limit.deadline);
    limit.deadline += 5000;
    limit.client = clients[0];
    fake_wait_set_hook(hang_up);
    assert_int_equal(wait_until(&limit), ECANCELED);
    assert_true(clock_ms() < limit.deadline);
}

static void
test_until(void **state)
{
    (void)state;
    run_both(let_time_pass);
}

static char large[LARGE];
static size_t drained;

/* Read some at the other end, and check it. */
static bool
drain_some(void)
{
    static char bytes[100000];
    ssize_t got = read(ends[1], bytes, sizeof(bytes));

    if (got <= 0)
        return false;
    assert_memory_equal(bytes, large + drained, (size_t)got);
    drained += (size_t)got;
    return true;
}

/* More than fits: what the other end reads is waited for. */
static void
write_much(void)
{
    struct iovec pieces[] = {
        {NULL, 0}, {large, 3}, {large + 3, 0}, {large + 3, LARGE - 3}};

    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)(i * 7 + i / 251);
    drained = 0;
    fake_wait_set_hook(drain_some);
    assert_int_equal(wait_write(ends[0], pieces, PST_COUNT(pieces), &unlimited),
                     0);
    for (size_t i = 0; i < PST_COUNT(pieces); i++)
        assert_int_equal(pieces[i].iov_len, 0);
    while (drain_some())
        continue;
    assert_int_equal(drained, LARGE);
    assert_int_equal(wait_write(ends[0], pieces, PST_COUNT(pieces), &unlimited),
                     0);
    assert_int_equal(wait_write(ends[0], NULL, 0, &unlimited), 0);
    assert_int_equal(read(ends[1], large, 1), -1);
}

static void
test_write(void **state)
{
    (void)state;
    run_both(write_much);
}

/* Reading and writing one descriptor by turns. */
static void
write_and_read(void)
{
    for (int i = 0; i < 100; i++) {
        struct iovec piece = {large, 10};
        char bytes[16];

        assert_int_equal(wait_write(ends[0], &piece, 1, &unlimited), 0);
        assert_int_equal(read(ends[1], bytes, sizeof(bytes)), 10);
        sends_left = 1;
        fake_wait_set_hook(send_one);
        assert_read(10, "later");
    }
}

static void
test_write_and_read(void **state)
{
    (void)state;
    run_both(write_and_read);
}

static void
write_in_vain(void)
{
    struct wait_limit limit = {clock_ms() + 3000, clients[0]};
    struct iovec piece = {large, LARGE};

    assert_int_equal(wait_write(ends[0], &piece, 1, &limit), ETIMEDOUT);
    assert_int_equal(clock_ms(), limit.deadline);
    assert_in_range(piece.iov_len, 1, LARGE - 1);
    limit.deadline = WAIT_NO_DEADLINE;
    fake_wait_set_hook(hang_up);
    assert_int_equal(wait_write(ends[0], &piece, 1, &limit), ECANCELED);
    fake_wait_set_hook(close_other_end);
    assert_int_equal(wait_write(ends[0], &piece, 1, &unlimited), EPIPE);
}

static void
test_write_in_vain(void **state)
{
    (void)state;
    run_both(write_in_vain);
}

/* Room to write is waited for too, and an end is as good as being ready. */
static void
wait_for_both(void)
{
    const struct wait_limit limit = {clock_ms() + 1000, -1};

    assert_int_equal(wait_for(ends[0], POLLOUT, &limit), 0);
    while (write(ends[0], large, LARGE) > 0)
        continue;
    drained = 0;
    memset(large, 0, LARGE);
    assert_int_equal(wait_for(ends[0], POLLOUT, &limit), ETIMEDOUT);
    fake_wait_set_hook(drain_some);
    assert_int_equal(wait_for(ends[0], POLLOUT, &unlimited), 0);
    assert_true(drained > 0);
    fake_wait_set_hook(close_other_end);
    assert_int_equal(wait_for(ends[0], POLLIN, &unlimited), 0);
    assert_int_equal(wait_for(ends[0], POLLOUT, &unlimited), 0);
}

static void
test_wait_for(void **state)
{
    (void)state;
    memset(large, 0, LARGE);
    run_both(wait_for_both);
}

/* Another connection gets the number of one that was closed. Nothing that was
 * known of the first is taken for its own. */
static void
reuse_number(void)
{
    struct wait_limit limit = {clock_ms() + 1000, -1};
    int number = ends[0];
    int fresh[2];
    char byte;
    size_t len;

    send_text(ends[1], "abc");
    assert_read(1, "a"); /* more is left */
    shutdown(ends[1], SHUT_WR);
    assert_int_equal(wait_for(ends[0], POLLOUT, &limit), 0);
    wait_close(ends[0]);
    close(ends[1]);
    open_pair(fresh);
    ends[0] = fresh[0];
    ends[1] = fresh[1];
    if (number != fresh[0]) {
        assert_int_equal(dup2(fresh[0], number), number);
        close(fresh[0]);
        ends[0] = number;
    }
    if (fresh[1] == number)
        fail();
    assert_int_equal(wait_read(ends[0], &byte, 1, &limit, &len), ETIMEDOUT);
    sends_left = 1;
    fake_wait_set_hook(send_one);
    assert_read(10, "later");
}

static void
test_number_is_reused(void **state)
{
    (void)state;
    run_both(reuse_number);
}

/* Pipes, and files, which epoll cannot watch. */
static void
read_others(void)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int text = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    int pipes[2];
    char bytes[64];
    size_t len;

    assert_int_equal(pipe2(pipes, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(write(pipes[1], "ab", 2), 2);
    assert_int_equal(wait_read(pipes[0], bytes, 64, &unlimited, &len), 0);
    assert_int_equal(len, 2);
    close(pipes[1]);
    assert_int_equal(wait_read(pipes[0], bytes, 64, &unlimited, &len), 0);
    assert_int_equal(len, 0);
    wait_close(pipes[0]);
    assert_int_equal(wait_read(file, bytes, 64, &unlimited, &len), 0);
    assert_int_equal(len, 0);
    wait_close(file);
    assert_int_equal(wait_read(text, bytes, 64, &unlimited, &len), 0);
    assert_true(len > 0);
    wait_close(text);
    assert_int_equal(wait_read(text, bytes, 64, &unlimited, &len), EBADF);
}

static void
test_other_descriptors(void **state)
{
    (void)state;
    run_both(read_others);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_end),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_client_hangs_up),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_write_in_vain),
        cmocka_unit_test(test_wait_for),
        cmocka_unit_test(test_number_is_reused),
        cmocka_unit_test(test_other_descriptors),
    };

    alarm(TIMEOUT);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
