/* SPDX-License-Identifier: ISC */
/*
 * base64url.c - encode and decode base64url without padding.
 */
#include "codec/base64url.h"

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

void
pst_base64url_encode(struct pst_buf *buf, struct pst_bytes bytes)
{
    char *out = pst_buf_reserve(buf, pst_base64url_length(bytes.len));
    unsigned bits = 0;
    unsigned count = 0; /* how many low bits of `bits` are not written yet */

    if (!out)
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8 | bytes.ptr[i]) & 0xFFF;
        count += 8;
        while (count >= 6) {
            count -= 6;
            *out++ = alphabet[bits >> count & 63];
        }
    }
    if (count > 0)
        *out = alphabet[bits << (6 - count) & 63];
}

/* The value of a character, 0..63, or -1 when it is not in the alphabet. */
static int
base64url_digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (pst_is_digit(c))
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

enum pst_err
pst_base64url_decode(struct pst_arena *arena, struct pst_str text,
                     struct pst_bytes *out)
{
    size_t tail = text.len % 4;
    size_t len = text.len / 4 * 3 + (tail > 0 ? tail - 1 : 0);
    unsigned bits = 0;
    unsigned count = 0; /* how many low bits of `bits` are not written yet */
    size_t done = 0;
    uint8_t *decoded;

    if (tail == 1) /* six bits are not a byte */
        return PST_MALFORMED;
    decoded = pst_arena_alloc(arena, len);
    if (!decoded)
        return PST_NO_MEMORY;
    for (size_t i = 0; i < text.len; i++) {
        int v = base64url_digit_value(text.ptr[i]);

        if (v < 0)
            return PST_MALFORMED;
        bits = (bits << 6 | (unsigned)v) & 0xFFF;
        count += 6;
        if (count >= 8) {
            count -= 8;
            decoded[done++] = (uint8_t)(bits >> count & 0xFF);
        }
    }
    if ((bits & ((1U << count) - 1)) != 0) /* not what we encode */
        return PST_MALFORMED;
    *out = (struct pst_bytes){decoded, len};
    return PST_OK;
}
