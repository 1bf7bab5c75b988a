/* SPDX-License-Identifier: ISC */
/*
 * value.c - parse values, arguments and directives.
 *
 * Refused here beyond the grammar: arguments and input fields that stand twice
 * (one reader takes the first, another the last); block strings in lists
 * (readers from before block strings see three strings).
 */
#include "graphql/value.h"

#define FEW_NAMES 8 /* sorted on the stack */
#define FOUND_SIZE 80

/* The levels are left as they are: none is open. */
enum pst_err
graphql_parser_init(struct graphql_parser *parser, struct pst_arena *arena,
                    struct pst_text text, struct pst_graphql_error *error)
{
    const enum pst_err e = slabs_new(arena, &parser->slabs);

    if (e)
        return e;
    graphql_lexer_init(&parser->lexer, text, error);
    parser->result = PST_OK;
    parser->depth = 0;
    parser->deepest = 0;
    parser->spread_tail = NULL;
    parser->descriptions = NULL;
    parser->description_tail = &parser->descriptions;
    graphql_advance(parser);
    return PST_OK;
}

void
graphql_advance(struct graphql_parser *parser)
{
    const enum pst_err e = graphql_lexer_next(&parser->lexer);

    if (e)
        parser->result = e;
}

bool
graphql_refuse(struct graphql_parser *parser, const char *expected)
{
    char found[FOUND_SIZE];

    if (parser->result)
        return false;
    graphql_lexer_describe(&parser->lexer, found, sizeof(found));
    parser->result =
        graphql_error_set(parser->lexer.cursor.error, parser->lexer.place,
                          "found %s, expected %s", found, expected);
    return false;
}

bool
graphql_refuse_with(struct graphql_parser *parser, const char *message)
{
    if (!parser->result)
        parser->result = graphql_error_set(parser->lexer.cursor.error,
                                           parser->lexer.place, "%s", message);
    return false;
}

bool
graphql_expect(struct graphql_parser *parser, enum graphql_kind kind,
               const char *expected)
{
    if (parser->lexer.kind != kind)
        return graphql_refuse(parser, expected);
    graphql_advance(parser);
    return true;
}

bool
graphql_expect_name(struct graphql_parser *parser, struct pst_text *out,
                    const char *expected)
{
    *out = parser->lexer.token;
    return graphql_expect(parser, GRAPHQL_NAME, expected);
}

bool
graphql_is_keyword(const struct graphql_parser *parser, struct pst_text keyword)
{
    return parser->lexer.kind == GRAPHQL_NAME &&
           pst_text_equal(parser->lexer.token, keyword);
}

bool
graphql_push(struct graphql_parser *parser)
{
    if (parser->depth == PST_GRAPHQL_DEPTH) {
        (void)graphql_error_set(parser->lexer.cursor.error, parser->lexer.place,
                                "the document is nested deeper than %d levels",
                                PST_GRAPHQL_DEPTH);
        parser->result = PST_TOO_LARGE;
        return false;
    }
    parser->depth++;
    if (parser->depth > parser->deepest)
        parser->deepest = parser->depth;
    return true;
}

void *
graphql_alloc(struct graphql_parser *parser, size_t size)
{
    void *object = slabs_alloc(parser->slabs, size);

    if (!object && !parser->result)
        parser->result = PST_NO_MEMORY;
    return object;
}

bool
graphql_unique(struct graphql_parser *parser, struct graphql_named *names,
               size_t count, const char *what)
{
    const struct graphql_named *twice = graphql_named_sort(names, count);

    if (!twice)
        return true;
    parser->result = graphql_error_set(
        parser->lexer.cursor.error,
        graphql_place_of(&parser->lexer.cursor, twice->name.ptr),
        "the %s \"%.*s\" stands twice: leave one of them out", what,
        graphql_shown_len(twice->name), twice->name.ptr);
    return false;
}

/* Each of these arguments or input fields must stand once. */
static bool
check_unique(struct graphql_parser *parser,
             const struct pst_graphql_value *first, const char *what)
{
    struct graphql_named few[FEW_NAMES];
    struct graphql_named *names = few;
    size_t count = 0;

    if (!first || !first->next)
        return true;
    for (const struct pst_graphql_value *v = first; v; v = v->next)
        count++;
    if (count > FEW_NAMES)
        names = graphql_alloc(parser, count * sizeof(*names));
    if (!names)
        return false;
    count = 0;
    for (const struct pst_graphql_value *v = first; v; v = v->next)
        names[count++] = (struct graphql_named){v->name, NULL};
    return graphql_unique(parser, names, count, what);
}

/* What has no name, and stands deeper than a default value, is in a list. */
static bool
is_list_item(const struct graphql_parser *parser,
             const struct pst_graphql_value *value)
{
    return parser->depth > 0 && pst_text_is_absent(value->name);
}

static bool
parse_string(struct graphql_parser *parser, struct pst_graphql_value *value)
{
    char *decoded;

    value->kind = PST_GRAPHQL_STRING;
    if (parser->lexer.kind == GRAPHQL_BLOCK && is_list_item(parser, value))
        return graphql_refuse_with(parser,
                                   "a block string must not stand in a list: "
                                   "write it as an ordinary string");
    value->text = parser->lexer.token;
    if (parser->lexer.is_encoded) {
        decoded = graphql_alloc(parser, value->text.len);
        if (!decoded)
            return false;
        value->text.len = graphql_lexer_value(&parser->lexer, decoded);
        value->text.ptr = decoded;
    }
    graphql_advance(parser);
    return true;
}

static bool
parse_named_value(struct graphql_parser *parser,
                  struct pst_graphql_value *value)
{
    value->kind = PST_GRAPHQL_ENUM;
    if (graphql_is_keyword(parser, PST_TEXT("true")))
        value->kind = PST_GRAPHQL_TRUE;
    else if (graphql_is_keyword(parser, PST_TEXT("false")))
        value->kind = PST_GRAPHQL_FALSE;
    else if (graphql_is_keyword(parser, PST_TEXT("null")))
        value->kind = PST_GRAPHQL_NULL;
    else
        value->text = parser->lexer.token;
    graphql_advance(parser);
    return true;
}

static bool
parse_variable(struct graphql_parser *parser, struct pst_graphql_value *value,
               bool is_const)
{
    if (is_const)
        return graphql_refuse_with(parser,
                                   "a variable must not stand in a default "
                                   "value or a directive of a variable: write "
                                   "the value itself");
    value->kind = PST_GRAPHQL_VARIABLE;
    graphql_advance(parser);
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
    if (!graphql_push(parser))
        return false;
    level = &parser->levels[parser->depth - 1];
    level->value.container = value;
    level->value.tail = &value->items;
    graphql_advance(parser);
    return true;
}

static bool
refuse_value(struct graphql_parser *parser,
             const struct pst_graphql_value *value)
{
    return graphql_refuse(
        parser, is_list_item(parser, value) ? "a value or \"]\"" : "a value");
}

/* A value, or the beginning of a list or an input object. */
static bool
begin_value(struct graphql_parser *parser, struct pst_graphql_value *value,
            bool is_const)
{
    switch (parser->lexer.kind) {
    case GRAPHQL_DOLLAR:
        return parse_variable(parser, value, is_const);
    case GRAPHQL_INT:
    case GRAPHQL_FLOAT:
        value->kind = parser->lexer.kind == GRAPHQL_INT ? PST_GRAPHQL_INT
                                                        : PST_GRAPHQL_FLOAT;
        value->text = parser->lexer.token;
        graphql_advance(parser);
        return true;
    case GRAPHQL_STRING:
    case GRAPHQL_BLOCK:
        return parse_string(parser, value);
    case GRAPHQL_NAME:
        return parse_named_value(parser, value);
    case GRAPHQL_BRACKET_OPEN:
    case GRAPHQL_BRACE_OPEN:
        return open_container(parser, value);
    default:
        return refuse_value(parser, value);
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
    graphql_advance(parser);
    return is_list || check_unique(parser, container->items, "input field");
}

/* The next value of the innermost container; NULL: failed. */
static struct pst_graphql_value *
begin_item(struct graphql_parser *parser)
{
    union graphql_level *level = &parser->levels[parser->depth - 1];
    struct pst_graphql_value *item;

    item = graphql_alloc(parser, sizeof(*item));
    if (!item)
        return NULL;
    if (level->value.container->kind == PST_GRAPHQL_OBJECT &&
        (!graphql_expect_name(parser, &item->name,
                              "an input field's name or \"}\"") ||
         !graphql_expect(parser, GRAPHQL_COLON,
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

        if (!begin_value(parser, value, is_const))
            return false;
        while (parser->depth > base && is_closed)
            if (!close_container(parser, &is_closed))
                return false;
        if (parser->depth == base)
            return true;
        value = begin_item(parser);
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
    graphql_advance(parser);
    if (parser->lexer.kind == GRAPHQL_PAREN_CLOSE)
        return graphql_refuse_with(parser, "an argument list must not be "
                                           "empty: leave the parentheses out");
    do {
        struct pst_graphql_value *argument =
            graphql_alloc(parser, sizeof(*argument));

        if (!argument ||
            !graphql_expect_name(parser, &argument->name,
                                 "an argument's name or \")\"") ||
            !graphql_expect(parser, GRAPHQL_COLON,
                            "\":\" after the argument's name") ||
            !graphql_parse_value(parser, argument, is_const))
            return false;
        *tail = argument;
        tail = &argument->next;
    } while (parser->lexer.kind != GRAPHQL_PAREN_CLOSE);
    graphql_advance(parser);
    return check_unique(parser, *out, "argument");
}

bool
graphql_parse_directives(struct graphql_parser *parser, bool is_const,
                         const struct pst_graphql_directive **out)
{
    const struct pst_graphql_directive **tail = out;

    while (parser->lexer.kind == GRAPHQL_AT) {
        struct pst_graphql_directive *directive =
            graphql_alloc(parser, sizeof(*directive));

        if (!directive)
            return false;
        graphql_advance(parser);
        if (!graphql_expect_name(parser, &directive->name,
                                 "the directive's name after \"@\"") ||
            !graphql_parse_arguments(parser, is_const, &directive->arguments))
            return false;
        *tail = directive;
        tail = &directive->next;
    }
    return true;
}
