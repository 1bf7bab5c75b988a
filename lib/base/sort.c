/* SPDX-License-Identifier: ISC */
/*
 * sort.c - heapsort through two callbacks, which compare and swap elements by
 * index.
 */
#include "base/sort.h"

/* Move an element down to its place in the heap of the first `count`. */
static void
sort_sift_down(const struct pst_sort *sort, size_t count, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= count)
            return;
        if (child + 1 < count && sort->is_less(sort->context, child, child + 1))
            child++;
        if (!sort->is_less(sort->context, at, child))
            return;
        sort->swap(sort->context, at, child);
        at = child;
    }
}

void
pst_sort(const struct pst_sort *sort)
{
    for (size_t i = sort->count / 2; i-- > 0;)
        sort_sift_down(sort, sort->count, i);
    for (size_t end = sort->count; end-- > 1;) {
        sort->swap(sort->context, 0, end);
        sort_sift_down(sort, end, 0);
    }
}
