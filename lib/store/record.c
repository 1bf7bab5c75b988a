/* SPDX-License-Identifier: ISC */
/*
 * record.c - the bytes of what is stored, the same in every store.
 */
#include "store/record.h"

#include <string.h>

#define MICRO 1000000

void
stored_put_time(uint8_t out[static STORED_TIME_LEN], int64_t time)
{
    uint64_t left = time < 0 ? 0 : (uint64_t)time;

    for (size_t i = STORED_TIME_LEN; i > 0; i--) {
        out[i - 1] = (uint8_t)(left & 0xff);
        left >>= 8;
    }
}

int64_t
stored_get_time(const uint8_t in[static STORED_TIME_LEN])
{
    uint64_t time = 0;

    for (size_t i = 0; i < STORED_TIME_LEN; i++)
        time = time << 8 | in[i];
    return time > INT64_MAX ? INT64_MAX : (int64_t)time;
}

static bool
is_ours(struct pst_bytes record, size_t len_min)
{
    return record.len >= len_min && record.ptr[0] == STORED_VERSION;
}

void
stored_emit_time(uint8_t out[static STORED_REVOKED_LEN], int64_t time)
{
    out[0] = STORED_VERSION;
    stored_put_time(out + 1, time);
}

bool
stored_parse_time(struct pst_bytes record, int64_t *time)
{
    if (record.len != STORED_REVOKED_LEN || !is_ours(record, record.len))
        return false;
    *time = stored_get_time(record.ptr + 1);
    return true;
}

void
stored_emit_since(uint8_t out[static STORED_SINCE_LEN],
                  struct stored_since since)
{
    out[0] = STORED_VERSION;
    stored_put_time(out + 1, since.since);
    stored_put_time(out + 1 + STORED_TIME_LEN, since.newest);
}

bool
stored_parse_since(struct pst_bytes record, struct stored_since *since)
{
    if (record.len != STORED_SINCE_LEN || !is_ours(record, record.len))
        return false;
    since->since = stored_get_time(record.ptr + 1);
    since->newest = stored_get_time(record.ptr + 1 + STORED_TIME_LEN);
    return true;
}

struct stored_since
stored_since_end(struct stored_since old, int64_t now)
{
    struct stored_since ended = {now, old.newest};

    /* A newest beyond what any clock may be ahead is nobody's session. */
    if (old.newest > now)
        ended.since = old.newest < now + PST_SKEW ? old.newest : now + PST_SKEW;
    if (old.since > ended.since)
        ended.since = old.since;
    return ended;
}

static size_t
put_text(uint8_t *out, struct pst_text text, size_t max)
{
    PST_REQUIRE(text.len <= max);
    out[0] = (uint8_t)(text.len >> 8 & 0xff);
    out[1] = (uint8_t)(text.len & 0xff);
    if (text.len > 0)
        memcpy(out + 2, text.ptr, text.len);
    return 2 + text.len;
}

void
stored_emit_session(uint8_t out[static STORED_SESSION_MAX], size_t *len,
                    const struct store_session *session)
{
    size_t at = STORED_SESSION_HEAD;

    out[0] = STORED_VERSION;
    stored_put_time(out + 1, session->created);
    stored_put_time(out + 1 + STORED_TIME_LEN, session->seen);
    stored_put_time(out + 1 + 2 * STORED_TIME_LEN, session->expires);
    at += put_text(out + at, session->user, PST_NAME_MAX);
    at += put_text(out + at, session->browser, STORE_BROWSER_MAX);
    at += put_text(out + at, session->address, STORE_ADDRESS_MAX);
    *len = at;
}

static bool
get_text(struct pst_bytes *rest, struct pst_text *text)
{
    size_t len;

    if (rest->len < 2)
        return false;
    len = (size_t)rest->ptr[0] << 8 | rest->ptr[1];
    if (rest->len - 2 < len)
        return false;
    *text = (struct pst_text){(const char *)rest->ptr + 2, len};
    rest->ptr += 2 + len;
    rest->len -= 2 + len;
    return true;
}

bool
stored_parse_session(struct pst_bytes record, struct store_session *session)
{
    struct store_session read = *session;
    struct pst_bytes rest;

    if (!is_ours(record, STORED_SESSION_HEAD))
        return false;
    read.created = stored_get_time(record.ptr + 1);
    read.seen = stored_get_time(record.ptr + 1 + STORED_TIME_LEN);
    read.expires = stored_get_time(record.ptr + 1 + 2 * STORED_TIME_LEN);
    rest.ptr = record.ptr + STORED_SESSION_HEAD;
    rest.len = record.len - STORED_SESSION_HEAD;
    if (!get_text(&rest, &read.user) || !get_text(&rest, &read.browser) ||
        !get_text(&rest, &read.address) || rest.len != 0)
        return false;
    *session = read;
    return true;
}

bool
stored_session_is_live(const struct store_session *session, int64_t since,
                       int64_t now)
{
    return session->expires > now && session->created > since;
}

bool
stored_parse_spill(struct pst_bytes record, int64_t *expires,
                   struct pst_bytes *blob)
{
    if (!is_ours(record, STORED_SPILL_HEAD + 1))
        return false;
    *expires = stored_get_time(record.ptr + 1);
    *blob = (struct pst_bytes){record.ptr + STORED_SPILL_HEAD,
                               record.len - STORED_SPILL_HEAD};
    return true;
}

bool
stored_spill_is_live(struct pst_bytes record, int64_t now,
                     struct pst_bytes *blob)
{
    struct pst_bytes found;
    int64_t expires;

    if (!stored_parse_spill(record, &expires, &found) || expires <= now)
        return false;
    *blob = found;
    return true;
}

enum pst_err
stored_copy_spill(struct pst_bytes record, int64_t now, struct pst_arena *arena,
                  struct pst_bytes *blob)
{
    struct pst_bytes found;
    uint8_t *copy;

    if (!stored_spill_is_live(record, now, &found))
        return PST_ABSENT;
    copy = pst_arena_alloc(arena, found.len);
    if (!copy)
        return PST_NO_MEMORY;
    memcpy(copy, found.ptr, found.len);
    *blob = (struct pst_bytes){copy, found.len};
    return PST_OK;
}

/* When a since record is of no use any more. */
static int64_t
since_expires(struct stored_since since)
{
    if (since.since == 0)
        return since.newest + PST_SKEW;
    return since.since + PST_LIFETIME_MAX + PST_SKEW;
}

bool
stored_expires(enum stored_kind kind, struct pst_bytes record, int64_t *expires)
{
    struct store_session session = {0};
    struct stored_since since;
    int64_t time;

    switch (kind) {
    case STORED_REVOKED:
        if (!stored_parse_time(record, &time))
            return false;
        /* A machine whose clock is behind still takes the session. */
        *expires = time + PST_SKEW;
        return true;
    case STORED_SINCE:
        if (!stored_parse_since(record, &since))
            return false;
        *expires = since_expires(since);
        return true;
    case STORED_SESSION:
        if (!stored_parse_session(record, &session))
            return false;
        *expires = session.expires;
        return true;
    case STORED_SPILL:
        if (!is_ours(record, STORED_SPILL_HEAD))
            return false;
        *expires = stored_get_time(record.ptr + 1);
        return true;
    case STORED_COUNTER:
        if (!stored_parse_time(record, &time))
            return false;
        *expires = time / MICRO + 1;
        return true;
    case STORED_KINDS:
    default:
        return false;
    }
}

/* What is stored, within what can be true now. */
static int64_t
settle(int64_t instant, int64_t period, int64_t now)
{
    if (instant < now)
        return now;
    return instant > now + period ? now + period : instant;
}

bool
stored_counter_take(int64_t instant, struct rate rate, int64_t now,
                    int64_t *next, int64_t *wait)
{
    int64_t period = rate.period * MICRO;
    int64_t step = period / rate.limit;
    int64_t room;

    now *= MICRO;
    instant = settle(instant, period, now);
    room = now + period - step - instant;
    if (room < 0) {
        *wait = (-room + MICRO - 1) / MICRO;
        return false;
    }
    *next = instant + step;
    return true;
}

int64_t
stored_counter_tally(int64_t instant, struct rate rate, int64_t now)
{
    int64_t next;
    int64_t wait;

    if (stored_counter_take(instant, rate, now, &next, &wait))
        return next;
    return (now + rate.period) * MICRO;
}

int64_t
stored_counter_level(int64_t instant, struct rate rate, int64_t now)
{
    return settle(instant, rate.period * MICRO, now * MICRO) - now * MICRO;
}

int64_t
stored_counter_lower(int64_t instant, struct rate rate, int64_t now,
                     int64_t amount)
{
    int64_t level = stored_counter_level(instant, rate, now);

    return level > amount ? now * MICRO + level - amount : 0;
}

int64_t
stored_counter_give(int64_t instant, struct rate rate, int64_t now)
{
    return stored_counter_lower(instant, rate, now,
                                rate.period * MICRO / rate.limit);
}
