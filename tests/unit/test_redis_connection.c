/* SPDX-License-Identifier: ISC */
/*
 * test_redis_connection.c - one connection to Redis: replies in pieces, a
 * server that goes away, one that says what nobody asked, one that is not
 * Redis.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/redis_connection.h"

#define LONG 60000 /* milliseconds: never reached */

static struct redis_connection connection;
static int server;

static int
set_up(void **state)
{
    int pair[2];

    (void)state;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
        return -1;
    server = pair[1];
    return redis_connection_open(&connection, pair[0]) ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    redis_connection_close(&connection);
    if (server >= 0)
        close(server);
    return connection.socket < 0 ? 0 : -1;
}

static void
say(const char *text)
{
    assert_int_equal(write(server, text, strlen(text)), (ssize_t)strlen(text));
}

static void
hang_up(void)
{
    close(server);
    server = -1;
}

/* Two commands, whose replies are there already or never come. */
static enum redis_outcome
exchange(int64_t timeout, struct redis_batch *batch, struct redis_error *error)
{
    struct redis_command command;

    for (int i = 0; i < 2; i++) {
        redis_command_init(&command, "PING");
        redis_batch_add(batch, &command);
    }
    return redis_connection_exchange(&connection, batch, clock_ms() + timeout,
                                     error);
}

static void
test_alive(void **state)
{
    (void)state;
    assert_true(redis_connection_is_alive(&connection));
    say("+PONG\r\n");
    assert_false(redis_connection_is_alive(&connection));
}

static void
test_closed_by_server(void **state)
{
    (void)state;
    hang_up();
    assert_false(redis_connection_is_alive(&connection));
    redis_connection_close(&connection);
    assert_false(redis_connection_is_alive(&connection));
}

static void
test_outcomes(void **state)
{
    static const struct {
        const char *name;
        const char *replies;
        bool is_closed;
        enum redis_outcome want;
        const char *what;
        const char *cause;
    } rows[] = {
        {"both", "+PONG\r\n:7\r\n", false, REDIS_DONE, "", ""},
        {"one more", "+PONG\r\n:7\r\n:8\r\n", false, REDIS_LOST,
         "sent a reply to no command", ""},
        {"part of one more", "+PONG\r\n:7\r\n$", false, REDIS_LOST,
         "sent a reply to no command", ""},
        {"one", "+PONG\r\n", false, REDIS_TIMED_OUT,
         "does not answer: ", "Connection timed out"},
        {"half of one", "+PONG\r\n:", true, REDIS_LOST,
         "connection lost: ", "closed by the server"},
        {"no Redis", "HTTP/1.1 400 Bad Request\r\n", false, REDIS_LOST,
         "sent something that is not a Redis reply: ", "Protocol error"},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct redis_batch batch = {.count = 0};
        struct redis_error error = {"", ""};
        enum redis_outcome got;

        tear_down(state);
        assert_int_equal(set_up(state), 0);
        say(rows[i].replies);
        if (rows[i].is_closed)
            assert_int_equal(shutdown(server, SHUT_WR), 0);
        got = exchange(rows[i].want == REDIS_TIMED_OUT ? 1 : LONG, &batch,
                       &error);
        if (got != rows[i].want || strcmp(error.what, rows[i].what) != 0 ||
            strncmp(error.cause, rows[i].cause, strlen(rows[i].cause)) != 0)
            fail_msg("%s: %d, %s%s", rows[i].name, (int)got, error.what,
                     error.cause);
        redis_batch_free(&batch);
    }
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_alive),
        TEST(test_closed_by_server),
        TEST(test_outcomes),
    };

    return cmocka_run_group_tests_name("redis_connection", tests, NULL, NULL);
}
