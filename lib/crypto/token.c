/* SPDX-License-Identifier: ISC */
/*
 * token.c - the compact JWE (RFC 7516) and JWS (RFC 7515) that carry claims.
 *
 * Nothing in a token is believed before its tag: the kid is read to find a
 * key, and the header is compared with the only one we would have written.
 */
#include "crypto/token.h"

#include <string.h>

#include "codec/base64url.h"
#include "crypto/crypto.h"

/* What stands before and after the kid, for each format. */
struct header_form {
    struct pst_text before;
    struct pst_text after;
};

#define SEALED_BEFORE "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\""
#define SEALED_AFTER "\"}"
#define SIGNED_BEFORE "{\"alg\":\"HS256\",\"kid\":\""
#define SIGNED_AFTER "\",\"typ\":\"JWT\"}"

/* Bytes of a header, and of its base64url spelling: both forms fit. */
#define HEADER_MAX 64
#define HEADER_ENCODED_MAX 88

static_assert(sizeof(SEALED_BEFORE) + sizeof(SEALED_AFTER) + PST_KID_MAX <=
                  HEADER_MAX,
              "a sealed token's header fits");
static_assert(sizeof(SIGNED_BEFORE) + sizeof(SIGNED_AFTER) + PST_KID_MAX <=
                  HEADER_MAX,
              "a signed token's header fits");
static_assert(HEADER_MAX * 4 / 3 + 2 <= HEADER_ENCODED_MAX,
              "an encoded header fits");

/* header..iv.ciphertext.tag, or header.payload.signature */
#define SEALED_PARTS 5
#define SIGNED_PARTS 3
enum { PART_HEADER = 0 };
enum { PART_KEY = 1, PART_IV, PART_CIPHERTEXT, PART_TAG };
enum { PART_PAYLOAD = 1, PART_SIGNATURE };

/* Bytes encoded at a time; a multiple of 3, so that no piece has a rest. */
#define PIECE 48

/* A token cut at its dots. */
struct parts {
    struct pst_text at[SEALED_PARTS];
};

static bool
is_sealed(const struct pst_token_use *use)
{
    return use->format == PST_TOKEN_SEALED;
}

static enum pst_algorithm
algorithm(const struct pst_token_use *use)
{
    return is_sealed(use) ? PST_A256GCM : PST_HS256;
}

static struct header_form
header_form(const struct pst_token_use *use)
{
    if (is_sealed(use))
        return (struct header_form){PST_TEXT(SEALED_BEFORE),
                                    PST_TEXT(SEALED_AFTER)};
    return (struct header_form){PST_TEXT(SIGNED_BEFORE),
                                PST_TEXT(SIGNED_AFTER)};
}

/* The one header that a token of this use and kid has, encoded. */
static void
emit_header(struct pst_buf *buf, const struct pst_token_use *use,
            const struct pst_kid *kid)
{
    const struct header_form form = header_form(use);
    char storage[HEADER_MAX];
    struct pst_buf header;

    pst_buf_init(&header, storage, sizeof(storage));
    pst_buf_add(&header, form.before);
    pst_kid_emit(&header, kid);
    pst_buf_add(&header, form.after);
    pst_base64url_encode(buf, pst_text_bytes(pst_buf_text(&header)));
}

/*
 * Encode the bytes at the end of room into the whole of room. Each piece is
 * copied out before it is written, and what is written stays behind what is
 * still to be read, since four characters come from three bytes.
 */
static void
encode_in_place(char *room, size_t room_len, size_t len)
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
    PST_REQUIRE(pst_buf_text(&to).len == room_len);
}

/* ..iv.ciphertext.tag after the header that buf has from byte start on */
static enum pst_err
seal(const struct pst_key *key, const uint8_t *nonce, struct pst_text claims,
     struct pst_buf *buf, size_t start)
{
    const size_t header_len = pst_buf_text(buf).len - start;
    const size_t room_len = pst_base64url_length(claims.len);
    uint8_t tag[PST_TAG_LEN];
    struct pst_text aad;
    char *room;
    enum pst_err e;

    pst_buf_add_string(buf, "..");
    pst_base64url_encode(buf, (struct pst_bytes){nonce, PST_NONCE_LEN});
    pst_buf_add_char(buf, '.');
    room = pst_buf_room(buf, room_len);
    if (!room)
        return PST_OK; /* spoilt: pst_buf_end() knows why */
    aad = pst_text_from_octet(pst_buf_text(buf), start);
    aad = pst_text_first(aad, header_len);
    e = pst_crypt_seal(key->octets, nonce, pst_text_bytes(aad),
                       pst_text_bytes(claims),
                       (uint8_t *)room + (room_len - claims.len), tag);
    if (e)
        return e;
    encode_in_place(room, room_len, claims.len);
    pst_buf_add_char(buf, '.');
    pst_base64url_encode(buf, (struct pst_bytes){tag, sizeof(tag)});
    return PST_OK;
}

/* .payload.signature after the header that buf has from byte start on */
static enum pst_err
sign(const struct pst_key *key, struct pst_text claims, struct pst_buf *buf,
     size_t start)
{
    uint8_t mac[PST_HASH_LEN];
    struct pst_text input;
    enum pst_err e;

    pst_buf_add_char(buf, '.');
    pst_base64url_encode(buf, pst_text_bytes(claims));
    input = pst_text_from_octet(pst_buf_text(buf), start);
    e = pst_crypt_hmac((struct pst_bytes){key->octets, sizeof(key->octets)},
                       pst_text_bytes(input), mac);
    if (e)
        return e;
    pst_buf_add_char(buf, '.');
    pst_base64url_encode(buf, (struct pst_bytes){mac, sizeof(mac)});
    return PST_OK;
}

static enum pst_err
seal_or_sign(const struct pst_token_use *use, int64_t now, const uint8_t *nonce,
             struct pst_text claims, struct pst_buf *buf)
{
    const struct pst_kid kid = pst_keyring_kid(use->ring, now);
    size_t start = pst_buf_text(buf).len;
    struct pst_key key;
    enum pst_err e;

    if (claims.len > PST_CLAIMS_MAX)
        return PST_TOO_LARGE;
    e = pst_keyring_key(use->ring, &kid, algorithm(use), use->purpose, &key);
    if (e)
        return e;
    emit_header(buf, use, &kid);
    e = is_sealed(use) ? seal(&key, nonce, claims, buf, start)
                       : sign(&key, claims, buf, start);
    pst_crypt_wipe(&key, sizeof(key));
    return e;
}

enum pst_err
pst_token_seal(const struct pst_token_use *use, int64_t now,
               const uint8_t nonce[static PST_NONCE_LEN],
               struct pst_text claims, struct pst_buf *buf)
{
    struct pst_text whole;
    enum pst_err e;

    PST_REQUIRE(claims.len > 0);
    e = seal_or_sign(use, now, nonce, claims, buf);
    if (e)
        pst_buf_spoil(buf, e);
    return pst_buf_end(buf, &whole);
}

/* Cut a token into exactly the parts its format has. */
static enum pst_err
cut(const struct pst_token_use *use, struct pst_text token, struct parts *out)
{
    const size_t want = is_sealed(use) ? SEALED_PARTS : SIGNED_PARTS;
    struct pst_text part;
    size_t count = 0;

    if (token.len == 0 || token.len > PST_TOKEN_MAX)
        return PST_FORGED;
    while (pst_text_cut(&token, '.', &part)) {
        if (count == want)
            return PST_FORGED;
        out->at[count++] = part;
    }
    return count == want ? PST_OK : PST_FORGED;
}

/* What the caller of pst_token_open() may know: all bad spellings are one. */
static enum pst_err
decode(struct pst_arena *arena, struct pst_text part, struct pst_bytes *out)
{
    enum pst_err e = pst_base64url_decode(arena, part, out);

    return e == PST_MALFORMED ? PST_FORGED : e;
}

/*
 * Read the kid out of an encoded header, and refuse every header but the one
 * we would have written for it.
 */
static enum pst_err
read_header(const struct pst_token_use *use, struct pst_arena *arena,
            struct pst_text encoded, struct pst_kid *kid)
{
    const struct header_form form = header_form(use);
    char storage[HEADER_ENCODED_MAX];
    struct pst_buf rebuilt;
    struct pst_kid found;
    struct pst_bytes octets;
    struct pst_text header;
    enum pst_err e;

    if (encoded.len > HEADER_ENCODED_MAX)
        return PST_FORGED;
    e = decode(arena, encoded, &octets);
    if (e)
        return e;
    header = pst_bytes_text(octets);
    if (header.len < form.before.len + form.after.len ||
        !pst_text_starts(header, form.before) ||
        !pst_text_ends(header, form.after))
        return PST_FORGED;
    header = pst_text_from_octet(header, form.before.len);
    header = pst_text_first(header, header.len - form.after.len);
    e = pst_kid_parse(header, &found);
    if (e)
        return e;
    pst_buf_init(&rebuilt, storage, sizeof(storage));
    emit_header(&rebuilt, use, &found);
    if (!pst_text_equal(encoded, pst_buf_text(&rebuilt)))
        return PST_FORGED;
    *kid = found;
    return PST_OK;
}

/* Verify, then decrypt for good: RFC 7516 5.2, steps 10 to 17. */
static enum pst_err
unseal(const struct pst_key *key, struct pst_arena *arena,
       const struct parts *parts, struct pst_text *claims)
{
    struct pst_bytes iv;
    struct pst_bytes ciphertext;
    struct pst_bytes tag;
    uint8_t *plain;
    enum pst_err e;

    if (parts->at[PART_KEY].len != 0)
        return PST_FORGED;
    e = decode(arena, parts->at[PART_IV], &iv);
    if (e)
        return e;
    e = decode(arena, parts->at[PART_CIPHERTEXT], &ciphertext);
    if (e)
        return e;
    e = decode(arena, parts->at[PART_TAG], &tag);
    if (e)
        return e;
    if (iv.len != PST_NONCE_LEN || ciphertext.len == 0 ||
        ciphertext.len > PST_CLAIMS_MAX)
        return PST_FORGED;
    plain = pst_arena_alloc(arena, ciphertext.len);
    if (!plain)
        return PST_NO_MEMORY;
    e = pst_crypt_open(key->octets, iv.ptr,
                       pst_text_bytes(parts->at[PART_HEADER]), ciphertext, tag,
                       plain);
    if (e)
        return e;
    *claims = pst_bytes_text((struct pst_bytes){plain, ciphertext.len});
    return PST_OK;
}

/* Verify, then decode: RFC 7515 5.2, steps 7 and 8. */
static enum pst_err
verify(const struct pst_key *key, struct pst_arena *arena,
       const struct parts *parts, struct pst_text *claims)
{
    const struct pst_text payload = parts->at[PART_PAYLOAD];
    struct pst_text input = parts->at[PART_HEADER];
    struct pst_bytes octets;
    struct pst_bytes signature;
    uint8_t mac[PST_HASH_LEN];
    enum pst_err e;

    input.len += 1 + payload.len; /* they stand side by side in the token */
    e = decode(arena, parts->at[PART_SIGNATURE], &signature);
    if (e)
        return e;
    e = pst_crypt_hmac((struct pst_bytes){key->octets, sizeof(key->octets)},
                       pst_text_bytes(input), mac);
    if (e)
        return e;
    if (!pst_crypt_equal(signature, (struct pst_bytes){mac, sizeof(mac)}))
        return PST_FORGED;
    e = decode(arena, payload, &octets);
    if (e)
        return e;
    if (octets.len == 0 || octets.len > PST_CLAIMS_MAX)
        return PST_FORGED;
    *claims = pst_bytes_text(octets);
    return PST_OK;
}

/* Everything before the tag: shape, header, key. The caller wipes the key. */
static enum pst_err
find_key(const struct pst_token_use *use, struct pst_arena *arena,
         const struct parts *parts, struct pst_kid *kid, struct pst_key *key)
{
    enum pst_err e = read_header(use, arena, parts->at[PART_HEADER], kid);

    if (e)
        return e;
    return pst_keyring_key(use->ring, kid, algorithm(use), use->purpose, key);
}

enum pst_err
pst_token_open(const struct pst_token_use *use, struct pst_arena *arena,
               struct pst_text token, struct pst_text *claims,
               struct pst_kid *kid)
{
    struct parts parts;
    struct pst_kid found;
    struct pst_key key;
    enum pst_err e = cut(use, token, &parts);

    if (e)
        return e;
    e = find_key(use, arena, &parts, &found, &key);
    if (e)
        return e;
    e = is_sealed(use) ? unseal(&key, arena, &parts, claims)
                       : verify(&key, arena, &parts, claims);
    pst_crypt_wipe(&key, sizeof(key));
    if (!e && kid)
        *kid = found;
    return e;
}

enum pst_err
pst_token_jwk(const struct pst_token_use *use, struct pst_arena *arena,
              struct pst_text token, struct pst_buf *buf)
{
    struct parts parts;
    struct pst_kid kid;
    struct pst_key key;
    struct pst_text whole;
    enum pst_err e = cut(use, token, &parts);

    if (e)
        return e;
    e = find_key(use, arena, &parts, &kid, &key);
    if (e)
        return e;
    pst_buf_add_string(buf, "{\"kty\":\"oct\",\"alg\":\"");
    pst_buf_add_string(buf, is_sealed(use) ? "A256GCM" : "HS256");
    pst_buf_add_string(buf, "\",\"kid\":\"");
    pst_kid_emit(buf, &kid);
    pst_buf_add_string(buf, "\",\"k\":\"");
    pst_base64url_encode(buf,
                         (struct pst_bytes){key.octets, sizeof(key.octets)});
    pst_buf_add_string(buf, "\"}");
    pst_crypt_wipe(&key, sizeof(key));
    return pst_buf_end(buf, &whole);
}
