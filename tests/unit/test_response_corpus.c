/* SPDX-License-Identifier: ISC */
/*
 * test_response_corpus.c - raw responses through our client and through
 * libcurl: what ours takes, libcurl takes alike. Each response is also tried
 * with each of its bytes changed, so that two readings of the same bytes would
 * be found.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"

#define S(literal)                      \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }
#define TEXT_MAX 4096

/* What a client makes of a response. */
struct reading {
    bool is_taken;
    long status;
    char fields[TEXT_MAX]; /* "name=value|..." */
    size_t fields_len;
    char body[TEXT_MAX];
    size_t body_len;
};

/* The server: one answer for each connection, and then it is closed. */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char answer[TEXT_MAX]; /* under the lock */
static size_t answer_len;
static struct server listening = {.connection = -1};

static void
set_answer(struct pst_str text)
{
    assert_true(text.len <= sizeof(answer));
    pthread_mutex_lock(&lock);
    memcpy(answer, text.ptr, text.len);
    answer_len = text.len;
    pthread_mutex_unlock(&lock);
}

static void
serve_one(int connection)
{
    char got[2048];
    size_t len = 0;
    ssize_t some = 1;

    while (some > 0 && !memmem(got, len, "\r\n\r\n", 4)) {
        some = recv(connection, got + len, sizeof(got) - len, 0);
        len += some > 0 ? (size_t)some : 0;
    }
    pthread_mutex_lock(&lock);
    (void)send(connection, answer, answer_len, MSG_NOSIGNAL);
    pthread_mutex_unlock(&lock);
    close(connection);
}

static void *
serve(void *unused)
{
    int connection = accept(listening.listener, NULL, NULL);

    while (connection >= 0) {
        serve_one(connection);
        connection = accept(listening.listener, NULL, NULL);
    }
    return unused;
}

/* Ours. */

static enum pst_err
on_header(void *context, struct pst_str name, struct pst_str value)
{
    struct reading *reading = context;

    reading->fields_len += (size_t)snprintf(
        reading->fields + reading->fields_len, TEXT_MAX - reading->fields_len,
        "%.*s=%.*s|", (int)name.len, name.ptr, (int)value.len, value.ptr);
    assert_true(reading->fields_len < TEXT_MAX);
    return PST_OK;
}

static enum pst_err
on_head(void *context, int status)
{
    struct reading *reading = context;

    reading->status = status;
    return PST_OK;
}

static enum pst_err
on_body(void *context, struct pst_str piece)
{
    struct reading *reading = context;

    assert_true(reading->body_len + piece.len < TEXT_MAX);
    memcpy(reading->body + reading->body_len, piece.ptr, piece.len);
    reading->body_len += piece.len;
    return PST_OK;
}

static void
read_with_ours(struct reading *reading)
{
    const struct http_exchange what = {.method = PST_STR("GET"),
                                       .context = reading,
                                       .header = on_header,
                                       .head = on_head,
                                       .body = on_body,
                                       .client = -1};
    struct http_client *upstream = open_upstream("http", "/", 5);

    memset(reading, 0, sizeof(*reading));
    waits = 0;
    pst_arena_reset(arena);
    reading->is_taken = run(upstream, &what) == PST_OK;
    http_client_free(&upstream);
}

/* libcurl's. */

struct curl_reading {
    struct reading *reading;
    char lines[TEXT_MAX]; /* of the last head; trailers are left out */
    size_t len;
    bool is_complete;
};

static size_t
on_curl_header(char *data, size_t unit, size_t count, void *context)
{
    struct curl_reading *curl = context;
    size_t len = unit * count;

    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0 &&
        (!curl->is_complete || curl->reading->status < 200)) {
        curl->len = 0;
        curl->is_complete = false;
        curl->reading->status = strtol(data + 9, NULL, 10);
        return len;
    }
    if (curl->is_complete)
        return len;
    assert_true(curl->len + len < TEXT_MAX);
    memcpy(curl->lines + curl->len, data, len);
    curl->len += len;
    curl->is_complete = len == 2 && data[0] == '\r';
    return len;
}

static size_t
on_curl_body(char *data, size_t unit, size_t count, void *context)
{
    struct curl_reading *curl = context;

    (void)on_body(curl->reading, (struct pst_str){data, unit * count});
    return unit * count;
}

/* The lines as ours are recorded. A Content-Length beside a Transfer-Encoding
 * does not count. */
static void
record_lines(struct curl_reading *curl)
{
    struct pst_str all = {curl->lines, curl->len};
    bool is_encoded = false;
    struct pst_str line;

    for (struct pst_str rest = all; pst_str_split(&rest, '\n', &line);)
        is_encoded |=
            pst_str_starts_nocase(line, PST_STR("Transfer-Encoding:"));
    while (pst_str_split(&all, '\n', &line) && line.len > 1) {
        size_t colon = pst_str_index(line, ':');
        struct pst_str name = pst_str_first(line, colon);
        struct pst_str value = pst_str_skip(line, colon + 1);

        value = pst_str_trim(pst_str_first(value, value.len - 1));
        if (!is_encoded ||
            !pst_str_equal_nocase(name, PST_STR("Content-Length")))
            (void)on_header(curl->reading, name, value);
    }
}

static void
read_with_curl(CURL *easy, struct reading *reading)
{
    static struct curl_reading curl;
    char url[64];

    memset(reading, 0, sizeof(*reading));
    memset(&curl, 0, sizeof(curl));
    curl.reading = reading;
    waits = 0;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
    curl_easy_reset(easy);
    assert_false(
        curl_easy_setopt(easy, CURLOPT_URL, url) ||
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) ||
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) ||
        curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L) ||
        curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L) ||
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") ||
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header) ||
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, &curl) ||
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_body) ||
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &curl));
    reading->is_taken = curl_easy_perform(easy) == CURLE_OK;
    if (reading->is_taken)
        record_lines(&curl);
}

static bool
are_alike(const struct reading *a, const struct reading *b)
{
    return a->is_taken == b->is_taken && a->status == b->status &&
           strcmp(a->fields, b->fields) == 0 && a->body_len == b->body_len &&
           memcmp(a->body, b->body, a->body_len) == 0;
}

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

/* Taken by both. */
static const struct pst_str taken[] = {
    S(OK "Content-Length: 3\r\n\r\nabc"),
    S(OK "Content-Length: 3\r\n\r\nabcdef"),
    S(OK "Content-Length: 0\r\nA: b\r\nA:  c \r\nE:\r\n\r\n"),
    S(OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    S(OK "A: b\r\n\r\nuntil the end"),
    S(OK "Connection: close\r\n\r\n"),
    S("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na"),
    S("HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\na"),
    S("HTTP/1.0 200 OK\r\n\r\nold"),
    S("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nold"),
    S("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc"),
    S("HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
    S("HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nab"),
    S("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nL: a\r\n\r\n" OK
      "Content-Length: 1\r\n\r\na"),
    S(CHUNKED "3\r\nabc\r\n0\r\n\r\n"),
    S(CHUNKED "3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nT: x\r\nU:\r\n\r\n"),
    S(CHUNKED "A\r\n0123456789\r\n00\r\n\r\nmore"),
    S(CHUNKED "2  \r\nab\r\n0\r\n\r\n"),
    S(OK "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
         "1\r\na\r\n0\r\n\r\n"),
    S(OK "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b."),
    S("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
      "Content-Length: 0\r\n\r\n"),
    S("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n"
      "Content-Length: 0\r\n\r\n"),
    S("HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
    S(OK "Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"),
    S(OK "X: \xff\t\x80\r\nContent-Length: 0\r\n\r\n"),
};

/* Refused by us, whatever libcurl does. */
static const struct pst_str refused[] = {
    S(""),
    S("HTTP/1.1 200 OK\n\nbare"),
    S(OK "Content-Length: 3\r\nA: b\r\n c\r\n\r\nabc"),
    S(OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    S(OK "Content-Length: 3, 3\r\n\r\nabc"),
    S(OK "Content-Length: -3\r\n\r\nabc"),
    S(OK "Content-Length: 03\r\n\r\nabc"),
    S(OK "Content-Length : 3\r\n\r\nabc"),
    S(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    S(OK "Transfer-Encoding: identity\r\n\r\nabc"),
    S(OK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    S(OK "Transfer-Encoding:\x0b"
         "chunked\r\n\r\n0\r\n\r\n"),
    S(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n"),
    S("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    S(CHUNKED "3\nabc\n0\n\n"),
    S(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"),
    S(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"),
    S(CHUNKED "3\r\nabc\r\n"),
    S(CHUNKED "ffffffffffffffff\r\nabc"),
    S(OK "Content-Length: 4\r\n\r\nabc"),
    S("HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\n"),
    S("HTTP/1.1 100 C\r\n\r\n"),
    S("HTTP/2 200\r\n\r\nabc"),
    S("HTTP/0.9 200 OK\r\n\r\nabc"),
    S("ICY 200 OK\r\n\r\nabc"),
    S("just text\r\n\r\n"),
};

static CURL *easy;
static pthread_t thread;

static int
start(void **state)
{
    (void)state;
    server_listen(&listening);
    server.port = listening.port;
    easy = curl_easy_init();
    return easy && pthread_create(&thread, NULL, serve, NULL) == 0 ? 0 : -1;
}

static int
stop(void **state)
{
    (void)state;
    shutdown(listening.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listening.listener);
    curl_easy_cleanup(easy);
    return 0;
}

/* Returns whether our client takes it; then libcurl must, too. */
static bool
compare(struct pst_str text)
{
    static struct reading ours;
    static struct reading theirs;

    set_answer(text);
    read_with_ours(&ours);
    if (!ours.is_taken)
        return false;
    read_with_curl(easy, &theirs);
    if (!are_alike(&ours, &theirs))
        fail_msg("'%.*s': ours %ld '%s' '%.*s', libcurl's %d %ld '%s' '%.*s'",
                 (int)text.len, text.ptr, ours.status, ours.fields,
                 (int)ours.body_len, ours.body, theirs.is_taken, theirs.status,
                 theirs.fields, (int)theirs.body_len, theirs.body);
    return true;
}

static void
test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(taken); i++)
        if (!compare(taken[i]))
            fail_msg("'%.*s': refused: %s", (int)taken[i].len, taken[i].ptr,
                     run_error.text);
}

static void
test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(refused); i++)
        if (compare(refused[i]))
            fail_msg("'%.*s': taken", (int)refused[i].len, refused[i].ptr);
}

/* Try the text with another byte at a place, or with none (changed < 0) and,
 * with is_inserted, before the byte that is there. */
static size_t
compare_changed(struct pst_str text, size_t at, int changed, bool is_inserted)
{
    char out[256];
    size_t len = at;
    struct pst_str rest = pst_str_skip(text, is_inserted ? at : at + 1);

    assert_true(text.len + 1 < sizeof(out));
    memcpy(out, text.ptr, at);
    if (changed >= 0)
        out[len++] = (char)changed;
    memcpy(out + len, rest.ptr, rest.len);
    return compare((struct pst_str){out, len + rest.len}) ? 1 : 0;
}

static void
test_changed(void **state)
{
    static const char changes[] = "\n\r 0:;,x\0";
    size_t count = 0;
    size_t tried = 0;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(taken); i++)
        for (size_t at = 0; at < taken[i].len; at++) {
            count += compare_changed(taken[i], at, -1, false);
            for (size_t k = 0; k < sizeof(changes); k++) {
                count += compare_changed(taken[i], at, changes[k], false);
                count += compare_changed(taken[i], at, changes[k], true);
                tried += 2;
            }
        }
    /* Neither is all refused, nor all taken. */
    assert_in_range(tried, 20000, 100000);
    assert_in_range(count, tried / 8, tried * 7 / 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_taken),
        TEST(test_refused),
        TEST(test_changed),
    };
    int failed;

    if (http_client_start() != PST_OK || curl_global_init(0) != CURLE_OK)
        return 1;
    failed = cmocka_run_group_tests_name("response_corpus", tests, start, stop);
    curl_global_cleanup();
    return stop_after(failed);
}
