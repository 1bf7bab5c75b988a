/* SPDX-License-Identifier: ISC */
/*
 * test_handler.c - for every result of a handler there is one response and one
 * log line, and nothing remains in the arena.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "gateway/handler.h"

/* A client, and what it has received. */
struct client {
    char got[8192];
    size_t got_len;
    size_t pieces_left; /* it accepts so many, then it is gone */
    size_t flushed;
    bool is_unsent;     /* what it has was not sent yet */
    bool is_flush_idle; /* flush() has nothing to send, so it does not fail */
};

static struct pst_arena *arena;
static struct config config;
static struct context ctx;
static struct client client;
static char log_path[] = "/tmp/test_handle_XXXXXX";
static bool is_random_broken;

static enum pst_err
receive(void *context, struct pst_str piece)
{
    struct client *c = context;

    if (c->pieces_left == 0)
        return PST_CLIENT_GONE;
    c->pieces_left--;
    assert_true(c->got_len + piece.len < sizeof(c->got));
    memcpy(c->got + c->got_len, piece.ptr, piece.len);
    c->got_len += piece.len;
    c->got[c->got_len] = '\0';
    return PST_OK;
}

static enum pst_err
flush(void *context)
{
    struct client *c = context;

    c->flushed++;
    return c->pieces_left == 0 && !c->is_flush_idle ? PST_CLIENT_GONE : PST_OK;
}

static bool
discard(void *context)
{
    struct client *c = context;

    if (!c->is_unsent)
        return false;
    c->got_len = 0;
    c->got[0] = '\0';
    return true;
}

static enum pst_err
no_body(void *context, char *out, size_t size, size_t *len)
{
    (void)context;
    (void)out;
    (void)size;
    *len = 0;
    return PST_OK;
}

static enum pst_err
make_random(void *out, size_t len)
{
    if (is_random_broken)
        return PST_NO_RANDOM;
    memset(out, 0xab, len);
    return PST_OK;
}

static int
set_up(void **state)
{
    int descriptor = mkstemp(log_path);

    (void)state;
    if (descriptor < 0 || pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK ||
        log_open(&ctx.log, log_path, LOG_LOGFMT, LEVEL_INFO, "test") != PST_OK)
        return -1;
    close(descriptor);
    config.auth_token_header = PST_STR("vendure-auth-token");
    config.texts = page_texts_shipped;
    ctx.config = &config;
    ctx.random = make_random;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    log_close(&ctx.log);
    return unlink(log_path);
}

/* Handle one request. Its log line goes to `line`. */
static bool
handle_with(const char *const *variables, handler_fn *handler,
            char line[static 2048])
{
    const struct request_input input = {
        .variables = variables,
        .source = {no_body, NULL, -1},
        .max_body = 1000,
    };
    const struct response_sink sink = {receive, flush, &client, NULL, discard};
    FILE *file;
    bool is_whole;
    size_t len;

    assert_int_equal(truncate(log_path, 0), 0);
    client.got_len = 0;
    client.got[0] = '\0';
    client.flushed = 0;
    is_whole = handler_run(&ctx, arena, &input, &sink, handler);
    assert_int_equal(pst_arena_used(arena), 0);
    file = fopen(log_path, "r");
    assert_non_null(file);
    len = fread(line, 1, 2047, file);
    line[len] = '\0';
    fclose(file);
    /* Exactly one line. */
    assert_non_null(strchr(line, '\n'));
    assert_int_equal(strchr(line, '\n')[1], '\0');
    return is_whole;
}

static const char *const get[] = {"REQUEST_METHOD=GET",
                                  "QUERY_STRING=token=sesame",
                                  "HTTP_COOKIE=a=sesame", NULL};
static const char *const head[] = {"REQUEST_METHOD=HEAD", NULL};
static const char *const page[] = {"REQUEST_METHOD=GET",
                                   "HTTP_SEC_FETCH_MODE=navigate", NULL};
static const char *const nothing[] = {NULL};
static const char *const twice[] = {"REQUEST_METHOD=GET", "HTTP_COOKIE=a=b",
                                    "HTTP_COOKIE=a=c", NULL};
static const char *const large[] = {"REQUEST_METHOD=POST",
                                    "CONTENT_LENGTH=1001", NULL};

static enum pst_err
answer(struct context *g, struct request *req, struct response *res)
{
    assert_true(g->now > 1700000000);
    assert_string_equal(req->id, "abababababababab");
    return response_send_json(res, 201, PST_STR("{\"a\":1}"));
}

static enum pst_err
answer_nothing(struct context *g, struct request *req, struct response *res)
{
    (void)g;
    (void)req;
    (void)res;
    return PST_OK;
}

static enum pst_err
refuse(struct context *g, struct request *req, struct response *res)
{
    (void)g;
    (void)req;
    response_set_header(res, PST_STR("X-Half"), PST_STR("done"));
    return PST_CROSS_SITE;
}

static enum pst_err
answer_with_a_form(struct context *g, struct request *req, struct response *res)
{
    (void)g;
    (void)req;
    response_set_error(res, PST_REFUSED);
    return response_send_json(res, 401, PST_STR("{}"));
}

static enum pst_err
lose_client(struct context *g, struct request *req, struct response *res)
{
    (void)g;
    (void)req;
    (void)res;
    return PST_CLIENT_GONE;
}

static enum pst_err
break_off(struct context *g, struct request *req, struct response *res)
{
    enum pst_err e = response_begin(res);

    (void)g;
    (void)req;
    if (!e)
        e = response_write(res, PST_STR("half"));
    return e ? e : PST_UPSTREAM_BROKEN;
}

/* Leave no memory in the arena for the error's answer. */
static enum pst_err
use_all(struct context *g, struct request *req, struct response *res)
{
    (void)g;
    (void)res;
    for (size_t size = PST_ARENA_SIZE; size > 0; size /= 2)
        while (pst_arena_alloc(req->arena, size))
            continue;
    return PST_FORGED;
}

/* The same, and the headers are too long to be sent without memory. */
static enum pst_err
use_all_and_more(struct context *g, struct request *req, struct response *res)
{
    char value[2000];

    memset(value, 'v', sizeof(value));
    response_set_cookie(res, (struct pst_str){value, sizeof(value)});
    return use_all(g, req, res);
}

static enum pst_err
never(struct context *g, struct request *req, struct response *res)
{
    (void)g;
    (void)req;
    (void)res;
    fail_msg("the handler was called");
    return PST_OK;
}

static const struct {
    const char *name;
    const char *const *variables;
    handler_fn *handler;
    size_t pieces; /* that the client accepts */
    bool want;
    const char *want_got; /* the beginning of what it receives */
    const char *want_logged;
} rows[] = {
    {"an answer", get, answer, 9, true, "Status: 201 Created\r\n",
     "method=GET status=201"},
    {"an error", get, refuse, 9, true, "Status: 403 Forbidden\r\n",
     "method=GET status=403"},
    {"an error to a page", page, refuse, 9, true, "Status: 403 Forbidden\r\n",
     "error=PST_CROSS_SITE"},
    {"an error that the handler answers", get, answer_with_a_form, 9, true,
     "Status: 401 ", "bytes=2 error=PST_REFUSED"},
    {"no answer", get, answer_nothing, 9, true, "Status: 500 ",
     "error=PST_INTERNAL"},
    {"half an answer", get, break_off, 9, false, "Status: 200 OK\r\n",
     "status=200"},
    {"and its reason", get, break_off, 9, false, "Status: 200 OK\r\n",
     "error=PST_UPSTREAM_BROKEN"},
    {"no memory left", get, use_all, 9, true, "Status: 401 ",
     "error=PST_FORGED"},
    {"no memory left for its headers", get, use_all_and_more, 9, true,
     "Status: 503 ", "status=503"},
    {"the client was gone", get, lose_client, 9, false, "", "status=499"},
    {"the client is gone at once", get, answer, 0, false, "",
     "error=PST_CLIENT_GONE"},
    {"the client is gone after the head", get, answer, 1, false,
     "Status: 201 Created\r\n", "error=PST_CLIENT_GONE"},
    {"the client is gone before the end", get, answer, 2, false,
     "Status: 201 Created\r\n", "error=PST_CLIENT_GONE"},
    {"the client is gone within an error", get, refuse, 1, false,
     "Status: 403 ", "error=PST_CROSS_SITE"},
    {"no variables", nothing, never, 9, true, "Status: 400 ",
     "method=\"\" status=400"},
    {"a variable twice", twice, never, 9, true, "Status: 400 ",
     "error=PST_DUPLICATE"},
    {"a body too large", large, never, 9, true, "Status: 413 ",
     "method=POST status=413"},
};

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char line[2048];
        bool is_whole;

        client.pieces_left = rows[i].pieces;
        is_whole = handle_with(rows[i].variables, rows[i].handler, line);
        if (is_whole != rows[i].want || strncmp(client.got, rows[i].want_got,
                                                strlen(rows[i].want_got)) != 0)
            fail_msg("row '%s': %d '%s'", rows[i].name, is_whole, client.got);
        if (!*rows[i].want_got && client.got_len > 0)
            fail_msg("row '%s': an answer '%s'", rows[i].name, client.got);
        if (!strstr(line, rows[i].want_logged) || strstr(line, "sesame"))
            fail_msg("row '%s': logged '%s'", rows[i].name, line);
        if (is_whole && client.flushed == 0)
            fail_msg("row '%s': not flushed", rows[i].name);
    }
}

/* An answer that could not be written is not whole, whatever flush() says: the
 * connection must not be used for the next request. */
static void
test_failed_write(void **state)
{
    static handler_fn *const handlers[] = {answer, refuse, break_off};
    char line[2048];

    (void)state;
    client.is_flush_idle = true;
    for (size_t i = 0; i < PST_COUNT(handlers); i++)
        for (size_t pieces = 0; pieces < 2; pieces++) {
            client.pieces_left = pieces;
            assert_false(handle_with(get, handlers[i], line));
        }
    client.is_flush_idle = false;
}

/* As long as nothing was sent, an answer that breaks off becomes an error. */
static void
test_unsent_answer_becomes_an_error(void **state)
{
    char line[2048];

    (void)state;
    client.pieces_left = 9;
    client.is_unsent = true;
    assert_true(handle_with(get, break_off, line));
    client.is_unsent = false;
    assert_int_equal(strncmp(client.got, "Status: 502 ", 12), 0);
    assert_null(strstr(client.got, "half"));
    assert_non_null(strstr(client.got, "\"code\":\"UPSTREAM_INVALID\""));
    assert_non_null(strstr(line, "status=502"));
    assert_non_null(strstr(line, "bytes=133"));
    client.is_unsent = true;
    assert_true(handle_with(head, break_off, line));
    client.is_unsent = false;
    assert_int_equal(strncmp(client.got, "Status: 502 ", 12), 0);
    assert_null(strstr(client.got, "errors"));
}

static void
test_error_drops_earlier_headers(void **state)
{
    char line[2048];

    (void)state;
    client.pieces_left = 9;
    assert_true(handle_with(get, refuse, line));
    assert_null(strstr(client.got, "X-Half"));
    assert_non_null(strstr(client.got, "\"requestId\":\"abababababababab\""));
    assert_non_null(strstr(line, "request=abababababababab"));
}

static void
test_full_arena_has_an_answer(void **state)
{
    char line[2048];

    (void)state;
    client.pieces_left = 9;
    assert_true(handle_with(get, use_all_and_more, line));
    assert_null(strstr(client.got, "Set-Cookie"));
    assert_non_null(strstr(client.got, "\"code\":\"OVERLOADED\""));
}

/*
 * The handler decides about CORS, since the answer of `authorize` becomes part
 * of pages that are not ours. If a request is refused before the handler is
 * called, a listed origin may read the error.
 */
static void
test_cors(void **state)
{
    static struct pst_str listed[] = {{"https://app.example", 19}};
    static const char *const asked[] = {
        "REQUEST_METHOD=GET", "HTTP_ORIGIN=https://app.example", NULL};
    static const char *const refused[] = {"REQUEST_METHOD=POST",
                                          "HTTP_ORIGIN=https://app.example",
                                          "CONTENT_LENGTH=1001", NULL};
    char line[2048];

    (void)state;
    config.origins = listed;
    config.origin_count = 1;
    client.pieces_left = 9;
    assert_true(handle_with(asked, answer, line));
    assert_null(strstr(client.got, "Access-Control"));
    assert_null(strstr(client.got, "Vary"));
    assert_true(handle_with(asked, refuse, line));
    assert_null(strstr(client.got, "Access-Control"));
    assert_true(handle_with(refused, never, line));
    assert_non_null(strstr(client.got, "Access-Control-Allow-Origin: "
                                       "https://app.example\r\n"));
    config.origin_count = 0;
}

static void
test_head_gets_no_body(void **state)
{
    char line[2048];

    (void)state;
    client.pieces_left = 9;
    assert_true(handle_with(head, answer, line));
    assert_non_null(strstr(client.got, "Content-Length: 7\r\n"));
    assert_string_equal(strstr(client.got, "\r\n\r\n"), "\r\n\r\n");
    assert_non_null(strstr(line, " bytes=0"));
    assert_true(handle_with(get, answer, line));
    assert_string_equal(strstr(client.got, "\r\n\r\n"), "\r\n\r\n{\"a\":1}");
    assert_non_null(strstr(line, " bytes=7"));
}

/* R3: without random bytes there is no request with a predictable id. */
static void
test_no_random(void **state)
{
    char line[2048];

    (void)state;
    client.pieces_left = 9;
    is_random_broken = true;
    assert_true(handle_with(get, never, line));
    is_random_broken = false;
    assert_non_null(strstr(client.got, "Status: 500 "));
    assert_non_null(strstr(line, "error=PST_NO_RANDOM"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_unsent_answer_becomes_an_error),
        cmocka_unit_test(test_error_drops_earlier_headers),
        cmocka_unit_test(test_full_arena_has_an_answer),
        cmocka_unit_test(test_cors),
        cmocka_unit_test(test_head_gets_no_body),
        cmocka_unit_test(test_no_random),
    };

    return cmocka_run_group_tests_name("handler", tests, set_up, tear_down);
}
