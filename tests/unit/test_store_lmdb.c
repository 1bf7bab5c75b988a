/* SPDX-License-Identifier: ISC */
/*
 * test_store_lmdb.c - what one machine's store survives: a full map, a folder
 * that is none, forks, and kill -9 in the middle of writes.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "limits.h"
#include "stores.h"

/* The promise is 100; under valgrind fewer will do. */
#define KILLS 100
#define PER_KILL 100000

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
    assert_string_equal(store_why(store), "");
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

/* Everybody who might write there might put another file into its place. */
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
    assert_non_null(strstr(store_why(store), "must be 0700"));
    store_close(&store);
}

/* It says why, again and again, and heals when the cause is gone. */
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
    for (int i = 0; i < 3; i++) {
        stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                      PST_STORE_DOWN);
        stores_expect(store, "end", store_end(store, &sid, NULL, NOW, NOW),
                      PST_STORE_DOWN);
        stores_expect(store, "ping", store_ping(store, NOW), PST_STORE_DOWN);
    }
    stores_pause(260);
    stores_expect(store, "ping", store_ping(store, NOW), PST_STORE_DOWN);
    assert_non_null(strstr(store_why(store), "Not a directory"));
    assert_int_equal(unlink(path), 0);
    stores_pause(260);
    stores_expect(store, "healed", store_check(store, &sid, NULL, NOW), PST_OK);
    store_close(&store);
}

/* --- a full map ------------------------------------------------------------
 */

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
    static uint8_t octets[8000];
    struct store_id sid = stores_id(n);

    return store_spill_put(
        store, &sid, (struct pst_bytes){octets, sizeof(octets)}, expires, NOW);
}

/* Nothing half-made; and ending a session, which must work then above all,
 * works: the last tenth of the map is kept for it. */
static void
test_full(void **state)
{
    struct store *store = open_small();
    struct store_counter counter = {.id = stores_id(1), .rate = {1, 60}};
    struct store_session session = {.created = NOW, .expires = NOW + 60};
    struct store_counters counters = {&counter, 1, NOW};
    int64_t retry_after;
    unsigned kept = 0;
    size_t count = 99;

    (void)state;
    while (spill(store, kept, NOW + 3600) == PST_OK)
        kept++;
    assert_true(kept > 50 && kept < 130);
    assert_non_null(strstr(store_why(store), "MDB_MAP_FULL"));
    assert_non_null(strstr(store_why(store), "size="));
    stores_expect(store, "a login", store_session_add(store, &session, 0, NOW),
                  PST_STORE_DOWN);
    stores_expect(store, "none of it",
                  store_session_count(store, &session.subject, NOW, &count),
                  PST_OK);
    assert_int_equal(count, 0);
    stores_expect(store, "a guess", store_take(store, &counters, &retry_after),
                  PST_STORE_DOWN);
    for (unsigned i = 0; i < kept; i++) {
        struct store_id sid = stores_id(i);

        stores_expect(store, "still read", store_check(store, &sid, NULL, NOW),
                      PST_OK);
        stores_expect(store, "end", store_end(store, &sid, NULL, NOW + 1, NOW),
                      PST_OK);
        stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                      PST_REVOKED);
    }
    stores_expect(store, "room again", spill(store, 1, NOW + 3600), PST_OK);
    store_close(&store);
}

/* What has ended makes room for what begins, without a word from outside. */
static void
test_full_of_old(void **state)
{
    struct store *store = open_small();
    struct store_session session = {.created = NOW + 99, .expires = NOW + 999};
    unsigned kept = 0;

    (void)state;
    while (spill(store, kept, NOW + 30) == PST_OK)
        kept++;
    assert_true(kept > 50);
    stores_expect(store, "ping", store_ping(store, NOW), PST_OK);
    assert_non_null(strstr(store_why(store), "less than a fifth"));
    stores_expect(store, "a minute later",
                  store_session_add(store, &session, 0, NOW + 99), PST_OK);
    store_close(&store);
}

/* --- sweeping --------------------------------------------------------------
 */

static void
test_sweep(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_session session = {.subject = stores_id(1), .created = NOW};
    size_t removed = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        session.sid = stores_id(i);
        session.expires = NOW + 100 + i;
        stores_expect(store, "add", store_session_add(store, &session, 0, NOW),
                      PST_OK);
    }
    session.sid = stores_id(0);
    stores_expect(store, "longer",
                  store_session_touch(store, &session.subject, &session.sid,
                                      NOW + 500, NOW + 1),
                  PST_OK);
    /* The note of the newest session goes with a minute's delay. */
    stores_expect(store, "early", store_sweep(store, 50, NOW + 99, &removed),
                  PST_OK);
    assert_int_equal(removed, 1);
    stores_expect(store, "some", store_sweep(store, 5, NOW + 300, &removed),
                  PST_OK);
    assert_int_equal(removed, 4); /* of five, one had moved */
    stores_expect(store, "rest", store_sweep(store, 50, NOW + 300, &removed),
                  PST_OK);
    assert_int_equal(removed, 15);
    stores_expect(store, "last", store_sweep(store, 50, NOW + 500, &removed),
                  PST_OK);
    assert_int_equal(removed, 1);
    stores_expect(store, "none", store_sweep(store, 50, NOW + 9999, &removed),
                  PST_OK);
    assert_int_equal(removed, 0);
    store_close(&store);
}

/* An ended session stays ended as long as any machine may take it. */
static void
test_sweep_ended(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(1);
    struct store_id subject = stores_id(2);
    size_t removed = 99;

    (void)state;
    stores_expect(store, "end", store_end(store, &sid, NULL, NOW + 10, NOW),
                  PST_OK);
    stores_expect(store, "longer", store_end(store, &sid, NULL, NOW + 20, NOW),
                  PST_OK);
    stores_expect(store, "all", store_end_all(store, &subject, NOW, NULL),
                  PST_OK);
    stores_expect(store, "sweep",
                  store_sweep(store, 9, NOW + 20 + PST_SKEW - 1, &removed),
                  PST_OK);
    assert_int_equal(removed, 0);
    stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                  PST_REVOKED);
    stores_expect(store, "sweep",
                  store_sweep(store, 9, NOW + 20 + PST_SKEW, &removed), PST_OK);
    assert_int_equal(removed, 1);
    stores_expect(
        store, "sweep",
        store_sweep(store, 9, NOW + PST_LIFETIME_MAX + PST_SKEW - 1, &removed),
        PST_OK);
    assert_int_equal(removed, 0);
    stores_expect(
        store, "sweep",
        store_sweep(store, 9, NOW + PST_LIFETIME_MAX + PST_SKEW, &removed),
        PST_OK);
    assert_int_equal(removed, 1);
    store_close(&store);
}

/* Whoever writes tidies: the file does not grow with what is over. */
static void
test_share(void **state)
{
    struct store *store = open_small();

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        struct store_counter counter = {.id = stores_id(i), .rate = {1, 1}};
        struct store_counters counters = {&counter, 1, NOW + i};
        int64_t retry_after;

        stores_expect(store, "take", store_take(store, &counters, &retry_after),
                      PST_OK);
    }
    stores_expect(store, "ping", store_ping(store, NOW + 3000), PST_OK);
    assert_string_equal(store_why(store), "");
    store_close(&store);
}

/* --- processes and threads -------------------------------------------------
 */

/* Handles of one process share what may be open only once. */
static void
test_two_handles(void **state)
{
    struct store *one = stores_open(&stores, "shop");
    struct store *two = stores_open(&stores, "shop");
    struct store_id sid = stores_id(1);

    (void)state;
    stores_expect(one, "end", store_end(one, &sid, NULL, NOW + 60, NOW),
                  PST_OK);
    stores_expect(two, "check", store_check(two, &sid, NULL, NOW), PST_REVOKED);
    store_close(&one);
    stores_expect(two, "alone", store_check(two, &sid, NULL, NOW), PST_REVOKED);
    stores_expect(two, "end", store_end(two, &sid, NULL, NOW + 60, NOW),
                  PST_OK);
    store_close(&two);
}

static void *
read_and_end(void *argument)
{
    unsigned *index = argument;
    struct store *store = stores_open(&stores, "shop");
    unsigned wrong = 0;

    for (unsigned i = 0; i < 50; i++) {
        struct store_id sid = stores_id(*index * 1000 + i);

        wrong += store_end(store, &sid, NULL, NOW + 60, NOW) != PST_OK;
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

static unsigned
use_after_fork(unsigned index)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(index);
    unsigned wrong = store_check(store, &sid, NULL, NOW) != PST_REVOKED;

    sid = stores_id(100 + index);
    wrong += store_end(store, &sid, NULL, NOW + 60, NOW) != PST_OK;
    store_close(&store);
    return wrong;
}

/* A child opens its own, whatever its parent has open. */
static void
test_fork(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(0);

    (void)state;
    stores_expect(store, "end", store_end(store, &sid, NULL, NOW + 60, NOW),
                  PST_OK);
    assert_int_equal(stores_fork(1, use_after_fork), 0);
    sid = stores_id(100);
    stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                  PST_REVOKED);
    store_close(&store);
}

/* --- kill -9 ---------------------------------------------------------------
 */

/* End one session after the other, and tell of each that is. */
static void
end_and_tell(unsigned first, int pipe)
{
    struct store *store = stores_open(&stores, "shop");

    for (unsigned n = first; n < first + PER_KILL; n++) {
        struct store_id sid = stores_id(n);

        if (store_end(store, &sid, NULL, NOW + 3600, NOW) != PST_OK)
            _exit(1);
        if (write(pipe, &n, sizeof(n)) != (ssize_t)sizeof(n))
            _exit(2);
    }
    _exit(3);
}

/* Returns how many it told of before it was killed. */
static unsigned
kill_in_the_middle(unsigned round)
{
    unsigned first = round * PER_KILL;
    unsigned told = first;
    int pipes[2];
    pid_t child;
    int status;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipes[0]);
        end_and_tell(first, pipes[1]);
    }
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &told, sizeof(told)), sizeof(told));
    assert_int_equal(usleep(round * 37 % 3000), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("round %u: it ended by itself, %#x", round, (unsigned)status);
    while (read(pipes[0], &told, sizeof(told)) == (ssize_t)sizeof(told))
        ;
    close(pipes[0]);
    return told - first + 1;
}

static void
test_kill(void **state)
{
    unsigned told[KILLS];

    (void)state;
    for (unsigned round = 0; round < KILLS; round++) {
        struct store_id sid = stores_id(round * PER_KILL + PER_KILL - 1);
        struct store *store;

        told[round] = kill_in_the_middle(round);
        store = stores_open(&stores, "shop");
        for (unsigned i = 0; i < told[round]; i++) {
            struct store_id ended = stores_id(round * PER_KILL + i);

            if (store_check(store, &ended, NULL, NOW) != PST_REVOKED)
                fail_msg("round %u: number %u of %u came back", round, i,
                         told[round]);
        }
        stores_expect(store, "writes",
                      store_end(store, &sid, NULL, NOW + 3600, NOW), PST_OK);
        store_close(&store);
    }
    for (unsigned round = 0; round < KILLS; round++) {
        struct store *store = stores_open(&stores, "shop");
        struct store_id ended = stores_id(round * PER_KILL + told[round] - 1);

        stores_expect(store, "at the end",
                      store_check(store, &ended, NULL, NOW), PST_REVOKED);
        store_close(&store);
    }
}

static unsigned
read_and_wait(unsigned index)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(index);

    if (store_check(store, &sid, NULL, NOW) != PST_OK)
        return 1;
    (void)raise(SIGKILL);
    return 2;
}

/* More readers than there are slots, each killed with its slot taken. */
static void
test_killed_readers(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(1);

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            _exit((int)read_and_wait(i));
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    stores_expect(store, "check", store_check(store, &sid, NULL, NOW), PST_OK);
    stores_expect(store, "end", store_end(store, &sid, NULL, NOW, NOW), PST_OK);
    store_close(&store);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_files),          TEST(test_open_folder),
        TEST(test_no_folder),      TEST(test_full),
        TEST(test_full_of_old),    TEST(test_sweep),
        TEST(test_sweep_ended),    TEST(test_share),
        TEST(test_two_handles),    TEST(test_threads),
        TEST(test_fork),           TEST(test_kill),
        TEST(test_killed_readers),
    };

    return cmocka_run_group_tests_name("store_lmdb", tests, NULL, NULL);
}
