/* SPDX-License-Identifier: ISC */
/*
 * spilled_session.c - a session that is too large for its token: its sealed
 * claims are kept in the store, and the key to them in the token.
 */
#include "gateway/spilled_session.h"

#include <string.h>

#include "codec/base64url.h"
#include "codec/json.h"
#include "gateway/sealed_record.h"
#include "session/claims.h"

/* The key of a spilled session: upstream is ["<key>"]. PST_NOT_FOUND where it
 * is anything else. */
static enum pst_err
parse_spill_key(struct pst_arena *arena, struct pst_str upstream,
                struct pst_bytes *key)
{
    const struct pst_json *root;
    enum pst_err e;

    if (!pst_str_starts(upstream, PST_STR("[")))
        return PST_NOT_FOUND;
    e = pst_json_parse(arena, upstream, &root);
    if (!e)
        e = pst_base64url_decode(
            arena, pst_json_string(pst_json_at(root, PST_STR("/0"))), key);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    return key->len == PST_KEY_LEN ? PST_OK : PST_FORGED;
}

enum pst_err
spilled_session_fetch(struct context *ctx, struct pst_arena *arena,
                      struct pst_session *session)
{
    struct pst_bytes blob;
    struct pst_bytes key;
    struct pst_str claims;
    struct store_id id;
    enum pst_err e = parse_spill_key(arena, session->upstream, &key);

    if (e)
        return e == PST_NOT_FOUND ? PST_OK : e;
    if (!ctx->store)
        return PST_REVOKED;
    store_id_sid(session->sid, &id);
    e = store_spill_get(ctx->store, &id, ctx->now, arena, &blob);
    if (e)
        return e == PST_NOT_FOUND ? PST_REVOKED : e;
    e = sealed_blob_open(
        arena, &(struct sealed_blob_key){key.ptr, {session->sid, PST_SID_LEN}},
        blob, &claims);
    if (!e)
        e = pst_claims_parse(arena, claims, session);
    if (e)
        return e;
    session->spilled_key = key;
    return PST_OK;
}

/*
 * The session keeps one key for its life. So an older copy of the token still
 * opens what a renewal wrote, and two requests that spill the same session at
 * the same time use the same key.
 */
static enum pst_err
derive_spill_key(const struct context *ctx, const struct pst_session *session,
                 uint8_t key[static PST_KEY_LEN])
{
    struct pst_kid kid = pst_keyring_kid(ctx->ring, session->iat);

    if (session->spilled_key.len == PST_KEY_LEN) {
        memcpy(key, session->spilled_key.ptr, PST_KEY_LEN);
        return PST_OK;
    }
    return sealed_record_key(
        ctx->ring, &kid, (struct pst_bytes){session->sid, PST_SID_LEN}, key);
}

enum pst_err
spilled_session_update(struct context *ctx, const struct pst_session *session,
                       struct pst_bytes blob)
{
    struct store_id id;
    enum pst_err e;

    store_id_sid(session->sid, &id);
    if (session->spilled_key.len == 0)
        return store_spill_put(ctx->store, &id, blob, session->exp, ctx->now);
    e = store_spill_replace(ctx->store, &id, blob, session->exp, ctx->now);
    return e == PST_NOT_FOUND ? PST_REVOKED : e;
}

enum pst_err
spilled_session_make(struct context *ctx, struct pst_arena *arena,
                     const struct pst_session *session,
                     struct pst_session *reduced, struct pst_bytes *blob)
{
    uint8_t *key = pst_arena_alloc(arena, PST_KEY_LEN);
    struct pst_str claims;
    struct pst_buf buf;
    enum pst_err e;

    if (!ctx->store)
        return PST_TOO_LARGE;
    if (!key)
        return PST_NO_MEMORY;
    e = derive_spill_key(ctx, session, key);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_claims_emit(&buf, session);
    e = pst_buf_finish(&buf, &claims);
    if (!e)
        e = sealed_blob_make(
            ctx, arena,
            &(struct sealed_blob_key){key, {session->sid, PST_SID_LEN}}, claims,
            blob);
    if (e)
        return e;
    *reduced = *session;
    reduced->who = PST_STR("{}");
    reduced->refresh = PST_STR_NONE;
    pst_buf_init_arena(&buf, arena, 64);
    pst_buf_add_string(&buf, "[\"");
    pst_base64url_encode(&buf, (struct pst_bytes){key, PST_KEY_LEN});
    pst_buf_add_string(&buf, "\"]");
    return pst_buf_finish(&buf, &reduced->upstream);
}
