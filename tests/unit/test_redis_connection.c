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

static struct redis_connection *connection;
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
    connection = redis_connection_new(pair[0]);
    return connection ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    redis_connection_release(&connection);
    close(server);
    return connection ? -1 : 0;
}

static void
say(const char *text)
{
    assert_int_equal(write(server, text, strlen(text)), (ssize_t)strlen(text));
}

/* Two commands, whose replies are in the child's hands or never come. */
static enum redis_outcome
exchange(int64_t timeout, struct redis_batch *batch, struct redis_error *error)
{
    struct redis_command command;

    for (int i = 0; i < 2; i++) {
        redis_command_init(&command, "PING");
        redis_batch_add(batch, &command);
    }
    return redis_connection_exchange(connection, batch, clock_ms() + timeout,
                                     error);
}

/* Answer once both commands have come. */
static void
serve(const char *replies, bool is_closed)
{
    static const char want[] = "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n";
    char bytes[sizeof(want)];
    size_t len = 0;

    while (len < sizeof(want) - 1) {
        ssize_t more = read(server, bytes + len, sizeof(bytes) - len);

        if (more <= 0)
            _exit(1);
        len += (size_t)more;
    }
    if (memcmp(bytes, want, len) != 0)
        _exit(1);
    for (const char *at = replies; *at; at++)
        (void)!write(server, at, 1);
    if (!is_closed)
        (void)!read(server, bytes, 1);
    _exit(0);
}

static void
test_outcomes(void **state)
{
    static const struct {
        const char *name;
        const char *replies;
        bool is_closed;
        enum redis_outcome want;
        const char *error;
    } rows[] = {
        {"both", "+PONG\r\n:7\r\n", false, REDIS_DONE, ""},
        {"both, then closed", "+PONG\r\n:7\r\n", true, REDIS_DONE, ""},
        {"one", "+PONG\r\n", false, REDIS_TIMED_OUT,
         "does not answer: Connection timed out"},
        {"none", "", false, REDIS_TIMED_OUT,
         "does not answer: Connection timed out"},
        {"half of one", "+PONG\r\n:", true, REDIS_LOST,
         "connection lost: closed by the server"},
        {"no Redis", "HTTP/1.1 400 Bad Request\r\n", false, REDIS_LOST,
         "sent something that is not a Redis reply: Protocol error, got \"H\""},
        {"too much", "*1000000000\r\n", false, REDIS_LOST,
         "sent something that is not a Redis reply: an array with too many "
         "elements"},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct redis_batch batch = {.count = 0};
        struct redis_error error = {""};
        enum redis_outcome got;
        pid_t child;

        tear_down(state);
        assert_int_equal(set_up(state), 0);
        child = fork();
        if (child == 0) {
            redis_connection_release(&connection);
            serve(rows[i].replies, rows[i].is_closed);
        }
        close(server);
        got = exchange(rows[i].want == REDIS_TIMED_OUT ? 300 : LONG, &batch,
                       &error);
        if (got != rows[i].want ||
            strncmp(error.text, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("%s: %d, %s", rows[i].name, (int)got, error.text);
        redis_batch_free(&batch);
        server = dup(0);
    }
}

/* The server has closed the connection: nothing is sent. */
static void
test_closed_before(void **state)
{
    struct redis_batch batch = {.count = 0};
    struct redis_error error;

    (void)state;
    assert_int_equal(shutdown(server, SHUT_WR), 0);
    assert_int_equal(exchange(LONG, &batch, &error), REDIS_UNSENT);
    assert_string_equal(error.text, "connection lost: closed by the server");
    assert_false(redis_connection_is_open(connection));
    assert_false(redis_connection_has_answered(connection));
    redis_batch_free(&batch);
    assert_int_equal(exchange(LONG, &batch, &error), REDIS_UNSENT);
    assert_string_equal(error.text, "connection lost: closed by the server");
    redis_batch_free(&batch);
}

/* The next call must not take it for its own. */
static void
test_unasked(void **state)
{
    static const char *const rows[] = {"+PONG\r\n", "$"};

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct redis_batch batch = {.count = 0};
        struct redis_error error;

        tear_down(state);
        assert_int_equal(set_up(state), 0);
        assert_int_equal(exchange(0, &batch, &error), REDIS_TIMED_OUT);
        redis_batch_free(&batch);
        tear_down(state);
        assert_int_equal(set_up(state), 0);
        say("+PONG\r\n");
        if (i > 0)
            say(rows[i]);
        assert_int_equal(exchange(LONG, &batch, &error), REDIS_UNSENT);
        assert_string_equal(error.text, "sent a reply to no command");
        redis_batch_free(&batch);
    }
}

/* A call that has left gets no reply, nor does the next one get its. */
static void
test_late_replies(void **state)
{
    struct redis_batch first = {.count = 0};
    struct redis_batch second = {.count = 0};
    struct redis_error error;
    int64_t number = 0;

    (void)state;
    /* Something has come, so the connection is not given up. */
    if (fork() == 0) {
        char bytes[64];

        redis_connection_release(&connection);
        (void)!read(server, bytes, sizeof(bytes));
        say(":1\r\n");
        (void)!read(server, bytes, sizeof(bytes));
        say(":2\r\n:3\r\n:4\r\n");
        (void)!read(server, bytes, sizeof(bytes));
        _exit(0);
    }
    close(server);
    assert_int_equal(exchange(300, &first, &error), REDIS_TIMED_OUT);
    assert_true(redis_connection_is_open(connection));
    redis_batch_free(&first);
    assert_int_equal(exchange(LONG, &second, &error), REDIS_DONE);
    assert_true(redis_reply_parse_number(second.replies[0], &number));
    assert_int_equal(number, 3);
    assert_true(redis_reply_parse_number(second.replies[1], &number));
    assert_int_equal(number, 4);
    redis_batch_free(&second);
    server = dup(0);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_outcomes),
        TEST(test_closed_before),
        TEST(test_unasked),
        TEST(test_late_replies),
    };

    return cmocka_run_group_tests_name("redis_connection", tests, NULL, NULL);
}
