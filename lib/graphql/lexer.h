/* SPDX-License-Identifier: ISC */
/*
 * lexer.h - the tokens of a GraphQL document, with their places
 * (GraphQL, October 2021, sections 2.1 and 2.9). Not exported, and
 * allocates nothing.
 */
#ifndef POSTERN_GRAPHQL_LEXER_H
#define POSTERN_GRAPHQL_LEXER_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "graphql/cursor.h"
#include "graphql/tree.h"

/* Punctuators have the value of their character. */
enum graphql_token_kind {
    GRAPHQL_END, /* of the document */
    GRAPHQL_ERROR,
    GRAPHQL_NAME,
    GRAPHQL_INT,
    GRAPHQL_FLOAT,
    GRAPHQL_STRING,
    GRAPHQL_BLOCK_STRING, /* a block string */
    GRAPHQL_SPREAD,
    GRAPHQL_BANG = '!',
    GRAPHQL_DOLLAR = '$',
    GRAPHQL_AMPERSAND = '&',
    GRAPHQL_PAREN_OPEN = '(',
    GRAPHQL_PAREN_CLOSE = ')',
    GRAPHQL_COLON = ':',
    GRAPHQL_EQUALS = '=',
    GRAPHQL_QUESTION = '?', /* in no grammar, but in experiments */
    GRAPHQL_AT = '@',
    GRAPHQL_BRACKET_OPEN = '[',
    GRAPHQL_BRACKET_CLOSE = ']',
    GRAPHQL_BRACE_OPEN = '{',
    GRAPHQL_PIPE = '|',
    GRAPHQL_BRACE_CLOSE = '}',
};

struct graphql_lexer {
    /* The token that was read last. */
    enum graphql_token_kind kind;
    bool is_encoded;      /* of a string: its value may not be the token */
    struct pst_str token; /* as spelled; strings without their quotes */
    struct pst_graphql_location location;
    uint32_t tokens; /* that were read */
    struct graphql_cursor cursor;
};

/*
 * Begin to read text, whose length is at most PST_GRAPHQL_BYTES_MAX.
 *   error  set when graphql_lexer_next() fails
 */
void graphql_lexer_init(struct graphql_lexer *lexer, struct pst_str text,
                        struct pst_graphql_error *error);

/*
 * Read the next token; at the end of the document, GRAPHQL_END again and again.
 * Returns PST_OK, or PST_MALFORMED or PST_TOO_LARGE, and the token is then
 * GRAPHQL_ERROR.
 */
enum pst_err graphql_lexer_next(struct graphql_lexer *lexer);

/* The whole token, quotes included. */
struct pst_str graphql_lexer_spelling(const struct graphql_lexer *lexer);

/* Describe the token in ASCII, such as: the name "x". */
void graphql_lexer_describe(const struct graphql_lexer *lexer, char *out,
                            size_t size);

/*
 * The value of a token of kind STRING or BLOCK.
 *   out  lexer->token.len bytes
 * Returns the length of the value, which is never above the token's.
 */
size_t graphql_lexer_value(const struct graphql_lexer *lexer, char *out);

#endif
