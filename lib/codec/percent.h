/* SPDX-License-Identifier: ISC */
/*
 * percent.h - percent-encoding (RFC 3986 section 2.1; WHATWG URL).
 */
#ifndef POSTERN_CODEC_PERCENT_H
#define POSTERN_CODEC_PERCENT_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/str.h"

/*
 * Decode once, as WHATWG does: a % without two hex digits after it stands
 * for itself. With `plus`, + becomes a space (urlencoded forms).
 */
PST_EXPORT void pst_percent_decode(struct pst_buf *buf, struct pst_str text,
                                   bool plus);

/* Encode all but unreserved (RFC 3986 2.3): for a query's name or value. */
PST_EXPORT void pst_percent_encode(struct pst_buf *buf, struct pst_str text);

#endif
