/* SPDX-License-Identifier: ISC */
/*
 * literal.h - read numbers and strings of a GraphQL document (October
 * 2021, sections 2.9.1, 2.9.2 and 2.9.4). Not exported.
 */
#ifndef POSTERN_GRAPHQL_LITERAL_H
#define POSTERN_GRAPHQL_LITERAL_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/cursor.h"

/*
 * Read a number at its minus sign or first digit.
 *   text      set to its spelling
 *   is_float  set to whether it has a fraction or an exponent
 * Returns PST_OK or PST_MALFORMED, as the others do.
 */
enum pst_err graphql_read_number(struct graphql_cursor *cursor,
                                 struct pst_str *text, bool *is_float);

/*
 * Read a string at its quote.
 *   raw         set to what stands between the quotes
 *   is_encoded  set to whether that has escapes, which are good
 */
enum pst_err graphql_read_string(struct graphql_cursor *cursor,
                                 struct pst_str *raw, bool *is_encoded);

/* Do three quotes stand here? */
bool graphql_is_block_string(const struct graphql_cursor *cursor);

/*
 * Read a block string at its three quotes.
 *   raw  set to what stands between the quotes
 */
enum pst_err graphql_read_block_string(struct graphql_cursor *cursor,
                                       struct pst_str *raw);

#endif
