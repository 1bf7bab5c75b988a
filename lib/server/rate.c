/* SPDX-License-Identifier: ISC */
/*
 * rate.c - "so many in so long", as a variable spells it: 10/15m, or off.
 */
#include "server/rate.h"

enum pst_err
rate_parse(struct pst_text value, struct rate *out, struct config_why *why)
{
    size_t slash = pst_text_index(value, '/');
    struct rate rate;
    enum pst_err e;

    if (pst_text_equal(value, PST_TEXT("off"))) {
        *out = (struct rate){0, 0};
        return PST_OK;
    }
    e = pst_text_number(pst_text_first(value, slash), &rate.limit);
    if (e == PST_OK)
        e = config_parse_duration(pst_text_from_octet(value, slash + 1),
                                  &rate.period, why);
    if (e != PST_OK || slash == value.len)
        return config_refuse(why, "is no rate such as 10/15m, nor off");
    if (rate.limit < 1 || rate.limit > RATE_LIMIT_MAX)
        return config_refuse(why, "must allow 1 to %d attempts, or be off",
                             RATE_LIMIT_MAX);
    if (rate.period < 1 || rate.period > RATE_PERIOD_MAX)
        return config_refuse(why, "must speak of a period of 1s to 30d");
    *out = rate;
    return PST_OK;
}
