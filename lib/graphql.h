/* SPDX-License-Identifier: ISC */
/*
 * graphql.h - what a GraphQL document asks for, as far as we have to know:
 * does it log somebody in, and would we find the secret in the answer?
 * (GraphQL, October 2021, sections 2.1 and 2.2: the lexical grammar.)
 */
#ifndef POSTERN_GRAPHQL_H
#define POSTERN_GRAPHQL_H

#include "base.h"
#include "text.h"

/*
 * Does a field of this name stand in a selection set, or is it the name that
 * a field gets in the answer ("login: me")? Names inside arguments, variable
 * definitions, strings, block strings, comments, types and directives are no
 * fields; fields of type definitions count. A document that cannot be read
 * (no UTF-8, a string without an end, brackets that do not match or are more
 * than PST_GRAPHQL_DEPTH deep) is taken to hold the field: what we do not
 * understand gets the stricter treatment. An empty or absent one holds none.
 */
PST_EXPORT bool pst_graphql_has_field(struct pst_text document,
                                      struct pst_text field);

/*
 * Is a field of this name given another name in the answer ("a: login"), or
 * its name given to another field ("login: a")? True as well for a document
 * that cannot be read.
 */
PST_EXPORT bool pst_graphql_has_alias(struct pst_text document,
                                      struct pst_text field);

/*
 * Told of a string, and of the argument or input field that it is the whole
 * value of (absent where it is none's); false ends the walk.
 */
typedef bool pst_graphql_each(void *context, struct pst_text argument,
                              struct pst_text string);

/*
 * Tell each string that stands in the document itself, without its quotes.
 * Returns false when each() did, or when they cannot be told: the document
 * cannot be read, or has a block string, or a string with an escape.
 */
PST_EXPORT bool pst_graphql_strings(struct pst_text document,
                                    pst_graphql_each *each, void *context);

/*
 * Is $variable, wherever the document uses it, the whole value of an argument
 * or input field of this name? False for one that is not used, and for a
 * document that cannot be read.
 */
PST_EXPORT bool pst_graphql_is_only(struct pst_text document,
                                    struct pst_text variable,
                                    struct pst_text argument);

#endif
