/* SPDX-License-Identifier: ISC */
/*
 * test_record.c - records are written and read; truncated ones and other
 * versions are refused; and the arithmetic of counters.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "store/record.h"

#define NOW 1800000000

/* How many kinds of records can be read when truncated to `len` bytes. */
static unsigned
readable(struct pst_bytes record)
{
    unsigned count = 0;
    int64_t expires;

    for (int kind = 0; kind <= RECORD_KINDS; kind++)
        count += record_expires((enum record_kind)kind, record, &expires);
    return count;
}

static void
test_times(void **state)
{
    static const struct {
        int64_t time;
        uint8_t bytes[RECORD_TIME_LEN];
        int64_t back;
    } rows[] = {
        {0, {0}, 0},
        {1, {0, 0, 0, 0, 0, 0, 0, 1}, 1},
        {0x0102030405060708, {1, 2, 3, 4, 5, 6, 7, 8}, 0x0102030405060708},
        {RECORD_TIME_MAX,
         {0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         RECORD_TIME_MAX},
        {INT64_MAX,
         {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         RECORD_TIME_MAX},
        {-1, {0}, 0},
    };
    static const uint8_t all[RECORD_TIME_LEN] = {0xff, 0xff, 0xff, 0xff,
                                                 0xff, 0xff, 0xff, 0xff};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        uint8_t bytes[RECORD_TIME_LEN];

        record_set_time(bytes, rows[i].time);
        assert_memory_equal(bytes, rows[i].bytes, sizeof(bytes));
        assert_true(record_get_time(bytes) == rows[i].back);
    }
    assert_true(record_get_time(all) == RECORD_TIME_MAX);
}

/* A damaged time is in the far future: what was revoked stays so. */
static void
test_damaged_times(void **state)
{
    uint8_t bytes[RECORD_SINCE_LEN];
    int64_t expires;

    (void)state;
    memset(bytes, 0xff, sizeof(bytes));
    bytes[0] = RECORD_VERSION;
    assert_true(record_expires(RECORD_REVOKED,
                               (struct pst_bytes){bytes, RECORD_REVOKED_LEN},
                               &expires));
    assert_true(expires > NOW);
    assert_true(record_expires(
        RECORD_SINCE, (struct pst_bytes){bytes, RECORD_SINCE_LEN}, &expires));
    assert_true(expires > NOW);
}

static void
test_versions(void **state)
{
    struct store_session session = {.created = NOW,
                                    .seen = NOW + 1,
                                    .expires = NOW + 2,
                                    .user = PST_STR("ada"),
                                    .browser = PST_STR(""),
                                    .address = PST_STR("::1")};
    struct store_session back = {.created = 0};
    uint8_t bytes[RECORD_SESSION_MAX];
    struct pst_bytes record = {bytes, 0};

    (void)state;
    record_emit_session(bytes, &record.len, &session);
    assert_true(record_parse_session(record, &back));
    assert_true(back.created == NOW && back.seen == NOW + 1 &&
                back.expires == NOW + 2);
    assert_true(pst_str_equal(back.user, session.user));
    assert_true(pst_str_equal(back.browser, session.browser));
    assert_true(pst_str_equal(back.address, session.address));
    for (size_t len = 0; len < record.len; len++)
        assert_false(
            record_parse_session((struct pst_bytes){bytes, len}, &back));
    bytes[record.len] = 0;
    record.len++;
    assert_false(record_parse_session(record, &back));
    record.len--;
    for (int version = 0; version < 256; version++) {
        bytes[0] = (uint8_t)version;
        assert_int_equal(record_parse_session(record, &back),
                         version == RECORD_VERSION);
        assert_int_equal(readable(record) > 0, version == RECORD_VERSION);
    }
}

/* A record may end with a sealed name. One without it was written before, or
 * for a session without a name. */
static void
test_sealed_name(void **state)
{
    static const uint8_t most[STORE_SEALED_NAME_MAX] = {7};
    static const size_t lengths[] = {0, 1, sizeof(most)};
    uint8_t bytes[RECORD_SESSION_MAX + 1];
    size_t before = 0;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(lengths); i++) {
        struct store_session session = {.user = PST_STR("ada"),
                                        .address = PST_STR("::1"),
                                        .sealed_name = {most, lengths[i]}};
        struct store_session back = {.sealed_name = {most, 3}};
        struct pst_bytes record = {bytes, 0};

        memset(bytes, 0, sizeof(bytes));
        record_emit_session(bytes, &record.len, &session);
        assert_true(record_parse_session(record, &back));
        assert_true(pst_str_equal(back.address, session.address));
        assert_int_equal(back.sealed_name.len, lengths[i]);
        if (lengths[i] > 0)
            assert_memory_equal(back.sealed_name.ptr, most, lengths[i]);
        else
            before = record.len;
        for (size_t len = 0; len < record.len; len++)
            assert_int_equal(
                record_parse_session((struct pst_bytes){bytes, len}, &back),
                len == before && lengths[i] > 0);
        record.len++;
        assert_false(record_parse_session(record, &back));
    }
}

/* A damaged record whose text is longer than any we write is no session: it
 * would be written again at its next use. */
static void
test_long_texts(void **state)
{
    static const size_t limits[] = {PST_NAME_MAX, STORE_BROWSER_MAX,
                                    STORE_ADDRESS_MAX, STORE_SEALED_NAME_MAX};

    (void)state;
    for (size_t long_one = 0; long_one < PST_COUNT(limits); long_one++) {
        for (size_t more = 0; more < 2; more++) {
            uint8_t bytes[RECORD_SESSION_MAX + 1] = {RECORD_VERSION};
            struct store_session back = {.created = 0};
            struct pst_bytes record = {bytes, RECORD_SESSION_HEAD_LEN};

            for (size_t i = 0; i < PST_COUNT(limits); i++) {
                const size_t len = i == long_one ? limits[i] + more : 1;

                bytes[record.len] = (uint8_t)(len >> 8);
                bytes[record.len + 1] = (uint8_t)len;
                record.len += 2 + len;
            }
            assert_int_equal(record_parse_session(record, &back), more == 0);
        }
    }
}

/* Texts of every small length are written whole, over whatever was there. */
static void
test_text_lengths(void **state)
{
    static const char text[] = "abc";

    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct store_session session = {.user = {text, len},
                                        .browser = {text, len},
                                        .address = {text, len}};
        struct store_session back = {.created = 0};
        uint8_t bytes[RECORD_SESSION_MAX];
        struct pst_bytes record = {bytes, 0};

        memset(bytes, 'x', sizeof(bytes));
        record_emit_session(bytes, &record.len, &session);
        assert_true(record_parse_session(record, &back));
        if (!pst_str_equal(back.user, session.user) ||
            !pst_str_equal(back.browser, session.browser) ||
            !pst_str_equal(back.address, session.address))
            fail_msg("%zu bytes", len);
    }
}

/* Each kind of record, truncated anywhere, or of another version. */
static void
test_short(void **state)
{
    static uint8_t bytes[RECORD_SINCE_LEN + 1];

    (void)state;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        /* revoked and counter at 9; since at 17; spill from 9 on. */
        unsigned want = (len == RECORD_REVOKED_LEN ? 2u : 0u) +
                        (len == RECORD_SINCE_LEN ? 1u : 0u) +
                        (len >= RECORD_SPILL_HEAD_LEN ? 1u : 0u);

        bytes[0] = RECORD_VERSION;
        if (readable((struct pst_bytes){bytes, len}) != want)
            fail_msg("%zu bytes", len);
        bytes[0] = RECORD_VERSION + 1;
        if (readable((struct pst_bytes){bytes, len}) != 0)
            fail_msg("%zu bytes of the next version", len);
    }
}

static void
test_take(void **state)
{
    static const struct {
        const char *name;
        int64_t ahead; /* the stored instant minus now, microseconds */
        struct rate rate;
        bool want;
        int64_t result; /* the new instant minus now; or seconds to wait */
    } rows[] = {
        {"empty", 0, {10, 900}, true, 90000000},
        {"drained long ago", -5000000000, {10, 900}, true, 90000000},
        {"the last", 810000000, {10, 900}, true, 900000000},
        {"a microsecond more", 810000001, {10, 900}, false, 1},
        {"full", 900000000, {10, 900}, false, 90},
        {"beyond full", 990000000, {10, 900}, false, 90},
        {"one in a second", 0, {1, 1}, true, 1000000},
        {"one in a second, full", 1, {1, 1}, false, 1},
        {"the most", 0, {RATE_LIMIT_MAX, RATE_PERIOD_MAX}, true, 259200000},
        {"the longest", 1, {1, RATE_PERIOD_MAX}, false, 1},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int64_t next = -1;
        int64_t wait = -1;
        bool got =
            record_counter_acquire((int64_t)NOW * 1000000 + rows[i].ahead,
                                   rows[i].rate, NOW, &next, &wait);
        int64_t result = got ? next - (int64_t)NOW * 1000000 : wait;

        if (got != rows[i].want || result != rows[i].result ||
            (got ? wait : next) != -1)
            fail_msg("row '%s': %d, %ld", rows[i].name, got, (long)result);
    }
}

static void
test_give(void **state)
{
    static const struct {
        const char *name;
        int64_t ahead;
        int64_t want; /* 0: empty */
    } rows[] = {
        {"nothing", 0, 0},
        {"long ago", -9000000, 0},
        {"one", 90000000, 0},
        {"two", 180000000, 90000000},
        {"full", 900000000, 810000000},
        {"beyond", 9900000000, 810000000},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        int64_t now = (int64_t)NOW * 1000000;
        int64_t got = record_counter_refund(now + rows[i].ahead,
                                            (struct rate){10, 900}, NOW);

        if (got != (rows[i].want ? now + rows[i].want : 0))
            fail_msg("row '%s': %ld", rows[i].name, (long)(got - now));
    }
}

/* A counter that only counts is at most full. */
static void
test_tally(void **state)
{
    static const struct rate rate = {10, 900};
    int64_t now = (int64_t)NOW * 1000000;

    (void)state;
    assert_int_equal(record_counter_count(0, rate, NOW), now + 90000000);
    assert_int_equal(record_counter_count(now + 810000000, rate, NOW),
                     now + 900000000);
    assert_int_equal(record_counter_count(now + 810000001, rate, NOW),
                     now + 900000000);
    assert_int_equal(record_counter_count(now + 9900000000, rate, NOW),
                     now + 900000000);
}

static void
test_level(void **state)
{
    static const struct rate rate = {10, 900};
    int64_t now = (int64_t)NOW * 1000000;

    (void)state;
    assert_int_equal(record_counter_level(0, rate, NOW), 0);
    assert_int_equal(record_counter_level(now - 1, rate, NOW), 0);
    assert_int_equal(record_counter_level(now + 5, rate, NOW), 5);
    assert_int_equal(record_counter_level(now + 9900000000, rate, NOW),
                     900000000);
    assert_int_equal(record_counter_reduce(now + 5, rate, NOW, 2), now + 3);
    assert_int_equal(record_counter_reduce(now + 5, rate, NOW, 0), now + 5);
    assert_int_equal(record_counter_reduce(now + 5, rate, NOW, 5), 0);
    assert_int_equal(record_counter_reduce(now + 5, rate, NOW, 6), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),      cmocka_unit_test(test_damaged_times),
        cmocka_unit_test(test_versions),   cmocka_unit_test(test_text_lengths),
        cmocka_unit_test(test_short),      cmocka_unit_test(test_sealed_name),
        cmocka_unit_test(test_long_texts), cmocka_unit_test(test_take),
        cmocka_unit_test(test_give),       cmocka_unit_test(test_tally),
        cmocka_unit_test(test_level),
    };

    return cmocka_run_group_tests_name("stored", tests, NULL, NULL);
}
