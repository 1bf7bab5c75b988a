/* SPDX-License-Identifier: ISC */
/*
 * date.h - write and parse the dates of HTTP and RFC 3339, in UTC.
 */
#ifndef POSTERN_CODEC_DATE_H
#define POSTERN_CODEC_DATE_H

#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/*
 * Write an IMF-fixdate (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
 *   when  unix seconds of the years 1..9999; for others the error of buf is set
 *         to PST_MALFORMED
 */
void pst_date_emit_http(struct pst_buf *buf, int64_t when);

/* Write a date-time of RFC 3339, "1994-11-06T08:49:37Z", likewise. */
void pst_date_emit_rfc3339(struct pst_buf *buf, int64_t when);

/*
 * Parse a date-time of RFC 3339. It may have any offset; T and Z may be in
 * lower case. A fraction is dropped. A leap second, which is only valid at
 * 23:59:60 UTC, is read as the second before it.
 *   out  unix seconds, set on PST_OK
 * Returns PST_OK or PST_MALFORMED.
 */
PST_MUST_USE enum pst_err pst_date_parse_rfc3339(struct pst_str text,
                                                 int64_t *out);

/*
 * Parse the date of an Expires attribute: an IMF-fixdate, also with "-" in the
 * date, as older servers write it. The weekday is not checked.
 *   out  unix seconds, set on PST_OK
 * Returns PST_OK or PST_MALFORMED.
 */
PST_MUST_USE enum pst_err pst_date_parse_http(struct pst_str text,
                                              int64_t *out);

#endif
