/* SPDX-License-Identifier: ISC */
/*
 * sealed_record.c - seal text for the store, which must not read it.
 */
#include "gateway/sealed_record.h"

#include <assert.h>
#include <string.h>

#include "crypto/crypto.h"

enum pst_err
sealed_blob_make(const struct context *ctx, struct pst_arena *arena,
                 const struct sealed_blob_key *key, struct pst_str text,
                 struct pst_bytes *out)
{
    const size_t len = PST_NONCE_LEN + text.len + PST_TAG_LEN;
    uint8_t *blob = pst_arena_alloc(arena, len);
    enum pst_err e;

    if (!blob)
        return PST_NO_MEMORY;
    e = ctx->random(blob, PST_NONCE_LEN);
    if (e)
        return e;
    e = pst_crypto_seal(key->key, blob, key->aad, pst_str_bytes(text),
                        blob + PST_NONCE_LEN, blob + PST_NONCE_LEN + text.len);
    if (e)
        return e;
    *out = (struct pst_bytes){blob, len};
    return PST_OK;
}

enum pst_err
sealed_blob_open(struct pst_arena *arena, const struct sealed_blob_key *key,
                 struct pst_bytes blob, struct pst_str *text)
{
    struct pst_bytes sealed;
    struct pst_bytes tag;
    uint8_t *opened;
    enum pst_err e;

    if (blob.len < PST_NONCE_LEN + PST_TAG_LEN)
        return PST_FORGED;
    sealed = (struct pst_bytes){blob.ptr + PST_NONCE_LEN,
                                blob.len - PST_NONCE_LEN - PST_TAG_LEN};
    tag = (struct pst_bytes){sealed.ptr + sealed.len, PST_TAG_LEN};
    opened = pst_arena_alloc(arena, sealed.len);
    if (!opened)
        return PST_NO_MEMORY;
    e = pst_crypto_open(key->key, blob.ptr, key->aad, sealed, tag, opened);
    if (e)
        return e;
    *text = pst_str_from_bytes((struct pst_bytes){opened, sealed.len});
    return PST_OK;
}

enum pst_err
sealed_record_key(const struct pst_keyring *ring, const struct pst_kid *kid,
                  struct pst_bytes context, uint8_t key[static PST_KEY_LEN])
{
    struct pst_key root;
    enum pst_err e =
        pst_keyring_key(ring, kid, PST_HS256, PST_PURPOSE_STORE, &root);

    static_assert(PST_KEY_LEN == PST_HASH_LEN, "a hash is a key");
    if (e)
        return e;
    e = pst_crypto_hmac((struct pst_bytes){root.bytes, PST_KEY_LEN}, context,
                        key);
    pst_crypto_wipe(&root, sizeof(root));
    return e;
}

enum pst_err
sealed_record_make(const struct context *ctx, struct pst_arena *arena,
                   struct pst_bytes context, struct pst_str text,
                   struct pst_bytes *out)
{
    const struct pst_kid kid = pst_keyring_kid(ctx->ring, ctx->now);
    char storage[1 + PST_KID_MAX];
    uint8_t key[PST_KEY_LEN];
    struct pst_bytes blob;
    struct pst_buf buf;
    uint8_t *record;
    enum pst_err e = sealed_record_key(ctx->ring, &kid, context, key);

    if (!e)
        e = sealed_blob_make(
            ctx, arena, &(struct sealed_blob_key){key, context}, text, &blob);
    pst_crypto_wipe(key, sizeof(key));
    if (e)
        return e;
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_buf_add_char(&buf, '\0');
    pst_kid_emit(&buf, &kid);
    PST_REQUIRE(!buf.err);
    storage[0] = (char)(buf.len - 1);
    record = pst_arena_alloc(arena, buf.len + blob.len);
    if (!record)
        return PST_NO_MEMORY;
    memcpy(record, storage, buf.len);
    memcpy(record + buf.len, blob.ptr, blob.len);
    *out = (struct pst_bytes){record, buf.len + blob.len};
    return PST_OK;
}

enum pst_err
sealed_record_open(const struct pst_keyring *ring, struct pst_arena *arena,
                   struct pst_bytes context, struct pst_bytes record,
                   struct pst_str *text)
{
    struct pst_str whole = pst_str_from_bytes(record);
    size_t kid_len = record.len > 0 ? record.ptr[0] : 0;
    uint8_t key[PST_KEY_LEN];
    struct pst_kid kid;
    enum pst_err e;

    if (record.len < 1 + kid_len)
        return PST_FORGED;
    e = pst_kid_parse(pst_str_first(pst_str_skip(whole, 1), kid_len), &kid);
    if (!e)
        e = sealed_record_key(ring, &kid, context, key);
    if (e)
        return e;
    e = sealed_blob_open(arena, &(struct sealed_blob_key){key, context},
                         pst_str_bytes(pst_str_skip(whole, 1 + kid_len)), text);
    pst_crypto_wipe(key, sizeof(key));
    return e;
}
