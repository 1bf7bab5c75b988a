/* SPDX-License-Identifier: ISC */
/*
 * percent.c - percent-decoding and percent-encoding.
 */
#include "codec/percent.h"

/* The byte of the "%XX" that text begins with, or -1. */
static int
percent_decode_byte(struct pst_str text)
{
    int high;
    int low;

    if (text.len < 3 || text.ptr[0] != '%')
        return -1;
    high = pst_hex_value(text.ptr[1]);
    low = pst_hex_value(text.ptr[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void
pst_percent_decode(struct pst_buf *buf, struct pst_str text, bool plus)
{
    while (text.len > 0) {
        int byte = percent_decode_byte(text);

        if (byte >= 0)
            pst_buf_add_char(buf, (char)byte);
        else if (plus && text.ptr[0] == '+')
            pst_buf_add_char(buf, ' ');
        else
            pst_buf_add_char(buf, text.ptr[0]);
        text = pst_str_skip(text, byte >= 0 ? 3 : 1);
    }
}

static bool
percent_is_unreserved(char c)
{
    return pst_is_alpha(c) || pst_is_digit(c) || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static char
percent_upper_hex_digit(unsigned v)
{
    return "0123456789ABCDEF"[v & 15];
}

void
pst_percent_encode(struct pst_buf *buf, struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned byte = (unsigned char)text.ptr[i];

        if (percent_is_unreserved(text.ptr[i])) {
            pst_buf_add_char(buf, text.ptr[i]);
        } else {
            pst_buf_add_char(buf, '%');
            pst_buf_add_char(buf, percent_upper_hex_digit(byte >> 4));
            pst_buf_add_char(buf, percent_upper_hex_digit(byte));
        }
    }
}
