/* SPDX-License-Identifier: ISC */
/*
 * lmdb_counter.c - the counters of rate limits in LMDB.
 */
#include "store/lmdb_handle.h"
#include "store/lmdb_store.h"
#include "store/store_copy.h"

/* instant: 0 when there is no record, or it cannot be read. */
static int
lmdb_get_instant(const struct lmdb_txn *txn, const struct store_id *id,
                 int64_t *instant)
{
    struct lmdb_key key = lmdb_key_make(txn, id, NULL);
    struct pst_bytes record;
    int rc = lmdb_get(txn, RECORD_COUNTER, &key, &record);

    *instant = 0;
    if (rc == 0)
        (void)!record_parse_time(record, instant);
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

static int
lmdb_put_instant(const struct lmdb_txn *txn, const struct store_id *id,
                 int64_t instant)
{
    struct lmdb_key key = lmdb_key_make(txn, id, NULL);
    uint8_t record[RECORD_COUNTER_LEN];

    if (instant == 0)
        return lmdb_del(txn, RECORD_COUNTER, &key);
    record_emit_time(record, instant);
    return lmdb_put_record(txn, RECORD_COUNTER, &key,
                           (struct pst_bytes){record, sizeof(record)});
}

/*
 * May one be acquired from each counter?
 *   next  what to store in each, if so
 *   wait  the longest wait, in seconds; 0 if so
 */
static int
lmdb_check_counters(const struct lmdb_txn *txn,
                    const struct store_counters *counters,
                    int64_t next[static STORE_COUNTERS_MAX], int64_t *wait)
{
    int64_t longest = 0;
    int64_t instant;
    int64_t one;
    int rc;

    for (size_t i = 0; i < counters->count; i++) {
        const struct store_counter *counter = &counters->items[i];

        rc = lmdb_get_instant(txn, &counter->id, &instant);
        if (rc)
            return rc;
        if (counter->is_count_only)
            next[i] =
                record_counter_count(instant, counter->rate, counters->now);
        else if (!record_counter_acquire(instant, counter->rate, counters->now,
                                         &next[i], &one) &&
                 one > longest)
            longest = one;
    }
    *wait = longest;
    return 0;
}

static int
lmdb_apply_acquire(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const struct store_counters *counters = change->what;
    int64_t next[STORE_COUNTERS_MAX];
    int rc = lmdb_check_counters(txn, counters, next, &change->number);

    if (rc)
        return rc;
    if (change->number > 0) {
        change->result = PST_THROTTLED;
        return LMDB_UNCHANGED;
    }
    for (size_t i = 0; i < counters->count && rc == 0; i++)
        rc = lmdb_put_instant(txn, &counters->items[i].id, next[i]);
    return rc;
}

/* lmdb_check_counters() in a read. */
static enum pst_err
lmdb_peek_counters(struct lmdb_handle *handle,
                   const struct store_counters *counters, int64_t *retry_after)
{
    int64_t next[STORE_COUNTERS_MAX];
    int64_t wait = 0;
    struct lmdb_txn txn;
    enum pst_err e = lmdb_read_begin(handle, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_check_counters(&txn, counters, next, &wait);
    e = lmdb_read_end(handle, rc, wait > 0 ? PST_THROTTLED : PST_OK);
    if (e == PST_THROTTLED)
        *retry_after = wait;
    return e;
}

enum pst_err
lmdb_counter_acquire(struct store *base, const struct store_counters *counters,
                     int64_t *retry_after)
{
    struct lmdb_handle *handle = lmdb_handle_from_base(base);
    struct lmdb_change change = {
        .apply = lmdb_apply_acquire, .now = counters->now, .grows = true};
    enum pst_err e;

    /* The attack: a flood of attempts that are refused anyway must not queue
     * for the write lock, which real logins need. */
    e = lmdb_peek_counters(handle, counters, retry_after);
    if (e)
        return e;
    change.what = store_copy_counters(counters);
    e = lmdb_write(handle, &change);
    if (e == PST_THROTTLED)
        *retry_after = change.number;
    return e;
}

/* Takes the level of the previous counter, and returns that of this one. */
static int64_t
lmdb_refund_counter(const struct store_counter *counter, int64_t now,
                    int64_t previous, int64_t *instant)
{
    int64_t level = record_counter_level(*instant, counter->rate, now);

    if (counter->reset_all)
        *instant = 0;
    else if (counter->as_previous)
        *instant =
            record_counter_reduce(*instant, counter->rate, now, previous);
    else
        *instant = record_counter_refund(*instant, counter->rate, now);
    return level;
}

static int
lmdb_apply_refund(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const struct store_counters *counters = change->what;
    int64_t level = 0;
    int64_t instant;
    int rc = 0;

    change->number = 0;
    for (size_t i = 0; i < counters->count && rc == 0; i++) {
        const struct store_counter *counter = &counters->items[i];

        rc = lmdb_get_instant(txn, &counter->id, &instant);
        if (rc)
            return rc;
        level = lmdb_refund_counter(counter, counters->now, level, &instant);
        change->number += level > 0;
        rc = lmdb_put_instant(txn, &counter->id, instant);
    }
    return rc;
}

enum pst_err
lmdb_counter_refund(struct store *base, const struct store_counters *counters,
                    int64_t *in_use)
{
    struct lmdb_change change = {.apply = lmdb_apply_refund,
                                 .now = counters->now,
                                 .applies_late = true,
                                 .what = store_copy_counters(counters)};
    enum pst_err e = lmdb_write(lmdb_handle_from_base(base), &change);

    if (!e)
        *in_use = change.number;
    return e;
}
