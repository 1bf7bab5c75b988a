/* SPDX-License-Identifier: ISC */
/*
 * test_tls_events.c - exchanges of libcurl in fibers: the loop calls libcurl,
 * and wakes the fiber whose exchange has gone on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "upstream/tls_events.h"
#include "upstream/tls_exchange.h"

#define EXCHANGES 5
#define HEAD "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"

static struct pst_arena *arena;
static struct loop *loop;
static struct http_target target;
static struct tls_session *session;
static int listening;
static int client = -1; /* of the exchanges */

/* What the exchanges got. */
static int running;
static int heads;
static size_t bytes;
static enum pst_err results[EXCHANGES];

static enum pst_err
on_header(void *context, struct pst_str name, struct pst_str value)
{
    (void)context;
    (void)name;
    (void)value;
    return PST_OK;
}

/* The client reads slowly: others go on, and libcurl goes on. */
static enum pst_err
on_head(void *context, int status)
{
    const struct wait_limit soon = {.deadline = clock_ms() + 2, .client = -1};

    (void)context;
    heads += status == 200;
    return wait_until(&soon) == 0 ? PST_OK : PST_CLIENT_GONE;
}

static enum pst_err
on_body(void *context, struct pst_str piece)
{
    bytes += piece.len;
    return on_head(context, 0);
}

/* The loop ends with the last fiber. */
static void
finish(void)
{
    if (--running == 0)
        loop_stop(loop);
}

static void
run_exchange(void *argument)
{
    const struct http_exchange what = {.method = PST_STR("GET"),
                                       .header = on_header,
                                       .head = on_head,
                                       .body = on_body,
                                       .client = client};
    enum pst_err *result = argument;
    struct http_error error;

    *result = tls_exchange_run(session, arena, &what, &error);
    finish();
}

/* Send a part of each answer, the last exchange first; wait a little. */
static void
send_all(const int *sockets, const char *part)
{
    const struct wait_limit soon = {.deadline = clock_ms() + 20, .client = -1};
    const ssize_t len = (ssize_t)strlen(part);

    for (int i = EXCHANGES - 1; i >= 0; i--)
        assert_int_equal(write(sockets[i], part, strlen(part)), len);
    assert_int_equal(wait_until(&soon), 0);
}

/* Accept all exchanges and answer them; each part is passed on at once. */
static void
serve(void *argument)
{
    const struct wait_limit none = {.deadline = WAIT_NO_DEADLINE, .client = -1};
    int sockets[EXCHANGES];
    char head[1024];
    size_t len;

    (void)argument;
    for (int i = 0; i < EXCHANGES; i++) {
        while ((sockets[i] = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) < 0)
            assert_int_equal(wait_for(listening, POLLIN, &none), 0);
        assert_int_equal(wait_read(sockets[i], head, sizeof(head), &none, &len),
                         0);
    }
    send_all(sockets, HEAD);
    assert_int_equal(heads, EXCHANGES);
    send_all(sockets, "{}");
    assert_int_equal(bytes, 2 * EXCHANGES);
    send_all(sockets, "{}");
    for (int i = 0; i < EXCHANGES; i++)
        wait_close(sockets[i]);
    finish();
}

static int
set_up(void **state)
{
    const struct sockaddr_in any = {.sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct http_client_options options = {.connect_timeout = 5,
                                          .first_byte_timeout = 5,
                                          .between_bytes_timeout = 5};
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    char url[64];

    (void)state;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listening, (const struct sockaddr *)&any, sizeof(any)) != 0 ||
        listen(listening, EXCHANGES) != 0 ||
        getsockname(listening, (struct sockaddr *)&address, &size) != 0 ||
        loop_new(&loop) != PST_OK || pst_arena_new(&arena, 1 << 18) != PST_OK)
        return -1;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/",
                   ntohs(address.sin_port));
    options.url = pst_str_from(url);
    heads = 0;
    bytes = 0;
    return http_target_init(&target, &options) == PST_OK &&
                   tls_session_start(target.url) == PST_OK &&
                   (session = tls_session_new(&target))
               ? 0
               : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    tls_events_detach(session);
    tls_session_free(&session);
    http_target_fini(&target);
    close(listening);
    loop_free(&loop);
    pst_arena_free(&arena);
    return 0;
}

static void
run_all(void)
{
    running = EXCHANGES + 1;
    for (int i = 0; i < EXCHANGES; i++)
        assert_int_equal(loop_start_fiber(loop, run_exchange, &results[i]),
                         PST_OK);
    assert_int_equal(loop_start_fiber(loop, serve, NULL), PST_OK);
    loop_run(loop);
}

static void
test_answers(void **state)
{
    int64_t begun = clock_ms();

    (void)state;
    run_all();
    assert_in_range(clock_ms() - begun, 0, 100);
    for (int i = 0; i < EXCHANGES; i++)
        assert_int_equal(results[i], PST_OK);
    assert_int_equal(heads, EXCHANGES);
    assert_int_equal(bytes, 4 * EXCHANGES);
}

/* The client of one exchange hangs up; it alone ends. */
static void
leave(void *argument)
{
    const struct wait_limit soon = {.deadline = clock_ms() + 1, .client = -1};
    const int *end = argument;

    assert_int_equal(wait_until(&soon), 0);
    shutdown(*end, SHUT_RDWR);
    finish();
}

static void
test_client_gone(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends),
                     0);
    client = ends[0];
    running = 2;
    assert_int_equal(loop_start_fiber(loop, run_exchange, &results[0]), PST_OK);
    assert_int_equal(loop_start_fiber(loop, leave, &ends[1]), PST_OK);
    loop_run(loop);
    client = -1;
    assert_int_equal(results[0], PST_CLIENT_GONE);
    assert_true(TAILQ_EMPTY(&session->running));
    wait_close(ends[0]);
    close(ends[1]);
}

/* A connection changes which timeout applies, and the fiber learns of it. */
static void
test_deadline(void **state)
{
    int64_t begun = clock_ms();

    (void)state;
    target.first_byte_timeout = 5;
    running = 1;
    assert_int_equal(loop_start_fiber(loop, run_exchange, &results[0]), PST_OK);
    loop_run(loop);
    assert_int_equal(results[0], PST_UPSTREAM_TIMEOUT);
    assert_in_range(clock_ms() - begun, 5, 100);
    assert_int_equal(loop_fiber_count(loop), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_client_gone),
        TEST(test_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
