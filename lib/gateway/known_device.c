/* SPDX-License-Identifier: ISC */
/*
 * known_device.c - seal which device it is and whom it knows; open it again.
 */
#include "gateway/known_device.h"

#include <string.h>

#include "codec/base64url.h"
#include "codec/json.h"
#include "crypto/crypto.h"
#include "crypto/token.h"
#include "http/cookie.h"

#define SUFFIX "-device"

/* {"v":1,"device":"<22>","iat":<10>,"names":["<22>",…]} */
#define CLAIMS_MAX 256
#define VERSION 1

static struct pst_token_use
device_use(const struct gate *gate)
{
    return (struct pst_token_use){gate->ring, PST_PURPOSE_DEVICE,
                                  PST_TOKEN_SEALED};
}

static void
hash_name(struct pst_text name, uint8_t out[static DEVICE_HASH_LEN])
{
    uint8_t hash[PST_HASH_LEN];

    pst_crypt_sha256(pst_text_bytes(name), hash);
    memcpy(out, hash, DEVICE_HASH_LEN);
}

static enum pst_err
cookie_name(const struct gate *gate, struct pst_arena *arena,
            struct pst_text *out)
{
    struct pst_buf buf;

    pst_buf_init_arena(&buf, arena, PST_COOKIE_MAX);
    pst_buf_add(&buf, gate->config->cookie.name);
    pst_buf_add_string(&buf, SUFFIX);
    return pst_buf_end(&buf, out);
}

/* Opening. */

/* Exactly `len` bytes in base64url. PST_OK, PST_FORGED or PST_NO_MEMORY. */
static enum pst_err
read_bytes(struct pst_arena *arena, const struct pst_json *value, uint8_t *out,
           size_t len)
{
    struct pst_bytes bytes;
    enum pst_err e = pst_base64url_decode(arena, pst_json_text(value), &bytes);

    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    if (bytes.len != len)
        return PST_FORGED;
    memcpy(out, bytes.ptr, len);
    return PST_OK;
}

static bool
is_fresh(const struct gate *gate, const struct pst_json *root)
{
    int64_t version;
    int64_t made;

    return pst_json_integer(pst_json_at(root, PST_TEXT("/v")), &version) ==
               PST_OK &&
           version == VERSION &&
           pst_json_integer(pst_json_at(root, PST_TEXT("/iat")), &made) ==
               PST_OK &&
           made <= gate->now + PST_SKEW && gate->now < made + DEVICE_LIFETIME;
}

static enum pst_err
read_claims(const struct gate *gate, struct pst_arena *arena,
            struct pst_text claims, struct device *out)
{
    static const struct pst_text places[DEVICE_NAMES_MAX] = {
        {"/names/0", 8}, {"/names/1", 8}, {"/names/2", 8}, {"/names/3", 8}};
    struct device found = {.is_known = true};
    const struct pst_json *root;
    enum pst_err e = pst_json_parse(arena, claims, &root);

    if (e)
        return e == PST_NO_MEMORY ? e : PST_FORGED;
    if (!is_fresh(gate, root))
        return PST_FORGED;
    e = read_bytes(arena, pst_json_at(root, PST_TEXT("/device")), found.id,
                   sizeof(found.id));
    for (size_t i = 0; i < DEVICE_NAMES_MAX && !e; i++) {
        const struct pst_json *name = pst_json_at(root, places[i]);

        if (!name)
            break;
        e = read_bytes(arena, name, found.names[i], DEVICE_HASH_LEN);
        found.name_count++;
    }
    if (e)
        return e;
    *out = found;
    return PST_OK;
}

/* The one cookie of this name; PST_DUPLICATE of several, for one of them was
 * planted. */
static enum pst_err
find_cookie(struct pst_text header, struct pst_text wanted,
            struct pst_text *out)
{
    struct pst_text rest = header;
    struct pst_text name;
    struct pst_text value;
    enum pst_err e = PST_ABSENT;

    while (pst_cookie_next(&rest, &name, &value)) {
        if (!pst_text_equal(name, wanted))
            continue;
        if (!e)
            return PST_DUPLICATE;
        *out = value;
        e = PST_OK;
    }
    return e;
}

enum pst_err
device_open(const struct gate *gate, struct pst_arena *arena,
            struct pst_text header, struct device *out)
{
    const struct pst_token_use use = device_use(gate);
    struct device found = {.is_known = false};
    struct pst_text claims;
    struct pst_text token;
    struct pst_text name;
    enum pst_err e = cookie_name(gate, arena, &name);

    if (e)
        return e;
    e = find_cookie(header, name, &token);
    if (!e)
        e = pst_token_open(&use, arena, token, &claims, NULL);
    if (!e)
        e = read_claims(gate, arena, claims, &found);
    if (e == PST_NO_MEMORY || e == PST_INTERNAL)
        return e;
    *out = found;
    return PST_OK;
}

struct pst_bytes
device_id(const struct device *device, struct pst_text name)
{
    uint8_t hash[DEVICE_HASH_LEN];

    hash_name(name, hash);
    for (size_t i = 0; i < device->name_count; i++)
        if (memcmp(device->names[i], hash, sizeof(hash)) == 0)
            return (struct pst_bytes){device->id, sizeof(device->id)};
    return (struct pst_bytes){NULL, 0};
}

/* Making. */

/* The device as it is after a login under this name. */
static enum pst_err
learn_name(struct gate *gate, const struct device *before, struct pst_text name,
           struct device *out)
{
    struct device device = {.is_known = true, .name_count = 1};
    enum pst_err e = PST_OK;

    if (before->is_known)
        memcpy(device.id, before->id, sizeof(device.id));
    else
        e = gate->random(device.id, sizeof(device.id));
    if (e)
        return e;
    hash_name(name, device.names[0]);
    for (size_t i = 0; i < before->name_count; i++) {
        if (device.name_count == DEVICE_NAMES_MAX)
            break;
        if (memcmp(before->names[i], device.names[0], DEVICE_HASH_LEN) != 0)
            memcpy(device.names[device.name_count++], before->names[i],
                   DEVICE_HASH_LEN);
    }
    *out = device;
    return PST_OK;
}

static enum pst_err
seal_device(struct gate *gate, struct pst_arena *arena,
            const struct device *device, struct pst_text *token)
{
    const struct pst_token_use use = device_use(gate);
    uint8_t nonce[PST_NONCE_LEN];
    struct pst_text claims;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, CLAIMS_MAX);
    pst_buf_add_string(&buf, "{\"v\":");
    pst_buf_add_number(&buf, VERSION);
    pst_buf_add_string(&buf, ",\"device\":\"");
    pst_base64url_encode(&buf,
                         (struct pst_bytes){device->id, sizeof(device->id)});
    pst_buf_add_string(&buf, "\",\"iat\":");
    pst_buf_add_number(&buf, gate->now);
    pst_buf_add_string(&buf, ",\"names\":[");
    for (size_t i = 0; i < device->name_count; i++) {
        pst_buf_add_string(&buf, i == 0 ? "\"" : ",\"");
        pst_base64url_encode(
            &buf, (struct pst_bytes){device->names[i], DEVICE_HASH_LEN});
        pst_buf_add_char(&buf, '"');
    }
    pst_buf_add_string(&buf, "]}");
    e = pst_buf_end(&buf, &claims);
    if (!e)
        e = gate->random(nonce, sizeof(nonce));
    if (e)
        return e;
    pst_buf_init_arena(&buf, arena, PST_TOKEN_MAX);
    e = pst_token_seal(&use, gate->now, nonce, claims, &buf);
    return e ? e : pst_buf_end(&buf, token);
}

enum pst_err
device_issue(struct gate *gate, struct pst_arena *arena,
             const struct device *device, struct pst_text name,
             struct pst_text *line)
{
    struct pst_cookie cookie = gate->config->cookie;
    struct device after;
    struct pst_buf buf;
    enum pst_err e = learn_name(gate, device, name, &after);

    if (!e)
        e = seal_device(gate, arena, &after, &cookie.value);
    if (!e)
        e = cookie_name(gate, arena, &cookie.name);
    if (e)
        return e;
    cookie.has_max_age = true;
    cookie.max_age = DEVICE_LIFETIME;
    pst_buf_init_arena(&buf, arena, PST_COOKIE_HEADER_MAX);
    pst_cookie_emit(&buf, &cookie);
    return pst_buf_end(&buf, line);
}
