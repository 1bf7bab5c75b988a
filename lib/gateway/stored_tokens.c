/* SPDX-License-Identifier: ISC */
/*
 * stored_tokens.c - the newest tokens of a session, in the store.
 */
#include "gateway/stored_tokens.h"

#include <string.h>

#include "gateway/sealed_record.h"
#include "gateway/session_registry.h"
#include "session/claims.h"

/* What a key is derived from, and what a record is bound to: not those of a
 * spilled session. */
#define LABEL "tokens"
#define LABEL_LEN (sizeof(LABEL) - 1)

struct tokens_context {
    uint8_t bytes[LABEL_LEN + PST_SID_LEN];
};

static struct tokens_context
make_tokens_context(const struct pst_session *session)
{
    struct tokens_context made;

    memcpy(made.bytes, LABEL, LABEL_LEN);
    memcpy(made.bytes + LABEL_LEN, session->sid, PST_SID_LEN);
    return made;
}

static enum pst_err
make_record(struct context *ctx, struct pst_arena *arena,
            const struct pst_session *session, struct pst_bytes *out)
{
    const struct tokens_context context = make_tokens_context(session);
    struct pst_str claims;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_claims_emit(&buf, session);
    e = pst_buf_finish(&buf, &claims);
    if (e)
        return e;
    return sealed_record_make(
        ctx, arena, (struct pst_bytes){context.bytes, sizeof(context.bytes)},
        claims, out);
}

static enum pst_err
open_record(const struct context *ctx, struct pst_arena *arena,
            const struct pst_session *session, struct pst_bytes record,
            struct pst_session *out)
{
    const struct tokens_context context = make_tokens_context(session);
    struct pst_str claims;
    enum pst_err e = sealed_record_open(
        ctx->ring, arena,
        (struct pst_bytes){context.bytes, sizeof(context.bytes)}, record,
        &claims);

    return e ? e : pst_claims_parse(arena, claims, out);
}

enum pst_err
stored_tokens_put(struct context *ctx, struct pst_arena *arena,
                  const struct pst_session *session)
{
    struct pst_bytes record;
    struct store_id id;
    enum pst_err e = make_record(ctx, arena, session, &record);

    if (e)
        return e;
    store_id_sid(session->sid, &id);
    return store_tokens_put(ctx->store, &id, record, session->exp, ctx->now);
}

enum pst_err
stored_tokens_prepare(struct context *ctx, struct request *req,
                      const struct pst_session *session)
{
    enum pst_err e = stored_tokens_put(ctx, req->arena, session);

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
    struct pst_bytes record;
    struct store_id id;
    enum pst_err e = make_record(ctx, arena, session, &record);

    if (e)
        return e;
    store_id_sid(session->sid, &id);
    e = store_tokens_replace(ctx->store, &id, record, session->exp, ctx->now);
    return e == PST_NOT_FOUND ? PST_REVOKED : e;
}

enum pst_err
stored_tokens_get(struct context *ctx, struct pst_arena *arena,
                  const struct pst_session *session, struct pst_session *stored)
{
    struct pst_session opened;
    struct pst_bytes record;
    struct store_id id;
    enum pst_err e;

    store_id_sid(session->sid, &id);
    e = store_tokens_get(ctx->store, &id, ctx->now, arena, &record);
    if (!e)
        e = open_record(ctx, arena, session, record, &opened);
    if (e)
        return e == PST_FORGED ? PST_NOT_FOUND : e;
    if (memcmp(opened.sid, session->sid, PST_SID_LEN) != 0 ||
        !pst_str_equal(opened.sub, session->sub) ||
        pst_str_is_absent(opened.refresh))
        return PST_NOT_FOUND;
    *stored = opened;
    return PST_OK;
}
