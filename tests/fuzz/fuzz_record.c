/* SPDX-License-Identifier: ISC */
/*
 * fuzz_record.c - read any bytes as records of the store, as a damaged disk or
 * a newer program could leave them. The first byte chooses the kind. A time,
 * since or session that can be read is written as the same bytes; a spilled
 * session is a slice of its record; a counter stays within its bucket.
 */
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"
#include "store/record.h"
#include "store/store.h"

#define ARENA_SIZE (256 * 1024)
#define NOW 1750000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_time(struct pst_bytes record)
{
    uint8_t again[RECORD_REVOKED_LEN];
    int64_t time;

    if (!record_parse_time(record, &time) || time == RECORD_TIME_MAX)
        return;
    record_emit_time(again, time);
    PST_REQUIRE(record.len == sizeof(again) &&
                memcmp(record.ptr, again, sizeof(again)) == 0);
}

static void
check_since(struct pst_bytes record)
{
    uint8_t again[RECORD_SINCE_LEN];
    struct record_since since;

    if (!record_parse_since(record, &since) || since.since == RECORD_TIME_MAX ||
        since.newest == RECORD_TIME_MAX)
        return;
    record_emit_since(again, since);
    PST_REQUIRE(record.len == sizeof(again) &&
                memcmp(record.ptr, again, sizeof(again)) == 0);
    PST_REQUIRE(record_since_revoke(since, NOW).since >= NOW);
}

static bool
is_inside(struct pst_bytes record, const void *ptr, size_t len)
{
    const uint8_t *at = ptr;

    return len == 0 ||
           (at >= record.ptr && at + len <= record.ptr + record.len);
}

static void
check_session(struct pst_bytes record)
{
    uint8_t again[RECORD_SESSION_MAX];
    struct store_session session = {0};
    int64_t expires;
    size_t len;

    if (!record_parse_session(record, &session))
        return;
    PST_REQUIRE(is_inside(record, session.user.ptr, session.user.len));
    PST_REQUIRE(is_inside(record, session.browser.ptr, session.browser.len));
    PST_REQUIRE(is_inside(record, session.address.ptr, session.address.len));
    PST_REQUIRE(record_expires(RECORD_SESSION, record, &expires) &&
                expires == session.expires);
    PST_REQUIRE(!record_session_is_live(&session, 0, session.expires));
    if (session.created == RECORD_TIME_MAX || session.seen == RECORD_TIME_MAX ||
        session.expires == RECORD_TIME_MAX)
        return;
    record_emit_session(again, &len, &session);
    PST_REQUIRE(record.len == len && memcmp(record.ptr, again, len) == 0);
}

static void
check_spill(struct pst_arena *arena, struct pst_bytes record)
{
    struct pst_bytes blob = {0};
    struct pst_bytes copy = {0};
    const bool is_live = record_spill_is_live(record, NOW, &blob);
    const enum pst_err e = record_copy_spill(record, NOW, arena, &copy);
    int64_t expires;

    PST_REQUIRE(e == (is_live ? PST_OK : PST_NOT_FOUND));
    if (!is_live)
        return;
    PST_REQUIRE(is_inside(record, blob.ptr, blob.len));
    PST_REQUIRE(copy.len == blob.len &&
                (blob.len == 0 || memcmp(copy.ptr, blob.ptr, blob.len) == 0));
    PST_REQUIRE(record_expires(RECORD_SPILL, record, &expires) &&
                expires > NOW);
}

/* A bucket is never more than full, and a refused attempt has to wait. */
static void
check_counter(struct pst_bytes record)
{
    const struct rate rate = {.limit = 10, .period = 900};
    int64_t instant;
    int64_t next;
    int64_t wait;

    if (!record_parse_time(record, &instant))
        return;
    if (record_counter_acquire(instant, rate, NOW, &next, &wait)) {
        PST_REQUIRE(next > 0);
        PST_REQUIRE(record_counter_level(next, rate, NOW) >
                    record_counter_level(instant, rate, NOW));
    } else {
        PST_REQUIRE(wait >= 1 && wait <= rate.period);
    }
    PST_REQUIRE(record_counter_level(record_counter_count(instant, rate, NOW),
                                     rate, NOW) <= rate.period * 1000000);
    PST_REQUIRE(record_counter_refund(instant, rate, NOW) >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pst_arena *arena;
    struct pst_bytes record;
    int64_t expires;

    if (size == 0)
        return 0;
    PST_REQUIRE(arena || pst_arena_new(&arena, ARENA_SIZE) == PST_OK);
    record = (struct pst_bytes){data + 1, size - 1};
    switch ((enum record_kind)(data[0] % RECORD_KINDS)) {
    case RECORD_REVOKED:
        check_time(record);
        break;
    case RECORD_SINCE:
        check_since(record);
        break;
    case RECORD_SESSION:
        check_session(record);
        break;
    case RECORD_SPILL:
        check_spill(arena, record);
        break;
    case RECORD_COUNTER:
    case RECORD_KINDS:
        check_counter(record);
        break;
    }
    (void)!record_expires((enum record_kind)(data[0] % RECORD_KINDS), record,
                          &expires);
    pst_arena_reset(arena);
    return 0;
}
