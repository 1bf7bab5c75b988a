/* SPDX-License-Identifier: ISC */
/*
 * date.h - dates as texts; no clock is read here.
 */
#ifndef POSTERN_CODEC_DATE_H
#define POSTERN_CODEC_DATE_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/*
 * "Sun, 06 Nov 1994 08:49:37 GMT": IMF-fixdate, RFC 9110 5.6.7.
 *   when  unix seconds, years 1..9999; else the builder is spoilt (MALFORMED)
 */
PST_EXPORT void pst_date_emit_http(struct pst_buf *buf, int64_t when);

/* "1994-11-06T08:49:37Z": RFC 3339, in UTC. The same bounds. */
PST_EXPORT void pst_date_emit_rfc3339(struct pst_buf *buf, int64_t when);

/*
 * Read an RFC 3339 date-time: any offset, fractions cut off, T and Z in
 * either case, a leap second (at 23:59:60 UTC only) taken as the second before.
 * Returns PST_OK or PST_MALFORMED.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_date_parse_rfc3339(struct pst_str text,
                                                            int64_t *out);

/*
 * Read the date of an Expires attribute: IMF-fixdate, whatever its weekday,
 * also with "-" in the date as older servers write it.
 * Returns PST_OK or PST_MALFORMED.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_date_parse_http(struct pst_str text,
                                                         int64_t *out);

#endif
