/* SPDX-License-Identifier: ISC */
/*
 * test_date.c - dates of the RFCs, of every day, and invalid ones (R39).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <time.h>

#include "codec/date.h"

#define FIRST INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */

static void
test_emit(void **state)
{
    static const struct {
        int64_t in;
        const char *http;
        const char *rfc3339;
    } rows[] = {
        /* RFC 9110 section 5.6.7. */
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59Z"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00Z"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00Z"},
        {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT", "2038-01-19T03:14:08Z"},
        {FIRST, "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z"},
        {LAST, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char storage[32];
        struct pst_str got = PST_STR_NONE;
        struct pst_buf buf;

        pst_buf_init(&buf, storage, sizeof(storage));
        pst_date_emit_http(&buf, rows[i].in);
        if (pst_buf_finish(&buf, &got) != PST_OK ||
            !pst_str_equal(got, pst_str_from(rows[i].http)))
            fail_msg("row '%s': %.*s", rows[i].http, (int)got.len, got.ptr);
        pst_buf_init(&buf, storage, sizeof(storage));
        pst_date_emit_rfc3339(&buf, rows[i].in);
        if (pst_buf_finish(&buf, &got) != PST_OK ||
            !pst_str_equal(got, pst_str_from(rows[i].rfc3339)))
            fail_msg("row '%s': %.*s", rows[i].rfc3339, (int)got.len, got.ptr);
    }
}

static void
test_out_of_years(void **state)
{
    static const int64_t rows[] = {FIRST - 1, LAST + 1, INT64_MIN, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char storage[32];
        struct pst_str got;
        struct pst_buf buf;

        pst_buf_init(&buf, storage, sizeof(storage));
        pst_date_emit_http(&buf, rows[i]);
        assert_int_equal(pst_buf_finish(&buf, &got), PST_MALFORMED);
        pst_buf_init(&buf, storage, sizeof(storage));
        pst_date_emit_rfc3339(&buf, rows[i]);
        assert_int_equal(pst_buf_finish(&buf, &got), PST_MALFORMED);
    }
}

/* About every fifth day of 9999 years, compared with the C library. */
static void
test_against_libc(void **state)
{
    (void)state;
    for (int64_t when = FIRST; when <= LAST; when += 5 * 86400 + 40009) {
        char want[32];
        char storage[32];
        struct tm tm;
        struct pst_buf buf;
        time_t libc = (time_t)when;
        int64_t back = 0;

        assert_non_null(gmtime_r(&libc, &tm));
        pst_buf_init(&buf, storage, sizeof(storage));
        pst_date_emit_http(&buf, when);
        assert_int_not_equal(
            strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm), 0);
        if (tm.tm_year + 1900 >= 1000 && /* strftime() does not pad %Y */
            !pst_str_equal(pst_buf_str(&buf), pst_str_from(want)))
            fail_msg("%lld: not %s", (long long)when, want);
        pst_buf_init(&buf, storage, sizeof(storage));
        pst_date_emit_rfc3339(&buf, when);
        assert_int_equal(pst_date_parse_rfc3339(pst_buf_str(&buf), &back),
                         PST_OK);
        if (back != when || back != (int64_t)timegm(&tm))
            fail_msg("%lld came back as %lld", (long long)when,
                     (long long)back);
    }
}

static void
test_parse(void **state)
{
    static const struct {
        const char *in;
        int64_t want;
    } rows[] = {
        /* RFC 3339 section 5.8. */
        {"1985-04-12T23:20:50.52Z", 482196050},
        {"1996-12-19T16:39:57-08:00", 851042397},
        {"1990-12-31T23:59:60Z", 662687999},
        {"1990-12-31T15:59:60-08:00", 662687999},
        {"1937-01-01T12:00:27.87+00:20", -1041337173},
        /* Our own rows. */
        {"1970-01-01T00:00:00Z", 0},
        {"1994-11-06t08:49:37z", 784111777},
        {"1970-01-01T00:00:00+00:00", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T05:30:00+05:30", 0},
        {"1969-12-31T00:01:00-23:59", 0},
        {"1970-01-01T23:59:00+23:59", 0},
        {"2000-02-29T00:00:00Z", 951782400},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2026-07-01T12:00:00.123456789123Z", 1782907200},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0001-01-01T00:00:00Z", FIRST},
        {"9999-12-31T23:59:59Z", LAST},
        {"2016-12-31T23:59:60Z", 1483228799},
        {"2017-01-01T05:29:60+05:30", 1483228799},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int64_t got = 1;
        enum pst_err e = pst_date_parse_rfc3339(pst_str_from(rows[i].in), &got);

        if (e || got != rows[i].want)
            fail_msg("row '%s': %s, %lld", rows[i].in, pst_err_code(e),
                     (long long)got);
    }
}

static const char *const no_dates[] = {
    NULL,
    "",
    "1994-11-06",
    "1994-11-06T08:49:37",
    "1994-11-06 08:49:37Z",
    "1994-11-06T08:49Z",
    "1994-11-06T08:49:37.Z",
    "1994-11-06T08:49:37,5Z",
    "1994-11-06T08:49:37.5",
    "1994-11-06T08:49:37Z ",
    " 1994-11-06T08:49:37Z",
    "1994-11-06T08:49:37ZZ",
    "1994-11-06T08:49:37+0100",
    "1994-11-06T08:49:37+01",
    "1994-11-06T08:49:37+24:00",
    "1994-11-06T08:49:37+01:60",
    "1994-11-06T08:49:37 01:00",
    "1994-11-06T24:00:00Z",
    "1994-11-06T23:60:00Z",
    "1994-11-06T23:59:61Z",
    "1994-11-06T12:30:60Z",
    "1990-12-31T23:59:60-08:00",
    "1994-02-29T00:00:00Z",
    "1994-02-30T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "1994-04-31T00:00:00Z",
    "1994-11-31T00:00:00Z",
    "1994-12-32T00:00:00Z",
    "1994-13-01T00:00:00Z",
    "1994-00-01T00:00:00Z",
    "1994-01-00T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0000-12-31T23:59:59-00:01",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "10000-01-01T00:00:00Z",
    "-994-11-06T08:49:37Z",
    "94-11-06T08:49:37Z",
    "1994-1-06T08:49:37Z",
    "1994/11/06T08:49:37Z",
    "19941106T084937Z",
    "1994-11-06T0 :49:37Z",
    "1994-11-06T+8:49:37Z",
    "784111777",
    "Sun, 06 Nov 1994 08:49:37 GMT",
};

static void
test_parse_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(no_dates); i++) {
        int64_t got = 7;

        if (pst_date_parse_rfc3339(pst_str_from(no_dates[i]), &got) !=
                PST_MALFORMED ||
            got != 7)
            fail_msg("row '%s' was taken as %lld",
                     no_dates[i] ? no_dates[i] : "absent", (long long)got);
    }
}

/* Cut anywhere, or with one byte inserted anywhere, it is not a date. */
static void
test_parse_wants_all_of_it(void **state)
{
    const struct pst_str whole = PST_STR("1994-11-06T08:49:37+01:00");
    int64_t got;

    (void)state;
    assert_int_equal(pst_date_parse_rfc3339(whole, &got), PST_OK);
    for (size_t at = 0; at <= whole.len; at++) {
        static const char more[] = {'\0', '0', ' ', ':', '-', '\xB2'};

        if (at < whole.len &&
            pst_date_parse_rfc3339(pst_str_first(whole, at), &got) == PST_OK)
            fail_msg("cut to %zu bytes", at);
        for (size_t i = 0; i < sizeof(more); i++) {
            char storage[32];
            struct pst_buf buf;

            pst_buf_init(&buf, storage, sizeof(storage));
            pst_buf_add(&buf, pst_str_first(whole, at));
            pst_buf_add_char(&buf, more[i]);
            pst_buf_add(&buf, pst_str_skip(whole, at));
            if (pst_date_parse_rfc3339(pst_buf_str(&buf), &got) == PST_OK)
                fail_msg("0x%02X put in at %zu", (unsigned char)more[i], at);
        }
    }
}

/* The dates of an Expires attribute. */
static void
test_parse_http(void **state)
{
    static const struct {
        const char *in;
        int64_t want;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sun, 06-Nov-1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-1994 08:49:37 GMT", 784111777},
        {"Xyz, 06 nOV 1994 08:49:37 GMT", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
        {"Mon, 01 Jan 0001 00:00:00 GMT", FIRST},
        {"Fri, 31 Dec 9999 23:59:59 GMT", LAST},
    };
    static const char *const no_http_dates[] = {
        NULL,
        "",
        "Sun,",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Sun, 06 Nix 1994 08:49:37 GMT",
        "Sun, 06-Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov-1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 199x 08:49:37 GMT",
        "Sun, 06 Nov 1994  08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 23:59:60 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun Nov  6 08:49:37 1994",
    };
    int64_t got;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        if (pst_date_parse_http(pst_str_from(rows[i].in), &got) ||
            got != rows[i].want)
            fail_msg("row '%s'", rows[i].in);
    for (size_t i = 0; i < PST_COUNT(no_http_dates); i++) {
        got = 7;
        if (pst_date_parse_http(pst_str_from(no_http_dates[i]), &got) !=
                PST_MALFORMED ||
            got != 7)
            fail_msg("row '%s' was taken",
                     no_http_dates[i] ? no_http_dates[i] : "absent");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emit),
        cmocka_unit_test(test_out_of_years),
        cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_wants_all_of_it),
        cmocka_unit_test(test_parse_http),
    };

    return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
