/* SPDX-License-Identifier: ISC */
/*
 * test_http_client.c - exchanges with a small scripted server: what goes over
 * the wire byte by byte, how long is waited, and how it ends when either
 * side misbehaves.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <setjmp.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <curl/multi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "fake_clock.h"
#include "scripted.h"
#include "upstream/http_client.h"

/* The client's side: what an exchange brought. */

struct client {
    /* to be sent */
    struct pst_str body;
    size_t sent;
    size_t step; /* bytes at a time; 0: as many as fit */
    size_t reads;
    int slow; /* milliseconds that pass in each function */
    enum pst_err read_err;
    size_t err_at; /* bytes that are given before read_err */
    enum pst_err header_err;
    enum pst_err head_err;
    enum pst_err body_err;
    /* received */
    int status;
    int heads;
    char headers[2048];
    size_t headers_len;
    char got[4096];
    size_t got_len;
    size_t pieces;
    int go;            /* written to after each piece; -1: not */
    int go_waiting;    /* the same, once we wait for more */
    bool is_piece_new; /* and have not said go yet */
};

static struct pst_arena *arena;
static struct server server;
static struct client client;

static enum pst_err
client_read(void *context, char *out, size_t size, size_t *len)
{
    struct client *c = context;
    size_t left = c->body.len - c->sent;

    c->reads++;
    fake_clock_advance(c->slow);
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
    fake_clock_advance(c->slow);
    if (c->go >= 0)
        assert_int_equal(write(c->go, "g", 1), 1);
    c->is_piece_new = true;
    return c->body_err;
}

static void
client_init(void)
{
    memset(&client, 0, sizeof(client));
    client.go = -1;
    client.go_waiting = -1;
}

/* Waiting. */

/* After its TELL the server sends nothing: to wait is to let time pass. */
static bool ends_in_silence;
static bool is_silent;
static size_t waits;

static CURLMcode
wait_really(CURLM *multi, struct curl_waitfd *fds, unsigned count, int timeout,
            int *ready)
{
    CURLMcode (*real)(CURLM *, struct curl_waitfd *, unsigned, int, int *);
    void *found = dlsym(RTLD_NEXT, "curl_multi_poll");

    assert_non_null(found);
    memcpy(&real, &found, sizeof(real));
    return real(multi, fds, count, timeout, ready);
}

/* In the place of curl's: in silence nothing is waited for, but the clock goes
 * on as if. */
CURLMcode
curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count,
                int timeout, int *ready)
{
    struct curl_waitfd watched[2] = {{.fd = -1}, {.fd = -1}};
    int some = 0;
    CURLMcode code;

    assert_null(ready);
    assert_in_range(timeout, 1, 60000);
    assert_in_range(waits++, 0, 1000);
    assert_true(count <= 1);
    if (client.go_waiting >= 0 && client.is_piece_new)
        assert_int_equal(write(client.go_waiting, "g", 1), 1);
    client.is_piece_new = false;
    if (count > 0)
        watched[0] = fds[0];
    if (ends_in_silence && !is_silent)
        watched[count++] =
            (struct curl_waitfd){server.told[0], CURL_WAIT_POLLIN, 0};
    code = wait_really(multi, watched, count, is_silent ? 0 : timeout, &some);
    if (is_silent && some == 0)
        fake_clock_advance(timeout);
    if (ends_in_silence && !is_silent && watched[count - 1].revents)
        is_silent = true;
    if (fds && watched[0].fd == fds[0].fd)
        fds[0].revents = watched[0].revents;
    return code;
}

static struct http_exchange
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

/* A handle for the server's address, all of its clocks at `timeout` seconds. */
static struct http_client *
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

/* Start a server and run one exchange with it. */
static enum pst_err
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

static void
check_err(const char *row, enum pst_err got, enum pst_err want)
{
    if (got != want)
        fail_msg("row '%s': got %s, wanted %s", row, pst_err_code(got),
                 pst_err_code(want));
}

/* What the server got is `format`, with the port in the place of %d. */
static void
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

static int
set_up(void **state)
{
    (void)state;
    client_init();
    ends_in_silence = false;
    is_silent = false;
    waits = 0;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    server_free(&server);
    pst_arena_free(&arena);
    return 0;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

static const struct step plain[] = {
    {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
    {DRAIN, NULL, 0},  {END, NULL, 0},
};

/* What is sent. */

static void
test_get(void **state)
{
    static const struct http_header headers[] = {
        {{"Accept", 6}, {"application/json", 16}},
        {{"X-Empty", 7}, {"", 0}},
        {{"X-Blank", 7}, {" \t", 2}},
        {{"Authorization", 13}, {"Bearer secret", 13}},
        {{"X-Trimmed", 9}, {"  a b  ", 7}},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    what.query = PST_STR("query=%7Bme%7D&a=b+c");
    what.headers = headers;
    what.header_count = PST_COUNT(headers);
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("get", "GET /graphql?query=%7Bme%7D&a=b+c HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%d\r\n"
                     "Accept: application/json\r\n"
                     "X-Empty:\r\n"
                     "X-Blank:\r\n"
                     "Authorization: Bearer secret\r\n"
                     "X-Trimmed: a b\r\n\r\n");
    assert_int_equal(client.status, 200);
    assert_string_equal(client.headers, "Content-Length=2|");
    assert_string_equal(client.got, "{}");
    assert_int_equal(client.reads, 0);
}

/* A GET has no body, whatever is said of it. */
static void
test_get_without_body(void **state)
{
    struct http_exchange what = exchange("GET", -1);

    (void)state;
    client.body = PST_STR("not sent");
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("get", "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n");
    assert_int_equal(client.reads, 0);
}

static void
test_post(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_TEXT, "hello", 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    static const struct http_header headers[] = {
        {{"Content-Type", 12}, {"application/json", 16}},
        {{"user-agent", 10}, {"test", 4}},
    };

    (void)state;
    for (size_t step = 0; step < 3; step++) {
        struct http_exchange what = exchange("POST", 5);

        client_init();
        client.body = PST_STR("hello, and more than was said");
        client.step = step;
        what.headers = headers;
        what.header_count = PST_COUNT(headers);
        assert_int_equal(run_once(script, &what, 5), PST_OK);
        check_got("post", "POST /graphql HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%d\r\n"
                          "Content-Type: application/json\r\n"
                          "user-agent: test\r\n"
                          "Content-Length: 5\r\n\r\nhello");
        server_free(&server);
    }
}

static void
test_post_empty(void **state)
{
    struct http_exchange what = exchange("POST", 0);

    (void)state;
    assert_int_equal(run_once(plain, &what, 5), PST_OK);
    check_got("post", "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                      "Content-Length: 0\r\n\r\n");
    assert_int_equal(client.reads, 0);
}

static void
test_post_chunked(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "\r\n0\r\n\r\n", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", -1);

    (void)state;
    client.body = PST_STR("hello");
    client.step = 3;
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    check_got("chunked", "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n"
                         "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
}

/* Over 1 MiB curl would ask first, with Expect. */
static void
test_post_large(void **state)
{
    static char body[(2 << 20) + 3];
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "the end", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", sizeof(body));

    (void)state;
    memset(body, 'b', sizeof(body));
    memcpy(body + sizeof(body) - 7, "the end", 7);
    client.body = (struct pst_str){body, sizeof(body)};
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    assert_null(strstr(server.got, "Expect"));
    assert_non_null(strstr(server.got, "\r\nContent-Length: 2097155\r\n"));
    assert_int_equal(strlen(strstr(server.got, "\r\n\r\n")), sizeof(body) + 4);
}

static void
test_own_query(void **state)
{
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, plain);
    upstream = open_upstream("http", "/a/../b?x=1", 5);
    what.query = PST_STR("y=2");
    assert_int_equal(http_client_run(upstream, arena, &what), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    check_got("query", "GET /a/../b?x=1&y=2 HTTP/1.1\r\n"
                       "Host: 127.0.0.1:%d\r\n\r\n");
}

/* What cannot be sent is refused before there is a connection. */
static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        struct http_header header;
        const char *method;
        const char *query;
        enum pst_err want;
    } rows[] = {
        {"new line", {{"X", 1}, {"a\r\nY: b", 7}}, "GET", "", PST_MALFORMED},
        {"NUL", {{"X", 1}, {"a\0b", 3}}, "GET", "", PST_MALFORMED},
        {"name", {{"X Y", 3}, {"b", 1}}, "GET", "", PST_MALFORMED},
        {"no name", {{"", 0}, {"b", 1}}, "GET", "", PST_MALFORMED},
        {"length",
         {{"content-length", 14}, {"9", 1}},
         "POST",
         "",
         PST_MALFORMED},
        {"host", {{"Host", 4}, {"x", 1}}, "GET", "", PST_MALFORMED},
        {"query", {{"X", 1}, {"b", 1}}, "GET", "a b", PST_MALFORMED},
        {"query lines", {{"X", 1}, {"b", 1}}, "GET", "a\r\nb", PST_MALFORMED},
        {"method", {{"X", 1}, {"b", 1}}, "PUT", "", PST_BAD_METHOD},
        {"method case", {{"X", 1}, {"b", 1}}, "get", "", PST_BAD_METHOD},
        {"no method", {{"X", 1}, {"b", 1}}, "", "", PST_BAD_METHOD},
    };
    struct http_client *upstream;

    (void)state;
    server_start(&server, plain);
    upstream = open_upstream("http", "/graphql", 5);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what = exchange(rows[i].method, 0);

        what.query = pst_str_from(rows[i].query);
        what.headers = &rows[i].header;
        what.header_count = 1;
        check_err(rows[i].name, http_client_run(upstream, arena, &what),
                  rows[i].want);
    }
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(server.accepted, 0);
}

/* L32, L45: nothing of one exchange is in the next on the same handle. */
static void
test_next_is_clean(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_TEXT, "alice's body", 0},
        {SEND, OK_HEAD "{}", 0}, {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {READ_TEXT, "bob's", 0},
        {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    static const struct http_header headers[] = {
        {{"Authorization", 13}, {"Bearer alice", 12}},
        {{"Accept", 6}, {"a/b", 3}},
    };
    struct http_exchange first = exchange("POST", 12);
    struct http_exchange second = exchange("GET", 0);
    struct http_exchange third = exchange("POST", 0);
    struct http_exchange fourth = exchange("POST", 5);
    struct http_client *upstream;
    char want[512];

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    client.body = PST_STR("alice's body");
    first.query = PST_STR("of=alice");
    first.headers = headers;
    first.header_count = PST_COUNT(headers);
    assert_int_equal(http_client_run(upstream, arena, &first), PST_OK);
    pst_arena_reset(arena);
    client_init();
    assert_int_equal(http_client_run(upstream, arena, &second), PST_OK);
    pst_arena_reset(arena);
    client_init();
    assert_int_equal(http_client_run(upstream, arena, &third), PST_OK);
    assert_int_equal(client.reads, 0);
    client_init();
    client.body = PST_STR("bob's");
    assert_int_equal(http_client_run(upstream, arena, &fourth), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(server.accepted, 1);
    (void)snprintf(want, sizeof(want),
                   "alice's bodyGET /graphql HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\n\r\n"
                   "POST /graphql HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\nContent-Length: 0\r\n\r\n"
                   "POST /graphql HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%d\r\nContent-Length: 5\r\n\r\nbob's",
                   server.port, server.port, server.port);
    assert_non_null(strstr(server.got, "alice's body"));
    assert_string_equal(strstr(server.got, "alice's body"), want);
}

/* L47: a proxy that the environment names is not asked. */
static void
test_no_proxy(void **state)
{
    static const char *const names[] = {"http_proxy",  "HTTP_PROXY",
                                        "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",   "ALL_PROXY"};
    struct http_exchange what = exchange("GET", 0);
    enum pst_err e;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
    assert_int_equal(unsetenv("no_proxy"), 0);
    assert_int_equal(unsetenv("NO_PROXY"), 0);
    e = run_once(plain, &what, 5);
    for (size_t i = 0; i < PST_COUNT(names); i++)
        assert_int_equal(unsetenv(names[i]), 0);
    assert_int_equal(e, PST_OK);
    check_got("direct", "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n");
}

/* What is received. */

static void
test_answers(void **state)
{
    static const struct {
        const char *name;
        const char *answer;
        size_t len; /* 0: up to its NUL */
        enum pst_err want;
        int status;
        const char *headers;
        const char *body;
    } rows[] = {
        {"no length, then the end", "HTTP/1.0 200 OK\r\nA: b\r\n\r\nall of it",
         0, PST_OK, 200, "A=b|", "all of it"},
        {"an error of the backend's own",
         "HTTP/1.1 503 no\r\nRetry-After: 9\r\nContent-Length: 3\r\n\r\nno!", 0,
         PST_OK, 503, "Retry-After=9|Content-Length=3|", "no!"},
        {"not modified", "HTTP/1.1 304 x\r\nETag: \"1\"\r\n\r\n", 0, PST_OK,
         304, "ETag=\"1\"|", ""},
        {"interim answers",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nSet-Cookie: a=b\r\n"
         "\r\n" OK_HEAD "{}",
         0, PST_OK, 200, "Content-Length=2|", "{}"},
        {"L48: a redirect is an answer",
         "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\n"
         "Content-Length: 0\r\n\r\n",
         0, PST_OK, 302, "Location=http://127.0.0.1:1/|Content-Length=0|", ""},
        {"encoded, and left so",
         "HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
         "\x1f\x8b..",
         0, PST_OK, 200, "Content-Encoding=gzip|Content-Length=4|",
         "\x1f\x8b.."},
        {"chunked",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nab\r\n3;ext=1\r\ncde\r\n0\r\n\r\n",
         0, PST_OK, 200, "Transfer-Encoding=chunked|", "abcde"},
        {"L19: trailers are no headers",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nab\r\n0\r\nvendure-auth-token: evil\r\nA: b\r\n\r\n",
         0, PST_OK, 200, "Transfer-Encoding=chunked|", "ab"},
        {"a length beside chunks",
         "HTTP/1.1 200 x\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
         0, PST_OK, 200, "Transfer-Encoding=chunked|", "ab"},
        {"emptied token", "HTTP/1.1 204 x\r\nvendure-auth-token:\r\n\r\n", 0,
         PST_OK, 204, "vendure-auth-token=|", ""},
        {"garbage", "this is no HTTP at all\r\n\r\n", 0, PST_UPSTREAM_BROKEN, 0,
         "", ""},
        {"octets", "\x16\x03\x01\x00\x05 no", 8, PST_UPSTREAM_BROKEN, 0, "",
         ""},
        {"nothing", "", 0, PST_UPSTREAM_BROKEN, 0, "", ""},
        {"half a status line", "HTTP/1.1 20", 0, PST_UPSTREAM_BROKEN, 0, "",
         ""},
        {"half a head", "HTTP/1.1 200 OK\r\nA: b\r\n", 0, PST_UPSTREAM_BROKEN,
         0, "", ""},
        {"interim only", "HTTP/1.1 100 Continue\r\n\r\n", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
        {"another protocol",
         "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nwhatever", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
        {"short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 0,
         PST_UPSTREAM_BROKEN, 200, "Content-Length=10|", "hello"},
        {"short chunk",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 0,
         PST_UPSTREAM_BROKEN, 200, "Transfer-Encoding=chunked|", "ab"},
        {"no last chunk",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", 0,
         PST_UPSTREAM_BROKEN, 200, "Transfer-Encoding=chunked|", "ab"},
        {"bad chunk",
         "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 0,
         PST_UPSTREAM_BROKEN, 200, "Transfer-Encoding=chunked|", ""},
        {"folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
        {"no colon", "HTTP/1.1 200 OK\r\nA b\r\n\r\n", 0, PST_UPSTREAM_BROKEN,
         0, "", ""},
        {"NUL", "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 27, PST_UPSTREAM_BROKEN,
         0, "", ""},
        {"two lengths",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
         0, PST_UPSTREAM_BROKEN, 0, "", ""},
        {"status 600", "HTTP/1.1 600 x\r\nContent-Length: 0\r\n\r\n", 0,
         PST_UPSTREAM_BROKEN, 0, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0},
            {READ_HEAD, NULL, 0},
            {SEND, rows[i].answer, rows[i].len},
            {CLOSE, NULL, 0},
            {END, NULL, 0},
        };
        struct http_exchange what = exchange("GET", 0);

        client_init();
        pst_arena_reset(arena);
        check_err(rows[i].name, run_once(script, &what, 5), rows[i].want);
        if (client.status != rows[i].status ||
            strcmp(client.headers, rows[i].headers) != 0 ||
            strcmp(client.got, rows[i].body) != 0)
            fail_msg("row '%s': got %d '%s' '%s'", rows[i].name, client.status,
                     client.headers, client.got);
        assert_int_equal(server.accepted, 1);
        server_free(&server);
    }
}

static void
test_endless_head(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 200 OK\r\n", 0},
        {SEND_MANY, NULL, 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    assert_int_equal(run_once(script, &what, 5), PST_UPSTREAM_BROKEN);
    assert_int_equal(client.heads, 0);
    assert_int_equal(client.headers_len, 0);
}

/* A piece is handed on when it comes: the server waits for that. */
static void
test_piece_by_piece(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\none\r\n",
         0},
        {SYNC, NULL, 0},
        {SEND, "3\r\ntwo\r\n", 0},
        {SYNC, NULL, 0},
        {SEND, "5\r\nthree\r\n0\r\n\r\n", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    client.go = server.go[1];
    assert_int_equal(http_client_run(upstream, arena, &what), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(client.pieces, 3);
    assert_string_equal(client.got, "onetwothree");
}

/* An answer that comes before the body was sent is still the answer. */
static void
test_early_answer(void **state)
{
    static char body[1 << 20];
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND,
         "HTTP/1.1 413 no\r\nContent-Length: 2\r\n"
         "Connection: close\r\n\r\nno",
         0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", sizeof(body));

    (void)state;
    memset(body, 'b', sizeof(body));
    client.body = (struct pst_str){body, sizeof(body)};
    assert_int_equal(run_once(script, &what, 5), PST_OK);
    assert_int_equal(client.status, 413);
    assert_string_equal(client.got, "no");
}

/* Connections. */

static const struct step nothing[] = {{END, NULL, 0}};

static void
test_refused_connection(void **state)
{
    struct http_exchange what = exchange("POST", 5);
    struct http_client *upstream;

    (void)state;
    server_start(&server, nothing);
    server_join(&server);
    upstream = open_upstream("http", "/graphql", 5);
    client.body = PST_STR("hello");
    assert_int_equal(http_client_run(upstream, arena, &what),
                     PST_UPSTREAM_DOWN);
    assert_true(http_client_error(upstream)[0] != '\0');
    assert_int_equal(client.reads, 0);
    http_client_free(&upstream);
}

static void
test_no_tls(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_TEXT, "", 0},
        {SEND, "HTTP/1.1 400 This is no TLS\r\n\r\n", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("https", "/graphql", 5);
    assert_int_equal(http_client_run(upstream, arena, &what),
                     PST_UPSTREAM_DOWN);
    http_client_free(&upstream);
    server_join(&server);
    assert_null(strstr(server.got, "graphql"));
}

/* Two exchanges on one handle, with this script. */
static void
run_twice(const struct step *script, const struct http_exchange *first,
          const struct http_exchange *second, enum pst_err want)
{
    struct http_client *upstream;

    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    assert_int_equal(http_client_run(upstream, arena, first), PST_OK);
    client_init();
    client.body = PST_STR("hello");
    pst_arena_reset(arena);
    /* Until the server has done what it does between the two. */
    server_await(&server);
    check_err("second", http_client_run(upstream, arena, second), want);
    http_client_free(&upstream);
    server_join(&server);
}

static void
test_kept_alive(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {TELL, NULL, 0},   {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    run_twice(script, &what, &what, PST_OK);
    assert_int_equal(server.accepted, 1);
}

/* The server closed an idle connection: nobody is the worse for it. */
static void
test_closed_between(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {CLOSE, NULL, 0},
        {TELL, NULL, 0},         {ACCEPT, NULL, 0},
        {READ_TEXT, "hello", 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},        {END, NULL, 0},
    };
    struct http_exchange first = exchange("GET", 0);
    struct http_exchange second = exchange("POST", 5);

    (void)state;
    run_twice(script, &first, &second, PST_OK);
    assert_int_equal(server.accepted, 2);
    assert_string_equal(client.got, "{}");
}

/* It dies while the second request is on its way: a GET may be asked again. */
static void
test_died_get(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {TELL, NULL, 0},   {READ_HEAD, NULL, 0}, {CLOSE, NULL, 0},
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "ok", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    run_twice(script, &what, &what, PST_OK);
    assert_int_equal(server.accepted, 2);
    assert_string_equal(client.got, "ok");
}

/* A mutation that may have been carried out is never sent again. */
static void
test_died_post(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0},    {SEND, OK_HEAD "{}", 0},
        {TELL, NULL, 0},   {READ_TEXT, "hello", 0}, {CLOSE, NULL, 0},
        {ACCEPT, NULL, 0}, {DRAIN, NULL, 0},        {END, NULL, 0},
    };
    struct http_exchange first = exchange("GET", 0);
    struct http_exchange second = exchange("POST", 5);
    const char *sent;

    (void)state;
    run_twice(script, &first, &second, PST_UPSTREAM_BROKEN);
    assert_int_equal(client.heads, 0);
    sent = strstr(server.got, "hello");
    assert_non_null(sent);
    assert_null(strstr(sent + 1, "hello"));
    assert_null(strstr(sent + 1, "POST"));
}

/* Nor when the answer had begun. */
static void
test_died_answering(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {READ_HEAD, NULL, 0},
        {SEND, OK_HEAD "{}", 0}, {TELL, NULL, 0},
        {READ_HEAD, NULL, 0},    {SEND, "HTTP/1.1 200 OK\r\n", 0},
        {CLOSE, NULL, 0},        {ACCEPT, NULL, 0},
        {DRAIN, NULL, 0},        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    run_twice(script, &what, &what, PST_UPSTREAM_BROKEN);
    assert_int_equal(server.accepted, 1);
}

/* After a failure the handle is as good as before. */
static void
test_after_failure(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},  {READ_HEAD, NULL, 0}, {SEND, "rubbish\r\n", 0},
        {ANOTHER, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},   {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    assert_int_equal(http_client_run(upstream, arena, &what),
                     PST_UPSTREAM_BROKEN);
    assert_true(http_client_error(upstream)[0] != '\0');
    client_init();
    assert_int_equal(http_client_run(upstream, arena, &what), PST_OK);
    assert_string_equal(http_client_error(upstream), "");
    http_client_free(&upstream);
    server_join(&server);
    assert_int_equal(server.accepted, 2);
}

/* Clocks. */

/*
 * Unread bytes on the client's descriptor are no hang-up, and waiting beside
 * them costs no processor time.
 */
static void
test_first_byte(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_TEXT, "hello", 0}, {TELL, NULL, 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", 5);
    int64_t begun = clock_ms();
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "unread", 6), 6);
    client.body = PST_STR("hello");
    what.client = pair[0];
    ends_in_silence = true;
    assert_int_equal(run_once(script, &what, 1), PST_UPSTREAM_TIMEOUT);
    assert_int_equal(clock_ms() - begun, 1000);
    assert_in_range(waits, 1, 10);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void
test_between_bytes(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 0},
        {TELL, NULL, 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    int64_t begun = clock_ms();

    (void)state;
    ends_in_silence = true;
    assert_int_equal(run_once(script, &what, 1), PST_UPSTREAM_TIMEOUT);
    assert_int_equal(clock_ms() - begun, 1000);
    assert_string_equal(client.got, "hel");
}

/* Each clock is its own: in a row, the one that has to run out is the short
 * one. */
static void
test_which_clock(void **state)
{
    static const struct {
        const char *name;
        const char *answer;
        int64_t first_byte;
        int64_t between_bytes;
        const char *reason;
    } rows[] = {
        {"first byte", "HTTP/1.1 100 Continue\r\n\r\n", 1, 9, "first-byte"},
        {"between bytes", "HTTP/1.1 200 OK\r\n", 9, 1, "between-bytes"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, rows[i].answer, 0},
            {TELL, NULL, 0},   {DRAIN, NULL, 0},     {END, NULL, 0},
        };
        struct http_client_options options = {
            .connect_timeout = 9,
            .first_byte_timeout = rows[i].first_byte,
            .between_bytes_timeout = rows[i].between_bytes};
        struct http_exchange what = exchange("GET", 0);
        struct http_client *upstream = NULL;
        int64_t begun = clock_ms();
        char url[64];

        ends_in_silence = true;
        is_silent = false;
        server_start(&server, script);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
        options.url = pst_str_from(url);
        assert_int_equal(http_client_new(&upstream, &options), PST_OK);
        check_err(rows[i].name, http_client_run(upstream, arena, &what),
                  PST_UPSTREAM_TIMEOUT);
        assert_int_equal(clock_ms() - begun, 1000);
        if (!strstr(http_client_error(upstream), rows[i].reason))
            fail_msg("row '%s': %s", rows[i].name, http_client_error(upstream));
        http_client_free(&upstream);
        server_join(&server);
        server_free(&server);
    }
}

/* Slow clients, sending or reading, are not the backend's fault. */
static void
test_slow_client(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_TEXT, "hello", 0},
        {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 0},
        {SYNC, NULL, 0},
        {SEND, "cd", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("POST", 5);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 1);
    client.body = PST_STR("hello");
    client.slow = 1050;
    client.go_waiting = server.go[1];
    assert_int_equal(http_client_run(upstream, arena, &what), PST_OK);
    assert_string_equal(client.got, "abcd");
    http_client_free(&upstream);
    server_join(&server);
}

/* The client goes. */

static void
test_client_gone(void **state)
{
    static const struct {
        const char *name;
        const char *answer; /* what the backend has said by then */
        bool half;          /* the client only stops sending */
        bool unread;        /* something of it lies there unread */
    } rows[] = {
        {"closed", "", false, false},
        {"closed, unread octets", "", false, true},
        {"half closed", "", true, true},
        {"while answering", "HTTP/1.1 200 OK\r\n\r\nbegun", false, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, rows[i].answer, 0},
            {DRAIN, NULL, 0},  {END, NULL, 0},
        };
        struct http_exchange what = exchange("GET", 0);
        int64_t begun = clock_ms();
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        if (rows[i].unread)
            assert_int_equal(write(pair[1], "unread", 6), 6);
        if (rows[i].half)
            assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
        else
            (void)close(pair[1]);
        what.client = pair[0];
        client_init();
        check_err(rows[i].name, run_once(script, &what, 9), PST_CLIENT_GONE);
        assert_int_equal(clock_ms(), begun);
        (void)close(pair[0]);
        if (rows[i].half)
            (void)close(pair[1]);
        server_free(&server);
    }
}

/* It goes while we wait, over TCP, where only a FIN comes. */
static void *
hang_up_later(void *context)
{
    server_await(&server);
    (void)close(*(int *)context);
    return NULL;
}

static void
tcp_pair(int pair[2])
{
    struct server side = {.connection = -1};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    server_listen(&side);
    address.sin_port = htons((uint16_t)side.port);
    pair[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(pair[1] >= 0);
    assert_int_equal(
        connect(pair[1], (struct sockaddr *)(void *)&address, sizeof(address)),
        0);
    pair[0] = accept(side.listener, NULL, NULL);
    assert_true(pair[0] >= 0);
    (void)close(side.listener);
}

static void
test_client_goes(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {TELL, NULL, 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;
    int64_t begun = clock_ms();
    pthread_t thread;
    int pair[2];

    (void)state;
    tcp_pair(pair);
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 9);
    assert_int_equal(pthread_create(&thread, NULL, hang_up_later, &pair[1]), 0);
    what.client = pair[0];
    assert_int_equal(http_client_run(upstream, arena, &what), PST_CLIENT_GONE);
    assert_int_equal(clock_ms(), begun);
    assert_int_equal(pthread_join(thread, NULL), 0);
    http_client_free(&upstream);
    server_join(&server);
    (void)close(pair[0]);
}

/* A descriptor that cannot hang up, or is none, is not in the way; and one
 * that was watched before is forgotten. */
static void
test_client_unwatched(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},    {READ_HEAD, NULL, 0},    {SEND, OK_HEAD "{}", 0},
        {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "{}", 0}, {READ_HEAD, NULL, 0},
        {SYNC, NULL, 0},      {SEND, OK_HEAD "{}", 0}, {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct http_client *upstream;
    int other[2];
    int pair[2];

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 5);
    what.client = file;
    assert_int_equal(http_client_run(upstream, arena, &what), PST_OK);
    client_init();
    what.client = pair[0];
    assert_int_equal(http_client_run(upstream, arena, &what), PST_OK);
    (void)close(pair[1]);
    client_init();
    what.client = other[0];
    assert_int_equal(write(server.go[1], "g", 1), 1);
    assert_int_equal(http_client_run(upstream, arena, &what), PST_OK);
    http_client_free(&upstream);
    server_join(&server);
    (void)close(pair[0]);
    (void)close(other[0]);
    (void)close(other[1]);
    (void)close(file);
}

/* Our own functions end it. */

static void
test_function_errors(void **state)
{
    static const struct {
        const char *name;
        enum pst_err read;
        enum pst_err header;
        enum pst_err head;
        enum pst_err body;
        int64_t length;
        enum pst_err want;
    } rows[] = {
        {"read", PST_CLIENT_GONE, 0, 0, 0, 5, PST_CLIENT_GONE},
        {"read, chunked", PST_TOO_LARGE, 0, 0, 0, -1, PST_TOO_LARGE},
        {"header", 0, PST_NO_MEMORY, 0, 0, 5, PST_NO_MEMORY},
        {"head", 0, 0, PST_STORE_DOWN, 0, 5, PST_STORE_DOWN},
        {"body", 0, 0, 0, PST_CLIENT_GONE, 5, PST_CLIENT_GONE},
        {"shorter than was said", 0, 0, 0, 0, 6, PST_MALFORMED},
        {"none", 0, 0, 0, 0, 5, PST_OK},
    };
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_TEXT, "hello", 0}, {SEND, OK_HEAD "{}", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what = exchange("POST", rows[i].length);

        client_init();
        client.body = PST_STR("hello");
        client.step = rows[i].length == 6 ? 3 : 0;
        client.read_err = rows[i].read;
        client.header_err = rows[i].header;
        client.head_err = rows[i].head;
        client.body_err = rows[i].body;
        check_err(rows[i].name, run_once(script, &what, 5), rows[i].want);
        server_free(&server);
    }
}

/*
 * A body that we break off is never whole to the backend: neither as long as
 * was said, nor ended by a last chunk; and nothing else is sent behind it.
 */
static void
test_cut_upload(void **state)
{
    static const struct {
        const char *name;
        int64_t length;
        const char *sent; /* behind the head */
    } rows[] = {
        {"in its length", 10, "hello"},
        {"in its chunks", -1, "5\r\nhello\r\n"},
    };
    static const struct step script[] = {
        {ACCEPT, NULL, 0},       {DRAIN, NULL, 0},        {ACCEPT, NULL, 0},
        {READ_TEXT, "again", 0}, {SEND, OK_HEAD "{}", 0}, {END, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what = exchange("POST", rows[i].length);
        struct http_client *upstream;
        const char *body;

        server_start(&server, script);
        upstream = open_upstream("http", "/graphql", 5);
        client_init();
        client.body = PST_STR("hello hell");
        client.step = 5;
        client.err_at = 5;
        client.read_err = PST_DUPLICATE;
        check_err(rows[i].name, http_client_run(upstream, arena, &what),
                  PST_DUPLICATE);
        client_init();
        client.body = PST_STR("again");
        what.body_length = 5;
        check_err(rows[i].name, http_client_run(upstream, arena, &what),
                  PST_OK);
        http_client_free(&upstream);
        server_join(&server);
        /* Two requests, each on a connection of its own. */
        assert_int_equal(server.accepted, 2);
        body = strstr(server.got, "\r\n\r\n");
        assert_non_null(body);
        body += 4;
        if (strncmp(body, rows[i].sent, strlen(rows[i].sent)) != 0 ||
            strncmp(body + strlen(rows[i].sent), "POST ", 5) != 0)
            fail_msg("row '%s': server got:\n%s", rows[i].name, server.got);
        server_free(&server);
    }
}

/* The n-th allocation fails, for every n: an error, and the next one works. */
static void
test_no_memory(void **state)
{
    static const struct http_header header = {{"A", 1}, {"b", 1}};
    struct http_exchange what = exchange("GET", 0);
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    what.query = PST_STR("a=b");
    what.headers = &header;
    what.header_count = 1;
    for (n = 1; e && n < 100; n++) {
        client_init();
        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        e = run_once(plain, &what, 5);
        server_free(&server);
        if (e)
            check_err("memory", e, PST_NO_MEMORY);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 10, 99);
}

/* The handle. */

static void
test_options(void **state)
{
    static const struct {
        const char *name;
        struct pst_str url;
        int64_t timeout;
        enum pst_err want;
    } rows[] = {
        {"http", {"http://a.example/g", 18}, 1, PST_OK},
        {"https", {"HTTPS://a.example", 17}, 1, PST_OK},
        {"query", {"http://a/g?x=1", 14}, 1, PST_OK},
        {"IPv6", {"http://[::1]:3000/g", 19}, 1, PST_OK},
        {"no scheme", {"a.example/g", 11}, 1, PST_BAD_CONFIG},
        {"file", {"file:///etc/passwd", 18}, 1, PST_BAD_CONFIG},
        {"ftp", {"ftp://a.example/", 16}, 1, PST_BAD_CONFIG},
        {"user", {"http://u@a.example/", 19}, 1, PST_BAD_CONFIG},
        {"password", {"http://u:p@a.example/", 21}, 1, PST_BAD_CONFIG},
        {"fragment", {"http://a.example/#x", 19}, 1, PST_BAD_CONFIG},
        {"no host", {"http://", 7}, 1, PST_BAD_CONFIG},
        {"space", {"http://a b/", 11}, 1, PST_BAD_CONFIG},
        {"port", {"http://a:99999/", 15}, 1, PST_BAD_CONFIG},
        {"NUL", {"http://a/\0b", 11}, 1, PST_BAD_CONFIG},
        {"new line", {"http://a/\nb", 11}, 1, PST_BAD_CONFIG},
        {"empty", {"", 0}, 1, PST_BAD_CONFIG},
        {"absent", {NULL, 0}, 1, PST_BAD_CONFIG},
        {"no time", {"http://a/", 9}, 0, PST_BAD_CONFIG},
        {"negative", {"http://a/", 9}, -1, PST_BAD_CONFIG},
        {"for ever", {"http://a/", 9}, INT64_MAX, PST_BAD_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_client_options options = {
            .url = rows[i].url,
            .connect_timeout = rows[i].timeout,
            .first_byte_timeout = rows[i].timeout,
            .between_bytes_timeout = rows[i].timeout};
        struct http_client *upstream = NULL;

        check_err(rows[i].name, http_client_new(&upstream, &options),
                  rows[i].want);
        if ((upstream == NULL) == (rows[i].want == PST_OK))
            fail_msg("row '%s': out is wrong", rows[i].name);
        http_client_free(&upstream);
        assert_null(upstream);
    }
}

/* A CA file that is not there is a connection that is not made. */
static void
test_ca(void **state)
{
    struct http_client_options options = {.ca = "/nonexistent/ca.pem",
                                          .connect_timeout = 5,
                                          .first_byte_timeout = 5,
                                          .between_bytes_timeout = 5};
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream = NULL;
    char url[64];

    (void)state;
    server_start(&server, plain);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
    options.url = pst_str_from(url);
    assert_int_equal(http_client_new(&upstream, &options), PST_OK);
    assert_int_equal(http_client_run(upstream, arena, &what),
                     PST_UPSTREAM_DOWN);
    assert_non_null(strstr(http_client_error(upstream), "ca.pem"));
    http_client_free(&upstream);
    server_join(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_get_without_body),
        TEST(test_post),
        TEST(test_post_empty),
        TEST(test_post_chunked),
        TEST(test_post_large),
        TEST(test_own_query),
        TEST(test_refused),
        TEST(test_next_is_clean),
        TEST(test_no_proxy),
        TEST(test_answers),
        TEST(test_endless_head),
        TEST(test_piece_by_piece),
        TEST(test_early_answer),
        TEST(test_refused_connection),
        TEST(test_no_tls),
        TEST(test_kept_alive),
        TEST(test_closed_between),
        TEST(test_died_get),
        TEST(test_died_post),
        TEST(test_died_answering),
        TEST(test_after_failure),
        TEST(test_first_byte),
        TEST(test_between_bytes),
        TEST(test_which_clock),
        TEST(test_slow_client),
        TEST(test_client_gone),
        TEST(test_client_goes),
        TEST(test_client_unwatched),
        TEST(test_function_errors),
        TEST(test_cut_upload),
        TEST(test_no_memory),
        TEST(test_options),
        TEST(test_ca),
    };
    int failed;

    if (http_client_start() != PST_OK)
        return 1;
    failed = cmocka_run_group_tests_name("upstream", tests, NULL, NULL);
    http_client_stop();
    return failed;
}
