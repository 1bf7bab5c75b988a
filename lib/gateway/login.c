/* SPDX-License-Identifier: ISC */
/*
 * login.c - log in with credentials, or with a client's GraphQL mutation, and
 * answer the client.
 */
#include "gateway/login.h"

#include "base/limits.h"
#include "gateway/identity.h"
#include "gateway/login_attempt.h"
#include "gateway/login_shape.h"
#include "gateway/session_registry.h"
#include "server/response_headers.h"

/* Credentials. */

enum pst_err
login_with_credentials(struct context *ctx, struct request *req,
                       struct response *res, struct auth *auth,
                       const struct login_credentials *credentials)
{
    struct login_attempt *attempt = login_attempt_new(ctx, req, res, auth);
    struct pst_str variables;
    struct pst_buf buf;
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    attempt->sent_document = &ctx->config->backend.logins[0];
    attempt->matched = attempt->sent_document;
    attempt->name = credentials->username;
    attempt->remember = credentials->remember;
    attempt->sent.headers = FORWARD_LOGIN;
    e = login_attempt_set_credentials(attempt);
    if (e)
        return e;
    pst_buf_init_heap(&buf, req->arena, PST_BUFFERED_BODY_MAX);
    backend_emit_login_variables(&buf, attempt->sent_document, credentials);
    e = pst_buf_finish(&buf, &variables);
    if (e)
        return e;
    pst_buf_init_heap(&buf, req->arena, 2 * PST_BUFFERED_BODY_MAX);
    backend_emit_request(&buf, attempt->sent_document->text, variables);
    e = pst_buf_finish(&buf, &attempt->sent.body);
    if (!e)
        e = login_attempt_run(attempt);
    if (e != PST_REFUSED)
        return e;
    e = login_attempt_on_failure(attempt);
    return e ? e : PST_REFUSED;
}

/* An error of the store leaves a session whose token nobody has. */
void
login_withdraw(struct context *ctx, struct request *req, struct response *res,
               struct auth *auth)
{
    if (!response_discard(res))
        return;
    response_remove_header(res, PST_STR("Set-Cookie"));
    response_remove_header(res, ctx->config->auth_token_header);
    (void)!registry_revoke(ctx, req, &auth->session);
    auth->has_session = false;
    identity_end_orphan(ctx, req, auth->session.upstream);
}

/* A client's own mutation. */

/* Parse the client's document again: its tree is not cached, because it can
 * contain a password. */
static enum pst_err
parse_client_operation(struct login_attempt *attempt,
                       const struct login_graphql_request *login,
                       struct login_operation *request)
{
    const struct pst_graphql_document *document;
    struct pst_graphql_error error;
    enum pst_err e = pst_graphql_parse(attempt->req->arena, login->document,
                                       &document, &error);

    if (e)
        return e == PST_NO_MEMORY ? e : PST_MALFORMED;
    request->operation =
        pst_graphql_operation_find(document, login->gql->operation_name);
    request->variables = login->gql->variables;
    return request->operation ? PST_OK : PST_MALFORMED;
}

/* Is the configured document sent instead of the client's? Only its answer can
 * be read: for a token, and for a refresh token. */
static bool
login_sends_own_document(const struct login_attempt *attempt)
{
    return login_attempt_has_json_token(attempt) ||
           (attempt->matched && attempt->ctx->config->backend.refresh.field);
}

/* Send the configured document instead of the client's. */
static enum pst_err
prepare_own_document(struct login_attempt *attempt,
                     const struct login_graphql_request *login,
                     const struct login_match *match)
{
    struct pst_buf buf;

    attempt->sent_document = match->login;
    attempt->sent.headers = FORWARD_LOGIN;
    attempt->sent.query = login->list->parameters;
    pst_buf_init_heap(&buf, attempt->req->arena, 2 * PST_BUFFERED_BODY_MAX);
    backend_emit_request(&buf, match->login->text, match->variables);
    return pst_buf_finish(&buf, &attempt->sent.body);
}

/* Send the client's document, in a new request. */
static enum pst_err
prepare_client_document(struct login_attempt *attempt,
                        const struct login_graphql_request *login,
                        struct login_reason *reason)
{
    const struct pst_graphql_summary *summary = login->summary;
    const struct pst_graphql_summary_operation *operation =
        pst_graphql_summary_find(summary, login->gql->operation_name);
    struct graphql_request_plan plan = {.gql = login->gql,
                                        .document = summary->text};
    struct graphql_request_list single = *login->list;
    struct pst_buf buf;

    if (!pst_str_is_absent(summary->login_secret) ||
        !pst_str_is_absent(summary->secret)) {
        struct pst_str name = pst_str_is_absent(summary->secret)
                                  ? summary->login_secret
                                  : summary->secret;

        (void)login_refuse(reason, "%.*s holds a secret and cannot be selected",
                           (int)name.len, name.ptr);
        return PST_SECRET_FIELD;
    }
    PST_REQUIRE(operation != NULL);
    plan.variables = operation->variables;
    plan.variable_count = operation->variable_count;
    single.is_batch = false;
    single.form = GRAPHQL_REQUEST_SINGLE;
    attempt->sent.headers = FORWARD_CLIENT;
    attempt->sent.query = login->list->parameters;
    pst_buf_init_heap(&buf, attempt->req->arena,
                      8 * (size_t)attempt->ctx->config->max_json);
    graphql_request_emit(&buf, &single, &plan);
    return pst_buf_finish(&buf, &attempt->sent.body);
}

/* Format the answer for the client: in the shape of the client's document, or
 * as the backend sent it. The answer to a batch is an array, unless the
 * backend's answer is not JSON. */
static enum pst_err
format_login_answer(struct login_attempt *attempt,
                    const struct login_graphql_request *login,
                    struct pst_str *out)
{
    const struct login_shape *shape = attempt->shape;
    const struct login_answer answer = {.root = attempt->outcome.root,
                                        .secret = attempt->outcome.secret,
                                        .refresh = attempt->outcome.refresh,
                                        .token = attempt->auth->bearer};
    struct pst_str body = attempt->received.body;
    struct pst_buf buf;
    enum pst_err e = PST_OK;

    if (shape && attempt->outcome.root)
        e = login_shape_emit(shape, &answer, &body);
    else if (shape)
        body = PST_STR("");
    if (e || !login->list->is_batch || !pst_str_starts(body, PST_STR("{"))) {
        *out = body;
        return e;
    }
    pst_buf_init_heap(&buf, attempt->req->arena, 2 * PST_BUFFERED_BODY_MAX);
    pst_buf_add_char(&buf, '[');
    pst_buf_add(&buf, body);
    pst_buf_add_char(&buf, ']');
    return pst_buf_finish(&buf, out);
}

static enum pst_err
respond(struct login_attempt *attempt,
        const struct login_graphql_request *login)
{
    struct pst_str body;
    enum pst_err e;

    /* The answer is not JSON: there is nothing to shape for a GraphQL client.
     */
    if (attempt->shape && !attempt->outcome.root)
        return PST_REFUSED;
    e = format_login_answer(attempt, login, &body);
    if (e)
        return e;
    return forward_send_response(attempt->res, &attempt->received, body);
}

/* Run the attempt and send the response. A refusal has the client's shape too.
 */
static enum pst_err
run_and_respond(struct login_attempt *attempt,
                const struct login_graphql_request *login)
{
    enum pst_err e = login_attempt_run(attempt);
    bool has_begun = e == PST_OK;

    if (e == PST_REFUSED)
        e = login_attempt_on_failure(attempt);
    if (e)
        return e;
    e = respond(attempt, login);
    if (e && has_begun)
        login_withdraw(attempt->ctx, attempt->req, attempt->res, attempt->auth);
    return e;
}

enum pst_err
login_with_graphql(struct context *ctx, struct request *req,
                   struct response *res, struct auth *auth,
                   const struct login_graphql_request *login,
                   struct login_reason *reason)
{
    struct login_attempt *attempt = login_attempt_new(ctx, req, res, auth);
    struct login_operation request = {.operation = NULL};
    struct login_match match = {.login = NULL};
    struct login_shape shape = {.arena = req->arena,
                                .config = ctx->config,
                                .theirs = &request,
                                .reason = reason};
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    e = parse_client_operation(attempt, login, &request);
    if (!e)
        e = login_operation_find_field(&request, reason);
    if (!e)
        e = login_match(req->arena, ctx->config, &request, &match, reason);
    if (e)
        return e;
    attempt->name = match.name;
    attempt->remember = match.remember;
    attempt->matched = match.login;
    shape.ours = match.login;
    if (login_sends_own_document(attempt)) {
        attempt->shape = &shape;
        e = login_shape_check(&shape);
        if (!e)
            e = prepare_own_document(attempt, login, &match);
    } else {
        e = prepare_client_document(attempt, login, reason);
    }
    if (!e)
        e = login_attempt_set_credentials(attempt);
    return e ? e : run_and_respond(attempt, login);
}
