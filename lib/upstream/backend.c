/* SPDX-License-Identifier: ISC */
/*
 * backend.c - our own requests to the backend, and its answers to them.
 */
#include "upstream/backend.h"

#include "codec/date.h"

/* Members of an answer's object that are looked at: more are never public. */
#define WHO_MEMBERS 64

/* Bytes of a backend's message that the log may have. */
#define MESSAGE_MAX 120

/* Requests. */

static void
add_member(struct pst_buf *buf, const char *name)
{
    if (!pst_text_ends(pst_buf_text(buf), PST_TEXT("{")))
        pst_buf_add_char(buf, ',');
    pst_json_emit_string(buf, pst_text_from(name));
    pst_buf_add_char(buf, ':');
}

void
backend_emit_credentials(struct pst_buf *buf,
                         const struct login_document *login,
                         const struct backend_credentials *credentials)
{
    PST_REQUIRE(!pst_text_is_absent(login->name_variable));
    pst_buf_add_char(buf, '{');
    pst_json_emit_string(buf, login->name_variable);
    pst_buf_add_char(buf, ':');
    pst_json_emit_string(buf, credentials->username);
    add_member(buf, "password");
    pst_json_emit_string(buf, credentials->password);
    if (login->has_remember) {
        add_member(buf, "rememberMe");
        pst_buf_add_string(buf, credentials->remember ? "true" : "false");
    }
    pst_buf_add_char(buf, '}');
}

void
backend_emit_request(struct pst_buf *buf, struct pst_text document,
                     struct pst_text variables)
{
    pst_buf_add_string(buf, "{\"query\":");
    pst_json_emit_string(buf, document);
    if (!pst_text_is_absent(variables)) {
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
struct reading {
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
read_scalar(const struct reading *reading, struct pst_text pointer, size_t max,
            struct pst_text *out)
{
    const struct pst_json *value = pst_json_at(reading->value, pointer);
    struct pst_buf buf;

    *out = PST_TEXT("");
    if (pst_text_is_absent(pointer))
        return PST_OK;
    switch (pst_json_kind(value)) {
    case PST_JSON_STRING:
        *out = pst_json_text(value);
        return out->len > max || !pst_text_is_utf8(*out) ? PST_TOO_LARGE
                                                         : PST_OK;
    case PST_JSON_INTEGER:
        pst_buf_init_arena(&buf, reading->arena, max);
        pst_json_emit(&buf, value);
        return pst_buf_end(&buf, out);
    default:
        return PST_OK;
    }
}

static enum pst_err
read_end(const struct reading *reading)
{
    struct pst_text pointer = reading->backend->ttl;
    const struct pst_json *value = NULL;
    struct pst_text text;
    struct pst_buf buf;
    enum pst_err e;

    if (!pst_text_is_absent(pointer))
        value = pst_json_at(reading->value, pointer);
    if (!value)
        return PST_OK;
    pst_buf_init_arena(&buf, reading->arena, 256);
    pst_json_emit(&buf, value);
    e = pst_buf_end(&buf, &text);
    return e ? e
             : pst_session_ttl(reading->arena, text, reading->now,
                               &reading->out->end);
}

/* Does this member of the answer belong to the public part? */
static bool
is_public(const struct reading *reading, struct pst_text key,
          const struct pst_json *value)
{
    const struct config_backend *backend = reading->backend;
    enum pst_json_kind kind = pst_json_kind(value);
    const struct pst_graphql_selection *field = NULL;
    struct pst_buf buf;

    if (kind == PST_JSON_ARRAY || kind == PST_JSON_OBJECT)
        return false;
    pst_buf_init_arena(&buf, reading->arena, 1 + key.len);
    pst_buf_add_char(&buf, '/');
    pst_buf_add(&buf, key);
    /* Only what the document selects, and by the name of the real field. */
    if (!buf.err)
        field = document_find(reading->field, pst_buf_text(&buf));
    if (!field || config_backend_is_secret(backend, field->name) ||
        pst_text_equal(field->name, PST_TEXT("__typename")))
        return false;
    return !pst_text_equal(key, PST_TEXT("expiresAt")) &&
           !(!pst_text_is_absent(backend->ttl) &&
             pst_text_equal(pst_buf_text(&buf), backend->ttl));
}

/* {"email":…,"ownerId":…}: what may be told to anyone who holds the session. */
static enum pst_err
read_public(const struct reading *reading)
{
    size_t count = pst_json_kind(reading->value) == PST_JSON_OBJECT
                       ? pst_json_count(reading->value)
                       : 0;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, reading->arena, PST_WHO_MAX);
    pst_buf_add_char(&buf, '{');
    for (size_t i = 0; i < count && i < WHO_MEMBERS; i++) {
        struct pst_text key;
        const struct pst_json *value = pst_json_member(reading->value, i, &key);

        if (!is_public(reading, key, value))
            continue;
        if (pst_buf_text(&buf).len > 1)
            pst_buf_add_char(&buf, ',');
        pst_json_emit_string(&buf, key);
        pst_buf_add_char(&buf, ':');
        pst_json_emit(&buf, value);
    }
    pst_buf_add_char(&buf, '}');
    return pst_buf_end(&buf, &reading->out->who);
}

/* Nobody is named: say why. PST_OK, or PST_NO_MEMORY if that is what e is. */
static enum pst_err
set_unknown(struct reading *reading, enum pst_err e, const char *fault)
{
    if (e == PST_NO_MEMORY)
        return e;
    *reading->out = unknown_identity;
    reading->fault = fault;
    return PST_OK;
}

/* When the token ends; UNKNOWN where that cannot be read. */
static enum pst_err
read_ttl(struct reading *reading)
{
    enum pst_err e = read_end(reading);

    if (e)
        return set_unknown(reading, e,
                           "expected a time or a number where POSTERN_TTL "
                           "says, and got what is neither");
    return PST_OK;
}

/* Who it is; UNKNOWN where the value does not say. */
static enum pst_err
read_identity(struct reading *reading)
{
    struct backend_identity *out = reading->out;
    enum pst_err e;

    *out = unknown_identity;
    e = read_scalar(reading, reading->backend->subject, PST_SUBJECT_MAX,
                    &out->sub);
    if (e || out->sub.len == 0)
        return set_unknown(reading, e,
                           "expected the user's id where POSTERN_SUBJECT "
                           "says, and it is not there or too long");
    e = read_scalar(reading, reading->backend->name, PST_NAME_MAX, &out->name);
    if (e)
        return set_unknown(reading, e,
                           "expected the user's name where POSTERN_NAME says, "
                           "and it is too long");
    if (out->name.len == 0)
        out->name = out->sub;
    e = read_public(reading);
    if (e)
        return set_unknown(reading, e,
                           "the fields about the user are longer than what a "
                           "session may hold of them");
    out->known = PST_IDENTITY_KNOWN;
    return read_ttl(reading);
}

/* Answers. */

static bool
has_errors(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_TEXT("errors"));
    enum pst_json_kind kind = pst_json_kind(errors);

    return kind != PST_JSON_ABSENT && kind != PST_JSON_NULL &&
           !(kind == PST_JSON_ARRAY && pst_json_count(errors) == 0);
}

static struct pst_text
error_code(const struct pst_json *error)
{
    return pst_json_text(pst_json_at(error, PST_TEXT("/extensions/code")));
}

/*
 * Is it about what was typed (an address that the schema's own type for
 * addresses refuses)? That is a refusal, and its message may repeat a password.
 */
static bool
is_about_value(const struct pst_json *error)
{
    struct pst_text message =
        pst_json_text(pst_json_get(error, PST_TEXT("message")));

    return pst_text_contains(message, PST_TEXT(" invalid value"));
}

/*
 * Is the message in a validator's words? They are those of graphql-js, which
 * servers in other languages took over. A resolver that leaves out its path may
 * say anything else about a password.
 */
static bool
has_validator_words(const struct pst_json *error)
{
    static const char *const beginnings[] = {
        "Cannot query field \"", "Directive \"",     "Field \"",
        "Fragment \"",           "Syntax Error",     "Unknown argument \"",
        "Unknown directive \"",  "Unknown fragment", "Unknown type \"",
        "Variable \"$",
    };
    struct pst_text message =
        pst_json_text(pst_json_get(error, PST_TEXT("message")));

    for (size_t i = 0; i < PST_COUNT(beginnings); i++)
        if (pst_text_starts(message, pst_text_from(beginnings[i])))
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
    struct pst_text code = error_code(error);
    struct pst_text class = pst_json_text(
        pst_json_at(error, PST_TEXT("/extensions/classification")));

    if (pst_json_get(error, PST_TEXT("path")) || is_about_value(error))
        return false;
    if (!pst_text_is_absent(class))
        return pst_text_equal(class, PST_TEXT("ValidationError")) ||
               pst_text_equal(class, PST_TEXT("InvalidSyntax"));
    if (pst_text_is_absent(code))
        return pst_json_get(error, PST_TEXT("locations")) &&
               has_validator_words(error);
    return pst_text_equal(code, PST_TEXT("GRAPHQL_VALIDATION_FAILED")) ||
           pst_text_equal(code, PST_TEXT("GRAPHQL_PARSE_FAILED"));
}

/* Was the document refused before anything of it ran? */
static bool
is_unfit(const struct pst_json *root)
{
    const struct pst_json *errors = pst_json_get(root, PST_TEXT("errors"));
    size_t count =
        pst_json_kind(errors) == PST_JSON_ARRAY ? pst_json_count(errors) : 0;

    for (size_t i = 0; i < count; i++)
        if (!is_validation_error(pst_json_element(errors, i)))
            return false;
    return count > 0 && !pst_json_get(root, PST_TEXT("data"));
}

/* Set the verdict, with what was expected and what came. */
static void
decide(struct backend_outcome *out, enum backend_verdict verdict,
       const char *why)
{
    out->verdict = verdict;
    if (why)
        (void)snprintf(out->why, sizeof(out->why), "%s", why);
}

static void
decide_unreadable(struct backend_outcome *out, int status)
{
    if (status >= 400 && status < 500) {
        decide(out, BACKEND_REFUSED, NULL); /* no JSON, but a no */
        return;
    }
    out->verdict = BACKEND_INVALID;
    (void)snprintf(out->why, sizeof(out->why),
                   "expected a JSON object with data or errors, and got "
                   "something else, with status %d",
                   status);
}

/*
 * What may go into the log of a backend's message about our document: its
 * beginning, up to the word "value". After that word backends repeat what was
 * given for a variable, such as a password, each in words of its own (R80).
 */
static struct pst_text
loggable(struct pst_text message)
{
    const struct pst_text value = PST_TEXT("value");
    size_t len = 0;

    while (len < message.len && len < MESSAGE_MAX &&
           !pst_text_starts_nocase(pst_text_from_octet(message, len), value))
        len++;
    return pst_text_first(message, len);
}

static void
decide_unfit(struct backend_outcome *out)
{
    struct pst_text message = loggable(
        pst_json_text(pst_json_at(out->root, PST_TEXT("/errors/0/message"))));

    out->verdict = BACKEND_UNFIT;
    (void)snprintf(out->why, sizeof(out->why),
                   "the login document does not fit the backend's schema: "
                   "%.*s",
                   (int)message.len, message.ptr ? message.ptr : "");
}

static struct pst_text
root_key(const struct pst_graphql_selection *field)
{
    return pst_graphql_response_key(field);
}

/* Token in JSON: a secret that can be sent back, beside a subject. */
static void
decide_secret(const struct config *config, struct backend_outcome *out,
              const struct pst_json *value)
{
    const struct pst_json *secret;

    if (config->backend.token_place != PLACE_JSON)
        return;
    secret = pst_json_at(value, config->backend.token);
    out->secret = pst_json_text(secret);
    if (out->verdict != BACKEND_GRANTED)
        return;
    if (pst_json_kind(secret) == PST_JSON_ABSENT ||
        pst_json_kind(secret) == PST_JSON_NULL)
        decide(out, BACKEND_REFUSED, NULL);
    else if (out->secret.len == 0 || !pst_text_is_field_value(out->secret))
        decide(out, BACKEND_INVALID,
               "expected a token where POSTERN_UPSTREAM_TOKEN says, and got "
               "what cannot be sent back in a header");
}

static void
decide_login(struct backend_outcome *out, int status,
             const struct pst_json *value)
{
    enum pst_json_kind kind = pst_json_kind(value);

    if (is_unfit(out->root))
        decide_unfit(out);
    else if (status >= 500)
        decide(out, BACKEND_INVALID, "the backend answered with a 5xx status");
    else if (has_errors(out->root) || status >= 400)
        decide(out, BACKEND_REFUSED, NULL);
    else if (kind == PST_JSON_ABSENT)
        decide(out, BACKEND_INVALID,
               "expected the login field in data, and it is not there");
    else if (kind == PST_JSON_NULL ||
             pst_json_get(value, PST_TEXT("errorCode")))
        decide(out, BACKEND_REFUSED, NULL);
    else if (kind != PST_JSON_OBJECT)
        decide(out, BACKEND_INVALID,
               "expected an object in the login field, and got another value");
    else
        decide(out, BACKEND_GRANTED, NULL);
}

/* Who a granted login is for, or, where a who document tells that, only when
 * the token ends. */
static enum pst_err
read_granted(struct reading *reading, struct backend_outcome *out)
{
    enum pst_err e = reading->backend->who.field ? read_ttl(reading)
                                                 : read_identity(reading);

    if (!e && reading->fault)
        decide(out, BACKEND_INVALID, reading->fault);
    return e;
}

enum pst_err
backend_read_fit(struct pst_arena *arena, const struct backend_answer *answer,
                 bool *unfit)
{
    const struct pst_json *root;
    enum pst_err e = pst_json_parse(arena, answer->body, &root);

    if (e == PST_NO_MEMORY)
        return e;
    *unfit = !e && is_unfit(root);
    return PST_OK;
}

enum pst_err
backend_read_login(struct pst_arena *arena, const struct config *config,
                   const struct login_document *login, int64_t now,
                   const struct backend_answer *answer,
                   struct backend_outcome *out)
{
    struct backend_outcome outcome = {.verdict = BACKEND_INVALID,
                                      .identity = unknown_identity};
    struct reading reading = {.arena = arena,
                              .backend = &config->backend,
                              .now = now,
                              .field = login->field,
                              .out = &outcome.identity};
    enum pst_err e = pst_json_parse(arena, answer->body, &outcome.root);

    if (e == PST_NO_MEMORY)
        return e;
    if (e || pst_json_kind(outcome.root) != PST_JSON_OBJECT) {
        outcome.root = NULL;
        decide_unreadable(&outcome, answer->status);
        *out = outcome;
        return PST_OK;
    }
    reading.value = pst_json_get(pst_json_get(outcome.root, PST_TEXT("data")),
                                 root_key(login->field));
    outcome.code = pst_json_text(
        pst_json_at(outcome.root, PST_TEXT("/errors/0/extensions/code")));
    decide_login(&outcome, answer->status, reading.value);
    decide_secret(config, &outcome, reading.value);
    if (outcome.verdict == BACKEND_GRANTED) {
        e = read_granted(&reading, &outcome);
        if (e)
            return e;
    }
    *out = outcome;
    return PST_OK;
}

/* A positive "nobody": null, or an error that says the token is no one's. */
static bool
is_nobody(const struct pst_json *root, const struct pst_json *value)
{
    const struct pst_json *errors = pst_json_get(root, PST_TEXT("errors"));

    if (!has_errors(root))
        return pst_json_kind(value) == PST_JSON_NULL;
    if (pst_json_kind(errors) != PST_JSON_ARRAY)
        return false;
    for (size_t i = 0; i < pst_json_count(errors); i++) {
        struct pst_text code = error_code(pst_json_element(errors, i));

        if (!pst_text_equal(code, PST_TEXT("FORBIDDEN")) &&
            !pst_text_equal(code, PST_TEXT("UNAUTHENTICATED")))
            return false;
    }
    return pst_json_kind(value) != PST_JSON_OBJECT;
}

enum pst_err
backend_read_who(struct pst_arena *arena, const struct config *config,
                 int64_t now, const struct backend_answer *answer,
                 struct backend_identity *out)
{
    const struct pst_graphql_selection *field = config->backend.who.field;
    struct backend_identity identity = unknown_identity;
    struct reading reading = {.arena = arena,
                              .backend = &config->backend,
                              .now = now,
                              .field = field,
                              .out = &identity};
    const struct pst_json *root;
    enum pst_err e = pst_json_parse(arena, answer->body, &root);

    if (e == PST_NO_MEMORY)
        return e;
    if (!e && pst_json_kind(root) == PST_JSON_OBJECT && answer->status < 500) {
        reading.value =
            pst_json_get(pst_json_get(root, PST_TEXT("data")), root_key(field));
        if (is_nobody(root, reading.value))
            identity.known = PST_IDENTITY_NOBODY;
        else if (!has_errors(root) && answer->status < 400)
            e = read_identity(&reading);
        if (e)
            return e;
    }
    *out = identity;
    return PST_OK;
}

void
backend_emit_public(struct pst_buf *buf, struct pst_text who, int64_t expires)
{
    PST_REQUIRE(pst_text_ends(who, PST_TEXT("}")));
    pst_buf_add(buf, pst_text_first(who, who.len - 1));
    if (who.len > 2)
        pst_buf_add_char(buf, ',');
    pst_buf_add_string(buf, "\"expiresAt\":\"");
    pst_date_emit_rfc3339(buf, expires);
    pst_buf_add_string(buf, "\"}");
}
