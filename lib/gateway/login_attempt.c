/* SPDX-License-Identifier: ISC */
/*
 * login_attempt.c - count a login attempt, ask the backend, decide whether it
 * succeeded, and begin the session.
 */
#include "gateway/login_attempt.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "gateway/identity.h"
#include "gateway/session_order.h"
#include "gateway/session_refresh.h"
#include "gateway/token_refresh.h"

struct login_attempt *
login_attempt_new(struct context *ctx, struct request *req,
                  struct response *res, struct auth *auth)
{
    struct login_attempt *attempt =
        pst_arena_alloc(req->arena, sizeof(*attempt));

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

bool
login_attempt_has_json_token(const struct login_attempt *attempt)
{
    return attempt->ctx->config->backend.token_location == TOKEN_IN_JSON;
}

static void
attempt_log(const struct login_attempt *attempt, const char *event)
{
    const struct request *req = attempt->req;

    LOG_EVENT(attempt->ctx->log, LEVEL_INFO, event,
              LOG_C_STRING("request", req->id),
              LOG_C_STRING("session", auth_log_id(attempt->auth,
                                                  (char[AUTH_LOG_ID_SIZE]){0})),
              LOG_STR("subject", attempt->identity.sub),
              LOG_STR("address", req->remote_addr),
              LOG_STR("backend_code", attempt->outcome.code));
}

enum pst_err
login_attempt_set_credentials(struct login_attempt *attempt)
{
    const struct login_document *matched = attempt->matched;
    struct auth *auth = attempt->auth;
    enum pst_err e;

    if (matched && pst_str_is_absent(matched->name_variable) &&
        !matched->has_password) {
        e = session_refresh(attempt->ctx, attempt->req, attempt->res, auth);
        attempt->sent.upstream = e ? PST_STR_NONE : auth_upstream(auth);
        /* A token that cannot be refreshed is no reason to refuse a login. */
        return e == PST_NO_SESSION || e == PST_UPSTREAM_DOWN ||
                       e == PST_UPSTREAM_TIMEOUT || e == PST_UPSTREAM_BROKEN
                   ? PST_OK
                   : e;
    }
    return auth_guest_upstream(attempt->ctx, attempt->req, auth,
                               &attempt->sent.upstream);
}

/* Asking the backend. */

/* Is it certain that the backend did not get the request? Otherwise it may have
 * checked a guessed password, and the attempt counts. */
static bool
backend_was_not_reached(enum pst_err e)
{
    return e == PST_UPSTREAM_DOWN;
}

/* Token in JSON: the new session stores the token of the answer. */
static enum pst_err
attempt_store_json_token(struct login_attempt *attempt)
{
    if (attempt->outcome.result != BACKEND_GRANTED)
        return PST_OK;
    return credentials_emit_token(attempt->req->arena, attempt->outcome.secret,
                                  &attempt->upstream);
}

/* Token in a header or cookie: the new session stores the response's token, or
 * the one that was sent if there is none. */
static enum pst_err
attempt_store_token_update(struct login_attempt *attempt)
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

/* Ask the backend whose token it is. The token's end is the earlier one of both
 * answers. */
static enum pst_err
attempt_ask_identity(struct login_attempt *attempt)
{
    struct backend_identity *identity = &attempt->identity;
    int64_t end = attempt->outcome.identity.end;
    enum pst_err e = identity_query(attempt->ctx, attempt->req,
                                    &attempt->upstream, identity);

    if (end > 0 && (identity->end == 0 || end < identity->end))
        identity->end = end;
    return e;
}

/* Send the login, read the answer, and find out who the user is. */
static enum pst_err
attempt_ask_backend(struct login_attempt *attempt)
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
    if (attempt->sent_document)
        e = backend_parse_login(attempt->req->arena, ctx->config,
                                attempt->sent_document, ctx->now, &answer,
                                &attempt->outcome);
    else
        e = backend_parse_schema_mismatch(attempt->req->arena, &answer,
                                          &attempt->is_schema_mismatch);
    if (!e)
        e = login_attempt_has_json_token(attempt)
                ? attempt_store_json_token(attempt)
                : attempt_store_token_update(attempt);
    if (e)
        return e == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN : e;
    attempt->identity = attempt->outcome.identity;
    return ctx->config->backend.who.field ? attempt_ask_identity(attempt)
                                          : PST_OK;
}

/* Deciding the outcome. */

/*
 * May the budget be reset, that is, was the password right? If no token was
 * sent, a new token proves it. If a guest's token was sent, it does not: an
 * attacker can log in with that token in a parallel request, with an account of
 * their own. Then the token's owner must have exactly the name that the login
 * is for.
 */
static bool
attempt_may_reset_budget(const struct login_attempt *attempt)
{
    if (login_attempt_has_json_token(attempt) ||
        pst_str_is_absent(attempt->sent.upstream))
        return true;
    return attempt->is_new_token &&
           (login_budget_has_name(&attempt->budget, attempt->identity.name) ||
            login_budget_has_name(&attempt->budget, attempt->identity.sub));
}

static enum pst_err
attempt_on_success(struct login_attempt *attempt)
{
    struct auth_grant grant = identity_make_grant(
        attempt->ctx, &attempt->identity, attempt->upstream);
    bool was_refused =
        attempt->sent_document && attempt->outcome.result == BACKEND_REFUSED;
    enum pst_err e;

    grant.remember = attempt->remember;
    grant.by_password = attempt->matched && attempt->matched->has_password;
    e = token_refresh_grant(attempt->ctx, attempt->req, &attempt->outcome,
                            &grant);
    if (!e)
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
attempt_refuse_misconfigured(struct login_attempt *attempt, const char *reason)
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
 * The backend did not say whose token it is. A new token is revoked there. A
 * guest's own token may now be a user's: the guest session is replaced by one
 * that has no owner until the backend names one.
 */
static void
attempt_drop_unknown_owner(struct login_attempt *attempt)
{
    const struct auth_grant grant = identity_make_grant(
        attempt->ctx, &attempt->identity, attempt->upstream);

    if (pst_str_equal(attempt->upstream, attempt->sent.upstream))
        (void)!identity_begin_session(attempt->ctx, attempt->req, attempt->res,
                                      attempt->auth, &grant);
    else
        identity_end_orphan(attempt->ctx, attempt->req, attempt->upstream);
}

static enum pst_err
attempt_refuse_unknown_owner(struct login_attempt *attempt)
{
    struct pst_str why = attempt->identity.reason;
    char reason[320];

    attempt_drop_unknown_owner(attempt);
    (void)snprintf(reason, sizeof(reason),
                   "the backend did not say who has logged in "
                   "(POSTERN_WHO_DOCUMENT): %.*s",
                   (int)why.len, why.len ? why.ptr : "");
    return attempt_refuse_misconfigured(
        attempt, why.len ? reason
                         : "the backend did not say who has logged in: it did "
                           "not answer to POSTERN_WHO_DOCUMENT");
}

static enum pst_err
attempt_refuse_missing_token(struct login_attempt *attempt)
{
    const struct config_backend *backend = &attempt->ctx->config->backend;
    char reason[200];

    if (backend->token_location == TOKEN_IN_COOKIE)
        return attempt_refuse_misconfigured(
            attempt, "the backend accepted the login, but set no cookie "
                     "(POSTERN_UPSTREAM_TOKEN)");
    (void)snprintf(reason, sizeof(reason),
                   "the backend accepted the login, but its answer has no "
                   "header %.*s (POSTERN_UPSTREAM_TOKEN)",
                   (int)backend->token.len, backend->token.ptr);
    return attempt_refuse_misconfigured(attempt, reason);
}

/*
 * Decide whether the login succeeded. If there is a who document, what the
 * backend says about the token's owner counts.
 * Returns PST_OK (the session has begun), PST_REFUSED, PST_UPSTREAM_BROKEN.
 */
static enum pst_err
attempt_decide_outcome(struct login_attempt *attempt)
{
    bool has_who = attempt->ctx->config->backend.who.field != NULL;
    enum backend_result result =
        attempt->sent_document ? attempt->outcome.result : BACKEND_REFUSED;

    if (has_who && !pst_str_is_absent(attempt->upstream)) {
        /* Refused, without a new token: if the guest's token has an owner
         * now, it is from another request. */
        if (attempt->sent_document && result == BACKEND_REFUSED &&
            !attempt->is_new_token)
            return PST_REFUSED;
        if (attempt->identity.known == PST_IDENTITY_KNOWN)
            return attempt_on_success(attempt);
        if (attempt->identity.known == PST_IDENTITY_UNKNOWN)
            return attempt_refuse_unknown_owner(attempt);
        if (result == BACKEND_GRANTED)
            return attempt_refuse_misconfigured(
                attempt, "the backend accepted the login, but says that its "
                         "token has no owner: check POSTERN_UPSTREAM_TOKEN "
                         "and POSTERN_WHO_DOCUMENT");
    } else if (result == BACKEND_GRANTED) {
        if (has_who)
            return attempt_refuse_missing_token(attempt);
        return attempt_on_success(attempt);
    }
    if (attempt->is_schema_mismatch)
        login_budget_refund(&attempt->budget);
    if (result == BACKEND_INVALID || result == BACKEND_SCHEMA_MISMATCH)
        return attempt_refuse_misconfigured(attempt, attempt->outcome.reason);
    return PST_REFUSED;
}

/* Was the session's own token sent? Only then an update in the response is for
 * it. */
static bool
attempt_sent_own_token(const struct login_attempt *attempt)
{
    struct pst_str own = auth_upstream(attempt->auth);

    return pst_str_is_absent(own) ==
               pst_str_is_absent(attempt->sent.upstream) &&
           pst_str_equal(own, attempt->sent.upstream);
}

static void
attempt_wait_min_time(const struct login_attempt *attempt)
{
    throttle_floor_wait(attempt->started_ms,
                        attempt->ctx->config->login_floor_ms);
}

/* A refused login may still have changed a guest's token. A user's token was
 * not sent, so the session of a user who mistypes a password stays as it is. */
enum pst_err
login_attempt_on_failure(struct login_attempt *attempt)
{
    enum pst_err e = PST_OK;

    attempt_log(attempt, "login-refused");
    if (!login_attempt_has_json_token(attempt) &&
        attempt_sent_own_token(attempt))
        e = identity_apply_update(attempt->ctx, attempt->req, attempt->res,
                                  attempt->auth, &attempt->received.update);
    attempt_wait_min_time(attempt);
    return e;
}

/* Check whether the client's type conditions can be decided for this answer,
 * before a session begins that the client would not learn of. */
static enum pst_err
attempt_check_shape(struct login_attempt *attempt)
{
    const struct login_answer answer = {.root = attempt->outcome.root};
    struct pst_str unused;
    enum pst_err e;

    if (!attempt->shape || !attempt->outcome.root)
        return PST_OK;
    e = login_shape_emit(attempt->shape, &answer, &unused);
    if (e && attempt->outcome.result == BACKEND_GRANTED) {
        identity_end_orphan(attempt->ctx, attempt->req, attempt->upstream);
        login_budget_refund(&attempt->budget); /* the password is right */
    }
    return e;
}

/* Wait for earlier requests of the session. The floor counts from then on: so
 * the time of a later attempt says nothing about those before it. */
static enum pst_err
attempt_wait_for_order(struct login_attempt *attempt)
{
    bool has_waited;
    enum pst_err e = session_order_begin(attempt->ctx, attempt->req,
                                         attempt->auth, &has_waited);

    if (e)
        login_budget_refund(&attempt->budget);
    else if (has_waited)
        attempt->started_ms = clock_ms();
    return e;
}

enum pst_err
login_attempt_run(struct login_attempt *attempt)
{
    enum pst_err e =
        login_budget_acquire(&attempt->budget, attempt->ctx, attempt->req,
                             attempt->res, attempt->name);

    if (!e)
        e = attempt_wait_for_order(attempt);
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
        attempt_wait_min_time(attempt); /* the time must reveal nothing */
    return e;
}
