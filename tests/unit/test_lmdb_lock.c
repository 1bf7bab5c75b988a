/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_lock.c - the file of locks in an LMDB folder: the kernel frees
 * those of a process that is killed. The rest is in test_store_lock.c.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "store/store_lock.h"
#include "store/store_operations.h"
#include "stores.h"

static struct stores stores;
static struct store *store;
static char path[128]; /* of the file */

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    (void)snprintf(path, sizeof(path), "%s/lmdb/order", stores.folder);
    store = stores_open(&stores, "test");
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

static void
test_killed_holder(void **state)
{
    const struct wait_limit limit = {clock_ms() + 60000, -1};
    struct store_lock lock = {.store = NULL};
    const struct store_id id = stores_id(0);
    bool has_waited;
    int reports[2];
    char word;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(reports), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *own = stores_open(&stores, "test");

        if (store_lock_acquire(own, &lock, &id, &limit, &has_waited) == PST_OK)
            (void)!write(reports[1], "1", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(reports[0], &word, 1), 1);
    lock.place.id = id;
    assert_int_equal(store->backend->lock(store, &lock), PST_OVERLOADED);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(store->backend->lock(store, &lock), PST_OK);
    store->backend->unlock(store, &lock);
    close(reports[0]);
    close(reports[1]);
}

/* It is opened with the folder, so that no request waits for the disk, and is
 * for its owner only. */
static void
test_file(void **state)
{
    struct store_lock lock = {.place.id = stores_id(0)};
    struct stat found;

    (void)state;
    assert_int_equal(store_ping(store, NOW), PST_OK);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(store->backend->lock(store, &lock), PST_OK);
    store->backend->unlock(store, &lock);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode, S_IFREG | 0600);
    assert_int_equal(found.st_size, 0);
}

static void
test_no_file(void **state)
{
    struct store_lock lock = {.place.id = stores_id(0)};

    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    store = stores_open(&stores, "test");
    assert_int_equal(store->backend->lock(store, &lock), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "directory"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_holder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_file, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
