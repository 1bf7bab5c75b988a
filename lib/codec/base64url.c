/* SPDX-License-Identifier: ISC */
/*
 * base64url.c - encode and decode base64url without padding.
 */
#include "codec/base64url.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* One byte at the end becomes two characters, two bytes become three. */
static size_t
base64url_tail_length(size_t tail)
{
    return tail > 0 ? tail + 1 : 0;
}

size_t
pst_base64url_length(size_t len)
{
    size_t length;

    PST_REQUIRE(!__builtin_mul_overflow(len / 3, 4, &length) &&
                !__builtin_add_overflow(length, base64url_tail_length(len % 3),
                                        &length));
    return length;
}

/* Encode the one or two bytes that are left at the end. */
static void
base64url_encode_tail(char *out, const uint8_t *in, size_t len)
{
    unsigned bits = (unsigned)in[0] << 16;

    if (len > 1)
        bits |= (unsigned)in[1] << 8;
    for (size_t i = 0; i < base64url_tail_length(len); i++)
        out[i] = alphabet[bits >> (18 - 6 * i) & 63];
}

void
pst_base64url_encode(struct pst_buf *buf, struct pst_bytes bytes)
{
    char *out = pst_buf_reserve(buf, pst_base64url_length(bytes.len));
    size_t done = 0;

    if (!out)
        return;
    for (; bytes.len - done >= 3; done += 3) {
        const uint8_t *in = bytes.ptr + done;
        unsigned bits =
            (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | (unsigned)in[2];

        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = alphabet[bits >> 6 & 63];
        *out++ = alphabet[bits & 63];
    }
    if (done < bytes.len)
        base64url_encode_tail(out, bytes.ptr + done, bytes.len - done);
}

/* The value of a character, marked; 0 when it is not in the alphabet. */
#define MARK 0x80
#define VALUE(c, v) [(unsigned char)(c)] = (MARK | (v))
#define VALUES_4(c, v)                                             \
    VALUE(c, v), VALUE((c) + 1, (v) + 1), VALUE((c) + 2, (v) + 2), \
        VALUE((c) + 3, (v) + 3)
#define VALUES_24(c, v)                                                     \
    VALUES_4(c, v), VALUES_4((c) + 4, (v) + 4), VALUES_4((c) + 8, (v) + 8), \
        VALUES_4((c) + 12, (v) + 12), VALUES_4((c) + 16, (v) + 16),         \
        VALUES_4((c) + 20, (v) + 20)
static const uint8_t digit_values[256] = {
    VALUES_24('A', 0), VALUE('Y', 24), VALUE('Z', 25),    VALUES_24('a', 26),
    VALUE('y', 50),    VALUE('z', 51), VALUES_4('0', 52), VALUES_4('4', 56),
    VALUE('8', 60),    VALUE('9', 61), VALUE('-', 62),    VALUE('_', 63),
};

/* The marks of four values, one digit after the other. */
#define MARKS (MARK << 18 ^ MARK << 12 ^ MARK << 6 ^ MARK)

/*
 * Decode four characters to 24 bits.
 *   marks  loses MARK when one of them is not in the alphabet
 */
static inline uint32_t
base64url_decode_group(const char text[static 4], uint32_t *marks)
{
    uint32_t a = digit_values[(unsigned char)text[0]];
    uint32_t b = digit_values[(unsigned char)text[1]];
    uint32_t c = digit_values[(unsigned char)text[2]];
    uint32_t d = digit_values[(unsigned char)text[3]];

    *marks &= a & b & c & d;
    return a << 18 ^ b << 12 ^ c << 6 ^ d ^ MARKS;
}

enum pst_err
pst_base64url_decode(struct pst_arena *arena, struct pst_str text,
                     struct pst_bytes *out)
{
    size_t tail = text.len % 4;
    size_t tail_len = tail > 0 ? tail - 1 : 0;
    size_t len = text.len / 4 * 3 + tail_len;
    char last[4] = "AAAA"; /* the tail, filled up with zero bits */
    uint32_t marks = MARK;
    uint8_t *decoded;
    uint8_t *to;
    uint32_t bits;

    if (tail == 1) /* six bits are not a byte */
        return PST_MALFORMED;
    decoded = pst_arena_alloc(arena, len);
    if (!decoded)
        return PST_NO_MEMORY;
    to = decoded;
    for (size_t i = 0; i < text.len - tail; i += 4) {
        bits = base64url_decode_group(text.ptr + i, &marks);
        *to++ = (uint8_t)(bits >> 16 & 0xFF);
        *to++ = (uint8_t)(bits >> 8 & 0xFF);
        *to++ = (uint8_t)(bits & 0xFF);
    }
    if (tail > 0)
        memcpy(last, text.ptr + text.len - tail, tail);
    bits = base64url_decode_group(last, &marks);
    if (marks == 0 || bits << (8 + 8 * tail_len) != 0) /* not what we encode */
        return PST_MALFORMED;
    for (size_t i = 0; i < tail_len; i++)
        to[i] = (uint8_t)(bits >> (16 - 8 * i) & 0xFF);
    *out = (struct pst_bytes){decoded, len};
    return PST_OK;
}
