/* SPDX-License-Identifier: ISC */
/*
 * token_parts.c - the parts of a token: its header, and their base64url.
 */
#include "crypto/token_parts.h"

#include "codec/base64url.h"

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

static struct token_header_form
token_header_form(enum pst_token_format format)
{
    if (format == PST_TOKEN_SEALED)
        return (struct token_header_form){PST_STR(SEALED_BEFORE),
                                          PST_STR(SEALED_AFTER)};
    return (struct token_header_form){PST_STR(SIGNED_BEFORE),
                                      PST_STR(SIGNED_AFTER)};
}

void
token_emit_header(struct pst_buf *buf, enum pst_token_format format,
                  const struct pst_kid *kid)
{
    const struct token_header_form form = token_header_form(format);
    char storage[HEADER_MAX];
    struct pst_buf header;

    pst_buf_init(&header, storage, sizeof(storage));
    pst_buf_add(&header, form.before);
    pst_kid_emit(&header, kid);
    pst_buf_add(&header, form.after);
    pst_base64url_encode(buf, pst_str_bytes(pst_buf_str(&header)));
}

enum pst_err
token_decode_part(struct pst_arena *arena, struct pst_str part,
                  struct pst_bytes *out)
{
    enum pst_err e = pst_base64url_decode(arena, part, out);

    return e == PST_MALFORMED ? PST_FORGED : e;
}

enum pst_err
token_parse_header(enum pst_token_format format, struct pst_arena *arena,
                   struct pst_str encoded, struct pst_kid *kid)
{
    const struct token_header_form form = token_header_form(format);
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
    token_emit_header(&rebuilt, format, &found);
    if (!pst_str_equal(encoded, pst_buf_str(&rebuilt)))
        return PST_FORGED;
    *kid = found;
    return PST_OK;
}
