/* SPDX-License-Identifier: ISC */
/*
 * token_transport.c - seal a session into a cookie or a bearer token, and open
 * it.
 */
#include "gateway/token_transport.h"

#include "crypto/token.h"
#include "gateway/session_cookies.h"
#include "gateway/spilled_session.h"
#include "session/claims.h"
#include "session/hidden_claims.h"

static struct pst_token_use
session_token_use(const struct context *ctx, enum pst_purpose purpose)
{
    return (struct pst_token_use){ctx->ring, purpose, ctx->config->format};
}

static enum pst_purpose
session_cookie_purpose(const struct pst_session *session)
{
    return pst_session_is_guest(session) ? PST_PURPOSE_GUEST
                                         : PST_PURPOSE_COOKIE;
}

/* Opening. */

enum pst_err
transport_verify(struct context *ctx, struct pst_arena *arena,
                 struct transport_token token, struct pst_session *session,
                 bool *is_from_older_secret)
{
    struct pst_token_use use = session_token_use(ctx, token.purpose);
    struct pst_session opened;
    struct pst_str claims;
    struct pst_kid kid;
    enum pst_err e;

    e = pst_token_open(&use, arena, token.text, &claims, &kid);
    if (e)
        return e;
    e = pst_claims_parse(arena, claims, &opened);
    if (e)
        return e;
    if (ctx->config->format == PST_TOKEN_SIGNED)
        e = pst_hidden_claims_open(ctx->ring, arena, &opened);
    if (e)
        return e;
    e = spilled_session_fetch(ctx, arena, &opened);
    if (e)
        return e;
    if (token.purpose != PST_PURPOSE_BEARER &&
        token.purpose != session_cookie_purpose(&opened))
        return PST_FORGED;
    *session = opened;
    *is_from_older_secret = !pst_keyring_is_first(ctx->ring, &kid);
    return PST_OK;
}

/* Sealing. */

/* Hide the backend's tokens, if others can read the claims. */
static enum pst_err
hide_claims(struct context *ctx, struct pst_arena *arena,
            struct pst_session *session)
{
    uint8_t nonces[PST_HIDDEN_CLAIM_COUNT][PST_NONCE_LEN];
    enum pst_err e;

    if (ctx->config->format == PST_TOKEN_SEALED)
        return PST_OK;
    e = ctx->random(nonces, sizeof(nonces));
    return e ? e
             : pst_hidden_claims_seal(ctx->ring, arena, ctx->now, nonces,
                                      session);
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

    e = hide_claims(ctx, arena, &inside);
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_CLAIMS_MAX);
    pst_claims_emit(&buf, &inside);
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

/* The Set-Cookie value for this token. */
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

/*
 * Seal a session that needs no place in the store; else PST_TOO_LARGE. A
 * spilled session stays in the store: otherwise an older copy of its token
 * would still open the claims that are left there.
 */
static enum pst_err
issue_whole_session(struct context *ctx, struct pst_arena *arena,
                    unsigned methods, const struct pst_session *session,
                    struct transport *out)
{
    return session->spilled_key.len > 0
               ? PST_TOO_LARGE
               : issue_by_methods(ctx, arena, methods, session, out);
}

enum pst_err
transport_issue(struct context *ctx, struct pst_arena *arena, unsigned methods,
                const struct pst_session *session, struct transport *out)
{
    struct pst_session reduced;
    struct transport issued;
    struct pst_bytes blob;
    enum pst_err e = issue_whole_session(ctx, arena, methods, session, out);

    if (e != PST_TOO_LARGE)
        return e;
    e = spilled_session_make(ctx, arena, session, &reduced, &blob);
    if (!e)
        e = issue_by_methods(ctx, arena, methods, &reduced, &issued);
    if (e)
        return e;
    issued.blob = blob;
    *out = issued;
    return PST_OK;
}

enum pst_err
transport_reissue(struct context *ctx, struct pst_arena *arena,
                  unsigned methods, const struct pst_session *session,
                  struct transport *out)
{
    struct pst_session reduced;
    struct pst_bytes blob;
    enum pst_err e = issue_whole_session(ctx, arena, methods, session, out);

    if (e != PST_TOO_LARGE)
        return e;
    e = spilled_session_make(ctx, arena, session, &reduced, &blob);
    if (!e)
        e = spilled_session_update(ctx, session, blob);
    return e ? e : issue_by_methods(ctx, arena, methods, &reduced, out);
}
