/* SPDX-License-Identifier: ISC */
/*
 * rate.c - parse a rate limit such as 10/15m, or off.
 */
#include "server/rate.h"

#include "server/config_values.h"

enum pst_err
rate_parse(struct pst_str value, struct rate *out, struct config_error *error)
{
    size_t slash = pst_str_index(value, '/');
    struct rate rate;
    enum pst_err e;

    if (pst_str_equal(value, PST_STR("off"))) {
        *out = (struct rate){0, 0};
        return PST_OK;
    }
    e = pst_str_parse_number(pst_str_first(value, slash), &rate.limit);
    if (e == PST_OK)
        e = config_parse_duration(pst_str_skip(value, slash + 1), &rate.period,
                                  error);
    if (e != PST_OK || slash == value.len)
        return config_set_value_error(
            error, value, "is not a rate: write it like 10/15m, or off");
    if (rate.limit < 1 || rate.limit > RATE_LIMIT_MAX)
        return config_set_value_error(error, value,
                                      "must allow 1 to %d attempts, or be off",
                                      RATE_LIMIT_MAX);
    if (rate.period < 1 || rate.period > RATE_PERIOD_MAX)
        return config_set_value_error(error, value,
                                      "must have a period of 1s to 30d");
    *out = rate;
    return PST_OK;
}
