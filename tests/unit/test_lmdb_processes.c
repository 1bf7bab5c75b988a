/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_processes.c - LMDB in several processes, and kill -9 in the middle
 * of writes, 100 times. Not under ThreadSanitizer, which does not support
 * threads after a fork.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "stores.h"

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

/* Kills itself when all is well: valgrind must not ask it about memory that it
 * inherited and cannot free. */
static void
use_after_fork(void)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(0);

    if (store_check(store, &sid, NULL, NOW) != PST_REVOKED)
        _exit(1);
    sid = stores_id(100);
    if (store_revoke(store, &sid, NULL, NOW + 60, NOW) != PST_OK)
        _exit(2);
    store_close(&store);
    (void)raise(SIGKILL);
}

/* A child process opens its own environment. */
static void
test_fork(void **state)
{
    struct store *store = stores_open(&stores, "shop");
    struct store_id sid = stores_id(0);
    int status = 0;
    pid_t child;

    (void)state;
    stores_expect(store, "end", store_revoke(store, &sid, NULL, NOW + 60, NOW),
                  PST_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        use_after_fork();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    sid = stores_id(100);
    stores_expect(store, "check", store_check(store, &sid, NULL, NOW),
                  PST_REVOKED);
    store_close(&store);
}

/* Kill -9. */

/* Revoke one session after the other, and report each to the parent. */
static void
end_and_report(unsigned first, int pipe)
{
    struct store *store = stores_open(&stores, "shop");

    for (unsigned n = first; n < first + PER_KILL; n++) {
        struct store_id sid = stores_id(n);

        if (store_revoke(store, &sid, NULL, NOW + 3600, NOW) != PST_OK)
            _exit(1);
        if (write(pipe, &n, sizeof(n)) != (ssize_t)sizeof(n))
            _exit(2);
    }
    _exit(3);
}

/* Returns how many sessions it reported before it was killed. */
static unsigned
kill_in_the_middle(unsigned round)
{
    unsigned first = round * PER_KILL;
    unsigned confirmed = first;
    int pipes[2];
    pid_t child;
    int status;

    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipes[0]);
        end_and_report(first, pipes[1]);
    }
    close(pipes[1]);
    /* Each round kills it at another point, during its next write. */
    for (unsigned i = 0; i <= round % 30; i++)
        assert_int_equal(read(pipes[0], &confirmed, sizeof(confirmed)),
                         sizeof(confirmed));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("round %u: it ended by itself, %#x", round, (unsigned)status);
    while (read(pipes[0], &confirmed, sizeof(confirmed)) ==
           (ssize_t)sizeof(confirmed))
        ;
    close(pipes[0]);
    return confirmed - first + 1;
}

static void
test_kill(void **state)
{
    unsigned confirmed[KILLS];

    (void)state;
    for (unsigned round = 0; round < KILLS; round++) {
        struct store_id sid = stores_id(round * PER_KILL + PER_KILL - 1);
        struct store *store;

        confirmed[round] = kill_in_the_middle(round);
        store = stores_open(&stores, "shop");
        for (unsigned i = 0; i < confirmed[round]; i++) {
            struct store_id ended = stores_id(round * PER_KILL + i);

            if (store_check(store, &ended, NULL, NOW) != PST_REVOKED)
                fail_msg("round %u: number %u of %u came back", round, i,
                         confirmed[round]);
        }
        stores_expect(store, "writes",
                      store_revoke(store, &sid, NULL, NOW + 3600, NOW), PST_OK);
        store_close(&store);
    }
    for (unsigned round = 0; round < KILLS; round++) {
        struct store *store = stores_open(&stores, "shop");
        struct store_id ended =
            stores_id(round * PER_KILL + confirmed[round] - 1);

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

/* Many readers, each killed while it holds its slot. */
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
    stores_expect(store, "end", store_revoke(store, &sid, NULL, NOW, NOW),
                  PST_OK);
    store_close(&store);
}

/* Killed while it reads: its slot keeps the pages that it sees. */
static void
read_and_die(int begun)
{
    struct lmdb_environment environment;
    struct MDB_txn *reader = NULL;
    char folder[128];

    (void)snprintf(folder, sizeof(folder), "%s/lmdb", stores.folder);
    if (lmdb_environment_open(&environment, folder, 1 << 20) != 0 ||
        lmdb_reader_begin(&environment, &reader) != 0 ||
        write(begun, "x", 1) != 1)
        _exit(1);
    for (;;)
        (void)pause();
}

/* Pages that a killed reader saw once stayed in use until the next start of a
 * program, while each write took new ones. */
static void
test_killed_while_reading(void **state)
{
    static uint8_t blob[8000];
    struct store_id sid = stores_id(1);
    struct store *store;
    char url[160];
    int begun[2];
    pid_t child;

    (void)state;
    (void)snprintf(url, sizeof(url), "%s?size=1M", stores.url);
    store = stores_open_url(url, "shop");
    assert_int_equal(pipe(begun), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        read_and_die(begun[1]);
    assert_int_equal(read(begun[0], blob, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (unsigned i = 0; i < 500; i++)
        stores_expect(store, "put",
                      store_spill_put(store, &sid,
                                      (struct pst_bytes){blob, sizeof(blob)},
                                      NOW + 60, NOW),
                      PST_OK);
    store_close(&store);
    close(begun[0]);
    close(begun[1]);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_fork),
        TEST(test_kill),
        TEST(test_killed_readers),
        TEST(test_killed_while_reading),
    };

    return cmocka_run_group_tests_name("lmdb_processes", tests, NULL, NULL);
}
