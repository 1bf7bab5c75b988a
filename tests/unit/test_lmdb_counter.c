/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_counter.c - counters in LMDB: what a newer program wrote counts as
 * empty, and a refusal does not wait for the write lock.
 */
#include "store/lmdb_handle.h"
#include "stores.h"

static struct stores stores;
static struct store *store;

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    store = stores_open(&stores, "shop");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&store);
    stores_stop(&stores);
    return 0;
}

/* Once a minute. */
static enum pst_err
acquire(struct store *from, int64_t *retry_after)
{
    const struct store_counter counter = {.id = stores_id(1), .rate = {1, 60}};
    const struct store_counters counters = {&counter, 1, NOW};

    return store_counter_acquire(from, &counters, retry_after);
}

/* Overwrite the counter: version 2, and the same length. */
static int
apply_newer(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    struct store_id id = stores_id(1);
    struct lmdb_key key = lmdb_key_make(txn, &id, NULL);
    static const uint8_t record[RECORD_COUNTER_LEN] = {2, 0xff};
    const struct pst_bytes parts[2] = {{record, sizeof(record)}, {NULL, 0}};

    (void)change;
    return lmdb_put_value(txn, RECORD_COUNTER, &key, parts);
}

static void
test_newer_record(void **state)
{
    struct lmdb_change change = {
        .apply = apply_newer, .now = NOW, .what = calloc(1, 1)};
    int64_t retry_after = 0;

    (void)state;
    stores_expect(store, "first", acquire(store, &retry_after), PST_OK);
    stores_expect(store, "second", acquire(store, &retry_after), PST_THROTTLED);
    assert_int_equal(retry_after, 60);
    stores_expect(store, "a newer program",
                  lmdb_write(lmdb_handle_from_base(store), &change), PST_OK);
    stores_expect(store, "empty", acquire(store, &retry_after), PST_OK);
    stores_expect(store, "full", acquire(store, &retry_after), PST_THROTTLED);
}

/* Ask while this transaction holds the write lock. */
static int
apply_acquire(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    struct store *other = stores_open(&stores, "shop");

    (void)txn;
    change->result = acquire(other, &change->number);
    store_close(&other);
    return LMDB_UNCHANGED;
}

/* The attack: a flood of attempts on a throttled account, each of which takes
 * the write lock, keeps everybody else from logging in. */
static void
test_refusal_takes_no_lock(void **state)
{
    struct lmdb_change change = {
        .apply = apply_acquire, .now = NOW, .what = calloc(1, 1)};
    int64_t retry_after = 0;

    (void)state;
    stores_expect(store, "first", acquire(store, &retry_after), PST_OK);
    stores_expect(store, "second",
                  lmdb_write(lmdb_handle_from_base(store), &change),
                  PST_THROTTLED);
    assert_int_equal(change.number, 60);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_newer_record),
        TEST(test_refusal_takes_no_lock),
    };

    return cmocka_run_group_tests_name("lmdb_counter", tests, NULL, NULL);
}
