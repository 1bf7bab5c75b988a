/* SPDX-License-Identifier: ISC */
/*
 * test_program_loop.c - what the requests of one loop share, and what each of
 * them has to itself.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "configs.h"
#include "crypto/crypto.h"
#include "engine/loop_state.h"
#include "gateway/program_loop.h"

#define NESTED_MAX 21

static struct program_parts parts;
static void *loop;
static const struct response_sink *current_sink;

/* What the handler saw, at each depth. */
static struct {
    struct context *ctx;
    struct pst_arena *arena;
} seen[NESTED_MAX];
static size_t depth;
static size_t nested; /* so many requests begin while the first one runs */

static enum pst_err
ignore_piece(void *context, struct pst_str piece)
{
    (void)context;
    (void)piece;
    return PST_OK;
}

static enum pst_err
ignore_flush(void *context)
{
    (void)context;
    return PST_OK;
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

static bool
send_request(void)
{
    static const char *const variables[] = {"REQUEST_METHOD=GET",
                                            "REMOTE_ADDR=192.0.2.1", NULL};
    const struct request_input input = {.variables = variables,
                                        .source = {no_body, NULL, -1}};

    return program_loop_handle(loop, &input, current_sink);
}

static enum pst_err
handler(struct context *ctx, struct request *req, struct response *res)
{
    seen[depth].ctx = ctx;
    seen[depth].arena = req->arena;
    assert_ptr_equal(ctx->config, parts.config);
    assert_ptr_equal(ctx->log, parts.log);
    assert_non_null(ctx->ring);
    assert_non_null(ctx->upstream);
    assert_null(ctx->store);
    assert_non_null(ctx->confirmed);
    assert_ptr_equal(ctx->confirmed, parts.confirmed);
    assert_int_equal(req->max_body, parts.config->max_body);
    assert_int_equal(req->max_held, parts.config->max_held);
    if (depth < nested) {
        depth++;
        assert_true(send_request());
        depth--;
    }
    return response_send_json(res, 200, PST_STR("{}"));
}

/* Requests that run at once share the connections, and nothing else. */
static void
test_requests_at_once(void **state)
{
    (void)state;
    nested = 2;
    assert_true(send_request());
    for (size_t i = 1; i <= nested; i++) {
        assert_ptr_not_equal(seen[i].ctx, seen[i - 1].ctx);
        assert_ptr_not_equal(seen[i].arena, seen[i - 1].arena);
        assert_ptr_equal(seen[i].ctx->upstream, seen[0].ctx->upstream);
    }
    assert_ptr_not_equal(seen[2].ctx, seen[0].ctx);
}

/* A request is refused, in the usual form, when too many run. */
static enum pst_err
note_status(void *context, struct pst_str piece)
{
    char *head = context;

    if (head[0] == '\0')
        snprintf(head, 32, "%.*s", (int)(piece.len < 31 ? piece.len : 31),
                 piece.ptr);
    return PST_OK;
}

static void
test_overload(void **state)
{
    static const char *const variables[] = {"REQUEST_METHOD=GET", NULL};
    char head[32] = "";
    const struct response_sink sink = {
        .write = note_status, .flush = ignore_flush, .context = head};
    const struct request_input input = {.variables = variables,
                                        .source = {no_body, NULL, -1},
                                        .is_overloaded = true};

    (void)state;
    seen[0].ctx = NULL;
    assert_true(program_loop_handle(loop, &input, &sink));
    assert_null(seen[0].ctx);
    assert_non_null(strstr(head, "503"));
}

/* A state of a real loop sets a timer there, and clears it at the end. */
static void
test_timer_of_the_loop(void **state)
{
    void *saved = loop;
    struct loop *events = NULL;

    (void)state;
    nested = 0;
    assert_int_equal(loop_new(&events), PST_OK);
    loop = program_loop_new(&parts);
    assert_non_null(loop);
    assert_true(send_request());
    assert_true(send_request());
    program_loop_free(loop);
    loop_free(&events);
    loop = saved;
}

/* How many of the arenas of nested requests are still mapped? */
static size_t
count_arenas(void)
{
    unsigned char is_resident;
    size_t count = 0;

    for (size_t i = 0; i <= nested; i++) {
        uintptr_t page = (uintptr_t)seen[i].arena & ~(uintptr_t)4095;

        count += mincore((void *)page, 1, &is_resident) == 0;
    }
    return count;
}

/* As many workspaces are kept as were in use at a time in the last while. */
static void
test_kept_after_a_burst(void **state)
{
    void *saved = loop;
    struct loop *events = NULL;

    (void)state;
    (void)mallopt(M_MMAP_THRESHOLD, PST_ARENA_SIZE); /* as program_serve() */
    assert_int_equal(loop_new(&events), PST_OK);
    loop = program_loop_new(&parts);
    assert_non_null(loop);
    nested = NESTED_MAX - 1;
    assert_true(send_request());
    clock_sleep(2); /* so that the next timer expires later */
    timers_run(&events->timers, timers_first(&events->timers));
    assert_int_equal(events->timers.count, 1);
    assert_int_equal(count_arenas(), NESTED_MAX);
    timers_run(&events->timers, timers_first(&events->timers));
    assert_int_equal(events->timers.count, 0);
#ifndef __SANITIZE_ADDRESS__ /* then arenas are not mapped */
    assert_int_equal(count_arenas(), 8);
#endif
    program_loop_free(loop);
    loop_free(&events);
    loop = saved;
}

static void
test_bad_backend(void **state)
{
    struct http_client *upstream = NULL;
    struct store *store = NULL;
    struct config *config = MAKE_CONFIG("POSTERN_STORE=none");

    (void)state;
    assert_int_equal(program_loop_connect(config, &upstream, &store), PST_OK);
    assert_null(store);
    assert_non_null(upstream);
    http_client_free(&upstream);
    config->connect_timeout = 0; /* the configuration would refuse it */
    assert_int_equal(program_loop_connect(config, &upstream, &store),
                     PST_BAD_CONFIG);
    config_free(&config);
}

static int
begin(void **state)
{
    static const struct response_sink sink = {.write = ignore_piece,
                                              .flush = ignore_flush};

    (void)state;
    current_sink = &sink;
    assert_int_equal(pst_crypto_init(), PST_OK);
    assert_int_equal(http_client_start(), PST_OK);
    parts.handler = handler;
    parts.config = MAKE_CONFIG("POSTERN_STORE=none");
    assert_int_equal(log_open(&parts.log, "stderr", LOG_LOGFMT, LEVEL_ERROR,
                              "test_program_loop"),
                     PST_OK);
    assert_int_equal(
        keyring_cache_new(&parts.keyring_cache, parts.config, parts.log, NULL),
        PST_OK);
    assert_int_equal(confirmed_sessions_new(&parts.confirmed), PST_OK);
    loop = program_loop_new(&parts);
    assert_non_null(loop);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    program_loop_free(loop);
    confirmed_sessions_free(&parts.confirmed);
    keyring_cache_free(&parts.keyring_cache);
    log_close(&parts.log);
    config_free(&parts.config);
    http_client_stop();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_at_once),
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_timer_of_the_loop),
        cmocka_unit_test(test_kept_after_a_burst),
        cmocka_unit_test(test_bad_backend),
    };

    return cmocka_run_group_tests_name("program_loop", tests, begin, end);
}
