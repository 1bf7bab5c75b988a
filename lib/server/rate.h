/* SPDX-License-Identifier: ISC */
/*
 * rate.h - parse a rate limit such as 10/15m, or off.
 */
#ifndef POSTERN_SERVER_RATE_H
#define POSTERN_SERVER_RATE_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config_reader.h"

/* The largest limit, and the longest period, seconds. */
#define RATE_LIMIT_MAX 10000
#define RATE_PERIOD_MAX (30L * 86400)

struct rate {
    int64_t limit;  /* events in a period; 0: there is no limit */
    int64_t period; /* seconds */
};

/*
 * Parse a rate limit.
 *   out  set on PST_OK only; off is {0, 0}
 * Returns PST_OK or PST_BAD_CONFIG (error is set).
 */
PST_MUST_USE enum pst_err rate_parse(struct pst_str value, struct rate *out,
                                     struct config_error *error);

#endif
