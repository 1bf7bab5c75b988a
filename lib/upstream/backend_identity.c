/* SPDX-License-Identifier: ISC */
/*
 * backend_identity.c - read who a user is from the backend's response to one of
 * our own documents: id, name, public fields, and when the token ends.
 */
#include "upstream/backend_identity.h"

#include "codec/date.h"
#include "server/config_backend.h"
#include "upstream/graphql_errors.h"

/* Members of the user object that are looked at. */
#define WHO_MEMBERS_MAX 64

/* Bytes of the reason of an unknown identity. */
#define WHO_REASON_MAX 256

/* Bytes of a time or a number of seconds. */
#define TTL_TEXT_MAX 256

const struct backend_identity backend_identity_unknown = {
    .known = PST_IDENTITY_UNKNOWN,
    .sub = {"", 0},
    .name = {"", 0},
    .who = {"{}", 2},
};

/*
 * A string or an integer, as text; "" for anything else. Backends give ids as
 * either.
 */
static enum pst_err
read_scalar_field(const struct backend_identity_source *source,
                  struct pst_str pointer, size_t max, struct pst_str *out)
{
    const struct pst_json *value = pst_json_at(source->value, pointer);
    struct pst_buf buf;

    *out = PST_STR("");
    if (pst_str_is_absent(pointer))
        return PST_OK;
    switch (pst_json_kind(value)) {
    case PST_JSON_STRING:
        *out = pst_json_string(value);
        return out->len > max || !pst_str_is_utf8(*out) ? PST_TOO_LARGE
                                                        : PST_OK;
    case PST_JSON_INTEGER:
        pst_buf_init_arena(&buf, source->arena, max);
        pst_json_emit(&buf, value);
        return pst_buf_finish(&buf, out);
    default:
        return PST_OK;
    }
}

static enum pst_err
read_ttl_field(const struct backend_identity_source *source, int64_t *end)
{
    struct pst_str pointer = source->backend->ttl;
    const struct pst_json *value = NULL;
    struct pst_str text;
    struct pst_buf buf;
    enum pst_err e;

    if (!pst_str_is_absent(pointer))
        value = pst_json_at(source->value, pointer);
    if (!value)
        return PST_OK;
    pst_buf_init_arena(&buf, source->arena, TTL_TEXT_MAX);
    pst_json_emit(&buf, value);
    e = pst_buf_finish(&buf, &text);
    return e ? e : pst_session_parse_ttl(source->arena, text, source->now, end);
}

/*
 * May this member of the user object be public? Only a scalar that the
 * document selects, and no secret: what counts is the real name of the field,
 * not the alias under which it was selected.
 */
static bool
is_public_field(const struct backend_identity_source *source,
                struct pst_str key, const struct pst_json *value)
{
    const struct config_backend *backend = source->backend;
    enum pst_json_kind kind = pst_json_kind(value);
    const struct pst_graphql_selection *field = NULL;
    struct pst_buf buf;

    if (kind == PST_JSON_ARRAY || kind == PST_JSON_OBJECT)
        return false;
    pst_buf_init_arena(&buf, source->arena, 1 + key.len);
    pst_buf_add_char(&buf, '/');
    pst_buf_add(&buf, key);
    if (!buf.err)
        field = document_find_field(source->field, pst_buf_str(&buf));
    if (!field || config_backend_is_secret(backend, field->name) ||
        pst_str_equal(field->name, PST_STR("__typename")))
        return false;
    return !pst_str_equal(key, PST_STR("expiresAt")) &&
           !(!pst_str_is_absent(backend->ttl) &&
             pst_str_equal(pst_buf_str(&buf), backend->ttl));
}

/* The object of the public members, such as {"email":…,"ownerId":…}. */
static enum pst_err
read_public_fields(const struct backend_identity_source *source,
                   struct pst_str *who)
{
    size_t count = pst_json_kind(source->value) == PST_JSON_OBJECT
                       ? pst_json_count(source->value)
                       : 0;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, source->arena, PST_WHO_MAX);
    pst_buf_add_char(&buf, '{');
    for (size_t i = 0; i < count && i < WHO_MEMBERS_MAX; i++) {
        struct pst_str key;
        const struct pst_json *value = pst_json_member(source->value, i, &key);

        if (!is_public_field(source, key, value))
            continue;
        if (pst_buf_str(&buf).len > 1)
            pst_buf_add_char(&buf, ',');
        pst_json_emit_string(&buf, key);
        pst_buf_add_char(&buf, ':');
        pst_json_emit(&buf, value);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_finish(&buf, who);
}

enum pst_err
backend_read_token_end(const struct backend_identity_source *source,
                       struct backend_identity *out, const char **reason)
{
    struct backend_identity found = backend_identity_unknown;
    enum pst_err e = read_ttl_field(source, &found.end);

    if (e == PST_NO_MEMORY)
        return e;
    *reason =
        e ? "the value at POSTERN_TTL is neither a time nor a number" : NULL;
    *out = e ? backend_identity_unknown : found;
    return PST_OK;
}

/* What is at POSTERN_SUBJECT instead of an id. */
static const char *
explain_missing_subject(const struct backend_identity_source *source)
{
    switch (
        pst_json_kind(pst_json_at(source->value, source->backend->subject))) {
    case PST_JSON_ABSENT:
        return "expected the user's id at POSTERN_SUBJECT, and it is missing";
    case PST_JSON_NULL:
        return "expected the user's id at POSTERN_SUBJECT, and got null";
    default:
        return "expected the user's id at POSTERN_SUBJECT, a string or a whole "
               "number, and got something else or an empty string";
    }
}

/* Read all fields; *reason says which one was read last. */
static enum pst_err
read_user_fields(const struct backend_identity_source *source,
                 struct backend_identity *found, const char **reason)
{
    const struct config_backend *backend = source->backend;
    enum pst_err e;

    *reason = "the user's id, at POSTERN_SUBJECT, is too long";
    e = read_scalar_field(source, backend->subject, PST_SUBJECT_MAX,
                          &found->sub);
    if (e)
        return e;
    if (found->sub.len == 0) {
        *reason = explain_missing_subject(source);
        return PST_NOT_FOUND;
    }
    *reason = "the user's name, at POSTERN_NAME, is too long";
    e = read_scalar_field(source, backend->name, PST_NAME_MAX, &found->name);
    if (e)
        return e;
    if (found->name.len == 0)
        found->name = found->sub;
    *reason = "the user's fields are too long for a session";
    e = read_public_fields(source, &found->who);
    if (e)
        return e;
    found->known = PST_IDENTITY_KNOWN;
    *reason = "the value at POSTERN_TTL is neither a time nor a number";
    return read_ttl_field(source, &found->end);
}

enum pst_err
backend_read_identity(const struct backend_identity_source *source,
                      struct backend_identity *out, const char **reason)
{
    struct backend_identity found = backend_identity_unknown;
    const char *field;
    enum pst_err e = read_user_fields(source, &found, &field);

    if (e == PST_NO_MEMORY)
        return e;
    *reason = e ? field : NULL;
    *out = e ? backend_identity_unknown : found;
    return PST_OK;
}

/* Is the root field null, or an object above the user's id, as in
 * {"session":{"user":null}}? */
static bool
is_user_null(const struct backend_identity_source *source)
{
    struct pst_str subject = source->backend->subject;

    if (pst_json_kind(source->value) == PST_JSON_NULL)
        return true;
    for (size_t i = 1; i < subject.len; i++)
        if (subject.ptr[i] == '/' &&
            pst_json_kind(pst_json_at(
                source->value, pst_str_first(subject, i))) == PST_JSON_NULL)
            return true;
    return false;
}

/*
 * Does the response say clearly that the token belongs to no user? null, or
 * only errors that say so.
 */
static bool
is_guest_response(const struct backend_identity_source *source,
                  const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_STR("errors"));

    if (!graphql_has_errors(root))
        return is_user_null(source);
    if (pst_json_kind(errors) != PST_JSON_ARRAY)
        return false;
    for (size_t i = 0; i < pst_json_count(errors); i++) {
        struct pst_str code = graphql_error_code(pst_json_element(errors, i));

        if (!pst_str_equal(code, PST_STR("FORBIDDEN")) &&
            !pst_str_equal(code, PST_STR("UNAUTHENTICATED")))
            return false;
    }
    return pst_json_kind(source->value) != PST_JSON_OBJECT;
}

/* Set the reason of an unknown identity: what came, in one sentence. */
static enum pst_err
set_unknown_reason(struct pst_arena *arena, int status,
                   const struct pst_json *root, const char *field,
                   struct backend_identity *identity)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, WHO_REASON_MAX);
    if (field) {
        pst_buf_add_string(&buf, field);
    } else if (graphql_has_errors(root)) {
        pst_buf_add_string(&buf, graphql_is_schema_mismatch(root)
                                     ? "it does not fit the backend's schema: "
                                     : "the backend answered with an error: ");
        pst_buf_add(&buf, graphql_loggable_reason(root));
    } else {
        pst_buf_add_string(&buf, "the backend's answer has no user; its status "
                                 "is ");
        pst_buf_add_number(&buf, status);
    }
    return pst_buf_finish(&buf, &identity->reason);
}

enum pst_err
backend_parse_who(struct pst_arena *arena, const struct config *config,
                  int64_t now, const struct backend_response *response,
                  struct backend_identity *out)
{
    struct backend_identity_source source = {.arena = arena,
                                             .backend = &config->backend,
                                             .now = now,
                                             .field =
                                                 config->backend.who.field};
    struct backend_identity identity = backend_identity_unknown;
    const struct pst_json *root;
    const char *reason = NULL;
    enum pst_err e = pst_json_parse(arena, response->body, &root);

    if (e == PST_NO_MEMORY)
        return e;
    if (e)
        root = NULL;
    e = PST_OK;
    if (pst_json_kind(root) == PST_JSON_OBJECT && response->status < 500) {
        source.value = pst_json_get(pst_json_get(root, PST_STR("data")),
                                    pst_graphql_response_key(source.field));
        if (is_guest_response(&source, root))
            identity.known = PST_IDENTITY_GUEST;
        else if (!graphql_has_errors(root) && response->status < 400)
            e = backend_read_identity(&source, &identity, &reason);
    }
    if (!e && identity.known == PST_IDENTITY_UNKNOWN)
        e = set_unknown_reason(arena, response->status, root, reason,
                               &identity);
    if (!e)
        *out = identity;
    return e;
}

void
backend_emit_public_fields(struct pst_buf *buf, struct pst_str who,
                           int64_t expires)
{
    PST_REQUIRE(pst_str_ends(who, PST_STR("}")));
    pst_buf_add(buf, pst_str_first(who, who.len - 1));
    if (who.len > 2)
        pst_buf_add_char(buf, ',');
    pst_buf_add_string(buf, "\"expiresAt\":\"");
    pst_date_emit_rfc3339(buf, expires);
    pst_buf_add_string(buf, "\"}");
}
