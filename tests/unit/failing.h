/* SPDX-License-Identifier: ISC */
/*
 * failing.h - have the n-th malloc(), calloc() or realloc() of our own code
 * fail: for modules whose memory is not a request's. A test that uses it is
 * linked with $(FAILING_LINKING).
 */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include <stdbool.h>
#include <stddef.h>

/* From now on, in this thread: the n-th (1 is the next) fails, no other. 0:
 * none. */
void failing_at(size_t n);

/* Whether it has failed. Switches it off. */
bool failing_has_failed(void);

#endif
