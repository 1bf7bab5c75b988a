/* SPDX-License-Identifier: ISC */
/*
 * test_transfer.c - the state of one exchange: its body, its head, the
 * timeout that applies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "upstream/transfer.h"

static struct pst_arena *arena;

/* What the functions of the exchange do and get. */
struct script {
    struct pst_str body;
    enum pst_err err; /* of each function */
    int status;
    const char *next; /* what the library brings during body() */
    char log[256];    /* each call, in order */
};

static char buffers[2 * TRANSFER_BUFFER];
static struct transfer transfer;

static void
log_call(struct script *script, const char *name, struct pst_str text)
{
    size_t len = strlen(script->log);

    (void)snprintf(script->log + len, sizeof(script->log) - len, "%s(%.*s)",
                   name, (int)text.len, text.ptr);
}

static enum pst_err
on_read(void *context, char *out, size_t size, size_t *len)
{
    struct script *script = context;
    struct pst_str piece = pst_str_first(script->body, size);

    memcpy(out, piece.ptr, piece.len);
    script->body = pst_str_skip(script->body, piece.len);
    *len = piece.len;
    return script->err;
}

static enum pst_err
on_header(void *context, struct pst_str name, struct pst_str value)
{
    struct script *script = context;

    (void)value;
    log_call(script, "header", name);
    return script->err;
}

static enum pst_err
on_head(void *context, int status)
{
    struct script *script = context;

    script->status = status;
    log_call(script, "head", PST_STR(""));
    return PST_OK;
}

/* While it waits for its client, the library may bring more. */
static enum pst_err
on_body(void *context, struct pst_str piece)
{
    struct script *script = context;

    if (script->next)
        assert_int_equal(
            transfer_receive(&transfer, pst_str_from(script->next)),
            TRANSFER_PAUSED);
    script->next = NULL;
    log_call(script, "body", piece);
    return script->err;
}

static const struct http_target target = {.connect_timeout = 1000,
                                          .first_byte_timeout = 20000,
                                          .between_bytes_timeout = 40000};
static struct script script;
static struct http_exchange exchange;

static void
begin(int64_t body_length, const char *body)
{
    script = (struct script){.body = pst_str_from(body)};
    exchange = (struct http_exchange){.body_length = body_length,
                                      .context = &script,
                                      .read = on_read,
                                      .header = on_header,
                                      .head = on_head,
                                      .body = on_body};
    transfer_init(&transfer, arena, &target, &exchange, buffers);
}

static enum pst_err
add_lines(const char *const *lines)
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; lines[i] && !e; i++)
        e = transfer_add_line(&transfer, pst_str_from(lines[i]));
    return e;
}

static int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

/* Let the exchange do what the library waits for. Returns whether the library
 * can go on. */
static bool
serve(void)
{
    bool resumes = false;

    return transfer_serve(&transfer, &resumes) == PST_OK && resumes;
}

/* Ask for the whole body in pieces of 4 bytes at most, as the library does. */
static enum pst_err
read_all(char *out)
{
    enum transfer_answer answer;
    size_t got = 0;
    size_t len;

    do {
        len = 0;
        answer = transfer_supply(&transfer, out + got, 4, &len);
        got += len;
    } while (answer == TRANSFER_PAUSED ? serve() : len > 0);
    out[got] = '\0';
    return transfer.err;
}

static void
test_body(void **state)
{
    static const struct {
        const char *name;
        int64_t length;
        const char *body;
        enum pst_err want;
        const char *read;
    } rows[] = {
        {"known length", 10, "0123456789", PST_OK, "0123456789"},
        {"no more than its length", 5, "0123456789", PST_OK, "01234"},
        {"unknown length", -1, "0123456789", PST_OK, "0123456789"},
        {"empty, unknown length", -1, "", PST_OK, ""},
        {"no body", 0, "0123", PST_OK, ""},
        {"too short", 6, "01234", PST_MALFORMED, "01234"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char got[32];

        begin(rows[i].length, rows[i].body);
        assert_true(transfer_restart(&transfer));
        if (read_all(got) != rows[i].want || strcmp(got, rows[i].read) != 0 ||
            transfer.err != rows[i].want)
            fail_msg("%s: read '%s', %s", rows[i].name, got,
                     pst_err_code(transfer.err));
        assert_int_equal(transfer_restart(&transfer), *got == '\0');
    }
}

/* A body in memory can be sent again, if this may be run twice. */
static void
test_whole_body(void **state)
{
    char got[32];

    (void)state;
    for (int is_repeatable = 0; is_repeatable < 2; is_repeatable++) {
        begin(5, "");
        exchange.whole_body = PST_STR("hello");
        exchange.is_repeatable = is_repeatable;
        assert_int_equal(read_all(got), PST_OK);
        assert_string_equal(got, "hello");
        assert_int_equal(transfer_restart(&transfer), is_repeatable);
        assert_int_equal(read_all(got), PST_OK);
        assert_string_equal(got, is_repeatable ? "hello" : "");
    }
    begin(5, "hello");
    exchange.is_repeatable = true;
    assert_int_equal(read_all(got), PST_OK);
    assert_false(transfer_restart(&transfer));
}

static void
test_head(void **state)
{
    static const char *const lines[] = {"HTTP/1.1 103 Early Hints\r\n",
                                        "A: b\r\n",
                                        "\r\n",
                                        "HTTP/1.1 200 OK\r\n",
                                        "C: d\r\n",
                                        "\r\n",
                                        "Trailer: e\r\n",
                                        NULL};

    (void)state;
    begin(0, "");
    assert_int_equal(add_lines(lines), PST_OK);
    assert_string_equal(script.log, "");
    assert_false(serve());
    assert_string_equal(script.log, "header(C)head()");
    assert_int_equal(script.status, 200);
}

/* The head is told before the body; one piece is kept, the next one waits. */
static void
test_response(void **state)
{
    static const char *const lines[] = {"HTTP/1.1 200 OK", "C: d", "", NULL};
    const struct pst_str piece = PST_STR("piece");

    (void)state;
    begin(0, "");
    assert_int_equal(add_lines(lines), PST_OK);
    assert_int_equal(transfer_receive(&transfer, piece), TRANSFER_PAUSED);
    assert_true(serve());
    assert_int_equal(transfer_receive(&transfer, piece), TRANSFER_DONE);
    assert_false(serve());
    assert_int_equal(transfer_receive(&transfer, piece), TRANSFER_DONE);
    assert_int_equal(transfer_receive(&transfer, piece), TRANSFER_PAUSED);
    assert_true(serve());
    assert_int_equal(transfer_receive(&transfer, PST_STR("")), TRANSFER_DONE);
    assert_false(serve());
    assert_string_equal(script.log, "header(C)head()body(piece)body(piece)");
}

/* A piece is passed on from the buffer, which must not change meanwhile. */
static void
test_more_while_passing(void **state)
{
    static const char *const lines[] = {"HTTP/1.1 200 OK", "", NULL};

    (void)state;
    begin(0, "");
    assert_int_equal(add_lines(lines), PST_OK);
    assert_true(transfer_needs_service(&transfer));
    assert_false(serve());
    assert_false(transfer_needs_service(&transfer));
    assert_int_equal(transfer_receive(&transfer, PST_STR("piece")),
                     TRANSFER_DONE);
    assert_true(transfer_needs_service(&transfer));
    script.next = "other";
    assert_true(serve());
    assert_false(transfer_needs_service(&transfer));
    assert_string_equal(script.log, "head()body(piece)");
}

static void
test_broken_body(void **state)
{
    static const char *const lines[] = {"HTTP/1.1 200 OK", "", NULL};
    static const char large[TRANSFER_BUFFER + 1];

    (void)state;
    for (int has_head = 0; has_head < 2; has_head++) {
        begin(0, "");
        if (has_head)
            assert_int_equal(add_lines(lines), PST_OK);
        assert_int_equal(
            transfer_receive(&transfer, (struct pst_str){large, sizeof(large)}),
            TRANSFER_FAILED);
        assert_int_equal(transfer.err, PST_UPSTREAM_BROKEN);
    }
    begin(0, "");
    assert_int_equal(transfer_receive(&transfer, PST_STR("piece")),
                     TRANSFER_FAILED);
    assert_int_equal(transfer.err, PST_UPSTREAM_BROKEN);
    assert_string_equal(script.log, "");
}

/* A body that is read is asked for in the fiber, whatever else has come. */
static void
test_upload(void **state)
{
    static const char *const lines[] = {"HTTP/1.1 200 OK", "", NULL};
    char out[8];
    size_t len = 0;

    (void)state;
    begin(6, "upload");
    assert_int_equal(transfer_supply(&transfer, out, sizeof(out), &len),
                     TRANSFER_PAUSED);
    assert_int_equal(add_lines(lines), PST_OK);
    assert_int_equal(transfer_receive(&transfer, PST_STR("early")),
                     TRANSFER_PAUSED);
    assert_true(serve());
    assert_int_equal(transfer_supply(&transfer, out, 4, &len), TRANSFER_DONE);
    assert_memory_equal(out, "uplo", len);
    assert_int_equal(len, 4);
    assert_int_equal(transfer_receive(&transfer, PST_STR("early")),
                     TRANSFER_DONE);
    assert_false(serve());
    assert_int_equal(transfer_supply(&transfer, out, 4, &len), TRANSFER_DONE);
    assert_memory_equal(out, "ad", len);
    assert_int_equal(len, 2);
    assert_string_equal(script.log, "head()body(early)");
}

/* The first error is kept. */
static void
test_first_error(void **state)
{
    static const char *const lines[] = {"HTTP/1.1 200 OK\r\n", "A: b\r\n",
                                        "\r\n", NULL};
    bool resumes;
    char out[4];
    size_t len;

    (void)state;
    begin(-1, "body");
    script.err = PST_CLIENT_GONE;
    assert_int_equal(transfer_supply(&transfer, out, sizeof(out), &len),
                     TRANSFER_PAUSED);
    assert_int_equal(transfer_serve(&transfer, &resumes), PST_CLIENT_GONE);
    script.err = PST_NO_MEMORY;
    assert_int_equal(add_lines(lines), PST_OK);
    assert_int_equal(transfer_serve(&transfer, &resumes), PST_CLIENT_GONE);
    assert_string_equal(script.log, "");
    assert_int_equal(transfer.err, PST_CLIENT_GONE);
}

static void
test_timeouts(void **state)
{
    static const char *const interim[] = {"HTTP/1.1 100 Continue\r\n", "\r\n",
                                          NULL};
    static const char *const final[] = {"HTTP/1.1 200 OK\r\n", NULL};

    (void)state;
    begin(0, "");
    assert_int_equal(transfer_time_left(&transfer), 60000);
    assert_int_equal(transfer_connected(&transfer), PST_OK);
    assert_in_range(transfer_time_left(&transfer), 10000, 20000);
    assert_int_equal(add_lines(interim), PST_OK);
    assert_in_range(transfer_time_left(&transfer), 10000, 20000);
    assert_non_null(strstr(transfer_timeout_text(&transfer), "first-byte"));
    assert_int_equal(add_lines(final), PST_OK);
    assert_in_range(transfer_time_left(&transfer), 30000, 40000);
    assert_non_null(strstr(transfer_timeout_text(&transfer), "between-bytes"));
    transfer.last_activity -= 40000;
    assert_true(transfer_time_left(&transfer) <= 0);
}

/* The total timeout counts in every phase. */
static void
test_total_timeout(void **state)
{
    static const struct http_target limited = {.connect_timeout = 100000,
                                               .first_byte_timeout = 100000,
                                               .between_bytes_timeout = 100000,
                                               .total_timeout = 50000};

    (void)state;
    begin(0, "");
    transfer_init(&transfer, arena, &limited, &exchange, buffers);
    assert_in_range(transfer_time_left(&transfer), 40000, 50000);
    assert_non_null(strstr(transfer_timeout_text(&transfer), "total"));
    assert_int_equal(transfer_connected(&transfer), PST_OK);
    assert_in_range(transfer_time_left(&transfer), 40000, 50000);
    transfer.total_deadline += 100000;
    assert_null(strstr(transfer_timeout_text(&transfer), "total"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_body),
        TEST(test_whole_body),
        TEST(test_head),
        TEST(test_response),
        TEST(test_more_while_passing),
        TEST(test_broken_body),
        TEST(test_upload),
        TEST(test_first_error),
        TEST(test_timeouts),
        TEST(test_total_timeout),
    };

    return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
