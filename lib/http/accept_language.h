/* SPDX-License-Identifier: ISC */
/*
 * accept_language.h - choose a language by the header Accept-Language
 * (RFC 9110 section 12.5.4).
 */
#ifndef POSTERN_HTTP_ACCEPT_LANGUAGE_H
#define POSTERN_HTTP_ACCEPT_LANGUAGE_H

#include "base/base.h"
#include "base/str.h"

/* Ranges of the header that are read; browsers send about five. */
#define PST_LANGUAGE_RANGES_MAX 32

/* Is it a language tag such as "de" or "pt-BR": letters, and then letters and
 * digits, in parts of 1 to 8 bytes with hyphens between (RFC 4647 section 2.1)?
 */
bool pst_language_is_tag(struct pst_str text);

/*
 * The length of the tag without its last part, and without a single letter or
 * digit that would then be last, which begins an extension (RFC 4647 section
 * 3.4): "de-AT" to 2, "de" to 0.
 */
size_t pst_language_truncated_len(struct pst_str tag);

/*
 * Choose one of the languages for the header. The ranges are tried by their
 * weight, and in their order. A range finds the tag that is the same; else the
 * first tag that begins with the range ("pt" finds "pt-BR"; RFC 4647 section
 * 3.3.1); else, part by part, a more general tag ("de-AT" finds "de"; section
 * 3.4). "*" finds the first tag that no other range names. A tag that a range
 * with the weight 0 names, or begins with it, is left out, unless another range
 * names it. Ranges that are malformed count for nothing.
 *   header  absent: there is none
 *   tags    count language tags, 1 or more; the first is the default
 * Returns an index; 0 if no range finds a tag.
 */
size_t pst_language_choose(struct pst_str header, const struct pst_str *tags,
                           size_t count);

#endif
