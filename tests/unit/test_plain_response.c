/* SPDX-License-Identifier: ISC */
/*
 * test_plain_response.c - responses that are refused, limits, and how the
 * pieces of a body are delivered.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "exchange.h"

#define HEAD_200 "HTTP/1.1 200 OK\r\n"

/* The headers are longer than the client records. */
static enum pst_err
skip_header(void *context, struct pst_str name, struct pst_str value)
{
    (void)context;
    (void)name;
    (void)value;
    return PST_OK;
}

/* Send this answer to a GET, and close the connection or leave it open. */
static enum pst_err
answer(const char *text, size_t len, bool closes)
{
    const struct step script[] = {
        {ACCEPT, NULL, 0}, {READ_HEAD, NULL, 0},
        {SEND, text, len}, {closes ? CLOSE : DRAIN, NULL, 0},
        {END, NULL, 0},
    };
    struct http_exchange what = exchange("GET", 0);

    client_init();
    pst_arena_reset(arena);
    server_free(&server);
    what.header = skip_header;
    return run_once(script, &what, 5);
}

/* Refused as soon as the wrong byte has come, without waiting for more. */
static void
test_refused(void **state)
{
    static const struct {
        const char *name;
        const char *text;
        const char *reason;
        const char *got; /* of the body before */
    } rows[] = {
        {"other protocol", "SSH-2.0-", "not of HTTP/1", ""},
        {"bare LF", "HTTP/1.1 200 OK\n", "no CR", ""},
        {"version", "HTTP/1.2 200 OK\r\n", "HTTP/1.0 or", ""},
        {"folded", HEAD_200 "A: b\r\n c\r\n\r\n", "header line", ""},
        {"gzip", HEAD_200 "Transfer-Encoding: gzip, chunked\r\n\r\n",
         "Transfer-Encoding", ""},
        {"101", "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n", "status 101", ""},
        {"chunks",
         HEAD_200 "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\nabc\r\n",
         "chunks", "ab"},
        {"chunks, bare LF", HEAD_200 "Transfer-Encoding: chunked\r\n\r\n2\n",
         "chunks", ""},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        check_err(rows[i].name, answer(rows[i].text, 0, false),
                  PST_UPSTREAM_BROKEN);
        if (!strstr(run_error.text, rows[i].reason) ||
            strcmp(client.got, rows[i].got) != 0)
            fail_msg("row '%s': '%s', body '%s'", rows[i].name, run_error.text,
                     client.got);
    }
}

/* A few interim responses are skipped, but not any number. */
static void
test_interim_limit(void **state)
{
    static const char one[] = "HTTP/1.1 103 E\r\n\r\n";
    char text[(PST_INTERIM_MAX + 1) * sizeof(one) + 64];

    (void)state;
    for (size_t count = PST_INTERIM_MAX; count < PST_INTERIM_MAX + 2; count++) {
        size_t len = count * (sizeof(one) - 1);

        for (size_t i = 0; i < count; i++)
            memcpy(text + i * (sizeof(one) - 1), one, sizeof(one));
        memcpy(text + len, OK_HEAD "{}", sizeof(OK_HEAD "{}"));
        assert_int_equal(answer(text, 0, false), count > PST_INTERIM_MAX
                                                     ? PST_UPSTREAM_BROKEN
                                                     : PST_OK);
    }
    assert_non_null(strstr(run_error.text, "too many interim"));
}

/* A head of exactly the limit passes, one byte more does not. */
static void
test_head_limit(void **state)
{
    static char text[PST_HEADERS_MAX + 64];
    static const char start[] = HEAD_200 "Content-Length: 2\r\nA: ";

    (void)state;
    for (size_t size = PST_HEADERS_MAX; size < PST_HEADERS_MAX + 2; size++) {
        memset(text, 'a', sizeof(text));
        memcpy(text, start, sizeof(start) - 1);
        memcpy(text + size - 4, "\r\n\r\n{}", 7);
        assert_int_equal(answer(text, 0, false),
                         size > PST_HEADERS_MAX ? PST_UPSTREAM_BROKEN : PST_OK);
    }
    assert_non_null(strstr(run_error.text, "too large"));
}

/* Small chunks that come together are one piece. */
static void
test_gathered(void **state)
{
    (void)state;
    assert_int_equal(answer(HEAD_200 "Transfer-Encoding: chunked\r\n\r\n"
                                     "1\r\na\r\n2;x\r\nbc\r\n3\r\ndef\r\n"
                                     "0\r\nT: x\r\n\r\n",
                            0, false),
                     PST_OK);
    assert_int_equal(client.pieces, 1);
    assert_int_equal(client.flushes, 0); /* the end was there */
    assert_string_equal(client.got, "abcdef");
}

/* The end of a body shows only when the connection is closed, so what came is
 * to be passed on before. */
static void
test_flushed(void **state)
{
    (void)state;
    assert_int_equal(answer("HTTP/1.1 200 OK\r\n\r\nabc", 0, true), PST_OK);
    assert_int_equal(client.flushes, client.pieces);
    assert_string_equal(client.got, "abc");
}

static size_t received;

static enum pst_err
count_body(void *context, struct pst_str piece)
{
    (void)context;
    for (size_t i = 0; i < piece.len; i++)
        PST_REQUIRE(piece.ptr[i] == (char)('a' + (received + i) % 23));
    received += piece.len;
    return PST_OK;
}

/* Bodies much larger than the buffer, of each kind. */
static void
test_large_body(void **state)
{
    static const char *const heads[] = {
        HEAD_200 "Content-Length: 1000000\r\n\r\n",
        HEAD_200 "Transfer-Encoding: chunked\r\n\r\nf4240\r\n",
        HEAD_200 "\r\n",
    };
    static char body[1000000];
    struct http_exchange what = exchange("GET", 0);

    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('a' + i % 23);
    what.body = count_body;
    for (size_t i = 0; i < PST_COUNT(heads); i++) {
        const struct step script[] = {
            {ACCEPT, NULL, 0},
            {READ_HEAD, NULL, 0},
            {SEND, heads[i], 0},
            {SEND, body, sizeof(body)},
            {SEND, i == 1 ? "\r\n0\r\n\r\n" : "", 0},
            {CLOSE, NULL, 0},
            {END, NULL, 0},
        };

        client_init();
        received = 0;
        assert_int_equal(run_once(script, &what, 5), PST_OK);
        assert_int_equal(received, sizeof(body));
        server_free(&server);
    }
}

/* Where the end is missing, and where the close is the end. */
static void
test_close(void **state)
{
    static const struct {
        const char *text;
        enum pst_err want;
        const char *reason;
    } rows[] = {
        {HEAD_200 "\r\nbody", PST_OK, ""},
        {HEAD_200 "\r\n", PST_OK, ""},
        {HEAD_200 "Content-Length: 5\r\n\r\nbody", PST_UPSTREAM_BROKEN,
         "before the end of the body"},
        {HEAD_200 "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
         PST_UPSTREAM_BROKEN, "before the end of the body"},
        {HEAD_200 "A: b\r\n", PST_UPSTREAM_BROKEN, "response's head"},
        {"HTTP/1.1 103 E\r\n\r\n", PST_UPSTREAM_BROKEN, "response's head"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        check_err(rows[i].text, answer(rows[i].text, 0, true), rows[i].want);
        assert_non_null(strstr(run_error.text, rows[i].reason));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refused),  TEST(test_interim_limit), TEST(test_head_limit),
        TEST(test_gathered), TEST(test_flushed),       TEST(test_large_body),
        TEST(test_close),
    };

    return RUN_TESTS(tests);
}
