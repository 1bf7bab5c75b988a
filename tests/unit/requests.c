/* SPDX-License-Identifier: ISC */
/*
 * requests.c - make requests from variables and a body, for tests.
 */
#include "requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/limits.h"

const uint8_t random_bytes[REQUEST_RANDOM_LEN] = {0x01, 0x23, 0x45, 0x67,
                                                  0x89, 0xab, 0xcd, 0xef};

struct pst_arena *arena;

enum pst_err
source_read(void *context, char *out, size_t size, size_t *len)
{
    struct source *source = context;
    size_t left = source->body.len - source->read;

    source->calls++;
    if (left == 0 && source->fail)
        return source->fail;
    *len = left < size ? left : size;
    if (source->step > 0 && *len > source->step)
        *len = source->step;
    if (*len > 0)
        memcpy(out, source->body.ptr + source->read, *len);
    source->read += *len;
    return PST_OK;
}

enum pst_err
init(struct request *req, const char *const *variables, struct source *source)
{
    struct request_input input = {
        .variables = variables,
        .source = {source_read, source, -1},
        .max_body = MAX_BODY,
    };

    return request_init(req, arena, &input, random_bytes);
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
