/* SPDX-License-Identifier: ISC */
/*
 * session.c - the claims of a session, its clocks, and whether it is still
 * good (design 2.2 and 2.3). Pure: the clock is the caller's.
 */
#include "session/session.h"

#include <string.h>

#include "codec/base64url.h"
#include "codec/date.h"
#include "codec/json.h"

#define DAY_SECONDS 86400                 /* seconds */
#define TTL_SECONDS INT64_C(1000000000)   /* from here on: unix seconds */
#define TTL_MILLIS INT64_C(1000000000000) /* from here on: unix ms */

/* Every member that claims may have. */
static const struct session_claim {
    const char *pointer;
    enum pst_json_kind kind; /* ABSENT: of more than one kind */
    bool is_optional;
} session_claims[] = {
    {"/v", PST_JSON_INTEGER, false},    {"/sid", PST_JSON_STRING, false},
    {"/sub", PST_JSON_STRING, false},   {"/name", PST_JSON_STRING, false},
    {"/iat", PST_JSON_INTEGER, false},  {"/exp", PST_JSON_INTEGER, false},
    {"/seen", PST_JSON_INTEGER, false}, {"/remember", PST_JSON_BOOL, false},
    {"/who", PST_JSON_OBJECT, false},   {"/upstream", PST_JSON_ABSENT, true},
    {"/known", PST_JSON_STRING, true},  {"/asked", PST_JSON_INTEGER, true},
};

/* The only value of "known": the two others follow from sub. */
static const struct pst_str KNOWN_UNKNOWN = {"unknown", 7};

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
lifetime(const struct pst_session *session,
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

    PST_REQUIRE(now >= 0 && !__builtin_add_overflow(
                                now, lifetime(session, timeouts), &end));
    if (backend_end != 0 && backend_end <= now)
        return PST_EXPIRED;
    /* A guest's end that is short of the lifetime is the backend's, and
     * pst_session_touch() leaves it: so it is made short where one was told. */
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
 * The configured lifetime counts as well as exp, so that a limit made
 * shorter today also ends the sessions of yesterday; none is made longer.
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
    if (now - session->iat >= lifetime(session, timeouts))
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
    int64_t every = DAY_SECONDS;
    int64_t gone;

    if (!pst_session_is_persistent(session))
        every = timeouts->idle >= 4 ? timeouts->idle / 4 : 1;
    if (__builtin_sub_overflow(now, session->seen, &gone))
        return now > session->seen;
    return gone >= every;
}

void
pst_session_touch(struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now)
{
    if (now <= session->seen)
        return;
    session->seen = now;
    if (!pst_session_is_guest(session) ||
        session->exp - session->iat < lifetime(session, timeouts))
        return;
    session->iat = now;
    session->exp = now + lifetime(session, timeouts);
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

/* No claims are written that pst_session_parse() would refuse. */
static enum pst_err
session_check_fields(const struct pst_session *session)
{
    if (session->sub.len > PST_SUBJECT_MAX ||
        session->name.len > PST_NAME_MAX || session->who.len > PST_WHO_MAX ||
        session->upstream.len > PST_UPSTREAM_MAX)
        return PST_TOO_LARGE;
    /* U+FFFD in the place of bad bytes would make one of two users. */
    if (!pst_str_is_utf8(session->sub) || !pst_str_is_utf8(session->name))
        return PST_MALFORMED;
    return PST_OK;
}

void
pst_session_emit(struct pst_buf *buf, const struct pst_session *session)
{
    enum pst_err e = session_check_fields(session);

    PST_REQUIRE(session->who.len > 0);
    PST_REQUIRE(session->known != PST_IDENTITY_UNKNOWN ||
                session->sub.len == 0);
    if (e) {
        pst_buf_set_error(buf, e);
        return;
    }
    pst_buf_add_string(buf, "{\"v\":");
    pst_buf_add_number(buf, PST_SESSION_VERSION);
    pst_buf_add_string(buf, ",\"sid\":\"");
    pst_base64url_encode(
        buf, (struct pst_bytes){session->sid, sizeof(session->sid)});
    pst_buf_add_string(buf, "\",\"sub\":");
    pst_json_emit_string(buf, session->sub);
    pst_buf_add_string(buf, ",\"name\":");
    pst_json_emit_string(buf, session->name);
    pst_buf_add_string(buf, ",\"iat\":");
    pst_buf_add_number(buf, session->iat);
    pst_buf_add_string(buf, ",\"exp\":");
    pst_buf_add_number(buf, session->exp);
    pst_buf_add_string(buf, ",\"seen\":");
    pst_buf_add_number(buf, session->seen);
    pst_buf_add_string(buf, ",\"remember\":");
    pst_buf_add_string(buf, session->remember ? "true" : "false");
    pst_buf_add_string(buf, ",\"who\":");
    pst_buf_add(buf, session->who);
    if (!pst_str_is_absent(session->upstream)) {
        pst_buf_add_string(buf, ",\"upstream\":");
        pst_buf_add(buf, session->upstream);
    }
    if (session->known == PST_IDENTITY_UNKNOWN) {
        pst_buf_add_string(buf, ",\"known\":");
        pst_json_emit_string(buf, KNOWN_UNKNOWN);
    }
    if (session->asked > 0) {
        pst_buf_add_string(buf, ",\"asked\":");
        pst_buf_add_number(buf, session->asked);
    }
    pst_buf_add_char(buf, '}');
}

static const struct pst_json *
session_claim(const struct pst_json *root, const char *pointer)
{
    return pst_json_at(root, pst_str_from(pointer));
}

/* All that must be there is, of its kind, and nothing but what may be. */
static bool
session_has_claims(const struct pst_json *root)
{
    size_t found = 0;

    if (pst_json_kind(root) != PST_JSON_OBJECT)
        return false;
    for (size_t i = 0; i < PST_COUNT(session_claims); i++) {
        enum pst_json_kind kind =
            pst_json_kind(session_claim(root, session_claims[i].pointer));

        if (kind == PST_JSON_ABSENT && session_claims[i].is_optional)
            continue;
        if (kind == PST_JSON_ABSENT ||
            (session_claims[i].kind != PST_JSON_ABSENT &&
             kind != session_claims[i].kind))
            return false;
        found++;
    }
    return pst_json_count(root) == found;
}

/* A token that is not empty, cookies by name, or the key of a spilled one. */
static bool
session_is_upstream_claim(const struct pst_json *value)
{
    size_t count = pst_json_count(value);

    if (pst_json_kind(value) == PST_JSON_STRING)
        return pst_json_string(value).len > 0;
    if (pst_json_kind(value) == PST_JSON_ARRAY)
        return count == 1 &&
               pst_json_string(pst_json_at(value, PST_STR("/0"))).len > 0;
    if (pst_json_kind(value) != PST_JSON_OBJECT || count == 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct pst_str name;

        if (pst_json_kind(pst_json_member(value, i, &name)) != PST_JSON_STRING)
            return false;
    }
    return true;
}

static enum pst_err
session_parse_sid(struct pst_arena *arena, const struct pst_json *value,
                  uint8_t sid[static PST_SID_LEN])
{
    struct pst_bytes bytes;
    enum pst_err e =
        pst_base64url_decode(arena, pst_json_string(value), &bytes);

    if (e)
        return e;
    if (bytes.len != PST_SID_LEN)
        return PST_FORGED;
    memcpy(sid, bytes.ptr, PST_SID_LEN);
    return PST_OK;
}

static enum pst_err
session_parse_times(const struct pst_json *root, struct pst_session *out)
{
    enum pst_err e = pst_json_integer(session_claim(root, "/iat"), &out->iat);

    if (!e)
        e = pst_json_integer(session_claim(root, "/exp"), &out->exp);
    if (!e)
        e = pst_json_integer(session_claim(root, "/seen"), &out->seen);
    if (!e && session_claim(root, "/asked"))
        e = pst_json_integer(session_claim(root, "/asked"), &out->asked);
    if (e)
        return e;
    if (out->iat < 0 || out->seen < 0 || out->exp <= out->iat || out->asked < 0)
        return PST_FORGED;
    return PST_OK;
}

/* Who has a subject is known, and no other word for it is taken. */
static enum pst_err
session_parse_known(const struct pst_json *root, struct pst_session *out)
{
    struct pst_str known = pst_json_string(session_claim(root, "/known"));

    out->known = out->sub.len > 0 ? PST_IDENTITY_KNOWN : PST_IDENTITY_GUEST;
    if (pst_str_is_absent(known))
        return PST_OK;
    if (out->sub.len > 0 || !pst_str_equal(known, KNOWN_UNKNOWN))
        return PST_FORGED;
    out->known = PST_IDENTITY_UNKNOWN;
    return PST_OK;
}

static enum pst_err
session_parse_strings(struct pst_str claims, const struct pst_json *root,
                      struct pst_session *out)
{
    enum pst_err e;

    out->sub = pst_json_string(session_claim(root, "/sub"));
    out->name = pst_json_string(session_claim(root, "/name"));
    out->upstream = PST_STR_NONE;
    e = pst_json_locate(claims, PST_STR("/who"), &out->who);
    if (!e && session_claim(root, "/upstream"))
        e = pst_json_locate(claims, PST_STR("/upstream"), &out->upstream);
    if (!e)
        e = session_check_fields(out);
    if (!e && session_claim(root, "/upstream") &&
        !session_is_upstream_claim(session_claim(root, "/upstream")))
        e = PST_FORGED;
    return e ? e : session_parse_known(root, out);
}

static enum pst_err
session_parse_claims(struct pst_arena *arena, struct pst_str claims,
                     struct pst_session *out)
{
    const struct pst_json *root;
    int64_t version = 0;
    enum pst_err e = pst_json_parse(arena, claims, &root);

    if (e)
        return e;
    if (!session_has_claims(root))
        return PST_FORGED;
    e = pst_json_integer(session_claim(root, "/v"), &version);
    if (!e && version != PST_SESSION_VERSION)
        e = PST_FORGED;
    if (!e)
        e = session_parse_sid(arena, session_claim(root, "/sid"), out->sid);
    if (!e)
        e = session_parse_times(root, out);
    if (!e)
        e = pst_json_bool(session_claim(root, "/remember"), &out->remember);
    if (!e)
        e = session_parse_strings(claims, root, out);
    return e;
}

enum pst_err
pst_session_parse(struct pst_arena *arena, struct pst_str claims,
                  struct pst_session *out)
{
    struct pst_session session = {0};
    enum pst_err e;

    if (claims.len > PST_SPILL_MAX)
        return PST_FORGED;
    e = session_parse_claims(arena, claims, &session);
    if (e)
        return e == PST_NO_MEMORY ? PST_NO_MEMORY : PST_FORGED;
    *out = session;
    return PST_OK;
}

/* Design 2.3: the size of a number tells its unit. */
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

/* Digits, perhaps with a fraction, which is cut. */
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

/* ttl: the JSON text of value, without white space around it */
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
    /* An end at the epoch itself is long over; 0 would say "not told". */
    *out = end == 0 ? 1 : end;
    return PST_OK;
}
