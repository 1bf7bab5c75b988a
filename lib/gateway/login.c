/* SPDX-License-Identifier: ISC */
/*
 * login.c - one login, three ways to it.
 */
#include "gateway/login.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "gateway/forward.h"
#include "gateway/identity.h"
#include "gateway/login_shape.h"
#include "gateway/login_throttle.h"
#include "upstream/backend_login.h"

/* One attempt to log in, from the request to what became of it. */
struct attempt {
    struct context *ctx;
    struct request *req;
    struct response *res;
    struct auth *auth;
    const struct login_document *matched; /* the one it is; NULL: social */
    const struct login_document *login;   /* ours that is sent; NULL: theirs */
    const struct login_shape *shape;      /* a client's; NULL: as it comes */
    struct forward_request sent;
    struct pst_str name; /* whom it is for; absent: it does not say */
    bool remember;
    struct forward_response received;
    struct backend_outcome outcome;
    struct pst_str upstream; /* of the session to begin; absent: none */
    struct backend_identity identity;
    struct login_budget budget;
    bool is_new_token; /* in a header or cookie: the answer has another one */
    bool is_schema_mismatch; /* a client's document does not fit the schema */
    int64_t started_ms;      /* clock_ms(), with the whole request read */
};

static struct attempt *
attempt_new(struct context *ctx, struct request *req, struct response *res,
            struct auth *auth)
{
    struct attempt *attempt = pst_arena_alloc(req->arena, sizeof(*attempt));

    if (attempt) {
        attempt->ctx = ctx;
        attempt->req = req;
        attempt->res = res;
        attempt->auth = auth;
        attempt->sent.method = PST_STR("POST");
        attempt->started_ms = clock_ms();
    }
    return attempt;
}

static bool
token_is_in_json(const struct attempt *attempt)
{
    return attempt->ctx->config->backend.token_location == TOKEN_IN_JSON;
}

static void
attempt_log(const struct attempt *attempt, const char *event)
{
    const struct request *req = attempt->req;

    LOG_EVENT(attempt->ctx->log, LEVEL_INFO, event,
              LOG_C_STRING("request", req->id),
              LOG_C_STRING("session", attempt->auth->log_id),
              LOG_STR("subject", attempt->identity.sub),
              LOG_STR("address", req->remote_addr),
              LOG_STR("backend_code", attempt->outcome.code));
}

/* Set the token that goes along with a login: a guest's, so that a cart follows
 * its owner; a user's own only where no password decides (a refresh). */
static enum pst_err
attempt_set_credentials(struct attempt *attempt)
{
    const struct login_document *matched = attempt->matched;
    struct auth *auth = attempt->auth;

    if (matched && pst_str_is_absent(matched->name_variable) &&
        !matched->has_password) {
        attempt->sent.upstream = auth_upstream(auth);
        return PST_OK;
    }
    return auth_guest_upstream(attempt->ctx, attempt->req, auth,
                               &attempt->sent.upstream);
}

/* Asking the backend. */

/* Did the backend ever hear of it? Whatever it has heard may have been a
 * guess, and what it did then shows elsewhere. */
static bool
backend_was_not_reached(enum pst_err e)
{
    return e == PST_UPSTREAM_DOWN;
}

/* Token in JSON: what a session holds. */
static enum pst_err
attempt_store_json_token(struct attempt *attempt)
{
    struct pst_buf buf;

    if (attempt->outcome.result != BACKEND_GRANTED)
        return PST_OK;
    pst_buf_init_arena(&buf, attempt->req->arena, PST_UPSTREAM_MAX);
    pst_json_emit_string(&buf, attempt->outcome.secret);
    return pst_buf_finish(&buf, &attempt->upstream);
}

/* Token in a header or cookie: the new one, or the one that went along. */
static enum pst_err
attempt_store_token_update(struct attempt *attempt)
{
    const struct credentials_response token_answer = {
        attempt->ctx->now, attempt->sent.upstream, &attempt->received.update};
    enum credentials_change change;
    enum pst_err e =
        credentials_apply_update(attempt->req->arena, attempt->ctx->config,
                                 &token_answer, &change, &attempt->upstream);

    attempt->is_new_token = !e && change == CREDENTIALS_REPLACED;
    return e;
}

/* Ask who it is. The token ends when either answer says so. */
static enum pst_err
attempt_ask_identity(struct attempt *attempt)
{
    struct backend_identity *identity = &attempt->identity;
    int64_t end = attempt->outcome.identity.end;
    enum pst_err e = identity_query(attempt->ctx, attempt->req,
                                    &attempt->upstream, identity);

    if (end > 0 && (identity->end == 0 || end < identity->end))
        identity->end = end;
    return e;
}

/* Send it, hold the answer, and find out who it is now. */
static enum pst_err
attempt_ask_backend(struct attempt *attempt)
{
    struct context *ctx = attempt->ctx;
    struct backend_response answer;
    enum pst_err e =
        forward_buffered(ctx, attempt->req, &attempt->sent, &attempt->received);

    if (e)
        return e;
    answer = (struct backend_response){
        attempt->received.status,
        attempt->received.encoded ? PST_STR("") : attempt->received.body};
    attempt->upstream = PST_STR_NONE;
    if (attempt->login)
        e = backend_parse_login(attempt->req->arena, ctx->config,
                                attempt->login, ctx->now, &answer,
                                &attempt->outcome);
    else
        e = backend_parse_schema_mismatch(attempt->req->arena, &answer,
                                          &attempt->is_schema_mismatch);
    if (!e)
        e = token_is_in_json(attempt) ? attempt_store_json_token(attempt)
                                      : attempt_store_token_update(attempt);
    if (e)
        return e == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN : e;
    attempt->identity = attempt->outcome.identity;
    return ctx->config->backend.who.field ? attempt_ask_identity(attempt)
                                          : PST_OK;
}

/* What came of it. */

/*
 * May the guess be taken back? A new token in answer to a request without one
 * is this login's own; where a guest's went along, a request beside this one
 * may have logged in with it, so the owner must be the one that was named.
 */
static bool
attempt_may_reset_budget(const struct attempt *attempt)
{
    if (token_is_in_json(attempt) || pst_str_is_absent(attempt->sent.upstream))
        return true;
    return attempt->is_new_token &&
           (login_budget_has_name(&attempt->budget, attempt->identity.name) ||
            login_budget_has_name(&attempt->budget, attempt->identity.sub));
}

static enum pst_err
attempt_on_success(struct attempt *attempt)
{
    struct auth_grant grant = identity_make_grant(
        attempt->ctx, &attempt->identity, attempt->upstream);
    bool was_refused =
        attempt->login && attempt->outcome.result == BACKEND_REFUSED;
    enum pst_err e;

    grant.remember = attempt->remember;
    grant.by_password = attempt->matched && attempt->matched->has_password;
    e = identity_begin_session(attempt->ctx, attempt->req, attempt->res,
                               attempt->auth, &grant);
    if (e) {
        identity_end_orphan(attempt->ctx, attempt->req, attempt->upstream);
        return e;
    }
    attempt_log(attempt, "login");
    if (!was_refused && attempt_may_reset_budget(attempt))
        login_budget_reset(&attempt->budget, attempt->res,
                           attempt->auth->carrier != AUTH_BY_BEARER);
    return PST_OK;
}

static enum pst_err
attempt_refuse_misconfigured(struct attempt *attempt, const char *reason)
{
    LOG_EVENT(attempt->ctx->log, LEVEL_ERROR, "login-misconfigured",
              LOG_C_STRING("request", attempt->req->id),
              LOG_NUMBER("status", attempt->received.status),
              LOG_C_STRING("reason", reason));
    if (attempt->outcome.result == BACKEND_SCHEMA_MISMATCH)
        login_budget_refund(&attempt->budget);
    return PST_UPSTREAM_BROKEN;
}

/*
 * The backend did not say who holds the token. A new one is given back. A
 * guest's own may be a user's from now on: its session gives way to one that
 * is nobody's until the backend says whose.
 */
static void
attempt_drop_unknown_owner(struct attempt *attempt)
{
    const struct auth_grant grant = identity_make_grant(
        attempt->ctx, &attempt->identity, attempt->upstream);

    if (pst_str_equal(attempt->upstream, attempt->sent.upstream))
        (void)!identity_begin_session(attempt->ctx, attempt->req, attempt->res,
                                      attempt->auth, &grant);
    else
        identity_end_orphan(attempt->ctx, attempt->req, attempt->upstream);
}

/*
 * Did the backend grant it, by what it says of the token's owner?
 * Returns PST_OK (a session has begun), PST_REFUSED, PST_UPSTREAM_BROKEN.
 */
static enum pst_err
attempt_decide_outcome(struct attempt *attempt)
{
    bool has_who = attempt->ctx->config->backend.who.field != NULL;
    enum backend_result result =
        attempt->login ? attempt->outcome.result : BACKEND_REFUSED;

    if (has_who && !pst_str_is_absent(attempt->upstream)) {
        /* A guest's token may have become somebody's by another request: what
         * the backend has refused to us, it has not granted. */
        if (attempt->login && result == BACKEND_REFUSED &&
            !attempt->is_new_token)
            return PST_REFUSED;
        if (attempt->identity.known == PST_IDENTITY_KNOWN)
            return attempt_on_success(attempt);
        if (attempt->identity.known == PST_IDENTITY_UNKNOWN) {
            attempt_drop_unknown_owner(attempt);
            return attempt_refuse_misconfigured(
                attempt, "the backend did not say who has logged in "
                         "(POSTERN_WHO_DOCUMENT)");
        }
        if (result == BACKEND_GRANTED)
            return attempt_refuse_misconfigured(
                attempt, "the login was granted, and the backend says that "
                         "its token is nobody's (POSTERN_UPSTREAM_TOKEN, "
                         "POSTERN_WHO_DOCUMENT)");
    } else if (result == BACKEND_GRANTED) {
        if (has_who)
            return attempt_refuse_misconfigured(
                attempt, "the login was granted, and there is no token where "
                         "POSTERN_UPSTREAM_TOKEN says");
        return attempt_on_success(attempt);
    }
    if (attempt->is_schema_mismatch)
        login_budget_refund(&attempt->budget);
    if (result == BACKEND_INVALID || result == BACKEND_SCHEMA_MISMATCH)
        return attempt_refuse_misconfigured(attempt, attempt->outcome.reason);
    return PST_REFUSED;
}

/* Did the session's own token go along, so that the answer is about it? */
static bool
attempt_sent_own_token(const struct attempt *attempt)
{
    struct pst_str own = auth_upstream(attempt->auth);

    return pst_str_is_absent(own) ==
               pst_str_is_absent(attempt->sent.upstream) &&
           pst_str_equal(own, attempt->sent.upstream);
}

static void
attempt_wait_min_time(const struct attempt *attempt)
{
    throttle_floor_wait(attempt->started_ms,
                        attempt->ctx->config->login_floor_ms);
}

/* A login that was refused may have changed a guest's token all the same. A
 * user's did not go along: whoever mistypes a password keeps the session. */
static enum pst_err
attempt_on_failure(struct attempt *attempt)
{
    enum pst_err e = PST_OK;

    attempt_log(attempt, "login-refused");
    if (!token_is_in_json(attempt) && attempt_sent_own_token(attempt))
        e = identity_apply_update(attempt->ctx, attempt->req, attempt->res,
                                  attempt->auth, &attempt->received.update);
    attempt_wait_min_time(attempt);
    return e;
}

/* Only now it shows whether the client's conditions on types can be decided:
 * before a session begins of which the client would not hear. */
static enum pst_err
attempt_check_shape(struct attempt *attempt)
{
    const struct login_answer answer = {.root = attempt->outcome.root};
    struct pst_str unused;
    enum pst_err e;

    if (!attempt->shape || !attempt->outcome.root)
        return PST_OK;
    e = login_shape_emit(attempt->shape, &answer, &unused);
    if (e && attempt->outcome.result == BACKEND_GRANTED) {
        identity_end_orphan(attempt->ctx, attempt->req, attempt->upstream);
        login_budget_refund(&attempt->budget); /* the password was right */
    }
    return e;
}

/* From the budgets to the session. Returns as attempt_decide_outcome(), and
 * what asking may. */
static enum pst_err
attempt_run(struct attempt *attempt)
{
    enum pst_err e =
        login_budget_acquire(&attempt->budget, attempt->ctx, attempt->req,
                             attempt->res, attempt->name);

    if (e)
        return e;
    e = attempt_ask_backend(attempt);
    if (backend_was_not_reached(e))
        login_budget_refund(&attempt->budget);
    if (!e)
        e = attempt_check_shape(attempt);
    if (!e)
        e = attempt_decide_outcome(attempt);
    if (e && e != PST_REFUSED)
        attempt_wait_min_time(attempt); /* its time must tell nothing either */
    return e;
}

/* Credentials. */

enum pst_err
login_with_credentials(struct context *ctx, struct request *req,
                       struct response *res, struct auth *auth,
                       const struct login_credentials *credentials)
{
    struct attempt *attempt = attempt_new(ctx, req, res, auth);
    struct pst_str variables;
    struct pst_buf buf;
    enum pst_err e;

    if (!attempt)
        return PST_NO_MEMORY;
    attempt->login = &ctx->config->backend.logins[0];
    attempt->matched = attempt->login;
    attempt->name = credentials->username;
    attempt->remember = credentials->remember;
    attempt->sent.headers = FORWARD_LOGIN;
    e = attempt_set_credentials(attempt);
    if (e)
        return e;
    pst_buf_init_heap(&buf, req->arena, PST_BUFFERED_BODY_MAX);
    backend_emit_login_variables(&buf, attempt->login, credentials);
    e = pst_buf_finish(&buf, &variables);
    if (e)
        return e;
    pst_buf_init_heap(&buf, req->arena, 2 * PST_BUFFERED_BODY_MAX);
    backend_emit_request(&buf, attempt->login->text, variables);
    e = pst_buf_finish(&buf, &attempt->sent.body);
    if (!e)
        e = attempt_run(attempt);
    if (e != PST_REFUSED)
        return e;
    e = attempt_on_failure(attempt);
    return e ? e : PST_REFUSED;
}

/* A client's own mutation. */

/* The client's document, parsed again: it is not kept, for it may hold a
 * password. */
static enum pst_err
parse_client_operation(struct attempt *attempt,
                       const struct login_graphql_request *login,
                       struct login_request *request)
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

/* Our own document in the place of the client's. */
static enum pst_err
prepare_own_document(struct attempt *attempt,
                     const struct login_graphql_request *login,
                     const struct login_match *match)
{
    struct pst_buf buf;

    attempt->login = match->login;
    attempt->sent.headers = FORWARD_LOGIN;
    attempt->sent.query = login->list->parameters;
    pst_buf_init_heap(&buf, attempt->req->arena, 2 * PST_BUFFERED_BODY_MAX);
    backend_emit_request(&buf, match->login->text, match->variables);
    return pst_buf_finish(&buf, &attempt->sent.body);
}

/* The client's document, written anew. */
static enum pst_err
prepare_client_document(struct attempt *attempt,
                        const struct login_graphql_request *login,
                        struct login_reason *reason)
{
    const struct pst_graphql_meaning *meaning = login->meaning;
    const struct pst_graphql_meaning_operation *operation =
        pst_graphql_meaning_find(meaning, login->gql->operation_name);
    struct graphql_request_plan plan = {.gql = login->gql,
                                        .document = meaning->text};
    struct graphql_request_list single = *login->list;
    struct pst_buf buf;

    if (!pst_str_is_absent(meaning->login_secret) ||
        !pst_str_is_absent(meaning->secret)) {
        struct pst_str name = pst_str_is_absent(meaning->secret)
                                  ? meaning->login_secret
                                  : meaning->secret;

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

/* The answer to our document in the client's shape, or the backend's own; of
 * what is no GraphQL answer no array is made. */
static enum pst_err
answer(struct attempt *attempt, const struct login_graphql_request *login,
       struct pst_str *out)
{
    const struct login_shape *shape = attempt->shape;
    const struct login_answer answer = {.root = attempt->outcome.root,
                                        .secret = attempt->outcome.secret,
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

/* Carry it out, and answer; a refusal is shaped alike. */
static enum pst_err
attempt_run_and_respond(struct attempt *attempt,
                        const struct login_graphql_request *login)
{
    const struct login_shape *shape = attempt->shape;
    struct pst_str body;
    enum pst_err e = attempt_run(attempt);

    if (e == PST_REFUSED)
        e = attempt_on_failure(attempt);
    if (e)
        return e;
    /* A refusal without JSON has no shape that a GraphQL client could read. */
    if (shape && !attempt->outcome.root)
        return PST_REFUSED;
    e = answer(attempt, login, &body);
    if (e)
        return e;
    return forward_send_response(attempt->res, &attempt->received, body);
}

enum pst_err
login_with_graphql(struct context *ctx, struct request *req,
                   struct response *res, struct auth *auth,
                   const struct login_graphql_request *login,
                   struct login_reason *reason)
{
    struct attempt *attempt = attempt_new(ctx, req, res, auth);
    struct login_request request = {.operation = NULL};
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
        e = login_request_find_field(&request, reason);
    if (!e)
        e = login_match(req->arena, ctx->config, &request, &match, reason);
    if (e)
        return e;
    attempt->name = match.name;
    attempt->remember = match.remember;
    attempt->matched = match.login;
    shape.ours = match.login;
    if (token_is_in_json(attempt)) {
        attempt->shape = &shape;
        e = login_shape_check(&shape);
        if (!e)
            e = prepare_own_document(attempt, login, &match);
    } else {
        e = prepare_client_document(attempt, login, reason);
    }
    if (!e)
        e = attempt_set_credentials(attempt);
    return e ? e : attempt_run_and_respond(attempt, login);
}
