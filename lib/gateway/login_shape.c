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

static struct pst_text
key_of(const struct field *field)
{
    return pst_graphql_response_key(field->selection);
}

static bool
is_typename(const struct field *field)
{
    return pst_text_equal(field->selection->name, PST_TEXT("__typename"));
}

/* The levels of both selections. */

/* Are these the same values in the same order? A variable is never known to
 * be another one. */
static bool
same_values(const struct pst_graphql_value *a,
            const struct pst_graphql_value *b)
{
    for (; a && b; a = a->next, b = b->next)
        if (a->kind == PST_GRAPHQL_VARIABLE || a->kind != b->kind ||
            !pst_text_equal(a->name, b->name) ||
            !pst_text_equal(a->text, b->text) ||
            !same_values(a->items, b->items))
            return false;
    return !a && !b;
}

/* Say of a field what is wrong with it: the rest of a sentence. */
static enum pst_err
refuse(const struct walk *walk, struct pst_text name, const char *fault)
{
    return login_refuse(walk->shape->why, "%.*s %s", (int)name.len, name.ptr,
                        fault);
}

/* Put a field on its level, or its selection set to one of the same key. */
static enum pst_err
add_field(struct walk *walk, struct level *level,
          const struct pst_graphql_selection *selection)
{
    struct pst_arena *arena = walk->shape->arena;
    struct field *field = level->fields;
    struct sets *sets = pst_arena_alloc(arena, sizeof(*sets));
    struct sets **end;

    if (!sets)
        return PST_NO_MEMORY;
    sets->set = selection->selections;
    while (field &&
           !pst_text_equal(key_of(field), pst_graphql_response_key(selection)))
        field = field->next;
    if (field) {
        end = &field->sets;
        if (!pst_text_equal(field->selection->name, selection->name) ||
            !same_values(field->selection->arguments, selection->arguments) ||
            !field->selection->selections != !selection->selections)
            return refuse(walk, pst_graphql_response_key(selection),
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
has_condition(const struct pst_graphql_selection *set, struct pst_text type)
{
    for (; set; set = set->next) {
        if (set->kind == PST_GRAPHQL_FIELD)
            continue;
        if (set->kind == PST_GRAPHQL_SPREAD
                ? pst_text_equal(set->fragment->type, type) ||
                      has_condition(set->fragment->selections, type)
                : pst_text_equal(set->type, type) ||
                      has_condition(set->selections, type))
            return true;
    }
    return false;
}

/* The mark that our document asked of every value of this type. */
static bool
is_marked(const struct pst_json *value, struct pst_text type)
{
    char room[256];
    struct pst_buf buf;

    pst_buf_init(&buf, room, sizeof(room));
    pst_buf_add_string(&buf, PST_GRAPHQL_MARK);
    pst_buf_add(&buf, type);
    return !buf.err && pst_json_get(value, pst_buf_text(&buf));
}

static enum pst_err
condition_holds(struct walk *walk, const struct condition *condition,
                struct pst_text type, bool *holds)
{
    const struct sets *ours;

    *holds = true;
    if (pst_text_is_absent(type) || !condition->value)
        return PST_OK; /* no condition, or nothing to decide about yet */
    if (pst_text_equal(type, pst_json_text(pst_json_get(
                                 condition->value, PST_TEXT("__typename")))))
        return PST_OK;
    *holds = is_marked(condition->value, type);
    if (*holds || condition->is_ours)
        return PST_OK;
    for (ours = condition->ours; ours; ours = ours->next)
        if (has_condition(ours->set, type))
            return PST_OK;
    return login_refuse(walk->shape->why,
                        "the login document (POSTERN_LOGIN_DOCUMENT) has no "
                        "condition on type %.*s",
                        (int)type.len, type.ptr);
}

static enum pst_err
add_set(struct walk *walk, struct level *level,
        const struct condition *condition,
        const struct pst_graphql_selection *set)
{
    enum pst_err e = PST_OK;

    for (; set && !e; set = set->next) {
        bool is_spread = set->kind == PST_GRAPHQL_SPREAD;
        bool holds;

        if (++walk->visited > FIELDS_MAX && !walk->answer)
            return login_refuse(walk->shape->why, "the login selects too many "
                                                  "fields");
        if (set->directives || (is_spread && set->fragment->directives))
            return login_refuse(walk->shape->why, "a login cannot have "
                                                  "directives: leave them out");
        if (set->kind == PST_GRAPHQL_FIELD) {
            e = add_field(walk, level, set);
            continue;
        }
        e = condition_holds(walk, condition,
                            is_spread ? set->fragment->type : set->type,
                            &holds);
        if (!e && holds)
            e = add_set(walk, level, condition,
                        is_spread ? set->fragment->selections
                                  : set->selections);
    }
    return e;
}

/* The fields of a level, for a value or for all that may stand there. */
static enum pst_err
read_level(struct walk *walk, const struct sets *sets,
           const struct condition *condition, struct level *level)
{
    enum pst_err e = PST_OK;

    level->fields = NULL;
    level->end = &level->fields;
    for (; sets && !e; sets = sets->next)
        e = add_set(walk, level, condition, sets->set);
    return e;
}

/* Our field that answers the client's. */
static const struct field *
find_ours(const struct level *ours, const struct field *theirs)
{
    const struct field *field;

    for (field = ours->fields; field; field = field->next)
        if (pst_text_equal(field->selection->name, theirs->selection->name) &&
            same_values(field->selection->arguments,
                        theirs->selection->arguments))
            return field;
    return NULL;
}

/* Writing. */

/* Whose value a field has: ours is the token's where it is the very field
 * that the pointer leads to. */
static void
emit_secret(struct walk *walk, const struct field *ours)
{
    const struct login_shape *shape = walk->shape;
    bool is_token =
        document_find(shape->ours->field, shape->config->backend.token) ==
        ours->selection;

    if (is_token && !pst_text_is_absent(walk->answer->token))
        pst_json_emit_string(&walk->buf, walk->answer->token);
    else
        pst_buf_add_string(&walk->buf, "null");
}

static enum pst_err walk_level(struct walk *walk, const struct sets *ours,
                               const struct sets *theirs,
                               const struct pst_json *value);

/* A list is walked element by element; all else but objects is a leaf. */
static enum pst_err
emit_value(struct walk *walk, const struct field *ours,
           const struct field *theirs, const struct pst_json *value)
{
    enum pst_json_kind kind = pst_json_kind(value);
    enum pst_err e = PST_OK;

    if (kind == PST_JSON_ARRAY) {
        pst_buf_add_char(&walk->buf, '[');
        for (size_t i = 0; i < pst_json_count(value) && !e; i++) {
            if (i > 0)
                pst_buf_add_char(&walk->buf, ',');
            e = emit_value(walk, ours, theirs, pst_json_element(value, i));
        }
        pst_buf_add_char(&walk->buf, ']');
        return e;
    }
    if (kind == PST_JSON_OBJECT && theirs->selection->selections)
        return walk_level(walk, ours->sets, theirs->sets, value);
    if (kind == PST_JSON_OBJECT || kind == PST_JSON_ABSENT)
        pst_buf_add_string(&walk->buf, "null");
    else
        pst_json_emit(&walk->buf, value);
    return PST_OK;
}

/* One field of the client's, checked or written. */
static enum pst_err
walk_field(struct walk *walk, const struct field *ours,
           const struct field *theirs, const struct pst_json *value)
{
    bool is_secret = config_backend_is_secret(&walk->shape->config->backend,
                                              ours->selection->name);

    if (!ours->selection->selections != !theirs->selection->selections)
        return refuse(walk, theirs->selection->name,
                      "of the login must be selected as it is in the "
                      "configured login document");
    if (!value)
        return theirs->selection->selections
                   ? walk_level(walk, ours->sets, theirs->sets, NULL)
                   : PST_OK;
    if (walk->buf.len > 0 && walk->buf.ptr[walk->buf.len - 1] != '{')
        pst_buf_add_char(&walk->buf, ',');
    pst_json_emit_string(&walk->buf, key_of(theirs));
    pst_buf_add_char(&walk->buf, ':');
    if (is_secret) {
        emit_secret(walk, ours);
        return PST_OK;
    }
    return emit_value(walk, ours, theirs, pst_json_get(value, key_of(ours)));
}

/*
 * One level of both selections.
 *   value  the object that stands there; NULL: check only
 */
static enum pst_err
walk_level(struct walk *walk, const struct sets *ours,
           const struct sets *theirs, const struct pst_json *value)
{
    const struct condition own = {ours, value, true};
    const struct condition client = {ours, value, false};
    const struct field *field;
    struct level have;
    struct level want;
    enum pst_err e = read_level(walk, ours, &own, &have);

    if (!e)
        e = read_level(walk, theirs, &client, &want);
    if (e)
        return e;
    if (value)
        pst_buf_add_char(&walk->buf, '{');
    for (field = want.fields; field && !e; field = field->next) {
        const struct field *mine = find_ours(&have, field);

        if (!mine)
            return refuse(walk, field->selection->name,
                          "of the login is not in the configured login "
                          "document: POSTERN_LOGIN_DOCUMENT can add it");
        e = walk_field(walk, mine, field, value);
    }
    if (value)
        pst_buf_add_char(&walk->buf, '}');
    return e;
}

/* The root: our one field, and __typename, whatever conditions stand there. */
static enum pst_err
walk_root(struct walk *walk, const struct pst_json *data)
{
    const struct sets ours = {walk->shape->ours->operation->selections, NULL};
    const struct sets theirs = {walk->shape->theirs->operation->selections,
                                NULL};
    const struct condition any = {NULL, NULL, false};
    const struct field *field;
    struct level have;
    struct level want;
    enum pst_err e = read_level(walk, &ours, &any, &have);

    if (!e)
        e = read_level(walk, &theirs, &any, &want);
    if (!e && data)
        pst_buf_add_char(&walk->buf, '{');
    for (field = e ? NULL : want.fields; field && !e; field = field->next) {
        const struct field *mine = have.fields;

        /* Its arguments were matched by value, in login_match(). */
        while (is_typename(mine) != is_typename(field))
            mine = mine->next;
        e = walk_field(walk, mine, field, data);
    }
    if (!e && data)
        pst_buf_add_char(&walk->buf, '}');
    return e;
}

/* Errors. */

/* The client's key for one of ours; its level moves down in both. */
static struct pst_text
translate_key(struct walk *walk, const struct sets **ours,
              const struct sets **theirs, struct pst_text key)
{
    const struct condition any = {*ours, NULL, false};
    const struct field *mine;
    struct level have;
    struct level want;

    if (read_level(walk, *ours, &any, &have) != PST_OK ||
        read_level(walk, *theirs, &any, &want) != PST_OK)
        return PST_NO_TEXT;
    for (mine = have.fields; mine && !pst_text_equal(key_of(mine), key);)
        mine = mine->next;
    for (const struct field *field = mine ? want.fields : NULL; field;
         field = field->next) {
        if (!pst_text_equal(field->selection->name, mine->selection->name))
            continue;
        *ours = mine->sets;
        *theirs = field->sets;
        return key_of(field);
    }
    return PST_NO_TEXT;
}

/* A path in the client's keys, up to what the client did not select. */
static void
emit_path(struct walk *walk, const struct pst_json *path)
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
        struct pst_text key = pst_json_text(step);

        if (!pst_text_is_absent(key)) {
            key = translate_key(walk, &ours, &theirs, key);
            if (pst_text_is_absent(key))
                break;
        }
        if (i > 0)
            pst_buf_add_char(&walk->buf, ',');
        if (pst_text_is_absent(key))
            pst_json_emit(&walk->buf, step);
        else
            pst_json_emit_string(&walk->buf, key);
    }
    pst_buf_add_char(&walk->buf, ']');
}

static void
emit_error(struct walk *walk, const struct pst_json *error)
{
    size_t count =
        pst_json_kind(error) == PST_JSON_OBJECT ? pst_json_count(error) : 0;

    pst_buf_add_char(&walk->buf, '{');
    for (size_t i = 0; i < count; i++) {
        struct pst_text name;
        const struct pst_json *value = pst_json_member(error, i, &name);

        if (pst_text_equal(name, PST_TEXT("locations")))
            continue;
        if (walk->buf.len > 0 && walk->buf.ptr[walk->buf.len - 1] != '{')
            pst_buf_add_char(&walk->buf, ',');
        pst_json_emit_string(&walk->buf, name);
        pst_buf_add_char(&walk->buf, ':');
        if (pst_text_equal(name, PST_TEXT("path")) &&
            pst_json_kind(value) == PST_JSON_ARRAY)
            emit_path(walk, value);
        else
            pst_json_emit(&walk->buf, value);
    }
    pst_buf_add_char(&walk->buf, '}');
}

static void
emit_errors(struct walk *walk, const struct pst_json *errors)
{
    pst_buf_add_string(&walk->buf, "\"errors\":[");
    for (size_t i = 0; i < pst_json_count(errors); i++) {
        if (i > 0)
            pst_buf_add_char(&walk->buf, ',');
        emit_error(walk, pst_json_element(errors, i));
    }
    pst_buf_add_char(&walk->buf, ']');
}

/* A secret that stands anywhere else, in an error's words for one. */
static enum pst_err
redact(const struct walk *walk, struct pst_text *body)
{
    struct pst_buf buf;

    if (walk->answer->secret.len == 0)
        return PST_OK;
    pst_buf_init_hold(&buf, walk->shape->arena, 2 * PST_HOLD_MAX);
    pst_json_redact(&buf, *body, walk->answer->secret, PST_TEXT("null"));
    return pst_buf_end(&buf, body);
}

enum pst_err
login_shape_check(const struct login_shape *shape)
{
    struct walk walk = {.shape = shape};

    return walk_root(&walk, NULL);
}

enum pst_err
login_shape_emit(const struct login_shape *shape,
                 const struct login_answer *answer, struct pst_text *out)
{
    const struct pst_json *errors =
        pst_json_get(answer->root, PST_TEXT("errors"));
    const struct pst_json *data = pst_json_get(answer->root, PST_TEXT("data"));
    struct walk walk = {.shape = shape, .answer = answer};
    struct pst_text body;
    enum pst_err e = PST_OK;

    pst_buf_init_hold(&walk.buf, shape->arena, 2 * PST_HOLD_MAX);
    pst_buf_add_char(&walk.buf, '{');
    if (pst_json_kind(errors) == PST_JSON_ARRAY)
        emit_errors(&walk, errors);
    if (data) {
        if (walk.buf.len > 1)
            pst_buf_add_char(&walk.buf, ',');
        pst_buf_add_string(&walk.buf, "\"data\":");
        if (pst_json_kind(data) == PST_JSON_OBJECT)
            e = walk_root(&walk, data);
        else
            pst_buf_add_string(&walk.buf, "null");
    }
    pst_buf_add_char(&walk.buf, '}');
    if (!e)
        e = pst_buf_end(&walk.buf, &body);
    if (!e)
        e = redact(&walk, &body);
    if (!e)
        *out = body;
    return e;
}
