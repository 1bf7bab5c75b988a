/* SPDX-License-Identifier: ISC */
/*
 * string_value.h - decode UTF-8 characters, escapes, strings and block strings
 * (GraphQL, October 2021, section 2.9.4). For this folder only.
 */
#ifndef POSTERN_GRAPHQL_STRING_VALUE_H
#define POSTERN_GRAPHQL_STRING_VALUE_H

#include "base/base.h"
#include "base/str.h"

/*
 * Decode the UTF-8 character at `at`, which is before `end`.
 *   out  set to its code point
 * Returns its length in bytes, or 0 if it is not valid UTF-8.
 */
size_t graphql_decode_character(const char *at, const char *end, uint32_t *out);

enum graphql_escape {
    GRAPHQL_ESCAPE_VALID,
    GRAPHQL_ESCAPE_UNKNOWN,        /* an unknown letter after the backslash */
    GRAPHQL_ESCAPE_BRACED,         /* \u{...} */
    GRAPHQL_ESCAPE_TRUNCATED,      /* \u without four hex digits */
    GRAPHQL_ESCAPE_LONE_SURROGATE, /* an unpaired surrogate */
};

/*
 * Read one escape, or two that are a surrogate pair.
 *   at   points to the backslash; moved behind the escape if it is valid
 *   out  set to its code point if it is valid
 */
enum graphql_escape graphql_escape_read(const char **at, const char *end,
                                        uint32_t *out);

/*
 * Decode a string whose escapes are all valid.
 *   raw  the text between its quotes
 *   out  has room for raw.len bytes
 * Returns the value's length.
 */
size_t graphql_string_value(struct pst_str raw, char *out);

/*
 * The same for a block string without escapes: removes common indentation,
 * blank lines at both ends, and the CR of CR LF ("BlockStringValue").
 */
size_t graphql_block_string_value(struct pst_str raw, char *out);

#endif
