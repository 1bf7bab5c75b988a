/* SPDX-License-Identifier: ISC */
/*
 * test_store_lock.c - one of all processes holds a lock, and none overtakes the
 * one that waits. Built twice, for LMDB and for Redis.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "store/store_lock.h"
#include "store/store_operations.h"
#include "stores.h"

#define PROCESSES 4
#define ROUNDS 25

static struct stores stores;
static struct store *store;
static const struct wait_limit patient = {WAIT_NO_DEADLINE, -1};

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORES_KIND, NULL);
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
acquire(struct store_lock *lock, unsigned id, bool want_waited)
{
    const struct store_id name = stores_id(id);
    bool has_waited;

    stores_expect(store, "acquire",
                  store_lock_acquire(store, lock, &name, &patient, &has_waited),
                  PST_OK);
    assert_int_equal(has_waited, want_waited);
    assert_true(store_lock_is_held(lock));
}

static void
test_one_process(void **state)
{
    struct store_lock first = {.store = NULL};
    struct store_lock other = {.store = NULL};
    struct store_lock second = {.store = NULL};
    const struct store_id id = stores_id(0);
    bool has_waited = false;

    (void)state;
    assert_false(store_lock_is_held(&first));
    store_lock_release(&first);
    acquire(&first, 0, false);
    acquire(&other, 1, false);
    assert_int_equal(
        store_lock_acquire(store, &second, &id,
                           &(struct wait_limit){clock_ms() + 20, -1},
                           &has_waited),
        PST_OVERLOADED);
    assert_true(has_waited);
    assert_false(store_lock_is_held(&second));
    store_lock_release(&first);
    assert_false(store_lock_is_held(&first));
    acquire(&second, 0, false);
    store_lock_release(&second);
    store_lock_release(&other);
}

/* Several processes. */

static int *inside; /* shared by all */

static unsigned
enter_often(unsigned index)
{
    const struct store_id id = stores_id(0);
    struct store *own = stores_open(&stores, "test");
    struct store_lock lock = {.store = NULL};
    unsigned collisions = 0;
    bool has_waited;

    (void)index;
    for (size_t i = 0; i < ROUNDS; i++) {
        if (store_lock_acquire(own, &lock, &id, &patient, &has_waited))
            return 100;
        collisions += __atomic_add_fetch(inside, 1, __ATOMIC_RELAXED) != 1;
        sched_yield();
        __atomic_sub_fetch(inside, 1, __ATOMIC_RELAXED);
        store_lock_release(&lock);
    }
    store_close(&own);
    return collisions;
}

static void
test_processes(void **state)
{
    (void)state;
    inside = mmap(NULL, sizeof(*inside), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(inside != MAP_FAILED);
    assert_int_equal(stores_fork(PROCESSES, enter_often), 0);
    munmap(inside, sizeof(*inside));
}

/* Another process, which does what the test says. */

static int orders[2];
static int reports[2];

static void
say(int descriptor, char word)
{
    assert_int_equal(write(descriptor, &word, 1), 1);
}

static char
hear(int descriptor)
{
    char word = 0;

    return read(descriptor, &word, 1) == 1 ? word : 'q';
}

/* l: try to lock, u: unlock, q: quit. Reports 1: locked, or 0. */
static void
obey(void)
{
    struct store *own = stores_open(&stores, "test");
    struct store_lock lock = {.place.id = stores_id(0)};

    for (;;) {
        char word = hear(orders[0]);

        if (word == 'q')
            _exit(0);
        if (word == 'u')
            own->backend->unlock(own, &lock);
        else
            word = own->backend->lock(own, &lock) == PST_OK ? '1' : '0';
        say(reports[1], word);
    }
}

static void
start_other(void)
{
    assert_int_equal(pipe(orders), 0);
    assert_int_equal(pipe(reports), 0);
    if (fork() == 0) {
        close(orders[1]);
        obey();
    }
    close(orders[0]);
    close(reports[1]);
}

static void
stop_other(void)
{
    close(orders[1]);
    close(reports[0]);
}

static void
expect_other(char order, char report)
{
    say(orders[1], order);
    assert_int_equal(hear(reports[0]), report);
}

static enum pst_err
try_for(int64_t ms, int client, bool *has_waited)
{
    struct store_lock lock = {.store = NULL};
    const struct store_id id = stores_id(0);
    const struct wait_limit limit = {clock_ms() + ms, client};
    enum pst_err e = store_lock_acquire(store, &lock, &id, &limit, has_waited);

    store_lock_release(&lock);
    return e;
}

static void
test_limits(void **state)
{
    bool has_waited = false;
    int client[2];

    (void)state;
    start_other();
    expect_other('l', '1');
    assert_int_equal(try_for(30, -1, &has_waited), PST_OVERLOADED);
    assert_true(has_waited);
    /* Its other end is closed. */
    assert_int_equal(pipe(client), 0);
    close(client[0]);
    assert_int_equal(try_for(60000, client[1], &has_waited), PST_CLIENT_GONE);
    close(client[1]);
    expect_other('u', 'u');
    /* Those that gave up are not next. */
    expect_other('l', '1');
    expect_other('u', 'u');
    assert_int_equal(try_for(60000, -1, &has_waited), PST_OK);
    assert_false(has_waited);
    stop_other();
}

static const struct store_operations *backend;
static unsigned attempts;

static enum pst_err
count_attempt(struct store *counted, struct store_lock *lock)
{
    attempts++;
    return backend->lock(counted, lock);
}

/* Who waits for long asks less and less often. */
static void
test_attempts(void **state)
{
    struct store_operations counting = *store->backend;
    bool has_waited;

    (void)state;
    start_other();
    expect_other('l', '1');
    backend = store->backend;
    counting.lock = count_attempt;
    store->backend = &counting;
    attempts = 0;
    assert_int_equal(try_for(50, -1, &has_waited), PST_OVERLOADED);
    assert_in_range(attempts, 2, 10);
    attempts = 0;
    assert_int_equal(try_for(1500, -1, &has_waited), PST_OVERLOADED);
    assert_in_range(attempts, 15, 45);
    store->backend = backend;
    stop_other();
}

/* The one that waits is the next, whoever asks first. */
static void
test_nobody_overtakes(void **state)
{
    struct store_lock lock = {.store = NULL};
    struct store_lock again = {.place.id = stores_id(0)};

    (void)state;
    start_other();
    acquire(&lock, 0, false);
    expect_other('l', '0');
    store_lock_release(&lock);
    assert_int_equal(store->backend->lock(store, &again), PST_OVERLOADED);
    expect_other('l', '1');
    assert_int_equal(store->backend->lock(store, &again), PST_OVERLOADED);
    expect_other('u', 'u');
    assert_int_equal(store->backend->lock(store, &again), PST_OK);
    /* One that gives up is not the next any more. */
    expect_other('l', '0');
    expect_other('u', 'u');
    store->backend->unlock(store, &again);
    acquire(&lock, 0, false);
    store_lock_release(&lock);
    stop_other();
}

static void
test_store_down(void **state)
{
    struct store *down = stores_open_url(STORES_KIND == STORE_LMDB
                                             ? STORES_DOWN_URL
                                             : "unix:/nonexistent/postern.sock",
                                         "test");
    struct store_lock lock = {.store = NULL};
    const struct store_id id = stores_id(0);
    bool has_waited;

    (void)state;
    for (size_t i = 0; i < 2; i++) { /* the queue is left each time */
        assert_int_equal(
            store_lock_acquire(down, &lock, &id, &patient, &has_waited),
            PST_STORE_DOWN);
        assert_false(has_waited);
        assert_false(store_lock_is_held(&lock));
    }
    assert_string_not_equal(store_error(down), "");
    store_close(&down);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_processes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attempts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_overtakes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_store_down, set_up, tear_down),
    };

    if (!stores_can_start(STORES_KIND))
        return STORES_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
