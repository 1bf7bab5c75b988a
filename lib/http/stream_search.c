/* SPDX-License-Identifier: ISC */
/*
 * stream_search.c - find a string in a stream that comes in pieces
 * (Knuth-Morris-Pratt).
 */
#include "http/stream_search.h"

#include <string.h>

void
pst_search_init(struct pst_search *search, struct pst_str text)
{
    uint8_t border = 0;

    PST_REQUIRE(text.len > 0 && text.len <= PST_SEARCH_MAX);
    *search = (struct pst_search){.len = text.len};
    memcpy(search->text, text.ptr, text.len);
    for (size_t i = 1; i < text.len; i++) {
        while (border > 0 && text.ptr[i] != text.ptr[border])
            border = search->border[border - 1];
        if (text.ptr[i] == text.ptr[border])
            border++;
        search->border[i] = border;
    }
}

bool
pst_search_feed(struct pst_search *search, char c)
{
    size_t matched = search->matched;

    while (matched > 0 &&
           (matched == search->len || search->text[matched] != c))
        matched = search->border[matched - 1];
    if (search->text[matched] == c)
        matched++;
    search->matched = matched;
    return matched == search->len;
}

bool
pst_search_find(struct pst_search *search, struct pst_str piece)
{
    for (size_t i = 0; i < piece.len; i++) {
        if (search->matched == 0)
            i += pst_str_index(pst_str_skip(piece, i), search->text[0]);
        if (i < piece.len && pst_search_feed(search, piece.ptr[i]))
            return true;
    }
    return false;
}
