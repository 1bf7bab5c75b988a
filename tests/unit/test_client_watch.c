/* SPDX-License-Identifier: ISC */
/*
 * test_client_watch.c - a client that hangs up makes the watch readable, and
 * nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream/client_watch.h"

static bool
is_readable(const struct client_watch *watch)
{
    struct pollfd poller = {.fd = watch->epoll, .events = POLLIN};

    return poll(&poller, 1, 0) == 1;
}

static void
test_hang_up(void **state)
{
    struct client_watch watch;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(client_watch_init(&watch), PST_OK);
    assert_false(client_watch_is_active(&watch));
    client_watch_start(&watch, pair[0]);
    assert_true(client_watch_is_active(&watch));
    assert_false(is_readable(&watch));
    assert_int_equal(write(pair[1], "unread", 6), 6);
    assert_false(is_readable(&watch));
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    assert_true(is_readable(&watch));
    client_watch_stop(&watch);
    assert_false(client_watch_is_active(&watch));
    assert_false(is_readable(&watch));
    client_watch_fini(&watch);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* The write end of a pipe. The reader closes its end. */
static void
test_pipe(void **state)
{
    struct client_watch watch;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(client_watch_init(&watch), PST_OK);
    client_watch_start(&watch, ends[1]);
    assert_false(is_readable(&watch));
    (void)close(ends[0]);
    assert_true(is_readable(&watch));
    client_watch_fini(&watch);
    (void)close(ends[1]);
}

static void
test_unwatchable(void **state)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct client_watch watch;

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(client_watch_init(&watch), PST_OK);
    client_watch_start(&watch, -1);
    assert_false(client_watch_is_active(&watch));
    client_watch_start(&watch, file);
    assert_false(client_watch_is_active(&watch));
    client_watch_stop(&watch);
    client_watch_fini(&watch);
    client_watch_fini(&watch);
    (void)close(file);
}

/* A second client takes the place of the first. */
static void
test_next_client(void **state)
{
    struct client_watch watch;
    int first[2];
    int second[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
    assert_int_equal(client_watch_init(&watch), PST_OK);
    client_watch_start(&watch, first[0]);
    client_watch_start(&watch, second[0]);
    (void)close(first[1]);
    assert_false(is_readable(&watch));
    (void)close(second[1]);
    assert_true(is_readable(&watch));
    client_watch_fini(&watch);
    (void)close(first[0]);
    (void)close(second[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_unwatchable),
        cmocka_unit_test(test_next_client),
    };

    return cmocka_run_group_tests_name("client_watch", tests, NULL, NULL);
}
