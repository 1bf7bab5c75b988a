/* SPDX-License-Identifier: ISC */
/*
 * sort.h - heapsort through two callbacks, which compare and swap elements by
 * index: O(n log n) for any input, and no extra memory.
 *
 * qsort() may take quadratic time or allocate, and clients choose the input.
 */
#ifndef POSTERN_BASE_SORT_H
#define POSTERN_BASE_SORT_H

#include "base/base.h"

/* The elements to sort. The functions get indexes, 0..count-1. */
struct pst_sort {
    void *context;
    size_t count;
    bool (*is_less)(void *context, size_t a, size_t b);
    void (*swap)(void *context, size_t a, size_t b);
};

/* Sort in ascending order. The order of equal elements is unspecified. */
void pst_sort(const struct pst_sort *sort);

#endif
