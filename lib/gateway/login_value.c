/* SPDX-License-Identifier: ISC */
/*
 * login_value.c - the values of arguments in a client's login, with variables
 * resolved: test their type, get their fields, write them as JSON.
 */
#include "gateway/login_value.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json_emit.h"
#include "graphql/print.h"

bool
login_value_is_given(struct login_value value)
{
    return value.literal || value.json;
}

static bool
value_has_kind(struct login_value value, enum pst_json_kind json,
               enum pst_graphql_value_kind literal)
{
    return value.json ? pst_json_kind(value.json) == json
                      : value.literal && value.literal->kind == literal;
}

bool
login_value_is_null(struct login_value value)
{
    return value_has_kind(value, PST_JSON_NULL, PST_GRAPHQL_NULL);
}

bool
login_value_is_string(struct login_value value)
{
    return value_has_kind(value, PST_JSON_STRING, PST_GRAPHQL_STRING);
}

bool
login_value_is_list(struct login_value value)
{
    return value_has_kind(value, PST_JSON_ARRAY, PST_GRAPHQL_LIST);
}

bool
login_value_is_object(struct login_value value)
{
    return value_has_kind(value, PST_JSON_OBJECT, PST_GRAPHQL_OBJECT);
}

struct login_value
login_value_resolve(const struct login_variables *variables,
                    const struct pst_graphql_value *literal)
{
    const struct pst_graphql_variable *variable;
    struct login_value value = {literal, NULL};

    if (!literal || literal->kind != PST_GRAPHQL_VARIABLE)
        return value;
    value.literal = NULL;
    for (variable = variables->declared; variable; variable = variable->next) {
        if (!pst_str_equal(variable->name, literal->text))
            continue;
        value.json = pst_json_get(variables->given, variable->name);
        if (!value.json)
            value.literal = variable->value;
    }
    return value;
}

struct login_value
login_value_get_field(const struct login_variables *variables,
                      struct login_value object, struct pst_str name)
{
    const struct pst_graphql_value *item;
    struct login_value none = {NULL, NULL};

    if (object.json)
        return (struct login_value){NULL, pst_json_get(object.json, name)};
    for (item = object.literal ? object.literal->items : NULL; item;
         item = item->next)
        if (pst_str_equal(item->name, name))
            return login_value_resolve(variables, item);
    return none;
}

static void emit_value(const struct login_variables *variables,
                       struct pst_buf *buf, struct login_value value);

/* Items can be variables, so they are resolved one by one. */
static void
emit_container(const struct login_variables *variables, struct pst_buf *buf,
               const struct pst_graphql_value *container)
{
    bool is_object = container->kind == PST_GRAPHQL_OBJECT;
    const struct pst_graphql_value *item;
    bool is_first = true;

    pst_buf_add_char(buf, is_object ? '{' : '[');
    for (item = container->items; item; item = item->next) {
        struct login_value inner = login_value_resolve(variables, item);

        if (is_object && !login_value_is_given(inner))
            continue;
        if (!is_first)
            pst_buf_add_char(buf, ',');
        is_first = false;
        if (is_object) {
            pst_json_emit_string(buf, item->name);
            pst_buf_add_char(buf, ':');
        }
        emit_value(variables, buf, inner);
    }
    pst_buf_add_char(buf, is_object ? '}' : ']');
}

static void
emit_value(const struct login_variables *variables, struct pst_buf *buf,
           struct login_value value)
{
    if (buf->err)
        return; /* stop early: variables can multiply the size */
    if (value.json)
        pst_json_emit(buf, value.json);
    else if (!value.literal)
        pst_buf_add_string(buf, "null");
    else if (value.literal->kind == PST_GRAPHQL_OBJECT ||
             value.literal->kind == PST_GRAPHQL_LIST)
        emit_container(variables, buf, value.literal);
    else
        pst_graphql_print_json(buf, value.literal);
}

enum pst_err
login_value_emit(struct pst_arena *arena,
                 const struct login_variables *variables,
                 struct login_value value, struct pst_str *out)
{
    struct pst_buf buf;

    pst_buf_init_heap(&buf, arena, PST_BUFFERED_BODY_MAX);
    emit_value(variables, &buf, value);
    return pst_buf_finish(&buf, out);
}
