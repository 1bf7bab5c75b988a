/* SPDX-License-Identifier: ISC */
/*
 * failing.h - make the n-th malloc(), calloc() or realloc() of our code fail:
 * for modules whose memory is not an arena. A test that uses it must be linked
 * with $(FAILING_LINKING).
 */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include <stdbool.h>
#include <stddef.h>

/* Make the n-th allocation of this thread fail: 1 is the next. 0 switches this
 * off. */
void failing_at(size_t n);

/* Has it failed? Also switches this off. */
bool failing_has_failed(void);

#endif
