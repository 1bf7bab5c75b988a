/* SPDX-License-Identifier: ISC */
/*
 * lexer.h - split a GraphQL document into tokens with their locations
 * (GraphQL, October 2021, sections 2.1 and 2.9). Allocates nothing. For
 * this folder only.
 */
#ifndef POSTERN_GRAPHQL_LEXER_H
#define POSTERN_GRAPHQL_LEXER_H

#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "graphql/cursor.h"
#include "graphql/tree.h"

/* The value of a punctuator is its character. */
enum graphql_token_kind {
    GRAPHQL_END, /* of the document */
    GRAPHQL_ERROR,
    GRAPHQL_NAME,
    GRAPHQL_INT,
    GRAPHQL_FLOAT,
    GRAPHQL_STRING,
    GRAPHQL_BLOCK_STRING,
    GRAPHQL_SPREAD,
    GRAPHQL_BANG = '!',
    GRAPHQL_DOLLAR = '$',
    GRAPHQL_AMPERSAND = '&',
    GRAPHQL_PAREN_OPEN = '(',
    GRAPHQL_PAREN_CLOSE = ')',
    GRAPHQL_COLON = ':',
    GRAPHQL_EQUALS = '=',
    GRAPHQL_QUESTION = '?', /* only in experimental grammars */
    GRAPHQL_AT = '@',
    GRAPHQL_BRACKET_OPEN = '[',
    GRAPHQL_BRACKET_CLOSE = ']',
    GRAPHQL_BRACE_OPEN = '{',
    GRAPHQL_PIPE = '|',
    GRAPHQL_BRACE_CLOSE = '}',
};

struct graphql_lexer {
    /* The current token. */
    enum graphql_token_kind kind;
    bool is_encoded;      /* of a string: its value may differ from token */
    struct pst_str token; /* as spelled; strings without their quotes */
    struct pst_graphql_location location;
    uint32_t tokens; /* number of tokens read */
    struct graphql_cursor cursor;
};

/*
 * Begin to read a text of at most PST_GRAPHQL_BYTES_MAX bytes.
 *   error  set when graphql_lexer_next() fails
 */
void graphql_lexer_init(struct graphql_lexer *lexer, struct pst_str text,
                        struct pst_graphql_error *error);

/*
 * Read the next token. At the end of the document every call reads GRAPHQL_END.
 * Returns PST_OK; or PST_MALFORMED or PST_TOO_LARGE, and the token is then
 * GRAPHQL_ERROR.
 */
enum pst_err graphql_lexer_next(struct graphql_lexer *lexer);

/* The whole token, including quotes. */
struct pst_str graphql_lexer_spelling(const struct graphql_lexer *lexer);

/* Describe the token in ASCII for a message, such as: the name "x". */
void graphql_lexer_describe(const struct graphql_lexer *lexer, char *out,
                            size_t size);

/*
 * Decode the value of a GRAPHQL_STRING or GRAPHQL_BLOCK_STRING token.
 *   out  has room for lexer->token.len bytes
 * Returns the length of the value, at most lexer->token.len.
 */
size_t graphql_lexer_value(const struct graphql_lexer *lexer, char *out);

#endif
