/* SPDX-License-Identifier: ISC */
/*
 * pages.c - send pages into a buffer and look at them, for tests.
 */
#include "pages.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/crypto.h"

struct pst_arena *arena;
struct response res;
char out[2 * PST_PAGE_MAX];
size_t out_len;

struct config plain = {.auth_token_header = {"vendure-auth-token", 18}};
struct config adorned = {.auth_token_header = {"vendure-auth-token", 18},
                         .site_name = {"Fish & <Chips>", 14},
                         .stylesheet = {"/our.css?a=1&b=\"", 16},
                         .register_url = {"/register?a=1&b=2", 17},
                         .reset_url = {"https://shop.example/reset#'", 28}};

static enum pst_err
sink_write(void *context, struct pst_str piece)
{
    (void)context;
    assert_true(piece.len < sizeof(out) - out_len);
    memcpy(out + out_len, piece.ptr, piece.len);
    out_len += piece.len;
    out[out_len] = '\0';
    return PST_OK;
}

static enum pst_err
sink_flush(void *context)
{
    (void)context;
    return PST_OK;
}

void
pages_init(void)
{
    const struct response_sink to = {sink_write, sink_flush, NULL, NULL, NULL};

    pst_arena_reset(arena);
    out_len = 0;
    out[0] = '\0';
    response_init(&res, arena, &to);
}

void
pages_request(struct request *req, const char *accept_language)
{
    static char variable[512];
    static const char *variables[2];

    (void)snprintf(variable, sizeof(variable), "HTTP_ACCEPT_LANGUAGE=%s",
                   accept_language ? accept_language : "");
    variables[0] = accept_language ? variable : NULL;
    *req = (struct request){.id = "0123456789abcdef"};
    request_variables_init(&req->variables, variables);
}

int
pages_set_up(void **state)
{
    (void)state;
    plain.texts = adorned.texts = page_texts_shipped;
    if (pst_crypto_init() != PST_OK)
        return -1;
    return pst_arena_new(&arena, PST_ARENA_SIZE) == PST_OK ? 0 : -1;
}

int
pages_tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    return 0;
}

void
check_has(const char *row, const char *piece)
{
    if (!strstr(out, piece))
        fail_msg("row '%s': no '%s' in:\n%s", row, piece, out);
}

void
check_has_not(const char *row, const char *piece)
{
    if (strstr(out, piece))
        fail_msg("row '%s': '%s' in:\n%s", row, piece, out);
}

struct pst_str
between(const char *before, const char *after)
{
    const char *start = strstr(out, before);
    const char *end;

    assert_non_null(start);
    start += strlen(before);
    end = strstr(start, after);
    assert_non_null(end);
    return (struct pst_str){start, (size_t)(end - start)};
}
