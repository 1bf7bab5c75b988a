/* SPDX-License-Identifier: ISC */
/*
 * print.c - print a GraphQL document with __typename added to every selection
 * set, and print values as JSON.
 */
#include "graphql/print.h"

#include "codec/json_emit.h"

static void print_graphql_value(struct pst_buf *buf,
                                const struct pst_graphql_value *value);

static void
print_graphql_container(struct pst_buf *buf,
                        const struct pst_graphql_value *value)
{
    bool is_object = value->kind == PST_GRAPHQL_OBJECT;

    pst_buf_add_char(buf, is_object ? '{' : '[');
    for (const struct pst_graphql_value *item = value->items; item;
         item = item->next) {
        if (is_object) {
            pst_buf_add(buf, item->name);
            pst_buf_add_char(buf, ':');
        }
        print_graphql_value(buf, item);
        if (item->next)
            pst_buf_add_char(buf, ',');
    }
    pst_buf_add_char(buf, is_object ? '}' : ']');
}

/* Print a value in GraphQL syntax. JSON's escapes are valid in GraphQL strings
 * (section 2.9.4). */
static void
print_graphql_value(struct pst_buf *buf, const struct pst_graphql_value *value)
{
    switch (value->kind) {
    case PST_GRAPHQL_VARIABLE:
        pst_buf_add_char(buf, '$');
        pst_buf_add(buf, value->text);
        return;
    case PST_GRAPHQL_INT:
    case PST_GRAPHQL_FLOAT:
    case PST_GRAPHQL_ENUM:
        pst_buf_add(buf, value->text);
        return;
    case PST_GRAPHQL_STRING:
        pst_json_emit_string(buf, value->text);
        return;
    case PST_GRAPHQL_TRUE:
        pst_buf_add_string(buf, "true");
        return;
    case PST_GRAPHQL_FALSE:
        pst_buf_add_string(buf, "false");
        return;
    case PST_GRAPHQL_NULL:
        pst_buf_add_string(buf, "null");
        return;
    case PST_GRAPHQL_LIST:
    case PST_GRAPHQL_OBJECT:
        print_graphql_container(buf, value);
        return;
    }
}

void
pst_graphql_print_json(struct pst_buf *buf,
                       const struct pst_graphql_value *value)
{
    bool is_object = value->kind == PST_GRAPHQL_OBJECT;

    PST_REQUIRE(value->kind != PST_GRAPHQL_VARIABLE);
    if (value->kind == PST_GRAPHQL_ENUM) {
        pst_json_emit_string(buf, value->text);
        return;
    }
    if (!is_object && value->kind != PST_GRAPHQL_LIST) {
        print_graphql_value(buf, value);
        return;
    }
    pst_buf_add_char(buf, is_object ? '{' : '[');
    for (const struct pst_graphql_value *item = value->items; item;
         item = item->next) {
        if (is_object) {
            pst_json_emit_string(buf, item->name);
            pst_buf_add_char(buf, ':');
        }
        pst_graphql_print_json(buf, item);
        if (item->next)
            pst_buf_add_char(buf, ',');
    }
    pst_buf_add_char(buf, is_object ? '}' : ']');
}

static void
print_graphql_arguments(struct pst_buf *buf,
                        const struct pst_graphql_value *arguments)
{
    if (!arguments)
        return;
    pst_buf_add_char(buf, '(');
    for (; arguments; arguments = arguments->next) {
        pst_buf_add(buf, arguments->name);
        pst_buf_add_char(buf, ':');
        print_graphql_value(buf, arguments);
        if (arguments->next)
            pst_buf_add_char(buf, ',');
    }
    pst_buf_add_char(buf, ')');
}

static void
print_graphql_directives(struct pst_buf *buf,
                         const struct pst_graphql_directive *directive)
{
    for (; directive; directive = directive->next) {
        pst_buf_add_string(buf, " @");
        pst_buf_add(buf, directive->name);
        print_graphql_arguments(buf, directive->arguments);
    }
}

static void
print_graphql_variables(struct pst_buf *buf,
                        const struct pst_graphql_variable *variable)
{
    if (!variable)
        return;
    pst_buf_add_char(buf, '(');
    for (; variable; variable = variable->next) {
        pst_buf_add_char(buf, '$');
        pst_buf_add(buf, variable->name);
        pst_buf_add_char(buf, ':');
        pst_buf_add(buf, variable->type);
        if (variable->value) {
            pst_buf_add_char(buf, '=');
            print_graphql_value(buf, variable->value);
        }
        print_graphql_directives(buf, variable->directives);
        if (variable->next)
            pst_buf_add_char(buf, ',');
    }
    pst_buf_add_char(buf, ')');
}

/*
 * Print a selection set that begins with __typename.
 *   type  the type condition it is under; absent: none
 */
static void
print_graphql_selections(struct pst_buf *buf, struct pst_str type,
                         const struct pst_graphql_selection *selection)
{
    pst_buf_add_string(buf, " {__typename");
    if (!pst_str_is_absent(type)) {
        pst_buf_add_string(buf, " " PST_GRAPHQL_TYPE_KEY_PREFIX);
        pst_buf_add(buf, type);
        pst_buf_add_string(buf, ":__typename");
    }
    for (; selection; selection = selection->next) {
        pst_buf_add_char(buf, ' ');
        if (selection->kind != PST_GRAPHQL_FIELD)
            pst_buf_add_string(buf, "...");
        if (!pst_str_is_absent(selection->alias)) {
            pst_buf_add(buf, selection->alias);
            pst_buf_add_char(buf, ':');
        }
        pst_buf_add(buf, selection->name);
        if (!pst_str_is_absent(selection->type)) {
            pst_buf_add_string(buf, "on ");
            pst_buf_add(buf, selection->type);
        }
        print_graphql_arguments(buf, selection->arguments);
        print_graphql_directives(buf, selection->directives);
        if (selection->selections)
            print_graphql_selections(buf, selection->type,
                                     selection->selections);
    }
    pst_buf_add_char(buf, '}');
}

void
pst_graphql_print_with_typename(struct pst_buf *buf,
                                const struct pst_graphql_document *document)
{
    static const char *const kinds[] = {
        [PST_GRAPHQL_QUERY] = "query ",
        [PST_GRAPHQL_MUTATION] = "mutation ",
        [PST_GRAPHQL_SUBSCRIPTION] = "subscription ",
    };
    const struct pst_graphql_operation *operation;
    const struct pst_graphql_fragment *fragment;

    for (operation = document->operations; operation;
         operation = operation->next) {
        pst_buf_add_string(buf, kinds[operation->kind]);
        pst_buf_add(buf, operation->name);
        print_graphql_variables(buf, operation->variables);
        print_graphql_directives(buf, operation->directives);
        print_graphql_selections(buf, PST_STR_NONE, operation->selections);
    }
    for (fragment = document->fragments; fragment; fragment = fragment->next) {
        pst_buf_add_string(buf, " fragment ");
        pst_buf_add(buf, fragment->name);
        pst_buf_add_string(buf, " on ");
        pst_buf_add(buf, fragment->type);
        print_graphql_directives(buf, fragment->directives);
        print_graphql_selections(buf, fragment->type, fragment->selections);
    }
}
