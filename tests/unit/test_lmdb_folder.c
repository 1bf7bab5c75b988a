/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_folder.c - LMDB folders: modes, owners, errors; one environment for
 * all handles of a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_clock.h"
#include "store/store_lock.h"
#include "store/store_operations.h"
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
    /* A hole in it would be a SIGBUS on a full disk. */
    assert_true(found.st_blocks * 512 >= found.st_size);
    assert_true(found.st_size > 4096);
    store_close(&store);
}

/* A user who may write to the folder may replace its files. */
static void
test_open_folder(void **state)
{
    static const mode_t modes[] = {0770, 0702, 02707, 02777, 02775, 02771};
    struct store_id sid = stores_id(1);
    struct store *store;
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/lmdb", stores.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < PST_COUNT(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        store = stores_open(&stores, "shop");
        stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                      PST_STORE_DOWN);
        assert_non_null(strstr(store_error(store), "chmod 700 it"));
        store_close(&store);
    }
}

/* What fstat(2) says of a file of the store. */
static struct stat
stat_file(const char *name)
{
    struct stat found;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/lmdb/%s", stores.folder, name);
    assert_int_equal(lstat(path, &found), 0);
    return found;
}

static void
make_shared_folder(char path[static 128])
{
    (void)snprintf(path, 128, "%s/lmdb", stores.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(path, (uid_t)-1, NOBODY), 0);
    assert_int_equal(chmod(path, 02770), 0);
}

/* In a folder that a group shares, the files are the group's, whatever the
 * umask; and those that were their owner's alone become so. */
static void
check_shared_files(const char *path, gid_t group)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "order"};
    char file[160];

    for (int round = 0; round < 2; round++) {
        struct store *store = stores_open(&stores, "shop");
        struct store_lock lock = {.place.id = stores_id(1)};

        stores_expect(store, "ping", store_ping(store, NOW), PST_OK);
        assert_int_equal(store->backend->lock(store, &lock), PST_OK);
        store->backend->unlock(store, &lock);
        for (size_t i = 0; i < PST_COUNT(files); i++) {
            struct stat found = stat_file(files[i]);

            assert_int_equal(found.st_mode & 07777, 0660);
            assert_int_equal(found.st_gid, group);
            (void)snprintf(file, sizeof(file), "%s/%s", path, files[i]);
            assert_int_equal(chmod(file, 0600), 0);
            assert_int_equal(chown(file, (uid_t)-1, getgid()), 0);
        }
        store_close(&store);
    }
}

static void
test_shared_folder(void **state)
{
    static const gid_t groups[] = {NOBODY};
    bool is_root = geteuid() == 0;
    mode_t mask = umask(0077);
    char path[128];

    (void)state;
    make_shared_folder(path);
    if (is_root) {
        assert_int_equal(chmod(stores.folder, 0711), 0);
        assert_int_equal(chown(path, 1001, NOBODY), 0);
        assert_int_equal(chmod(path, 02770), 0);
        assert_int_equal(setgroups(1, groups), 0);
        assert_int_equal(seteuid(1001), 0);
    }
    check_shared_files(path, is_root ? NOBODY : getegid());
    if (is_root) {
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(setgroups(0, NULL), 0);
    }
    (void)umask(mask);
}

/* In a child process that is the user n of the group: ping the store, and do
 * what `then` says. Returns the child's exit status. */
static int
run_as_member(uid_t user, void (*then)(struct store *store))
{
    static const gid_t group = NOBODY;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct store *store;

        (void)umask(0077);
        if (setgroups(1, &group) != 0 || setgid(user) != 0 || setuid(user) != 0)
            _exit(2);
        store = stores_open(&stores, "shop");
        status = store_ping(store, NOW) == PST_OK ? 0 : 1;
        if (status == 1 && !strstr(store_error(store), "chmod 660 them"))
            status = 3;
        if (then)
            then(store);
        store_close(&store);
        _exit(status);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* A file that a member of the group moved here stays its owner's alone; and
 * nobody who locks the folder makes others wait. */
static void
test_file_that_is_not_of_the_store(void **state)
{
    char path[128];
    char file[160];
    int folder;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(stores.folder, 0711), 0);
    make_shared_folder(path);
    (void)snprintf(file, sizeof(file), "%s/data.mdb", path);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a file with a secret in it", 26), 26);
    close(fd);
    assert_int_equal(chown(file, 1001, 1001), 0);
    assert_int_equal(run_as_member(1001, NULL), 3); /* MDB_INVALID */
    assert_int_equal(stat_file("data.mdb").st_mode & 0777, 0600);
    assert_int_equal(stat_file("data.mdb").st_gid, 1001);
    assert_int_equal(unlink(file), 0);
    folder = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(folder, LOCK_EX), 0);
    assert_int_equal(run_as_member(1001, NULL), 0);
    close(folder);
}

/* Die as kill -9 does. */
static void
die(struct store *store)
{
    (void)store;
    (void)raise(SIGKILL);
}

/* Members of the group use one store, whoever was first, and when one of them
 * was killed. Only root can try it. */
static void
test_two_users(void **state)
{
    char path[128];
    char file[160];

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(stores.folder, 0711), 0);
    make_shared_folder(path);
    assert_int_equal(run_as_member(1001, NULL), 0);
    assert_int_equal(stat_file("data.mdb").st_uid, 1001);
    assert_int_equal(run_as_member(1002, die), -SIGKILL);
    assert_int_equal(run_as_member(1001, die), -SIGKILL);
    assert_int_equal(run_as_member(1002, NULL), 0);
    /* Only its owner can use it, and does so again for all. */
    (void)snprintf(file, sizeof(file), "%s/data.mdb", path);
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(run_as_member(1002, NULL), 1);
    assert_int_equal(run_as_member(1001, NULL), 0);
    assert_int_equal(run_as_member(1002, NULL), 0);
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

/* LMDB would follow the link, and change a file of root. */
static void
test_root(void **state)
{
    static const struct {
        uid_t owner;
        mode_t mode;
    } cases[] = {{1001, 0700}, {1001, 02770}, {0, 02770}};
    char path[128];
    char file[160];
    char link[160];
    struct stat found;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    (void)snprintf(path, sizeof(path), "%s/lmdb", stores.folder);
    (void)snprintf(file, sizeof(file), "%s/roots", stores.folder);
    (void)snprintf(link, sizeof(link), "%s/lock.mdb", path);
    assert_int_equal(mkdir(path, 0700), 0);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(symlink(file, link), 0);
    for (size_t i = 0; i < PST_COUNT(cases); i++) {
        assert_int_equal(chown(path, cases[i].owner, NOBODY), 0);
        assert_int_equal(chmod(path, cases[i].mode), 0);
        expect_open_error(NULL, "root does not open a store that another");
        assert_int_equal(stat(file, &found), 0);
        assert_int_equal(found.st_size, 0);
        assert_int_equal(found.st_mode & 07777, 0600);
    }
    assert_int_equal(unlink(link), 0);
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

#ifndef __SANITIZE_ADDRESS__ /* it reports SIGBUS itself */
/* In a child: open a store, and read beyond the end of a mapped file. */
static void
fail_in_child(int out)
{
    struct store *store = stores_open(&stores, "shop");
    char path[160];
    volatile uint8_t *map;
    int file;

    dup2(out, STDERR_FILENO);
    (void)snprintf(path, sizeof(path), "%s/lmdb/order", stores.folder);
    file = open(path, O_RDONLY);
    map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    (void)map[0];
    store_close(&store);
    _exit(0);
}

static void
test_bus_error_is_reported(void **state)
{
    static char text[1024];
    int ends[2];
    int status = 0;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fail_in_child(ends[1]);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    assert_non_null(strstr(text, "postern: SIGBUS: a file of the LMDB store"));
}
#endif

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_open_folder),
        TEST(test_shared_folder),
        TEST(test_two_users),
        TEST(test_not_permitted),
        TEST(test_missing_folder),
        TEST(test_no_folder),
        TEST(test_two_handles),
        TEST(test_root),
        TEST(test_file_that_is_not_of_the_store),
#ifndef __SANITIZE_ADDRESS__
        TEST(test_bus_error_is_reported),
#endif
    };

    return cmocka_run_group_tests_name("lmdb_folder", tests, NULL, NULL);
}
