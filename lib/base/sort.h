/* SPDX-License-Identifier: ISC */
/*
 * sort.h - heapsort: n log n whoever chooses what is sorted, and no memory.
 */
#ifndef POSTERN_BASE_SORT_H
#define POSTERN_BASE_SORT_H

#include "base/base.h"

/* What is sorted, by the indexes of its elements. */
struct pst_sort {
    void *context;
    size_t count;
    bool (*is_less)(void *context, size_t a, size_t b);
    void (*swap)(void *context, size_t a, size_t b);
};

/* Sort, the least first; what compares equal is in no certain order. */
PST_EXPORT void pst_sort(const struct pst_sort *sort);

#endif
