/* SPDX-License-Identifier: ISC */
/*
 * variable.c - parse variable definitions, types and descriptions.
 *
 * Refused beyond the grammar: two variables of one name.
 */
#include "graphql/variable.h"

bool
graphql_skip_description(struct graphql_parser *parser)
{
    struct graphql_description *description;

    if (parser->lexer.kind != GRAPHQL_STRING &&
        parser->lexer.kind != GRAPHQL_BLOCK_STRING)
        return true;
    description = graphql_parser_alloc(parser, sizeof(*description));
    if (!description)
        return false;
    description->spelling = graphql_lexer_spelling(&parser->lexer);
    *parser->description_tail = description;
    parser->description_tail = &description->next;
    graphql_parser_advance(parser);
    return true;
}

/*
 * Parse a type, such as [ID!]! (section 2.11).
 *   type         set to the type as spelled
 *   is_required  set to whether it ends in "!"
 */
static bool
parse_variable_type(struct graphql_parser *parser, struct pst_str *type,
                    bool *is_required)
{
    const char *start = parser->lexer.token.ptr;
    const unsigned base = parser->depth;
    const char *end;

    while (parser->lexer.kind == GRAPHQL_BRACKET_OPEN) {
        if (!graphql_push_level(parser))
            return false;
        graphql_parser_advance(parser);
    }
    end = parser->lexer.token.ptr + parser->lexer.token.len;
    if (!graphql_expect_token(parser, GRAPHQL_NAME, "a type"))
        return false;
    for (;;) {
        *is_required = parser->lexer.kind == GRAPHQL_BANG;
        if (*is_required) {
            end = parser->lexer.token.ptr + 1;
            graphql_parser_advance(parser);
        }
        if (parser->depth == base)
            break;
        parser->depth--;
        end = parser->lexer.token.ptr;
        if (!graphql_expect_token(parser, GRAPHQL_BRACKET_CLOSE, "\"]\""))
            return false;
        end++;
    }
    *type = (struct pst_str){start, (size_t)(end - start)};
    return true;
}

static bool
parse_variable_definition(struct graphql_parser *parser,
                          struct pst_graphql_variable *variable)
{
    struct pst_graphql_value *value;

    if (!graphql_expect_token(parser, GRAPHQL_DOLLAR, "a variable or \")\"") ||
        !graphql_expect_name(parser, &variable->name,
                             "the variable's name after \"$\"") ||
        !graphql_expect_token(parser, GRAPHQL_COLON,
                              "\":\" and a type after the variable's name") ||
        !parse_variable_type(parser, &variable->type, &variable->is_required))
        return false;
    if (parser->lexer.kind == GRAPHQL_EQUALS) {
        graphql_parser_advance(parser);
        value = graphql_parser_alloc(parser, sizeof(*value));
        if (!value || !graphql_parse_value(parser, value, true))
            return false;
        variable->value = value;
    }
    return graphql_parse_directives(parser, true, &variable->directives);
}

static bool
check_variable_names(struct graphql_parser *parser,
                     const struct pst_graphql_variable *first, size_t count)
{
    struct graphql_name *names;

    if (count < 2)
        return true;
    names = graphql_parser_alloc(parser, count * sizeof(*names));
    if (!names)
        return false;
    count = 0;
    for (const struct pst_graphql_variable *v = first; v; v = v->next)
        names[count++] = (struct graphql_name){v->name, NULL};
    return graphql_check_unique(parser, names, count, "variable");
}

bool
graphql_parse_variables(struct graphql_parser *parser,
                        const struct pst_graphql_variable **first)
{
    const struct pst_graphql_variable **tail = first;
    size_t count = 0;

    if (parser->lexer.kind != GRAPHQL_PAREN_OPEN)
        return true;
    graphql_parser_advance(parser);
    if (parser->lexer.kind == GRAPHQL_PAREN_CLOSE)
        return graphql_refuse_message(parser,
                                      "a list of variables must not be "
                                      "empty: leave the parentheses out");
    do {
        struct pst_graphql_variable *variable =
            graphql_parser_alloc(parser, sizeof(*variable));

        if (!variable || !graphql_skip_description(parser) ||
            !parse_variable_definition(parser, variable))
            return false;
        *tail = variable;
        tail = &variable->next;
        count++;
    } while (parser->lexer.kind != GRAPHQL_PAREN_CLOSE);
    graphql_parser_advance(parser);
    return check_variable_names(parser, *first, count);
}
