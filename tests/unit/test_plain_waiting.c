/* SPDX-License-Identifier: ISC */
/*
 * test_plain_waiting.c - an exchange holds a buffer for the response only while
 * something is in it. One fiber runs an exchange, another one is its backend.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop.h"
#include "engine/wait.h"
#include "upstream/plain_client.h"

#define TIMEOUT 60 /* seconds; by then, what a test waits for has failed */
#define PAUSE_MS 20

static struct loop *loop;
static struct pst_arena *arena;
static struct http_target target;
static struct plain_client upstream;
static int listening;

static struct {
    char text[64]; /* of the response's body */
    size_t len;
    size_t idle_while_read; /* buffers in the pool, in the call for a piece */
    enum pst_err result;
    size_t idle[5]; /* after each step of the backend */
} seen;

static enum pst_err
ignore_header(void *context, struct pst_str name, struct pst_str value)
{
    (void)context;
    (void)name;
    (void)value;
    return PST_OK;
}

static enum pst_err
ignore_head(void *context, int status)
{
    (void)context;
    (void)status;
    return PST_OK;
}

static enum pst_err
note_body(void *context, struct pst_str piece)
{
    (void)context;
    assert_true(piece.len <= sizeof(seen.text) - seen.len);
    memcpy(seen.text + seen.len, piece.ptr, piece.len);
    seen.len += piece.len;
    seen.idle_while_read = upstream.pool.buffer_count;
    return PST_OK;
}

static void
run_exchange(void *argument)
{
    const struct http_exchange exchange = {.method = PST_STR("GET"),
                                           .header = ignore_header,
                                           .head = ignore_head,
                                           .body = note_body,
                                           .client = -1};
    struct http_error error;

    (void)argument;
    seen.result = plain_client_run(&upstream, arena, &exchange, &error);
    loop_stop(loop);
}

/* Send a part of the response, and let the exchange read it. */
static size_t
send_part(int socket, const char *text)
{
    const struct wait_limit limit = {.deadline = clock_ms() + PAUSE_MS,
                                     .client = -1};

    assert_int_equal(send(socket, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
    assert_int_equal(wait_until(&limit), 0);
    return upstream.pool.buffer_count;
}

static void
run_backend(void *argument)
{
    const struct wait_limit limit = {.deadline = WAIT_NO_DEADLINE,
                                     .client = -1};
    char request[256];
    size_t len = 0;
    int socket;

    (void)argument;
    assert_int_equal(wait_for(listening, POLLIN, &limit), 0);
    socket = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    assert_true(socket >= 0);
    assert_int_equal(wait_read(socket, request, sizeof(request), &limit, &len),
                     0);
    assert_memory_equal(request + len - 4, "\r\n\r\n", 4);
    seen.idle[0] = upstream.pool.buffer_count;
    seen.idle[1] = send_part(socket, "HTTP/1.1 200 OK\r\n");
    seen.idle[2] = send_part(socket, "Transfer-Encoding: chunked\r\n\r\n");
    seen.idle[3] = send_part(socket, "3\r\none\r\n");
    seen.idle[4] = send_part(socket, "3\r\ntwo\r\n");
    assert_int_equal(send(socket, "0\r\n\r\n", 5, MSG_NOSIGNAL), 5);
    wait_close(socket);
}

static void
test_buffer_is_given_back(void **state)
{
    static const size_t idle[] = {1, 0, 1, 1, 1};

    (void)state;
    connection_pool_give_buffer(&upstream.pool,
                                connection_pool_take_buffer(&upstream.pool), 0);
    assert_int_equal(loop_start_fiber(loop, run_backend, NULL), PST_OK);
    assert_int_equal(loop_start_fiber(loop, run_exchange, NULL), PST_OK);
    loop_run(loop);
    assert_int_equal(seen.result, PST_OK);
    assert_int_equal(seen.len, 6);
    assert_memory_equal(seen.text, "onetwo", 6);
    assert_int_equal(seen.idle_while_read, 0);
    /* Only the part of a head must be kept. */
    for (size_t i = 0; i < PST_COUNT(idle); i++)
        if (seen.idle[i] != idle[i])
            fail_msg("step %zu: %zu buffers are idle", i, seen.idle[i]);
    assert_int_equal(upstream.pool.buffer_count, 1);
}

static int
set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct http_client_options options = {.connect_timeout = TIMEOUT,
                                          .first_byte_timeout = TIMEOUT,
                                          .between_bytes_timeout = TIMEOUT};
    char url[64];

    (void)state;
    alarm(TIMEOUT);
    listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listening < 0 ||
        bind(listening, (const struct sockaddr *)&address, len) != 0 ||
        listen(listening, 1) != 0 ||
        getsockname(listening, (struct sockaddr *)&address, &len) != 0)
        return -1;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/",
                   ntohs(address.sin_port));
    options.url = pst_str_from(url);
    if (http_target_init(&target, &options) != PST_OK ||
        pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK ||
        loop_new(&loop) != PST_OK)
        return -1;
    plain_client_init(&upstream, &target);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    plain_client_fini(&upstream);
    loop_free(&loop);
    pst_arena_free(&arena);
    http_target_fini(&target);
    return close(listening);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_buffer_is_given_back, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("plain_waiting", tests, NULL, NULL);
}
