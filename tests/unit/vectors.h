/* SPDX-License-Identifier: ISC */
/*
 * vectors.h - read the public vectors in place, for tests.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <json-c/json.h>

#include "base/str.h"

/*
 * A file of POSTERN_VECTORS, such as "cookies.json"; never NULL. Where the
 * folder is absent it says in one line that these vectors were not run, and
 * the test ends here, skipped: it has not passed. A file missing from a folder
 * that is there stops the test.
 */
struct json_object *vectors_open(const char *file);

/* The member's string value, or "" where it has none; borrowed. */
const char *vectors_string(struct json_object *value, const char *member);

/* A string of latin-1 bytes back as bytes; malloc()ed into *storage. */
struct pst_str vectors_latin1(struct json_object *value, char **storage);

/* Hex digits as bytes; malloc()ed into *storage. */
struct pst_bytes vectors_hex(const char *hex, uint8_t **storage);

#endif
