/* SPDX-License-Identifier: ISC */
/*
 * login_shape.c - turn the backend's answer to the configured login document
 * into an answer to the client's document.
 *
 * Both selections are walked in parallel. At each level the client's fields are
 * looked up among the configured ones. "ours" is the configured document,
 * "theirs" the client's.
 */
#include "gateway/login_shape.h"

#include "base/limits.h"
#include "gateway/login_selection.h"

/* The state of one walk through both selections. */
struct walk {
    const struct login_shape *shape;
    const struct login_answer *answer; /* NULL: only check */
    struct login_selection_reader reader;
    struct pst_buf buf;
};

/* Refuse a field; `problem` follows its name in the message. */
static enum pst_err
refuse_login_selection(const struct walk *walk, struct pst_str name,
                       const char *problem)
{
    return login_refuse(walk->shape->reason, "%.*s %s", (int)name.len, name.ptr,
                        problem);
}

/* Data. */

/* Write a secret field: our token if it is the field of POSTERN_UPSTREAM_TOKEN,
 * else null. */
static void
emit_secret_field(struct walk *walk, const struct login_field *ours)
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

static enum pst_err walk_shape_level(struct walk *walk,
                                     const struct login_selection_sets *ours,
                                     const struct login_selection_sets *theirs,
                                     const struct pst_json *value);

/* Write a value: lists element by element, objects level by level, anything
 * else as it is. */
static enum pst_err
emit_shaped_value(struct walk *walk, const struct login_field *ours,
                  const struct login_field *theirs,
                  const struct pst_json *value)
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

/* Check or write one field of the client's selection. */
static enum pst_err
walk_shape_field(struct walk *walk, const struct login_field *ours,
                 const struct login_field *theirs, const struct pst_json *value)
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
    pst_json_emit_string(&walk->buf, login_field_key(theirs));
    pst_buf_add_char(&walk->buf, ':');
    if (is_secret) {
        emit_secret_field(walk, ours);
        return PST_OK;
    }
    return emit_shaped_value(walk, ours, theirs,
                             pst_json_get(value, login_field_key(ours)));
}

/*
 * Check or write one level of both selections.
 *   value  the object at this level; NULL: only check
 */
static enum pst_err
walk_shape_level(struct walk *walk, const struct login_selection_sets *ours,
                 const struct login_selection_sets *theirs,
                 const struct pst_json *value)
{
    const struct login_type_condition own = {ours, value, true};
    const struct login_type_condition client = {ours, value, false};
    const struct login_field *field;
    struct login_level have;
    struct login_level want;
    enum pst_err e = login_level_collect(&walk->reader, ours, &own, &have);

    if (!e)
        e = login_level_collect(&walk->reader, theirs, &client, &want);
    if (e)
        return e;
    if (value)
        pst_buf_add_char(&walk->buf, '{');
    for (field = want.fields; field && !e; field = field->next) {
        const struct login_field *our_field = login_level_find(&have, field);

        if (!our_field)
            return refuse_login_selection(
                walk, field->selection->name,
                "of the login is not in the configured login "
                "document: add it to POSTERN_LOGIN_DOCUMENT, or do not "
                "select it");
        e = walk_shape_field(walk, our_field, field, value);
    }
    if (value)
        pst_buf_add_char(&walk->buf, '}');
    return e;
}

/* Check or write the root level: the login field and __typename. Type
 * conditions there are not evaluated. */
static enum pst_err
walk_shape_root(struct walk *walk, const struct pst_json *data)
{
    const struct login_selection_sets ours = {
        walk->shape->ours->operation->selections, NULL};
    const struct login_selection_sets theirs = {
        walk->shape->theirs->operation->selections, NULL};
    const struct login_type_condition any = {NULL, NULL, false};
    const struct login_field *field;
    struct login_level have;
    struct login_level want;
    enum pst_err e = login_level_collect(&walk->reader, &ours, &any, &have);

    if (!e)
        e = login_level_collect(&walk->reader, &theirs, &any, &want);
    if (!e && data)
        pst_buf_add_char(&walk->buf, '{');
    for (field = e ? NULL : want.fields; field && !e; field = field->next) {
        const struct login_field *our_field = have.fields;

        /* login_match() has compared the arguments. */
        while (login_field_is_typename(our_field) !=
               login_field_is_typename(field))
            our_field = our_field->next;
        e = walk_shape_field(walk, our_field, field, data);
    }
    if (!e && data)
        pst_buf_add_char(&walk->buf, '}');
    return e;
}

/* Errors. */

/* Translate a response key of the configured document to the client's, and move
 * both selections one level down. Returns an absent string if the client did
 * not select the field. */
static struct pst_str
translate_path_key(struct walk *walk, const struct login_selection_sets **ours,
                   const struct login_selection_sets **theirs,
                   struct pst_str key)
{
    const struct login_type_condition any = {*ours, NULL, false};
    const struct login_field *our_field;
    struct login_level have;
    struct login_level want;

    if (login_level_collect(&walk->reader, *ours, &any, &have) != PST_OK ||
        login_level_collect(&walk->reader, *theirs, &any, &want) != PST_OK)
        return PST_STR_NONE;
    for (our_field = have.fields;
         our_field && !pst_str_equal(login_field_key(our_field), key);)
        our_field = our_field->next;
    for (const struct login_field *field = our_field ? want.fields : NULL;
         field; field = field->next) {
        if (!pst_str_equal(field->selection->name, our_field->selection->name))
            continue;
        *ours = our_field->sets;
        *theirs = field->sets;
        return login_field_key(field);
    }
    return PST_STR_NONE;
}

/* Write an error's path with the client's keys, up to the first field that the
 * client did not select. */
static void
emit_error_path(struct walk *walk, const struct pst_json *path)
{
    const struct login_selection_sets our_root = {
        walk->shape->ours->operation->selections, NULL};
    const struct login_selection_sets their_root = {
        walk->shape->theirs->operation->selections, NULL};
    const struct login_selection_sets *ours = &our_root;
    const struct login_selection_sets *theirs = &their_root;

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

/* Remove a secret from everywhere else, such as the message of an error. */
static enum pst_err
redact_login_secret(const struct walk *walk, struct pst_str secret,
                    struct pst_str *body)
{
    struct pst_buf buf;

    if (secret.len == 0)
        return PST_OK;
    pst_buf_init_heap(&buf, walk->shape->arena, 2 * PST_BUFFERED_BODY_MAX);
    pst_json_redact(&buf, *body, secret, PST_STR("null"));
    return pst_buf_finish(&buf, body);
}

enum pst_err
login_shape_check(const struct login_shape *shape)
{
    struct walk walk = {.shape = shape,
                        .reader = {.arena = shape->arena,
                                   .reason = shape->reason,
                                   .is_limited = true}};

    return walk_shape_root(&walk, NULL);
}

enum pst_err
login_shape_emit(const struct login_shape *shape,
                 const struct login_answer *answer, struct pst_str *out)
{
    const struct pst_json *errors =
        pst_json_get(answer->root, PST_STR("errors"));
    const struct pst_json *data = pst_json_get(answer->root, PST_STR("data"));
    struct walk walk = {
        .shape = shape,
        .answer = answer,
        .reader = {.arena = shape->arena, .reason = shape->reason}};
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
        e = redact_login_secret(&walk, answer->secret, &body);
    if (!e)
        e = redact_login_secret(&walk, answer->refresh, &body);
    if (!e)
        *out = body;
    return e;
}
