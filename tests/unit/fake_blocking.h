/* SPDX-License-Identifier: ISC */
/*
 * fake_blocking.h - for tests: what engine/blocking.h declares, without
 * threads. It is linked in the place of the real pool. A call runs at once,
 * unless a test says what happens instead.
 */
#ifndef TESTS_FAKE_BLOCKING_H
#define TESTS_FAKE_BLOCKING_H

#include "engine/blocking.h"

/* The result of the next call. BLOCKING_ABANDONED: it runs later; so does what
 * is posted. */
void fake_blocking_expect(enum blocking_result result);

/* Run what was abandoned or posted. */
void fake_blocking_resume(void);

/* Does a thread hang at the end? */
void fake_blocking_hang(bool hangs);

#endif
