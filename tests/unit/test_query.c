/* SPDX-License-Identifier: ISC */
/*
 * test_query.c - a query draws random bytes once, since each time is a system
 * call, for its request id and its trace context.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fixture.h"
#include "gateway/handler.h"
#include "programs.h"

#define TRACEPARENT "\ntraceparent: 00-"

static struct fixture fix;
static struct fixture_session known;
static char seen_id[REQUEST_ID_LEN + 1];

/* A session that has begun now: handler_run() reads the real clock. */
static int
set_up(void **state)
{
    (void)state;
    fixture_init(&fix, NULL);
    fix.ctx.now = (int64_t)time(NULL);
    fixture_begin(&fix, false, &known);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_fini(&fix);
    return 0;
}

static enum pst_err
read_body(void *context, char *out, size_t size, size_t *len)
{
    struct pst_str *rest = context;
    struct pst_str piece = pst_str_first(*rest, size);

    if (piece.len > 0)
        memcpy(out, piece.ptr, piece.len);
    *rest = pst_str_skip(*rest, piece.len);
    *len = piece.len;
    return PST_OK;
}

static enum pst_err
drop(void *context, struct pst_str piece)
{
    (void)context;
    (void)piece;
    return PST_OK;
}

static enum pst_err
flush(void *context)
{
    (void)context;
    return PST_OK;
}

static enum pst_err
query_and_note_id(struct context *ctx, struct request *req,
                  struct response *res)
{
    memcpy(seen_id, req->id, sizeof(seen_id));
    return program_query(ctx, req, res);
}

/* Run one query. Returns the trace context that was sent to the backend. */
static const char *
ask(const char *trace)
{
    static const struct response_sink sink = {drop, flush, NULL, NULL, NULL};
    struct pst_str body = PST_STR("{\"query\":\"{me{id}}\"}");
    const char *const variables[] = {"REQUEST_METHOD=POST",
                                     "CONTENT_TYPE=application/json",
                                     "CONTENT_LENGTH=20",
                                     "HTTP_SEC_FETCH_SITE=same-origin",
                                     known.cookie,
                                     trace,
                                     NULL};
    const struct request_input input = {.variables = variables,
                                        .source = {read_body, &body, -1},
                                        .max_body = fix.config->max_body};
    const char *found;

    fix.answer = (struct fixture_answer){
        .status = 200,
        .headers = {"Content-Type: application/json"},
        .body = "{\"data\":{\"me\":null}}",
    };
    fix.draws = 0;
    fix.exchanges = 0;
    memset(fix.sent, 0, fix.sent_len);
    fix.sent_len = 0;
    assert_true(
        handler_run(&fix.ctx, fix.arena, &input, &sink, query_and_note_id));
    assert_int_equal(fix.exchanges, 1);
    assert_true(fixture_was_sent(&fix, "secret"));
    found = strstr(fix.sent, TRACEPARENT);
    assert_non_null(found);
    return found + strlen(TRACEPARENT);
}

/* The request id and the trace context come from one draw, and share no bytes.
 */
static void
test_one_draw(void **state)
{
    char first[REQUEST_ID_LEN + 1] = "";
    char trace[64] = "";

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *sent = ask(NULL);

        assert_int_equal(fix.draws, 1);
        assert_int_equal(strcspn(sent, "\r\n"), 32 + 1 + 16 + 3);
        assert_int_equal(strspn(sent, "0123456789abcdef"), 32);
        assert_int_equal(sent[32], '-');
        assert_int_equal(strspn(sent + 33, "0123456789abcdef"), 16);
        assert_memory_equal(sent + 49, "-00", 3);
        assert_null(strstr(sent, seen_id));
        assert_memory_not_equal(sent, sent + 33, 16);
        assert_memory_not_equal(sent, trace, 32);
        assert_string_not_equal(seen_id, first);
        memcpy(trace, sent, 52);
        memcpy(first, seen_id, sizeof(first));
    }
}

/* A trace context of the client is forwarded unchanged. */
static void
test_clients_trace(void **state)
{
    (void)state;
    assert_memory_equal(
        ask("HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-"
            "b7ad6b7169203331-01"),
        "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 52);
    assert_int_equal(fix.draws, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_draw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clients_trace, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
