/* SPDX-License-Identifier: ISC */
/*
 * login_shape.c - an answer to our login document in the client's shape.
 *
 * Both selections are walked side by side: at each level the client's fields,
 * through fragments, are looked up by name among ours.
 */
#include "gateway/login_shape.h"

#include "base/limits.h"
#include "graphql/print.h"

/* Fields that one login's selection may have, fragments spread out. */
#define FIELDS_MAX 1000

/* Some selection sets that are one: those of all fields of one key. */
struct sets {
    const struct pst_graphql_selection *set;
    struct sets *next;
};

/* A field of a level. */
struct field {
    const struct pst_graphql_selection *selection; /* the first of its key */
    struct sets *sets;                             /* below it */
    struct field *next;
};

struct level {
    struct field *fields;
    struct field **end;
};

/* One walk. */
struct walk {
    const struct login_shape *shape;
    const struct login_answer *answer; /* NULL: only check */
    size_t visited;
    struct pst_buf buf;
};

static struct pst_str
field_response_key(const struct field *field)
{
    return pst_graphql_response_key(field->selection);
}

static bool
field_is_typename(const struct field *field)
{
    return pst_str_equal(field->selection->name, PST_STR("__typename"));
}

/* The levels of both selections. */

/* Are these the same values in the same order? A variable is never known to
 * be another one. */
static bool
arguments_are_equal(const struct pst_graphql_value *a,
                    const struct pst_graphql_value *b)
{
    for (; a && b; a = a->next, b = b->next)
        if (a->kind == PST_GRAPHQL_VARIABLE || a->kind != b->kind ||
            !pst_str_equal(a->name, b->name) ||
            !pst_str_equal(a->text, b->text) ||
            !arguments_are_equal(a->items, b->items))
            return false;
    return !a && !b;
}

/* Say of a field what is wrong with it: the rest of a sentence. */
static enum pst_err
refuse_login_selection(const struct walk *walk, struct pst_str name,
                       const char *problem)
{
    return login_refuse(walk->shape->reason, "%.*s %s", (int)name.len, name.ptr,
                        problem);
}

/* Put a field on its level, or its selection set to one of the same key. */
static enum pst_err
level_add_field(struct walk *walk, struct level *level,
                const struct pst_graphql_selection *selection)
{
    struct pst_arena *arena = walk->shape->arena;
    struct field *field = level->fields;
    struct sets *sets = pst_arena_alloc(arena, sizeof(*sets));
    struct sets **end;

    if (!sets)
        return PST_NO_MEMORY;
    sets->set = selection->selections;
    while (field && !pst_str_equal(field_response_key(field),
                                   pst_graphql_response_key(selection)))
        field = field->next;
    if (field) {
        end = &field->sets;
        if (!pst_str_equal(field->selection->name, selection->name) ||
            !arguments_are_equal(field->selection->arguments,
                                 selection->arguments) ||
            !field->selection->selections != !selection->selections)
            return refuse_login_selection(
                walk, pst_graphql_response_key(selection),
                "stands for two different fields of the login");
        while (*end)
            end = &(*end)->next;
        *end = sets;
        return PST_OK;
    }
    field = pst_arena_alloc(arena, sizeof(*field));
    if (!field)
        return PST_NO_MEMORY;
    *field = (struct field){.selection = selection, .sets = sets};
    *level->end = field;
    level->end = &field->next;
    return PST_OK;
}

/* Decides whether a condition on a type holds for the value at hand. */
struct condition {
    const struct sets *ours; /* of the value's level */
    const struct pst_json *value;
    bool is_ours; /* the selection that is walked is our own */
};

/* Is there a condition on this type in our selection of this level? */
static bool
selections_have_condition(const struct pst_graphql_selection *set,
                          struct pst_str type)
{
    for (; set; set = set->next) {
        if (set->kind == PST_GRAPHQL_FIELD)
            continue;
        if (set->kind == PST_GRAPHQL_SPREAD
                ? pst_str_equal(set->fragment->type, type) ||
                      selections_have_condition(set->fragment->selections, type)
                : pst_str_equal(set->type, type) ||
                      selections_have_condition(set->selections, type))
            return true;
    }
    return false;
}

/* The mark that our document asked of every value of this type. */
static bool
value_has_type_key(const struct pst_json *value, struct pst_str type)
{
    char room[256];
    struct pst_buf buf;

    pst_buf_init(&buf, room, sizeof(room));
    pst_buf_add_string(&buf, PST_GRAPHQL_TYPE_KEY_PREFIX);
    pst_buf_add(&buf, type);
    return !buf.err && pst_json_get(value, pst_buf_str(&buf));
}

static enum pst_err
evaluate_type_condition(struct walk *walk, const struct condition *condition,
                        struct pst_str type, bool *holds)
{
    const struct sets *ours;

    *holds = true;
    if (pst_str_is_absent(type) || !condition->value)
        return PST_OK; /* no condition, or nothing to decide about yet */
    if (pst_str_equal(type, pst_json_string(pst_json_get(
                                condition->value, PST_STR("__typename")))))
        return PST_OK;
    *holds = value_has_type_key(condition->value, type);
    if (*holds || condition->is_ours)
        return PST_OK;
    for (ours = condition->ours; ours; ours = ours->next)
        if (selections_have_condition(ours->set, type))
            return PST_OK;
    return login_refuse(walk->shape->reason,
                        "the login document (POSTERN_LOGIN_DOCUMENT) has no "
                        "condition on type %.*s",
                        (int)type.len, type.ptr);
}

static enum pst_err
level_add_selections(struct walk *walk, struct level *level,
                     const struct condition *condition,
                     const struct pst_graphql_selection *set)
{
    enum pst_err e = PST_OK;

    for (; set && !e; set = set->next) {
        bool is_spread = set->kind == PST_GRAPHQL_SPREAD;
        bool holds;

        if (++walk->visited > FIELDS_MAX && !walk->answer)
            return login_refuse(walk->shape->reason,
                                "the login selects too many "
                                "fields");
        if (set->directives || (is_spread && set->fragment->directives))
            return login_refuse(walk->shape->reason,
                                "a login cannot have "
                                "directives: leave them out");
        if (set->kind == PST_GRAPHQL_FIELD) {
            e = level_add_field(walk, level, set);
            continue;
        }
        e = evaluate_type_condition(walk, condition,
                                    is_spread ? set->fragment->type : set->type,
                                    &holds);
        if (!e && holds)
            e = level_add_selections(walk, level, condition,
                                     is_spread ? set->fragment->selections
                                               : set->selections);
    }
    return e;
}

/* The fields of a level, for a value or for all that may stand there. */
static enum pst_err
level_collect_fields(struct walk *walk, const struct sets *sets,
                     const struct condition *condition, struct level *level)
{
    enum pst_err e = PST_OK;

    level->fields = NULL;
    level->end = &level->fields;
    for (; sets && !e; sets = sets->next)
        e = level_add_selections(walk, level, condition, sets->set);
    return e;
}

/* Our field that answers the client's. */
static const struct field *
find_configured_field(const struct level *ours, const struct field *theirs)
{
    const struct field *field;

    for (field = ours->fields; field; field = field->next)
        if (pst_str_equal(field->selection->name, theirs->selection->name) &&
            arguments_are_equal(field->selection->arguments,
                                theirs->selection->arguments))
            return field;
    return NULL;
}

/* Writing. */

/* Whose value a field has: ours is the token's where it is the very field
 * that the pointer leads to. */
static void
emit_secret_field(struct walk *walk, const struct field *ours)
{
    const struct login_shape *shape = walk->shape;
    bool is_token =
        document_find_field(shape->ours->field, shape->config->backend.token) ==
        ours->selection;

    if (is_token && !pst_str_is_absent(walk->answer->token))
        pst_json_emit_string(&walk->buf, walk->answer->token);
    else
        pst_buf_add_string(&walk->buf, "null");
}

static enum pst_err walk_shape_level(struct walk *walk, const struct sets *ours,
                                     const struct sets *theirs,
                                     const struct pst_json *value);

/* A list is walked element by element; all else but objects is a leaf. */
static enum pst_err
emit_shaped_value(struct walk *walk, const struct field *ours,
                  const struct field *theirs, const struct pst_json *value)
{
    enum pst_json_kind kind = pst_json_kind(value);
    enum pst_err e = PST_OK;

    if (kind == PST_JSON_ARRAY) {
        pst_buf_add_char(&walk->buf, '[');
        for (size_t i = 0; i < pst_json_count(value) && !e; i++) {
            if (i > 0)
                pst_buf_add_char(&walk->buf, ',');
            e = emit_shaped_value(walk, ours, theirs,
                                  pst_json_element(value, i));
        }
        pst_buf_add_char(&walk->buf, ']');
        return e;
    }
    if (kind == PST_JSON_OBJECT && theirs->selection->selections)
        return walk_shape_level(walk, ours->sets, theirs->sets, value);
    if (kind == PST_JSON_OBJECT || kind == PST_JSON_ABSENT)
        pst_buf_add_string(&walk->buf, "null");
    else
        pst_json_emit(&walk->buf, value);
    return PST_OK;
}

/* One field of the client's, checked or written. */
static enum pst_err
walk_shape_field(struct walk *walk, const struct field *ours,
                 const struct field *theirs, const struct pst_json *value)
{
    bool is_secret = config_backend_is_secret(&walk->shape->config->backend,
                                              ours->selection->name);

    if (!ours->selection->selections != !theirs->selection->selections)
        return refuse_login_selection(
            walk, theirs->selection->name,
            "of the login must be selected as it is in the "
            "configured login document");
    if (!value)
        return theirs->selection->selections
                   ? walk_shape_level(walk, ours->sets, theirs->sets, NULL)
                   : PST_OK;
    if (walk->buf.len > 0 && walk->buf.ptr[walk->buf.len - 1] != '{')
        pst_buf_add_char(&walk->buf, ',');
    pst_json_emit_string(&walk->buf, field_response_key(theirs));
    pst_buf_add_char(&walk->buf, ':');
    if (is_secret) {
        emit_secret_field(walk, ours);
        return PST_OK;
    }
    return emit_shaped_value(walk, ours, theirs,
                             pst_json_get(value, field_response_key(ours)));
}

/*
 * One level of both selections.
 *   value  the object that stands there; NULL: check only
 */
static enum pst_err
walk_shape_level(struct walk *walk, const struct sets *ours,
                 const struct sets *theirs, const struct pst_json *value)
{
    const struct condition own = {ours, value, true};
    const struct condition client = {ours, value, false};
    const struct field *field;
    struct level have;
    struct level want;
    enum pst_err e = level_collect_fields(walk, ours, &own, &have);

    if (!e)
        e = level_collect_fields(walk, theirs, &client, &want);
    if (e)
        return e;
    if (value)
        pst_buf_add_char(&walk->buf, '{');
    for (field = want.fields; field && !e; field = field->next) {
        const struct field *our_field = find_configured_field(&have, field);

        if (!our_field)
            return refuse_login_selection(
                walk, field->selection->name,
                "of the login is not in the configured login "
                "document: POSTERN_LOGIN_DOCUMENT can add it");
        e = walk_shape_field(walk, our_field, field, value);
    }
    if (value)
        pst_buf_add_char(&walk->buf, '}');
    return e;
}

/* The root: our one field, and __typename, whatever conditions stand there. */
static enum pst_err
walk_shape_root(struct walk *walk, const struct pst_json *data)
{
    const struct sets ours = {walk->shape->ours->operation->selections, NULL};
    const struct sets theirs = {walk->shape->theirs->operation->selections,
                                NULL};
    const struct condition any = {NULL, NULL, false};
    const struct field *field;
    struct level have;
    struct level want;
    enum pst_err e = level_collect_fields(walk, &ours, &any, &have);

    if (!e)
        e = level_collect_fields(walk, &theirs, &any, &want);
    if (!e && data)
        pst_buf_add_char(&walk->buf, '{');
    for (field = e ? NULL : want.fields; field && !e; field = field->next) {
        const struct field *our_field = have.fields;

        /* Its arguments were matched by value, in login_match(). */
        while (field_is_typename(our_field) != field_is_typename(field))
            our_field = our_field->next;
        e = walk_shape_field(walk, our_field, field, data);
    }
    if (!e && data)
        pst_buf_add_char(&walk->buf, '}');
    return e;
}

/* Errors. */

/* The client's key for one of ours; its level moves down in both. */
static struct pst_str
translate_path_key(struct walk *walk, const struct sets **ours,
                   const struct sets **theirs, struct pst_str key)
{
    const struct condition any = {*ours, NULL, false};
    const struct field *our_field;
    struct level have;
    struct level want;

    if (level_collect_fields(walk, *ours, &any, &have) != PST_OK ||
        level_collect_fields(walk, *theirs, &any, &want) != PST_OK)
        return PST_STR_NONE;
    for (our_field = have.fields;
         our_field && !pst_str_equal(field_response_key(our_field), key);)
        our_field = our_field->next;
    for (const struct field *field = our_field ? want.fields : NULL; field;
         field = field->next) {
        if (!pst_str_equal(field->selection->name, our_field->selection->name))
            continue;
        *ours = our_field->sets;
        *theirs = field->sets;
        return field_response_key(field);
    }
    return PST_STR_NONE;
}

/* A path in the client's keys, up to what the client did not select. */
static void
emit_error_path(struct walk *walk, const struct pst_json *path)
{
    const struct sets our_root = {walk->shape->ours->operation->selections,
                                  NULL};
    const struct sets their_root = {walk->shape->theirs->operation->selections,
                                    NULL};
    const struct sets *ours = &our_root;
    const struct sets *theirs = &their_root;

    pst_buf_add_char(&walk->buf, '[');
    for (size_t i = 0; i < pst_json_count(path); i++) {
        const struct pst_json *step = pst_json_element(path, i);
        struct pst_str key = pst_json_string(step);

        if (!pst_str_is_absent(key)) {
            key = translate_path_key(walk, &ours, &theirs, key);
            if (pst_str_is_absent(key))
                break;
        }
        if (i > 0)
            pst_buf_add_char(&walk->buf, ',');
        if (pst_str_is_absent(key))
            pst_json_emit(&walk->buf, step);
        else
            pst_json_emit_string(&walk->buf, key);
    }
    pst_buf_add_char(&walk->buf, ']');
}

static void
emit_login_error(struct walk *walk, const struct pst_json *error)
{
    size_t count =
        pst_json_kind(error) == PST_JSON_OBJECT ? pst_json_count(error) : 0;

    pst_buf_add_char(&walk->buf, '{');
    for (size_t i = 0; i < count; i++) {
        struct pst_str name;
        const struct pst_json *value = pst_json_member(error, i, &name);

        if (pst_str_equal(name, PST_STR("locations")))
            continue;
        if (walk->buf.len > 0 && walk->buf.ptr[walk->buf.len - 1] != '{')
            pst_buf_add_char(&walk->buf, ',');
        pst_json_emit_string(&walk->buf, name);
        pst_buf_add_char(&walk->buf, ':');
        if (pst_str_equal(name, PST_STR("path")) &&
            pst_json_kind(value) == PST_JSON_ARRAY)
            emit_error_path(walk, value);
        else
            pst_json_emit(&walk->buf, value);
    }
    pst_buf_add_char(&walk->buf, '}');
}

static void
emit_login_errors(struct walk *walk, const struct pst_json *errors)
{
    pst_buf_add_string(&walk->buf, "\"errors\":[");
    for (size_t i = 0; i < pst_json_count(errors); i++) {
        if (i > 0)
            pst_buf_add_char(&walk->buf, ',');
        emit_login_error(walk, pst_json_element(errors, i));
    }
    pst_buf_add_char(&walk->buf, ']');
}

/* A secret that stands anywhere else, in an error's words for one. */
static enum pst_err
redact_login_secret(const struct walk *walk, struct pst_str *body)
{
    struct pst_buf buf;

    if (walk->answer->secret.len == 0)
        return PST_OK;
    pst_buf_init_heap(&buf, walk->shape->arena, 2 * PST_BUFFERED_BODY_MAX);
    pst_json_redact(&buf, *body, walk->answer->secret, PST_STR("null"));
    return pst_buf_finish(&buf, body);
}

enum pst_err
login_shape_check(const struct login_shape *shape)
{
    struct walk walk = {.shape = shape};

    return walk_shape_root(&walk, NULL);
}

enum pst_err
login_shape_emit(const struct login_shape *shape,
                 const struct login_answer *answer, struct pst_str *out)
{
    const struct pst_json *errors =
        pst_json_get(answer->root, PST_STR("errors"));
    const struct pst_json *data = pst_json_get(answer->root, PST_STR("data"));
    struct walk walk = {.shape = shape, .answer = answer};
    struct pst_str body;
    enum pst_err e = PST_OK;

    pst_buf_init_heap(&walk.buf, shape->arena, 2 * PST_BUFFERED_BODY_MAX);
    pst_buf_add_char(&walk.buf, '{');
    if (pst_json_kind(errors) == PST_JSON_ARRAY)
        emit_login_errors(&walk, errors);
    if (data) {
        if (walk.buf.len > 1)
            pst_buf_add_char(&walk.buf, ',');
        pst_buf_add_string(&walk.buf, "\"data\":");
        if (pst_json_kind(data) == PST_JSON_OBJECT)
            e = walk_shape_root(&walk, data);
        else
            pst_buf_add_string(&walk.buf, "null");
    }
    pst_buf_add_char(&walk.buf, '}');
    if (!e)
        e = pst_buf_finish(&walk.buf, &body);
    if (!e)
        e = redact_login_secret(&walk, &body);
    if (!e)
        *out = body;
    return e;
}
