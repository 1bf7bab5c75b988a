/* SPDX-License-Identifier: ISC */
/*
 * date.c - write and parse the dates of HTTP and RFC 3339, in UTC.
 */
#include "codec/date.h"

#define DAY_SECONDS 86400

/* The first and the last second of the years 1 to 9999. */
#define UNIX_TIME_MIN INT64_C(-62135596800)
#define UNIX_TIME_MAX INT64_C(253402300799)

/* Days from 1 January of the year 1 to 1 January 1970. */
#define DAYS_BEFORE_1970 719162

static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* A date and time of the proleptic Gregorian calendar, in UTC. */
struct civil {
    int year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour;
    int minute;
    int second;  /* 0..59; 60 only while parsing */
    int weekday; /* 0 is Sunday; set only for writing */
};

static bool
date_is_leap_year(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
date_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && date_is_leap_year(year) ? 1 : 0);
}

/* Days from 1 January of the year 1 to 1 January of `year`, which is >= 1. */
static int
date_days_before_year(int year)
{
    int past = year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400;
}

/* The unix seconds of a date and time whose fields are all in range. */
static int64_t
date_civil_to_unix(const struct civil *civil)
{
    int64_t days = date_days_before_year(civil->year) - DAYS_BEFORE_1970;

    for (int month = 1; month < civil->month; month++)
        days += date_days_in_month(civil->year, month);
    days += civil->day - 1;
    return days * DAY_SECONDS + civil->hour * 3600 + civil->minute * 60 +
           civil->second;
}

/* The reverse; `when` is within UNIX_TIME_MIN..UNIX_TIME_MAX. */
static struct civil
date_civil_from_unix(int64_t when)
{
    int64_t since = when - UNIX_TIME_MIN;
    int days = (int)(since / DAY_SECONDS);
    int seconds = (int)(since % DAY_SECONDS);
    struct civil civil = {
        .year = days / 366 + 1, /* not too late, at most some years early */
        .month = 1,
        .hour = seconds / 3600,
        .minute = seconds / 60 % 60,
        .second = seconds % 60,
        .weekday = (days + 1) % 7, /* the year 1 began on a Monday */
    };

    while (date_days_before_year(civil.year + 1) <= days)
        civil.year++;
    days -= date_days_before_year(civil.year);
    while (days >= date_days_in_month(civil.year, civil.month)) {
        days -= date_days_in_month(civil.year, civil.month);
        civil.month++;
    }
    civil.day = days + 1;
    return civil;
}

/* Returns false and sets an error when the year would not have 4 digits. */
static bool
date_get_civil(struct pst_buf *buf, int64_t when, struct civil *out)
{
    if (when < UNIX_TIME_MIN || when > UNIX_TIME_MAX) {
        pst_buf_set_error(buf, PST_MALFORMED);
        return false;
    }
    *out = date_civil_from_unix(when);
    return true;
}

static void
date_emit_digits(struct pst_buf *buf, int number, int width)
{
    for (int unit = width == 4 ? 1000 : 10; unit > 0; unit /= 10)
        pst_buf_add_char(buf, (char)('0' + number / unit % 10));
}

static void
date_emit_time(struct pst_buf *buf, const struct civil *civil)
{
    date_emit_digits(buf, civil->hour, 2);
    pst_buf_add_char(buf, ':');
    date_emit_digits(buf, civil->minute, 2);
    pst_buf_add_char(buf, ':');
    date_emit_digits(buf, civil->second, 2);
}

void
pst_date_emit_http(struct pst_buf *buf, int64_t when)
{
    static const char weekdays[][4] = {"Sun", "Mon", "Tue", "Wed",
                                       "Thu", "Fri", "Sat"};
    struct civil civil;

    if (!date_get_civil(buf, when, &civil))
        return;
    pst_buf_add_string(buf, weekdays[civil.weekday]);
    pst_buf_add_string(buf, ", ");
    date_emit_digits(buf, civil.day, 2);
    pst_buf_add_char(buf, ' ');
    pst_buf_add_string(buf, months[civil.month - 1]);
    pst_buf_add_char(buf, ' ');
    date_emit_digits(buf, civil.year, 4);
    pst_buf_add_char(buf, ' ');
    date_emit_time(buf, &civil);
    pst_buf_add_string(buf, " GMT");
}

void
pst_date_emit_rfc3339(struct pst_buf *buf, int64_t when)
{
    struct civil civil;

    if (!date_get_civil(buf, when, &civil))
        return;
    date_emit_digits(buf, civil.year, 4);
    pst_buf_add_char(buf, '-');
    date_emit_digits(buf, civil.month, 2);
    pst_buf_add_char(buf, '-');
    date_emit_digits(buf, civil.day, 2);
    pst_buf_add_char(buf, 'T');
    date_emit_time(buf, &civil);
    pst_buf_add_char(buf, 'Z');
}

/* Parse `width` digits at the front of *rest. */
static bool
date_parse_digits(struct pst_str *rest, size_t width, int *out)
{
    int number = 0;

    if (rest->len < width)
        return false;
    for (size_t i = 0; i < width; i++) {
        if (!pst_is_digit(rest->ptr[i]))
            return false;
        number = number * 10 + (rest->ptr[i] - '0');
    }
    *rest = pst_str_skip(*rest, width);
    *out = number;
    return true;
}

static bool
date_accept_char(struct pst_str *rest, char c)
{
    if (rest->len == 0 || pst_lower(rest->ptr[0]) != pst_lower(c))
        return false;
    *rest = pst_str_skip(*rest, 1);
    return true;
}

static bool
date_parse_date(struct pst_str *rest, struct civil *out)
{
    return date_parse_digits(rest, 4, &out->year) &&
           date_accept_char(rest, '-') &&
           date_parse_digits(rest, 2, &out->month) &&
           date_accept_char(rest, '-') &&
           date_parse_digits(rest, 2, &out->day) && out->year >= 1 &&
           out->month >= 1 && out->month <= 12 && out->day >= 1 &&
           out->day <= date_days_in_month(out->year, out->month);
}

/* Parse the time of day. A fraction must have a digit, and is dropped. */
static bool
date_parse_time(struct pst_str *rest, struct civil *out)
{
    int digit;

    if (!date_parse_digits(rest, 2, &out->hour) ||
        !date_accept_char(rest, ':') ||
        !date_parse_digits(rest, 2, &out->minute) ||
        !date_accept_char(rest, ':') ||
        !date_parse_digits(rest, 2, &out->second) || out->hour > 23 ||
        out->minute > 59 || out->second > 60)
        return false;
    if (!date_accept_char(rest, '.'))
        return true;
    if (!date_parse_digits(rest, 1, &digit))
        return false;
    while (date_parse_digits(rest, 1, &digit))
        continue;
    return true;
}

/* Parse "Z" or "+hh:mm" to seconds east of UTC. */
static bool
date_parse_offset(struct pst_str *rest, int *out)
{
    bool west = rest->len > 0 && rest->ptr[0] == '-';
    int hours;
    int minutes;

    if (date_accept_char(rest, 'Z')) {
        *out = 0;
        return true;
    }
    if ((!date_accept_char(rest, '+') && !date_accept_char(rest, '-')) ||
        !date_parse_digits(rest, 2, &hours) || !date_accept_char(rest, ':') ||
        !date_parse_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

enum pst_err
pst_date_parse_rfc3339(struct pst_str text, int64_t *out)
{
    struct civil civil = {0};
    bool leap;
    int offset;
    int64_t when;

    if (!date_parse_date(&text, &civil) || !date_accept_char(&text, 'T') ||
        !date_parse_time(&text, &civil) || !date_parse_offset(&text, &offset) ||
        text.len > 0)
        return PST_MALFORMED;
    leap = civil.second == 60;
    if (leap) /* unix time has no leap seconds */
        civil.second = 59;
    when = date_civil_to_unix(&civil) - offset;
    if (when < UNIX_TIME_MIN || when > UNIX_TIME_MAX ||
        (leap && (when + 1) % DAY_SECONDS != 0))
        return PST_MALFORMED;
    *out = when;
    return PST_OK;
}

/* Parse "06 Nov 1994" or "06-Nov-1994". */
static bool
date_parse_named_date(struct pst_str *rest, struct civil *out)
{
    char between = rest->len > 2 && rest->ptr[2] == '-' ? '-' : ' ';

    if (!date_parse_digits(rest, 2, &out->day) ||
        !date_accept_char(rest, between))
        return false;
    for (size_t i = 0; i < PST_COUNT(months); i++)
        if (pst_str_starts_nocase(*rest, pst_str_from(months[i])))
            out->month = (int)i + 1;
    *rest = pst_str_skip(*rest, 3);
    return out->month > 0 && date_accept_char(rest, between) &&
           date_parse_digits(rest, 4, &out->year) && out->year >= 1 &&
           out->day >= 1 &&
           out->day <= date_days_in_month(out->year, out->month);
}

enum pst_err
pst_date_parse_http(struct pst_str text, int64_t *out)
{
    struct civil civil = {0};
    struct pst_str rest = pst_str_skip(text, pst_str_index(text, ',') + 1);

    if (!date_accept_char(&rest, ' ') ||
        !date_parse_named_date(&rest, &civil) ||
        !date_accept_char(&rest, ' ') || !date_parse_time(&rest, &civil) ||
        !pst_str_equal(rest, PST_STR(" GMT")) || civil.second > 59)
        return PST_MALFORMED;
    *out = date_civil_to_unix(&civil);
    return PST_OK;
}
