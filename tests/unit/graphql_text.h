/* SPDX-License-Identifier: ISC */
/*
 * graphql_text.h - print a parsed GraphQL document in a normal form, for tests
 * to compare.
 */
#ifndef TESTS_GRAPHQL_TEXT_H
#define TESTS_GRAPHQL_TEXT_H

#include "base/buffer.h"
#include "graphql/tree.h"

/*
 * Such as query A($a:[ID!]!=1@d){x:f(b:"…"){c}...F...on T{d}}, with
 * decoded strings. Enum values begin with ~, floats with %.
 *   has_places  with @line:column before each selection
 */
void graphql_text_document(struct pst_buf *buf,
                           const struct pst_graphql_document *document,
                           bool has_places);
void graphql_text_variables(struct pst_buf *buf,
                            const struct pst_graphql_variable *first);
void graphql_text_selections(struct pst_buf *buf,
                             const struct pst_graphql_selection *first,
                             bool has_places);
void graphql_text_directives(struct pst_buf *buf,
                             const struct pst_graphql_directive *first);
void graphql_text_values(struct pst_buf *buf,
                         const struct pst_graphql_value *first);

#endif
