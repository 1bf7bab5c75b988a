/* SPDX-License-Identifier: ISC */
/*
 * selection.h - parse selection sets (GraphQL, October 2021, sections 2.4, 2.5,
 * 2.7 and 2.8). For this folder only. Errors: as in parser_state.h.
 */
#ifndef POSTERN_GRAPHQL_SELECTION_H
#define POSTERN_GRAPHQL_SELECTION_H

#include "base/base.h"
#include "graphql/tree.h"
#include "graphql/value.h"

/*
 * Parse a selection set and everything nested in it. No level may be open.
 * The spreads in it are appended at parser->spread_tail.
 *   first  set to its first selection
 */
bool graphql_parse_selection_set(struct graphql_parser *parser,
                                 const struct pst_graphql_selection **first);

#endif
