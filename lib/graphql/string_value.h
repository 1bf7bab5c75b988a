/* SPDX-License-Identifier: ISC */
/*
 * string_value.h - what the characters, escapes and strings of a GraphQL
 * document stand for (GraphQL, October 2021, section 2.9.4). Not exported.
 */
#ifndef POSTERN_GRAPHQL_STRING_VALUE_H
#define POSTERN_GRAPHQL_STRING_VALUE_H

#include "base/base.h"
#include "base/str.h"

/*
 * Decode the UTF-8 character at `at`, which is before `end`.
 *   out  set to its number
 * Returns its length in bytes; 0: it is none.
 */
size_t graphql_decode_character(const char *at, const char *end, uint32_t *out);

enum graphql_escape {
    GRAPHQL_ESCAPE_VALID,
    GRAPHQL_ESCAPE_UNKNOWN,        /* no such letter */
    GRAPHQL_ESCAPE_BRACED,         /* \u{...} */
    GRAPHQL_ESCAPE_TRUNCATED,      /* \u without four hex digits */
    GRAPHQL_ESCAPE_LONE_SURROGATE, /* half of a surrogate pair */
};

/*
 * Read an escape; two of them if they are a surrogate pair.
 *   at   at the backslash; moved behind the escape if it is good
 *   out  set to the number of its character if it is good
 */
enum graphql_escape graphql_escape_read(const char **at, const char *end,
                                        uint32_t *out);

/*
 * The value of a string with good escapes.
 *   raw  what stands between its quotes
 *   out  raw.len bytes
 * Returns the value's length.
 */
size_t graphql_string_value(struct pst_str raw, char *out);

/*
 * The same for a block string without escapes: common indentation, blank lines
 * at both ends and carriage returns removed ("BlockStringValue").
 */
size_t graphql_block_string_value(struct pst_str raw, char *out);

#endif
