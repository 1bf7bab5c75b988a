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
login_refuse(struct login_why *why, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(why->text, sizeof(why->text), format, values);
    va_end(values);
    return PST_LOGIN_SHAPE;
}

/* The root field. */

struct roots {
    const struct pst_graphql_selection *field;
    size_t visited;
};

static enum pst_err
collect_roots(struct roots *roots,
              const struct pst_graphql_selection *selection,
              struct login_why *why)
{
    enum pst_err e = PST_OK;

    for (; selection && !e; selection = selection->next) {
        if (++roots->visited > ROOTS_MAX)
            return login_refuse(why, "the login is one of too many fields");
        if (selection->directives)
            return login_refuse(why,
                                "a login cannot have directives: leave "
                                "out @%.*s",
                                (int)selection->directives->name.len,
                                selection->directives->name.ptr);
        if (selection->kind == PST_GRAPHQL_SPREAD)
            e = collect_roots(roots, selection->fragment->selections, why);
        else if (selection->kind == PST_GRAPHQL_INLINE)
            e = collect_roots(roots, selection->selections, why);
        else if (pst_text_equal(selection->name, PST_TEXT("__typename")))
            continue;
        else if (roots->field)
            return login_refuse(why,
                                "a login must be alone: send the field "
                                "%.*s in a request of its own",
                                (int)selection->name.len, selection->name.ptr);
        else
            roots->field = selection;
    }
    return e;
}

enum pst_err
login_request_read(struct login_request *request, struct login_why *why)
{
    struct roots roots = {NULL, 0};
    enum pst_err e;

    if (request->operation->directives)
        return login_refuse(why, "a login cannot have directives");
    e = collect_roots(&roots, request->operation->selections, why);
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
    struct pst_text *bound; /* JSON, by our variables' order; absent: not */
    bool is_related;        /* our name or password has a value */
    struct login_why *why;
};

static bool
is_given(struct value value)
{
    return value.literal || value.json;
}

/* What stands for a literal of the client's: its variables are looked up. */
static struct value
resolve(const struct matching *matching,
        const struct pst_graphql_value *literal)
{
    const struct pst_graphql_variable *variable;
    struct value value = {literal, NULL};

    if (!literal || literal->kind != PST_GRAPHQL_VARIABLE)
        return value;
    value.literal = NULL;
    for (variable = matching->request->operation->variables; variable;
         variable = variable->next) {
        if (!pst_text_equal(variable->name, literal->text))
            continue;
        value.json = pst_json_get(matching->variables, variable->name);
        if (!value.json)
            value.literal = variable->value;
    }
    return value;
}

/* Write a client's value as JSON; a field that is not given is left out. */
static void
emit_value(const struct matching *matching, struct pst_buf *buf,
           struct value value)
{
    const struct pst_graphql_value *item;
    bool is_object;
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
    is_object = value.literal->kind == PST_GRAPHQL_OBJECT;
    pst_buf_add_char(buf, is_object ? '{' : '[');
    for (item = value.literal->items; item; item = item->next) {
        struct value inner = resolve(matching, item);

        if (is_object && !is_given(inner))
            continue;
        if (!is_first)
            pst_buf_add_char(buf, ',');
        is_first = false;
        if (is_object) {
            pst_json_emit_string(buf, item->name);
            pst_buf_add_char(buf, ':');
        }
        emit_value(matching, buf, inner);
    }
    pst_buf_add_char(buf, is_object ? '}' : ']');
}

static enum pst_err
value_text(const struct matching *matching, struct value value,
           struct pst_text *out)
{
    struct pst_buf buf;

    pst_buf_init_hold(&buf, matching->arena, PST_HOLD_MAX);
    emit_value(matching, &buf, value);
    return pst_buf_end(&buf, out);
}

static bool
is_object(struct value value)
{
    return value.json ? pst_json_kind(value.json) == PST_JSON_OBJECT
                      : value.literal->kind == PST_GRAPHQL_OBJECT;
}

static bool
is_list(struct value value)
{
    return value.json ? pst_json_kind(value.json) == PST_JSON_ARRAY
                      : value.literal->kind == PST_GRAPHQL_LIST;
}

/* The field of an object that is a client's value. */
static struct value
field_of(const struct matching *matching, struct value object,
         struct pst_text name)
{
    const struct pst_graphql_value *item;
    struct value none = {NULL, NULL};

    if (object.json)
        return (struct value){NULL, pst_json_get(object.json, name)};
    for (item = object.literal ? object.literal->items : NULL; item;
         item = item->next)
        if (pst_text_equal(item->name, name))
            return resolve(matching, item);
    return none;
}

static bool
has_item(const struct pst_graphql_value *items, struct pst_text name)
{
    for (; items; items = items->next)
        if (pst_text_equal(items->name, name))
            return true;
    return false;
}

static enum pst_err
refuse_field(const struct matching *matching, struct pst_text name)
{
    return login_refuse(matching->why,
                        "the login has %.*s, which the configured login "
                        "document does not (POSTERN_LOGIN_DOCUMENT)",
                        (int)name.len, name.ptr);
}

/* Nothing but what ours has, in a list of arguments or an object's fields. */
static enum pst_err
check_names(const struct matching *matching,
            const struct pst_graphql_value *ours, struct value theirs)
{
    size_t count = theirs.json ? pst_json_count(theirs.json) : 0;
    const struct pst_graphql_value *item;

    for (size_t i = 0; i < count; i++) {
        struct pst_text name;

        (void)pst_json_member(theirs.json, i, &name);
        if (!has_item(ours, name))
            return refuse_field(matching, name);
    }
    for (item = theirs.literal ? theirs.literal->items : NULL; item;
         item = item->next)
        if (!has_item(ours, item->name))
            return refuse_field(matching, item->name);
    return PST_OK;
}

static bool
is_role(const struct login_document *login, struct pst_text variable)
{
    return pst_text_equal(variable, PST_TEXT("password")) ||
           (!pst_text_is_absent(login->name_variable) &&
            pst_text_equal(variable, login->name_variable));
}

static bool
is_string(struct value value)
{
    return value.json ? pst_json_kind(value.json) == PST_JSON_STRING
                      : value.literal->kind == PST_GRAPHQL_STRING;
}

static enum pst_err
refuse_name(const struct matching *matching, const char *why)
{
    struct pst_text name = matching->login->name_variable;

    return login_refuse(matching->why, "the login's name ($%.*s) %s",
                        (int)name.len, name.ptr, why);
}

static enum pst_err
refuse_password(const struct matching *matching)
{
    return login_refuse(matching->why, "the login's password is no string");
}

/* Give one of our variables a value; a second one must be the same. A name and
 * a password are strings, and nothing else is written out for them. */
static enum pst_err
bind_variable(struct matching *matching, struct pst_text name,
              struct value value)
{
    const struct pst_graphql_variable *variable;
    struct pst_text text;
    size_t index = 0;
    enum pst_err e;

    if (!is_given(value))
        return PST_OK;
    for (variable = matching->login->operation->variables;
         !pst_text_equal(variable->name, name); variable = variable->next)
        index++;
    if (is_role(matching->login, name)) {
        matching->is_related = true;
        if (!is_string(value))
            return pst_text_equal(name, PST_TEXT("password"))
                       ? refuse_password(matching)
                       : refuse_name(matching, "is no string");
    }
    e = value_text(matching, value, &text);
    if (e)
        return e;
    if (!pst_text_is_absent(matching->bound[index]) &&
        !pst_text_equal(matching->bound[index], text))
        return login_refuse(matching->why,
                            "the login gives two values to what is one, "
                            "$%.*s, in the configured login document",
                            (int)name.len, name.ptr);
    matching->bound[index] = text;
    return PST_OK;
}

/* Is there a name or a password of ours in these values? */
static bool
has_role(const struct login_document *login,
         const struct pst_graphql_value *ours)
{
    for (; ours; ours = ours->next)
        if ((ours->kind == PST_GRAPHQL_VARIABLE &&
             is_role(login, ours->text)) ||
            has_role(login, ours->items))
            return true;
    return false;
}

static bool
is_null(struct value value)
{
    return value.json
               ? pst_json_kind(value.json) == PST_JSON_NULL
               : value.literal && value.literal->kind == PST_GRAPHQL_NULL;
}

static enum pst_err match_value(struct matching *matching,
                                const struct pst_graphql_value *ours,
                                struct value theirs);

/* All of ours, even after one does not fit: whether a name or a password is
 * among them matters more. */
static enum pst_err
match_items(struct matching *matching, const struct pst_graphql_value *ours,
            struct value theirs)
{
    const struct pst_graphql_value *item;
    enum pst_err first = check_names(matching, ours, theirs);

    for (item = ours; item; item = item->next) {
        enum pst_err e =
            match_value(matching, item, field_of(matching, theirs, item->name));

        if (!first || e == PST_NO_MEMORY)
            first = e;
    }
    return first;
}

static enum pst_err
match_value(struct matching *matching, const struct pst_graphql_value *ours,
            struct value theirs)
{
    struct value constant = {ours, NULL};
    struct pst_text want;
    struct pst_text have;
    enum pst_err e;

    if (ours->kind == PST_GRAPHQL_VARIABLE)
        return bind_variable(matching, ours->text, theirs);
    if (ours->kind == PST_GRAPHQL_OBJECT &&
        (!is_given(theirs) || is_object(theirs)))
        return match_items(matching, ours->items, theirs);
    /* A list of one object may pass for the object at the backend: what it
     * hides may be a guess. */
    if (!is_null(theirs) && is_given(theirs) &&
        has_role(matching->login, ours->items))
        matching->is_related = true;
    e = value_text(matching, constant, &want);
    if (!e && is_given(theirs))
        e = value_text(matching, theirs, &have);
    if (e)
        return e;
    if (is_given(theirs) && is_list(theirs) == is_list(constant) &&
        pst_text_equal(want, have))
        return PST_OK;
    return login_refuse(matching->why,
                        "%.*s has another value than in the configured login "
                        "document (POSTERN_LOGIN_DOCUMENT)",
                        (int)ours->name.len, ours->name.ptr);
}

/* What the variables amount to. */

static struct pst_text
bound_value(const struct matching *matching, struct pst_text name)
{
    const struct pst_graphql_variable *variable;
    size_t index = 0;

    for (variable = matching->login->operation->variables; variable;
         variable = variable->next) {
        if (pst_text_equal(variable->name, name))
            return matching->bound[index];
        index++;
    }
    return PST_NO_TEXT;
}

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* A name must be a string; so must a password. */
static enum pst_err
check_roles(const struct matching *matching, struct login_match *match)
{
    const struct login_document *login = matching->login;
    struct pst_text password = bound_value(matching, PST_TEXT("password"));
    struct pst_text name = PST_NO_TEXT;
    const struct pst_json *value;
    enum pst_err e = PST_OK;

    match->remember = pst_text_equal(
        bound_value(matching, PST_TEXT("rememberMe")), PST_TEXT("true"));
    match->name = PST_NO_TEXT;
    if (!pst_text_is_absent(login->name_variable))
        name = bound_value(matching, login->name_variable);
    if (!pst_text_is_absent(name))
        e = pst_json_parse(matching->arena, name, &value);
    if (e)
        return e;
    if (!pst_text_is_absent(name))
        match->name = pst_json_text(value);
    if (!pst_text_is_absent(login->name_variable) &&
        pst_text_is_absent(match->name))
        return refuse_name(matching, "is no string");
    /* What JSON's escapes make of half a pair: some backends drop it, and
     * then have another name than the one that was counted. */
    if (pst_text_contains(match->name, PST_TEXT(REPLACEMENT)))
        return refuse_name(matching, "has U+FFFD or half of a surrogate pair");
    if (login->has_password && !pst_text_starts(password, PST_TEXT("\"")))
        return refuse_password(matching);
    return PST_OK;
}

/* {"email":…}: what our document is sent with. */
static enum pst_err
emit_variables(const struct matching *matching, struct pst_text *out)
{
    const struct pst_graphql_variable *variable;
    struct pst_buf buf;
    size_t index = 0;

    pst_buf_init_hold(&buf, matching->arena, PST_HOLD_MAX);
    pst_buf_add_char(&buf, '{');
    for (variable = matching->login->operation->variables; variable;
         variable = variable->next) {
        struct pst_text value = matching->bound[index++];

        if (pst_text_is_absent(value) && variable->is_required &&
            !variable->value)
            return login_refuse(matching->why,
                                "the login lacks a value for $%.*s of the "
                                "configured login document",
                                (int)variable->name.len, variable->name.ptr);
        if (pst_text_is_absent(value))
            continue;
        if (pst_buf_text(&buf).len > 1)
            pst_buf_add_char(&buf, ',');
        pst_json_emit_string(&buf, variable->name);
        pst_buf_add_char(&buf, ':');
        pst_buf_add(&buf, value);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_end(&buf, out);
}

static size_t
count_variables(const struct login_document *login)
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
match_one(struct matching *matching, struct login_match *match)
{
    const struct pst_graphql_value arguments = {
        .kind = PST_GRAPHQL_OBJECT,
        .items = matching->request->field->arguments};
    size_t count = count_variables(matching->login);
    enum pst_err e;

    matching->bound =
        pst_arena_alloc(matching->arena, count * sizeof(*matching->bound));
    if (!matching->bound)
        return PST_NO_MEMORY;
    e = match_items(matching, matching->login->field->arguments,
                    (struct value){&arguments, NULL});
    if (!e)
        e = check_roles(matching, match);
    if (!e)
        e = emit_variables(matching, &match->variables);
    if (!e)
        match->login = matching->login;
    return e;
}

enum pst_err
login_match(struct pst_arena *arena, const struct config *config,
            const struct login_request *request, struct login_match *out,
            struct login_why *why)
{
    struct matching matching = {.arena = arena, .request = request, .why = why};
    struct login_match match = {.login = NULL};
    bool is_related = config->backend.token_place == PLACE_JSON;
    enum pst_err e = PST_OK;

    if (!pst_text_is_absent(request->variables))
        e = pst_json_parse(arena, request->variables, &matching.variables);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_MALFORMED;
    if (pst_json_count(matching.variables) > VARIABLES_MAX)
        return login_refuse(why, "a login has at most %d variables",
                            VARIABLES_MAX);
    e = PST_LOGIN_SHAPE;
    for (size_t i = 0; i < config->backend.login_count && e == PST_LOGIN_SHAPE;
         i++) {
        matching.login = &config->backend.logins[i];
        if (!pst_text_equal(matching.login->field->name, request->field->name))
            continue;
        e = match_one(&matching, &match);
        is_related = is_related || matching.is_related;
    }
    if (e == PST_LOGIN_SHAPE && !is_related) {
        match = (struct login_match){.variables = PST_NO_TEXT};
        e = PST_OK;
    }
    if (!e)
        *out = match;
    return e;
}
