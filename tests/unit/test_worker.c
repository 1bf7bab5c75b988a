/* SPDX-License-Identifier: ISC */
/*
 * test_worker.c - how a connection ends whose answer is complete. The rest of
 * a worker is in test_serve.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/worker.h"

/* The clock, and how far it goes whenever it is read: a process may be kept
 * from running for as long between any two readings. */
static int64_t clock_now;
static int64_t clock_step;

/* The shortest time that poll(2) was told; below 0 it waits for ever. */
static int shortest;

/* In the place of the gate's. */
int64_t
clock_ms(void)
{
    clock_now += clock_step;
    return clock_now;
}

/* In the place of the C library's: nothing comes, and no time is lost. */
int poll_told(struct pollfd *list, nfds_t count, int timeout) __asm__("poll");

int
poll_told(struct pollfd *list, nfds_t count, int timeout)
{
    const struct timespec none = {0};

    if (timeout < shortest)
        shortest = timeout;
    return (int)syscall(SYS_ppoll, list, count, &none, NULL, 0);
}

/* A pair of sockets, the first of which is to be hung up. */
static void
open_pair(int ends[2])
{
    clock_now = 0;
    clock_step = 1;
    shortest = INT32_MAX;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void
assert_hung_up(int ends[2])
{
    char octet;

    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    assert_int_equal(recv(ends[1], &octet, 1, 0), 0);
    close(ends[1]);
}

/* Kept from running between looking at the clock and waiting, it waited with
 * a time below 0: for ever, where the other end stayed silent. */
static void
test_never_waits_for_ever(void **state)
{
    (void)state;
    for (int64_t step = 0; step < 3000; step += 100) {
        int ends[2];

        open_pair(ends);
        clock_step = step;
        worker_lingering_close(ends[0], false);
        assert_hung_up(ends);
        if (shortest < 0)
            fail_msg("%d ms, the clock at steps of %d", shortest, (int)step);
    }
}

/* What the other end still sends is read, so that it loses nothing. */
static void
test_reads_what_comes(void **state)
{
    char octets[3000] = {0};
    int ends[2];

    (void)state;
    open_pair(ends);
    assert_int_equal(send(ends[1], octets, sizeof(octets), 0), sizeof(octets));
    worker_lingering_close(ends[0], false);
    assert_hung_up(ends); /* unread bytes would make it ECONNRESET */
}

static void
test_does_not_wait_when_nothing_can_come(void **state)
{
    int ends[2];

    (void)state;
    open_pair(ends);
    worker_lingering_close(ends[0], true);
    assert_hung_up(ends);
    assert_int_equal(shortest, INT32_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_waits_for_ever),
        cmocka_unit_test(test_reads_what_comes),
        cmocka_unit_test(test_does_not_wait_when_nothing_can_come),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
