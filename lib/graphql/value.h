/* SPDX-License-Identifier: ISC */
/*
 * value.h - the parser's state and the lower half of its grammar:
 * values, arguments and directives (GraphQL, October 2021, sections 2.6, 2.9
 * and 2.12). Not exported.
 *
 * A function that returns false has set parser->result, and the error where
 * that is not PST_NO_MEMORY.
 */
#ifndef POSTERN_GRAPHQL_VALUE_H
#define POSTERN_GRAPHQL_VALUE_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slab.h"
#include "graphql/check.h"
#include "graphql/lexer.h"
#include "graphql/tree.h"

/* A selection set, list or input object that is open. */
union graphql_level {
    const struct pst_graphql_selection **selection_tail;
    struct {
        struct pst_graphql_value *container;
        const struct pst_graphql_value **tail;
    } value;
};

/* A description, to be replaced by spaces. */
struct graphql_description {
    struct pst_str spelling;
    struct graphql_description *next;
};

struct graphql_parser {
    struct graphql_lexer lexer;
    struct slabs *slabs;
    enum pst_err result;
    unsigned depth; /* levels that are open */
    unsigned max_depth;
    struct graphql_spread **spread_tail; /* where the next spread goes */
    struct graphql_description *descriptions;
    struct graphql_description **description_tail;
    union graphql_level levels[PST_GRAPHQL_DEPTH];
};

/*
 * Begin to parse a text, and read its first token.
 * Returns PST_OK or PST_NO_MEMORY.
 */
enum pst_err graphql_parser_init(struct graphql_parser *parser,
                                 struct pst_arena *arena, struct pst_str text,
                                 struct pst_graphql_error *error);

/* Read the next token. A failure shows in its kind. */
void graphql_parser_advance(struct graphql_parser *parser);

/* Say what was found, and that this was expected instead. Returns false. */
bool graphql_refuse_token(struct graphql_parser *parser, const char *expected);

/* Say this of the token that was read last. Returns false. */
bool graphql_refuse_message(struct graphql_parser *parser, const char *message);

/* Take a token of this kind. */
bool graphql_expect_token(struct graphql_parser *parser,
                          enum graphql_token_kind kind, const char *expected);

/* Take a name. */
bool graphql_expect_name(struct graphql_parser *parser, struct pst_str *out,
                         const char *expected);

/* Is the token this name? */
bool graphql_is_keyword(const struct graphql_parser *parser,
                        struct pst_str keyword);

/* Open a level: parser->levels[parser->depth - 1]; false: too many. */
bool graphql_push_level(struct graphql_parser *parser);

/* Zeroed memory; NULL: none. */
void *graphql_parser_alloc(struct graphql_parser *parser, size_t size);

/*
 * Sort names, each of which must stand once.
 *   what  one of them, for the message
 */
bool graphql_check_unique(struct graphql_parser *parser,
                          struct graphql_name *names, size_t count,
                          const char *what);

/*
 * Parse a value into *value.
 *   is_const  without variables
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
