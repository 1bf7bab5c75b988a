/* SPDX-License-Identifier: ISC */
/*
 * percent.h - percent-decoding and percent-encoding (RFC 3986 section 2.1).
 */
#ifndef POSTERN_CODEC_PERCENT_H
#define POSTERN_CODEC_PERCENT_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/str.h"

/*
 * Append the decoded text. A "%" without two hex digits after it is kept, as in
 * WHATWG URL 1.3.
 *   plus  decode "+" to a space, as in urlencoded forms
 */
void pst_percent_decode(struct pst_buf *buf, struct pst_str text, bool plus);

/*
 * Append the encoded text: all but unreserved characters (RFC 3986 2.3) are
 * encoded. For a name or a value in a query.
 */
void pst_percent_encode(struct pst_buf *buf, struct pst_str text);

#endif
