/* SPDX-License-Identifier: ISC */
/*
 * token.c - encrypt or sign tokens, and open them: compact JWE (RFC 7516) and
 * JWS (RFC 7515).
 *
 * Nothing in a token is trusted before its tag is verified. Only the kid is
 * read before, to find a key, and the header must be the one that we write.
 */
#include "crypto/token.h"

#include <string.h>

#include "codec/base64url.h"
#include "crypto/cipher_cache.h"
#include "crypto/crypto.h"
#include "crypto/token_parts.h"

/* header..iv.ciphertext.tag, or header.payload.signature */
#define SEALED_PARTS 5
#define SIGNED_PARTS 3
enum { PART_HEADER = 0 };
enum { PART_KEY = 1, PART_IV, PART_CIPHERTEXT, PART_TAG };
enum { PART_PAYLOAD = 1, PART_SIGNATURE };

/* Bytes that are encoded at once: a multiple of 3, so no bits are left. */
#define PIECE 48

/* The parts of a token, which dots separate. */
struct parts {
    struct pst_str at[SEALED_PARTS];
};

static bool
token_is_sealed(const struct pst_token_use *use)
{
    return use->format == PST_TOKEN_SEALED;
}

/*
 * Encode the last len bytes of room to the whole of room. Each piece is copied
 * before it is encoded. Writing does not reach the bytes that are not read yet,
 * because three bytes become four characters.
 */
static void
token_encode_in_place(char *room, size_t room_len, size_t len)
{
    const char *from = room + (room_len - len);
    uint8_t piece[PIECE];
    struct pst_buf to;

    pst_buf_init(&to, room, room_len);
    for (size_t done = 0; done < len; done += PIECE) {
        size_t take = len - done < PIECE ? len - done : PIECE;

        memcpy(piece, from + done, take);
        pst_base64url_encode(&to, (struct pst_bytes){piece, take});
    }
    PST_REQUIRE(pst_buf_str(&to).len == room_len);
}

/* Append "..iv.ciphertext.tag". The header is in buf, from `start` on. */
static enum pst_err
token_encrypt(struct pst_cipher *cipher, const uint8_t *nonce,
              struct pst_str claims, struct pst_buf *buf, size_t start)
{
    const size_t header_len = pst_buf_str(buf).len - start;
    const size_t room_len = pst_base64url_length(claims.len);
    uint8_t tag[PST_TAG_LEN];
    struct pst_str aad;
    char *room;
    enum pst_err e;

    pst_buf_add_string(buf, "..");
    pst_base64url_encode(buf, (struct pst_bytes){nonce, PST_NONCE_LEN});
    pst_buf_add_char(buf, '.');
    room = pst_buf_reserve(buf, room_len);
    if (!room)
        return PST_OK; /* pst_buf_finish() returns the error */
    aad = pst_str_skip(pst_buf_str(buf), start);
    aad = pst_str_first(aad, header_len);
    e = pst_cipher_seal(cipher, nonce, pst_str_bytes(aad),
                        pst_str_bytes(claims),
                        (uint8_t *)room + (room_len - claims.len), tag);
    if (e)
        return e;
    token_encode_in_place(room, room_len, claims.len);
    pst_buf_add_char(buf, '.');
    pst_base64url_encode(buf, (struct pst_bytes){tag, sizeof(tag)});
    return PST_OK;
}

/* Append ".payload.signature". The header is in buf, from `start` on. */
static enum pst_err
token_add_signature(const struct pst_key *key, struct pst_str claims,
                    struct pst_buf *buf, size_t start)
{
    uint8_t mac[PST_HASH_LEN];
    struct pst_str input;
    enum pst_err e;

    pst_buf_add_char(buf, '.');
    pst_base64url_encode(buf, pst_str_bytes(claims));
    input = pst_str_skip(pst_buf_str(buf), start);
    e = pst_crypto_hmac((struct pst_bytes){key->bytes, sizeof(key->bytes)},
                        pst_str_bytes(input), mac);
    if (e)
        return e;
    pst_buf_add_char(buf, '.');
    pst_base64url_encode(buf, (struct pst_bytes){mac, sizeof(mac)});
    return PST_OK;
}

static enum pst_err
token_seal(const struct pst_token_use *use, const struct pst_kid *kid,
           const uint8_t *nonce, struct pst_str claims, struct pst_buf *buf)
{
    size_t start = pst_buf_str(buf).len;
    struct pst_cipher *cipher;
    enum pst_err e = cipher_acquire(use->ring, kid, use->purpose, &cipher);

    if (e)
        return e;
    token_emit_header(buf, use->format, kid);
    e = token_encrypt(cipher, nonce, claims, buf, start);
    cipher_release(use->ring, kid, use->purpose, cipher);
    return e;
}

static enum pst_err
token_sign(const struct pst_token_use *use, const struct pst_kid *kid,
           struct pst_str claims, struct pst_buf *buf)
{
    size_t start = pst_buf_str(buf).len;
    struct pst_key key;
    enum pst_err e =
        pst_keyring_key(use->ring, kid, PST_HS256, use->purpose, &key);

    if (e)
        return e;
    token_emit_header(buf, use->format, kid);
    e = token_add_signature(&key, claims, buf, start);
    pst_crypto_wipe(&key, sizeof(key));
    return e;
}

enum pst_err
pst_token_seal(const struct pst_token_use *use, int64_t now,
               const uint8_t nonce[static PST_NONCE_LEN], struct pst_str claims,
               struct pst_buf *buf)
{
    const struct pst_kid kid = pst_keyring_kid(use->ring, now);
    struct pst_str whole;
    enum pst_err e;

    PST_REQUIRE(claims.len > 0);
    if (claims.len > PST_CLAIMS_MAX)
        e = PST_TOO_LARGE;
    else if (token_is_sealed(use))
        e = token_seal(use, &kid, nonce, claims, buf);
    else
        e = token_sign(use, &kid, claims, buf);
    if (e)
        pst_buf_set_error(buf, e);
    return pst_buf_finish(buf, &whole);
}

/* Split a token into exactly as many parts as its format has. */
static enum pst_err
token_split(const struct pst_token_use *use, struct pst_str token,
            struct parts *out)
{
    const size_t want = token_is_sealed(use) ? SEALED_PARTS : SIGNED_PARTS;
    struct pst_str part;
    size_t count = 0;

    if (token.len == 0 || token.len > PST_TOKEN_MAX)
        return PST_FORGED;
    while (pst_str_split(&token, '.', &part)) {
        if (count == want)
            return PST_FORGED;
        out->at[count++] = part;
    }
    return count == want ? PST_OK : PST_FORGED;
}

/* Verify and decrypt: RFC 7516 5.2, steps 10 to 17. */
static enum pst_err
token_decrypt(const struct pst_token_use *use, struct pst_arena *arena,
              const struct parts *parts, const struct pst_kid *kid,
              struct pst_str *claims)
{
    struct pst_cipher *cipher;
    struct pst_bytes iv, ciphertext, tag;
    uint8_t *plain;
    enum pst_err e;

    if (parts->at[PART_KEY].len != 0)
        return PST_FORGED;
    e = token_decode_part(arena, parts->at[PART_IV], &iv);
    if (!e)
        e = token_decode_part(arena, parts->at[PART_CIPHERTEXT], &ciphertext);
    if (!e)
        e = token_decode_part(arena, parts->at[PART_TAG], &tag);
    if (e)
        return e;
    if (iv.len != PST_NONCE_LEN || ciphertext.len == 0 ||
        ciphertext.len > PST_CLAIMS_MAX)
        return PST_FORGED;
    plain = pst_arena_alloc(arena, ciphertext.len);
    if (!plain)
        return PST_NO_MEMORY;
    e = cipher_acquire(use->ring, kid, use->purpose, &cipher);
    if (e)
        return e;
    e = pst_cipher_unseal(cipher, iv.ptr, pst_str_bytes(parts->at[PART_HEADER]),
                          ciphertext, tag, plain);
    cipher_release(use->ring, kid, use->purpose, cipher);
    if (e)
        return e;
    *claims = pst_str_from_bytes((struct pst_bytes){plain, ciphertext.len});
    return PST_OK;
}

/* Verify the signature of a token with its key: RFC 7515 5.2, step 8. */
static enum pst_err
token_check_signature(const struct pst_token_use *use,
                      const struct pst_kid *kid, struct pst_str input,
                      struct pst_bytes signature)
{
    uint8_t mac[PST_HASH_LEN];
    struct pst_key key;
    enum pst_err e =
        pst_keyring_key(use->ring, kid, PST_HS256, use->purpose, &key);

    if (e)
        return e;
    e = pst_crypto_hmac((struct pst_bytes){key.bytes, sizeof(key.bytes)},
                        pst_str_bytes(input), mac);
    pst_crypto_wipe(&key, sizeof(key));
    if (e)
        return e;
    return pst_crypto_equal(signature, (struct pst_bytes){mac, sizeof(mac)})
               ? PST_OK
               : PST_FORGED;
}

/* Verify, then decode: RFC 7515 5.2, steps 7 and 8. */
static enum pst_err
token_verify(const struct pst_token_use *use, struct pst_arena *arena,
             const struct parts *parts, const struct pst_kid *kid,
             struct pst_str *claims)
{
    const struct pst_str payload = parts->at[PART_PAYLOAD];
    struct pst_str input = parts->at[PART_HEADER];
    struct pst_bytes bytes;
    struct pst_bytes signature;
    enum pst_err e;

    input.len += 1 + payload.len; /* header and payload are adjacent */
    e = token_decode_part(arena, parts->at[PART_SIGNATURE], &signature);
    if (!e)
        e = token_check_signature(use, kid, input, signature);
    if (!e)
        e = token_decode_part(arena, payload, &bytes);
    if (e)
        return e;
    if (bytes.len == 0 || bytes.len > PST_CLAIMS_MAX)
        return PST_FORGED;
    *claims = pst_str_from_bytes(bytes);
    return PST_OK;
}

enum pst_err
pst_token_open(const struct pst_token_use *use, struct pst_arena *arena,
               struct pst_str token, struct pst_str *claims,
               struct pst_kid *kid)
{
    struct parts parts;
    struct pst_kid found;
    enum pst_err e = token_split(use, token, &parts);

    if (!e)
        e = token_parse_header(use->format, arena, parts.at[PART_HEADER],
                               &found);
    if (e)
        return e;
    e = token_is_sealed(use) ? token_decrypt(use, arena, &parts, &found, claims)
                             : token_verify(use, arena, &parts, &found, claims);
    if (!e && kid)
        *kid = found;
    return e;
}

enum pst_err
pst_token_jwk(const struct pst_token_use *use, struct pst_arena *arena,
              struct pst_str token, struct pst_buf *buf)
{
    struct parts parts;
    struct pst_kid kid;
    struct pst_key key;
    struct pst_str whole;
    enum pst_err e = token_split(use, token, &parts);

    if (e)
        return e;
    e = token_parse_header(use->format, arena, parts.at[PART_HEADER], &kid);
    if (!e)
        e = pst_keyring_key(use->ring, &kid,
                            token_is_sealed(use) ? PST_A256GCM : PST_HS256,
                            use->purpose, &key);
    if (e)
        return e;
    pst_buf_add_string(buf, "{\"kty\":\"oct\",\"alg\":\"");
    pst_buf_add_string(buf, token_is_sealed(use) ? "A256GCM" : "HS256");
    pst_buf_add_string(buf, "\",\"kid\":\"");
    pst_kid_emit(buf, &kid);
    pst_buf_add_string(buf, "\",\"k\":\"");
    pst_base64url_encode(buf, (struct pst_bytes){key.bytes, sizeof(key.bytes)});
    pst_buf_add_string(buf, "\"}");
    pst_crypto_wipe(&key, sizeof(key));
    return pst_buf_finish(buf, &whole);
}
