/* SPDX-License-Identifier: ISC */
/*
 * literal.h - read number and string tokens (GraphQL, October 2021, sections
 * 2.9.1, 2.9.2 and 2.9.4). For this folder only.
 *
 * Each function returns PST_OK, or PST_MALFORMED with the cursor's error set.
 */
#ifndef POSTERN_GRAPHQL_LITERAL_H
#define POSTERN_GRAPHQL_LITERAL_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/cursor.h"

/*
 * Read a number that begins at cursor->at.
 *   text      set to the number as spelled
 *   is_float  set to whether it has a fraction or an exponent
 */
enum pst_err graphql_read_number(struct graphql_cursor *cursor,
                                 struct pst_str *text, bool *is_float);

/*
 * Read a string whose opening quote is at cursor->at.
 *   raw         set to the text between the quotes, escapes not decoded
 *   is_encoded  set to whether it has escapes; all of them are valid
 */
enum pst_err graphql_read_string(struct graphql_cursor *cursor,
                                 struct pst_str *raw, bool *is_encoded);

/* Are three quotes next? */
bool graphql_is_block_string(const struct graphql_cursor *cursor);

/*
 * Read a block string whose opening quotes are at cursor->at.
 *   raw  set to the text between the quotes
 */
enum pst_err graphql_read_block_string(struct graphql_cursor *cursor,
                                       struct pst_str *raw);

#endif
