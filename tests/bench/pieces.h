/* SPDX-License-Identifier: ISC */
/*
 * pieces.h - the pieces of work that one query consists of, with fixed input,
 * so that they can be timed and their instructions counted.
 */
#ifndef TESTS_BENCH_PIECES_H
#define TESTS_BENCH_PIECES_H

#include <stddef.h>

struct piece {
    const char *name;
    const char *what;  /* for people */
    void (*run)(void); /* once */
};

/* The first one is the measure of the others: libgcrypt alone. */
extern const struct piece pieces[];
extern const size_t piece_count;

/* Make the input of all pieces, and a store in a temporary folder. */
void pieces_init(void);
void pieces_fini(void);

#endif
