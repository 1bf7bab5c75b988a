/* SPDX-License-Identifier: ISC */
/*
 * login_match.c - which of our login documents a client's login is.
 */
#include "gateway/login_match.h"

#include <stdarg.h>

#include "base/limits.h"
#include "codec/json.h"
#include "graphql/print.h"

/* Members of a login's variables: each use of one looks through them. */
#define VARIABLES_MAX 256

/* Fields at a login's root that are looked at, through fragments. */
#define ROOTS_MAX 64

enum pst_err
login_refuse(struct login_reason *reason, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(reason->text, sizeof(reason->text), format, values);
    va_end(values);
    return PST_LOGIN_SHAPE;
}

/* The root field. */

struct roots {
    const struct pst_graphql_selection *field;
    size_t visited;
};

static enum pst_err
find_login_field(struct roots *roots,
                 const struct pst_graphql_selection *selection,
                 struct login_reason *reason)
{
    enum pst_err e = PST_OK;

    for (; selection && !e; selection = selection->next) {
        if (++roots->visited > ROOTS_MAX)
            return login_refuse(reason, "the login is one of too many fields");
        if (selection->directives)
            return login_refuse(reason,
                                "a login cannot have directives: leave "
                                "out @%.*s",
                                (int)selection->directives->name.len,
                                selection->directives->name.ptr);
        if (selection->kind == PST_GRAPHQL_SPREAD)
            e = find_login_field(roots, selection->fragment->selections,
                                 reason);
        else if (selection->kind == PST_GRAPHQL_INLINE)
            e = find_login_field(roots, selection->selections, reason);
        else if (pst_str_equal(selection->name, PST_STR("__typename")))
            continue;
        else if (roots->field)
            return login_refuse(reason,
                                "a login must be alone: send the field "
                                "%.*s in a request of its own",
                                (int)selection->name.len, selection->name.ptr);
        else
            roots->field = selection;
    }
    return e;
}

enum pst_err
login_request_find_field(struct login_request *request,
                         struct login_reason *reason)
{
    struct roots roots = {NULL, 0};
    enum pst_err e;

    if (request->operation->directives)
        return login_refuse(reason, "a login cannot have directives");
    e = find_login_field(&roots, request->operation->selections, reason);
    if (!e)
        request->field = roots.field;
    return e;
}

/* Values. */

/* A client's value: a literal of its document, or a piece of its variables;
 * both NULL: it is not given. */
struct value {
    const struct pst_graphql_value *literal;
    const struct pst_json *json;
};

/* One try to match one document. */
struct matching {
    struct pst_arena *arena;
    const struct login_request *request;
    const struct login_document *login;
    const struct pst_json *variables; /* the client's; NULL: none */
    struct pst_str *bound; /* JSON, by our variables' order; absent: not */
    bool binds_credential; /* our name or password has a value */
    struct login_reason *reason;
};

static bool
value_is_given(struct value value)
{
    return value.literal || value.json;
}

/* What stands for a literal of the client's: its variables are looked up. */
static struct value
resolve_value(const struct matching *matching,
              const struct pst_graphql_value *literal)
{
    const struct pst_graphql_variable *variable;
    struct value value = {literal, NULL};

    if (!literal || literal->kind != PST_GRAPHQL_VARIABLE)
        return value;
    value.literal = NULL;
    for (variable = matching->request->operation->variables; variable;
         variable = variable->next) {
        if (!pst_str_equal(variable->name, literal->text))
            continue;
        value.json = pst_json_get(matching->variables, variable->name);
        if (!value.json)
            value.literal = variable->value;
    }
    return value;
}

/* Write a client's value as JSON; a field that is not given is left out. */
static void
emit_client_value(const struct matching *matching, struct pst_buf *buf,
                  struct value value)
{
    const struct pst_graphql_value *item;
    bool value_is_object;
    bool is_first = true;

    if (buf->err)
        return; /* it does not fit any more */
    if (value.json) {
        pst_json_emit(buf, value.json);
        return;
    }
    if (!value.literal || (value.literal->kind != PST_GRAPHQL_OBJECT &&
                           value.literal->kind != PST_GRAPHQL_LIST)) {
        if (value.literal)
            pst_graphql_print_json(buf, value.literal);
        else
            pst_buf_add_string(buf, "null");
        return;
    }
    value_is_object = value.literal->kind == PST_GRAPHQL_OBJECT;
    pst_buf_add_char(buf, value_is_object ? '{' : '[');
    for (item = value.literal->items; item; item = item->next) {
        struct value inner = resolve_value(matching, item);

        if (value_is_object && !value_is_given(inner))
            continue;
        if (!is_first)
            pst_buf_add_char(buf, ',');
        is_first = false;
        if (value_is_object) {
            pst_json_emit_string(buf, item->name);
            pst_buf_add_char(buf, ':');
        }
        emit_client_value(matching, buf, inner);
    }
    pst_buf_add_char(buf, value_is_object ? '}' : ']');
}

static enum pst_err
client_value_json(const struct matching *matching, struct value value,
                  struct pst_str *out)
{
    struct pst_buf buf;

    pst_buf_init_heap(&buf, matching->arena, PST_BUFFERED_BODY_MAX);
    emit_client_value(matching, &buf, value);
    return pst_buf_finish(&buf, out);
}

static bool
value_is_object(struct value value)
{
    return value.json ? pst_json_kind(value.json) == PST_JSON_OBJECT
                      : value.literal->kind == PST_GRAPHQL_OBJECT;
}

static bool
value_is_list(struct value value)
{
    return value.json ? pst_json_kind(value.json) == PST_JSON_ARRAY
                      : value.literal->kind == PST_GRAPHQL_LIST;
}

/* The field of an object that is a client's value. */
static struct value
value_get_field(const struct matching *matching, struct value object,
                struct pst_str name)
{
    const struct pst_graphql_value *item;
    struct value none = {NULL, NULL};

    if (object.json)
        return (struct value){NULL, pst_json_get(object.json, name)};
    for (item = object.literal ? object.literal->items : NULL; item;
         item = item->next)
        if (pst_str_equal(item->name, name))
            return resolve_value(matching, item);
    return none;
}

static bool
items_have_name(const struct pst_graphql_value *items, struct pst_str name)
{
    for (; items; items = items->next)
        if (pst_str_equal(items->name, name))
            return true;
    return false;
}

static enum pst_err
refuse_login_field(const struct matching *matching, struct pst_str name)
{
    return login_refuse(matching->reason,
                        "the login has %.*s, which the configured login "
                        "document does not (POSTERN_LOGIN_DOCUMENT)",
                        (int)name.len, name.ptr);
}

/* Nothing but what ours has, in a list of arguments or an object's fields. */
static enum pst_err
check_argument_names(const struct matching *matching,
                     const struct pst_graphql_value *ours, struct value theirs)
{
    size_t count = theirs.json ? pst_json_count(theirs.json) : 0;
    const struct pst_graphql_value *item;

    for (size_t i = 0; i < count; i++) {
        struct pst_str name;

        (void)pst_json_member(theirs.json, i, &name);
        if (!items_have_name(ours, name))
            return refuse_login_field(matching, name);
    }
    for (item = theirs.literal ? theirs.literal->items : NULL; item;
         item = item->next)
        if (!items_have_name(ours, item->name))
            return refuse_login_field(matching, item->name);
    return PST_OK;
}

static bool
is_credential_variable(const struct login_document *login,
                       struct pst_str variable)
{
    return pst_str_equal(variable, PST_STR("password")) ||
           (!pst_str_is_absent(login->name_variable) &&
            pst_str_equal(variable, login->name_variable));
}

static bool
value_is_string(struct value value)
{
    return value.json ? pst_json_kind(value.json) == PST_JSON_STRING
                      : value.literal->kind == PST_GRAPHQL_STRING;
}

static enum pst_err
refuse_login_name(const struct matching *matching, const char *reason)
{
    struct pst_str name = matching->login->name_variable;

    return login_refuse(matching->reason, "the login's name ($%.*s) %s",
                        (int)name.len, name.ptr, reason);
}

static enum pst_err
refuse_login_password(const struct matching *matching)
{
    return login_refuse(matching->reason, "the login's password is no string");
}

/* Give one of our variables a value; a second one must be the same. A name and
 * a password are strings, and nothing else is written out for them. */
static enum pst_err
bind_login_variable(struct matching *matching, struct pst_str name,
                    struct value value)
{
    const struct pst_graphql_variable *variable;
    struct pst_str text;
    size_t index = 0;
    enum pst_err e;

    if (!value_is_given(value))
        return PST_OK;
    for (variable = matching->login->operation->variables;
         !pst_str_equal(variable->name, name); variable = variable->next)
        index++;
    if (is_credential_variable(matching->login, name)) {
        matching->binds_credential = true;
        if (!value_is_string(value))
            return pst_str_equal(name, PST_STR("password"))
                       ? refuse_login_password(matching)
                       : refuse_login_name(matching, "is no string");
    }
    e = client_value_json(matching, value, &text);
    if (e)
        return e;
    if (!pst_str_is_absent(matching->bound[index]) &&
        !pst_str_equal(matching->bound[index], text))
        return login_refuse(matching->reason,
                            "the login gives two values to what is one, "
                            "$%.*s, in the configured login document",
                            (int)name.len, name.ptr);
    matching->bound[index] = text;
    return PST_OK;
}

/* Is there a name or a password of ours in these values? */
static bool
has_credential_variable(const struct login_document *login,
                        const struct pst_graphql_value *ours)
{
    for (; ours; ours = ours->next)
        if ((ours->kind == PST_GRAPHQL_VARIABLE &&
             is_credential_variable(login, ours->text)) ||
            has_credential_variable(login, ours->items))
            return true;
    return false;
}

static bool
value_is_null(struct value value)
{
    return value.json
               ? pst_json_kind(value.json) == PST_JSON_NULL
               : value.literal && value.literal->kind == PST_GRAPHQL_NULL;
}

static enum pst_err match_argument_value(struct matching *matching,
                                         const struct pst_graphql_value *ours,
                                         struct value theirs);

/* All of ours, even after one does not fit: whether a name or a password is
 * among them matters more. */
static enum pst_err
match_argument_fields(struct matching *matching,
                      const struct pst_graphql_value *ours, struct value theirs)
{
    const struct pst_graphql_value *item;
    enum pst_err first = check_argument_names(matching, ours, theirs);

    for (item = ours; item; item = item->next) {
        enum pst_err e = match_argument_value(
            matching, item, value_get_field(matching, theirs, item->name));

        if (!first || e == PST_NO_MEMORY)
            first = e;
    }
    return first;
}

static enum pst_err
match_argument_value(struct matching *matching,
                     const struct pst_graphql_value *ours, struct value theirs)
{
    struct value constant = {ours, NULL};
    struct pst_str want;
    struct pst_str have;
    enum pst_err e;

    if (ours->kind == PST_GRAPHQL_VARIABLE)
        return bind_login_variable(matching, ours->text, theirs);
    if (ours->kind == PST_GRAPHQL_OBJECT &&
        (!value_is_given(theirs) || value_is_object(theirs)))
        return match_argument_fields(matching, ours->items, theirs);
    /* A list of one object may pass for the object at the backend: what it
     * hides may be a guess. */
    if (!value_is_null(theirs) && value_is_given(theirs) &&
        has_credential_variable(matching->login, ours->items))
        matching->binds_credential = true;
    e = client_value_json(matching, constant, &want);
    if (!e && value_is_given(theirs))
        e = client_value_json(matching, theirs, &have);
    if (e)
        return e;
    if (value_is_given(theirs) &&
        value_is_list(theirs) == value_is_list(constant) &&
        pst_str_equal(want, have))
        return PST_OK;
    return login_refuse(matching->reason,
                        "%.*s has another value than in the configured login "
                        "document (POSTERN_LOGIN_DOCUMENT)",
                        (int)ours->name.len, ours->name.ptr);
}

/* What the variables amount to. */

static struct pst_str
get_bound_value(const struct matching *matching, struct pst_str name)
{
    const struct pst_graphql_variable *variable;
    size_t index = 0;

    for (variable = matching->login->operation->variables; variable;
         variable = variable->next) {
        if (pst_str_equal(variable->name, name))
            return matching->bound[index];
        index++;
    }
    return PST_STR_NONE;
}

#define REPLACEMENT_CHARACTER "\xEF\xBF\xBD" /* U+FFFD */

/* A name must be a string; so must a password. */
static enum pst_err
check_bound_credentials(const struct matching *matching,
                        struct login_match *match)
{
    const struct login_document *login = matching->login;
    struct pst_str password = get_bound_value(matching, PST_STR("password"));
    struct pst_str name = PST_STR_NONE;
    const struct pst_json *value;
    enum pst_err e = PST_OK;

    match->remember = pst_str_equal(
        get_bound_value(matching, PST_STR("rememberMe")), PST_STR("true"));
    match->name = PST_STR_NONE;
    if (!pst_str_is_absent(login->name_variable))
        name = get_bound_value(matching, login->name_variable);
    if (!pst_str_is_absent(name))
        e = pst_json_parse(matching->arena, name, &value);
    if (e)
        return e;
    if (!pst_str_is_absent(name))
        match->name = pst_json_string(value);
    if (!pst_str_is_absent(login->name_variable) &&
        pst_str_is_absent(match->name))
        return refuse_login_name(matching, "is no string");
    /* What JSON's escapes make of half a pair: some backends drop it, and
     * then have another name than the one that was counted. */
    if (pst_str_contains(match->name, PST_STR(REPLACEMENT_CHARACTER)))
        return refuse_login_name(matching,
                                 "has U+FFFD or half of a surrogate pair");
    if (login->has_password && !pst_str_starts(password, PST_STR("\"")))
        return refuse_login_password(matching);
    return PST_OK;
}

/* {"email":…}: what our document is sent with. */
static enum pst_err
emit_bound_variables(const struct matching *matching, struct pst_str *out)
{
    const struct pst_graphql_variable *variable;
    struct pst_buf buf;
    size_t index = 0;

    pst_buf_init_heap(&buf, matching->arena, PST_BUFFERED_BODY_MAX);
    pst_buf_add_char(&buf, '{');
    for (variable = matching->login->operation->variables; variable;
         variable = variable->next) {
        struct pst_str value = matching->bound[index++];

        if (pst_str_is_absent(value) && variable->is_required &&
            !variable->value)
            return login_refuse(matching->reason,
                                "the login lacks a value for $%.*s of the "
                                "configured login document",
                                (int)variable->name.len, variable->name.ptr);
        if (pst_str_is_absent(value))
            continue;
        if (pst_buf_str(&buf).len > 1)
            pst_buf_add_char(&buf, ',');
        pst_json_emit_string(&buf, variable->name);
        pst_buf_add_char(&buf, ':');
        pst_buf_add(&buf, value);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_finish(&buf, out);
}

static size_t
count_login_variables(const struct login_document *login)
{
    const struct pst_graphql_variable *variable;
    size_t count = 0;

    for (variable = login->operation->variables; variable;
         variable = variable->next)
        count++;
    return count;
}

/* Try one document. */
static enum pst_err
match_login_document(struct matching *matching, struct login_match *match)
{
    const struct pst_graphql_value arguments = {
        .kind = PST_GRAPHQL_OBJECT,
        .items = matching->request->field->arguments};
    size_t count = count_login_variables(matching->login);
    enum pst_err e;

    matching->bound =
        pst_arena_alloc(matching->arena, count * sizeof(*matching->bound));
    if (!matching->bound)
        return PST_NO_MEMORY;
    e = match_argument_fields(matching, matching->login->field->arguments,
                              (struct value){&arguments, NULL});
    if (!e)
        e = check_bound_credentials(matching, match);
    if (!e)
        e = emit_bound_variables(matching, &match->variables);
    if (!e)
        match->login = matching->login;
    return e;
}

enum pst_err
login_match(struct pst_arena *arena, const struct config *config,
            const struct login_request *request, struct login_match *out,
            struct login_reason *reason)
{
    struct matching matching = {
        .arena = arena, .request = request, .reason = reason};
    struct login_match match = {.login = NULL};
    bool binds_credential = config->backend.token_location == TOKEN_IN_JSON;
    enum pst_err e = PST_OK;

    if (!pst_str_is_absent(request->variables))
        e = pst_json_parse(arena, request->variables, &matching.variables);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_MALFORMED;
    if (pst_json_count(matching.variables) > VARIABLES_MAX)
        return login_refuse(reason, "a login has at most %d variables",
                            VARIABLES_MAX);
    e = PST_LOGIN_SHAPE;
    for (size_t i = 0; i < config->backend.login_count && e == PST_LOGIN_SHAPE;
         i++) {
        matching.login = &config->backend.logins[i];
        if (!pst_str_equal(matching.login->field->name, request->field->name))
            continue;
        e = match_login_document(&matching, &match);
        binds_credential = binds_credential || matching.binds_credential;
    }
    if (e == PST_LOGIN_SHAPE && !binds_credential) {
        match = (struct login_match){.variables = PST_STR_NONE};
        e = PST_OK;
    }
    if (!e)
        *out = match;
    return e;
}
