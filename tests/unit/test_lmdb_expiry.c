/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_expiry.c - expired records are removed in bounded steps, and never
 * too early; counters evict only counters.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "store/lmdb.h"
#include "stores.h"

static struct stores stores;

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    stores_stop(&stores);
    return 0;
}

/* Small maps. */

#define NAMES 1500
#define GUESSED 10 /* names at each end that are guessed */

static struct store *
open_small(void)
{
    char url[160];

    (void)snprintf(url, sizeof(url), "%s?size=1M", stores.url);
    return stores_open_url(url, "shop");
}

static enum pst_err
spill(struct store *store, unsigned n, int64_t expires)
{
    static uint8_t bytes[8000];
    struct store_id sid = stores_id(n);

    return store_spill_put(
        store, &sid, (struct pst_bytes){bytes, sizeof(bytes)}, expires, NOW);
}

/* Expired records make room for new ones, without a sweep by the caller. */
static void
test_full_of_old(void **state)
{
    struct store *store = open_small();
    struct store_session session = {.created = NOW, .expires = NOW + 30};
    unsigned kept = 0;
    enum pst_err e;

    (void)state;
    do {
        session.sid = stores_id(kept);
        session.subject = stores_id(kept++);
        e = stores_add(store, &session, 0, NOW);
    } while (e == PST_OK);
    assert_true(kept > 500);
    stores_expect(store, "ping", store_ping(store, NOW), PST_OK);
    assert_non_null(strstr(store_error(store), "less than a fifth"));
    session.created = NOW + 99;
    session.expires = NOW + 999;
    stores_expect(store, "a minute later",
                  stores_add(store, &session, 0, NOW + 99), PST_OK);
    store_close(&store);
}

/* A wrong password for a name, counted in two budgets. */
static enum pst_err
guess(struct store *store, unsigned name)
{
    const struct store_counter items[] = {
        {.id = stores_id(2 * name), .rate = {10, 900}},
        {.id = stores_id(2 * name + 1), .rate = {100, 2592000}},
    };
    const struct store_counters both = {items, PST_COUNT(items), NOW};
    int64_t retry_after;

    return store_counter_acquire(store, &both, &retry_after);
}

static void
guess_until_throttled(struct store *store, unsigned name)
{
    for (unsigned i = 0; i < 10; i++)
        stores_expect(store, "guess", guess(store, name), PST_OK);
    stores_expect(store, "one more", guess(store, name), PST_THROTTLED);
}

/* L63: made-up names once filled the map with counters, and logins failed. Now
 * counters have a share of the map. The counters that expire first make room.
 * Logins still work. A guessed name stays limited. */
static void
test_full_of_names(void **state)
{
    struct store *store = open_small();
    struct store_session session = {.created = NOW, .expires = NOW + 60};
    unsigned name = 0;

    (void)state;
    for (unsigned round = 1; round <= 2; round++) {
        while (name < round * NAMES - GUESSED)
            stores_expect(store, "made up", guess(store, name++), PST_OK);
        while (name < round * NAMES)
            guess_until_throttled(store, name++);
    }
    while (name < 3 * NAMES)
        stores_expect(store, "made up", guess(store, name++), PST_OK);
    for (unsigned i = 1; i <= GUESSED; i++) {
        stores_expect(store, "guessed at", guess(store, NAMES - i),
                      PST_THROTTLED);
        stores_expect(store, "guessed at later", guess(store, 2 * NAMES - i),
                      PST_THROTTLED);
    }
    for (unsigned i = 0; i < 1000; i++) {
        session.sid = stores_id(i);
        session.subject = stores_id(i);
        stores_expect(store, "a login", stores_add(store, &session, 0, NOW),
                      PST_OK);
    }
    store_close(&store);
}

/* Sweeping. */

static void
test_sweep(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_session session = {.subject = stores_id(1), .created = NOW};
    struct store_sweep_result swept = {0, 0};

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        session.sid = stores_id(i);
        session.expires = NOW + 100 + i;
        stores_expect(store, "add", stores_add(store, &session, 0, NOW),
                      PST_OK);
    }
    session.sid = stores_id(0);
    stores_expect(store, "longer",
                  stores_touch(store, &session, NOW + 500, NOW + 1), PST_OK);
    /* The since record, which notes the newest session, expires a minute
     * after it. */
    stores_expect(store, "early", store_sweep(store, 50, NOW + 99, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 1);
    stores_expect(store, "some", store_sweep(store, 5, NOW + 300, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 4); /* of five entries, one was moved */
    stores_expect(store, "rest", store_sweep(store, 50, NOW + 300, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 15);
    stores_expect(store, "last", store_sweep(store, 50, NOW + 500, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 1);
    stores_expect(store, "none", store_sweep(store, 50, NOW + 9999, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 0);
    store_close(&store);
}

/* A record written again with an earlier expiry is removed at that time. */
static void
test_sweep_earlier_than_before(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_sweep_result swept = {0, 0};

    (void)state;
    stores_expect(store, "first", spill(store, 1, NOW + 1000), PST_OK);
    stores_expect(store, "again", spill(store, 1, NOW + 10), PST_OK);
    stores_expect(store, "sweep", store_sweep(store, 9, NOW + 500, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 1);
    store_close(&store);
}

/* A session stays revoked as long as it is valid by any accepted clock. */
static void
test_sweep_ended(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(1);
    struct store_id subject = stores_id(2);
    struct store_sweep_result swept = {99, 99};

    (void)state;
    stores_expect(store, "end", store_revoke(store, &sid, NULL, NOW + 10, NOW),
                  PST_OK);
    stores_expect(store, "longer",
                  store_revoke(store, &sid, NULL, NOW + 20, NOW), PST_OK);
    stores_expect(store, "all", store_revoke_all(store, &subject, NOW, NULL),
                  PST_OK);
    stores_expect(
        store, "sweep",
        store_sweep(store, 9, NOW + 20 + PST_CLOCK_SKEW_MAX - 1, &swept),
        PST_OK);
    assert_int_equal(swept.removed, 0);
    stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                  PST_REVOKED);
    stores_expect(store, "sweep",
                  store_sweep(store, 9, NOW + 20 + PST_CLOCK_SKEW_MAX, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 1);
    stores_expect(store, "sweep",
                  store_sweep(store, 9,
                              NOW + PST_LIFETIME_MAX + PST_CLOCK_SKEW_MAX - 1,
                              &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 0);
    stores_expect(store, "sweep",
                  store_sweep(store, 9,
                              NOW + PST_LIFETIME_MAX + PST_CLOCK_SKEW_MAX,
                              &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 1);
    store_close(&store);
}

/* `postern gc` once stopped after 1000 entries of deleted records. It had
 * removed nothing and took that for the end of the index. All later expired
 * records stayed. */
static void
test_sweep_deleted(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_sweep_result swept = {0, 0};
    struct store_id subject = stores_id(1);
    int64_t retry_after;
    size_t removed = 0;
    size_t steps = 0;

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        struct store_counter counter = {
            .id = stores_id(i), .rate = {1, 60}, .reset_all = true};
        struct store_counters counters = {&counter, 1, NOW};

        stores_expect(store, "take",
                      store_counter_acquire(store, &counters, &retry_after),
                      PST_OK);
        stores_expect(store, "give", store_counter_refund(store, &counters),
                      PST_OK);
    }
    stores_expect(store, "end",
                  store_revoke(store, &subject, NULL, NOW + 60, NOW), PST_OK);
    do {
        stores_expect(store, "sweep", store_sweep(store, 20, NOW + 600, &swept),
                      PST_OK);
        removed += swept.removed;
        steps++;
    } while (swept.examined == 20);
    assert_int_equal(removed, 1);
    assert_int_equal(steps, 2);
    assert_int_equal(swept.examined, 11);
    store_close(&store);
}

/* Put keys that we never wrote in front of all entries of the index. */
static void
plant_foreign_entries(const char *folder, size_t map_size)
{
    static const size_t lens[] = {1,
                                  3,
                                  LMDB_EXPIRY_HEAD_LEN - 1,
                                  LMDB_EXPIRY_HEAD_LEN,
                                  LMDB_EXPIRY_HEAD_LEN + LMDB_TAG_LEN - 1,
                                  LMDB_EXPIRY_HEAD_LEN + LMDB_KEY_MAX + 1};
    const struct pst_bytes nothing[2] = {{NULL, 0}, {NULL, 0}};
    struct lmdb_environment environment;
    struct lmdb_txn txn = {.environment = &environment};
    struct {
        struct lmdb_key key;
        uint8_t more[8];
    } foreign = {.key = {.len = 0}};

    assert_int_equal(lmdb_environment_open(&environment, folder, map_size), 0);
    assert_int_equal(lmdb_write_begin(&environment, &txn.handle), 0);
    for (unsigned table = LMDB_EXPIRY; table < LMDB_TABLES; table++)
        for (size_t i = 0; i < PST_COUNT(lens); i++) {
            foreign.key.len = lens[i];
            assert_int_equal(lmdb_put_value(&txn, table, &foreign.key, nothing),
                             0);
        }
    assert_int_equal(lmdb_write_commit(txn.handle), 0);
    lmdb_environment_close(&environment);
}

/* One entry of an unknown format once blocked the removal of all later entries.
 * Now it is deleted. It counts as examined, so a sweep step stays short. */
static void
test_sweep_foreign(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_sweep_result swept = {0, 0};

    (void)state;
    stores_expect(store, "put", spill(store, 1, NOW + 10), PST_OK);
    store_close(&store);
    plant_foreign_entries(stores.url + strlen("lmdb:"), 16 << 20);
    store = stores_open(&stores, "shop");
    stores_expect(store, "a step", store_sweep(store, 4, NOW + 500, &swept),
                  PST_OK);
    assert_int_equal(swept.examined, 4);
    assert_int_equal(swept.removed, 0);
    stores_expect(store, "all", store_sweep(store, 50, NOW + 500, &swept),
                  PST_OK);
    assert_int_equal(swept.removed, 1);
    assert_int_equal(swept.examined, 2 + 1 + 6 + 6 + 6);
    stores_expect(store, "none", store_sweep(store, 50, NOW + 500, &swept),
                  PST_OK);
    assert_int_equal(swept.examined, 0);
    store_close(&store);
}

/* It also kept counters from evicting each other, so made-up names could fill
 * the map. */
static void
test_evict_foreign(void **state)
{
    struct store *store = open_small();
    unsigned name = 0;

    (void)state;
    while (name < NAMES)
        stores_expect(store, "made up", guess(store, name++), PST_OK);
    store_close(&store);
    plant_foreign_entries(stores.url + strlen("lmdb:"), 1 << 20);
    store = open_small();
    while (name < 4 * NAMES)
        stores_expect(store, "made up", guess(store, name++), PST_OK);
    store_close(&store);
}

/* Each write removes some expired records, so the file does not grow. */
static void
test_share(void **state)
{
    struct store *store = open_small();
    struct store_sweep_result left = {99, 99};

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        struct store_counter counter = {.id = stores_id(i), .rate = {1, 1}};
        struct store_counters counters = {&counter, 1, NOW + i};
        int64_t retry_after;

        stores_expect(store, "take",
                      store_counter_acquire(store, &counters, &retry_after),
                      PST_OK);
    }
    stores_expect(store, "sweep", store_sweep(store, 9999, NOW + 9999, &left),
                  PST_OK);
    assert_true(left.removed < 5);
    stores_expect(store, "ping", store_ping(store, NOW + 3000), PST_OK);
    assert_string_equal(store_error(store), "");
    store_close(&store);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_full_of_old),   TEST(test_full_of_names),
        TEST(test_sweep),         TEST(test_sweep_earlier_than_before),
        TEST(test_sweep_ended),   TEST(test_sweep_deleted),
        TEST(test_sweep_foreign), TEST(test_evict_foreign),
        TEST(test_share),
    };

    return cmocka_run_group_tests_name("lmdb_expiry", tests, NULL, NULL);
}
