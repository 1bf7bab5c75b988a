/* SPDX-License-Identifier: ISC */
/*
 * gunzip.h - the only file that calls zlib: decode a gzip body.
 */
#ifndef POSTERN_CODEC_GUNZIP_H
#define POSTERN_CODEC_GUNZIP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

/*
 * Decode a body that is exactly one gzip member. Some programs stop after the
 * first member, others read on: they would see different bodies. So a second
 * member, or any other byte after the first, is refused.
 *   body  at most UINT32_MAX bytes
 *   max   bytes that the decoded body may have, below SIZE_MAX
 *   out   set on PST_OK; lives until the arena is reset
 * Returns PST_OK; PST_MALFORMED (not gzip, cut short, a wrong checksum, bytes
 * after the first member); PST_TOO_LARGE; PST_NO_MEMORY.
 * Source: RFC 1952 sections 2.2 and 2.3.
 */
PST_MUST_USE enum pst_err gunzip_body(struct pst_arena *arena,
                                      struct pst_str body, size_t max,
                                      struct pst_str *out);

#endif
