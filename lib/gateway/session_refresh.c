/* SPDX-License-Identifier: ISC */
/*
 * session_refresh.c - replace the backend's token of a session before it ends:
 * once for all requests of the session.
 */
#include "gateway/session_refresh.h"

#include "engine/server.h"
#include "gateway/identity.h"
#include "gateway/session_registry.h"
#include "gateway/stored_tokens.h"
#include "gateway/token_refresh.h"
#include "session/refresh.h"
#include "store/store_lock.h"

/* One refresh. */
struct refreshing {
    struct context *ctx;
    struct request *req;
    struct response *res;
    struct auth *auth;
    bool has_adopted; /* newer tokens were in the store */
    int64_t sent;     /* the mark of the stored tokens; 0: none */
};

/* Unix seconds. The request's own time may be old by now: its body took a
 * while, or it waited for a lock. */
static int64_t
refresh_now(const struct context *ctx)
{
    return ctx->started_ms > 0
               ? ctx->now + (wait_now() - ctx->started_ms) / 1000
               : ctx->now;
}

static bool
is_due(const struct refreshing *refreshing)
{
    return pst_refresh_is_due(&refreshing->auth->session,
                              refresh_now(refreshing->ctx));
}

/* Did nobody ask yet whose the token is? */
static bool
is_unconfirmed(const struct refreshing *refreshing)
{
    const struct pst_session *session = &refreshing->auth->session;

    return refreshing->ctx->config->backend.who.field && session->asked == 0 &&
           session->known == PST_IDENTITY_KNOWN;
}

static bool
is_overdue(const struct refreshing *refreshing)
{
    return pst_refresh_is_overdue(&refreshing->auth->session,
                                  refresh_now(refreshing->ctx));
}

/* After a failure that will pass: go on with the old token while it is valid.
 */
static enum pst_err
tolerate_failure(const struct refreshing *refreshing, enum pst_err e)
{
    return is_overdue(refreshing) ? e : PST_OK;
}

/* The session was revoked while the refresh ran. */
static enum pst_err
drop_session(struct refreshing *refreshing)
{
    refreshing->auth->has_session = false;
    return PST_NO_SESSION;
}

static enum pst_err
end_session(struct refreshing *refreshing)
{
    enum pst_err e = identity_end_session(refreshing->ctx, refreshing->req,
                                          refreshing->res, refreshing->auth);

    return e ? e : PST_NO_SESSION;
}

static enum pst_err
adopt_stored_tokens(struct refreshing *refreshing)
{
    enum pst_err e = stored_tokens_adopt(
        refreshing->ctx, refreshing->req, &refreshing->auth->session,
        &refreshing->has_adopted, &refreshing->sent);

    if (refreshing->has_adopted)
        refreshing->auth->is_renewal_due = true;
    return e;
}

/* End the new tokens at the backend, where nothing may be sent for a lock that
 * was lost. */
static void
end_orphan(struct refreshing *refreshing, struct pst_str upstream)
{
    stored_tokens_unlock(refreshing->ctx);
    identity_end_orphan(refreshing->ctx, refreshing->req, upstream);
}

/* The token belongs to another user than the session, or to nobody. */
static enum pst_err
end_changed_session(struct refreshing *refreshing, struct pst_str upstream,
                    const struct backend_identity *identity)
{
    identity_log(refreshing->ctx, refreshing->req, "identity-changed",
                 refreshing->auth, identity);
    if (identity->known == PST_IDENTITY_KNOWN)
        end_orphan(refreshing, upstream);
    return end_session(refreshing);
}

/* Ask whose the new token is. */
static enum pst_err
confirm_owner(struct refreshing *refreshing)
{
    struct context *ctx = refreshing->ctx;
    struct pst_session *session = &refreshing->auth->session;
    struct pst_str upstream = session->upstream;
    struct backend_identity identity;
    enum pst_err e;

    e = identity_query(ctx, refreshing->req, &upstream, &identity);
    if (e)
        return e;
    if (identity.known == PST_IDENTITY_UNKNOWN) {
        identity_log(ctx, refreshing->req, "identity-unknown", refreshing->auth,
                     &identity);
        return PST_UPSTREAM_BROKEN;
    }
    if (pst_str_is_absent(upstream) || identity.known != session->known ||
        !pst_str_equal(identity.sub, session->sub))
        return end_changed_session(refreshing, upstream, &identity);
    session->upstream = upstream;
    session->name = identity.name;
    session->who = identity.who;
    session->asked = ctx->now;
    if (identity.end > session->token_begun)
        session->token_end = identity.end;
    e = stored_tokens_keep(ctx, refreshing->req, refreshing->auth, session);
    return e == PST_REVOKED ? drop_session(refreshing) : e;
}

/* The backend has given new tokens. */
static enum pst_err
accept_tokens(struct refreshing *refreshing, struct token_refresh *refresh)
{
    struct context *ctx = refreshing->ctx;
    struct auth *auth = refreshing->auth;
    struct pst_session *fresh = &refresh->session;
    enum pst_err e;

    if (ctx->config->backend.who.field && fresh->known == PST_IDENTITY_KNOWN)
        fresh->asked = 0;
    e = stored_tokens_keep(ctx, refreshing->req, auth, fresh);
    if (e == PST_REVOKED) {
        LOG_EVENT(
            ctx->log, LEVEL_INFO, "session-revoked-meanwhile",
            LOG_C_STRING("request", refreshing->req->id),
            LOG_C_STRING("session", auth_log_id(refreshing->auth,
                                                (char[AUTH_LOG_ID_SIZE]){0})));
        end_orphan(refreshing, fresh->upstream);
        return drop_session(refreshing);
    }
    if (e)
        return e;
    if (!pst_str_is_absent(refresh->sub) &&
        !pst_str_equal(refresh->sub, auth->session.sub))
        return end_changed_session(
            refreshing, fresh->upstream,
            &(struct backend_identity){.known = PST_IDENTITY_KNOWN,
                                       .sub = refresh->sub});
    auth->session = *fresh;
    auth->is_renewal_due = true;
    LOG_EVENT(
        ctx->log, LEVEL_INFO, "token-refreshed",
        LOG_C_STRING("request", refreshing->req->id),
        LOG_C_STRING("session", auth_log_id(auth, (char[AUTH_LOG_ID_SIZE]){0})),
        LOG_STR("subject", auth->session.sub));
    return is_unconfirmed(refreshing) ? confirm_owner(refreshing) : PST_OK;
}

static enum pst_err
ask_backend(struct refreshing *refreshing)
{
    struct context *ctx = refreshing->ctx;
    struct token_refresh *refresh =
        pst_arena_alloc(refreshing->req->arena, sizeof(*refresh));
    enum pst_err e;

    if (!refresh)
        return PST_NO_MEMORY;
    e = token_refresh_run(ctx, refreshing->req, &refreshing->auth->session,
                          refresh_now(ctx), refresh);
    if (e)
        return e == PST_OVERLOADED ? tolerate_failure(refreshing, e) : e;
    switch (refresh->result) {
    case TOKEN_REFRESH_GRANTED:
        return accept_tokens(refreshing, refresh);
    case TOKEN_REFRESH_FAILED:
        /* The next request may try again. */
        if (store_lock_is_held(ctx->refresh))
            (void)!stored_tokens_replace(ctx, refreshing->req->arena,
                                         &refreshing->auth->session);
        return tolerate_failure(refreshing, refresh->error);
    case TOKEN_REFRESH_REFUSED:
        break;
    }
    LOG_EVENT(ctx->log, LEVEL_INFO, "token-refresh-refused",
              LOG_C_STRING("request", refreshing->req->id),
              LOG_C_STRING("session", auth_log_id(refreshing->auth,
                                                  (char[AUTH_LOG_ID_SIZE]){0})),
              LOG_STR("subject", refreshing->auth->session.sub),
              LOG_STR("reason", refresh->reason));
    return end_session(refreshing);
}

/* Has another request just sent the same refresh token, and nothing came of it
 * yet? */
static bool
is_spent(const struct refreshing *refreshing, bool has_waited)
{
    const struct context *ctx = refreshing->ctx;

    return (has_waited && !refreshing->has_adopted) ||
           (refreshing->sent > 0 && refresh_now(ctx) - refreshing->sent <=
                                        ctx->config->first_byte_timeout);
}

/* Go on without a refresh, since another request has tried it. */
static enum pst_err
refuse_second_try(struct refreshing *refreshing)
{
    struct context *ctx = refreshing->ctx;
    enum pst_err e =
        registry_check(ctx, refreshing->req, &refreshing->auth->session);

    if (e == PST_REVOKED)
        return drop_session(refreshing);
    if (!is_overdue(refreshing))
        return PST_OK;
    e = e ? e : PST_UPSTREAM_DOWN;
    LOG_EVENT(ctx->log, LEVEL_WARNING, "token-refresh-failed",
              LOG_C_STRING("request", refreshing->req->id),
              LOG_C_STRING("cause", pst_err_code(e)),
              LOG_C_STRING("reason", "another request has just sent the same "
                                     "refresh token, and got no answer"));
    return e;
}

/* Refresh, unless the one who held the lock before has done so. */
static enum pst_err
refresh_locked(struct refreshing *refreshing, bool has_waited)
{
    sigset_t signals;
    enum pst_err e = adopt_stored_tokens(refreshing);

    if (e)
        return tolerate_failure(refreshing, e);
    /* A token of a second or two is due again at once. */
    if (!is_due(refreshing) ||
        (has_waited && refreshing->has_adopted && !is_overdue(refreshing)))
        return is_unconfirmed(refreshing) ? confirm_owner(refreshing) : PST_OK;
    if (is_spent(refreshing, has_waited))
        return refuse_second_try(refreshing);
    server_hold_signals(&signals);
    e = stored_tokens_prepare(refreshing->ctx, refreshing->req,
                              &refreshing->auth->session,
                              refresh_now(refreshing->ctx));
    if (e == PST_REVOKED)
        e = drop_session(refreshing);
    else if (e)
        e = tolerate_failure(refreshing, e);
    else
        e = ask_backend(refreshing);
    server_release_signals(&signals);
    return e;
}

static enum pst_err
refresh_with_lock(struct refreshing *refreshing)
{
    struct context *ctx = refreshing->ctx;
    bool has_waited = false;
    /* As long as for the backend's answer. */
    enum pst_err e =
        stored_tokens_lock(ctx, refreshing->req, &refreshing->auth->session,
                           ctx->config->first_byte_timeout, &has_waited);

    if (e == PST_CLIENT_GONE || e == PST_NO_MEMORY)
        return e;
    if (e)
        return tolerate_failure(refreshing,
                                e == PST_OVERLOADED ? PST_UPSTREAM_TIMEOUT : e);
    e = refresh_locked(refreshing, has_waited);
    stored_tokens_unlock(ctx);
    return e;
}

static enum pst_err
refresh_due(struct refreshing *refreshing)
{
    enum pst_err e = adopt_stored_tokens(refreshing);

    if (e)
        return tolerate_failure(refreshing, e);
    if (!is_due(refreshing) && !is_unconfirmed(refreshing))
        return PST_OK;
    return refresh_with_lock(refreshing);
}

enum pst_err
session_refresh(struct context *ctx, struct request *req, struct response *res,
                struct auth *auth)
{
    struct pst_arena *arena;
    struct refreshing refreshing = {
        .ctx = ctx, .req = req, .res = res, .auth = auth};
    enum pst_err e;

    if (!auth->has_session || !is_due(&refreshing))
        return PST_OK;
    /* The configuration had a refresh document before: then the session ends
     * with its token. */
    if (!ctx->config->backend.refresh.field || !ctx->store)
        return is_overdue(&refreshing) ? end_session(&refreshing) : PST_OK;
    e = token_refresh_begin_memory(req, &arena);
    if (e)
        return e;
    e = refresh_due(&refreshing);
    req->arena = arena;
    return e;
}

void
session_refresh_adopt(struct context *ctx, struct request *req,
                      struct auth *auth)
{
    struct refreshing refreshing = {.ctx = ctx, .req = req, .auth = auth};
    struct pst_arena *arena;

    if (!auth->has_session || !ctx->store || !is_due(&refreshing) ||
        token_refresh_begin_memory(req, &arena))
        return;
    (void)!adopt_stored_tokens(&refreshing);
    req->arena = arena;
}

/* Refresh, and store nothing. */
static void
refresh_for_logout(struct context *ctx, struct request *req, struct auth *auth)
{
    struct token_refresh *refresh =
        pst_arena_alloc(req->arena, sizeof(*refresh));
    bool has_waited = false;

    /* Whoever holds the lock will end what it is given. */
    if (!refresh ||
        stored_tokens_lock(ctx, req, &auth->session, 0, &has_waited))
        return;
    if (token_refresh_run(ctx, req, &auth->session, refresh_now(ctx),
                          refresh) == PST_OK &&
        refresh->result == TOKEN_REFRESH_GRANTED)
        auth->session.upstream = refresh->session.upstream;
    stored_tokens_unlock(ctx);
}

void
session_refresh_for_logout(struct context *ctx, struct request *req,
                           struct auth *auth)
{
    struct pst_arena *arena;

    if (!ctx->store || !ctx->config->backend.refresh.field ||
        !pst_refresh_is_overdue(&auth->session, refresh_now(ctx)) ||
        token_refresh_begin_memory(req, &arena))
        return;
    refresh_for_logout(ctx, req, auth);
    req->arena = arena;
}
