/* SPDX-License-Identifier: ISC */
/*
 * session_refresh.c - replace the backend's token of a session before it ends:
 * once for all requests of the session.
 */
#include "gateway/session_refresh.h"

#include "base/clock.h"
#include "engine/server.h"
#include "gateway/identity.h"
#include "gateway/session_registry.h"
#include "gateway/stored_tokens.h"
#include "gateway/token_refresh.h"
#include "session/refresh.h"
#include "store/store_lock.h"

/* How often the new tokens are offered to the store. Each try may take a
 * second (store/store.h). */
#define STORE_TRIES_MAX 3

/* One refresh. */
struct refreshing {
    struct context *ctx;
    struct request *req;
    struct response *res;
    struct auth *auth;
    bool has_adopted; /* newer tokens were in the store */
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

/* Take the tokens from the store, if they are newer. Where a refresh could not
 * be stored, they are older than those of the cookie. */
static enum pst_err
adopt_stored_tokens(struct refreshing *refreshing)
{
    struct context *ctx = refreshing->ctx;
    struct pst_session *session = &refreshing->auth->session;
    struct pst_session stored;
    enum pst_err e =
        stored_tokens_get(ctx, refreshing->req->arena, session, &stored);

    if (e == PST_NOT_FOUND)
        return PST_OK;
    if (e)
        return registry_log_store_error(ctx, refreshing->req, e);
    if (!pst_refresh_is_newer(&stored, session))
        return PST_OK;
    session->upstream = stored.upstream;
    session->refresh = stored.refresh;
    session->token_begun = stored.token_begun;
    session->token_end = stored.token_end;
    session->name = stored.name;
    session->who = stored.who;
    session->asked = stored.asked;
    refreshing->has_adopted = true;
    refreshing->auth->is_renewal_due = true;
    return PST_OK;
}

/* Store the new tokens. PST_REVOKED: the session is revoked. */
static enum pst_err
store_tokens_after(struct refreshing *refreshing,
                   const struct pst_session *session)
{
    struct context *ctx = refreshing->ctx;
    struct request *req = refreshing->req;
    enum pst_err e = PST_STORE_DOWN;

    for (unsigned i = 0; i < STORE_TRIES_MAX && e == PST_STORE_DOWN; i++)
        e = registry_log_store_error(
            ctx, req, stored_tokens_replace(ctx, req->arena, session));
    /* All sessions of the user may be revoked, which deletes no tokens. */
    if (!e)
        e = registry_check(ctx, req, session);
    if (!e || e == PST_REVOKED)
        return e;
    /* The client may still get them, in its cookie. */
    LOG_EVENT(ctx->log, LEVEL_ERROR, "token-refresh-not-stored",
              LOG_C_STRING("request", req->id),
              LOG_C_STRING("session", auth_log_id(refreshing->auth,
                                                  (char[AUTH_LOG_ID_SIZE]){0})),
              LOG_STR("subject", session->sub));
    return PST_OK;
}

/* The token belongs to another user than the session, or to nobody. */
static enum pst_err
end_changed_session(struct refreshing *refreshing, struct pst_str upstream,
                    const struct backend_identity *identity)
{
    identity_log(refreshing->ctx, refreshing->req, "identity-changed",
                 refreshing->auth, identity);
    if (identity->known == PST_IDENTITY_KNOWN)
        identity_end_orphan(refreshing->ctx, refreshing->req, upstream);
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
    e = store_tokens_after(refreshing, session);
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
    e = store_tokens_after(refreshing, fresh);
    if (e == PST_REVOKED) {
        LOG_EVENT(
            ctx->log, LEVEL_INFO, "session-revoked-meanwhile",
            LOG_C_STRING("request", refreshing->req->id),
            LOG_C_STRING("session", auth_log_id(refreshing->auth,
                                                (char[AUTH_LOG_ID_SIZE]){0})));
        identity_end_orphan(ctx, refreshing->req, fresh->upstream);
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
    if (has_waited) {
        e = registry_check(refreshing->ctx, refreshing->req,
                           &refreshing->auth->session);
        return e == PST_REVOKED
                   ? drop_session(refreshing)
                   : tolerate_failure(refreshing, e ? e : PST_UPSTREAM_DOWN);
    }
    server_hold_signals(&signals);
    e = stored_tokens_prepare(refreshing->ctx, refreshing->req,
                              &refreshing->auth->session);
    if (e == PST_REVOKED)
        e = drop_session(refreshing);
    else if (e)
        e = tolerate_failure(refreshing, e);
    else
        e = ask_backend(refreshing);
    server_release_signals(&signals);
    return e;
}

/* Wait for the lock.
 *   timeout  seconds; 0: do not wait */
static enum pst_err
acquire_lock(struct refreshing *refreshing, struct store_lock *lock,
             int64_t timeout, bool *has_waited)
{
    struct context *ctx = refreshing->ctx;
    const struct pst_session *session = &refreshing->auth->session;
    const struct wait_limit limit = {.client =
                                         refreshing->req->source.descriptor,
                                     .deadline = clock_ms() + timeout * 1000};
    struct store_id id;
    enum pst_err e = store_id_name(
        ctx->store, "refresh",
        pst_str_from_bytes((struct pst_bytes){session->sid, PST_SID_LEN}), &id);

    if (!e)
        e = store_lock_acquire(ctx->store, lock, &id, &limit, has_waited);
    if (!e)
        ctx->refresh = lock;
    return registry_log_store_error(ctx, refreshing->req, e);
}

static void
release_lock(struct context *ctx)
{
    store_lock_release(ctx->refresh);
    ctx->refresh = NULL;
}

static enum pst_err
refresh_with_lock(struct refreshing *refreshing)
{
    struct store_lock *lock =
        pst_arena_alloc(refreshing->req->arena, sizeof(*lock));
    bool has_waited = false;
    enum pst_err e;

    if (!lock)
        return PST_NO_MEMORY;
    /* As long as for the backend's answer. */
    e = acquire_lock(refreshing, lock,
                     refreshing->ctx->config->first_byte_timeout, &has_waited);
    if (e == PST_CLIENT_GONE)
        return e;
    if (e)
        return tolerate_failure(refreshing,
                                e == PST_OVERLOADED ? PST_UPSTREAM_TIMEOUT : e);
    e = refresh_locked(refreshing, has_waited);
    release_lock(refreshing->ctx);
    return e;
}

enum pst_err
session_refresh(struct context *ctx, struct request *req, struct response *res,
                struct auth *auth)
{
    struct refreshing refreshing = {
        .ctx = ctx, .req = req, .res = res, .auth = auth};
    enum pst_err e;

    if (!auth->has_session || !is_due(&refreshing))
        return PST_OK;
    /* The configuration had a refresh document before: then the session ends
     * with its token. */
    if (!ctx->config->backend.refresh.field || !ctx->store)
        return is_overdue(&refreshing) ? end_session(&refreshing) : PST_OK;
    e = adopt_stored_tokens(&refreshing);
    if (e)
        return tolerate_failure(&refreshing, e);
    if (!is_due(&refreshing) && !is_unconfirmed(&refreshing))
        return PST_OK;
    return refresh_with_lock(&refreshing);
}

void
session_refresh_adopt(struct context *ctx, struct request *req,
                      struct auth *auth)
{
    struct refreshing refreshing = {.ctx = ctx, .req = req, .auth = auth};

    if (auth->has_session && ctx->store && is_due(&refreshing))
        (void)!adopt_stored_tokens(&refreshing);
}

void
session_refresh_for_logout(struct context *ctx, struct request *req,
                           struct auth *auth)
{
    struct refreshing refreshing = {.ctx = ctx, .req = req, .auth = auth};
    struct token_refresh *refresh =
        pst_arena_alloc(req->arena, sizeof(*refresh));
    struct store_lock *lock = pst_arena_alloc(req->arena, sizeof(*lock));
    bool has_waited = false;

    if (!refresh || !lock || !ctx->store ||
        !ctx->config->backend.refresh.field ||
        !pst_refresh_is_overdue(&auth->session, refresh_now(ctx)) ||
        /* Whoever holds the lock will end what it is given. */
        acquire_lock(&refreshing, lock, 0, &has_waited))
        return;
    if (token_refresh_run(ctx, req, &auth->session, refresh_now(ctx),
                          refresh) == PST_OK &&
        refresh->result == TOKEN_REFRESH_GRANTED)
        auth->session.upstream = refresh->session.upstream;
    release_lock(ctx);
}
