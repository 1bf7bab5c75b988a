/* SPDX-License-Identifier: ISC */
/*
 * selection.c - parse fields, spreads and inline fragments.
 *
 * Refused because parsers differ: empty selection sets, arguments on spreads,
 * "!" and "?" on fields.
 */
#include "graphql/selection.h"

static bool
parse_field(struct graphql_parser *parser, struct pst_graphql_selection *field)
{
    field->kind = PST_GRAPHQL_FIELD;
    field->name = parser->lexer.token;
    graphql_parser_advance(parser);
    if (parser->lexer.kind == GRAPHQL_COLON) {
        field->alias = field->name;
        graphql_parser_advance(parser);
        if (!graphql_expect_name(parser, &field->name,
                                 "the field's name after its alias"))
            return false;
    }
    if (!graphql_parse_arguments(parser, false, &field->arguments))
        return false;
    if (parser->lexer.kind == GRAPHQL_BANG ||
        parser->lexer.kind == GRAPHQL_QUESTION)
        return graphql_refuse_message(parser,
                                      "\"!\" and \"?\" on a field are not "
                                      "supported: remove it");
    return graphql_parse_directives(parser, false, &field->directives);
}

/* Record a spread. It is resolved when all fragments are parsed. */
static bool
parser_add_spread(struct graphql_parser *parser,
                  struct pst_graphql_selection *selection)
{
    struct graphql_spread *spread =
        graphql_parser_alloc(parser, sizeof(*spread));

    if (!spread)
        return false;
    spread->selection = selection;
    spread->depth = parser->depth;
    *parser->spread_tail = spread;
    parser->spread_tail = &spread->next;
    return true;
}

/* Parse a spread or an inline fragment: both begin with "...". */
static bool
parse_spread(struct graphql_parser *parser,
             struct pst_graphql_selection *selection)
{
    bool is_bare;

    graphql_parser_advance(parser);
    selection->kind = PST_GRAPHQL_INLINE;
    if (graphql_is_keyword(parser, PST_STR("on"))) {
        graphql_parser_advance(parser);
        if (!graphql_expect_name(parser, &selection->type,
                                 "a type's name after \"on\""))
            return false;
    } else if (parser->lexer.kind == GRAPHQL_NAME) {
        selection->kind = PST_GRAPHQL_SPREAD;
        selection->name = parser->lexer.token;
        graphql_parser_advance(parser);
        if (parser->lexer.kind == GRAPHQL_PAREN_OPEN)
            return graphql_refuse_message(
                parser, "arguments on a fragment spread are not supported: use "
                        "a variable of the operation");
        if (!parser_add_spread(parser, selection))
            return false;
    }
    if (!graphql_parse_directives(parser, false, &selection->directives))
        return false;
    is_bare = pst_str_is_absent(selection->type) && !selection->directives;
    if (selection->kind == PST_GRAPHQL_INLINE &&
        parser->lexer.kind != GRAPHQL_BRACE_OPEN)
        return graphql_refuse_token(
            parser, is_bare ? "\"on\", a fragment's name, or \"{\"" : "\"{\"");
    return true;
}

/* Open a selection set: the token must be "{". */
static bool
open_selection_set(struct graphql_parser *parser,
                   const struct pst_graphql_selection **first)
{
    if (parser->lexer.kind != GRAPHQL_BRACE_OPEN)
        return graphql_refuse_token(parser, "\"{\"");
    if (!graphql_push_level(parser))
        return false;
    parser->levels[parser->depth - 1].selection_tail = first;
    graphql_parser_advance(parser);
    if (parser->lexer.kind == GRAPHQL_BRACE_CLOSE)
        return graphql_refuse_message(parser,
                                      "a selection set must not be empty: "
                                      "select a field, or leave the braces "
                                      "out");
    return true;
}

/* Parse one selection, without the selection set that may follow it. Returns
 * NULL on failure. */
static struct pst_graphql_selection *
parse_selection(struct graphql_parser *parser)
{
    union graphql_level *level = &parser->levels[parser->depth - 1];
    struct pst_graphql_selection *selection;
    bool is_parsed;

    if (parser->lexer.kind != GRAPHQL_NAME &&
        parser->lexer.kind != GRAPHQL_SPREAD) {
        (void)graphql_refuse_token(parser, "a field, \"...\" or \"}\"");
        return NULL;
    }
    selection = graphql_parser_alloc(parser, sizeof(*selection));
    if (!selection)
        return NULL;
    selection->location = parser->lexer.location;
    is_parsed = parser->lexer.kind == GRAPHQL_NAME
                    ? parse_field(parser, selection)
                    : parse_spread(parser, selection);
    if (!is_parsed)
        return NULL;
    *level->selection_tail = selection;
    level->selection_tail = &selection->next;
    return selection;
}

/* Not recursive: parser->levels holds the open selection sets. */
bool
graphql_parse_selection_set(struct graphql_parser *parser,
                            const struct pst_graphql_selection **first)
{
    if (!open_selection_set(parser, first))
        return false;
    while (parser->depth > 0) {
        struct pst_graphql_selection *selection;

        if (parser->lexer.kind == GRAPHQL_BRACE_CLOSE) {
            parser->depth--;
            graphql_parser_advance(parser);
            continue;
        }
        selection = parse_selection(parser);
        if (!selection)
            return false;
        if (parser->lexer.kind == GRAPHQL_BRACE_OPEN &&
            selection->kind != PST_GRAPHQL_SPREAD &&
            !open_selection_set(parser, &selection->selections))
            return false;
    }
    return true;
}
