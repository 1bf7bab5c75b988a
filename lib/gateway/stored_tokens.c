/* SPDX-License-Identifier: ISC */
/*
 * stored_tokens.c - the newest tokens of a session, in the store.
 */
#include "gateway/stored_tokens.h"

#include <string.h>

#include "base/clock.h"
#include "gateway/sealed_record.h"
#include "gateway/session_registry.h"
#include "session/claims.h"
#include "session/refresh.h"
#include "store/record.h"
#include "store/store_lock.h"

/* Milliseconds before the new tokens are offered to the store again. Each try
 * may take a second (store/store.h); for a while after a failure to connect,
 * all fail at once. */
static const int64_t pauses[] = {300, 1000};

/* What a key is derived from, and what a record is bound to: not those of a
 * spilled session. */
#define LABEL "tokens"
#define LABEL_LEN (sizeof(LABEL) - 1)

#define SENT_AT (LABEL_LEN + PST_SID_LEN)

struct tokens_context {
    uint8_t bytes[SENT_AT + RECORD_TIME_LEN];
};

static struct tokens_context
make_tokens_context(const struct pst_session *session, int64_t sent)
{
    struct tokens_context made;

    memcpy(made.bytes, LABEL, LABEL_LEN);
    memcpy(made.bytes + LABEL_LEN, session->sid, PST_SID_LEN);
    record_set_time(made.bytes + SENT_AT, sent);
    return made;
}

/* A record: sent, and the sealed claims. */
static enum pst_err
make_record(struct context *ctx, struct pst_arena *arena,
            const struct pst_session *session, int64_t sent,
            struct pst_bytes *out)
{
    const struct tokens_context context = make_tokens_context(session, sent);
    struct pst_bytes sealed;
    struct pst_str claims;
    struct pst_buf buf;
    uint8_t *record;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_claims_emit(&buf, session);
    e = pst_buf_finish(&buf, &claims);
    if (!e)
        e = sealed_record_make(
            ctx, arena,
            (struct pst_bytes){context.bytes, sizeof(context.bytes)}, claims,
            &sealed);
    if (e)
        return e;
    record = pst_arena_alloc(arena, RECORD_TIME_LEN + sealed.len);
    if (!record)
        return PST_NO_MEMORY;
    record_set_time(record, sent);
    memcpy(record + RECORD_TIME_LEN, sealed.ptr, sealed.len);
    *out = (struct pst_bytes){record, RECORD_TIME_LEN + sealed.len};
    return PST_OK;
}

static enum pst_err
open_record(const struct context *ctx, struct pst_arena *arena,
            const struct pst_session *session, struct pst_bytes record,
            struct pst_session *out, int64_t *sent)
{
    struct tokens_context context;
    struct pst_str claims;
    enum pst_err e;

    if (record.len < RECORD_TIME_LEN)
        return PST_FORGED;
    *sent = record_get_time(record.ptr);
    context = make_tokens_context(session, *sent);
    e = sealed_record_open(
        ctx->ring, arena,
        (struct pst_bytes){context.bytes, sizeof(context.bytes)},
        (struct pst_bytes){record.ptr + RECORD_TIME_LEN,
                           record.len - RECORD_TIME_LEN},
        &claims);
    return e ? e : pst_claims_parse(arena, claims, out);
}

typedef enum pst_err write_fn(struct store *store, const struct store_id *sid,
                              struct pst_bytes blob, int64_t expires,
                              int64_t now);

static enum pst_err
write_tokens(struct context *ctx, struct pst_arena *arena,
             const struct pst_session *session, int64_t sent, write_fn *write)
{
    struct pst_bytes record;
    struct store_id id;
    enum pst_err e = make_record(ctx, arena, session, sent, &record);

    if (e)
        return e;
    store_id_sid(session->sid, &id);
    return write(ctx->store, &id, record, session->exp, ctx->now);
}

enum pst_err
stored_tokens_put(struct context *ctx, struct pst_arena *arena,
                  const struct pst_session *session, int64_t sent)
{
    return write_tokens(ctx, arena, session, sent, store_tokens_put);
}

enum pst_err
stored_tokens_prepare(struct context *ctx, struct request *req,
                      const struct pst_session *session, int64_t sent)
{
    enum pst_err e = stored_tokens_put(ctx, req->arena, session, sent);

    if (e)
        return registry_log_store_error(ctx, req, e);
    e = registry_check(ctx, req, session);
    /* Once more, so that what was just stored is deleted. */
    if (e == PST_REVOKED)
        (void)!registry_revoke(ctx, req, session);
    return e;
}

enum pst_err
stored_tokens_replace(struct context *ctx, struct pst_arena *arena,
                      const struct pst_session *session)
{
    enum pst_err e = write_tokens(ctx, arena, session, 0, store_tokens_replace);

    return e == PST_NOT_FOUND ? PST_REVOKED : e;
}

enum pst_err
stored_tokens_keep(struct context *ctx, struct request *req,
                   const struct auth *auth, const struct pst_session *session)
{
    enum pst_err e = registry_log_store_error(
        ctx, req, stored_tokens_replace(ctx, req->arena, session));

    for (size_t i = 0; i < PST_COUNT(pauses) && e == PST_STORE_DOWN; i++) {
        const struct wait_limit pause = {clock_ms() + pauses[i], -1};

        (void)!wait_until(&pause);
        e = registry_log_store_error(
            ctx, req, stored_tokens_replace(ctx, req->arena, session));
    }
    /* All sessions of the user may be revoked, which deletes no tokens. */
    if (!e)
        e = registry_check(ctx, req, session);
    if (!e || e == PST_REVOKED)
        return e;
    /* The client may still get them, in its cookie. */
    LOG_EVENT(
        ctx->log, LEVEL_ERROR, "token-refresh-not-stored",
        LOG_C_STRING("request", req->id),
        LOG_C_STRING("session", auth_log_id(auth, (char[AUTH_LOG_ID_SIZE]){0})),
        LOG_STR("subject", session->sub),
        LOG_C_STRING("cause", pst_err_code(e)));
    return PST_OK;
}

enum pst_err
stored_tokens_get(struct context *ctx, struct pst_arena *arena,
                  const struct pst_session *session, struct pst_session *stored,
                  int64_t *sent)
{
    struct pst_session opened;
    struct pst_bytes record;
    struct store_id id;
    enum pst_err e;

    store_id_sid(session->sid, &id);
    e = store_tokens_get(ctx->store, &id, ctx->now, arena, &record);
    if (!e)
        e = open_record(ctx, arena, session, record, &opened, sent);
    if (e)
        return e == PST_FORGED ? PST_NOT_FOUND : e;
    if (memcmp(opened.sid, session->sid, PST_SID_LEN) != 0 ||
        !pst_str_equal(opened.sub, session->sub) ||
        pst_str_is_absent(opened.refresh))
        return PST_NOT_FOUND;
    *stored = opened;
    return PST_OK;
}

enum pst_err
stored_tokens_adopt(struct context *ctx, struct request *req,
                    struct pst_session *session, bool *has_adopted,
                    int64_t *sent)
{
    struct pst_session stored;
    enum pst_err e = stored_tokens_get(ctx, req->arena, session, &stored, sent);

    *has_adopted = false;
    if (e || pst_refresh_is_newer(session, &stored))
        *sent = 0; /* a mark is of the tokens before ours */
    if (e)
        return e == PST_NOT_FOUND ? PST_OK
                                  : registry_log_store_error(ctx, req, e);
    if (!pst_refresh_is_newer(&stored, session))
        return PST_OK;
    session->upstream = stored.upstream;
    session->refresh = stored.refresh;
    session->token_begun = stored.token_begun;
    session->token_end = stored.token_end;
    session->name = stored.name;
    session->who = stored.who;
    session->asked = stored.asked;
    *has_adopted = true;
    return PST_OK;
}

enum pst_err
stored_tokens_lock(struct context *ctx, struct request *req,
                   const struct pst_session *session, int64_t timeout,
                   bool *has_waited)
{
    const struct wait_limit limit = {.client = req->source.descriptor,
                                     .deadline = clock_ms() + timeout * 1000};
    struct store_lock *lock = pst_arena_alloc(req->arena, sizeof(*lock));
    struct store_id id;
    enum pst_err e;

    if (!lock)
        return PST_NO_MEMORY;
    e = store_id_name(
        ctx->store, "refresh",
        pst_str_from_bytes((struct pst_bytes){session->sid, PST_SID_LEN}), &id);
    if (!e)
        e = store_lock_acquire(ctx->store, lock, &id, &limit, has_waited);
    if (!e)
        ctx->refresh = lock;
    return registry_log_store_error(ctx, req, e);
}

void
stored_tokens_unlock(struct context *ctx)
{
    if (ctx->refresh)
        store_lock_release(ctx->refresh);
    ctx->refresh = NULL;
}
