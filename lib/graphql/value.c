/* SPDX-License-Identifier: ISC */
/*
 * value.c - parse values, arguments and directives.
 *
 * Refused here beyond the grammar: arguments and input fields that stand twice
 * (one reader takes the first, another the last); block strings in lists
 * (readers from before block strings see three strings).
 */
#include "graphql/value.h"

#define STACK_NAMES 8 /* sorted on the stack */
#define DESCRIPTION_SIZE 80

/* The levels are left as they are: none is open. */
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
        "the %s \"%.*s\" stands twice: leave one of them out", what,
        graphql_shown_len(duplicate->name), duplicate->name.ptr);
    return false;
}

/* Each of these arguments or input fields must stand once. */
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

/* What has no name, and stands deeper than a default value, is in a list. */
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
            parser, "a block string must not stand in a list: "
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
            parser, "a variable must not stand in a default "
                    "value or a directive of a variable: write "
                    "the value itself");
    value->kind = PST_GRAPHQL_VARIABLE;
    graphql_parser_advance(parser);
    return graphql_expect_name(parser, &value->text,
                               "the variable's name after \"$\"");
}

/* Open a list or an input object. */
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

/* A value, or the beginning of a list or an input object. */
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

/* Take the bracket that closes the innermost container, if it is next. */
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

/* The next value of the innermost container; NULL: failed. */
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

/* Without recursion: what is open stands in parser->levels. */
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
