/* SPDX-License-Identifier: ISC */
/*
 * variable.h - parse variable definitions, types and descriptions (GraphQL,
 * September 2025, sections 2.11, 2.12 and 2.2). For this folder only. Errors:
 * as in parser_state.h.
 */
#ifndef POSTERN_GRAPHQL_VARIABLE_H
#define POSTERN_GRAPHQL_VARIABLE_H

#include "base/base.h"
#include "graphql/tree.h"
#include "graphql/value.h"

/* Skip a description if there is one, and record where it was. */
bool graphql_skip_description(struct graphql_parser *parser);

/*
 * Parse variable definitions in parentheses, if there are any.
 *   first  set to the first one
 */
bool graphql_parse_variables(struct graphql_parser *parser,
                             const struct pst_graphql_variable **first);

#endif
