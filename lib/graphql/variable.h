/* SPDX-License-Identifier: ISC */
/*
 * variable.h - the variables of an operation, their types, and
 * descriptions (GraphQL, September 2025, sections 2.11, 2.12 and 2.2). Not
 * exported.
 */
#ifndef POSTERN_GRAPHQL_VARIABLE_H
#define POSTERN_GRAPHQL_VARIABLE_H

#include "base/base.h"
#include "graphql/tree.h"
#include "graphql/value.h"

/* Pass over a description if there is one, and remember where it stood. */
bool graphql_skip_description(struct graphql_parser *parser);

/*
 * Parse variables in parentheses, if there are any.
 *   first  set to the first of them
 */
bool graphql_parse_variables(struct graphql_parser *parser,
                             const struct pst_graphql_variable **first);

#endif
