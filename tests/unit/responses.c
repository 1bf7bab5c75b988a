/* SPDX-License-Identifier: ISC */
/*
 * responses.c - make responses and keep what they send, for tests.
 */
#include "responses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

struct pst_arena *arena;
struct sink sink;

static enum pst_err
sink_write(void *context, struct pst_str piece)
{
    struct sink *to = context;

    to->writes++;
    if (to->fail)
        return to->fail;
    assert_true(piece.len > 0);
    assert_true(piece.len <= sizeof(to->out) - to->len);
    memcpy(to->out + to->len, piece.ptr, piece.len);
    to->len += piece.len;
    return PST_OK;
}

static enum pst_err
sink_flush(void *context)
{
    struct sink *to = context;

    to->flushes++;
    return to->fail;
}

void
init(struct response *res)
{
    const struct response_sink to = {sink_write, sink_flush, &sink, NULL, NULL};

    pst_arena_reset(arena);
    memset(&sink, 0, sizeof(sink));
    response_init(res, arena, &to);
}

int
set_up(void **state)
{
    (void)state;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

void
check_text(const char *row, struct pst_str got, struct pst_str want)
{
    if (!pst_str_equal(got, want) ||
        pst_str_is_absent(got) != pst_str_is_absent(want))
        fail_msg("row '%s': got '%.*s' (%s)", row, (int)got.len,
                 got.ptr ? got.ptr : "", got.ptr ? "present" : "absent");
}

void
check_err(const char *row, enum pst_err got, enum pst_err want)
{
    if (got != want)
        fail_msg("row '%s': got %s, wanted %s", row, pst_err_code(got),
                 pst_err_code(want));
}

void
check_out(const char *row, const char *want)
{
    check_text(row, (struct pst_str){sink.out, sink.len}, pst_str_from(want));
}
