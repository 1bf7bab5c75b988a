/* SPDX-License-Identifier: ISC */
/*
 * print.h - write a parsed GraphQL document as text.
 */
#ifndef POSTERN_GRAPHQL_PRINT_H
#define POSTERN_GRAPHQL_PRINT_H

#include "base/buffer.h"
#include "graphql/parser.h"

/*
 * The response key that marks values of a type: this and the type's name.
 * See pst_graphql_print_with_typename().
 */
#define PST_GRAPHQL_TYPE_KEY_PREFIX "postern_"

/*
 * Write a document with `__typename` added to every selection set, and with
 * `postern_T: __typename` added to those that stand under a condition on type
 * T: so its answer tells of every value whether it is a T, be T an interface.
 *   document  parsed; recursion is bounded by the parser's depth
 */
PST_EXPORT void
pst_graphql_print_with_typename(struct pst_buf *buf,
                                const struct pst_graphql_document *document);

/*
 * Write a value as JSON (names of enums as strings). It holds no variable.
 */
PST_EXPORT void pst_graphql_print_json(struct pst_buf *buf,
                                       const struct pst_graphql_value *value);

#endif
