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
#include "crypto/crypto.h"

/* The header of a format, before and after the kid. */
struct token_header_form {
    struct pst_str before;
    struct pst_str after;
};

#define SEALED_BEFORE "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\""
#define SEALED_AFTER "\"}"
#define SIGNED_BEFORE "{\"alg\":\"HS256\",\"kid\":\""
#define SIGNED_AFTER "\",\"typ\":\"JWT\"}"

/* Bytes of a header, and of the encoded header, in either format. */
#define HEADER_MAX 64
#define HEADER_ENCODED_MAX 88

static_assert(sizeof(SEALED_BEFORE SEALED_AFTER) + PST_KID_MAX <= HEADER_MAX &&
                  sizeof(SIGNED_BEFORE SIGNED_AFTER) + PST_KID_MAX <=
                      HEADER_MAX,
              "a header fits");
static_assert(HEADER_MAX * 4 / 3 + 2 <= HEADER_ENCODED_MAX,
              "an encoded header fits");

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

static enum pst_algorithm
token_algorithm(const struct pst_token_use *use)
{
    return token_is_sealed(use) ? PST_A256GCM : PST_HS256;
}

static struct token_header_form
token_header_form(const struct pst_token_use *use)
{
    if (token_is_sealed(use))
        return (struct token_header_form){PST_STR(SEALED_BEFORE),
                                          PST_STR(SEALED_AFTER)};
    return (struct token_header_form){PST_STR(SIGNED_BEFORE),
                                      PST_STR(SIGNED_AFTER)};
}

/* Append the encoded header of a token with this kid. */
static void
token_emit_header(struct pst_buf *buf, const struct pst_token_use *use,
                  const struct pst_kid *kid)
{
    const struct token_header_form form = token_header_form(use);
    char storage[HEADER_MAX];
    struct pst_buf header;

    pst_buf_init(&header, storage, sizeof(storage));
    pst_buf_add(&header, form.before);
    pst_kid_emit(&header, kid);
    pst_buf_add(&header, form.after);
    pst_base64url_encode(buf, pst_str_bytes(pst_buf_str(&header)));
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
token_seal(const struct pst_key *key, const uint8_t *nonce,
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
    e = pst_crypto_seal(key->bytes, nonce, pst_str_bytes(aad),
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
token_sign(const struct pst_key *key, struct pst_str claims,
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
token_seal_or_sign(const struct pst_token_use *use, int64_t now,
                   const uint8_t *nonce, struct pst_str claims,
                   struct pst_buf *buf)
{
    const struct pst_kid kid = pst_keyring_kid(use->ring, now);
    size_t start = pst_buf_str(buf).len;
    struct pst_key key;
    enum pst_err e;

    if (claims.len > PST_CLAIMS_MAX)
        return PST_TOO_LARGE;
    e = pst_keyring_key(use->ring, &kid, token_algorithm(use), use->purpose,
                        &key);
    if (e)
        return e;
    token_emit_header(buf, use, &kid);
    e = token_is_sealed(use) ? token_seal(&key, nonce, claims, buf, start)
                             : token_sign(&key, claims, buf, start);
    pst_crypto_wipe(&key, sizeof(key));
    return e;
}

enum pst_err
pst_token_seal(const struct pst_token_use *use, int64_t now,
               const uint8_t nonce[static PST_NONCE_LEN], struct pst_str claims,
               struct pst_buf *buf)
{
    struct pst_str whole;
    enum pst_err e;

    PST_REQUIRE(claims.len > 0);
    e = token_seal_or_sign(use, now, nonce, claims, buf);
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

/* Decode a part. All that can be wrong with it is PST_FORGED. */
static enum pst_err
token_decode_part(struct pst_arena *arena, struct pst_str part,
                  struct pst_bytes *out)
{
    enum pst_err e = pst_base64url_decode(arena, part, out);

    return e == PST_MALFORMED ? PST_FORGED : e;
}

/*
 * Parse the kid of an encoded header. Every header is refused but the one that
 * we write for this kid: so a token cannot choose its algorithm.
 */
static enum pst_err
token_parse_header(const struct pst_token_use *use, struct pst_arena *arena,
                   struct pst_str encoded, struct pst_kid *kid)
{
    const struct token_header_form form = token_header_form(use);
    char storage[HEADER_ENCODED_MAX];
    struct pst_buf rebuilt;
    struct pst_kid found;
    struct pst_bytes bytes;
    struct pst_str header;
    enum pst_err e;

    if (encoded.len > HEADER_ENCODED_MAX)
        return PST_FORGED;
    e = token_decode_part(arena, encoded, &bytes);
    if (e)
        return e;
    header = pst_str_from_bytes(bytes);
    if (header.len < form.before.len + form.after.len ||
        !pst_str_starts(header, form.before) ||
        !pst_str_ends(header, form.after))
        return PST_FORGED;
    header = pst_str_skip(header, form.before.len);
    header = pst_str_first(header, header.len - form.after.len);
    e = pst_kid_parse(header, &found);
    if (e)
        return e;
    pst_buf_init(&rebuilt, storage, sizeof(storage));
    token_emit_header(&rebuilt, use, &found);
    if (!pst_str_equal(encoded, pst_buf_str(&rebuilt)))
        return PST_FORGED;
    *kid = found;
    return PST_OK;
}

/* Verify and decrypt: RFC 7516 5.2, steps 10 to 17. */
static enum pst_err
token_decrypt(const struct pst_key *key, struct pst_arena *arena,
              const struct parts *parts, struct pst_str *claims)
{
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
    e = pst_crypto_open(key->bytes, iv.ptr,
                        pst_str_bytes(parts->at[PART_HEADER]), ciphertext, tag,
                        plain);
    if (e)
        return e;
    *claims = pst_str_from_bytes((struct pst_bytes){plain, ciphertext.len});
    return PST_OK;
}

/* Verify, then decode: RFC 7515 5.2, steps 7 and 8. */
static enum pst_err
token_verify(const struct pst_key *key, struct pst_arena *arena,
             const struct parts *parts, struct pst_str *claims)
{
    const struct pst_str payload = parts->at[PART_PAYLOAD];
    struct pst_str input = parts->at[PART_HEADER];
    struct pst_bytes bytes;
    struct pst_bytes signature;
    uint8_t mac[PST_HASH_LEN];
    enum pst_err e;

    input.len += 1 + payload.len; /* header and payload are adjacent */
    e = token_decode_part(arena, parts->at[PART_SIGNATURE], &signature);
    if (e)
        return e;
    e = pst_crypto_hmac((struct pst_bytes){key->bytes, sizeof(key->bytes)},
                        pst_str_bytes(input), mac);
    if (e)
        return e;
    if (!pst_crypto_equal(signature, (struct pst_bytes){mac, sizeof(mac)}))
        return PST_FORGED;
    e = token_decode_part(arena, payload, &bytes);
    if (e)
        return e;
    if (bytes.len == 0 || bytes.len > PST_CLAIMS_MAX)
        return PST_FORGED;
    *claims = pst_str_from_bytes(bytes);
    return PST_OK;
}

/*
 * Check the header and derive the key.
 *   key  set on PST_OK; the caller wipes it
 */
static enum pst_err
token_find_key(const struct pst_token_use *use, struct pst_arena *arena,
               const struct parts *parts, struct pst_kid *kid,
               struct pst_key *key)
{
    enum pst_err e =
        token_parse_header(use, arena, parts->at[PART_HEADER], kid);

    if (e)
        return e;
    return pst_keyring_key(use->ring, kid, token_algorithm(use), use->purpose,
                           key);
}

enum pst_err
pst_token_open(const struct pst_token_use *use, struct pst_arena *arena,
               struct pst_str token, struct pst_str *claims,
               struct pst_kid *kid)
{
    struct parts parts;
    struct pst_kid found;
    struct pst_key key;
    enum pst_err e = token_split(use, token, &parts);

    if (e)
        return e;
    e = token_find_key(use, arena, &parts, &found, &key);
    if (e)
        return e;
    e = token_is_sealed(use) ? token_decrypt(&key, arena, &parts, claims)
                             : token_verify(&key, arena, &parts, claims);
    pst_crypto_wipe(&key, sizeof(key));
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
    e = token_find_key(use, arena, &parts, &kid, &key);
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
