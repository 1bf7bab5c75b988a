/* SPDX-License-Identifier: ISC */
/*
 * backend.c - our own requests to the backend, and its answers to them.
 */
#include "upstream/backend.h"

#include "codec/date.h"

/* Members of an answer's object that are looked at: more are never public. */
#define WHO_MEMBERS_MAX 64

/* Bytes of a backend's message that the log may have. */
#define MESSAGE_MAX 120

/* Requests. */

static void
add_variable_name(struct pst_buf *buf, const char *name)
{
    if (!pst_str_ends(pst_buf_str(buf), PST_STR("{")))
        pst_buf_add_char(buf, ',');
    pst_json_emit_string(buf, pst_str_from(name));
    pst_buf_add_char(buf, ':');
}

void
backend_emit_login_variables(struct pst_buf *buf,
                             const struct login_document *login,
                             const struct login_credentials *credentials)
{
    PST_REQUIRE(!pst_str_is_absent(login->name_variable));
    pst_buf_add_char(buf, '{');
    pst_json_emit_string(buf, login->name_variable);
    pst_buf_add_char(buf, ':');
    pst_json_emit_string(buf, credentials->username);
    add_variable_name(buf, "password");
    pst_json_emit_string(buf, credentials->password);
    if (login->has_remember) {
        add_variable_name(buf, "rememberMe");
        pst_buf_add_string(buf, credentials->remember ? "true" : "false");
    }
    pst_buf_add_char(buf, '}');
}

void
backend_emit_request(struct pst_buf *buf, struct pst_str document,
                     struct pst_str variables)
{
    pst_buf_add_string(buf, "{\"query\":");
    pst_json_emit_string(buf, document);
    if (!pst_str_is_absent(variables)) {
        pst_buf_add_string(buf, ",\"variables\":");
        pst_buf_add(buf, variables);
    }
    pst_buf_add_char(buf, '}');
}

/* Identity. */

static const struct backend_identity unknown_identity = {
    .known = PST_IDENTITY_UNKNOWN,
    .sub = {"", 0},
    .name = {"", 0},
    .who = {"{}", 2},
};

/* What is read, and for what. */
struct reader {
    struct pst_arena *arena;
    const struct config_backend *backend;
    int64_t now;
    const struct pst_json *value; /* of the document's root field */
    const struct pst_graphql_selection *field; /* that root field */
    struct backend_identity *out;
    const char *fault; /* why out names nobody, for the log; or NULL */
};

/* A string or an integer, as text: ids come as either. */
static enum pst_err
read_scalar_field(const struct reader *reader, struct pst_str pointer,
                  size_t max, struct pst_str *out)
{
    const struct pst_json *value = pst_json_at(reader->value, pointer);
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
        pst_buf_init_arena(&buf, reader->arena, max);
        pst_json_emit(&buf, value);
        return pst_buf_finish(&buf, out);
    default:
        return PST_OK;
    }
}

static enum pst_err
read_token_end(const struct reader *reader)
{
    struct pst_str pointer = reader->backend->ttl;
    const struct pst_json *value = NULL;
    struct pst_str text;
    struct pst_buf buf;
    enum pst_err e;

    if (!pst_str_is_absent(pointer))
        value = pst_json_at(reader->value, pointer);
    if (!value)
        return PST_OK;
    pst_buf_init_arena(&buf, reader->arena, 256);
    pst_json_emit(&buf, value);
    e = pst_buf_finish(&buf, &text);
    return e ? e
             : pst_session_parse_ttl(reader->arena, text, reader->now,
                                     &reader->out->end);
}

/* Does this member of the answer belong to the public part? */
static bool
is_public_field(const struct reader *reader, struct pst_str key,
                const struct pst_json *value)
{
    const struct config_backend *backend = reader->backend;
    enum pst_json_kind kind = pst_json_kind(value);
    const struct pst_graphql_selection *field = NULL;
    struct pst_buf buf;

    if (kind == PST_JSON_ARRAY || kind == PST_JSON_OBJECT)
        return false;
    pst_buf_init_arena(&buf, reader->arena, 1 + key.len);
    pst_buf_add_char(&buf, '/');
    pst_buf_add(&buf, key);
    /* Only what the document selects, and by the name of the real field. */
    if (!buf.err)
        field = document_find_field(reader->field, pst_buf_str(&buf));
    if (!field || config_backend_is_secret(backend, field->name) ||
        pst_str_equal(field->name, PST_STR("__typename")))
        return false;
    return !pst_str_equal(key, PST_STR("expiresAt")) &&
           !(!pst_str_is_absent(backend->ttl) &&
             pst_str_equal(pst_buf_str(&buf), backend->ttl));
}

/* {"email":…,"ownerId":…}: what may be told to anyone who holds the session. */
static enum pst_err
read_public_fields(const struct reader *reader)
{
    size_t count = pst_json_kind(reader->value) == PST_JSON_OBJECT
                       ? pst_json_count(reader->value)
                       : 0;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reader->arena, PST_WHO_MAX);
    pst_buf_add_char(&buf, '{');
    for (size_t i = 0; i < count && i < WHO_MEMBERS_MAX; i++) {
        struct pst_str key;
        const struct pst_json *value = pst_json_member(reader->value, i, &key);

        if (!is_public_field(reader, key, value))
            continue;
        if (pst_buf_str(&buf).len > 1)
            pst_buf_add_char(&buf, ',');
        pst_json_emit_string(&buf, key);
        pst_buf_add_char(&buf, ':');
        pst_json_emit(&buf, value);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_finish(&buf, &reader->out->who);
}

/* Nobody is named: say why. PST_OK, or PST_NO_MEMORY if that is what e is. */
static enum pst_err
set_unknown_identity(struct reader *reader, enum pst_err e, const char *fault)
{
    if (e == PST_NO_MEMORY)
        return e;
    *reader->out = unknown_identity;
    reader->fault = fault;
    return PST_OK;
}

/* When the token ends; UNKNOWN where that cannot be read. */
static enum pst_err
read_token_ttl(struct reader *reader)
{
    enum pst_err e = read_token_end(reader);

    if (e)
        return set_unknown_identity(
            reader, e,
            "expected a time or a number where POSTERN_TTL "
            "says, and got what is neither");
    return PST_OK;
}

/* Who it is; UNKNOWN where the value does not say. */
static enum pst_err
read_user_identity(struct reader *reader)
{
    struct backend_identity *out = reader->out;
    enum pst_err e;

    *out = unknown_identity;
    e = read_scalar_field(reader, reader->backend->subject, PST_SUBJECT_MAX,
                          &out->sub);
    if (e || out->sub.len == 0)
        return set_unknown_identity(
            reader, e,
            "expected the user's id where POSTERN_SUBJECT "
            "says, and it is not there or too long");
    e = read_scalar_field(reader, reader->backend->name, PST_NAME_MAX,
                          &out->name);
    if (e)
        return set_unknown_identity(
            reader, e,
            "expected the user's name where POSTERN_NAME says, "
            "and it is too long");
    if (out->name.len == 0)
        out->name = out->sub;
    e = read_public_fields(reader);
    if (e)
        return set_unknown_identity(
            reader, e,
            "the fields about the user are longer than what a "
            "session may hold of them");
    out->known = PST_IDENTITY_KNOWN;
    return read_token_ttl(reader);
}

/* Answers. */

static bool
has_graphql_errors(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_STR("errors"));
    enum pst_json_kind kind = pst_json_kind(errors);

    return kind != PST_JSON_ABSENT && kind != PST_JSON_NULL &&
           !(kind == PST_JSON_ARRAY && pst_json_count(errors) == 0);
}

static struct pst_str
graphql_error_code(const struct pst_json *error)
{
    return pst_json_string(pst_json_at(error, PST_STR("/extensions/code")));
}

/*
 * Is it about what was typed (an address that the schema's own type for
 * addresses refuses)? That is a refusal, and its message may repeat a password.
 */
static bool
is_variable_value_error(const struct pst_json *error)
{
    struct pst_str message =
        pst_json_string(pst_json_get(error, PST_STR("message")));

    return pst_str_contains(message, PST_STR(" invalid value"));
}

/*
 * Is the message in a validator's words? They are those of graphql-js, which
 * servers in other languages took over. A resolver that leaves out its path may
 * say anything else about a password.
 */
static bool
has_validator_message(const struct pst_json *error)
{
    static const char *const prefixes[] = {
        "Cannot query field \"", "Directive \"",     "Field \"",
        "Fragment \"",           "Syntax Error",     "Unknown argument \"",
        "Unknown directive \"",  "Unknown fragment", "Unknown type \"",
        "Variable \"$",
    };
    struct pst_str message =
        pst_json_string(pst_json_get(error, PST_STR("message")));

    for (size_t i = 0; i < PST_COUNT(prefixes); i++)
        if (pst_str_starts(message, pst_str_from(prefixes[i])))
            return true;
    return false;
}

/*
 * Is this error one of validation? It has no path, since nothing ran, and says
 * so by its code, or its class (graphql-java), or, where there is neither, in
 * a validator's words with a place in the document. Anything else may be a
 * resolver's, which has seen the password, or about a bad value
 * (BAD_USER_INPUT): it counts as a guess.
 */
static bool
is_validation_error(const struct pst_json *error)
{
    struct pst_str code = graphql_error_code(error);
    struct pst_str class = pst_json_string(
        pst_json_at(error, PST_STR("/extensions/classification")));

    if (pst_json_get(error, PST_STR("path")) || is_variable_value_error(error))
        return false;
    if (!pst_str_is_absent(class))
        return pst_str_equal(class, PST_STR("ValidationError")) ||
               pst_str_equal(class, PST_STR("InvalidSyntax"));
    if (pst_str_is_absent(code))
        return pst_json_get(error, PST_STR("locations")) &&
               has_validator_message(error);
    return pst_str_equal(code, PST_STR("GRAPHQL_VALIDATION_FAILED")) ||
           pst_str_equal(code, PST_STR("GRAPHQL_PARSE_FAILED"));
}

/* Was the document refused before anything of it ran? */
static bool
is_schema_mismatch(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_STR("errors"));
    size_t count =
        pst_json_kind(errors) == PST_JSON_ARRAY ? pst_json_count(errors) : 0;

    for (size_t i = 0; i < count; i++)
        if (!is_validation_error(pst_json_element(errors, i)))
            return false;
    return count > 0 && !pst_json_get(root, PST_STR("data"));
}

/* Set the verdict, with what was expected and what came. */
static void
set_login_result(struct backend_outcome *out, enum backend_result result,
                 const char *reason)
{
    out->result = result;
    if (reason)
        (void)snprintf(out->reason, sizeof(out->reason), "%s", reason);
}

static void
set_unreadable_result(struct backend_outcome *out, int status)
{
    if (status >= 400 && status < 500) {
        set_login_result(out, BACKEND_REFUSED, NULL); /* no JSON, but a no */
        return;
    }
    out->result = BACKEND_INVALID;
    (void)snprintf(out->reason, sizeof(out->reason),
                   "expected a JSON object with data or errors, and got "
                   "something else, with status %d",
                   status);
}

/*
 * What may go into the log of a backend's message about our document: its
 * beginning, up to the word "value". After that word backends repeat what was
 * given for a variable, such as a password, each in words of its own (R80).
 */
static struct pst_str
loggable_message(struct pst_str message)
{
    const struct pst_str value = PST_STR("value");
    size_t len = 0;

    while (len < message.len && len < MESSAGE_MAX &&
           !pst_str_starts_nocase(pst_str_skip(message, len), value))
        len++;
    return pst_str_first(message, len);
}

static void
set_mismatch_result(struct backend_outcome *out)
{
    struct pst_str message = loggable_message(
        pst_json_string(pst_json_at(out->root, PST_STR("/errors/0/message"))));

    out->result = BACKEND_SCHEMA_MISMATCH;
    (void)snprintf(out->reason, sizeof(out->reason),
                   "the login document does not fit the backend's schema: "
                   "%.*s",
                   (int)message.len, message.ptr ? message.ptr : "");
}

static struct pst_str
root_field_key(const struct pst_graphql_selection *field)
{
    return pst_graphql_response_key(field);
}

/* Token in JSON: a secret that can be sent back, beside a subject. */
static void
check_login_secret(const struct config *config, struct backend_outcome *out,
                   const struct pst_json *value)
{
    const struct pst_json *secret;

    if (config->backend.token_location != TOKEN_IN_JSON)
        return;
    secret = pst_json_at(value, config->backend.token);
    out->secret = pst_json_string(secret);
    if (out->result != BACKEND_GRANTED)
        return;
    if (pst_json_kind(secret) == PST_JSON_ABSENT ||
        pst_json_kind(secret) == PST_JSON_NULL)
        set_login_result(out, BACKEND_REFUSED, NULL);
    else if (out->secret.len == 0 || !pst_str_is_field_value(out->secret))
        set_login_result(
            out, BACKEND_INVALID,
            "expected a token where POSTERN_UPSTREAM_TOKEN says, and got "
            "what cannot be sent back in a header");
}

static void
classify_login(struct backend_outcome *out, int status,
               const struct pst_json *value)
{
    enum pst_json_kind kind = pst_json_kind(value);

    if (is_schema_mismatch(out->root))
        set_mismatch_result(out);
    else if (status >= 500)
        set_login_result(out, BACKEND_INVALID,
                         "the backend answered with a 5xx status");
    else if (has_graphql_errors(out->root) || status >= 400)
        set_login_result(out, BACKEND_REFUSED, NULL);
    else if (kind == PST_JSON_ABSENT)
        set_login_result(
            out, BACKEND_INVALID,
            "expected the login field in data, and it is not there");
    else if (kind == PST_JSON_NULL || pst_json_get(value, PST_STR("errorCode")))
        set_login_result(out, BACKEND_REFUSED, NULL);
    else if (kind != PST_JSON_OBJECT)
        set_login_result(
            out, BACKEND_INVALID,
            "expected an object in the login field, and got another value");
    else
        set_login_result(out, BACKEND_GRANTED, NULL);
}

/* Who a granted login is for, or, where a who document tells that, only when
 * the token ends. */
static enum pst_err
read_granted_identity(struct reader *reader, struct backend_outcome *out)
{
    enum pst_err e = reader->backend->who.field ? read_token_ttl(reader)
                                                : read_user_identity(reader);

    if (!e && reader->fault)
        set_login_result(out, BACKEND_INVALID, reader->fault);
    return e;
}

enum pst_err
backend_parse_schema_mismatch(struct pst_arena *arena,
                              const struct backend_response *response,
                              bool *is_mismatch)
{
    const struct pst_json *root;
    enum pst_err e = pst_json_parse(arena, response->body, &root);

    if (e == PST_NO_MEMORY)
        return e;
    *is_mismatch = !e && is_schema_mismatch(root);
    return PST_OK;
}

enum pst_err
backend_parse_login(struct pst_arena *arena, const struct config *config,
                    const struct login_document *login, int64_t now,
                    const struct backend_response *response,
                    struct backend_outcome *out)
{
    struct backend_outcome outcome = {.result = BACKEND_INVALID,
                                      .identity = unknown_identity};
    struct reader reader = {.arena = arena,
                            .backend = &config->backend,
                            .now = now,
                            .field = login->field,
                            .out = &outcome.identity};
    enum pst_err e = pst_json_parse(arena, response->body, &outcome.root);

    if (e == PST_NO_MEMORY)
        return e;
    if (e || pst_json_kind(outcome.root) != PST_JSON_OBJECT) {
        outcome.root = NULL;
        set_unreadable_result(&outcome, response->status);
        *out = outcome;
        return PST_OK;
    }
    reader.value = pst_json_get(pst_json_get(outcome.root, PST_STR("data")),
                                root_field_key(login->field));
    outcome.code = pst_json_string(
        pst_json_at(outcome.root, PST_STR("/errors/0/extensions/code")));
    classify_login(&outcome, response->status, reader.value);
    check_login_secret(config, &outcome, reader.value);
    if (outcome.result == BACKEND_GRANTED) {
        e = read_granted_identity(&reader, &outcome);
        if (e)
            return e;
    }
    *out = outcome;
    return PST_OK;
}

/* A positive "nobody": null, or an error that says the token is no one's. */
static bool
is_nobody_response(const struct pst_json *root, const struct pst_json *value)
{
    const struct pst_json *errors = pst_json_get(root, PST_STR("errors"));

    if (!has_graphql_errors(root))
        return pst_json_kind(value) == PST_JSON_NULL;
    if (pst_json_kind(errors) != PST_JSON_ARRAY)
        return false;
    for (size_t i = 0; i < pst_json_count(errors); i++) {
        struct pst_str code = graphql_error_code(pst_json_element(errors, i));

        if (!pst_str_equal(code, PST_STR("FORBIDDEN")) &&
            !pst_str_equal(code, PST_STR("UNAUTHENTICATED")))
            return false;
    }
    return pst_json_kind(value) != PST_JSON_OBJECT;
}

enum pst_err
backend_parse_who(struct pst_arena *arena, const struct config *config,
                  int64_t now, const struct backend_response *response,
                  struct backend_identity *out)
{
    const struct pst_graphql_selection *field = config->backend.who.field;
    struct backend_identity identity = unknown_identity;
    struct reader reader = {.arena = arena,
                            .backend = &config->backend,
                            .now = now,
                            .field = field,
                            .out = &identity};
    const struct pst_json *root;
    enum pst_err e = pst_json_parse(arena, response->body, &root);

    if (e == PST_NO_MEMORY)
        return e;
    if (!e && pst_json_kind(root) == PST_JSON_OBJECT &&
        response->status < 500) {
        reader.value = pst_json_get(pst_json_get(root, PST_STR("data")),
                                    root_field_key(field));
        if (is_nobody_response(root, reader.value))
            identity.known = PST_IDENTITY_GUEST;
        else if (!has_graphql_errors(root) && response->status < 400)
            e = read_user_identity(&reader);
        if (e)
            return e;
    }
    *out = identity;
    return PST_OK;
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
