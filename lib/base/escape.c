/* SPDX-License-Identifier: ISC */
/*
 * escape.c - text from outside, made safe for a terminal and for one line.
 */
#include "base/escape.h"

#include <string.h>

#define ESCAPE_LEN 4 /* of \xHH */

/* Does this character of three bytes end a line or change the direction in
 * which text is written? It could make a terminal show one line as another. */
static bool
escape_moves_text(const char *bytes)
{
    unsigned point = ((unsigned)bytes[0] & 0x0F) << 12 |
                     ((unsigned)bytes[1] & 0x3F) << 6 |
                     ((unsigned)bytes[2] & 0x3F);

    return point == 0x200E || point == 0x200F ||
           (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069);
}

/* How many bytes of text, which is not empty, can be shown as they are: those
 * of its first character, or 0 if it must be escaped. */
static size_t
escape_plain_len(struct pst_str text)
{
    unsigned char lead = (unsigned char)text.ptr[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    if (lead < ' ' || lead == 0x7F || lead == '\\' || text.len < len ||
        !pst_str_is_utf8(pst_str_first(text, len)))
        return 0;
    /* C1: to a terminal, U+009B is ESC and [. */
    if (lead == 0xC2 && (unsigned char)text.ptr[1] < 0xA0)
        return 0;
    /* U+061C, the Arabic letter mark, changes the direction of text. */
    if (lead == 0xD8 && (unsigned char)text.ptr[1] == 0x9C)
        return 0;
    if (len == 3 && escape_moves_text(text.ptr))
        return 0;
    return len;
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
