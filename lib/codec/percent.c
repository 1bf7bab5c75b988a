/* SPDX-License-Identifier: ISC */
/*
 * percent.c - percent-encoding, read leniently and written strictly.
 */
#include "codec/percent.h"

/* The byte that text begins with as "%XX", or -1 when it does not. */
static int
escaped_octet(struct pst_text text)
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
pst_percent_decode(struct pst_buf *buf, struct pst_text text, bool plus)
{
    while (text.len > 0) {
        int octet = escaped_octet(text);

        if (octet >= 0)
            pst_buf_add_char(buf, (char)octet);
        else if (plus && text.ptr[0] == '+')
            pst_buf_add_char(buf, ' ');
        else
            pst_buf_add_char(buf, text.ptr[0]);
        text = pst_text_from_octet(text, octet >= 0 ? 3 : 1);
    }
}

static bool
is_unreserved(char c)
{
    return pst_is_alpha(c) || pst_is_digit(c) || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static char
upper_hex_digit(unsigned v)
{
    return "0123456789ABCDEF"[v & 15];
}

void
pst_percent_encode(struct pst_buf *buf, struct pst_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned octet = (unsigned char)text.ptr[i];

        if (is_unreserved(text.ptr[i])) {
            pst_buf_add_char(buf, text.ptr[i]);
        } else {
            pst_buf_add_char(buf, '%');
            pst_buf_add_char(buf, upper_hex_digit(octet >> 4));
            pst_buf_add_char(buf, upper_hex_digit(octet));
        }
    }
}
