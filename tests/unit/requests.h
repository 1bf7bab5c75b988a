/* SPDX-License-Identifier: ISC */
/*
 * requests.h - make requests from variables and a body, for tests.
 */
#ifndef POSTERN_TESTS_REQUESTS_H
#define POSTERN_TESTS_REQUESTS_H

#include "server/request.h"

#define MAX_BODY 1000

extern const uint8_t random_bytes[REQUEST_RANDOM_LEN];

/* A body that is read in pieces of at most `step` bytes. */
struct source {
    struct pst_str body;
    size_t read;
    size_t step;
    size_t calls;
    enum pst_err fail; /* returned at the end, in place of the end */
};

/* The arena of the running test. */
extern struct pst_arena *arena;

/* Group setup and teardown: the arena. */
int set_up(void **state);
int tear_down(void **state);

enum pst_err source_read(void *context, char *out, size_t size, size_t *len);

/* Make a request from variables (NULL at the end) with MAX_BODY. */
enum pst_err init(struct request *req, const char *const *variables,
                  struct source *source);

void check_text(const char *row, struct pst_str got, struct pst_str want);
void check_err(const char *row, enum pst_err got, enum pst_err want);

#endif
