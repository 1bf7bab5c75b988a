/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_handle.c - LMDB handles in several threads, also while another
 * process makes the map larger.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "stores.h"

#define SMALL_MAP "1M"
#define LARGE_MAP (16 * 1024 * 1024)
#define LARGE_RECORDS 800 /* of 8000 bytes: more than the small map holds */

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

static void *
read_and_end(void *argument)
{
    unsigned *index = argument;
    struct store *store = stores_open(&stores, "shop");
    unsigned wrong = 0;

    for (unsigned i = 0; i < 50; i++) {
        struct store_id sid = stores_id(*index * 1000 + i);

        wrong += store_revoke(store, &sid, NULL, NOW + 60, NOW) != PST_OK;
        wrong += store_check(store, &sid, NULL, NOW) != PST_REVOKED;
    }
    store_close(&store);
    *index = wrong;
    return NULL;
}

static void
test_threads(void **state)
{
    pthread_t threads[4];
    unsigned indices[4] = {1, 2, 3, 4};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, read_and_end, &indices[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(indices[i], 0);
    }
}

/* A larger map. */

static void
open_small(struct store **store)
{
    char url[160];

    (void)snprintf(url, sizeof(url), "%s?size=" SMALL_MAP, stores.url);
    *store = stores_open_url(url, "shop");
}

/* In another process: fill more than the small map holds. */
static int
grow(int begin)
{
    static const uint8_t bytes[8000];
    const struct pst_bytes parts[2] = {{bytes, sizeof(bytes)}, {NULL, 0}};
    struct lmdb_environment environment;
    struct lmdb_txn txn = {.environment = &environment,
                           .tag = (const uint8_t *)"another-"};
    char folder[128];
    char byte;
    int rc;

    (void)snprintf(folder, sizeof(folder), "%s/lmdb", stores.folder);
    if (read(begin, &byte, 1) != 1 ||
        lmdb_environment_open(&environment, folder, LARGE_MAP) != 0)
        return 1;
    for (unsigned i = 0; i < LARGE_RECORDS; i++) {
        struct store_id id = stores_id(i);
        struct lmdb_key key = lmdb_key_make(&txn, &id, NULL);

        rc = lmdb_write_begin(&environment, &txn.handle);
        if (rc == 0)
            rc = lmdb_put_value(&txn, RECORD_SPILL, &key, parts);
        if (rc == 0)
            rc = lmdb_write_commit(txn.handle);
        if (rc)
            return 2;
    }
    lmdb_environment_close(&environment);
    return 0;
}

/* Start the process that grows the map, before there are threads. It begins
 * when it can read a byte from *begin. */
static pid_t
start_growing(int *begin)
{
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(grow(ends[0]));
    close(ends[0]);
    *begin = ends[1];
    return child;
}

/* Let it begin, and wait for its end. */
static void
finish_growing(pid_t child, int begin)
{
    int status = -1;

    assert_int_equal(write(begin, "x", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(begin);
}

/* The first use after that is a read, or a write. */
static void
check_first_use(bool is_write)
{
    struct store_id sid = stores_id(1);
    struct store *store;
    int begin;
    pid_t child = start_growing(&begin);

    open_small(&store);
    stores_expect(store, "small", store_ping(store, NOW), PST_OK);
    finish_growing(child, begin);
    stores_expect(store, "the first use",
                  is_write ? store_revoke(store, &sid, NULL, NOW + 60, NOW)
                           : store_check(store, &sid, NULL, NOW),
                  PST_OK);
    store_close(&store);
}

static void
test_larger_map_is_read(void **state)
{
    (void)state;
    check_first_use(false);
}

static void
test_larger_map_is_written(void **state)
{
    (void)state;
    check_first_use(true);
}

static atomic_bool is_over;

static void *
use_until_over(void *argument)
{
    unsigned *index = argument;
    struct store_id revoked = stores_id(*index); /* one: the map is small */
    struct store *store;
    unsigned wrong = 0;

    open_small(&store);
    for (unsigned i = 0; !atomic_load(&is_over); i++) {
        struct store_id sid = stores_id(*index * 1000000 + i);

        wrong += store_check(store, &sid, NULL, NOW) != PST_OK;
        if (i % 16 == 0)
            wrong += store_revoke(store, &revoked, NULL, NOW, NOW) != PST_OK;
    }
    store_close(&store);
    *index = wrong;
    return NULL;
}

/* Threads that use the map while it grows adopt it, too. */
static void
test_larger_map(void **state)
{
    struct store_id sid = stores_id(4);
    unsigned indices[3] = {1, 2, 3};
    pthread_t threads[3];
    struct store *store;
    int begin;
    pid_t child = start_growing(&begin);

    (void)state;
    open_small(&store);
    stores_expect(store, "small", store_ping(store, NOW), PST_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_until_over, &indices[i]), 0);
    finish_growing(child, begin);
    stores_expect(store, "a read", store_check(store, &sid, NULL, NOW), PST_OK);
    stores_expect(store, "a write",
                  store_revoke(store, &sid, NULL, NOW + 60, NOW), PST_OK);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(indices[i], 0);
    }
    store_close(&store);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_threads),
        TEST(test_larger_map_is_read),
        TEST(test_larger_map_is_written),
        TEST(test_larger_map),
    };

    return cmocka_run_group_tests_name("lmdb_handle", tests, NULL, NULL);
}
