/* SPDX-License-Identifier: ISC */
/*
 * stored_tokens.c - the newest tokens of a session, in the store.
 */
#include "gateway/stored_tokens.h"

#include <string.h>

#include "crypto/crypto.h"
#include "gateway/session_registry.h"
#include "gateway/spilled_session.h"

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
derive_tokens_key(const struct context *ctx, const struct pst_kid *kid,
                  const struct tokens_context *context,
                  uint8_t key[static PST_KEY_LEN])
{
    struct pst_key root;
    enum pst_err e =
        pst_keyring_key(ctx->ring, kid, PST_HS256, PST_PURPOSE_STORE, &root);

    if (e)
        return e;
    e = pst_crypto_hmac(
        (struct pst_bytes){root.bytes, PST_KEY_LEN},
        (struct pst_bytes){context->bytes, sizeof(context->bytes)}, key);
    pst_crypto_wipe(&root, sizeof(root));
    return e;
}

/* A record: the length of the kid, the kid, the sealed claims. */
static enum pst_err
make_record(struct context *ctx, struct pst_arena *arena,
            const struct pst_session *session, struct pst_bytes *out)
{
    const struct tokens_context context = make_tokens_context(session);
    const struct pst_bytes aad = {context.bytes, sizeof(context.bytes)};
    const struct pst_kid kid = pst_keyring_kid(ctx->ring, ctx->now);
    char storage[1 + PST_KID_MAX];
    uint8_t key[PST_KEY_LEN];
    struct pst_bytes sealed;
    struct pst_buf buf;
    uint8_t *record;
    enum pst_err e = derive_tokens_key(ctx, &kid, &context, key);

    if (!e)
        e = spilled_claims_seal(ctx, arena, &(struct spilled_seal){key, aad},
                                session, &sealed);
    pst_crypto_wipe(key, sizeof(key));
    if (e)
        return e;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add_char(&buf, '\0');
    pst_kid_emit(&buf, &kid);
    PST_REQUIRE(!buf.err);
    storage[0] = (char)(buf.len - 1);
    record = pst_arena_alloc(arena, buf.len + sealed.len);
    if (!record)
        return PST_NO_MEMORY;
    memcpy(record, storage, buf.len);
    memcpy(record + buf.len, sealed.ptr, sealed.len);
    *out = (struct pst_bytes){record, buf.len + sealed.len};
    return PST_OK;
}

static enum pst_err
open_record(const struct context *ctx, struct pst_arena *arena,
            const struct pst_session *session, struct pst_bytes record,
            struct pst_session *out)
{
    const struct tokens_context context = make_tokens_context(session);
    const struct pst_bytes aad = {context.bytes, sizeof(context.bytes)};
    struct pst_str text = pst_str_from_bytes(record);
    size_t kid_len = record.len > 0 ? record.ptr[0] : 0;
    uint8_t key[PST_KEY_LEN];
    struct pst_bytes sealed;
    struct pst_kid kid;
    enum pst_err e;

    if (record.len < 1 + kid_len)
        return PST_FORGED;
    e = pst_kid_parse(pst_str_first(pst_str_skip(text, 1), kid_len), &kid);
    if (!e)
        e = derive_tokens_key(ctx, &kid, &context, key);
    if (e)
        return e;
    sealed = pst_str_bytes(pst_str_skip(text, 1 + kid_len));
    e = spilled_claims_open(arena, &(struct spilled_seal){key, aad}, sealed,
                            out);
    pst_crypto_wipe(key, sizeof(key));
    return e;
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
