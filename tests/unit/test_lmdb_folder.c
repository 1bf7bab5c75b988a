/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_folder.c - LMDB folders: modes, owners, errors; one environment for
 * all handles of a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_clock.h"
#include "stores.h"

#define REOPEN_DELAY 250 /* milliseconds, after opening has failed */
#define NOBODY 65534

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

static void
test_files(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    char path[128];
    struct stat found;

    (void)state;
    stores_expect(store, "ping", store_ping(store, NOW), PST_OK);
    assert_string_equal(store_error(store), "");
    (void)snprintf(path, sizeof(path), "%s/lmdb", stores.folder);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    (void)snprintf(path, sizeof(path), "%s/lmdb/data.mdb", stores.folder);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    (void)snprintf(path, sizeof(path), "%s/lmdb/lock.mdb", stores.folder);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    store_close(&store);
}

/* A user who may write to the folder may replace its files. */
static void
test_open_folder(void **state)
{
    struct store_id sid = stores_id(1);
    struct store *store;
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/lmdb", stores.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0770), 0);
    store = stores_open(&stores, "shop");
    stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                  PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "chmod 700 it"));
    store_close(&store);
}

/* EPERM of the kernel is not reported as a wrong mode of the folder: here it
 * means that sysfs does not allow folders. */
static void
test_not_permitted(void **state)
{
    static const char path[] = "/sys/postern";
    struct store_id sid = stores_id(1);
    struct store *store;

    (void)state;
    if (mkdir(path, 0700) == 0)
        assert_int_equal(rmdir(path), 0);
    else if (errno == EPERM) {
        store = stores_open_url("lmdb:/sys/postern", "shop");
        stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                      PST_STORE_DOWN);
        assert_non_null(strstr(store_error(store), "not permitted"));
        store_close(&store);
        return;
    }
    skip();
}

static void
expect_open_error(const char *url, const char *want)
{
    struct store *store =
        url ? stores_open_url(url, "shop") : stores_open(&stores, "shop");

    stores_expect(store, "ping", store_ping(store, NOW), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), want));
    store_close(&store);
}

/* Neither folder can be made, the second for lack of permission. */
static void
test_missing_folder(void **state)
{
    bool is_root = geteuid() == 0;

    (void)state;
    if (is_root && seteuid(NOBODY) != 0)
        skip();
    expect_open_error("lmdb:/nonexistent/x", "/x does not exist: make it");
    expect_open_error("lmdb:/postern-x", "lmdb:/postern-x does not exist: ");
    if (is_root) {
        expect_open_error(NULL, "run this as the owner of the folder");
        assert_int_equal(seteuid(0), 0);
    }
}

/* Each failure has its reason, and the handle works when the cause is gone. */
static void
test_no_folder(void **state)
{
    struct store_id sid = stores_id(1);
    struct store *store;
    char path[128];
    int fd;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/lmdb", stores.folder);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    store = stores_open(&stores, "shop");
    stores_expect(store, "at once", store_ping(store, NOW), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "Not a directory"));
    for (int i = 0; i < 3; i++) {
        stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                      PST_STORE_DOWN);
        stores_expect(store, "end", store_revoke(store, &sid, NULL, NOW, NOW),
                      PST_STORE_DOWN);
        stores_expect(store, "ping", store_ping(store, NOW), PST_STORE_DOWN);
    }
    fake_clock_advance(REOPEN_DELAY);
    stores_expect(store, "ping", store_ping(store, NOW), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "Not a directory"));
    assert_int_equal(unlink(path), 0);
    fake_clock_advance(REOPEN_DELAY - 1);
    stores_expect(store, "not yet", store_check(store, &sid, NULL, NOW),
                  PST_STORE_DOWN);
    fake_clock_advance(1);
    stores_expect(store, "healed", store_check(store, &sid, NULL, NOW), PST_OK);
    store_close(&store);
}

/* Handles of one process share the environment. */
static void
test_two_handles(void **state)
{
    struct store *one = stores_open(&stores, "shop");
    struct store *two = stores_open(&stores, "shop");
    struct store_id sid = stores_id(1);

    (void)state;
    stores_expect(one, "end", store_revoke(one, &sid, NULL, NOW + 60, NOW),
                  PST_OK);
    stores_expect(two, "check", store_check(two, &sid, NULL, NOW), PST_REVOKED);
    store_close(&one);
    stores_expect(two, "alone", store_check(two, &sid, NULL, NOW), PST_REVOKED);
    stores_expect(two, "end", store_revoke(two, &sid, NULL, NOW + 60, NOW),
                  PST_OK);
    store_close(&two);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_files),         TEST(test_open_folder),
        TEST(test_not_permitted), TEST(test_missing_folder),
        TEST(test_no_folder),     TEST(test_two_handles),
    };

    return cmocka_run_group_tests_name("lmdb_folder", tests, NULL, NULL);
}
