/* SPDX-License-Identifier: ISC */
/*
 * session.c - one session, and the times when it begins, expires and is
 * renewed. Pure: the caller passes the time in.
 */
#include "session/session.h"

#include "codec/date.h"
#include "codec/json.h"

#define DAY_SECONDS 86400

/* From these values on, a ttl is a point in time: in seconds, milliseconds. */
#define TTL_SECONDS INT64_C(1000000000)
#define TTL_MILLIS INT64_C(1000000000000)

bool
pst_session_is_guest(const struct pst_session *session)
{
    return session->sub.len == 0 && session->known != PST_IDENTITY_UNKNOWN;
}

bool
pst_session_is_persistent(const struct pst_session *session)
{
    return session->remember || pst_session_is_guest(session);
}

static int64_t
session_lifetime(const struct pst_session *session,
                 const struct pst_session_timeouts *timeouts)
{
    if (pst_session_is_guest(session))
        return timeouts->guest;
    return session->remember ? timeouts->remember : timeouts->lifetime;
}

enum pst_err
pst_session_start(struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now,
                  int64_t backend_end)
{
    int64_t end;

    PST_REQUIRE(now >= 0 &&
                !__builtin_add_overflow(
                    now, session_lifetime(session, timeouts), &end));
    if (backend_end != 0 && backend_end <= now)
        return PST_EXPIRED;
    /*
     * pst_session_touch() extends a guest's session only when it has the whole
     * lifetime. An end set by the backend is at least one second
     * shorter, so it is not extended.
     */
    if (backend_end != 0 && pst_session_is_guest(session) && end - now > 1)
        end--;
    if (backend_end != 0 && backend_end < end)
        end = backend_end;
    session->iat = now;
    session->seen = now;
    session->exp = end;
    return PST_OK;
}

/*
 * The configured lifetime is checked in addition to exp. So a limit that is
 * lowered today also ends the sessions that began yesterday.
 */
enum pst_err
pst_session_check(const struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now)
{
    PST_REQUIRE(now >= 0);
    if (session->iat < 0 || session->seen < session->iat)
        return PST_EXPIRED;
    if (session->iat - now > PST_CLOCK_SKEW_MAX ||
        session->seen - now > PST_CLOCK_SKEW_MAX)
        return PST_EXPIRED;
    if (now >= session->exp)
        return PST_EXPIRED;
    if (now - session->iat >= session_lifetime(session, timeouts))
        return PST_EXPIRED;
    if (!pst_session_is_persistent(session) &&
        now - session->seen >= timeouts->idle)
        return PST_EXPIRED;
    return PST_OK;
}

bool
pst_session_is_renewal_due(const struct pst_session *session,
                           const struct pst_session_timeouts *timeouts,
                           int64_t now)
{
    int64_t interval = DAY_SECONDS;
    int64_t elapsed;

    if (!pst_session_is_persistent(session))
        interval = timeouts->idle >= 4 ? timeouts->idle / 4 : 1;
    if (__builtin_sub_overflow(now, session->seen, &elapsed))
        return now > session->seen;
    return elapsed >= interval;
}

void
pst_session_touch(struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now)
{
    if (now <= session->seen)
        return;
    session->seen = now;
    if (!pst_session_is_guest(session) ||
        session->exp - session->iat < session_lifetime(session, timeouts))
        return;
    session->iat = now;
    session->exp = now + session_lifetime(session, timeouts);
}

int64_t
pst_session_idle_expiry(const struct pst_session *session,
                        const struct pst_session_timeouts *timeouts)
{
    int64_t end;

    if (pst_session_is_persistent(session) ||
        __builtin_add_overflow(session->seen, timeouts->idle, &end))
        return session->exp;
    return end < session->exp ? end : session->exp;
}

/* The unit of a ttl follows from its size. */
static enum pst_err
session_ttl_from_number(int64_t number, int64_t now, int64_t *out)
{
    if (number < 0)
        return PST_MALFORMED;
    if (number >= TTL_MILLIS)
        *out = number / 1000;
    else if (number >= TTL_SECONDS)
        *out = number;
    else if (__builtin_add_overflow(now, number, out))
        return PST_MALFORMED;
    return PST_OK;
}

/* Parse digits; a fraction is dropped. */
static enum pst_err
session_ttl_parse_number(struct pst_str text, int64_t *number)
{
    size_t dot = pst_str_index(text, '.');
    struct pst_str fraction = pst_str_skip(text, dot + 1);

    if (dot < text.len && fraction.len == 0)
        return PST_MALFORMED;
    for (size_t i = 0; i < fraction.len; i++)
        if (!pst_is_digit(fraction.ptr[i]))
            return PST_MALFORMED;
    return pst_str_parse_number(pst_str_first(text, dot), number);
}

/*
 * The end that a ttl means.
 *   ttl  the JSON text of value, without white space around it
 */
static enum pst_err
session_ttl_from_value(const struct pst_json *value, struct pst_str ttl,
                       int64_t now, int64_t *out)
{
    struct pst_str text = pst_json_string(value);
    int64_t number;

    if (pst_json_kind(value) == PST_JSON_STRING) {
        if (session_ttl_parse_number(text, &number))
            return pst_date_parse_rfc3339(text, out);
        return session_ttl_from_number(number, now, out);
    }
    if (session_ttl_parse_number(ttl, &number))
        return PST_MALFORMED;
    return session_ttl_from_number(number, now, out);
}

enum pst_err
pst_session_parse_ttl(struct pst_arena *arena, struct pst_str ttl, int64_t now,
                      int64_t *out)
{
    const struct pst_json *value;
    int64_t end = 0;
    enum pst_err e;

    if (pst_str_is_absent(ttl)) {
        *out = 0;
        return PST_OK;
    }
    e = pst_json_parse(arena, ttl, &value);
    if (e)
        return e == PST_NO_MEMORY ? PST_NO_MEMORY : PST_MALFORMED;
    if (pst_json_kind(value) == PST_JSON_NULL) {
        *out = 0;
        return PST_OK;
    }
    e = pst_json_locate(ttl, PST_STR(""), &ttl);
    if (!e)
        e = session_ttl_from_value(value, ttl, now, &end);
    if (e)
        return e;
    /* 0 means that there is no ttl, so an end at the epoch becomes 1. */
    *out = end == 0 ? 1 : end;
    return PST_OK;
}
