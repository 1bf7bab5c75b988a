/* SPDX-License-Identifier: ISC */
/*
 * selection.h - selection sets (GraphQL, October 2021, sections 2.4,
 * 2.5, 2.7 and 2.8). Not exported.
 */
#ifndef POSTERN_GRAPHQL_SELECTION_H
#define POSTERN_GRAPHQL_SELECTION_H

#include "base/base.h"
#include "graphql/tree.h"
#include "graphql/value.h"

/*
 * Parse a selection set with all that stands in it, while no level is open.
 * Its spreads are added at parser->spread_tail.
 *   first  set to its first selection
 */
bool graphql_parse_selection_set(struct graphql_parser *parser,
                                 const struct pst_graphql_selection **first);

#endif
