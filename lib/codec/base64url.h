/* SPDX-License-Identifier: ISC */
/*
 * base64url.h - encode and decode base64url without padding (RFC 4648 section
 * 5, RFC 7515 section 2).
 */
#ifndef POSTERN_CODEC_BASE64URL_H
#define POSTERN_CODEC_BASE64URL_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/* How many characters len bytes are encoded to. */
size_t pst_base64url_length(size_t len);

/* Append the encoded bytes. */
void pst_base64url_encode(struct pst_buf *buf, struct pst_bytes bytes);

/*
 * Decode strictly: no padding, no white space, no other alphabet, and no unused
 * bits set in the last character. So each value has exactly one spelling, and
 * a token cannot be changed without a change of its bytes.
 *   out  set on PST_OK; lives as long as arena
 * Returns PST_OK, PST_MALFORMED, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_base64url_decode(struct pst_arena *arena,
                                               struct pst_str text,
                                               struct pst_bytes *out);

#endif
