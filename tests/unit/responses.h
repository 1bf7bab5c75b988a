/* SPDX-License-Identifier: ISC */
/*
 * responses.h - make responses and keep what they send, for tests.
 */
#ifndef POSTERN_TESTS_RESPONSES_H
#define POSTERN_TESTS_RESPONSES_H

#include "base/limits.h"
#include "server/response.h"

/* Where the responses of these tests are written. */
struct sink {
    char out[2 * PST_HEADERS_MAX];
    size_t len;
    size_t writes;
    size_t flushes;
    enum pst_err fail;
};

extern struct pst_arena *arena;
extern struct sink sink;

/* Group setup and teardown: the arena. */
int set_up(void **state);
int tear_down(void **state);

/* Begin another response, with an empty arena and sink. */
void init(struct response *res);

void check_text(const char *row, struct pst_str got, struct pst_str want);
void check_err(const char *row, enum pst_err got, enum pst_err want);

/* Compare what was sent. */
void check_out(const char *row, const char *want);

/* The headers that every response has, and their number. */
#define DEFAULTS                                                     \
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" \
    "Cross-Origin-Resource-Policy: same-origin\r\n"
#define DEFAULT_COUNT 3

#endif
