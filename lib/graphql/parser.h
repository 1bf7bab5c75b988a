/* SPDX-License-Identifier: ISC */
/*
 * parser.h - parse an executable GraphQL document into a tree
 * (GraphQL, October 2021 and September 2025, sections 2.1 to 2.12).
 *
 * Accepts only what every parser in the field reads alike (design 2.5): the
 * list of what is refused beyond the grammar stands in graphql/parser.c.
 */
#ifndef POSTERN_GRAPHQL_PARSER_H
#define POSTERN_GRAPHQL_PARSER_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "graphql/tree.h"

/*
 * Parse a document.
 *   text   any bytes
 *   out    set on PST_OK; it and its slices live until the arena is reset,
 *          and as long as text
 *   error  set on PST_MALFORMED and PST_TOO_LARGE; its message is ASCII and
 *          may quote a name or a number of the document, so it is for the
 *          client and not for the log
 * Returns PST_OK, PST_MALFORMED, PST_TOO_LARGE (bytes, tokens, or depth over
 * the limits of base/limits.h), PST_NO_MEMORY.
 *
 * The depth limit holds through fragments, each spread being a level: whoever
 * follows spreads goes at most PST_GRAPHQL_DEPTH levels deep. But what a
 * document expands to may be as large as 2 to the depth: visit each fragment
 * once.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_graphql_parse(struct pst_arena *arena, struct pst_str text,
                  const struct pst_graphql_document **out,
                  struct pst_graphql_error *error);

/*
 * The operation that a request asks for.
 *   name  operationName; absent and empty are the same: the only operation
 * Returns NULL when there is none of that name, or no name and several.
 */
PST_EXPORT const struct pst_graphql_operation *
pst_graphql_operation_find(const struct pst_graphql_document *document,
                           struct pst_str name);

/* The key of a field in the answer: its alias, or its name. */
PST_EXPORT struct pst_str
pst_graphql_response_key(const struct pst_graphql_selection *field);

#endif
