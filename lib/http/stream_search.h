/* SPDX-License-Identifier: ISC */
/*
 * stream_search.h - find a string in a stream that comes in pieces
 * (Knuth-Morris-Pratt: each byte is read once).
 */
#ifndef POSTERN_HTTP_STREAM_SEARCH_H
#define POSTERN_HTTP_STREAM_SEARCH_H

#include "base/base.h"
#include "base/str.h"

#define PST_SEARCH_MAX 80 /* bytes */

/* In the caller's storage; may be moved. */
struct pst_search {
    char text[PST_SEARCH_MAX];
    uint8_t border[PST_SEARCH_MAX]; /* of text[0..i]: the longest proper prefix
                                       that is also a suffix */
    size_t len;
    size_t matched; /* how many of the last bytes are a prefix of text */
};

/* Begin to search for a text of 1..PST_SEARCH_MAX bytes. */
void pst_search_init(struct pst_search *search, struct pst_str text);

/* Read the next byte. Returns whether the text ends here; finds overlaps. */
bool pst_search_feed(struct pst_search *search, char c);

/* Read the next bytes, up to the end of the text. Returns whether it ends in
 * them. */
bool pst_search_find(struct pst_search *search, struct pst_str piece);

#endif
