/* SPDX-License-Identifier: ISC */
/*
 * parser.h - parse an executable GraphQL document into a tree
 * (GraphQL, October 2021 and September 2025, sections 2.1 to 2.12).
 *
 * Accepts only what all common GraphQL parsers read in the same way (design
 * 2.5). graphql/parser.c lists what is refused beyond the grammar.
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
 *   out    set on PST_OK; valid until the arena is reset, and as long as text
 *   error  set on PST_MALFORMED and PST_TOO_LARGE; its message is ASCII. It may
 *          quote a name or a number of the document: send it to the client, do
 *          not log it
 * Returns PST_OK, PST_MALFORMED, PST_TOO_LARGE (bytes, tokens, or depth over
 * the limits of base/limits.h), PST_NO_MEMORY.
 *
 * The depth limit includes fragments: each spread is a level, so following
 * spreads goes at most PST_GRAPHQL_DEPTH levels deep. But a document can still
 * expand to 2^depth fields: visit each fragment only once.
 */
PST_MUST_USE enum pst_err
pst_graphql_parse(struct pst_arena *arena, struct pst_str text,
                  const struct pst_graphql_document **out,
                  struct pst_graphql_error *error);

/*
 * Find the operation to execute.
 *   name  operationName; absent or empty selects the only operation
 * Returns NULL if no operation has this name, or if there is no name and more
 * than one operation.
 */
const struct pst_graphql_operation *
pst_graphql_operation_find(const struct pst_graphql_document *document,
                           struct pst_str name);

/* The key of a field in the response: its alias, or else its name. */
struct pst_str
pst_graphql_response_key(const struct pst_graphql_selection *field);

#endif
