/* SPDX-License-Identifier: ISC */
/*
 * gunzip.h - the door to zlib: what a body says that was sent with gzip.
 */
#ifndef POSTERN_CODEC_GUNZIP_H
#define POSTERN_CODEC_GUNZIP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/*
 * Decode a body that is one gzip member and nothing else. A reader may stop
 * behind the first member or go on to the next, and would read another text
 * than the next reader: so there may be no next one, nor any other byte.
 *   max  bytes of the decoded body, at most
 *   out  set on PST_OK; lives as long as arena
 * Returns PST_OK; PST_MALFORMED (no gzip, cut short, a wrong checksum, more
 * than one member, bytes behind it); PST_TOO_LARGE; PST_NO_MEMORY.
 * Source: RFC 1952 sections 2.2 and 2.3.
 */
PST_MUST_USE enum pst_err gunzip_body(struct pst_arena *arena,
                                      struct pst_str body, size_t max,
                                      struct pst_str *out);

#endif
