/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_late.c - L64: the caller of a write leaves while the disk confirms
 * it. So this program has a disk of its own, which takes as long as the test
 * says, and a clock on which a second passes in a moment.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "stores.h"

static struct stores stores;
static struct store *store;
static struct pst_arena *arena;

/* In the place of base/clock.c: a second, the time that a write may take, ends
 * a millisecond after it has begun. */
int64_t
clock_ms(void)
{
    static atomic_int_least64_t now = 1000000;

    return now += 999;
}

int64_t
clock_coarse_ms(void)
{
    return 1000000;
}

void
clock_sleep(int64_t ms)
{
    (void)ms;
}

static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_changed = PTHREAD_COND_INITIALIZER;
static bool is_disk_slow;
static bool is_disk_used;

/* LMDB calls this one. */
__attribute__((visibility("default"))) int
fdatasync(int descriptor)
{
    (void)descriptor;
    pthread_mutex_lock(&disk_lock);
    is_disk_used = true;
    while (is_disk_slow)
        pthread_cond_wait(&disk_changed, &disk_lock);
    pthread_mutex_unlock(&disk_lock);
    return 0;
}

static void
set_disk(bool is_slow)
{
    pthread_mutex_lock(&disk_lock);
    is_disk_slow = is_slow;
    is_disk_used = false;
    pthread_cond_broadcast(&disk_changed);
    pthread_mutex_unlock(&disk_lock);
}

static bool
is_committing(void)
{
    bool is_used;

    pthread_mutex_lock(&disk_lock);
    is_used = is_disk_used;
    pthread_mutex_unlock(&disk_lock);
    return is_used;
}

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    store = stores_open(&stores, "shop");
    return pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK;
}

static int
tear_down(void **state)
{
    (void)state;
    set_disk(false);
    pst_arena_free(&arena);
    store_close(&store);
    stores_stop(&stores);
    return 0;
}

static struct store_session
session_of(unsigned n)
{
    return (struct store_session){.sid = stores_id(n),
                                  .subject = stores_id(100),
                                  .created = NOW,
                                  .expires = NOW + 900};
}

static enum pst_err
begin(unsigned n, bool is_guest)
{
    const struct store_session session = session_of(n);
    const struct store_replacement replacement = {
        .session = &session,
        .is_guest = is_guest,
        .blob = pst_str_bytes(PST_STR("sealed")),
        .now = NOW};
    int64_t since = 0;

    return store_session_replace(store, &replacement, &since);
}

/* The changes before it are over as well. */
static void
wait_for_thread(void)
{
    while (store_ping(store, NOW) != PST_OK)
        continue;
}

static size_t
count_listed(void)
{
    const struct store_id subject = stores_id(100);
    size_t count = 99;

    stores_expect(store, "count",
                  store_session_count(store, &subject, NOW, &count), PST_OK);
    return count;
}

static bool
is_spilled(unsigned n)
{
    const struct store_id sid = stores_id(n);
    struct pst_bytes blob;

    pst_arena_reset(arena);
    return store_spill_get(store, &sid, NOW, arena, &blob) == PST_OK;
}

/* A login that got 503 leaves nothing behind. Those that the thread had no time
 * for are tried again. */
static void
test_begin(void **state)
{
    unsigned first = 0;
    unsigned n;

    (void)state;
    while (begin(first, false) != PST_OK)
        first++;
    n = first;
    assert_int_equal(count_listed(), 1);
    wait_for_thread();
    set_disk(true);
    while (!is_committing()) {
        n++;
        stores_expect(store, "begin", begin(n, n % 2 == 0), PST_STORE_DOWN);
    }
    set_disk(false);
    wait_for_thread();
    assert_int_equal(count_listed(), 1);
    for (unsigned i = first + 1; i <= n; i++)
        assert_false(is_spilled(i));
    while (begin(n, false) != PST_OK)
        continue;
    assert_int_equal(count_listed(), 2);
    assert_true(is_spilled(n));
}

/* It was wanted, and the caller knows only that it may have failed. */
static void
test_revoke(void **state)
{
    const struct store_id sid = stores_id(1);

    (void)state;
    wait_for_thread();
    set_disk(true);
    while (!is_committing())
        stores_expect(store, "revoke",
                      store_revoke(store, &sid, NULL, NOW + 900, NOW),
                      PST_STORE_DOWN);
    stores_expect(store, "not yet", store_check(store, &sid, NULL, NOW),
                  PST_OK);
    set_disk(false);
    wait_for_thread();
    stores_expect(store, "late", store_check(store, &sid, NULL, NOW),
                  PST_REVOKED);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_begin),
        TEST(test_revoke),
    };

    return cmocka_run_group_tests_name("lmdb_late", tests, NULL, NULL);
}
