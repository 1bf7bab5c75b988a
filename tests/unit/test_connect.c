/* SPDX-License-Identifier: ISC */
/*
 * test_connect.c - connecting: what is not there is an error, one address does
 * not use up the time of the next, and a full queue is waited for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/connect.h"
#include "fake_clock.h"

/* A Unix socket that is bound, but does not listen. */
static int
bind_path(struct socket_address *address)
{
    char path[64];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(path, sizeof(path), "/tmp/postern-connect-%ld",
                   (long)getpid());
    (void)unlink(path);
    assert_true(socket_address_set_path(address, path));
    assert_int_equal(bind(fd, &address->any, address->len), 0);
    return fd;
}

static struct wait_limit
within(int64_t ms)
{
    return (struct wait_limit){.deadline = clock_ms() + ms, .client = -1};
}

static void
test_path(void **state)
{
    const struct wait_limit limit = within(1000);
    struct socket_address address;
    int listener = bind_path(&address);
    int fd = -1;

    (void)state;
    assert_int_equal(connect_to_address(&address, &limit, &fd), ECONNREFUSED);
    assert_int_equal(fd, -1);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect_to_address(&address, &limit, &fd), 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    close(listener);
    assert_int_equal(unlink(address.local.sun_path), 0);
    assert_int_equal(connect_to_address(&address, &limit, &fd), ENOENT);
}

/* Until the deadline. */
static void
test_full_queue(void **state)
{
    const struct wait_limit limit = within(1000);
    int64_t begin = clock_ms();
    struct socket_address address;
    int listener = bind_path(&address);
    int fds[8];
    int count = 0;

    (void)state;
    assert_int_equal(listen(listener, 0), 0);
    while (count < 8 && connect_to_address(&address, &limit, &fds[count]) == 0)
        count++;
    assert_in_range(count, 1, 7);
    assert_int_equal(clock_ms() - begin, 1000);
    while (count > 0)
        close(fds[--count]);
    close(listener);
    assert_int_equal(unlink(address.local.sun_path), 0);
}

/* An address where nothing listens, and one where something does. */
static void
test_any(void **state)
{
    const struct wait_limit limit = within(1000);
    struct socket_addresses addresses = {.count = 2};
    struct socket_address *good = &addresses.list[1];
    socklen_t size = sizeof(good->ipv4);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = -1;

    (void)state;
    assert_true(socket_address_parse(good, "127.0.0.1", "0"));
    assert_int_equal(bind(listener, &good->any, good->len), 0);
    assert_int_equal(getsockname(listener, &good->any, &size), 0);
    addresses.list[0] = *good;
    addresses.list[0].ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    assert_int_equal(connect_to_any(&addresses, &limit, &fd), ECONNREFUSED);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect_to_any(&addresses, &limit, &fd), 0);
    close(fd);
    addresses.count = 0;
    assert_int_equal(connect_to_any(&addresses, &limit, &fd), ENOENT);
    close(listener);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_any),
    };

    return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
