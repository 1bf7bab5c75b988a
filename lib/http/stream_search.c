/* SPDX-License-Identifier: ISC */
/*
 * stream_search.c - a search that never looks at a byte of the stream twice.
 */
#include "http/stream_search.h"

#include <string.h>

void
pst_needle_init(struct pst_needle *needle, struct pst_text text)
{
    uint8_t border = 0;

    PST_REQUIRE(text.len > 0 && text.len <= PST_NEEDLE_MAX);
    *needle = (struct pst_needle){.len = text.len};
    memcpy(needle->text, text.ptr, text.len);
    for (size_t i = 1; i < text.len; i++) {
        while (border > 0 && text.ptr[i] != text.ptr[border])
            border = needle->border[border - 1];
        if (text.ptr[i] == text.ptr[border])
            border++;
        needle->border[i] = border;
    }
}

bool
pst_needle_take(struct pst_needle *needle, char c)
{
    size_t matched = needle->matched;

    while (matched > 0 &&
           (matched == needle->len || needle->text[matched] != c))
        matched = needle->border[matched - 1];
    if (needle->text[matched] == c)
        matched++;
    needle->matched = matched;
    return matched == needle->len;
}

bool
pst_needle_find(struct pst_needle *needle, struct pst_text piece)
{
    for (size_t i = 0; i < piece.len; i++) {
        if (needle->matched == 0)
            i += pst_text_index(pst_text_from_octet(piece, i), needle->text[0]);
        if (i < piece.len && pst_needle_take(needle, piece.ptr[i]))
            return true;
    }
    return false;
}
