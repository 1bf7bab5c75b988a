/* SPDX-License-Identifier: ISC */
/*
 * full_request.h - a client's request with every header that matters to
 * forwarding, and a look at what the backend got of it.
 */
#ifndef TESTS_FULL_REQUEST_H
#define TESTS_FULL_REQUEST_H

#include "fixture.h"

/* No settings. */
extern const char *const plain[];

/* FULL_REQUEST_COUNT variables, NULL at the end included. */
#define FULL_REQUEST_COUNT 37
extern const char *const everything[FULL_REQUEST_COUNT];

/* Each of the lines (NULL at the end) was sent to the backend, or none was. */
void assert_sent(const struct fixture *f, const char *const *lines, bool want);

#endif
