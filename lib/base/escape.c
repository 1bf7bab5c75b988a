/* SPDX-License-Identifier: ISC */
/*
 * escape.c - text from outside, made safe for a terminal and for one line.
 */
#include "base/escape.h"

#include <string.h>

#define ESCAPE_LEN 4 /* of \xHH */

size_t
pst_escape_decode(struct pst_str text, uint32_t *character)
{
    uint32_t lead = (unsigned char)text.ptr[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    struct pst_str one = pst_str_first(text, len);
    uint32_t value = len == 1 ? lead : lead & (0x7Fu >> len);

    if (one.len < len || !pst_str_is_utf8(one))
        return 0;
    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)one.ptr[i] & 0x3Fu);
    *character = value;
    return len;
}

bool
pst_escape_is_deceptive(uint32_t character)
{
    return (character >= 0x80 && character <= 0x9F) || character == 0x061C ||
           (character >= 0x200E && character <= 0x200F) ||
           (character >= 0x2028 && character <= 0x202E) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* How many bytes of text, which is not empty, can be shown as they are: those
 * of its first character, or 0 if it must be escaped. */
static size_t
escape_plain_len(struct pst_str text)
{
    uint32_t character = 0;
    size_t len = pst_escape_decode(text, &character);

    return character < ' ' || character == 0x7F || character == '\\' ||
                   pst_escape_is_deceptive(character)
               ? 0
               : len;
}

static void
escape_byte(char out[static ESCAPE_LEN], char c)
{
    out[0] = '\\';
    out[1] = 'x';
    out[2] = pst_hex_digit((unsigned char)c >> 4);
    out[3] = pst_hex_digit((unsigned char)c);
}

size_t
pst_escape_copy(char *out, size_t size, struct pst_str text)
{
    size_t copied = 0;
    size_t len = 0;

    PST_REQUIRE(size > ESCAPE_LEN);
    while (copied < text.len) {
        struct pst_str rest = pst_str_skip(text, copied);
        size_t plain = escape_plain_len(rest);
        size_t added = plain > 0 ? plain : ESCAPE_LEN;

        if (added >= size - len)
            break;
        if (plain > 0)
            memcpy(out + len, rest.ptr, plain);
        else
            escape_byte(out + len, rest.ptr[0]);
        copied += plain > 0 ? plain : 1;
        len += added;
    }
    out[len] = '\0';
    return copied;
}
