/* SPDX-License-Identifier: ISC */
/*
 * record.c - the format of stored records, the same in every store, and the
 * arithmetic of rate-limit counters (GCRA).
 */
#include "store/record.h"

#include <string.h>

#define MICROSECONDS 1000000

void
record_set_time(uint8_t out[static RECORD_TIME_LEN], int64_t time)
{
    uint64_t left = time < 0 ? 0 : (uint64_t)time;

    for (size_t i = RECORD_TIME_LEN; i > 0; i--) {
        out[i - 1] = (uint8_t)(left & 0xff);
        left >>= 8;
    }
}

int64_t
record_get_time(const uint8_t in[static RECORD_TIME_LEN])
{
    uint64_t time = 0;

    for (size_t i = 0; i < RECORD_TIME_LEN; i++)
        time = time << 8 | in[i];
    return time > RECORD_TIME_MAX ? RECORD_TIME_MAX : (int64_t)time;
}

static bool
record_has_version(struct pst_bytes record, size_t len_min)
{
    return record.len >= len_min && record.ptr[0] == RECORD_VERSION;
}

void
record_emit_time(uint8_t out[static RECORD_REVOKED_LEN], int64_t time)
{
    out[0] = RECORD_VERSION;
    record_set_time(out + 1, time);
}

bool
record_parse_time(struct pst_bytes record, int64_t *time)
{
    if (record.len != RECORD_REVOKED_LEN ||
        !record_has_version(record, record.len))
        return false;
    *time = record_get_time(record.ptr + 1);
    return true;
}

void
record_emit_since(uint8_t out[static RECORD_SINCE_LEN],
                  struct record_since since)
{
    out[0] = RECORD_VERSION;
    record_set_time(out + 1, since.since);
    record_set_time(out + 1 + RECORD_TIME_LEN, since.newest);
}

bool
record_parse_since(struct pst_bytes record, struct record_since *since)
{
    if (record.len != RECORD_SINCE_LEN ||
        !record_has_version(record, record.len))
        return false;
    since->since = record_get_time(record.ptr + 1);
    since->newest = record_get_time(record.ptr + 1 + RECORD_TIME_LEN);
    return true;
}

struct record_since
record_since_revoke(struct record_since old, int64_t now)
{
    struct record_since revoked = {now, old.newest};

    /* If newest is further ahead than any clock may be, no session has it. */
    if (old.newest > now)
        revoked.since = old.newest < now + PST_CLOCK_SKEW_MAX
                            ? old.newest
                            : now + PST_CLOCK_SKEW_MAX;
    if (old.since > revoked.since)
        revoked.since = old.since;
    return revoked;
}

static size_t
record_set_text(uint8_t *out, struct pst_str text, size_t max)
{
    PST_REQUIRE(text.len <= max);
    out[0] = (uint8_t)(text.len >> 8 & 0xff);
    out[1] = (uint8_t)(text.len & 0xff);
    if (text.len > 0)
        memcpy(out + 2, text.ptr, text.len);
    return 2 + text.len;
}

void
record_emit_session(uint8_t out[static RECORD_SESSION_MAX], size_t *len,
                    const struct store_session *session)
{
    size_t at = RECORD_SESSION_HEAD_LEN;

    out[0] = RECORD_VERSION;
    record_set_time(out + 1, session->created);
    record_set_time(out + 1 + RECORD_TIME_LEN, session->seen);
    record_set_time(out + 1 + 2 * RECORD_TIME_LEN, session->expires);
    at += record_set_text(out + at, session->user, PST_NAME_MAX);
    at += record_set_text(out + at, session->browser, STORE_BROWSER_MAX);
    at += record_set_text(out + at, session->address, STORE_ADDRESS_MAX);
    if (session->sealed_name.len > 0)
        at +=
            record_set_text(out + at, pst_str_from_bytes(session->sealed_name),
                            STORE_SEALED_NAME_MAX);
    *len = at;
}

/* Only what record_set_text() can have written: it may be written again. */
static bool
record_get_text(struct pst_bytes *rest, size_t max, struct pst_str *text)
{
    size_t len;

    if (rest->len < 2)
        return false;
    len = (size_t)rest->ptr[0] << 8 | rest->ptr[1];
    if (len > max || rest->len - 2 < len)
        return false;
    *text = (struct pst_str){(const char *)rest->ptr + 2, len};
    rest->ptr += 2 + len;
    rest->len -= 2 + len;
    return true;
}

bool
record_parse_session(struct pst_bytes record, struct store_session *session)
{
    struct store_session parsed = *session;
    struct pst_str sealed_name = PST_STR_NONE;
    struct pst_bytes rest;

    if (!record_has_version(record, RECORD_SESSION_HEAD_LEN))
        return false;
    parsed.created = record_get_time(record.ptr + 1);
    parsed.seen = record_get_time(record.ptr + 1 + RECORD_TIME_LEN);
    parsed.expires = record_get_time(record.ptr + 1 + 2 * RECORD_TIME_LEN);
    rest.ptr = record.ptr + RECORD_SESSION_HEAD_LEN;
    rest.len = record.len - RECORD_SESSION_HEAD_LEN;
    if (!record_get_text(&rest, PST_NAME_MAX, &parsed.user) ||
        !record_get_text(&rest, STORE_BROWSER_MAX, &parsed.browser) ||
        !record_get_text(&rest, STORE_ADDRESS_MAX, &parsed.address))
        return false;
    if (rest.len > 0 &&
        (!record_get_text(&rest, STORE_SEALED_NAME_MAX, &sealed_name) ||
         sealed_name.len == 0 || rest.len > 0))
        return false;
    parsed.sealed_name = pst_str_bytes(sealed_name);
    *session = parsed;
    return true;
}

bool
record_session_is_live(const struct store_session *session, int64_t since,
                       int64_t now)
{
    return session->expires > now && session->created > since;
}

bool
record_use_is_due(const struct store_session *session,
                  const struct store_use *use)
{
    return use->expires > session->expires ||
           (use->now > session->seen &&
            use->now - session->seen >= use->interval);
}

bool
record_spill_is_live(struct pst_bytes record, int64_t now,
                     struct pst_bytes *blob)
{
    if (!record_has_version(record, RECORD_SPILL_HEAD_LEN + 1) ||
        record_get_time(record.ptr + 1) <= now)
        return false;
    *blob = (struct pst_bytes){record.ptr + RECORD_SPILL_HEAD_LEN,
                               record.len - RECORD_SPILL_HEAD_LEN};
    return true;
}

enum pst_err
record_copy_spill(struct pst_bytes record, int64_t now, struct pst_arena *arena,
                  struct pst_bytes *blob)
{
    struct pst_bytes found;
    uint8_t *copy;

    if (!record_spill_is_live(record, now, &found))
        return PST_NOT_FOUND;
    copy = pst_arena_alloc(arena, found.len);
    if (!copy)
        return PST_NO_MEMORY;
    memcpy(copy, found.ptr, found.len);
    *blob = (struct pst_bytes){copy, found.len};
    return PST_OK;
}

/* When a since record is not needed any more: no session that it revokes is
 * still valid. */
static int64_t
record_since_expires(struct record_since since)
{
    if (since.since == 0)
        return since.newest + PST_CLOCK_SKEW_MAX;
    return since.since + PST_LIFETIME_MAX + PST_CLOCK_SKEW_MAX;
}

bool
record_expires(enum record_kind kind, struct pst_bytes record, int64_t *expires)
{
    struct store_session session = {0};
    struct record_since since;
    int64_t time;

    switch (kind) {
    case RECORD_REVOKED:
        if (!record_parse_time(record, &time))
            return false;
        /* On a machine whose clock is behind, the session has not expired. */
        *expires = time + PST_CLOCK_SKEW_MAX;
        return true;
    case RECORD_SINCE:
        if (!record_parse_since(record, &since))
            return false;
        *expires = record_since_expires(since);
        return true;
    case RECORD_SESSION:
        if (!record_parse_session(record, &session))
            return false;
        *expires = session.expires;
        return true;
    case RECORD_SPILL:
        if (!record_has_version(record, RECORD_SPILL_HEAD_LEN))
            return false;
        *expires = record_get_time(record.ptr + 1);
        return true;
    case RECORD_COUNTER:
        if (!record_parse_time(record, &time))
            return false;
        *expires = time / MICROSECONDS + 1;
        return true;
    case RECORD_KINDS:
    default:
        return false;
    }
}

/* Limit an instant to what is possible now: an empty to a full bucket. */
static int64_t
record_counter_clamp(int64_t instant, int64_t period, int64_t now)
{
    if (instant < now)
        return now;
    return instant > now + period ? now + period : instant;
}

bool
record_counter_acquire(int64_t instant, struct rate rate, int64_t now,
                       int64_t *next, int64_t *wait)
{
    int64_t period = rate.period * MICROSECONDS;
    int64_t step = period / rate.limit;
    int64_t room;

    now *= MICROSECONDS;
    instant = record_counter_clamp(instant, period, now);
    room = now + period - step - instant;
    if (room < 0) {
        *wait = (-room + MICROSECONDS - 1) / MICROSECONDS;
        return false;
    }
    *next = instant + step;
    return true;
}

int64_t
record_counter_count(int64_t instant, struct rate rate, int64_t now)
{
    int64_t next;
    int64_t wait;

    if (record_counter_acquire(instant, rate, now, &next, &wait))
        return next;
    return (now + rate.period) * MICROSECONDS;
}

int64_t
record_counter_level(int64_t instant, struct rate rate, int64_t now)
{
    return record_counter_clamp(instant, rate.period * MICROSECONDS,
                                now * MICROSECONDS) -
           now * MICROSECONDS;
}

int64_t
record_counter_reduce(int64_t instant, struct rate rate, int64_t now,
                      int64_t amount)
{
    int64_t level = record_counter_level(instant, rate, now);

    return level > amount ? now * MICROSECONDS + level - amount : 0;
}

int64_t
record_counter_refund(int64_t instant, struct rate rate, int64_t now)
{
    return record_counter_reduce(instant, rate, now,
                                 rate.period * MICROSECONDS / rate.limit);
}
