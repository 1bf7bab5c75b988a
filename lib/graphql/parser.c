/* SPDX-License-Identifier: ISC */
/*
 * parser.c - parse operations, fragments and whole documents.
 *
 * Refused beyond the grammar of October 2021, because parsers differ (design
 * 2.5): variables on fragments; type definitions; two operations or fragments
 * of one name; an anonymous operation beside others; unknown fragments, and
 * fragments that spread themselves. Descriptions are accepted and dropped.
 * The rest of the list is in graphql/lexer.c, graphql/literal.c,
 * graphql/value.c, graphql/selection.c and graphql/variable.c.
 */
#include "graphql/parser.h"

#include <string.h>

#include "graphql/lexer.h"
#include "graphql/selection.h"
#include "graphql/validate.h"
#include "graphql/value.h"
#include "graphql/variable.h"

/* An operation, and the spreads in it. */
struct operation {
    struct pst_graphql_operation tree;
    struct graphql_spread *spreads;
};

struct document {
    struct pst_graphql_document tree;
    const struct pst_graphql_operation **operation_tail;
    const struct pst_graphql_fragment **fragment_tail;
    struct graphql_fragment *first_fragment;
    struct graphql_fragment **next_fragment;
};

/* Definitions. */

static bool
parse_operation(struct graphql_parser *parser, struct document *document,
                enum pst_graphql_operation_kind kind)
{
    struct operation *operation =
        graphql_parser_alloc(parser, sizeof(*operation));

    if (!operation)
        return false;
    operation->tree.kind = kind;
    operation->tree.location = parser->lexer.location;
    parser->spread_tail = &operation->spreads;
    if (parser->lexer.kind == GRAPHQL_NAME) {
        graphql_parser_advance(parser);
        if (parser->lexer.kind == GRAPHQL_NAME) {
            operation->tree.name = parser->lexer.token;
            graphql_parser_advance(parser);
        }
        if (!graphql_parse_variables(parser, &operation->tree.variables) ||
            !graphql_parse_directives(parser, false,
                                      &operation->tree.directives))
            return false;
    }
    if (!graphql_parse_selection_set(parser, &operation->tree.selections))
        return false;
    *document->operation_tail = &operation->tree;
    document->operation_tail = &operation->tree.next;
    document->tree.operation_count++;
    return true;
}

/* Parse "fragment", a name other than "on", "on" and a type. */
static bool
parse_fragment_head(struct graphql_parser *parser,
                    struct pst_graphql_fragment *fragment)
{
    fragment->location = parser->lexer.location;
    graphql_parser_advance(parser);
    if (graphql_is_keyword(parser, PST_STR("on")))
        return graphql_refuse_token(parser,
                                    "a fragment's name, which is not \"on\"");
    if (!graphql_expect_name(parser, &fragment->name, "the fragment's name"))
        return false;
    if (parser->lexer.kind == GRAPHQL_PAREN_OPEN)
        return graphql_refuse_message(
            parser, "variables on a fragment are not supported: "
                    "declare them on the operation");
    if (!graphql_is_keyword(parser, PST_STR("on")))
        return graphql_refuse_token(parser, "\"on\"");
    graphql_parser_advance(parser);
    return graphql_expect_name(parser, &fragment->type,
                               "a type's name after \"on\"");
}

static bool
parse_fragment(struct graphql_parser *parser, struct document *document)
{
    struct graphql_fragment *fragment =
        graphql_parser_alloc(parser, sizeof(*fragment));

    if (!fragment)
        return false;
    parser->spread_tail = &fragment->spreads;
    parser->max_depth = 0;
    if (!parse_fragment_head(parser, &fragment->tree) ||
        !graphql_parse_directives(parser, false, &fragment->tree.directives) ||
        !graphql_parse_selection_set(parser, &fragment->tree.selections))
        return false;
    fragment->height = parser->max_depth;
    *document->fragment_tail = &fragment->tree;
    document->fragment_tail = &fragment->tree.next;
    *document->next_fragment = fragment;
    document->next_fragment = &fragment->next;
    document->tree.fragment_count++;
    return true;
}

static const struct {
    struct pst_str keyword;
    enum pst_graphql_operation_kind kind;
} operation_keywords[] = {
    {{"query", 5}, PST_GRAPHQL_QUERY},
    {{"mutation", 8}, PST_GRAPHQL_MUTATION},
    {{"subscription", 12}, PST_GRAPHQL_SUBSCRIPTION},
};

static const struct pst_str type_keywords[] = {
    {"schema", 6},    {"scalar", 6},    {"type", 4},
    {"interface", 9}, {"union", 5},     {"enum", 4},
    {"input", 5},     {"directive", 9}, {"extend", 6},
};

static bool
parse_definition(struct graphql_parser *parser, struct document *document)
{
    const char *start = parser->lexer.token.ptr;

    if (!graphql_skip_description(parser))
        return false;
    if (parser->lexer.kind == GRAPHQL_BRACE_OPEN) {
        if (parser->lexer.token.ptr != start)
            return graphql_refuse_message(
                parser, "an operation with a description needs "
                        "its keyword: write query before \"{\"");
        return parse_operation(parser, document, PST_GRAPHQL_QUERY);
    }
    for (size_t i = 0; i < PST_COUNT(operation_keywords); i++)
        if (graphql_is_keyword(parser, operation_keywords[i].keyword))
            return parse_operation(parser, document,
                                   operation_keywords[i].kind);
    if (graphql_is_keyword(parser, PST_STR("fragment")))
        return parse_fragment(parser, document);
    for (size_t i = 0; i < PST_COUNT(type_keywords); i++)
        if (graphql_is_keyword(parser, type_keywords[i]))
            return graphql_refuse_message(
                parser, "type definitions are not allowed in an "
                        "executable document: remove them");
    return graphql_refuse_token(parser,
                                "query, mutation, subscription, fragment or "
                                "\"{\"");
}

/* The whole document. */

/* If there are several operations, each must have a name of its own. */
static bool
check_operation_names(struct graphql_parser *parser,
                      const struct pst_graphql_document *document)
{
    const size_t count = document->operation_count;
    struct graphql_name *names;
    size_t i = 0;

    if (count == 0)
        return graphql_refuse_token(parser,
                                    "an operation beside the fragments");
    if (count == 1)
        return true;
    names = graphql_parser_alloc(parser, count * sizeof(*names));
    if (!names)
        return false;
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next) {
        if (pst_str_is_absent(o->name)) {
            parser->result = graphql_error_set(
                parser->lexer.cursor.error, o->location,
                "an operation without a name must be the only one: give it a "
                "name");
            return false;
        }
        names[i++] = (struct graphql_name){o->name, NULL};
    }
    return graphql_check_unique(parser, names, count, "operation");
}

/* Set parser->result. */
static bool
parser_set_result(struct graphql_parser *parser, enum pst_err e)
{
    parser->result = e;
    return e == PST_OK;
}

/* Resolve the spreads of all definitions, and check cycles and depth. */
static bool
resolve_document_spreads(struct graphql_parser *parser,
                         const struct graphql_name *fragments,
                         const struct pst_graphql_document *document)
{
    const size_t count = document->fragment_count;
    struct pst_graphql_error *error = parser->lexer.cursor.error;
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < count && !e; i++) {
        e = graphql_spreads_resolve(fragments[i].fragment->spreads, fragments,
                                    count, error);
    }
    for (size_t i = 0; i < count && !e; i++)
        e = graphql_fragment_check_cycles(fragments[i].fragment, error);
    for (const struct pst_graphql_operation *o = document->operations; o && !e;
         o = o->next) {
        const struct operation *operation = (const struct operation *)o;

        e = graphql_spreads_resolve(operation->spreads, fragments, count,
                                    error);
        if (!e)
            e = graphql_spreads_check_depth(operation->spreads, error);
    }
    return parser_set_result(parser, e);
}

static bool
check_fragment_names(struct graphql_parser *parser, struct document *document)
{
    const size_t count = document->tree.fragment_count;
    struct graphql_name *names =
        graphql_parser_alloc(parser, count * sizeof(*names));
    size_t i = 0;

    if (!names)
        return false;
    for (struct graphql_fragment *f = document->first_fragment; f; f = f->next)
        names[i++] = (struct graphql_name){f->tree.name, f};
    return graphql_check_unique(parser, names, count, "fragment") &&
           resolve_document_spreads(parser, names, &document->tree);
}

/* Write one space for each character of a description; keep its line ends. */
static size_t
blank_description(struct pst_str description, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < description.len; i++) {
        const char c = description.ptr[i];

        if (((uint8_t)c & 0xC0) != 0x80)
            out[len++] = c;
        if (((uint8_t)c & 0xC0) != 0x80 && c != '\n' && c != '\r')
            out[len - 1] = ' ';
    }
    return len;
}

/* Set the text to forward: descriptions are replaced by spaces. */
static bool
write_document_text(struct graphql_parser *parser, struct document *document)
{
    const char *at = parser->lexer.cursor.start;
    const size_t size = (size_t)(parser->lexer.cursor.end - at);
    char *copy;
    size_t len = 0;

    document->tree.text = (struct pst_str){at, size};
    if (!parser->descriptions)
        return true;
    copy = graphql_parser_alloc(parser, size);
    if (!copy)
        return false;
    for (const struct graphql_description *d = parser->descriptions; d;
         d = d->next) {
        const size_t before = (size_t)(d->spelling.ptr - at);

        memcpy(copy + len, at, before);
        len += before;
        len += blank_description(d->spelling, copy + len);
        at = d->spelling.ptr + d->spelling.len;
    }
    memcpy(copy + len, at, (size_t)(parser->lexer.cursor.end - at));
    len += (size_t)(parser->lexer.cursor.end - at);
    document->tree.text = (struct pst_str){copy, len};
    return true;
}

static bool
parse_document_definitions(struct graphql_parser *parser,
                           struct document *document)
{
    document->operation_tail = &document->tree.operations;
    document->fragment_tail = &document->tree.fragments;
    document->next_fragment = &document->first_fragment;
    do {
        if (!parse_definition(parser, document))
            return false;
    } while (parser->lexer.kind != GRAPHQL_END);
    return check_operation_names(parser, &document->tree) &&
           check_fragment_names(parser, document) &&
           write_document_text(parser, document);
}

enum pst_err
pst_graphql_parse(struct pst_arena *arena, struct pst_str text,
                  const struct pst_graphql_document **out,
                  struct pst_graphql_error *error)
{
    struct graphql_parser parser;
    struct document *document;
    enum pst_err e;

    if (text.len > PST_GRAPHQL_BYTES_MAX) {
        (void)graphql_error_set(error, (struct pst_graphql_location){1, 1},
                                "the document has more than %d bytes",
                                PST_GRAPHQL_BYTES_MAX);
        return PST_TOO_LARGE;
    }
    e = graphql_parser_init(&parser, arena, text, error);
    if (e)
        return e;
    document = graphql_parser_alloc(&parser, sizeof(*document));
    if (document && parse_document_definitions(&parser, document))
        *out = &document->tree;
    return parser.result;
}

const struct pst_graphql_operation *
pst_graphql_operation_find(const struct pst_graphql_document *document,
                           struct pst_str name)
{
    if (name.len == 0)
        return document->operation_count == 1 ? document->operations : NULL;
    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next)
        if (pst_str_equal(o->name, name))
            return o;
    return NULL;
}

struct pst_str
pst_graphql_response_key(const struct pst_graphql_selection *field)
{
    return pst_str_is_absent(field->alias) ? field->name : field->alias;
}
