/* SPDX-License-Identifier: ISC */
/*
 * identity.c - ask the backend who a user is, and update, replace or end the
 * session accordingly.
 */
#include "gateway/identity.h"

#include "gateway/forward.h"
#include "gateway/login_budget.h"
#include "gateway/session_registry.h"
#include "session/refresh.h"
#include "upstream/backend_request.h"
#include "upstream/graphql_errors.h"

/* Send one of our own documents, and buffer the response. */
static enum pst_err
send_own_document(struct context *ctx, struct request *req,
                  struct pst_str document, const struct forward_request *how,
                  struct forward_response *response)
{
    struct forward_request outgoing = *how;
    struct pst_buf body;
    enum pst_err e;

    outgoing.method = PST_STR("POST");
    pst_buf_init_heap(&body, req->arena, PST_BUFFERED_BODY_MAX);
    backend_emit_request(&body, document, PST_STR_NONE);
    e = pst_buf_finish(&body, &outgoing.body);
    return e ? e : forward_buffered(ctx, req, &outgoing, response);
}

/* Apply the response to our own document to the credentials that were sent. */
static enum pst_err
apply_own_update(struct context *ctx, struct request *req,
                 const struct forward_response *response,
                 struct pst_str *upstream, bool *is_ended)
{
    const struct credentials_response input = {ctx->now, *upstream,
                                               &response->update};
    enum credentials_change change;
    struct pst_str fresh;
    enum pst_err e = credentials_apply_update(req->arena, ctx->config, &input,
                                              &change, &fresh);

    *is_ended = !e && change == CREDENTIALS_ENDED;
    if (!e)
        *upstream = fresh;
    return e;
}

enum pst_err
identity_query(struct context *ctx, struct request *req,
               struct pst_str *upstream, struct backend_identity *out)
{
    /* The who document is a query (server/login_document.h). */
    const struct forward_request how = {
        .upstream = *upstream, .headers = FORWARD_WHO, .is_repeatable = true};
    struct forward_response *received;
    struct backend_response response;
    bool is_ended;
    enum pst_err e;

    *out = (struct backend_identity){.known = PST_IDENTITY_GUEST,
                                     .sub = PST_STR(""),
                                     .name = PST_STR(""),
                                     .who = PST_STR("{}")};
    if (pst_str_is_absent(*upstream))
        return PST_OK;
    received = pst_arena_alloc(req->arena, sizeof(*received));
    if (!received)
        return PST_NO_MEMORY;
    e = send_own_document(ctx, req, ctx->config->backend.who.text, &how,
                          received);
    if (!e)
        e = apply_own_update(ctx, req, received, upstream, &is_ended);
    if (e) {
        out->known = PST_IDENTITY_UNKNOWN;
        return e == PST_NO_MEMORY || e == PST_CLIENT_GONE ? e : PST_OK;
    }
    response = (struct backend_response){
        received->status, received->encoded ? PST_STR("") : received->body};
    e = backend_parse_who(req->arena, ctx->config, ctx->now, &response, out);
    if (!e && is_ended && out->known == PST_IDENTITY_UNKNOWN)
        out->known = PST_IDENTITY_GUEST;
    return e;
}

struct auth_grant
identity_make_grant(const struct context *ctx,
                    const struct backend_identity *identity,
                    struct pst_str upstream)
{
    return (struct auth_grant){
        .sub = identity->sub,
        .name = identity->name,
        .who = identity->who,
        .upstream = upstream,
        .backend_end = identity->end,
        .is_unknown = identity->known == PST_IDENTITY_UNKNOWN,
        .asked = ctx->config->backend.who.field &&
                         identity->known != PST_IDENTITY_UNKNOWN
                     ? ctx->now
                     : 0,
    };
}

enum pst_err
identity_begin_session(struct context *ctx, const struct request *req,
                       struct response *res, struct auth *auth,
                       const struct auth_grant *grant)
{
    enum pst_err e = auth_begin_session(ctx, req, res, auth, grant);

    if (e == PST_TOO_LARGE)
        LOG_EVENT(
            ctx->log, LEVEL_ERROR, "session-too-large",
            LOG_C_STRING("request", req->id), LOG_STR("subject", grant->sub),
            LOG_NUMBER("upstream_bytes", (int64_t)grant->upstream.len),
            LOG_C_STRING("reason",
                         ctx->store ? "the session is larger than the store "
                                      "keeps"
                                    : "the session does not fit into a cookie: "
                                      "set POSTERN_STORE"));
    if (e == PST_EXPIRED)
        LOG_EVENT(ctx->log, LEVEL_WARNING, "backend-token-expired",
                  LOG_C_STRING("request", req->id),
                  LOG_NUMBER("end", grant->backend_end));
    if (e == PST_EXPIRED)
        return PST_UPSTREAM_BROKEN;
    return e == PST_TOO_LARGE ? PST_INTERNAL : e;
}

void
identity_log(const struct context *ctx, const struct request *req,
             const char *event, const struct auth *auth,
             const struct backend_identity *identity)
{
    static const char *const words[] = {
        [PST_IDENTITY_KNOWN] = "known",
        [PST_IDENTITY_GUEST] = "nobody",
        [PST_IDENTITY_UNKNOWN] = "unknown",
    };

    LOG_EVENT(
        ctx->log, LEVEL_INFO, event, LOG_C_STRING("request", req->id),
        LOG_C_STRING("session", auth_log_id(auth, (char[AUTH_LOG_ID_SIZE]){0})),
        LOG_C_STRING("identity", words[identity->known]),
        LOG_STR("subject", identity->sub),
        LOG_STR("address", req->remote_addr));
}

/* Does the session still belong to the same user? */
static bool
is_same_owner(const struct auth *auth, const struct backend_identity *identity)
{
    const struct pst_session *session = &auth->session;

    if (!auth->has_session)
        return false;
    if (session->known != identity->known)
        return false;
    return pst_str_equal(session->sub, identity->sub);
}

/* Renew the session with the new credentials and public fields. */
static enum pst_err
renew_for_same_owner(struct context *ctx, struct request *req,
                     struct response *res, struct auth *auth,
                     const struct auth_grant *grant)
{
    struct pst_session *session = &auth->session;

    if (!pst_str_is_absent(session->refresh) && grant->backend_end > ctx->now &&
        !pst_str_equal(session->upstream, grant->upstream)) {
        session->token_begun = pst_refresh_begin(session, ctx->now);
        session->token_end = grant->backend_end > session->token_begun
                                 ? grant->backend_end
                                 : session->token_begun + 1;
    }
    session->upstream = grant->upstream;
    if (grant->sub.len > 0) {
        session->name = grant->name;
        session->who = grant->who;
    }
    if (grant->asked > 0)
        session->asked = grant->asked;
    return auth_renew_session(ctx, req, res, auth);
}

/* A session that was revoked or replaced while the backend answered is dropped.
 * No cookie is cleared: the browser may have a newer session by now. */
static enum pst_err
drop_revoked_session(struct auth *auth, enum pst_err e)
{
    if (e != PST_REVOKED)
        return e;
    auth->has_session = false;
    return PST_OK;
}

enum pst_err
identity_end_session(struct context *ctx, struct request *req,
                     struct response *res, struct auth *auth)
{
    enum pst_err e = PST_OK;

    if (auth->has_session)
        e = registry_check(ctx, req, &auth->session);
    if (e == PST_REVOKED)
        return drop_revoked_session(auth, e);
    return auth_end_session(ctx, req, res, auth);
}

/* Begin a session without a password. A user's is counted by address, like a
 * login. */
static enum pst_err
begin_session_without_password(struct context *ctx, struct request *req,
                               struct response *res, struct auth *auth,
                               const struct auth_grant *grant)
{
    enum pst_err e = PST_OK;

    if (grant->sub.len > 0)
        e = login_budget_acquire_address(ctx, req, res);
    return e ? e : identity_begin_session(ctx, req, res, auth, grant);
}

/* Changed credentials. */
struct changed_credentials {
    struct pst_str upstream;
    bool is_new; /* another session at the backend, which is orphaned if it
                    cannot be issued; else the one that we hold already */
};

/* Ask whose the changed credentials are, and renew or replace the session. */
static enum pst_err
handle_changed_credentials(struct context *ctx, struct request *req,
                           struct response *res, struct auth *auth,
                           const struct changed_credentials *changed)
{
    struct pst_str upstream = changed->upstream;
    struct backend_identity identity;
    struct auth_grant grant;
    enum pst_err e;

    e = identity_query(ctx, req, &upstream, &identity);
    if (e)
        return e;
    if (pst_str_is_absent(upstream))
        return identity_end_session(ctx, req, res, auth);
    grant = identity_make_grant(ctx, &identity, upstream);
    identity_log(ctx, req, "backend-token-changed", auth, &identity);
    if (is_same_owner(auth, &identity))
        e = renew_for_same_owner(ctx, req, res, auth, &grant);
    else
        e = begin_session_without_password(ctx, req, res, auth, &grant);
    if (e && changed->is_new && grant.sub.len > 0)
        identity_end_orphan(ctx, req, upstream);
    return drop_revoked_session(auth, e);
}

enum pst_err
identity_apply_update(struct context *ctx, struct request *req,
                      struct response *res, struct auth *auth,
                      const struct credentials_update *update)
{
    const struct credentials_response response = {ctx->now, auth_upstream(auth),
                                                  update};
    enum credentials_change change;
    struct pst_str upstream;
    enum pst_err e;

    e = credentials_apply_update(req->arena, ctx->config, &response, &change,
                                 &upstream);
    if (e)
        return e == PST_TOO_LARGE ? PST_UPSTREAM_BROKEN : e;
    switch (change) {
    case CREDENTIALS_SAME:
        return PST_OK;
    case CREDENTIALS_ENDED:
        LOG_EVENT(ctx->log, LEVEL_INFO, "session-ended-by-backend",
                  LOG_C_STRING("request", req->id),
                  LOG_C_STRING("session",
                               auth_log_id(auth, (char[AUTH_LOG_ID_SIZE]){0})));
        return identity_end_session(ctx, req, res, auth);
    case CREDENTIALS_UPDATED:
        if (!auth->has_session)
            return PST_OK; /* a cookie that is not a session */
        break;             /* the user may have changed all the same */
    case CREDENTIALS_REPLACED:
        break;
    }
    return handle_changed_credentials(
        ctx, req, res, auth,
        &(struct changed_credentials){upstream,
                                      change == CREDENTIALS_REPLACED});
}

/* Must the backend be asked again who the user is? */
static bool
is_revalidation_due(const struct context *ctx, const struct auth *auth)
{
    int64_t every = ctx->config->backend.revalidate;
    const struct pst_session *session = &auth->session;

    if (!auth->has_session)
        return false;
    if (session->known == PST_IDENTITY_UNKNOWN)
        return true;
    return every > 0 && session->known == PST_IDENTITY_KNOWN &&
           ctx->now - session->asked >= every;
}

enum pst_err
identity_revalidate(struct context *ctx, struct request *req,
                    struct response *res, struct auth *auth)
{
    struct backend_identity identity;
    struct auth_grant grant;
    struct pst_str upstream;
    enum pst_err e;

    if (!is_revalidation_due(ctx, auth))
        return PST_OK;
    upstream = auth_upstream(auth);
    e = identity_query(ctx, req, &upstream, &identity);
    if (e)
        return e;
    if (identity.known == PST_IDENTITY_UNKNOWN) {
        identity_log(ctx, req, "identity-unknown", auth, &identity);
        return PST_UPSTREAM_BROKEN;
    }
    grant = identity_make_grant(ctx, &identity, upstream);
    if (is_same_owner(auth, &identity))
        return drop_revoked_session(
            auth, renew_for_same_owner(ctx, req, res, auth, &grant));
    identity_log(ctx, req, "identity-changed", auth, &identity);
    if (auth->session.known != PST_IDENTITY_UNKNOWN ||
        pst_str_is_absent(upstream))
        return identity_end_session(ctx, req, res, auth);
    e = begin_session_without_password(ctx, req, res, auth, &grant);
    /* A parallel request was first: its response has the new session. */
    return e == PST_REVOKED ? PST_UNCONFIRMED : e;
}

/* A backend that refuses is no failure: the session has ended here, and the
 * token may have ended there before. */
static void
log_logout_refused(const struct context *ctx, const struct request *req,
                   const struct forward_response *response)
{
    const struct pst_json *root;
    bool is_json = !response->encoded &&
                   pst_json_parse(req->arena, response->body, &root) == PST_OK;

    if (is_json && !graphql_has_errors(root) && response->status < 400)
        return;
    LOG_EVENT(ctx->log, LEVEL_WARNING, "backend-logout-refused",
              LOG_C_STRING("request", req->id),
              LOG_NUMBER("status", response->status),
              LOG_STR("reason", is_json ? graphql_loggable_reason(root)
                                        : PST_STR("the answer is not JSON")));
}

enum pst_err
identity_logout(struct context *ctx, struct request *req,
                struct pst_str upstream)
{
    const struct forward_request how = {
        .upstream = upstream, .headers = FORWARD_LOGIN, .is_detached = true};
    struct forward_response *response =
        pst_arena_alloc(req->arena, sizeof(*response));
    enum pst_err e;

    if (!response)
        return PST_NO_MEMORY;
    e = send_own_document(ctx, req, ctx->config->backend.logout_text, &how,
                          response);
    if (!e)
        log_logout_refused(ctx, req, response);
    return e;
}

void
identity_end_orphan(struct context *ctx, struct request *req,
                    struct pst_str upstream)
{
    enum pst_err e;

    if (ctx->config->upstream_logout != LOGOUT_ALWAYS ||
        pst_str_is_absent(upstream))
        return;
    e = identity_logout(ctx, req, upstream);
    LOG_EVENT(ctx->log, LEVEL_INFO, "orphaned-session-ended",
              LOG_C_STRING("request", req->id),
              LOG_C_STRING("backend", pst_err_code(e)));
}
