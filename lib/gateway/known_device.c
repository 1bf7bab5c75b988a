/* SPDX-License-Identifier: ISC */
/*
 * known_device.c - a sealed cookie that marks a device on which a user has
 * logged in: make it, and open it.
 */
#include "gateway/known_device.h"

#include <string.h>

#include "codec/base64url.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/token.h"
#include "http/cookie.h"

#define COOKIE_SUFFIX "-device"

/* {"v":1,"device":"<22>","iat":<10>,"names":["<22>",…]} */
#define CLAIMS_MAX 256
#define CLAIMS_VERSION 1

static struct pst_token_use
device_token_use(const struct context *ctx)
{
    return (struct pst_token_use){ctx->ring, PST_PURPOSE_DEVICE,
                                  PST_TOKEN_SEALED};
}

static void
hash_device_name(struct pst_str name, uint8_t out[static KNOWN_DEVICE_HASH_LEN])
{
    uint8_t hash[PST_HASH_LEN];

    pst_crypto_sha256(pst_str_bytes(name), hash);
    memcpy(out, hash, KNOWN_DEVICE_HASH_LEN);
}

static enum pst_err
emit_device_cookie_name(const struct context *ctx, struct pst_arena *arena,
                        struct pst_str *out)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    pst_buf_add(&buf, ctx->config->cookie.name);
    pst_buf_add_string(&buf, COOKIE_SUFFIX);
    return pst_buf_finish(&buf, out);
}

/* Decode exactly len bytes of base64url. PST_OK, PST_FORGED or PST_NO_MEMORY.
 */
static enum pst_err
decode_device_bytes(struct pst_arena *arena, const struct pst_json *value,
                    uint8_t *out, size_t len)
{
    struct pst_bytes bytes;
    enum pst_err e =
        pst_base64url_decode(arena, pst_json_string(value), &bytes);

    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    if (bytes.len != len)
        return PST_FORGED;
    memcpy(out, bytes.ptr, len);
    return PST_OK;
}

static bool
is_device_unexpired(const struct context *ctx, const struct pst_json *root)
{
    int64_t version;
    int64_t issued_at;

    return pst_json_integer(pst_json_at(root, PST_STR("/v")), &version) ==
               PST_OK &&
           version == CLAIMS_VERSION &&
           pst_json_integer(pst_json_at(root, PST_STR("/iat")), &issued_at) ==
               PST_OK &&
           issued_at <= ctx->now + PST_CLOCK_SKEW_MAX &&
           ctx->now < issued_at + KNOWN_DEVICE_LIFETIME;
}

static enum pst_err
read_device_claims(const struct context *ctx, struct pst_arena *arena,
                   struct pst_str claims, struct known_device *out)
{
    static const struct pst_str pointers[KNOWN_DEVICE_NAMES_MAX] = {
        {"/names/0", 8}, {"/names/1", 8}, {"/names/2", 8}, {"/names/3", 8}};
    struct known_device found = {.is_known = true};
    const struct pst_json *root;
    enum pst_err e = pst_json_parse(arena, claims, &root);

    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    if (!is_device_unexpired(ctx, root))
        return PST_FORGED;
    e = decode_device_bytes(arena, pst_json_at(root, PST_STR("/device")),
                            found.id, sizeof(found.id));
    for (size_t i = 0; i < KNOWN_DEVICE_NAMES_MAX && !e; i++) {
        const struct pst_json *name = pst_json_at(root, pointers[i]);

        if (!name)
            break;
        e = decode_device_bytes(arena, name, found.names[i],
                                KNOWN_DEVICE_HASH_LEN);
        found.name_count++;
    }
    if (e)
        return e;
    *out = found;
    return PST_OK;
}

/* The one cookie of this name. Of several one may be planted: PST_DUPLICATE. */
static enum pst_err
find_device_cookie(struct pst_str header, struct pst_str wanted,
                   struct pst_str *out)
{
    struct pst_str rest = header;
    struct pst_str name;
    struct pst_str value;
    enum pst_err e = PST_NOT_FOUND;

    while (pst_cookie_next(&rest, &name, &value)) {
        if (!pst_str_equal(name, wanted))
            continue;
        if (!e)
            return PST_DUPLICATE;
        *out = value;
        e = PST_OK;
    }
    return e;
}

enum pst_err
known_device_open(const struct context *ctx, struct pst_arena *arena,
                  struct pst_str header, struct known_device *out)
{
    const struct pst_token_use use = device_token_use(ctx);
    struct known_device found = {.is_known = false};
    struct pst_str claims;
    struct pst_str token;
    struct pst_str name;
    enum pst_err e = emit_device_cookie_name(ctx, arena, &name);

    if (e)
        return e;
    e = find_device_cookie(header, name, &token);
    if (!e)
        e = pst_token_open(&use, arena, token, &claims, NULL);
    if (!e)
        e = read_device_claims(ctx, arena, claims, &found);
    if (e == PST_NO_MEMORY || e == PST_INTERNAL)
        return e;
    *out = found;
    return PST_OK;
}

struct pst_bytes
known_device_id(const struct known_device *device, struct pst_str name)
{
    uint8_t hash[KNOWN_DEVICE_HASH_LEN];

    hash_device_name(name, hash);
    for (size_t i = 0; i < device->name_count; i++)
        if (memcmp(device->names[i], hash, sizeof(hash)) == 0)
            return (struct pst_bytes){device->id, sizeof(device->id)};
    return (struct pst_bytes){NULL, 0};
}

/* The device after a login with this name. */
static enum pst_err
add_device_name(struct context *ctx, const struct known_device *before,
                struct pst_str name, struct known_device *out)
{
    struct known_device device = {.is_known = true, .name_count = 1};
    enum pst_err e = PST_OK;

    if (before->is_known)
        memcpy(device.id, before->id, sizeof(device.id));
    else
        e = ctx->random(device.id, sizeof(device.id));
    if (e)
        return e;
    hash_device_name(name, device.names[0]);
    for (size_t i = 0; i < before->name_count; i++) {
        if (device.name_count == KNOWN_DEVICE_NAMES_MAX)
            break;
        if (memcmp(before->names[i], device.names[0], KNOWN_DEVICE_HASH_LEN) !=
            0)
            memcpy(device.names[device.name_count++], before->names[i],
                   KNOWN_DEVICE_HASH_LEN);
    }
    *out = device;
    return PST_OK;
}

static enum pst_err
seal_device_token(struct context *ctx, struct pst_arena *arena,
                  const struct known_device *device, struct pst_str *token)
{
    const struct pst_token_use use = device_token_use(ctx);
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_str claims;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, CLAIMS_MAX);
    pst_buf_add_string(&buf, "{\"v\":");
    pst_buf_add_number(&buf, CLAIMS_VERSION);
    pst_buf_add_string(&buf, ",\"device\":\"");
    pst_base64url_encode(&buf,
                         (struct pst_bytes){device->id, sizeof(device->id)});
    pst_buf_add_string(&buf, "\",\"iat\":");
    pst_buf_add_number(&buf, ctx->now);
    pst_buf_add_string(&buf, ",\"names\":[");
    for (size_t i = 0; i < device->name_count; i++) {
        pst_buf_add_string(&buf, i == 0 ? "\"" : ",\"");
        pst_base64url_encode(
            &buf, (struct pst_bytes){device->names[i], KNOWN_DEVICE_HASH_LEN});
        pst_buf_add_char(&buf, '"');
    }
    pst_buf_add_string(&buf, "]}");
    e = pst_buf_finish(&buf, &claims);
    if (!e)
        e = ctx->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, ctx->now, nonce, claims, &buf);
    return e ? e : pst_buf_finish(&buf, token);
}

enum pst_err
known_device_issue(struct context *ctx, struct pst_arena *arena,
                   const struct known_device *device, struct pst_str name,
                   struct pst_str *line)
{
    struct pst_cookie cookie = ctx->config->cookie;
    struct known_device after;
    struct pst_buf buf;
    enum pst_err e = add_device_name(ctx, device, name, &after);

    if (!e)
        e = seal_device_token(ctx, arena, &after, &cookie.value);
    if (!e)
        e = emit_device_cookie_name(ctx, arena, &cookie.name);
    if (e)
        return e;
    cookie.has_max_age = true;
    cookie.max_age = KNOWN_DEVICE_LIFETIME;
    pst_buf_init_arena(&buf, arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit(&buf, &cookie);
    return pst_buf_finish(&buf, line);
}
