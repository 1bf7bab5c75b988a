/* SPDX-License-Identifier: ISC */
/*
 * login_document.c - the documents that we send ourselves, read at start.
 */
#include "server/login_document.h"

#include "base/buffer.h"
#include "graphql/print.h"

/* What printing may add to a document, bytes for each of its own. */
#define PRINTED_FACTOR 8
#define PRINTED_MAX ((size_t)1024 * 1024)

static enum pst_err
parse_document(struct pst_arena *arena, struct pst_text text,
               const struct pst_graphql_document **out, struct config_why *why)
{
    struct pst_graphql_error error;
    enum pst_err e = pst_graphql_parse(arena, text, out, &error);

    if (e == PST_MALFORMED || e == PST_TOO_LARGE)
        return config_refuse(why, "cannot be parsed at line %u, column %u: %s",
                             (unsigned)error.place.line,
                             (unsigned)error.place.column, error.message);
    return e;
}

enum pst_err
document_check(struct pst_arena *arena, struct pst_text text,
               struct config_why *why)
{
    const struct pst_graphql_document *document;

    return parse_document(arena, text, &document, why);
}

static bool
is_typename(const struct pst_graphql_selection *selection)
{
    return selection->kind == PST_GRAPHQL_FIELD &&
           pst_text_equal(selection->name, PST_TEXT("__typename"));
}

/* The one root field beside __typename; NULL where there is not just one. */
static const struct pst_graphql_selection *
find_root_field(const struct pst_graphql_operation *operation)
{
    const struct pst_graphql_selection *found = NULL;
    const struct pst_graphql_selection *selection;

    for (selection = operation->selections; selection;
         selection = selection->next) {
        if (is_typename(selection))
            continue;
        if (found || selection->kind != PST_GRAPHQL_FIELD)
            return NULL;
        found = selection;
    }
    return found;
}

/* Is there any variable in these values? */
static bool
has_variable(const struct pst_graphql_value *value)
{
    for (; value; value = value->next)
        if (value->kind == PST_GRAPHQL_VARIABLE || has_variable(value->items))
            return true;
    return false;
}

/* Is this very variable in them? */
static bool
uses_variable(const struct pst_graphql_value *value, struct pst_text name)
{
    for (; value; value = value->next)
        if ((value->kind == PST_GRAPHQL_VARIABLE &&
             pst_text_equal(value->text, name)) ||
            uses_variable(value->items, name))
            return true;
    return false;
}

/* Is there an argument with a variable, or a directive, below a field? */
static bool
has_dynamic_part(const struct pst_graphql_selection *selection)
{
    for (; selection; selection = selection->next)
        if (has_variable(selection->arguments) || selection->directives ||
            has_dynamic_part(selection->selections))
            return true;
    return false;
}

static bool
is_named(const struct pst_graphql_variable *variable, const char *name)
{
    return pst_text_equal(variable->name, pst_text_from(name));
}

/* Take note of what a variable is for. */
static enum pst_err
read_variable(struct login_document *login,
              const struct pst_graphql_variable *variable, bool is_first,
              struct config_why *why)
{
    bool is_name =
        is_named(variable, "email") || is_named(variable, "username");

    if (!uses_variable(login->field->arguments, variable->name))
        return config_refuse(why,
                             "names a document that declares $%.*s and does "
                             "not use it in the login field's arguments",
                             (int)variable->name.len, variable->name.ptr);
    if (is_name && !pst_text_is_absent(login->name_variable))
        return config_refuse(why, "names a document with both $email and "
                                  "$username: one of them is the name");
    if (is_name)
        login->name_variable = variable->name;
    else if (is_named(variable, "password"))
        login->has_password = true;
    else if (is_named(variable, "rememberMe"))
        login->has_remember = true;
    else if (is_first && variable->is_required && !variable->value)
        return config_refuse(why,
                             "names a document that requires $%.*s; a login "
                             "by e-mail and password knows only $email or "
                             "$username, $password and $rememberMe: give it "
                             "a default, or put this document second",
                             (int)variable->name.len, variable->name.ptr);
    return PST_OK;
}

static enum pst_err
read_variables(struct login_document *login, bool is_first,
               struct config_why *why)
{
    const struct pst_graphql_variable *variable;

    for (variable = login->operation->variables; variable;
         variable = variable->next) {
        enum pst_err e = read_variable(login, variable, is_first, why);

        if (e)
            return e;
    }
    if (is_first &&
        (pst_text_is_absent(login->name_variable) || !login->has_password))
        return config_refuse(why, "names a first document without $email or "
                                  "$username, or without $password");
    return PST_OK;
}

/* One mutation of one root field, and nothing that depends on more. */
static enum pst_err
check_login(const struct pst_graphql_document *document, struct config_why *why)
{
    const struct pst_graphql_operation *operation = document->operations;
    const struct pst_graphql_selection *field;
    const struct pst_graphql_fragment *fragment;
    bool is_dynamic;

    if (document->operation_count != 1)
        return config_refuse(why, "names a document of several operations");
    if (operation->kind != PST_GRAPHQL_MUTATION)
        return config_refuse(why, "names a document that is no mutation; a "
                                  "login must be one");
    field = find_root_field(operation);
    if (!field)
        return config_refuse(why, "names a document whose mutation does not "
                                  "have just one field, the login, at its "
                                  "root and outside fragments");
    is_dynamic = operation->directives || field->directives ||
                 has_dynamic_part(field->selections);
    for (fragment = document->fragments; fragment; fragment = fragment->next)
        is_dynamic = is_dynamic || fragment->directives ||
                     has_dynamic_part(fragment->selections);
    if (is_dynamic)
        return config_refuse(why, "names a document with a directive, or with "
                                  "a variable outside the login field's own "
                                  "arguments; a namespace around the login is "
                                  "not supported");
    if (!field->selections)
        return config_refuse(why, "names a document whose login field has no "
                                  "selection set to find a token or a user in");
    return PST_OK;
}

enum pst_err
login_document_read(struct pst_arena *arena, struct pst_text text,
                    bool is_first, struct login_document *out,
                    struct config_why *why)
{
    const struct pst_graphql_document *document;
    struct login_document login = {.text = PST_NO_TEXT};
    struct pst_buf buf;
    enum pst_err e;

    e = parse_document(arena, text, &document, why);
    if (!e)
        e = check_login(document, why);
    if (e)
        return e;
    pst_buf_init_hold(&buf, arena, PRINTED_FACTOR * text.len + PRINTED_MAX);
    pst_graphql_print_typed(&buf, document);
    e = pst_buf_end(&buf, &login.text);
    if (!e)
        e = parse_document(arena, login.text, &document, why);
    if (e)
        return e;
    login.operation = document->operations;
    login.field = find_root_field(login.operation);
    PST_REQUIRE(login.field != NULL);
    e = read_variables(&login, is_first, why);
    if (!e)
        *out = login;
    return e;
}

enum pst_err
who_document_read(struct pst_arena *arena, struct pst_text text,
                  struct who_document *out, struct config_why *why)
{
    const struct pst_graphql_document *document;
    const struct pst_graphql_variable *variable;
    const struct pst_graphql_selection *field;
    enum pst_err e = parse_document(arena, text, &document, why);

    if (e)
        return e;
    field = find_root_field(document->operations);
    if (document->operation_count != 1 || !field || !field->selections ||
        document->operations->kind != PST_GRAPHQL_QUERY)
        return config_refuse(why, "names a document that is not one query of "
                                  "one root field with a selection set");
    for (variable = document->operations->variables; variable;
         variable = variable->next)
        if (variable->is_required && !variable->value)
            return config_refuse(why,
                                 "names a document that requires $%.*s, which "
                                 "nobody gives",
                                 (int)variable->name.len, variable->name.ptr);
    out->text = document->text;
    out->field = field;
    return PST_OK;
}

/* The field of this response key in a selection set, through fragments. */
static const struct pst_graphql_selection *
find_key(const struct pst_graphql_selection *selection, struct pst_text key)
{
    for (; selection; selection = selection->next) {
        const struct pst_graphql_selection *found = NULL;

        if (selection->kind == PST_GRAPHQL_FIELD) {
            if (pst_text_equal(pst_graphql_response_key(selection), key))
                return selection;
        } else if (selection->kind == PST_GRAPHQL_SPREAD) {
            found = find_key(selection->fragment->selections, key);
        } else {
            found = find_key(selection->selections, key);
        }
        if (found)
            return found;
    }
    return NULL;
}

const struct pst_graphql_selection *
document_find(const struct pst_graphql_selection *field,
              struct pst_text pointer)
{
    struct pst_text rest = pst_text_from_octet(pointer, 1);
    struct pst_text step;

    if (!pst_text_starts(pointer, PST_TEXT("/")))
        return NULL;
    while (field && pst_text_cut(&rest, '/', &step))
        field = find_key(field->selections, step);
    return field;
}
