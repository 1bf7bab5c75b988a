/* SPDX-License-Identifier: ISC */
/*
 * login_selection.c - collect the fields of a GraphQL selection set at one
 * level of the response ("CollectFields" in the specification).
 */
#include "gateway/login_selection.h"

#include "base/buffer.h"
#include "graphql/parser.h"
#include "graphql/print.h"

/* Selections in a client's login, fragments resolved. */
#define FIELDS_MAX 1000

struct pst_str
login_field_key(const struct login_field *field)
{
    return pst_graphql_response_key(field->selection);
}

bool
login_field_is_typename(const struct login_field *field)
{
    return pst_str_equal(field->selection->name, PST_STR("__typename"));
}

/* Are these the same values in the same order? Variables never count as equal:
 * their values are not known here. */
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

static enum pst_err
refuse_two_fields(const struct login_selection_reader *reader,
                  struct pst_str key)
{
    return login_refuse(reader->reason,
                        "%.*s is the response key of two different fields of "
                        "the login: give one of them another alias",
                        (int)key.len, key.ptr);
}

/* Add a field to its level, or its selection set to the field of the same key.
 */
static enum pst_err
level_add_field(struct login_selection_reader *reader,
                struct login_level *level,
                const struct pst_graphql_selection *selection)
{
    struct pst_arena *arena = reader->arena;
    struct login_field *field = level->fields;
    struct login_selection_sets *sets = pst_arena_alloc(arena, sizeof(*sets));
    struct login_selection_sets **end;

    if (!sets)
        return PST_NO_MEMORY;
    sets->set = selection->selections;
    while (field && !pst_str_equal(login_field_key(field),
                                   pst_graphql_response_key(selection)))
        field = field->next;
    if (field) {
        end = &field->sets;
        if (!pst_str_equal(field->selection->name, selection->name) ||
            !arguments_are_equal(field->selection->arguments,
                                 selection->arguments) ||
            !field->selection->selections != !selection->selections)
            return refuse_two_fields(reader,
                                     pst_graphql_response_key(selection));
        while (*end)
            end = &(*end)->next;
        *end = sets;
        return PST_OK;
    }
    field = pst_arena_alloc(arena, sizeof(*field));
    if (!field)
        return PST_NO_MEMORY;
    *field = (struct login_field){.selection = selection, .sets = sets};
    *level->tail = field;
    level->tail = &field->next;
    return PST_OK;
}

/* Does the configured selection of this level have a condition on this type? */
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

/* Has the value the field that marks values of this type? See
 * pst_graphql_print_with_typename(). */
static bool
value_has_type_key(const struct pst_json *value, struct pst_str type)
{
    char storage[256];
    struct pst_buf buf;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add_string(&buf, PST_GRAPHQL_TYPE_KEY_PREFIX);
    pst_buf_add(&buf, type);
    return !buf.err && pst_json_get(value, pst_buf_str(&buf));
}

static enum pst_err
evaluate_type_condition(struct login_selection_reader *reader,
                        const struct login_type_condition *condition,
                        struct pst_str type, bool *holds)
{
    const struct login_selection_sets *sets;

    *holds = true;
    if (pst_str_is_absent(type) || !condition->value)
        return PST_OK; /* no condition, or no value yet */
    if (pst_str_equal(type, pst_json_string(pst_json_get(
                                condition->value, PST_STR("__typename")))))
        return PST_OK;
    *holds = value_has_type_key(condition->value, type);
    if (*holds || condition->is_configured)
        return PST_OK;
    for (sets = condition->configured; sets; sets = sets->next)
        if (selections_have_condition(sets->set, type))
            return PST_OK;
    return login_refuse(reader->reason,
                        "the login document (POSTERN_LOGIN_DOCUMENT) has no "
                        "condition on type %.*s",
                        (int)type.len, type.ptr);
}

static enum pst_err
level_add_selections(struct login_selection_reader *reader,
                     struct login_level *level,
                     const struct login_type_condition *condition,
                     const struct pst_graphql_selection *set)
{
    enum pst_err e = PST_OK;

    for (; set && !e; set = set->next) {
        bool is_spread = set->kind == PST_GRAPHQL_SPREAD;
        bool holds;

        if (++reader->visited > FIELDS_MAX && reader->is_limited)
            return login_refuse(reader->reason, "the login selects too many "
                                                "fields");
        if (set->directives || (is_spread && set->fragment->directives))
            return login_refuse(reader->reason, "a login cannot have "
                                                "directives: leave them out");
        if (set->kind == PST_GRAPHQL_FIELD) {
            e = level_add_field(reader, level, set);
            continue;
        }
        e = evaluate_type_condition(reader, condition,
                                    is_spread ? set->fragment->type : set->type,
                                    &holds);
        if (!e && holds)
            e = level_add_selections(reader, level, condition,
                                     is_spread ? set->fragment->selections
                                               : set->selections);
    }
    return e;
}

enum pst_err
login_level_collect(struct login_selection_reader *reader,
                    const struct login_selection_sets *sets,
                    const struct login_type_condition *condition,
                    struct login_level *level)
{
    enum pst_err e = PST_OK;

    level->fields = NULL;
    level->tail = &level->fields;
    for (; sets && !e; sets = sets->next)
        e = level_add_selections(reader, level, condition, sets->set);
    return e;
}

const struct login_field *
login_level_find(const struct login_level *ours,
                 const struct login_field *theirs)
{
    const struct login_field *field;

    for (field = ours->fields; field; field = field->next)
        if (pst_str_equal(field->selection->name, theirs->selection->name) &&
            arguments_are_equal(field->selection->arguments,
                                theirs->selection->arguments))
            return field;
    return NULL;
}
