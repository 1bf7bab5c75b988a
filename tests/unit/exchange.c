/* SPDX-License-Identifier: ISC */
/*
 * exchange.c - run HTTP exchanges with the scripted server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "exchange.h"
#include "fake_clock.h"

#define WAITS_MAX 1000 /* in one test; more of them are a busy loop */

struct pst_arena *arena;
struct server server;
struct client client;

bool ends_in_silence;
size_t waits;
struct http_error run_error;
static bool is_silent; /* the server has sent its last byte */
static pthread_t test_thread;

static int
poll_really(struct pollfd *fds, nfds_t count, int timeout)
{
    const struct timespec time = {timeout / 1000,
                                  timeout % 1000 * (int64_t)1000000};

    return ppoll(fds, count, timeout < 0 ? NULL : &time, NULL);
}

/* When the server has sent its last byte, a wait ends at once. */
static int
poll_or_skip(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready = poll_really(fds, count, is_silent ? 0 : timeout);

    if (is_silent && ready == 0 && timeout > 0)
        fake_clock_advance(timeout);
    return ready;
}

/* Wait until the server is silent, or the descriptors are ready. */
static int
poll_until_silent(struct pollfd *fds, nfds_t count, int timeout)
{
    struct pollfd watched[8] = {{.fd = server.report[0], .events = POLLIN}};
    int ready;

    assert_true(count < PST_COUNT(watched));
    memcpy(watched + 1, fds, count * sizeof(*fds));
    ready = poll_really(watched, 1 + count, timeout);
    memcpy(fds, watched + 1, count * sizeof(*fds));
    if (watched[0].revents == 0)
        return ready;
    is_silent = true;
    return ready > 1 ? ready - 1 : poll_or_skip(fds, count, timeout);
}

/* Replaces poll(2) for the thread of the test: time passes at once when the
 * server is silent. */
int
poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (!pthread_equal(pthread_self(), test_thread))
        return poll_really(fds, count, timeout);
    assert_in_range(waits++, 0, WAITS_MAX);
    if (timeout == 0) /* it is over: nothing more arrives */
        return poll_really(fds, count, 0);
    if (client.go_waiting >= 0 && client.is_piece_new)
        assert_int_equal(write(client.go_waiting, "g", 1), 1);
    client.is_piece_new = false;
    if (ends_in_silence && !is_silent)
        return poll_until_silent(fds, count, timeout);
    return poll_or_skip(fds, count, timeout);
}

static enum pst_err
client_connected(void *context)
{
    struct client *c = context;

    c->connects++;
    return c->connected_err;
}

static enum pst_err
client_read(void *context, char *out, size_t size, size_t *len)
{
    struct client *c = context;
    size_t left = c->body.len - c->sent;

    c->reads++;
    fake_clock_advance(c->delay);
    if (c->read_err && c->sent >= c->err_at)
        return c->read_err;
    if (c->step > 0 && size > c->step)
        size = c->step;
    *len = left < size ? left : size;
    if (*len > 0)
        memcpy(out, c->body.ptr + c->sent, *len);
    c->sent += *len;
    return PST_OK;
}

static enum pst_err
client_header(void *context, struct pst_str name, struct pst_str value)
{
    struct client *c = context;
    int len = snprintf(c->headers + c->headers_len,
                       sizeof(c->headers) - c->headers_len, "%.*s=%.*s|",
                       (int)name.len, name.ptr, (int)value.len, value.ptr);

    assert_int_equal(c->heads, 0);
    c->headers_len += (size_t)len;
    assert_true(c->headers_len < sizeof(c->headers));
    return c->header_err;
}

static enum pst_err
client_head(void *context, int status)
{
    struct client *c = context;

    c->status = status;
    c->heads++;
    return c->head_err;
}

static enum pst_err
client_body(void *context, struct pst_str piece)
{
    struct client *c = context;

    assert_int_equal(c->heads, 1);
    assert_true(piece.len > 0);
    assert_true(piece.len < sizeof(c->got) - c->got_len);
    memcpy(c->got + c->got_len, piece.ptr, piece.len);
    c->got_len += piece.len;
    c->pieces++;
    fake_clock_advance(c->delay);
    if (c->go >= 0)
        assert_int_equal(write(c->go, "g", 1), 1);
    c->is_piece_new = true;
    return c->body_err;
}

void
client_init(void)
{
    memset(&client, 0, sizeof(client));
    client.go = -1;
    client.go_waiting = -1;
    is_silent = false;
}

static enum pst_err
client_flush(void *context)
{
    struct client *c = context;

    c->flushes++;
    return PST_OK;
}

struct http_exchange
exchange(const char *method, int64_t body_length)
{
    return (struct http_exchange){
        .method = pst_str_from(method),
        .body_length = body_length,
        .context = &client,
        .connected = client_connected,
        .read = client_read,
        .header = client_header,
        .head = client_head,
        .body = client_body,
        .flush = client_flush,
        .client = -1,
    };
}

struct http_client *
open_upstream(const char *scheme, const char *path, int64_t timeout)
{
    struct http_client *upstream = NULL;
    struct http_client_options options = {.connect_timeout = timeout,
                                          .first_byte_timeout = timeout,
                                          .between_bytes_timeout = timeout};
    char url[128];

    (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s", scheme, server.port,
                   path);
    options.url = pst_str_from(url);
    assert_int_equal(http_client_new(&upstream, &options), PST_OK);
    return upstream;
}

enum pst_err
run(struct http_client *upstream, const struct http_exchange *what)
{
    enum pst_err e;

    memset(&run_error, 'x', sizeof(run_error));
    e = http_client_run(upstream, arena, what, &run_error);
    assert_non_null(memchr(run_error.text, '\0', sizeof(run_error.text)));
    if ((e != PST_OK) != (run_error.text[0] != '\0'))
        fail_msg("%s, but the error is '%s'", pst_err_code(e), run_error.text);
    return e;
}

enum pst_err
run_once(const struct step *script, const struct http_exchange *what,
         int64_t timeout)
{
    struct http_client *upstream;
    enum pst_err e;

    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", timeout);
    e = run(upstream, what);
    http_client_free(&upstream);
    assert_null(upstream);
    server_join(&server);
    return e;
}

void
check_err(const char *row, enum pst_err got, enum pst_err want)
{
    if (got != want)
        fail_msg("row '%s': got %s, wanted %s", row, pst_err_code(got),
                 pst_err_code(want));
}

void
check_got(const char *row, const char *format)
{
    const char *mark = strstr(format, "%d");
    char want[1024];

    assert_non_null(mark);
    (void)snprintf(want, sizeof(want), "%.*s%d%s", (int)(mark - format), format,
                   server.port, mark + 2);
    if (strcmp(server.got, want) != 0)
        fail_msg("row '%s': server got:\n%s", row, server.got);
}

int
set_up(void **state)
{
    (void)state;
    test_thread = pthread_self();
    client_init();
    ends_in_silence = false;
    waits = 0;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

int
tear_down(void **state)
{
    (void)state;
    server_free(&server);
    pst_arena_free(&arena);
    return 0;
}

const struct step plain[] = {
    {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
    {DRAIN, NULL, 0},  {END, NULL, 0},
};

int
stop_after(int failed)
{
    http_client_stop();
    return failed;
}
