/* SPDX-License-Identifier: ISC */
/*
 * test_redis_counter.c - counters in Redis: what a newer program wrote counts
 * as empty, and any other value fails the whole call.
 */
#include <stdio.h>
#include <string.h>

#include "stores.h"

static struct stores stores;
static struct store *store;

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_REDIS, NULL);
    store = stores_open(&stores, "shop");
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

/* Counters 1 and 2, each once a minute. */
static enum pst_err
acquire(int64_t *retry_after)
{
    const struct store_counter items[] = {
        {.id = stores_id(1), .rate = {1, 60}},
        {.id = stores_id(2), .rate = {1, 60}},
    };
    const struct store_counters counters = {items, PST_COUNT(items), NOW};

    return store_counter_acquire(store, &counters, retry_after);
}

/* Send a command about counter n; its reply must begin with want. */
static void
say(const char *command, unsigned n, const char *arguments, const char *want)
{
    struct store_id id = stores_id(n);
    char line[256];
    char reply[64];
    size_t len;

    len = (size_t)snprintf(line, sizeof(line),
                           "%s postern:{shop}:counter:", command);
    for (size_t i = 0; i < PST_HASH_LEN; i++)
        len += (size_t)snprintf(line + len, 3, "%02x", id.bytes[i]);
    (void)snprintf(line + len, sizeof(line) - len, "%s", arguments);
    stores_say(&stores, line, reply, sizeof(reply));
    if (strncmp(reply, want, strlen(want)) != 0)
        fail_msg("%s: %s", line, reply);
}

static void
test_newer_record(void **state)
{
    int64_t retry_after = 0;

    (void)state;
    say("SET", 1, " \"\\x02aaaaaaaa\"", "+OK");
    say("SET", 2, " \"\\x01a\"", "+OK");
    stores_expect(store, "empty", acquire(&retry_after), PST_OK);
    stores_expect(store, "full", acquire(&retry_after), PST_THROTTLED);
    assert_int_equal(retry_after, 60);
}

static void
test_no_record(void **state)
{
    int64_t retry_after = 7;

    (void)state;
    say("LPUSH", 2, " x", ":1");
    stores_expect(store, "a list", acquire(&retry_after), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "WRONGTYPE"));
    assert_int_equal(retry_after, 7);
    say("EXISTS", 1, "", ":0");
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_newer_record),
        TEST(test_no_record),
    };

    if (!stores_can_start(STORE_REDIS))
        return STORES_SKIPPED;
    return cmocka_run_group_tests_name("redis_counter", tests, NULL, NULL);
}
