/* SPDX-License-Identifier: ISC */
/*
 * parser_state.h - the state that all parts of the GraphQL parser share. For
 * this folder only.
 *
 * Every function of the parser that returns false (or NULL) has set
 * parser->result, and also the error unless the result is PST_NO_MEMORY.
 */
#ifndef POSTERN_GRAPHQL_PARSER_STATE_H
#define POSTERN_GRAPHQL_PARSER_STATE_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/slab.h"
#include "graphql/lexer.h"
#include "graphql/tree.h"
#include "graphql/validate.h"

/* An open selection set, list or input object. */
union graphql_level {
    const struct pst_graphql_selection **selection_tail;
    struct {
        struct pst_graphql_value *container;
        const struct pst_graphql_value **tail;
    } value;
};

/* A description, to be replaced by spaces in the text to forward. */
struct graphql_description {
    struct pst_str spelling;
    struct graphql_description *next;
};

struct graphql_parser {
    struct graphql_lexer lexer;
    struct slabs *slabs;
    enum pst_err result;
    unsigned depth;     /* number of open levels */
    unsigned max_depth; /* the largest depth so far; the caller may reset it */
    struct graphql_spread **spread_tail; /* where to append a spread */
    struct graphql_description *descriptions;
    struct graphql_description **description_tail;
    union graphql_level levels[PST_GRAPHQL_DEPTH];
};

/*
 * Begin to parse a text, and read its first token.
 *   arena  its reset frees all that graphql_parser_alloc() returns
 * Returns PST_OK or PST_NO_MEMORY.
 */
enum pst_err graphql_parser_init(struct graphql_parser *parser,
                                 struct pst_arena *arena, struct pst_str text,
                                 struct pst_graphql_error *error);

/* Read the next token. On failure its kind is GRAPHQL_ERROR. */
void graphql_parser_advance(struct graphql_parser *parser);

/* Fail with "found <token>, expected <expected>". Returns false. */
bool graphql_refuse_token(struct graphql_parser *parser, const char *expected);

/* Fail with a message at the current token. Returns false. */
bool graphql_refuse_message(struct graphql_parser *parser, const char *message);

/* Require a token of this kind, and read the next one. */
bool graphql_expect_token(struct graphql_parser *parser,
                          enum graphql_token_kind kind, const char *expected);

/* Require a name, set *out to it, and read the next token. */
bool graphql_expect_name(struct graphql_parser *parser, struct pst_str *out,
                         const char *expected);

/* Is the current token this name? */
bool graphql_is_keyword(const struct graphql_parser *parser,
                        struct pst_str keyword);

/* Open parser->levels[parser->depth - 1]. Fails above PST_GRAPHQL_DEPTH. */
bool graphql_push_level(struct graphql_parser *parser);

/* Allocate zeroed memory. Returns NULL if there is none. */
void *graphql_parser_alloc(struct graphql_parser *parser, size_t size);

/*
 * Sort names, and fail if two are equal.
 *   what  the kind of name, for the message, such as "argument"
 */
bool graphql_check_unique(struct graphql_parser *parser,
                          struct graphql_name *names, size_t count,
                          const char *what);

#endif
