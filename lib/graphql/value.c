/* SPDX-License-Identifier: ISC */
/*
 * value.c - parse values, arguments and directives.
 *
 * Refused beyond the grammar: two arguments or input fields of one name (one
 * parser takes the first, another the last); block strings in lists (parsers
 * from before block strings read three strings).
 */
#include "graphql/value.h"

#define STACK_NAMES 8 /* names that are sorted without allocating */

/* Arguments and input fields must have different names. */
static bool
check_unique_values(struct graphql_parser *parser,
                    const struct pst_graphql_value *first, const char *what)
{
    struct graphql_name stack_names[STACK_NAMES];
    struct graphql_name *names = stack_names;
    size_t count = 0;

    if (!first || !first->next)
        return true;
    for (const struct pst_graphql_value *v = first; v; v = v->next)
        count++;
    if (count > STACK_NAMES)
        names = graphql_parser_alloc(parser, count * sizeof(*names));
    if (!names)
        return false;
    count = 0;
    for (const struct pst_graphql_value *v = first; v; v = v->next)
        names[count++] = (struct graphql_name){v->name, NULL};
    return graphql_check_unique(parser, names, count, what);
}

/* A value without a name is a list item, or a default value: then no level is
 * open. */
static bool
is_list_item(const struct graphql_parser *parser,
             const struct pst_graphql_value *value)
{
    return parser->depth > 0 && pst_str_is_absent(value->name);
}

static bool
parse_string_value(struct graphql_parser *parser,
                   struct pst_graphql_value *value)
{
    char *decoded;

    value->kind = PST_GRAPHQL_STRING;
    if (parser->lexer.kind == GRAPHQL_BLOCK_STRING &&
        is_list_item(parser, value))
        return graphql_refuse_message(
            parser, "a block string is not allowed in a list: "
                    "write it as an ordinary string");
    value->text = parser->lexer.token;
    if (parser->lexer.is_encoded) {
        decoded = graphql_parser_alloc(parser, value->text.len);
        if (!decoded)
            return false;
        value->text.len = graphql_lexer_value(&parser->lexer, decoded);
        value->text.ptr = decoded;
    }
    graphql_parser_advance(parser);
    return true;
}

static bool
parse_name_value(struct graphql_parser *parser, struct pst_graphql_value *value)
{
    value->kind = PST_GRAPHQL_ENUM;
    if (graphql_is_keyword(parser, PST_STR("true")))
        value->kind = PST_GRAPHQL_TRUE;
    else if (graphql_is_keyword(parser, PST_STR("false")))
        value->kind = PST_GRAPHQL_FALSE;
    else if (graphql_is_keyword(parser, PST_STR("null")))
        value->kind = PST_GRAPHQL_NULL;
    else
        value->text = parser->lexer.token;
    graphql_parser_advance(parser);
    return true;
}

static bool
parse_variable_value(struct graphql_parser *parser,
                     struct pst_graphql_value *value, bool is_const)
{
    if (is_const)
        return graphql_refuse_message(
            parser, "a variable is not allowed in a default "
                    "value or a directive of a variable: write "
                    "the value itself");
    value->kind = PST_GRAPHQL_VARIABLE;
    graphql_parser_advance(parser);
    return graphql_expect_name(parser, &value->text,
                               "the variable's name after \"$\"");
}

/* Open the list or input object that begins at the token. */
static bool
open_container(struct graphql_parser *parser, struct pst_graphql_value *value)
{
    union graphql_level *level;

    value->kind = parser->lexer.kind == GRAPHQL_BRACKET_OPEN
                      ? PST_GRAPHQL_LIST
                      : PST_GRAPHQL_OBJECT;
    if (!graphql_push_level(parser))
        return false;
    level = &parser->levels[parser->depth - 1];
    level->value.container = value;
    level->value.tail = &value->items;
    graphql_parser_advance(parser);
    return true;
}

static bool
refuse_value_token(struct graphql_parser *parser,
                   const struct pst_graphql_value *value)
{
    return graphql_refuse_token(
        parser, is_list_item(parser, value) ? "a value or \"]\"" : "a value");
}

/* Parse a scalar value, or open a list or an input object. */
static bool
parse_value_start(struct graphql_parser *parser,
                  struct pst_graphql_value *value, bool is_const)
{
    switch (parser->lexer.kind) {
    case GRAPHQL_DOLLAR:
        return parse_variable_value(parser, value, is_const);
    case GRAPHQL_INT:
    case GRAPHQL_FLOAT:
        value->kind = parser->lexer.kind == GRAPHQL_INT ? PST_GRAPHQL_INT
                                                        : PST_GRAPHQL_FLOAT;
        value->text = parser->lexer.token;
        graphql_parser_advance(parser);
        return true;
    case GRAPHQL_STRING:
    case GRAPHQL_BLOCK_STRING:
        return parse_string_value(parser, value);
    case GRAPHQL_NAME:
        return parse_name_value(parser, value);
    case GRAPHQL_BRACKET_OPEN:
    case GRAPHQL_BRACE_OPEN:
        return open_container(parser, value);
    default:
        return refuse_value_token(parser, value);
    }
}

/* Close the innermost container, if its closing bracket is the token. */
static bool
close_container(struct graphql_parser *parser, bool *is_closed)
{
    const struct pst_graphql_value *container =
        parser->levels[parser->depth - 1].value.container;
    const bool is_list = container->kind == PST_GRAPHQL_LIST;

    *is_closed = parser->lexer.kind ==
                 (is_list ? GRAPHQL_BRACKET_CLOSE : GRAPHQL_BRACE_CLOSE);
    if (!*is_closed)
        return true;
    parser->depth--;
    graphql_parser_advance(parser);
    return is_list ||
           check_unique_values(parser, container->items, "input field");
}

/* Begin the next item of the innermost container: an input field's name and
 * colon, or nothing. Returns NULL on failure. */
static struct pst_graphql_value *
parse_item_start(struct graphql_parser *parser)
{
    union graphql_level *level = &parser->levels[parser->depth - 1];
    struct pst_graphql_value *item;

    item = graphql_parser_alloc(parser, sizeof(*item));
    if (!item)
        return NULL;
    if (level->value.container->kind == PST_GRAPHQL_OBJECT &&
        (!graphql_expect_name(parser, &item->name,
                              "an input field's name or \"}\"") ||
         !graphql_expect_token(parser, GRAPHQL_COLON,
                               "\":\" after the input field's name")))
        return NULL;
    *level->value.tail = item;
    level->value.tail = &item->next;
    return item;
}

/* Not recursive: parser->levels holds the open lists and objects. */
bool
graphql_parse_value(struct graphql_parser *parser,
                    struct pst_graphql_value *value, bool is_const)
{
    const unsigned base = parser->depth;

    for (;;) {
        bool is_closed = true;

        if (!parse_value_start(parser, value, is_const))
            return false;
        while (parser->depth > base && is_closed)
            if (!close_container(parser, &is_closed))
                return false;
        if (parser->depth == base)
            return true;
        value = parse_item_start(parser);
        if (!value)
            return false;
    }
}

bool
graphql_parse_arguments(struct graphql_parser *parser, bool is_const,
                        const struct pst_graphql_value **out)
{
    const struct pst_graphql_value **tail = out;

    if (parser->lexer.kind != GRAPHQL_PAREN_OPEN)
        return true;
    graphql_parser_advance(parser);
    if (parser->lexer.kind == GRAPHQL_PAREN_CLOSE)
        return graphql_refuse_message(parser,
                                      "an argument list must not be "
                                      "empty: leave the parentheses out");
    do {
        struct pst_graphql_value *argument =
            graphql_parser_alloc(parser, sizeof(*argument));

        if (!argument ||
            !graphql_expect_name(parser, &argument->name,
                                 "an argument's name or \")\"") ||
            !graphql_expect_token(parser, GRAPHQL_COLON,
                                  "\":\" after the argument's name") ||
            !graphql_parse_value(parser, argument, is_const))
            return false;
        *tail = argument;
        tail = &argument->next;
    } while (parser->lexer.kind != GRAPHQL_PAREN_CLOSE);
    graphql_parser_advance(parser);
    return check_unique_values(parser, *out, "argument");
}

bool
graphql_parse_directives(struct graphql_parser *parser, bool is_const,
                         const struct pst_graphql_directive **out)
{
    const struct pst_graphql_directive **tail = out;

    while (parser->lexer.kind == GRAPHQL_AT) {
        struct pst_graphql_directive *directive =
            graphql_parser_alloc(parser, sizeof(*directive));

        if (!directive)
            return false;
        graphql_parser_advance(parser);
        if (!graphql_expect_name(parser, &directive->name,
                                 "the directive's name after \"@\"") ||
            !graphql_parse_arguments(parser, is_const, &directive->arguments))
            return false;
        *tail = directive;
        tail = &directive->next;
    }
    return true;
}
