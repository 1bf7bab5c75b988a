/* SPDX-License-Identifier: ISC */
/*
 * test_redis_lock.c - the keys of a lock in Redis: they have a holder, and
 * expire. The rest is in test_store_lock.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "store/store_lock.h"
#include "store/store_operations.h"
#include "stores.h"

static struct stores stores;
static struct store *store;
static struct store_lock lock;
static char answer[256];

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_REDIS, NULL);
    store = stores_open(&stores, "test");
    lock = (struct store_lock){.place.id = stores_id(0)};
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store->backend->unlock(store, &lock);
    store_close(&store);
    stores_stop(&stores);
    return 0;
}

/* A command about a key of the lock: before and after the key's name. */
static const char *
say(const char *before, const char *kind, const char *after)
{
    char command[256];
    char hex[STORE_ID_HEX_LEN + 1];
    struct pst_buf buf;

    pst_buf_init(&buf, hex, sizeof(hex));
    pst_buf_add_hex(&buf,
                    (struct pst_bytes){lock.place.id.bytes, PST_HASH_LEN});
    hex[STORE_ID_HEX_LEN] = '\0';
    (void)snprintf(command, sizeof(command), "%s postern:{test}:%s:%s%s",
                   before, kind, hex, after);
    stores_say(&stores, command, answer, sizeof(answer));
    return answer;
}

static void
expect_time_left(const char *kind, int max)
{
    long left = strtol(say("PTTL", kind, "") + 1, NULL, 10);

    if (left <= 0 || left > max)
        fail_msg("%s: %ld ms", kind, left);
}

static void
test_lease(void **state)
{
    (void)state;
    assert_int_equal(store->backend->lock(store, &lock), PST_OK);
    assert_true(store->backend->is_locked(&lock));
    expect_time_left("order", LOCK_LEASE_MS);
    assert_string_equal(say("EXISTS", "order-next", ""), ":0\r\n");
    store->backend->unlock(store, &lock);
    assert_string_equal(say("EXISTS", "order", ""), ":0\r\n");
    assert_false(store->backend->is_locked(&lock));
}

/* Another machine's, which then dies: its keys expire. */
static void
test_another_holder(void **state)
{
    (void)state;
    say("SET", "order", " other PX 100000");
    assert_int_equal(store->backend->lock(store, &lock), PST_OVERLOADED);
    assert_false(store->backend->is_locked(&lock));
    expect_time_left("order-next", LOCK_LEASE_MS);
    /* It is not ours to release. */
    store->backend->unlock(store, &lock);
    assert_string_equal(say("EXISTS", "order-next", ""), ":0\r\n");
    assert_string_equal(say("GET", "order", ""), "$5\r\nother\r\n");
    assert_int_equal(store->backend->lock(store, &lock), PST_OVERLOADED);
    say("DEL", "order", "");
    assert_int_equal(store->backend->lock(store, &lock), PST_OK);
    assert_string_equal(say("EXISTS", "order-next", ""), ":0\r\n");
}

static void
test_another_waits(void **state)
{
    (void)state;
    say("SET", "order-next", " other PX 100000");
    assert_int_equal(store->backend->lock(store, &lock), PST_OVERLOADED);
    assert_string_equal(say("EXISTS", "order", ""), ":0\r\n");
    assert_string_equal(say("GET", "order-next", ""), "$5\r\nother\r\n");
    say("DEL", "order-next", "");
    assert_int_equal(store->backend->lock(store, &lock), PST_OK);
}

/* A lease that somebody else has got by now is left alone. */
static void
test_lost_lease(void **state)
{
    (void)state;
    assert_int_equal(store->backend->lock(store, &lock), PST_OK);
    say("SET", "order", " other");
    store->backend->unlock(store, &lock);
    assert_string_equal(say("GET", "order", ""), "$5\r\nother\r\n");
}

static void
test_down(void **state)
{
    (void)state;
    stores_kill(&stores);
    assert_int_equal(store->backend->lock(store, &lock), PST_STORE_DOWN);
    stores_start_redis(&stores);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lease, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_holder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost_lease, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_down, set_up, tear_down),
    };

    if (!stores_can_start(STORE_REDIS))
        return STORES_SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
