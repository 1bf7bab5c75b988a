/* SPDX-License-Identifier: ISC */
/*
 * value.h - parse values, arguments and directives (GraphQL, October 2021,
 * sections 2.6, 2.9 and 2.12). For this folder only. Errors: as in
 * parser_state.h.
 */
#ifndef POSTERN_GRAPHQL_VALUE_H
#define POSTERN_GRAPHQL_VALUE_H

#include "graphql/parser_state.h"
#include "graphql/tree.h"

/*
 * Parse a value into *value.
 *   is_const  variables are not allowed
 */
bool graphql_parse_value(struct graphql_parser *parser,
                         struct pst_graphql_value *value, bool is_const);

/* Parse arguments in parentheses, if there are any. */
bool graphql_parse_arguments(struct graphql_parser *parser, bool is_const,
                             const struct pst_graphql_value **out);

/* Parse directives, if there are any. */
bool graphql_parse_directives(struct graphql_parser *parser, bool is_const,
                              const struct pst_graphql_directive **out);

#endif
