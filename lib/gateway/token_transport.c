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

static struct pst_token_use
use_of(const struct gate *gate, enum pst_purpose purpose)
{
    return (struct pst_token_use){gate->ring, purpose, gate->config->format};
}

/* The backend's token stays sealed even where the claims can be read. */
static struct pst_token_use
upstream_use(const struct gate *gate)
{
    return (struct pst_token_use){gate->ring, PST_PURPOSE_UPSTREAM,
                                  PST_TOKEN_SEALED};
}

/* A session in the store. */

/* Nonce, sealed claims, tag. */
static enum pst_err
spill_seal(struct gate *gate, struct pst_arena *arena,
           const uint8_t key[static PST_KEY_LEN],
           const struct pst_session *session, struct pst_bytes *out)
{
    const struct pst_bytes aad = {session->sid, PST_SID_LEN};
    struct pst_text claims;
    struct pst_buf buf;
    uint8_t *blob;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, PST_SPILL_MAX);
    pst_session_emit(&buf, session);
    e = pst_buf_end(&buf, &claims);
    if (e)
        return e;
    blob = pst_arena_alloc(arena, PST_NONCE_LEN + claims.len + PST_TAG_LEN);
    if (!blob)
        return PST_NO_MEMORY;
    e = gate->random(blob, PST_NONCE_LEN);
    if (e)
        return e;
    e = pst_crypt_seal(key, blob, aad, pst_text_bytes(claims),
                       blob + PST_NONCE_LEN, blob + PST_NONCE_LEN + claims.len);
    if (e)
        return e;
    *out = (struct pst_bytes){blob, PST_NONCE_LEN + claims.len + PST_TAG_LEN};
    return PST_OK;
}

static enum pst_err
spill_open(struct pst_arena *arena, const uint8_t key[static PST_KEY_LEN],
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
    e = pst_crypt_open(key, blob.ptr, aad, sealed, tag, claims);
    if (e)
        return e;
    return pst_session_parse(
        arena, pst_bytes_text((struct pst_bytes){claims, sealed.len}), session);
}

/* The key in ["…"], where upstream is that. PST_ABSENT where it is not. */
static enum pst_err
spill_key(struct pst_arena *arena, struct pst_text upstream,
          struct pst_bytes *key)
{
    const struct pst_json *root;
    enum pst_err e;

    if (!pst_text_starts(upstream, PST_TEXT("[")))
        return PST_ABSENT;
    e = pst_json_parse(arena, upstream, &root);
    if (!e)
        e = pst_base64url_decode(
            arena, pst_json_text(pst_json_at(root, PST_TEXT("/0"))), key);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    return key->len == PST_KEY_LEN ? PST_OK : PST_FORGED;
}

/* Where the session is in the store, take it from there. */
static enum pst_err
fetch(struct gate *gate, struct pst_arena *arena, struct pst_session *session)
{
    struct pst_bytes blob;
    struct pst_bytes key;
    struct store_id id;
    enum pst_err e = spill_key(arena, session->upstream, &key);

    if (e)
        return e == PST_ABSENT ? PST_OK : e;
    if (!gate->store)
        return PST_REVOKED;
    store_id_sid(session->sid, &id);
    e = store_spill_get(gate->store, &id, gate->now, arena, &blob);
    if (e)
        return e == PST_ABSENT ? PST_REVOKED : e;
    e = spill_open(arena, key.ptr, blob, session);
    if (e)
        return e;
    session->spilled = key;
    return PST_OK;
}

/* One key for a session's life: an older copy of the token still opens what a
 * renewal wrote, and of two that move it into the store neither shuts the
 * other out. */
static enum pst_err
get_key(const struct gate *gate, const struct pst_session *session,
        uint8_t key[static PST_KEY_LEN])
{
    const struct pst_bytes sid = {session->sid, PST_SID_LEN};
    struct pst_kid kid = pst_keyring_kid(gate->ring, session->iat);
    struct pst_key root;
    enum pst_err e;

    static_assert(PST_KEY_LEN == PST_HASH_LEN, "a hash is a key");
    if (session->spilled.len == PST_KEY_LEN) {
        memcpy(key, session->spilled.ptr, PST_KEY_LEN);
        return PST_OK;
    }
    e = pst_keyring_key(gate->ring, &kid, PST_HS256, PST_PURPOSE_STORE, &root);
    if (e)
        return e;
    e = pst_crypt_hmac((struct pst_bytes){root.octets, PST_KEY_LEN}, sid, key);
    pst_crypt_wipe(&root, sizeof(root));
    return e;
}

/* Put a session there that is on its way already. */
static enum pst_err
put_again(struct gate *gate, const struct pst_session *session,
          struct pst_bytes blob)
{
    struct store_id id;
    enum pst_err e;

    store_id_sid(session->sid, &id);
    if (session->spilled.len == 0)
        return store_spill_put(gate->store, &id, blob, session->exp, gate->now);
    e = store_spill_replace(gate->store, &id, blob, session->exp, gate->now);
    return e == PST_ABSENT ? PST_REVOKED : e;
}

/* Seal it for the store, and leave in *small what goes into the token. */
static enum pst_err
spill(struct gate *gate, struct pst_arena *arena,
      const struct pst_session *session, struct pst_session *small,
      struct pst_bytes *blob)
{
    uint8_t *key = pst_arena_alloc(arena, PST_KEY_LEN);
    struct pst_buf buf;
    enum pst_err e;

    if (!gate->store)
        return PST_TOO_LARGE;
    if (!key)
        return PST_NO_MEMORY;
    e = get_key(gate, session, key);
    if (!e)
        e = spill_seal(gate, arena, key, session, blob);
    if (e)
        return e;
    *small = *session;
    small->who = PST_TEXT("{}");
    pst_buf_init_arena(&buf, arena, 64);
    pst_buf_add_string(&buf, "[\"");
    pst_base64url_encode(&buf, (struct pst_bytes){key, PST_KEY_LEN});
    pst_buf_add_string(&buf, "\"]");
    return pst_buf_end(&buf, &small->upstream);
}

/* A session's cookie: a user's, or a guest's. */
static enum pst_purpose
cookie_purpose(const struct pst_session *session)
{
    return pst_session_is_guest(session) ? PST_PURPOSE_GUEST
                                         : PST_PURPOSE_COOKIE;
}

/* Opening. */

/* In the signed form `upstream` is a JWE of its own: open it in its place. */
static enum pst_err
open_upstream(const struct gate *gate, struct pst_arena *arena,
              struct pst_session *session)
{
    struct pst_token_use use = upstream_use(gate);
    const struct pst_json *value;
    enum pst_err e;

    if (gate->config->format == PST_TOKEN_SEALED ||
        pst_text_is_absent(session->upstream))
        return PST_OK;
    e = pst_json_parse(arena, session->upstream, &value);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    return pst_token_open(&use, arena, pst_json_text(value), &session->upstream,
                          NULL);
}

enum pst_err
carry_open(struct gate *gate, struct pst_arena *arena, enum pst_purpose purpose,
           struct pst_text token, struct pst_session *session, bool *is_stale)
{
    struct pst_token_use use = use_of(gate, purpose);
    struct pst_session opened;
    struct pst_text claims;
    struct pst_kid kid;
    enum pst_err e;

    e = pst_token_open(&use, arena, token, &claims, &kid);
    if (e)
        return e;
    e = pst_session_parse(arena, claims, &opened);
    if (e)
        return e;
    e = open_upstream(gate, arena, &opened);
    if (e)
        return e;
    e = fetch(gate, arena, &opened);
    if (e)
        return e;
    if (purpose != PST_PURPOSE_BEARER && purpose != cookie_purpose(&opened))
        return PST_FORGED;
    *session = opened;
    *is_stale = !pst_keyring_is_first(gate->ring, &kid);
    return PST_OK;
}

/* Sealing. */

static enum pst_err
seal_upstream(struct gate *gate, struct pst_arena *arena,
              struct pst_session *session)
{
    struct pst_token_use use = upstream_use(gate);
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_buf token;
    struct pst_buf json;
    enum pst_err e;

    if (gate->config->format == PST_TOKEN_SEALED ||
        pst_text_is_absent(session->upstream))
        return PST_OK;
    e = gate->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&token, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, gate->now, nonce, session->upstream, &token);
    if (e)
        return e;
    pst_buf_init_arena(&json, arena, PST_TOKEN_MAX);
    pst_json_emit_string(&json, pst_buf_text(&token));
    return pst_buf_end(&json, &session->upstream);
}

static enum pst_err
seal(struct gate *gate, struct pst_arena *arena, enum pst_purpose purpose,
     const struct pst_session *session, struct pst_text *out)
{
    struct pst_token_use use = use_of(gate, purpose);
    struct pst_session inside = *session;
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_text claims;
    struct pst_buf buf;
    enum pst_err e;

    e = seal_upstream(gate, arena, &inside);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_CLAIMS_MAX);
    pst_session_emit(&buf, &inside);
    e = pst_buf_end(&buf, &claims);
    if (e)
        return e;
    e = gate->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, gate->now, nonce, claims, &buf);
    if (e)
        return e;
    return pst_buf_end(&buf, out);
}

/* The Set-Cookie line that carries token. */
static enum pst_err
cookie_line(const struct gate *gate, struct pst_arena *arena,
            const struct pst_session *session, struct pst_text token,
            struct pst_text *out)
{
    struct pst_cookie cookie = cookies_describe(
        gate->config,
        pst_session_is_guest(session) ? COOKIES_GUEST : COOKIES_USER);
    struct pst_buf buf;

    cookie.value = token;
    if (pst_session_is_persistent(session)) {
        cookie.has_max_age = true;
        cookie.max_age = session->exp - gate->now;
    }
    pst_buf_init_arena(&buf, arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit(&buf, &cookie);
    return pst_buf_end(&buf, out);
}

static enum pst_err
seal_ways(struct gate *gate, struct pst_arena *arena, unsigned ways,
          const struct pst_session *session, struct carry *out)
{
    struct carry made = {PST_NO_TEXT, PST_NO_TEXT, {NULL, 0}};
    struct pst_text token;
    enum pst_err e;

    if (ways & METHOD_COOKIE) {
        e = seal(gate, arena, cookie_purpose(session), session, &token);
        if (!e)
            e = cookie_line(gate, arena, session, token, &made.cookie);
        if (e)
            return e;
    }
    if (ways & METHOD_BEARER) {
        e = seal(gate, arena, PST_PURPOSE_BEARER, session, &made.bearer);
        if (e)
            return e;
    }
    *out = made;
    return PST_OK;
}

enum pst_err
carry_seal(struct gate *gate, struct pst_arena *arena, unsigned ways,
           const struct pst_session *session, bool is_new, struct carry *out)
{
    struct pst_bytes blob = {NULL, 0};
    struct pst_session small;
    struct carry made;
    enum pst_err e = PST_TOO_LARGE;

    /* What is in the store stays there: an older copy of its token must not
     * hold more than the store says. */
    if (session->spilled.len == 0)
        e = seal_ways(gate, arena, ways, session, out);
    if (e != PST_TOO_LARGE)
        return e;
    e = spill(gate, arena, session, &small, &blob);
    if (!e && !is_new)
        e = put_again(gate, session, blob);
    if (!e)
        e = seal_ways(gate, arena, ways, &small, &made);
    if (e)
        return e;
    if (is_new)
        made.blob = blob;
    *out = made;
    return PST_OK;
}
