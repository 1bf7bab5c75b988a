/* SPDX-License-Identifier: ISC */
/*
 * date.c - between unix seconds and the calendar (proleptic Gregorian, UTC).
 */
#include "codec/date.h"

#define DAY 86400 /* seconds */

/* The first and the last second of the years 1 to 9999. */
#define FIRST INT64_C(-62135596800)
#define LAST INT64_C(253402300799)

/* Days from 1 January of the year 1 to that of 1970. */
#define DAYS_BEFORE_1970 719162

static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
    int year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour;
    int minute;
    int second;  /* 0..59; 60 only as read */
    int weekday; /* 0 is Sunday; only as written */
};

static bool
is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days from 1 January of the year 1 to that of `year`, which is >= 1. */
static int
days_before_year(int year)
{
    int past = year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400;
}

/* Unix seconds of a civil date and time whose parts are all in range. */
static int64_t
civil_seconds(const struct civil *civil)
{
    int64_t days = days_before_year(civil->year) - DAYS_BEFORE_1970;

    for (int month = 1; month < civil->month; month++)
        days += days_in_month(civil->year, month);
    days += civil->day - 1;
    return days * DAY + civil->hour * 3600 + civil->minute * 60 + civil->second;
}

/* The reverse; `when` is within FIRST..LAST. */
static struct civil
civil_from(int64_t when)
{
    int64_t since = when - FIRST;
    int days = (int)(since / DAY);
    int seconds = (int)(since % DAY);
    struct civil civil = {
        .year = days / 366 + 1, /* never too late; at most some years early */
        .month = 1,
        .hour = seconds / 3600,
        .minute = seconds / 60 % 60,
        .second = seconds % 60,
        .weekday = (days + 1) % 7, /* the year 1 began on a Monday */
    };

    while (days_before_year(civil.year + 1) <= days)
        civil.year++;
    days -= days_before_year(civil.year);
    while (days >= days_in_month(civil.year, civil.month)) {
        days -= days_in_month(civil.year, civil.month);
        civil.month++;
    }
    civil.day = days + 1;
    return civil;
}

/* false, and the builder spoilt, when the year would not have four digits. */
static bool
has_civil(struct pst_buf *buf, int64_t when, struct civil *out)
{
    if (when < FIRST || when > LAST) {
        pst_buf_spoil(buf, PST_MALFORMED);
        return false;
    }
    *out = civil_from(when);
    return true;
}

static void
add_digits(struct pst_buf *buf, int number, int width)
{
    for (int unit = width == 4 ? 1000 : 10; unit > 0; unit /= 10)
        pst_buf_add_char(buf, (char)('0' + number / unit % 10));
}

static void
add_time(struct pst_buf *buf, const struct civil *civil)
{
    add_digits(buf, civil->hour, 2);
    pst_buf_add_char(buf, ':');
    add_digits(buf, civil->minute, 2);
    pst_buf_add_char(buf, ':');
    add_digits(buf, civil->second, 2);
}

void
pst_date_emit_http(struct pst_buf *buf, int64_t when)
{
    static const char weekdays[][4] = {"Sun", "Mon", "Tue", "Wed",
                                       "Thu", "Fri", "Sat"};
    struct civil civil;

    if (!has_civil(buf, when, &civil))
        return;
    pst_buf_add_string(buf, weekdays[civil.weekday]);
    pst_buf_add_string(buf, ", ");
    add_digits(buf, civil.day, 2);
    pst_buf_add_char(buf, ' ');
    pst_buf_add_string(buf, months[civil.month - 1]);
    pst_buf_add_char(buf, ' ');
    add_digits(buf, civil.year, 4);
    pst_buf_add_char(buf, ' ');
    add_time(buf, &civil);
    pst_buf_add_string(buf, " GMT");
}

void
pst_date_emit_rfc3339(struct pst_buf *buf, int64_t when)
{
    struct civil civil;

    if (!has_civil(buf, when, &civil))
        return;
    add_digits(buf, civil.year, 4);
    pst_buf_add_char(buf, '-');
    add_digits(buf, civil.month, 2);
    pst_buf_add_char(buf, '-');
    add_digits(buf, civil.day, 2);
    pst_buf_add_char(buf, 'T');
    add_time(buf, &civil);
    pst_buf_add_char(buf, 'Z');
}

/* Take `width` digits off *rest. */
static bool
take_number(struct pst_text *rest, size_t width, int *out)
{
    int number = 0;

    if (rest->len < width)
        return false;
    for (size_t i = 0; i < width; i++) {
        if (!pst_is_digit(rest->ptr[i]))
            return false;
        number = number * 10 + (rest->ptr[i] - '0');
    }
    *rest = pst_text_from_octet(*rest, width);
    *out = number;
    return true;
}

static bool
take_char(struct pst_text *rest, char c)
{
    if (rest->len == 0 || pst_lower(rest->ptr[0]) != pst_lower(c))
        return false;
    *rest = pst_text_from_octet(*rest, 1);
    return true;
}

static bool
take_date(struct pst_text *rest, struct civil *out)
{
    return take_number(rest, 4, &out->year) && take_char(rest, '-') &&
           take_number(rest, 2, &out->month) && take_char(rest, '-') &&
           take_number(rest, 2, &out->day) && out->year >= 1 &&
           out->month >= 1 && out->month <= 12 && out->day >= 1 &&
           out->day <= days_in_month(out->year, out->month);
}

/* The time of day; a fraction must have a digit, and is dropped. */
static bool
take_time(struct pst_text *rest, struct civil *out)
{
    int digit;

    if (!take_number(rest, 2, &out->hour) || !take_char(rest, ':') ||
        !take_number(rest, 2, &out->minute) || !take_char(rest, ':') ||
        !take_number(rest, 2, &out->second) || out->hour > 23 ||
        out->minute > 59 || out->second > 60)
        return false;
    if (!take_char(rest, '.'))
        return true;
    if (!take_number(rest, 1, &digit))
        return false;
    while (take_number(rest, 1, &digit))
        continue;
    return true;
}

/* "Z" or "+hh:mm", in seconds east of UTC. */
static bool
take_offset(struct pst_text *rest, int *out)
{
    bool west = rest->len > 0 && rest->ptr[0] == '-';
    int hours;
    int minutes;

    if (take_char(rest, 'Z')) {
        *out = 0;
        return true;
    }
    if ((!take_char(rest, '+') && !take_char(rest, '-')) ||
        !take_number(rest, 2, &hours) || !take_char(rest, ':') ||
        !take_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

enum pst_err
pst_date_parse_rfc3339(struct pst_text text, int64_t *out)
{
    struct civil civil = {0};
    bool leap;
    int offset;
    int64_t when;

    if (!take_date(&text, &civil) || !take_char(&text, 'T') ||
        !take_time(&text, &civil) || !take_offset(&text, &offset) ||
        text.len > 0)
        return PST_MALFORMED;
    leap = civil.second == 60;
    if (leap) /* unix time has none */
        civil.second = 59;
    when = civil_seconds(&civil) - offset;
    if (when < FIRST || when > LAST || (leap && (when + 1) % DAY != 0))
        return PST_MALFORMED;
    *out = when;
    return PST_OK;
}

/* "06 Nov 1994" or "06-Nov-1994". */
static bool
take_named_date(struct pst_text *rest, struct civil *out)
{
    char between = rest->len > 2 && rest->ptr[2] == '-' ? '-' : ' ';

    if (!take_number(rest, 2, &out->day) || !take_char(rest, between))
        return false;
    for (size_t i = 0; i < PST_COUNT(months); i++)
        if (pst_text_starts_nocase(*rest, pst_text_from(months[i])))
            out->month = (int)i + 1;
    *rest = pst_text_from_octet(*rest, 3);
    return out->month > 0 && take_char(rest, between) &&
           take_number(rest, 4, &out->year) && out->year >= 1 &&
           out->day >= 1 && out->day <= days_in_month(out->year, out->month);
}

enum pst_err
pst_date_parse_http(struct pst_text text, int64_t *out)
{
    struct civil civil = {0};
    struct pst_text rest =
        pst_text_from_octet(text, pst_text_index(text, ',') + 1);

    if (!take_char(&rest, ' ') || !take_named_date(&rest, &civil) ||
        !take_char(&rest, ' ') || !take_time(&rest, &civil) ||
        !pst_text_equal(rest, PST_TEXT(" GMT")) || civil.second > 59)
        return PST_MALFORMED;
    *out = civil_seconds(&civil);
    return PST_OK;
}
