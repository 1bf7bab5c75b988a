/* SPDX-License-Identifier: ISC */
/*
 * test_plain_client.c - which connection carries an exchange, which is kept,
 * and when a request is sent a second time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "exchange.h"
#include "fake_clock.h"
#include "fake_names.h"
#include "upstream/plain_client.h"

/* How the second exchange of a test sends its body. */
enum body_kind { WHOLE, READ, NONE };

static struct http_exchange
second_exchange(enum body_kind kind, bool is_repeatable)
{
    struct http_exchange what = exchange("POST", kind == NONE ? 0 : 5);

    client_init();
    what.is_repeatable = is_repeatable;
    if (kind == WHOLE)
        what.whole_body = PST_STR("hello");
    if (kind == READ)
        client.body = PST_STR("hello");
    return what;
}

/* Run a GET, let time pass, and run another exchange on the same client. */
static enum pst_err
run_both(const struct step *script, const struct http_exchange *second,
         int64_t idle)
{
    struct http_exchange first = exchange("GET", 0);
    static struct client wanted;
    struct http_client *upstream;
    enum pst_err e;

    wanted = client;
    client_init();
    server_start(&server, script);
    upstream = open_upstream("http", "/graphql", 60);
    assert_int_equal(run(upstream, &first), PST_OK);
    client = wanted;
    pst_arena_reset(arena);
    server_wait_for_report(&server);
    fake_clock_advance(idle);
    e = run(upstream, second);
    http_client_free(&upstream);
    server_join(&server);
    return e;
}

static size_t
count_posts(void)
{
    size_t count = 0;

    for (const char *at = strstr(server.got, "POST "); at;
         at = strstr(at + 1, "POST "))
        count++;
    return count;
}

#define FIRST                                \
    {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, \
    {                                        \
        SEND, OK_HEAD "{}", 0                \
    }
#define AGAIN                 \
    {READ_HEAD, NULL, 0},     \
    {                         \
        SEND, OK_HEAD "{}", 0 \
    }
#define LAST                                                               \
    {READ_TEXT, "\r\n\r\n", 0}, {SEND, OK_HEAD "ok", 0}, {DRAIN, NULL, 0}, \
    {                                                                      \
        END, NULL, 0                                                       \
    }

/* The backend closed the kept connection while it was idle. */
static const struct step closed_idle[] = {
    FIRST, {CLOSE, NULL, 0}, {REPORT, NULL, 0}, {ACCEPT, NULL, 0}, LAST};

/* The backend closes it when the request has come, unanswered. */
static const struct step closed_unanswered[] = {FIRST,
                                                {REPORT, NULL, 0},
                                                {READ_TEXT, "\r\n\r\n", 0},
                                                {CLOSE, NULL, 0},
                                                {ACCEPT, NULL, 0},
                                                LAST};

/* And the next connection as well. */
static const struct step closed_twice[] = {FIRST,
                                           {REPORT, NULL, 0},
                                           {READ_TEXT, "\r\n\r\n", 0},
                                           {CLOSE, NULL, 0},
                                           {ACCEPT, NULL, 0},
                                           {READ_TEXT, "\r\n\r\n", 0},
                                           {CLOSE, NULL, 0},
                                           {ACCEPT, NULL, 0},
                                           LAST};

/* After a part of the answer. */
static const struct step closed_answering[] = {FIRST,
                                               {REPORT, NULL, 0},
                                               {READ_TEXT, "\r\n\r\n", 0},
                                               {SEND, "HTTP/1.1 200 OK\r\n", 0},
                                               {CLOSE, NULL, 0},
                                               {ACCEPT, NULL, 0},
                                               LAST};

static void
test_retry(void **state)
{
    static const struct {
        const char *name;
        const struct step *script;
        enum body_kind kind;
        bool is_repeatable;
        enum pst_err want;
        size_t posts; /* requests that reach the backend, at most */
    } rows[] = {
        {"idle, query", closed_idle, WHOLE, true, PST_OK, 1},
        {"idle, mutation", closed_idle, WHOLE, false, PST_OK, 1},
        {"idle, mutation without a body", closed_idle, NONE, false, PST_OK, 1},
        {"idle, upload", closed_idle, READ, false, PST_OK, 1},
        {"idle, read query", closed_idle, READ, true, PST_OK, 1},
        {"unanswered, query", closed_unanswered, WHOLE, true, PST_OK, 2},
        {"unanswered, query without a body", closed_unanswered, NONE, true,
         PST_OK, 2},
        {"unanswered, mutation", closed_unanswered, WHOLE, false,
         PST_UPSTREAM_BROKEN, 1},
        {"unanswered, mutation without a body", closed_unanswered, NONE, false,
         PST_UPSTREAM_BROKEN, 1},
        {"twice, query", closed_twice, WHOLE, true, PST_UPSTREAM_BROKEN, 2},
        {"answering, query", closed_answering, WHOLE, true, PST_UPSTREAM_BROKEN,
         1},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what =
            second_exchange(rows[i].kind, rows[i].is_repeatable);

        check_err(rows[i].name, run_both(rows[i].script, &what, 0),
                  rows[i].want);
        if (count_posts() != rows[i].posts ||
            (rows[i].want != PST_OK && rows[i].posts == 1 &&
             server.accepted != 1))
            fail_msg("row '%s': sent %zu times on %d connections", rows[i].name,
                     count_posts(), server.accepted);
        if (rows[i].want == PST_OK)
            assert_string_equal(client.got, "ok");
        server_free(&server);
    }
}

/* What was received is wiped. */
static void
test_wiped(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {SEND, OK_HEAD "secret", 0},
        {DRAIN, NULL, 0},  {END, NULL, 0},
    };
    struct http_client_options options = {.connect_timeout = 5,
                                          .first_byte_timeout = 5,
                                          .between_bytes_timeout = 5};
    struct http_exchange what = exchange("GET", 0);
    const struct response_buffer *buffer;
    struct plain_client upstream;
    struct http_target target;
    struct http_error error;
    char url[64];

    (void)state;
    server_start(&server, script);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
    options.url = pst_str_from(url);
    assert_int_equal(http_target_init(&target, &options), PST_OK);
    plain_client_init(&upstream, &target);
    assert_int_equal(plain_client_run(&upstream, arena, &what, &error), PST_OK);
    buffer = SLIST_FIRST(&upstream.pool.buffers);
    assert_non_null(buffer);
    for (size_t i = 0; i < sizeof(OK_HEAD "secret"); i++)
        if (buffer->bytes[i] == 'T' || buffer->bytes[i] == 's')
            fail_msg("byte %zu is not wiped", i);
    plain_client_fini(&upstream);
    http_target_fini(&target);
    server_join(&server);
}

/* A new connection that is closed unanswered is an error for everybody. */
/* Before anything is sent, on a new connection and on a kept one. */
static void
test_not_sent(void **state)
{
    static const struct step unused[] = {
        {ACCEPT, NULL, 0}, {DRAIN, NULL, 0}, {END, NULL, 0}};
    static const struct step kept[] = {
        FIRST, {REPORT, NULL, 0}, {DRAIN, NULL, 0}, {END, NULL, 0}};
    struct http_exchange what = second_exchange(WHOLE, false);

    (void)state;
    client.connected_err = PST_THROTTLED;
    check_err("new", run_once(unused, &what, 60), PST_THROTTLED);
    assert_int_equal(client.connects, 1);
    assert_int_equal(server.got_len, 0);
    server_free(&server);
    what = second_exchange(WHOLE, false);
    client.connected_err = PST_THROTTLED;
    check_err("kept", run_both(kept, &what, 0), PST_THROTTLED);
    assert_int_equal(client.connects, 1);
    assert_int_equal(count_posts(), 0);
    server_free(&server);
    /* And before it is sent again. */
    what = second_exchange(WHOLE, true);
    check_err("again", run_both(closed_unanswered, &what, 0), PST_OK);
    assert_int_equal(client.connects, 2);
    assert_int_equal(count_posts(), 2);
}

static void
test_no_retry_of_new(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0}, {CLOSE, NULL, 0},
        {ACCEPT, NULL, 0}, {DRAIN, NULL, 0},     {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    assert_int_equal(run_once(script, &what, 5), PST_UPSTREAM_BROKEN);
    assert_non_null(strstr(run_error.text, "without a response"));
    assert_int_equal(server.accepted, 1);
}

/* How long may a connection be idle? */
static void
test_idle(void **state)
{
    static const struct step kept[] = {FIRST, {REPORT, NULL, 0}, LAST};
    static const struct step renewed[] = {
        FIRST, {REPORT, NULL, 0}, {ACCEPT, NULL, 0}, LAST};
    static const struct {
        const char *name;
        int64_t idle; /* milliseconds */
        bool is_repeatable;
        bool is_kept;
    } rows[] = {
        {"mutation, 4 s", 4000, false, true},
        {"mutation, more", 4001, false, false},
        {"query, more", 4001, true, true},
        {"query, 15 s", 15000, true, true},
        {"query, still more", 15001, true, false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_exchange what =
            second_exchange(WHOLE, rows[i].is_repeatable);

        check_err(
            rows[i].name,
            run_both(rows[i].is_kept ? kept : renewed, &what, rows[i].idle),
            PST_OK);
        assert_int_equal(server.accepted, rows[i].is_kept ? 1 : 2);
        server_free(&server);
    }
}

/* Bytes that come between two requests are not the answer to the second. */
static void
test_stray_bytes(void **state)
{
    static const struct step script[] = {
        FIRST,
        {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 0},
        {REPORT, NULL, 0},
        {ACCEPT, NULL, 0},
        LAST};

    (void)state;
    for (int i = 0; i < 2; i++) {
        bool is_repeatable = i == 1;
        struct http_exchange what = second_exchange(WHOLE, is_repeatable);

        check_err("stray", run_both(script, &what, 0), PST_OK);
        assert_string_equal(client.got, "ok");
        assert_int_equal(server.accepted, 2);
        server_free(&server);
    }
}

#define LARGE (16 << 20) /* more than a socket takes */
#define SHORT 4096
#define EARLY "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

/*
 * What comes on a kept connection before the second request was sent is no
 * answer to it, unless it is an error. It may be the answer to an earlier one.
 */
static void
test_stray_bytes_in_a_request(void **state)
{
    static const struct {
        const char *name;
        size_t len;        /* of the body; the server reads only short ones */
        const char *early; /* sent as soon as the head has come */
        const char *late;  /* sent after the whole request */
        int status;        /* 0: refused */
    } rows[] = {
        {"whole", LARGE, EARLY, "", 0},
        {"after an interim one", LARGE, "HTTP/1.1 103 E\r\n\r\n" EARLY, "", 0},
        {"an error", LARGE, "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", "",
         413},
        {"only an interim one", SHORT, "HTTP/1.1 103 E\r\n\r\n", OK_HEAD "ok",
         200},
        {"nothing", SHORT, "", OK_HEAD "ok", 200},
    };
    static char body[LARGE];

    (void)state;
    memset(body, 'x', sizeof(body));
    memcpy(body + SHORT - 5, "hello", 5);
    for (size_t row = 0; row < PST_COUNT(rows); row++) {
        const struct step script[] = {FIRST,
                                      {REPORT, NULL, 0},
                                      {READ_TEXT, "POST", 0},
                                      {READ_TEXT, "\r\n\r\n", 0},
                                      {SEND, rows[row].early, 0},
                                      {READ_TEXT, "hello", 0},
                                      {SEND, rows[row].late, 0},
                                      {DRAIN, NULL, 0},
                                      {END, NULL, 0}};
        struct http_exchange what = second_exchange(WHOLE, false);
        enum pst_err e;

        what.body_length = (int64_t)rows[row].len;
        what.whole_body = (struct pst_str){body, rows[row].len};
        e = run_both(script, &what, 0);
        check_err(rows[row].name, e,
                  rows[row].status ? PST_OK : PST_UPSTREAM_BROKEN);
        assert_int_equal(client.status, rows[row].status);
        assert_null(strstr(client.got, "evil"));
        server_free(&server);
    }
}

/* An upload has a new connection, on which nothing can be stray. */
static void
test_upload_uses_a_new_connection(void **state)
{
    static const struct step script[] = {
        FIRST, {REPORT, NULL, 0}, {ANOTHER, NULL, 0}, LAST};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct http_exchange what = second_exchange(READ, i == 1);

        check_err("upload", run_both(script, &what, 0), PST_OK);
        assert_string_equal(client.got, "ok");
        assert_int_equal(server.accepted, 2);
        server_free(&server);
    }
}

/* After some answers the connection is not used again. */
static void
test_keeping(void **state)
{
    static const struct {
        const char *name;
        const char *answer;
        bool is_kept;
    } rows[] = {
        {"length", OK_HEAD "{}", true},
        {"chunked",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\n{}\r\n0\r\nA: b\r\n\r\n",
         true},
        {"no content", "HTTP/1.1 204 No\r\n\r\n", true},
        {"interim", "HTTP/1.1 103 E\r\n\r\n" OK_HEAD "{}", true},
        {"close",
         "HTTP/1.1 200 OK\r\nConnection: close\r\n"
         "Content-Length: 2\r\n\r\n{}",
         false},
        {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
        {"more than its length", OK_HEAD "{}HTTP/1.1 200 OK\r\n", false},
        {"more than its chunks",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\n{}\r\n0\r\n\r\n\r\n",
         false},
        {"a body of a 204", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n{}",
         false},
        {"two ways to find the end",
         "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n"
         "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
         false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0},
            {READ_HEAD, NULL, 0},
            {SEND, rows[i].answer, 0},
            {REPORT, NULL, 0},
            {rows[i].is_kept ? READ_TEXT : ANOTHER, "", 0},
            LAST};
        struct http_exchange what = second_exchange(WHOLE, true);

        check_err(rows[i].name, run_both(script, &what, 0), PST_OK);
        assert_int_equal(server.accepted, rows[i].is_kept ? 1 : 2);
        server_free(&server);
    }
}

/* Several exchanges at once. */

static struct http_client *shared;

/* A function of the outer exchange: run one within. */
static enum pst_err
run_inner(void)
{
    struct http_exchange what = exchange("GET", 0);
    struct http_error error;
    static struct client saved;
    enum pst_err e;

    saved = client;
    client_init();
    what.query = PST_STR("inner");
    e = http_client_run(shared, arena, &what, &error);
    assert_string_equal(client.got, "in");
    client = saved;
    return e;
}

static enum pst_err
run_inner_at_head(void *context, int status)
{
    struct client *c = context;

    c->status = status;
    c->heads++;
    return run_inner();
}

/* Each has its own connection, buffer and error; both connections are kept. */
static void
test_at_once(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},
        {READ_HEAD, NULL, 0},
        {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nouter", 0},
        {ANOTHER, NULL, 0},
        {READ_TEXT, "inner", 0},
        {SEND, OK_HEAD "in", 0},
        {DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    server_start(&server, script);
    shared = open_upstream("http", "/graphql", 5);
    what.head = run_inner_at_head;
    assert_int_equal(run(shared, &what), PST_OK);
    assert_string_equal(client.got, "outer");
    assert_string_equal(client.headers, "Content-Length=5|A=b|");
    http_client_free(&shared);
    server_join(&server);
    assert_int_equal(server.accepted, 2);
}

static enum pst_err
fail_inner_at_head(void *context, int status)
{
    (void)context;
    (void)status;
    assert_int_equal(run_inner(), PST_OK);
    return PST_STORE_DOWN;
}

/* The error of one is not the error of the other. */
static void
test_own_errors(void **state)
{
    static const struct step script[] = {
        {ACCEPT, NULL, 0},  {READ_HEAD, NULL, 0},    {SEND, OK_HEAD "xx", 0},
        {ANOTHER, NULL, 0}, {READ_TEXT, "inner", 0}, {SEND, OK_HEAD "in", 0},
        {DRAIN, NULL, 0},   {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    server_start(&server, script);
    shared = open_upstream("http", "/graphql", 5);
    what.head = fail_inner_at_head;
    assert_int_equal(run(shared, &what), PST_STORE_DOWN);
    assert_string_equal(run_error.text, pst_err_text(PST_STORE_DOWN));
    http_client_free(&shared);
    server_join(&server);
}

/* A connection to a name is renewed after a minute, to follow a change of its
 * address; one to an address is not. */
static void
test_age(void **state)
{
    static const struct {
        const char *host;
        int accepted;
    } rows[] = {{"a.example", 2}, {"127.0.0.1", 1}};
    static const struct step renewed[] = {
        FIRST, AGAIN, AGAIN, {ANOTHER, NULL, 0}, LAST};
    static const struct step kept[] = {FIRST, AGAIN, AGAIN, LAST};

    (void)state;
    fake_names[0] = "127.0.0.1";
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct http_client_options options = {.connect_timeout = 300,
                                              .first_byte_timeout = 300,
                                              .between_bytes_timeout = 300};
        struct http_exchange what = exchange("GET", 0);
        struct http_client *upstream = NULL;
        char url[64];

        server_start(&server, rows[i].accepted == 2 ? renewed : kept);
        (void)snprintf(url, sizeof(url), "http://%s:%d/", rows[i].host,
                       server.port);
        options.url = pst_str_from(url);
        assert_int_equal(http_client_new(&upstream, &options), PST_OK);
        for (int k = 0; k < 4; k++) {
            client_init();
            /* Never idle for long. */
            client.delay = 30000;
            check_err(rows[i].host, run(upstream, &what), PST_OK);
            fake_clock_advance(12000);
        }
        http_client_free(&upstream);
        server_join(&server);
        assert_int_equal(server.accepted, rows[i].accepted);
        server_free(&server);
    }
}

/* Connections that are idle can be closed without an exchange. */
static void
test_close_idle(void **state)
{
    static const struct step script[] = {
        FIRST, {DRAIN, NULL, 0}, {REPORT, NULL, 0}, {END, NULL, 0}};
    struct http_exchange what = exchange("GET", 0);
    struct http_client *upstream;

    (void)state;
    server_start(&server, script);
    upstream = open_upstream("http", "/", 5);
    assert_int_equal(run(upstream, &what), PST_OK);
    fake_clock_advance(15001);
    http_client_close_idle(upstream);
    server_wait_for_report(&server);
    http_client_free(&upstream);
    server_join(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_retry),
        TEST(test_wiped),
        TEST(test_not_sent),
        TEST(test_no_retry_of_new),
        TEST(test_idle),
        TEST(test_stray_bytes),
        TEST(test_stray_bytes_in_a_request),
        TEST(test_upload_uses_a_new_connection),
        TEST(test_keeping),
        TEST(test_at_once),
        TEST(test_own_errors),
        TEST(test_age),
        TEST(test_close_idle),
    };

    /* The pool that resolves names waits by the real clock. */
    fake_clock_advance(INT64_C(1) << 50);
    return RUN_TESTS(tests);
}
