/* SPDX-License-Identifier: ISC */
/*
 * print.h - print a GraphQL document with __typename added to every selection
 * set, and print values as JSON.
 */
#ifndef POSTERN_GRAPHQL_PRINT_H
#define POSTERN_GRAPHQL_PRINT_H

#include "base/buffer.h"
#include "graphql/parser.h"

/*
 * pst_graphql_print_with_typename() adds fields whose response key is this
 * prefix and the name of a type.
 */
#define PST_GRAPHQL_TYPE_KEY_PREFIX "postern_"

/*
 * Print a document with `__typename` added to every selection set, and with
 * `postern_T: __typename` added to the selection sets under a condition on type
 * T. The response then shows for each value whether it is a T, also if T is an
 * interface.
 *   document  parsed; the parser limits the depth of the recursion
 */
void
pst_graphql_print_with_typename(struct pst_buf *buf,
                                const struct pst_graphql_document *document);

/*
 * Print a value as JSON; enum values become strings. The value must not contain
 * a variable.
 */
void pst_graphql_print_json(struct pst_buf *buf,
                            const struct pst_graphql_value *value);

#endif
