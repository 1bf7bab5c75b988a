/* SPDX-License-Identifier: ISC */
/*
 * token_parts.h - the parts of a token: its header, and their base64url. For
 * crypto/token.c only.
 */
#ifndef POSTERN_CRYPTO_TOKEN_PARTS_H
#define POSTERN_CRYPTO_TOKEN_PARTS_H

#include "crypto/token.h"

/* Append the encoded header of a token with this kid. */
void token_emit_header(struct pst_buf *buf, enum pst_token_format format,
                       const struct pst_kid *kid);

/*
 * Parse the kid of an encoded header. Every header is refused but the one that
 * we write for this kid: so a token cannot choose its algorithm.
 *   kid  set on PST_OK
 * Returns PST_OK, PST_FORGED, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err token_parse_header(enum pst_token_format format,
                                             struct pst_arena *arena,
                                             struct pst_str encoded,
                                             struct pst_kid *kid);

/* Decode a part. All that can be wrong with it is PST_FORGED.
 * Returns PST_OK, PST_FORGED, PST_NO_MEMORY. */
PST_MUST_USE enum pst_err token_decode_part(struct pst_arena *arena,
                                            struct pst_str part,
                                            struct pst_bytes *out);

#endif
