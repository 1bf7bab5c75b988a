/* SPDX-License-Identifier: ISC */
/*
 * pages.h - send pages into a buffer and look at them, for tests.
 */
#ifndef POSTERN_TESTS_PAGES_H
#define POSTERN_TESTS_PAGES_H

#include "base/limits.h"
#include "server/config.h"
#include "server/request.h"
#include "server/response.h"

extern struct pst_arena *arena;
extern struct response res;
extern char out[2 * PST_PAGE_MAX]; /* what was sent, and a NUL */
extern size_t out_len;

/* Configurations: with shipped texts and nothing else; and with everything that
 * a page can show. */
extern struct config plain;
extern struct config adorned;

/* Group setup and teardown: the arena. */
int pages_set_up(void **state);
int pages_tear_down(void **state);

/* Begin a new response. */
void pages_init(void);

/* Make a request with this Accept-Language; NULL: without. One at a time. */
void pages_request(struct request *req, const char *accept_language);

/* Is the piece in what was sent? */
void check_has(const char *row, const char *piece);
void check_has_not(const char *row, const char *piece);

/* The bytes between two marks. */
struct pst_str between(const char *before, const char *after);

#endif
