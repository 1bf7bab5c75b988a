/* SPDX-License-Identifier: ISC */
/*
 * spilled_session.c - a session that is too large for its token: its sealed
 * claims are kept in the store, and the key to them in the token.
 */
#include "gateway/spilled_session.h"

#include <assert.h>
#include <string.h>

#include "codec/base64url.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "session/claims.h"

enum pst_err
spilled_claims_seal(struct context *ctx, struct pst_arena *arena,
                    const struct spilled_seal *seal,
                    const struct pst_session *session, struct pst_bytes *out)
{
    struct pst_str claims;
    struct pst_buf buf;
    uint8_t *blob;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_claims_emit(&buf, session);
    e = pst_buf_finish(&buf, &claims);
    if (e)
        return e;
    blob = pst_arena_alloc(arena, PST_NONCE_LEN + claims.len + PST_TAG_LEN);
    if (!blob)
        return PST_NO_MEMORY;
    e = ctx->random(blob, PST_NONCE_LEN);
    if (e)
        return e;
    e = pst_crypto_seal(seal->key, blob, seal->aad, pst_str_bytes(claims),
                        blob + PST_NONCE_LEN,
                        blob + PST_NONCE_LEN + claims.len);
    if (e)
        return e;
    *out = (struct pst_bytes){blob, PST_NONCE_LEN + claims.len + PST_TAG_LEN};
    return PST_OK;
}

enum pst_err
spilled_claims_open(struct pst_arena *arena, const struct spilled_seal *seal,
                    struct pst_bytes blob, struct pst_session *session)
{
    struct pst_bytes sealed;
    struct pst_bytes tag;
    uint8_t *claims;
    enum pst_err e;

    if (blob.len < PST_NONCE_LEN + PST_TAG_LEN)
        return PST_FORGED;
    sealed = (struct pst_bytes){blob.ptr + PST_NONCE_LEN,
                                blob.len - PST_NONCE_LEN - PST_TAG_LEN};
    tag = (struct pst_bytes){sealed.ptr + sealed.len, PST_TAG_LEN};
    claims = pst_arena_alloc(arena, sealed.len);
    if (!claims)
        return PST_NO_MEMORY;
    e = pst_crypto_open(seal->key, blob.ptr, seal->aad, sealed, tag, claims);
    if (e)
        return e;
    return pst_claims_parse(
        arena, pst_str_from_bytes((struct pst_bytes){claims, sealed.len}),
        session);
}

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
    e = spilled_claims_open(
        arena, &(struct spilled_seal){key.ptr, {session->sid, PST_SID_LEN}},
        blob, session);
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
    const struct pst_bytes sid = {session->sid, PST_SID_LEN};
    struct pst_kid kid = pst_keyring_kid(ctx->ring, session->iat);
    struct pst_key root;
    enum pst_err e;

    static_assert(PST_KEY_LEN == PST_HASH_LEN, "a hash is a key");
    if (session->spilled_key.len == PST_KEY_LEN) {
        memcpy(key, session->spilled_key.ptr, PST_KEY_LEN);
        return PST_OK;
    }
    e = pst_keyring_key(ctx->ring, &kid, PST_HS256, PST_PURPOSE_STORE, &root);
    if (e)
        return e;
    e = pst_crypto_hmac((struct pst_bytes){root.bytes, PST_KEY_LEN}, sid, key);
    pst_crypto_wipe(&root, sizeof(root));
    return e;
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
    struct pst_buf buf;
    enum pst_err e;

    if (!ctx->store)
        return PST_TOO_LARGE;
    if (!key)
        return PST_NO_MEMORY;
    e = derive_spill_key(ctx, session, key);
    if (!e)
        e = spilled_claims_seal(
            ctx, arena,
            &(struct spilled_seal){key, {session->sid, PST_SID_LEN}}, session,
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
