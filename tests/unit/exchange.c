/* SPDX-License-Identifier: ISC */
/*
 * exchange.c - run HTTP exchanges with the scripted server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "exchange.h"

struct pst_arena *arena;
struct server server;
struct client client;

void
nap(int milliseconds)
{
    struct timespec ts = {milliseconds / 1000,
                          (long)(milliseconds % 1000) * 1000000};

    if (milliseconds > 0)
        (void)nanosleep(&ts, NULL);
}

static enum pst_err
client_read(void *context, char *out, size_t size, size_t *len)
{
    struct client *c = context;
    size_t left = c->body.len - c->sent;

    c->reads++;
    nap(c->nap);
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
    nap(c->nap);
    if (c->go >= 0)
        assert_int_equal(write(c->go, "g", 1), 1);
    return c->body_err;
}

void
client_init(void)
{
    memset(&client, 0, sizeof(client));
    client.go = -1;
}

struct http_exchange
exchange(const char *method, int64_t body_length)
{
    return (struct http_exchange){
        .method = pst_str_from(method),
        .body_length = body_length,
        .context = &client,
        .read = client_read,
        .header = client_header,
        .head = client_head,
        .body = client_body,
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
run_once(const struct step *script, const struct http_exchange *what,
         int64_t timeout)
{
    struct http_client *upstream;
    enum pst_err e;

    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", timeout);
    e = http_client_run(upstream, arena, what);
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

int64_t
read_clock_ms(clockid_t id)
{
    struct timespec ts;

    assert_int_equal(clock_gettime(id, &ts), 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
set_up(void **state)
{
    (void)state;
    client_init();
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
