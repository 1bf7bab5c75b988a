/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_handle.c - LMDB handles in several threads, also while another
 * process makes the map larger, and after the disk has refused a write.
 */
#undef _FILE_OFFSET_BITS /* pwrite() and pwrite64() are both ours */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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

/* A disk that refuses a write. */

static atomic_uint write_fails_at; /* 1: the next pwrite(); 0: none */

static ssize_t
write_or_fail(const char *name, int descriptor, const void *bytes, size_t size,
              off_t offset)
{
    ssize_t (*write_at)(int, const void *, size_t, off_t);
    void *found = dlsym(RTLD_NEXT, name);

    assert_non_null(found);
    memcpy(&write_at, &found, sizeof(write_at));
    if (write_fails_at > 0 && --write_fails_at == 0) {
        errno = EIO;
        return -1;
    }
    return write_at(descriptor, bytes, size, offset);
}

/* In the place of the C library's. LMDB uses one of them. */
#pragma GCC visibility push(default)
ssize_t
pwrite(int descriptor, const void *bytes, size_t size, off_t offset)
{
    return write_or_fail("pwrite", descriptor, bytes, size, offset);
}

ssize_t
pwrite64(int descriptor, const void *bytes, size_t size, off_t offset)
{
    return write_or_fail("pwrite64", descriptor, bytes, size, offset);
}

#pragma GCC visibility pop

/* After a failure of the last page, LMDB refuses all work until its files are
 * opened again. The next use does that, whoever's it is. */
static void
check_failing_writes(bool is_write)
{
    struct store *store = stores_open(&stores, "shop");
    struct store *other = stores_open(&stores, "shop");
    struct store_id kept = stores_id(1);
    unsigned failures = 0;

    stores_expect(store, "first",
                  store_revoke(store, &kept, NULL, NOW + 60, NOW), PST_OK);
    for (unsigned n = 1; n < 100; n++) {
        struct store_id sid = stores_id(100 + n);
        enum pst_err e;

        write_fails_at = n;
        e = store_revoke(store, &sid, NULL, NOW + 60, NOW);
        if (write_fails_at > 0)
            break; /* the n-th call was not made */
        stores_expect(store, "failing", e, PST_STORE_DOWN);
        failures++;
        if (is_write)
            stores_expect(other, "a write",
                          store_revoke(other, &sid, NULL, NOW + 60, NOW),
                          PST_OK);
        stores_expect(other, "a read", store_check(other, &kept, NULL, NOW),
                      PST_REVOKED);
        stores_expect(store, "a read", store_check(store, &sid, NULL, NOW),
                      is_write ? PST_REVOKED : PST_OK);
    }
    assert_true(failures > 0 && write_fails_at > 0);
    write_fails_at = 0;
    store_close(&other);
    store_close(&store);
}

static void
test_read_after_failing_write(void **state)
{
    (void)state;
    check_failing_writes(false);
}

static void
test_write_after_failing_write(void **state)
{
    (void)state;
    check_failing_writes(true);
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
        TEST(test_read_after_failing_write),
        TEST(test_write_after_failing_write),
    };

    return cmocka_run_group_tests_name("lmdb_handle", tests, NULL, NULL);
}
