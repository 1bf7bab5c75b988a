/* SPDX-License-Identifier: ISC */
/*
 * token_transport.c - seal a session, open it, and find room for a large one.
 */
#include "gateway/token_transport.h"

#include <assert.h>
#include <string.h>

#include "codec/base64url.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/token.h"
#include "gateway/session_cookies.h"
#include "session/claims.h"

static struct pst_token_use
session_token_use(const struct context *ctx, enum pst_purpose purpose)
{
    return (struct pst_token_use){ctx->ring, purpose, ctx->config->format};
}

/* The backend's token stays sealed even where the claims can be read. */
static struct pst_token_use
upstream_token_use(const struct context *ctx)
{
    return (struct pst_token_use){ctx->ring, PST_PURPOSE_UPSTREAM,
                                  PST_TOKEN_SEALED};
}

/* A session in the store. */

/* Nonce, sealed claims, tag. */
static enum pst_err
encrypt_spilled_session(struct context *ctx, struct pst_arena *arena,
                        const uint8_t key[static PST_KEY_LEN],
                        const struct pst_session *session,
                        struct pst_bytes *out)
{
    const struct pst_bytes aad = {session->sid, PST_SID_LEN};
    struct pst_str claims;
    struct pst_buf buf;
    uint8_t *blob;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_session_emit(&buf, session);
    e = pst_buf_finish(&buf, &claims);
    if (e)
        return e;
    blob = pst_arena_alloc(arena, PST_NONCE_LEN + claims.len + PST_TAG_LEN);
    if (!blob)
        return PST_NO_MEMORY;
    e = ctx->random(blob, PST_NONCE_LEN);
    if (e)
        return e;
    e = pst_crypto_seal(key, blob, aad, pst_str_bytes(claims),
                        blob + PST_NONCE_LEN,
                        blob + PST_NONCE_LEN + claims.len);
    if (e)
        return e;
    *out = (struct pst_bytes){blob, PST_NONCE_LEN + claims.len + PST_TAG_LEN};
    return PST_OK;
}

static enum pst_err
decrypt_spilled_session(struct pst_arena *arena,
                        const uint8_t key[static PST_KEY_LEN],
                        struct pst_bytes blob, struct pst_session *session)
{
    const struct pst_bytes aad = {session->sid, PST_SID_LEN};
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
    e = pst_crypto_open(key, blob.ptr, aad, sealed, tag, claims);
    if (e)
        return e;
    return pst_session_parse(
        arena, pst_str_from_bytes((struct pst_bytes){claims, sealed.len}),
        session);
}

/* The key in ["…"], where upstream is that. PST_NOT_FOUND where it is not. */
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

/* Where the session is in the store, take it from there. */
static enum pst_err
fetch_spilled_session(struct context *ctx, struct pst_arena *arena,
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
    e = decrypt_spilled_session(arena, key.ptr, blob, session);
    if (e)
        return e;
    session->spilled_key = key;
    return PST_OK;
}

/* One key for a session's life: an older copy of the token still opens what a
 * renewal wrote, and of two that move it into the store neither shuts the
 * other out. */
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

/* Put a session there that is on its way already. */
static enum pst_err
update_spilled_session(struct context *ctx, const struct pst_session *session,
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

/* Seal it for the store, and leave in *small what goes into the token. */
static enum pst_err
spill_session(struct context *ctx, struct pst_arena *arena,
              const struct pst_session *session, struct pst_session *reduced,
              struct pst_bytes *blob)
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
        e = encrypt_spilled_session(ctx, arena, key, session, blob);
    if (e)
        return e;
    *reduced = *session;
    reduced->who = PST_STR("{}");
    pst_buf_init_arena(&buf, arena, 64);
    pst_buf_add_string(&buf, "[\"");
    pst_base64url_encode(&buf, (struct pst_bytes){key, PST_KEY_LEN});
    pst_buf_add_string(&buf, "\"]");
    return pst_buf_finish(&buf, &reduced->upstream);
}

/* A session's cookie: a user's, or a guest's. */
static enum pst_purpose
session_cookie_purpose(const struct pst_session *session)
{
    return pst_session_is_guest(session) ? PST_PURPOSE_GUEST
                                         : PST_PURPOSE_COOKIE;
}

/* Opening. */

/* In the signed form `upstream` is a JWE of its own: open it in its place. */
static enum pst_err
open_upstream_token(const struct context *ctx, struct pst_arena *arena,
                    struct pst_session *session)
{
    struct pst_token_use use = upstream_token_use(ctx);
    const struct pst_json *value;
    enum pst_err e;

    if (ctx->config->format == PST_TOKEN_SEALED ||
        pst_str_is_absent(session->upstream))
        return PST_OK;
    e = pst_json_parse(arena, session->upstream, &value);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    return pst_token_open(&use, arena, pst_json_string(value),
                          &session->upstream, NULL);
}

enum pst_err
transport_verify(struct context *ctx, struct pst_arena *arena,
                 enum pst_purpose purpose, struct pst_str token,
                 struct pst_session *session, bool *is_stale)
{
    struct pst_token_use use = session_token_use(ctx, purpose);
    struct pst_session opened;
    struct pst_str claims;
    struct pst_kid kid;
    enum pst_err e;

    e = pst_token_open(&use, arena, token, &claims, &kid);
    if (e)
        return e;
    e = pst_session_parse(arena, claims, &opened);
    if (e)
        return e;
    e = open_upstream_token(ctx, arena, &opened);
    if (e)
        return e;
    e = fetch_spilled_session(ctx, arena, &opened);
    if (e)
        return e;
    if (purpose != PST_PURPOSE_BEARER &&
        purpose != session_cookie_purpose(&opened))
        return PST_FORGED;
    *session = opened;
    *is_stale = !pst_keyring_is_first(ctx->ring, &kid);
    return PST_OK;
}

/* Sealing. */

static enum pst_err
seal_upstream_token(struct context *ctx, struct pst_arena *arena,
                    struct pst_session *session)
{
    struct pst_token_use use = upstream_token_use(ctx);
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_buf token;
    struct pst_buf json;
    enum pst_err e;

    if (ctx->config->format == PST_TOKEN_SEALED ||
        pst_str_is_absent(session->upstream))
        return PST_OK;
    e = ctx->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&token, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, ctx->now, nonce, session->upstream, &token);
    if (e)
        return e;
    pst_buf_init_arena(&json, arena, PST_TOKEN_MAX);
    pst_json_emit_string(&json, pst_buf_str(&token));
    return pst_buf_finish(&json, &session->upstream);
}

static enum pst_err
seal_session_token(struct context *ctx, struct pst_arena *arena,
                   enum pst_purpose purpose, const struct pst_session *session,
                   struct pst_str *out)
{
    struct pst_token_use use = session_token_use(ctx, purpose);
    struct pst_session inside = *session;
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_str claims;
    struct pst_buf buf;
    enum pst_err e;

    e = seal_upstream_token(ctx, arena, &inside);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_CLAIMS_MAX);
    pst_session_emit(&buf, &inside);
    e = pst_buf_finish(&buf, &claims);
    if (e)
        return e;
    e = ctx->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, ctx->now, nonce, claims, &buf);
    if (e)
        return e;
    return pst_buf_finish(&buf, out);
}

/* The Set-Cookie line that carries token. */
static enum pst_err
emit_session_cookie(const struct context *ctx, struct pst_arena *arena,
                    const struct pst_session *session, struct pst_str token,
                    struct pst_str *out)
{
    struct pst_cookie cookie = session_cookies_describe(
        ctx->config, pst_session_is_guest(session) ? SESSION_COOKIES_GUEST
                                                   : SESSION_COOKIES_USER);
    struct pst_buf buf;

    cookie.value = token;
    if (pst_session_is_persistent(session)) {
        cookie.has_max_age = true;
        cookie.max_age = session->exp - ctx->now;
    }
    pst_buf_init_arena(&buf, arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit(&buf, &cookie);
    return pst_buf_finish(&buf, out);
}

static enum pst_err
issue_by_methods(struct context *ctx, struct pst_arena *arena, unsigned methods,
                 const struct pst_session *session, struct transport *out)
{
    struct transport issued = {PST_STR_NONE, PST_STR_NONE, {NULL, 0}};
    struct pst_str token;
    enum pst_err e;

    if (methods & TOKEN_METHOD_COOKIE) {
        e = seal_session_token(ctx, arena, session_cookie_purpose(session),
                               session, &token);
        if (!e)
            e = emit_session_cookie(ctx, arena, session, token, &issued.cookie);
        if (e)
            return e;
    }
    if (methods & TOKEN_METHOD_BEARER) {
        e = seal_session_token(ctx, arena, PST_PURPOSE_BEARER, session,
                               &issued.bearer);
        if (e)
            return e;
    }
    *out = issued;
    return PST_OK;
}

enum pst_err
transport_issue(struct context *ctx, struct pst_arena *arena, unsigned methods,
                const struct pst_session *session, bool is_new,
                struct transport *out)
{
    struct pst_bytes blob = {NULL, 0};
    struct pst_session reduced;
    struct transport issued;
    enum pst_err e = PST_TOO_LARGE;

    /* What is in the store stays there: an older copy of its token must not
     * hold more than the store says. */
    if (session->spilled_key.len == 0)
        e = issue_by_methods(ctx, arena, methods, session, out);
    if (e != PST_TOO_LARGE)
        return e;
    e = spill_session(ctx, arena, session, &reduced, &blob);
    if (!e && !is_new)
        e = update_spilled_session(ctx, session, blob);
    if (!e)
        e = issue_by_methods(ctx, arena, methods, &reduced, &issued);
    if (e)
        return e;
    if (is_new)
        issued.blob = blob;
    *out = issued;
    return PST_OK;
}
