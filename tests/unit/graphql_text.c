/* SPDX-License-Identifier: ISC */
/*
 * graphql_text.c - print a parsed GraphQL document in a normal form.
 */
#include "graphql_text.h"

static void
add_value(struct pst_buf *buf, const struct pst_graphql_value *value)
{
    /* What is printed before and after the text. */
    static const char *const before[] = {
        [PST_GRAPHQL_VARIABLE] = "$", [PST_GRAPHQL_INT] = "",
        [PST_GRAPHQL_FLOAT] = "%",    [PST_GRAPHQL_STRING] = "\"",
        [PST_GRAPHQL_TRUE] = "true",  [PST_GRAPHQL_FALSE] = "false",
        [PST_GRAPHQL_NULL] = "null",  [PST_GRAPHQL_ENUM] = "~",
        [PST_GRAPHQL_LIST] = "[",     [PST_GRAPHQL_OBJECT] = "{",
    };
    static const char *const after[] = {
        [PST_GRAPHQL_STRING] = "\"",
        [PST_GRAPHQL_LIST] = "]",
        [PST_GRAPHQL_OBJECT] = "}",
    };

    if (!pst_str_is_absent(value->name)) {
        pst_buf_add(buf, value->name);
        pst_buf_add_char(buf, ':');
    }
    pst_buf_add_string(buf, before[value->kind]);
    pst_buf_add(buf, value->text);
    graphql_text_values(buf, value->items);
    if (value->kind < PST_COUNT(after) && after[value->kind])
        pst_buf_add_string(buf, after[value->kind]);
}

void
graphql_text_values(struct pst_buf *buf, const struct pst_graphql_value *first)
{
    for (const struct pst_graphql_value *v = first; v; v = v->next) {
        add_value(buf, v);
        if (v->next)
            pst_buf_add_char(buf, ',');
    }
}

/* Print values in parentheses, if there are any. */
static void
add_arguments(struct pst_buf *buf, const struct pst_graphql_value *first)
{
    if (!first)
        return;
    pst_buf_add_char(buf, '(');
    graphql_text_values(buf, first);
    pst_buf_add_char(buf, ')');
}

void
graphql_text_directives(struct pst_buf *buf,
                        const struct pst_graphql_directive *first)
{
    for (const struct pst_graphql_directive *d = first; d; d = d->next) {
        pst_buf_add_char(buf, '@');
        pst_buf_add(buf, d->name);
        add_arguments(buf, d->arguments);
    }
}

static void
add_place(struct pst_buf *buf, struct pst_graphql_location location)
{
    pst_buf_add_char(buf, '@');
    pst_buf_add_number(buf, location.line);
    pst_buf_add_char(buf, ':');
    pst_buf_add_number(buf, location.column);
    pst_buf_add_char(buf, ' ');
}

static void
add_selection(struct pst_buf *buf, const struct pst_graphql_selection *s,
              bool has_places)
{
    if (has_places)
        add_place(buf, s->location);
    if (s->kind != PST_GRAPHQL_FIELD)
        pst_buf_add_string(buf, "...");
    if (!pst_str_is_absent(s->type)) {
        pst_buf_add_string(buf, "on ");
        pst_buf_add(buf, s->type);
    }
    if (!pst_str_is_absent(s->alias)) {
        pst_buf_add(buf, s->alias);
        pst_buf_add_char(buf, ':');
    }
    pst_buf_add(buf, s->name);
    if (s->kind == PST_GRAPHQL_SPREAD &&
        !pst_str_equal(s->fragment->name, s->name))
        pst_buf_add_string(buf, " resolved wrongly");
    add_arguments(buf, s->arguments);
    graphql_text_directives(buf, s->directives);
    if (s->selections)
        graphql_text_selections(buf, s->selections, has_places);
}

void
graphql_text_selections(struct pst_buf *buf,
                        const struct pst_graphql_selection *first,
                        bool has_places)
{
    pst_buf_add_char(buf, '{');
    for (const struct pst_graphql_selection *s = first; s; s = s->next) {
        add_selection(buf, s, has_places);
        if (s->next)
            pst_buf_add_char(buf, ' ');
    }
    pst_buf_add_char(buf, '}');
}

void
graphql_text_variables(struct pst_buf *buf,
                       const struct pst_graphql_variable *first)
{
    if (!first)
        return;
    pst_buf_add_char(buf, '(');
    for (const struct pst_graphql_variable *v = first; v; v = v->next) {
        pst_buf_add_char(buf, '$');
        pst_buf_add(buf, v->name);
        pst_buf_add_char(buf, ':');
        pst_buf_add(buf, v->type);
        if (v->is_required != pst_str_ends(v->type, PST_STR("!")))
            pst_buf_add_string(buf, " required wrongly");
        if (v->value) {
            pst_buf_add_char(buf, '=');
            add_value(buf, v->value);
        }
        graphql_text_directives(buf, v->directives);
        if (v->next)
            pst_buf_add_char(buf, ',');
    }
    pst_buf_add_char(buf, ')');
}

void
graphql_text_document(struct pst_buf *buf,
                      const struct pst_graphql_document *document,
                      bool has_places)
{
    static const char *const kinds[] = {"query", "mutation", "subscription"};

    for (const struct pst_graphql_operation *o = document->operations; o;
         o = o->next) {
        if (has_places)
            add_place(buf, o->location);
        pst_buf_add_string(buf, kinds[o->kind]);
        if (!pst_str_is_absent(o->name))
            pst_buf_add_char(buf, ' ');
        pst_buf_add(buf, o->name);
        graphql_text_variables(buf, o->variables);
        graphql_text_directives(buf, o->directives);
        graphql_text_selections(buf, o->selections, has_places);
    }
    for (const struct pst_graphql_fragment *f = document->fragments; f;
         f = f->next) {
        if (has_places)
            add_place(buf, f->location);
        pst_buf_add_string(buf, "fragment ");
        pst_buf_add(buf, f->name);
        pst_buf_add_string(buf, " on ");
        pst_buf_add(buf, f->type);
        graphql_text_directives(buf, f->directives);
        graphql_text_selections(buf, f->selections, has_places);
    }
}
