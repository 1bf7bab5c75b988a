/* SPDX-License-Identifier: ISC */
/*
 * fuzz_date.c - read any bytes as dates. What is read can be written, and read
 * as the same second; the C library agrees on the day.
 */
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/str.h"
#include "codec/date.h"

#define YEAR_1 INT64_C(-62135596800)
#define YEAR_9999_END INT64_C(253402300799)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_day(struct pst_str text, int64_t when)
{
    const time_t seconds = (time_t)when;
    struct tm day;
    char want[64];

    PST_REQUIRE(gmtime_r(&seconds, &day));
    PST_REQUIRE(strftime(want, sizeof(want), "-%m-%dT%H:%M:%SZ", &day) > 0);
    PST_REQUIRE(pst_str_ends(text, pst_str_from(want)));
}

/* A date at the edges of the years 1..9999 may leave them by its offset. */
static void
check_written(int64_t when)
{
    char storage[64];
    struct pst_buf buf;
    struct pst_str text;
    int64_t again;
    enum pst_err e;

    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_rfc3339(&buf, when);
    e = pst_buf_finish(&buf, &text);
    PST_REQUIRE(e == (when >= YEAR_1 && when <= YEAR_9999_END ? PST_OK
                                                              : PST_MALFORMED));
    if (e)
        return;
    check_day(text, when);
    PST_REQUIRE(pst_date_parse_rfc3339(text, &again) == PST_OK);
    PST_REQUIRE(again == when);
    pst_buf_init(&buf, storage, sizeof(storage));
    pst_date_emit_http(&buf, when);
    PST_REQUIRE(pst_buf_finish(&buf, &text) == PST_OK);
    if (when >= INT64_C(-11644473600)) { /* 1601, the first year of a cookie */
        PST_REQUIRE(pst_date_parse_http(text, &again) == PST_OK);
        PST_REQUIRE(again == when);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pst_str input =
        pst_str_from_bytes((struct pst_bytes){data, size});
    int64_t when;

    if (!pst_date_parse_rfc3339(input, &when)) {
        PST_REQUIRE(size >= sizeof("2000-01-01T00:00:00Z") - 1);
        check_written(when);
    }
    if (!pst_date_parse_http(input, &when))
        check_written(when);
    if (size >= sizeof(when)) {
        memcpy(&when, data, sizeof(when));
        check_written(when);
    }
    return 0;
}
