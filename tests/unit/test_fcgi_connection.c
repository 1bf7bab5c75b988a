/* SPDX-License-Identifier: ISC */
/*
 * test_fcgi_connection.c - the bytes of one connection, between its socket and
 * libfcgi. Whole requests are in test_fcgi.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/fcgi_connection.h"
#include "fake_clock.h"
#include "fake_wait.h"
#include "fcgi_client.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */

static struct fcgi_connection connection;
static int client; /* the web server's end */

static int
set_up(void **state)
{
    int ends[2];

    (void)state;
    fake_wait_set_hook(NULL);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    connection = (struct fcgi_connection){.descriptor = ends[0],
                                          .head_deadline = clock_ms() + 10000};
    client = ends[1];
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (connection.descriptor >= 0)
        fcgi_connection_close(&connection, false);
    assert_null(connection.input);
    close(client);
    return 0;
}

/* Read so many bytes, in pieces of at most this size, and compare them. */
static void
assert_reads(const void *want, size_t len, size_t size)
{
    const char *at = want;

    while (len > 0) {
        char bytes[64];
        size_t some = size < len ? size : len;
        size_t got = 0;

        assert_int_equal(fcgi_connection_read(&connection, bytes, some, &got),
                         0);
        assert_in_range(got, 1, len);
        assert_memory_equal(bytes, at, got);
        at += got;
        len -= got;
    }
}

#define ASSERT_READS(literal, size) \
    assert_reads(literal, sizeof(literal) - 1, size)

/* The end of a request is an end for libfcgi, though more has arrived. */
static void
test_reads_one_request(void **state)
{
    size_t len = 77;
    char byte;

    (void)state;
    SEND(client, BEGIN(KEEP) PARAMS_END STDIN_END BEGIN(KEEP) PARAMS_END);
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP) PARAMS_END, 5);
    ASSERT_READS(STDIN_END, 64);
    assert_true(fcgi_connection_is_drained(&connection));
    assert_true(fcgi_connection_has_more(&connection));
    assert_int_equal(fcgi_connection_read(&connection, &byte, 1, &len), 0);
    assert_int_equal(len, 0);
    fcgi_connection_end_request(&connection);
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP) PARAMS_END, 64);
    assert_false(fcgi_connection_is_drained(&connection));
    assert_false(fcgi_connection_has_more(&connection));
    assert_int_equal(fcgi_connection_read(&connection, &byte, 1, &len),
                     ETIMEDOUT);
}

/* One byte of the next request is more, too. */
static void
test_one_byte_more(void **state)
{
    (void)state;
    SEND(client, BEGIN(KEEP) PARAMS_END STDIN_END "\1");
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP) PARAMS_END STDIN_END, 64);
    assert_true(fcgi_connection_has_more(&connection));
    fcgi_connection_end_request(&connection);
    assert_true(fcgi_connection_has_more(&connection));
}

/* What belongs to no request leaves the connection idle, without memory. */
static void
test_stale_records(void **state)
{
    int64_t begun = clock_ms();

    (void)state;
    SEND(client, ABORT STDIN_END "\1\5\0\1\0\5\0\0ab");
    assert_int_equal(fcgi_connection_fill(&connection), EAGAIN);
    assert_null(connection.input);
    SEND(client, "cde");
    assert_int_equal(fcgi_connection_fill(&connection), EAGAIN);
    assert_int_equal(clock_ms(), begun);
}

static void
test_end(void **state)
{
    (void)state;
    SEND(client, BEGIN(KEEP));
    shutdown(client, SHUT_WR);
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP), 64);
    assert_int_equal(
        fcgi_connection_read(&connection, (char[1]){0}, 1, &(size_t){0}),
        ECONNRESET);
}

static void
test_invalid(void **state)
{
    (void)state;
    SEND(client, "GET / HTTP/1.1\r\n");
    assert_int_equal(fcgi_connection_fill(&connection), EPROTO);
}

/* After a part of an answer nginx needs an invalid record. A connection that is
 * broken may have sent half a record: nothing can follow it. */
static void
test_cut(void **state)
{
    static const uint8_t invalid[8] = {1, 12, 1, 2};
    uint8_t got[9];

    for (int i = 0; i < 3; i++) {
        int64_t started = clock_ms();

        connection.has_written = i > 0;
        connection.is_broken = i == 2;
        fcgi_connection_cut(&connection, 258);
        assert_int_equal(connection.descriptor, -1);
        assert_in_range(clock_ms() - started, 50, 500);
        assert_int_equal(recv(client, got, sizeof(got), 0), i == 1 ? 8 : 0);
        if (i == 1)
            assert_memory_equal(got, invalid, sizeof(invalid));
        close(client);
        assert_int_equal(set_up(state), 0);
    }
}

static void
test_abort(void **state)
{
    uint8_t answer[16];

    (void)state;
    SEND(client, BEGIN(KEEP) ABORT BEGIN(KEEP));
    assert_int_equal(fcgi_connection_fill(&connection), ECONNABORTED);
    assert_true(connection.is_aborted);
    assert_int_equal(fcgi_connection_answer_abort(&connection), 0);
    assert_true(fcgi_client_receive(client, answer, sizeof(answer)));
    assert_memory_equal(answer, "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP), 64);
}

/* An abort that was read together with the end of the body. */
static void
test_abort_behind_the_body(void **state)
{
    (void)state;
    SEND(client, BEGIN(KEEP) PARAMS_END STDIN_END ABORT BEGIN(KEEP));
    assert_int_equal(fcgi_connection_fill(&connection), ECONNABORTED);
    assert_true(connection.is_aborted);
    fcgi_connection_end_request(&connection);
    connection.is_aborted = false;
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP), 64);
    SEND(client, PARAMS_END);
    ASSERT_READS(PARAMS_END, 64);

    /* Behind padding. */
    SEND(client, "\1\5\0\1\0\0\3\0pad" ABORT);
    assert_int_equal(fcgi_connection_fill(&connection), ECONNABORTED);
    fcgi_connection_end_request(&connection);
    connection.is_aborted = false;
    assert_int_equal(fcgi_connection_fill(&connection), EAGAIN);

    /* Another request's. */
    SEND(client, BEGIN(KEEP) PARAMS_END STDIN_END "\1\2\0\2\0\0\0\0");
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    assert_false(connection.is_aborted);
    ASSERT_READS(BEGIN(KEEP) PARAMS_END STDIN_END, 64);
}

/* An abort that comes while the request is handled, and what is none. */
static void
test_abort_after_the_body(void **state)
{
    static const char others[][9] = {"\1\2\0\2\0\0\0\0", "\1\2\1\1\0\0\0\0",
                                     "\1\5\0\1\0\0\0\0", "\1\2\0\1\0\1\0\0",
                                     "\1\2\0\1\0\0\1\0"};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(others); i++) {
        SEND(client, BEGIN(KEEP) PARAMS_END STDIN_END);
        assert_int_equal(fcgi_connection_fill(&connection), 0);
        ASSERT_READS(BEGIN(KEEP) PARAMS_END STDIN_END, 64);
        assert_false(fcgi_connection_take_abort(&connection));
        fcgi_client_send(client, others[i], 8);
        assert_false(fcgi_connection_take_abort(&connection));
        fcgi_connection_close(&connection, false);
        close(client);
        assert_int_equal(set_up(NULL), 0);
    }
    SEND(client, BEGIN(KEEP) PARAMS_END);
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP) PARAMS_END, 64);
    SEND(client, ABORT); /* in the body, it is for fcgi_connection_read() */
    assert_false(fcgi_connection_take_abort(&connection));
    fcgi_connection_end_request(&connection);
    assert_true(fcgi_connection_take_abort(&connection));
    SEND(client, BEGIN(KEEP) PARAMS_END STDIN_END);
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP) PARAMS_END STDIN_END, 64);
    SEND(client, "\1\2\0\1\0\0\0");
    assert_false(fcgi_connection_take_abort(&connection));
    connection.is_aborted = false;
    SEND(client, "\0" BEGIN(KEEP));
    assert_true(fcgi_connection_take_abort(&connection));
    assert_true(connection.is_aborted);
    assert_int_equal(fcgi_connection_fill(&connection), 0);
    ASSERT_READS(BEGIN(KEEP), 64);
}

/* The deadlines of the head, of all the body, and of writing. */
static void
test_deadlines(void **state)
{
    static char large[4 << 20];
    int64_t begun = clock_ms();

    (void)state;
    SEND(client, "\1");
    assert_int_equal(fcgi_connection_fill(&connection), ETIMEDOUT);
    assert_int_equal(clock_ms() - begun, 10000);
    connection.head_deadline = 0;
    connection.body_wait_ms = 3000;
    fake_clock_advance(100000); /* the handler's own time does not count */
    begun = clock_ms();
    assert_int_equal(fcgi_connection_fill(&connection), ETIMEDOUT);
    assert_int_equal(clock_ms() - begun, 3000);
    assert_int_equal(fcgi_connection_fill(&connection), ETIMEDOUT);
    assert_int_equal(clock_ms() - begun, 3000);
    assert_int_equal(fcgi_connection_write(&connection, large, sizeof(large)),
                     ETIMEDOUT);
    assert_int_equal(clock_ms() - begun, 63000);
    assert_true(connection.is_broken);
}

static void
test_write_error(void **state)
{
    char bytes[] = "abc";

    (void)state;
    assert_int_equal(fcgi_connection_write(&connection, bytes, 3), 0);
    assert_false(connection.is_broken);
    shutdown(client, SHUT_RD);
    assert_int_equal(fcgi_connection_write(&connection, bytes, 3), EPIPE);
    assert_true(connection.is_broken);
}

static bool
is_open_descriptor(int descriptor)
{
    return fcntl(descriptor, F_GETFD) >= 0;
}

/* Bytes that were left unread would make the web server's read fail:
 * ECONNRESET. */
static void
test_lingering_close_reads(void **state)
{
    char bytes[3000] = {0};
    int descriptor = connection.descriptor;

    (void)state;
    fcgi_client_send(client, bytes, sizeof(bytes));
    fcgi_connection_close(&connection, true);
    assert_int_equal(connection.descriptor, -1);
    assert_false(is_open_descriptor(descriptor));
    assert_int_equal(recv(client, bytes, 1, 0), 0);
}

/* Send a byte each time that somebody waits, 50 ms after the last one. */
static bool
send_more(void)
{
    fake_clock_advance(50);
    return send(client, "x", 1, MSG_NOSIGNAL) == 1;
}

/* A web server that sends nothing, or goes on sending: an end comes anyway. */
static void
test_lingering_close_has_an_end(void **state)
{
    int64_t begun = clock_ms();

    (void)state;
    fcgi_connection_close(&connection, true);
    assert_int_equal(clock_ms() - begun, 2000);
    close(client);
    assert_int_equal(set_up(NULL), 0);
    fake_wait_set_hook(send_more);
    begun = clock_ms();
    fcgi_connection_close(&connection, true);
    assert_in_range(clock_ms() - begun, 2000, 2100);
}

#define CONNECTION_TEST(test) \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTION_TEST(test_reads_one_request),
        CONNECTION_TEST(test_one_byte_more),
        CONNECTION_TEST(test_stale_records),
        CONNECTION_TEST(test_end),
        CONNECTION_TEST(test_invalid),
        CONNECTION_TEST(test_cut),
        CONNECTION_TEST(test_abort),
        CONNECTION_TEST(test_abort_behind_the_body),
        CONNECTION_TEST(test_abort_after_the_body),
        CONNECTION_TEST(test_deadlines),
        CONNECTION_TEST(test_write_error),
        CONNECTION_TEST(test_lingering_close_reads),
        CONNECTION_TEST(test_lingering_close_has_an_end),
    };

    alarm(TIMEOUT);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("fcgi_connection", tests, NULL, NULL);
}
