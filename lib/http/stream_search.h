/* SPDX-License-Identifier: ISC */
/*
 * stream_search.h - find a text in a stream, byte by byte (Knuth, Morris and
 * Pratt).
 */
#ifndef POSTERN_HTTP_STREAM_SEARCH_H
#define POSTERN_HTTP_STREAM_SEARCH_H

#include "base/base.h"
#include "base/str.h"

#define PST_SEARCH_MAX 80 /* bytes */

/* The caller's, to be moved freely. */
struct pst_search {
    char text[PST_SEARCH_MAX];
    uint8_t border[PST_SEARCH_MAX]; /* of its first i+1 bytes, how many of the
                                       last are the first ones */
    size_t len;
    size_t matched; /* the last bytes of the stream begin it */
};

/* What to look for: 1..PST_SEARCH_MAX bytes. */
PST_EXPORT void pst_search_init(struct pst_search *search, struct pst_str text);

/* The stream's next byte: does it end the text? Every place is found. */
PST_EXPORT bool pst_search_feed(struct pst_search *search, char c);

/* The next bytes: is the text's end among them? What is after it is not
 * looked at. */
PST_EXPORT bool pst_search_find(struct pst_search *search,
                                struct pst_str piece);

#endif
