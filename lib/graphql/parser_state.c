/* SPDX-License-Identifier: ISC */
/*
 * parser_state.c - the state that all parts of the GraphQL parser share: read
 * tokens, report errors, count levels, allocate.
 */
#include "graphql/parser_state.h"

#define DESCRIPTION_SIZE 80 /* bytes of a token in a message */

/* parser->levels is not initialized: no level is open. */
enum pst_err
graphql_parser_init(struct graphql_parser *parser, struct pst_arena *arena,
                    struct pst_str text, struct pst_graphql_error *error)
{
    const enum pst_err e = slabs_new(arena, &parser->slabs);

    if (e)
        return e;
    graphql_lexer_init(&parser->lexer, text, error);
    parser->result = PST_OK;
    parser->depth = 0;
    parser->max_depth = 0;
    parser->spread_tail = NULL;
    parser->descriptions = NULL;
    parser->description_tail = &parser->descriptions;
    graphql_parser_advance(parser);
    return PST_OK;
}

void
graphql_parser_advance(struct graphql_parser *parser)
{
    const enum pst_err e = graphql_lexer_next(&parser->lexer);

    if (e)
        parser->result = e;
}

bool
graphql_refuse_token(struct graphql_parser *parser, const char *expected)
{
    char found[DESCRIPTION_SIZE];

    if (parser->result)
        return false;
    graphql_lexer_describe(&parser->lexer, found, sizeof(found));
    parser->result =
        graphql_error_set(parser->lexer.cursor.error, parser->lexer.location,
                          "found %s, expected %s", found, expected);
    return false;
}

bool
graphql_refuse_message(struct graphql_parser *parser, const char *message)
{
    if (!parser->result)
        parser->result = graphql_error_set(
            parser->lexer.cursor.error, parser->lexer.location, "%s", message);
    return false;
}

bool
graphql_expect_token(struct graphql_parser *parser,
                     enum graphql_token_kind kind, const char *expected)
{
    if (parser->lexer.kind != kind)
        return graphql_refuse_token(parser, expected);
    graphql_parser_advance(parser);
    return true;
}

bool
graphql_expect_name(struct graphql_parser *parser, struct pst_str *out,
                    const char *expected)
{
    *out = parser->lexer.token;
    return graphql_expect_token(parser, GRAPHQL_NAME, expected);
}

bool
graphql_is_keyword(const struct graphql_parser *parser, struct pst_str keyword)
{
    return parser->lexer.kind == GRAPHQL_NAME &&
           pst_str_equal(parser->lexer.token, keyword);
}

bool
graphql_push_level(struct graphql_parser *parser)
{
    if (parser->depth == PST_GRAPHQL_DEPTH) {
        (void)graphql_error_set(
            parser->lexer.cursor.error, parser->lexer.location,
            "the document is nested deeper than %d levels", PST_GRAPHQL_DEPTH);
        parser->result = PST_TOO_LARGE;
        return false;
    }
    parser->depth++;
    if (parser->depth > parser->max_depth)
        parser->max_depth = parser->depth;
    return true;
}

void *
graphql_parser_alloc(struct graphql_parser *parser, size_t size)
{
    void *object = slabs_alloc(parser->slabs, size);

    if (!object && !parser->result)
        parser->result = PST_NO_MEMORY;
    return object;
}

bool
graphql_check_unique(struct graphql_parser *parser, struct graphql_name *names,
                     size_t count, const char *what)
{
    const struct graphql_name *duplicate = graphql_names_sort(names, count);

    if (!duplicate)
        return true;
    parser->result = graphql_error_set(
        parser->lexer.cursor.error,
        graphql_cursor_location_of(&parser->lexer.cursor, duplicate->name.ptr),
        "the %s \"%.*s\" occurs twice: remove one of them", what,
        graphql_shown_len(duplicate->name), duplicate->name.ptr);
    return false;
}
