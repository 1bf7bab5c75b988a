/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_store.c - a map or a disk that is full: new sessions are refused,
 * revocations still work, and no change is applied in part.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/limits.h"
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

/* A full map. */

static struct store *
open_small(const char *size)
{
    char url[160];

    (void)snprintf(url, sizeof(url), "%s?size=%s", stores.url, size);
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

/* Log the n-th user in. */
static enum pst_err
log_in(struct store *store, unsigned n)
{
    const struct store_session session = {.sid = stores_id(n),
                                          .subject = stores_id(n),
                                          .created = NOW,
                                          .expires = NOW + 3600};

    return stores_add(store, &session, 0, NOW);
}

static unsigned
log_in_until_full(struct store *store)
{
    unsigned count = 0;

    while (log_in(store, count) == PST_OK)
        count++;
    assert_true(count > 500);
    return count;
}

/* No change is applied in part; and revoking a session works: the last tenth of
 * the map is kept for that. */
static void
test_full(void **state)
{
    struct store *store = open_small("4M");
    struct store_counter counter = {.id = stores_id(1), .rate = {1, 60}};
    struct store_session session = {.created = NOW, .expires = NOW + 60};
    struct store_counters counters = {&counter, 1, NOW};
    int64_t retry_after;
    unsigned kept;
    size_t count = 99;

    (void)state;
    kept = log_in_until_full(store);
    assert_non_null(strstr(store_error(store), "MDB_MAP_FULL"));
    assert_non_null(strstr(store_error(store), "size="));
    stores_expect(store, "a login", stores_add(store, &session, 0, NOW),
                  PST_STORE_DOWN);
    stores_expect(store, "none of it",
                  store_session_count(store, &session.subject, NOW, &count),
                  PST_OK);
    assert_int_equal(count, 0);
    stores_expect(store, "a guess",
                  store_counter_acquire(store, &counters, &retry_after),
                  PST_STORE_DOWN);
    for (unsigned i = 0; i < kept && i < 100; i++) {
        struct store_id id = stores_id(i);

        stores_expect(store, "still read", store_check(store, &id, NULL, NOW),
                      PST_OK);
        stores_expect(store, "end", store_revoke(store, &id, &id, NOW + 1, NOW),
                      PST_OK);
        stores_expect(store, "check", store_check(store, &id, NULL, NOW),
                      PST_REVOKED);
    }
    stores_expect(store, "sweep", store_sweep(store, 9999, NOW + 4000, NULL),
                  PST_OK);
    stores_expect(store, "room again", log_in(store, kept), PST_OK);
    store_close(&store);
}

/* Slots for readers in the lock file. */
#define READERS 4096

/* To find out how full the map is needs a reader as well. When that failed, the
 * log said only "start this program again". */
static void
test_no_reader_left(void **state)
{
    struct store *store = open_small("1M");
    struct store_id sid = stores_id(1);
    struct store **readers = calloc(READERS, sizeof(struct store *));
    unsigned last = 0;
    enum pst_err e = PST_OK;

    (void)state;
    assert_non_null(readers);
    stores_expect(store, "it has a slot", store_check(store, &sid, NULL, NOW),
                  PST_OK);
    for (unsigned i = 0; i < READERS && e == PST_OK; i++) {
        readers[i] = open_small("1M");
        e = store_check(readers[i], &sid, NULL, NOW);
        last = i;
    }
    stores_expect(NULL, "one reader too many", e, PST_STORE_DOWN);
    assert_non_null(strstr(store_error(readers[last]), "read it: run fewer"));
    (void)log_in_until_full(store);
    assert_non_null(strstr(store_error(store), "read it: run fewer"));
    for (unsigned i = 0; i < READERS; i++)
        store_close(&readers[i]);
    free(readers);
    store_close(&store);
}

/* A full disk: here, a file that may not grow. */
static unsigned
fill_disk(unsigned index)
{
    struct store *store = stores_open(&stores, "shop");
    struct rlimit limit;
    unsigned kept = 0;
    unsigned wrong = 0;

    (void)index;
    wrong += getrlimit(RLIMIT_FSIZE, &limit) != 0;
    limit.rlim_cur = 200000;
    wrong += setrlimit(RLIMIT_FSIZE, &limit) != 0;
    while (kept < 99 && spill(store, kept, NOW + 3600) == PST_OK)
        kept++;
    wrong += kept < 5 || kept > 30;
    wrong += strstr(store_error(store), "lmdb:") == NULL;
    wrong += spill(store, kept, NOW + 3600) != PST_STORE_DOWN;
    limit.rlim_cur = limit.rlim_max;
    wrong += setrlimit(RLIMIT_FSIZE, &limit) != 0;
    wrong += spill(store, kept + 1, NOW + 3600) != PST_OK;
    store_close(&store);
    return wrong > 0 ? 101 : kept;
}

/* No change is applied in part, and writes work again when there is room. */
static void
test_full_disk(void **state)
{
    struct pst_arena *arena = NULL;
    struct pst_bytes blob;
    struct store *store;
    unsigned kept;

    (void)state;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    kept = stores_fork(1, fill_disk);
    assert_int_equal(pst_arena_new(&arena, PST_ARENA_SIZE), PST_OK);
    store = stores_open(&stores, "shop");
    for (unsigned i = 0; i <= kept + 1; i++) {
        struct store_id sid = stores_id(i);

        pst_arena_reset(arena);
        stores_expect(store, i == kept ? "refused" : "kept",
                      store_spill_get(store, &sid, NOW, arena, &blob),
                      i == kept ? PST_NOT_FOUND : PST_OK);
    }
    store_close(&store);
    pst_arena_free(&arena);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_full),
        TEST(test_full_disk),
        TEST(test_no_reader_left),
    };

    return cmocka_run_group_tests_name("lmdb_store", tests, NULL, NULL);
}
