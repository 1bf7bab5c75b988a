/* SPDX-License-Identifier: ISC */
/*
 * backend_login.c - read from the backend's response whether a login or the
 * refresh of a token succeeded, and for whom.
 */
#include "upstream/backend_login.h"

#include "upstream/graphql_errors.h"

static void
set_login_result(struct backend_outcome *out, enum backend_result result,
                 const char *reason)
{
    out->result = result;
    if (reason)
        (void)snprintf(out->reason, sizeof(out->reason), "%s", reason);
}

/* Is this the status of a path where no GraphQL server is? */
static bool
is_status_of_wrong_path(int status)
{
    return status == 404 || status == 405 || status == 410 || status == 415;
}

/* The response is not a JSON object. A 4xx status is a refusal all the same:
 * some backends answer a wrong password in plain text. */
static void
set_unreadable_result(struct backend_outcome *out, int status)
{
    if (is_status_of_wrong_path(status)) {
        out->result = BACKEND_INVALID;
        (void)snprintf(
            out->reason, sizeof(out->reason),
            "no GraphQL server answers at POSTERN_UPSTREAM: expected "
            "JSON, and got status %d",
            status);
        return;
    }
    if (status >= 400 && status < 500) {
        set_login_result(out, BACKEND_REFUSED, NULL);
        return;
    }
    out->result = BACKEND_INVALID;
    (void)snprintf(out->reason, sizeof(out->reason),
                   "expected a JSON object with data or errors, and got "
                   "something else, with status %d",
                   status);
}

static void
set_mismatch_result(struct backend_outcome *out, const char *purpose)
{
    struct pst_str message = graphql_loggable_reason(out->root);

    out->result = BACKEND_SCHEMA_MISMATCH;
    (void)snprintf(out->reason, sizeof(out->reason),
                   "the %s document does not fit the backend's schema: "
                   "%.*s",
                   purpose, (int)message.len, message.ptr ? message.ptr : "");
}

/* Where the token comes in JSON: it must be there, and fit into a header. */
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
        set_login_result(out, BACKEND_INVALID,
                         "the token, at POSTERN_UPSTREAM_TOKEN, cannot be sent "
                         "in a header: it is empty, not a string, or has "
                         "control characters");
}

/* The root field of the answer is missing, or no object. */
static void
set_field_result(struct backend_outcome *out, const char *purpose,
                 bool is_missing)
{
    out->result = BACKEND_INVALID;
    if (is_missing)
        (void)snprintf(out->reason, sizeof(out->reason),
                       "expected the %s field in data, but it is missing",
                       purpose);
    else
        (void)snprintf(out->reason, sizeof(out->reason),
                       "expected an object in the %s field, but got another "
                       "value",
                       purpose);
}

/* The refresh token. It is never required: a backend that does not rotate them
 * gives one once. */
static void
read_refresh_token(const struct config *config, struct backend_outcome *out,
                   const struct pst_json *value)
{
    struct pst_str pointer = config->backend.refresh_token;
    struct pst_str token;

    if (pst_str_is_absent(pointer) || out->result != BACKEND_GRANTED)
        return;
    token = pst_json_string(pst_json_at(value, pointer));
    if (token.len > 0)
        out->refresh = token;
}

/* purpose: "login" or "refresh", for messages */
static void
classify_login(struct backend_outcome *out, const char *purpose, int status,
               const struct pst_json *value)
{
    enum pst_json_kind kind = pst_json_kind(value);

    if (graphql_is_schema_mismatch(out->root))
        set_mismatch_result(out, purpose);
    else if (status >= 500)
        set_login_result(out, BACKEND_INVALID,
                         "the backend answered with a 5xx status");
    else if (graphql_has_errors(out->root) || status >= 400)
        set_login_result(out, BACKEND_REFUSED, NULL);
    else if (kind == PST_JSON_ABSENT)
        set_field_result(out, purpose, true);
    else if (kind == PST_JSON_NULL || pst_json_get(value, PST_STR("errorCode")))
        set_login_result(out, BACKEND_REFUSED, NULL);
    else if (kind != PST_JSON_OBJECT)
        set_field_result(out, purpose, false);
    else
        set_login_result(out, BACKEND_GRANTED, NULL);
}

/* The user of a granted login; with a who document, which is asked for the
 * user, only when the token ends. A refresh document need not select the
 * subject. */
static enum pst_err
read_granted_identity(const struct backend_identity_source *source,
                      struct backend_outcome *out)
{
    const char *reason;
    enum pst_err e =
        source->backend->who.field ||
                !document_find_field(source->field, source->backend->subject)
            ? backend_read_token_end(source, &out->identity, &reason)
            : backend_read_identity(source, &out->identity, &reason);

    if (!e && reason)
        set_login_result(out, BACKEND_INVALID, reason);
    return e;
}

enum pst_err
backend_parse_login(struct pst_arena *arena, const struct config *config,
                    const struct login_document *login, int64_t now,
                    const struct backend_response *response,
                    struct backend_outcome *out)
{
    struct backend_outcome outcome = {.result = BACKEND_INVALID,
                                      .identity = backend_identity_unknown};
    struct backend_identity_source source = {.arena = arena,
                                             .backend = &config->backend,
                                             .now = now,
                                             .field = login->field};
    enum pst_err e = pst_json_parse(arena, response->body, &outcome.root);

    if (e == PST_NO_MEMORY)
        return e;
    if (e || pst_json_kind(outcome.root) != PST_JSON_OBJECT) {
        outcome.root = NULL;
        set_unreadable_result(&outcome, response->status);
        *out = outcome;
        return PST_OK;
    }
    source.value = pst_json_get(pst_json_get(outcome.root, PST_STR("data")),
                                pst_graphql_response_key(login->field));
    outcome.code =
        graphql_error_code(pst_json_at(outcome.root, PST_STR("/errors/0")));
    classify_login(&outcome,
                   login == &config->backend.refresh ? "refresh" : "login",
                   response->status, source.value);
    check_login_secret(config, &outcome, source.value);
    read_refresh_token(config, &outcome, source.value);
    if (outcome.result == BACKEND_GRANTED) {
        e = read_granted_identity(&source, &outcome);
        if (e)
            return e;
    }
    *out = outcome;
    return PST_OK;
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
    *is_mismatch = !e && graphql_is_schema_mismatch(root);
    return PST_OK;
}
