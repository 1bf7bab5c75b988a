/* SPDX-License-Identifier: ISC */
/*
 * test_redis_lease.c - leases in Redis are renewed while they are held, and
 * lost ones are noticed. The thread that renews never rests: its time passes at
 * once.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "fake_clock.h"
#include "store/store_lock.h"
#include "store/store_operations.h"
#include "stores.h"

#define MANY 20 /* more than one call renews */

static struct stores stores;
static struct store *store;
static struct store_lock locks[MANY];
static char answer[256];

/* Replaces the C library's poll(): a wait for the eventfd is over at once. */
int fake_poll(struct pollfd *list, nfds_t count, int timeout) __asm__("poll");

int
fake_poll(struct pollfd *list, nfds_t count, int timeout)
{
    struct timespec span = {timeout / 1000, timeout % 1000 * 1000000};
    bool is_event = false;
    char path[64];
    char name[64];
    ssize_t len;
    int ready;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", list->fd);
    len = readlink(path, name, sizeof(name) - 1);
    if (len > 0) {
        name[len] = '\0';
        is_event = strstr(name, "eventfd") != NULL;
    }
    if (is_event)
        span = (struct timespec){0, 0};
    ready = (int)syscall(SYS_ppoll, list, count, &span, NULL, 0);
    if (ready == 0 && is_event)
        fake_clock_advance(timeout);
    return ready;
}

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_REDIS, NULL);
    store = stores_open(&stores, "test");
    for (unsigned i = 0; i < MANY; i++)
        locks[i] = (struct store_lock){.place.id = stores_id(i)};
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        store->backend->unlock(store, &locks[i]);
    store_close(&store);
    stores_stop(&stores);
    return 0;
}

static const char *
say(const char *before, size_t i, const char *after)
{
    char command[256];
    char hex[STORE_ID_HEX_LEN + 1];
    struct pst_buf buf;

    pst_buf_init(&buf, hex, sizeof(hex));
    pst_buf_add_hex(&buf,
                    (struct pst_bytes){locks[i].place.id.bytes, PST_HASH_LEN});
    hex[STORE_ID_HEX_LEN] = '\0';
    (void)snprintf(command, sizeof(command), "%s postern:{test}:order:%s%s",
                   before, hex, after);
    stores_say(&stores, command, answer, sizeof(answer));
    return answer;
}

static void
lock_all(void)
{
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(store->backend->lock(store, &locks[i]), PST_OK);
}

/* Each key would stay for ever, but gets the time of a lease again. */
static void
test_renewal(void **state)
{
    int64_t begun_at = clock_ms();

    (void)state;
    lock_all();
    for (size_t i = 0; i < MANY; i++) {
        say("PERSIST", i, "");
        while (strcmp(say("PTTL", i, ""), ":-1\r\n") == 0)
            sched_yield();
    }
    while (clock_ms() < begun_at + 2 * LOCK_LEASE_MS)
        sched_yield();
    for (size_t i = 0; i < MANY; i++)
        assert_true(store->backend->is_locked(&locks[i]));
}

static void
test_lost(void **state)
{
    (void)state;
    lock_all();
    say("SET", 7, " other");
    while (store->backend->is_locked(&locks[7]))
        sched_yield();
    assert_true(store->backend->is_locked(&locks[6]));
    assert_string_equal(say("GET", 7, ""), "$5\r\nother\r\n");
}

/* Redis is gone: the leases end by themselves, and can be had again. */
static void
test_down(void **state)
{
    (void)state;
    lock_all();
    stores_kill(&stores);
    while (store->backend->is_locked(&locks[0]))
        sched_yield();
    for (size_t i = 0; i < MANY; i++)
        store->backend->unlock(store, &locks[i]);
    stores_start_redis(&stores);
    fake_clock_advance(10000);
    lock_all();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_renewal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_down, set_up, tear_down),
    };

    if (!stores_can_start(STORE_REDIS))
        return STORES_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
