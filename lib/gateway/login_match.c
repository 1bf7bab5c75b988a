/* SPDX-License-Identifier: ISC */
/*
 * login_match.c - find the configured login document that a client's login
 * matches, and bind its variables.
 */
#include "gateway/login_match.h"

#include "base/limits.h"
#include "codec/json.h"
#include "gateway/login_value.h"

/* Members of a login's variables. Each use of a variable searches all of them.
 */
#define VARIABLES_MAX 256

/* The state of matching one document. */
struct matching {
    struct pst_arena *arena;
    const struct login_operation *request;
    const struct login_document *login;
    struct login_variables variables; /* the client's */
    struct pst_str
        *bound; /* JSON of each variable of login; absent: not bound */
    bool binds_credential; /* name or password has a value */
    struct login_reason *reason;
};

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

/* Refuse arguments, or fields of an input object, that the configured document
 * does not have. */
static enum pst_err
check_argument_names(const struct matching *matching,
                     const struct pst_graphql_value *ours,
                     struct login_value theirs)
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
    return login_refuse(matching->reason,
                        "the login's password is not a string");
}

/* Bind a variable of the configured document. If it is used twice, both values
 * must be equal. Name and password must be strings. */
static enum pst_err
bind_login_variable(struct matching *matching, struct pst_str name,
                    struct login_value value)
{
    const struct pst_graphql_variable *variable;
    struct pst_str text;
    size_t index = 0;
    enum pst_err e;

    if (!login_value_is_given(value))
        return PST_OK;
    for (variable = matching->login->operation->variables;
         !pst_str_equal(variable->name, name); variable = variable->next)
        index++;
    if (is_credential_variable(matching->login, name)) {
        matching->binds_credential = true;
        if (!login_value_is_string(value))
            return pst_str_equal(name, PST_STR("password"))
                       ? refuse_login_password(matching)
                       : refuse_login_name(matching, "is not a string");
    }
    e = login_value_emit(matching->arena, &matching->variables, value, &text);
    if (e)
        return e;
    if (!pst_str_is_absent(matching->bound[index]) &&
        !pst_str_equal(matching->bound[index], text))
        return login_refuse(matching->reason,
                            "the login gives two different values for $%.*s "
                            "of the configured login document",
                            (int)name.len, name.ptr);
    matching->bound[index] = text;
    return PST_OK;
}

/* Does the name or password variable occur in these values? */
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

static enum pst_err match_argument_value(struct matching *matching,
                                         const struct pst_graphql_value *ours,
                                         struct login_value theirs);

/* Match all arguments, also after one does not match: the caller must know
 * whether a name or a password is among them. Returns the first error. */
static enum pst_err
match_argument_fields(struct matching *matching,
                      const struct pst_graphql_value *ours,
                      struct login_value theirs)
{
    const struct pst_graphql_value *item;
    enum pst_err first = check_argument_names(matching, ours, theirs);

    for (item = ours; item; item = item->next) {
        enum pst_err e = match_argument_value(
            matching, item,
            login_value_get_field(&matching->variables, theirs, item->name));

        if (!first || e == PST_NO_MEMORY)
            first = e;
    }
    return first;
}

static enum pst_err
match_argument_value(struct matching *matching,
                     const struct pst_graphql_value *ours,
                     struct login_value theirs)
{
    struct login_value constant = {ours, NULL};
    struct pst_str want;
    struct pst_str have;
    enum pst_err e;

    if (ours->kind == PST_GRAPHQL_VARIABLE)
        return bind_login_variable(matching, ours->text, theirs);
    if (ours->kind == PST_GRAPHQL_OBJECT &&
        (!login_value_is_given(theirs) || login_value_is_object(theirs)))
        return match_argument_fields(matching, ours->items, theirs);
    /* Backends accept a list of one object for an object (input coercion), so a
     * value of another type can contain a password too. */
    if (!login_value_is_null(theirs) && login_value_is_given(theirs) &&
        has_credential_variable(matching->login, ours->items))
        matching->binds_credential = true;
    e = login_value_emit(matching->arena, &matching->variables, constant,
                         &want);
    if (!e && login_value_is_given(theirs))
        e = login_value_emit(matching->arena, &matching->variables, theirs,
                             &have);
    if (e)
        return e;
    if (login_value_is_given(theirs) &&
        login_value_is_list(theirs) == login_value_is_list(constant) &&
        pst_str_equal(want, have))
        return PST_OK;
    return login_refuse(
        matching->reason,
        "%.*s has a different value than in the configured login "
        "document (POSTERN_LOGIN_DOCUMENT)",
        (int)ours->name.len, ours->name.ptr);
}

/* Bound variables. */

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

/* Check that name and password are bound to strings, and set match->name and
 * match->remember. */
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
        return refuse_login_name(matching, "is not a string");
    /* The JSON parser replaces an unpaired surrogate by U+FFFD. Some backends
     * drop it instead: they would log in another name than the one counted. */
    if (pst_str_contains(match->name, PST_STR(REPLACEMENT_CHARACTER)))
        return refuse_login_name(matching,
                                 "contains U+FFFD or an unpaired surrogate");
    if (login->has_password && !pst_str_starts(password, PST_STR("\"")))
        return refuse_login_password(matching);
    return PST_OK;
}

/* Format the bound variables, {"email":…}, for the configured document. */
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
                                "the login has no value for $%.*s of the "
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

/* Match one document. */
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
                              (struct login_value){&arguments, NULL});
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
            const struct login_operation *request, struct login_match *out,
            struct login_reason *reason)
{
    struct matching matching = {
        .arena = arena,
        .request = request,
        .variables = {.declared = request->operation->variables},
        .reason = reason,
    };
    struct login_match match = {.login = NULL};
    bool binds_credential = config->backend.token_location == TOKEN_IN_JSON;
    enum pst_err e = PST_OK;

    if (!pst_str_is_absent(request->variables))
        e = pst_json_parse(arena, request->variables,
                           &matching.variables.given);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_MALFORMED;
    if (pst_json_count(matching.variables.given) > VARIABLES_MAX)
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
