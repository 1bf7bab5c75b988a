/* SPDX-License-Identifier: ISC */
/*
 * hidden_claims.c - the backend's tokens in a signed session token. Pure.
 */
#include "session/hidden_claims.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "codec/json.h"
#include "codec/json_emit.h"

static struct pst_token_use
hidden_claim_use(const struct pst_keyring *ring)
{
    return (struct pst_token_use){ring, PST_PURPOSE_UPSTREAM, PST_TOKEN_SEALED};
}

static enum pst_err
hidden_claim_open(const struct pst_keyring *ring, struct pst_arena *arena,
                  struct pst_str *claim)
{
    const struct pst_token_use use = hidden_claim_use(ring);
    const struct pst_json *value;
    enum pst_err e;

    if (pst_str_is_absent(*claim))
        return PST_OK;
    e = pst_json_parse(arena, *claim, &value);
    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    return pst_token_open(&use, arena, pst_json_string(value), claim, NULL);
}

enum pst_err
pst_hidden_claims_open(const struct pst_keyring *ring, struct pst_arena *arena,
                       struct pst_session *session)
{
    enum pst_err e = hidden_claim_open(ring, arena, &session->upstream);

    return e ? e : hidden_claim_open(ring, arena, &session->refresh);
}

static enum pst_err
hidden_claim_seal(const struct pst_keyring *ring, struct pst_arena *arena,
                  int64_t now, const uint8_t nonce[static PST_NONCE_LEN],
                  struct pst_str *claim)
{
    const struct pst_token_use use = hidden_claim_use(ring);
    struct pst_buf token;
    struct pst_buf json;
    enum pst_err e;

    if (pst_str_is_absent(*claim))
        return PST_OK;
    pst_buf_init_arena(&token, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, now, nonce, *claim, &token);
    if (e)
        return e;
    pst_buf_init_arena(&json, arena, PST_TOKEN_MAX);
    pst_json_emit_string(&json, pst_buf_str(&token));
    return pst_buf_finish(&json, claim);
}

enum pst_err
pst_hidden_claims_seal(
    const struct pst_keyring *ring, struct pst_arena *arena, int64_t now,
    uint8_t nonces[static PST_HIDDEN_CLAIM_COUNT][PST_NONCE_LEN],
    struct pst_session *session)
{
    enum pst_err e =
        hidden_claim_seal(ring, arena, now, nonces[0], &session->upstream);

    return e ? e
             : hidden_claim_seal(ring, arena, now, nonces[1],
                                 &session->refresh);
}
