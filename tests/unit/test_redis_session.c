/* SPDX-License-Identifier: ISC */
/*
 * test_redis_session.c - lists of sessions in Redis: records of another format
 * are skipped, and the walk over all users stays within its audience.
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

static struct store_session
session_of(unsigned n)
{
    return (struct store_session){.sid = stores_id(n),
                                  .subject = stores_id(100),
                                  .created = NOW + n,
                                  .expires = NOW + 3600};
}

static void
expect_count(struct store *of, size_t want)
{
    struct store_id subject = stores_id(100);
    size_t count = 99;

    stores_expect(of, "count", store_session_count(of, &subject, NOW, &count),
                  PST_OK);
    assert_int_equal(count, want);
    stores_expect(of, "all", store_session_count(of, NULL, NOW, &count),
                  PST_OK);
    assert_int_equal(count, want);
}

static const char *
hex_of(struct store_id id)
{
    static char hex[2][2 * PST_HASH_LEN + 1];
    static unsigned which;
    char *out = hex[which++ % 2];

    for (size_t i = 0; i < PST_HASH_LEN; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", id.bytes[i]);
    return out;
}

/* Set a field of the list to something. */
static void
set_field(const char *field, const char *value)
{
    char command[320];
    char reply[64];

    (void)snprintf(command, sizeof(command),
                   "HSET postern:{shop}:sessions:%s %s %s",
                   hex_of(stores_id(100)), field, value);
    stores_say(&stores, command, reply, sizeof(reply));
    assert_true(reply[0] == ':');
}

static void
test_foreign_records(void **state)
{
    struct store_session session;

    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        session = session_of(n);
        stores_expect(store, "add", stores_add(store, &session, 0, NOW),
                      PST_OK);
    }
    expect_count(store, 3);
    set_field(hex_of(stores_id(1)), "\"\\x02aaaaaaaabbbbbbbbcccccccc\"");
    set_field("odd", "x");
    expect_count(store, 2);
    session = session_of(1);
    stores_expect(store, "touch",
                  stores_touch(store, &session, NOW + 9000, NOW + 5),
                  PST_NOT_FOUND);
    /* The cap counts only what can be read: 2, 3 and 4, of which 2 goes. */
    session = session_of(4);
    stores_expect(store, "add", stores_add(store, &session, 2, NOW), PST_OK);
    expect_count(store, 2);
    session = session_of(2);
    stores_expect(store, "the oldest",
                  store_check(store, &session.sid, NULL, NOW), PST_REVOKED);
    session = session_of(1);
    stores_expect(store, "unreadable, but not revoked",
                  store_check(store, &session.sid, NULL, NOW), PST_OK);
}

/* To SCAN, these audiences are patterns that match the others. */
static void
test_audiences(void **state)
{
    static const char *const audiences[] = {"sh?p", "sh*", "sh[aeo]p", "s\\hop",
                                            "shop:sessions"};

    (void)state;
    for (unsigned i = 0; i < PST_COUNT(audiences); i++) {
        struct store *other = stores_open(&stores, audiences[i]);
        struct store_session session = session_of(i);

        expect_count(other, 0);
        stores_expect(other, "add", stores_add(other, &session, 0, NOW),
                      PST_OK);
        expect_count(other, 1);
        expect_count(store, i);
        stores_expect(store, "add", stores_add(store, &session, 0, NOW),
                      PST_OK);
        expect_count(other, 1);
        store_close(&other);
    }
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_foreign_records),
        TEST(test_audiences),
    };

    if (!stores_can_start(STORE_REDIS))
        return STORES_SKIPPED;
    return cmocka_run_group_tests_name("redis_session", tests, NULL, NULL);
}
