/* SPDX-License-Identifier: ISC */
/*
 * vectors.h - read the public test vectors (JSON files).
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <json-c/json.h>

#include "base/str.h"

/*
 * Read a file of the folder POSTERN_VECTORS, such as "cookies.json"; never
 * NULL. Without the folder, this prints a line and skips the test. When the
 * folder is there but the file is not, it aborts.
 */
struct json_object *vectors_open(const char *file);

/* The string value of a member, or "" when it has none; owned by value. */
const char *vectors_string(struct json_object *value, const char *member);

/* Convert a string from UTF-8 to latin-1 bytes, malloc()ed in *storage. */
struct pst_str vectors_latin1(struct json_object *value, char **storage);

/* Convert hex digits to bytes, malloc()ed in *storage. */
struct pst_bytes vectors_hex(const char *hex, uint8_t **storage);

#endif
