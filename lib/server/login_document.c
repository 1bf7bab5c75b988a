/* SPDX-License-Identifier: ISC */
/*
 * login_document.c - parse and check the configured GraphQL documents: to log
 * in, to refresh a token, to log out, and to ask who the user is.
 */
#include "server/login_document.h"

#include "base/buffer.h"
#include "graphql/print.h"

/* Printing with type names makes a document longer: at most this many times,
 * plus PRINTED_MAX bytes. */
#define PRINTED_EXPANSION 8
#define PRINTED_MAX ((size_t)1024 * 1024)

static enum pst_err
parse_configured_document(struct pst_arena *arena, struct pst_str text,
                          const struct pst_graphql_document **out,
                          struct config_error *reason)
{
    struct pst_graphql_error error;
    enum pst_err e = pst_graphql_parse(arena, text, out, &error);

    if (e == PST_MALFORMED || e == PST_TOO_LARGE)
        return config_set_error(reason,
                                "cannot be parsed at line %u, column %u: %s",
                                (unsigned)error.location.line,
                                (unsigned)error.location.column, error.message);
    return e;
}

enum pst_err
logout_document_check(struct pst_arena *arena, struct pst_str text,
                      struct config_error *reason)
{
    const struct pst_graphql_document *document;
    enum pst_err e = parse_configured_document(arena, text, &document, reason);

    if (e)
        return e;
    if (document->operation_count != 1 ||
        document->operations->kind != PST_GRAPHQL_MUTATION)
        return config_set_error(reason,
                                "is not one mutation, and a logout must be "
                                "one; without a logout mutation, set "
                                "POSTERN_UPSTREAM_LOGOUT=never");
    return PST_OK;
}

static bool
selection_is_typename(const struct pst_graphql_selection *selection)
{
    return selection->kind == PST_GRAPHQL_FIELD &&
           pst_str_equal(selection->name, PST_STR("__typename"));
}

/* Find the only root field besides __typename. Returns NULL if there are more,
 * or a fragment. */
static const struct pst_graphql_selection *
find_root_field(const struct pst_graphql_operation *operation)
{
    const struct pst_graphql_selection *found = NULL;
    const struct pst_graphql_selection *selection;

    for (selection = operation->selections; selection;
         selection = selection->next) {
        if (selection_is_typename(selection))
            continue;
        if (found || selection->kind != PST_GRAPHQL_FIELD)
            return NULL;
        found = selection;
    }
    return found;
}

/* Is there a variable in these values? */
static bool
values_have_variable(const struct pst_graphql_value *value)
{
    for (; value; value = value->next)
        if (value->kind == PST_GRAPHQL_VARIABLE ||
            values_have_variable(value->items))
            return true;
    return false;
}

/* Is this variable in these values? */
static bool
values_use_variable(const struct pst_graphql_value *value, struct pst_str name)
{
    for (; value; value = value->next)
        if ((value->kind == PST_GRAPHQL_VARIABLE &&
             pst_str_equal(value->text, name)) ||
            values_use_variable(value->items, name))
            return true;
    return false;
}

/* Find a field with a variable in its arguments; NULL: none. */
static const struct pst_graphql_selection *
find_dynamic_field(const struct pst_graphql_selection *selection)
{
    const struct pst_graphql_selection *found;

    for (; selection; selection = selection->next) {
        if (values_have_variable(selection->arguments))
            return selection;
        found = find_dynamic_field(selection->selections);
        if (found)
            return found;
    }
    return NULL;
}

static bool
selections_have_directive(const struct pst_graphql_selection *selection)
{
    for (; selection; selection = selection->next)
        if (selection->directives ||
            selections_have_directive(selection->selections))
            return true;
    return false;
}

/* Is there a directive anywhere in the document of one operation? */
static bool
operation_has_directive(const struct pst_graphql_document *document)
{
    const struct pst_graphql_fragment *fragment;

    if (document->operations->directives ||
        selections_have_directive(document->operations->selections))
        return true;
    for (fragment = document->fragments; fragment; fragment = fragment->next)
        if (fragment->directives ||
            selections_have_directive(fragment->selections))
            return true;
    return false;
}

static bool
variable_is_named(const struct pst_graphql_variable *variable, const char *name)
{
    return pst_str_equal(variable->name, pst_str_from(name));
}

/* Record the purpose of a variable, and check it. */
static enum pst_err
login_document_add_variable(struct login_document *login,
                            const struct pst_graphql_variable *variable,
                            bool is_first, struct config_error *reason)
{
    bool is_name = variable_is_named(variable, "email") ||
                   variable_is_named(variable, "username");

    if (!values_use_variable(login->field->arguments, variable->name))
        return config_set_error(reason,
                                "is a document that declares $%.*s and does "
                                "not use it in the login field's arguments",
                                (int)variable->name.len, variable->name.ptr);
    if (is_name && !pst_str_is_absent(login->name_variable))
        return config_set_error(reason, "is a document with both $email and "
                                        "$username: use only one of them");
    if (is_name)
        login->name_variable = variable->name;
    else if (variable_is_named(variable, "password"))
        login->has_password = true;
    else if (variable_is_named(variable, "rememberMe"))
        login->has_remember = true;
    else if (is_first && variable->is_required && !variable->value)
        return config_set_error(reason,
                                "is a document that requires $%.*s; a login "
                                "with credentials has only $email or "
                                "$username, $password and $rememberMe: give it "
                                "a default, or put this document second",
                                (int)variable->name.len, variable->name.ptr);
    return PST_OK;
}

static enum pst_err
login_document_add_variables(struct login_document *login, bool is_first,
                             struct config_error *reason)
{
    const struct pst_graphql_variable *variable;

    for (variable = login->operation->variables; variable;
         variable = variable->next) {
        enum pst_err e =
            login_document_add_variable(login, variable, is_first, reason);

        if (e)
            return e;
    }
    if (is_first &&
        (pst_str_is_absent(login->name_variable) || !login->has_password))
        return config_set_error(reason,
                                "is the first document, and has no $email or "
                                "$username, or no $password");
    return PST_OK;
}

/* Check that a document is one mutation of one root field, and that nothing
 * else depends on variables.
 *   purpose  "login" or "refresh", for messages */
static enum pst_err
check_login_document(const struct pst_graphql_document *document,
                     const char *purpose, struct config_error *reason)
{
    const struct pst_graphql_operation *operation = document->operations;
    const struct pst_graphql_selection *field;
    const struct pst_graphql_selection *nested;
    const struct pst_graphql_fragment *fragment;

    if (document->operation_count != 1)
        return config_set_error(reason,
                                "is a document of several operations: a %s "
                                "document must have one",
                                purpose);
    if (operation->kind != PST_GRAPHQL_MUTATION)
        return config_set_error(reason,
                                "is a document that is not a mutation; a "
                                "%s must be one: give the backend's schema "
                                "a mutation that does the same",
                                purpose);
    field = find_root_field(operation);
    if (!field)
        return config_set_error(reason,
                                "is a document whose mutation does not "
                                "have just one field, the %s, at its "
                                "root and outside fragments",
                                purpose);
    if (operation_has_directive(document))
        return config_set_error(reason,
                                "is a document with a directive: remove it");
    nested = find_dynamic_field(field->selections);
    for (fragment = document->fragments; fragment && !nested;
         fragment = fragment->next)
        nested = find_dynamic_field(fragment->selections);
    if (nested)
        return config_set_error(
            reason,
            "is a document with variables in the arguments of %.*s, below the "
            "root field %.*s: a %s must be the root field itself; give the "
            "backend's schema a mutation that does the same at its root",
            (int)nested->name.len, nested->name.ptr, (int)field->name.len,
            field->name.ptr, purpose);
    if (!field->selections)
        return config_set_error(reason,
                                "is a document whose %s field has no "
                                "selection set, such as {token}, to find a "
                                "token or a user in; a %s that returns a "
                                "bare string is not supported",
                                purpose, purpose);
    return PST_OK;
}

/* Parse a document, and print it again as it is sent. */
static enum pst_err
parse_printed_document(struct pst_arena *arena, struct pst_str text,
                       const char *purpose, struct login_document *login,
                       struct config_error *reason)
{
    const struct pst_graphql_document *document;
    struct pst_buf buf;
    enum pst_err e;

    e = parse_configured_document(arena, text, &document, reason);
    if (!e)
        e = check_login_document(document, purpose, reason);
    if (e)
        return e;
    pst_buf_init_heap(&buf, arena, PRINTED_EXPANSION * text.len + PRINTED_MAX);
    pst_graphql_print_with_typename(&buf, document);
    e = pst_buf_finish(&buf, &login->text);
    if (!e)
        e = parse_configured_document(arena, login->text, &document, reason);
    if (e)
        return e;
    login->operation = document->operations;
    login->field = find_root_field(login->operation);
    PST_REQUIRE(login->field != NULL);
    return PST_OK;
}

enum pst_err
login_document_parse(struct pst_arena *arena, struct pst_str text,
                     bool is_first, struct login_document *out,
                     struct config_error *reason)
{
    struct login_document login = {.text = PST_STR_NONE};
    enum pst_err e =
        parse_printed_document(arena, text, "login", &login, reason);

    if (!e)
        e = login_document_add_variables(&login, is_first, reason);
    if (!e)
        *out = login;
    return e;
}

/* $refreshToken is the only variable, and the root field gets it. */
static enum pst_err
check_refresh_variables(const struct login_document *refresh,
                        struct config_error *reason)
{
    const struct pst_graphql_variable *own = refresh->operation->variables;

    while (own && own->next && variable_is_named(own, REFRESH_VARIABLE))
        own = own->next;
    if (own && !variable_is_named(own, REFRESH_VARIABLE))
        return config_set_error(reason,
                                "is a document that declares $%.*s: its one "
                                "variable must be called $refreshToken",
                                (int)own->name.len, own->name.ptr);
    if (!own || !values_use_variable(refresh->field->arguments, own->name))
        return config_set_error(reason,
                                "is a document without $refreshToken in "
                                "its root field's arguments: add it");
    return PST_OK;
}

enum pst_err
refresh_document_parse(struct pst_arena *arena, struct pst_str text,
                       struct login_document *out, struct config_error *reason)
{
    struct login_document refresh = {.text = PST_STR_NONE};
    enum pst_err e =
        parse_printed_document(arena, text, "refresh", &refresh, reason);

    if (!e)
        e = check_refresh_variables(&refresh, reason);
    if (!e)
        *out = refresh;
    return e;
}

enum pst_err
who_document_parse(struct pst_arena *arena, struct pst_str text,
                   struct who_document *out, struct config_error *reason)
{
    const struct pst_graphql_document *document;
    const struct pst_graphql_variable *variable;
    const struct pst_graphql_selection *field;
    enum pst_err e = parse_configured_document(arena, text, &document, reason);

    if (e)
        return e;
    field = find_root_field(document->operations);
    if (document->operation_count != 1 || !field || !field->selections ||
        document->operations->kind != PST_GRAPHQL_QUERY)
        return config_set_error(reason, "is not one query of "
                                        "one root field with a selection set");
    for (variable = document->operations->variables; variable;
         variable = variable->next)
        if (variable->is_required && !variable->value)
            return config_set_error(
                reason,
                "is a document that requires $%.*s, but it "
                "is sent without variables: give it a default",
                (int)variable->name.len, variable->name.ptr);
    out->text = document->text;
    out->field = field;
    return PST_OK;
}

/* Find the field of a response key in a selection set, fragments resolved. */
static const struct pst_graphql_selection *
find_response_key(const struct pst_graphql_selection *selection,
                  struct pst_str key)
{
    for (; selection; selection = selection->next) {
        const struct pst_graphql_selection *found = NULL;

        if (selection->kind == PST_GRAPHQL_FIELD) {
            if (pst_str_equal(pst_graphql_response_key(selection), key))
                return selection;
        } else if (selection->kind == PST_GRAPHQL_SPREAD) {
            found = find_response_key(selection->fragment->selections, key);
        } else {
            found = find_response_key(selection->selections, key);
        }
        if (found)
            return found;
    }
    return NULL;
}

const struct pst_graphql_selection *
document_find_field(const struct pst_graphql_selection *field,
                    struct pst_str pointer)
{
    struct pst_str rest = pst_str_skip(pointer, 1);
    struct pst_str step;

    if (!pst_str_starts(pointer, PST_STR("/")))
        return NULL;
    while (field && pst_str_split(&rest, '/', &step))
        field = find_response_key(field->selections, step);
    return field;
}
