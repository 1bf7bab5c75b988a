/* SPDX-License-Identifier: ISC */
/*
 * test_redis_store.c - the keys in Redis: records of another format never let a
 * session pass, every key expires, and a Redis that may lose records is warned
 * about.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "stores.h"

static struct stores stores;
static struct store *store;

static void
expect(const char *what, enum pst_err got, enum pst_err want)
{
    stores_expect(store, what, got, want);
}

static void
expect_why(const char *needle)
{
    if (!strstr(store_error(store), needle))
        fail_msg("'%s' is not in '%s'", needle, store_error(store));
}

static enum pst_err
check(unsigned n)
{
    struct store_id sid = stores_id(n);
    struct store_id subject = stores_id(n + 1000);

    return store_check(store, &sid, &subject, NOW);
}

static void
start(const char *const *options)
{
    stores_start(&stores, STORE_REDIS, options);
    store = stores_open(&stores, "shop");
}

static int
set_up(void **state)
{
    (void)state;
    memset(&stores, 0, sizeof(stores));
    return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&store);
    if (stores.redis > 0)
        (void)kill(stores.redis, SIGCONT);
    stores_stop(&stores);
    return 0;
}

/* Records. */

/* The hash of stores_id(n), in hex. */
static const char *
hex_of(unsigned n)
{
    static char hex[2 * PST_HASH_LEN + 1];
    struct store_id id = stores_id(n);

    for (size_t i = 0; i < PST_HASH_LEN; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id.bytes[i]);
    return hex;
}

/* Times in a record, as redis-cli writes them. */
#define FOR_EVER "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff"
#define NO_TIME "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00"

/* A record of a later version or of another type never lets a session pass. */
static void
test_foreign_records(void **state)
{
    static const struct {
        const char *name;
        const char *before; /* the id */
        unsigned id;        /* 1, or its subject 1001 */
        const char *after;
        enum pst_err want;
    } rows[] = {
        {"revoked, newer", "SET postern:{shop}:revoked:", 1, " \"\\x02abc\"",
         PST_REVOKED},
        {"revoked, empty", "SET postern:{shop}:revoked:", 1, " \"\"",
         PST_REVOKED},
        {"revoked, a list", "LPUSH postern:{shop}:revoked:", 1, " x",
         PST_STORE_DOWN},
        {"since, newer", "SET postern:{shop}:since:", 1001,
         " \"\\x02aaaaaaaabbbbbbbb\"", PST_REVOKED},
        {"since, short", "SET postern:{shop}:since:", 1001, " \"\\x01a\"",
         PST_REVOKED},
        {"since, long ago", "SET postern:{shop}:since:", 1001,
         " "
         "\"\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01"
         "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\"",
         PST_OK},
        {"since, a hash", "HSET postern:{shop}:since:", 1001, " f x",
         PST_STORE_DOWN},
    };
    char answer[64];

    (void)state;
    start(NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        char command[256];

        stores_say(&stores, "FLUSHALL", answer, sizeof(answer));
        (void)snprintf(command, sizeof(command), "%s%s%s", rows[i].before,
                       hex_of(rows[i].id), rows[i].after);
        stores_say(&stores, command, answer, sizeof(answer));
        if (answer[0] == '-')
            fail_msg("row '%s': %s", rows[i].name, answer);
        expect(rows[i].name, check(1), rows[i].want);
    }
}

/* The same for records that are not read at every request. */
static void
test_foreign_others(void **state)
{
    struct store_id sid = stores_id(1);
    struct store_id subject = stores_id(1);
    struct pst_arena *arena = NULL;
    struct pst_bytes blob;
    char command[256];
    char answer[64];
    size_t count = 7;

    (void)state;
    start(NULL);
    assert_int_equal(pst_arena_new(&arena, 4096), PST_OK);
    (void)snprintf(command, sizeof(command),
                   "SET postern:{shop}:spill:%s \"\\x02aaaaaaaabbbbbbbb\"",
                   hex_of(1));
    stores_say(&stores, command, answer, sizeof(answer));
    expect("get", store_spill_get(store, &sid, NOW, arena, &blob),
           PST_NOT_FOUND);
    expect("replace",
           store_spill_replace(store, &sid, pst_str_bytes(PST_STR("x")),
                               NOW + 9, NOW),
           PST_NOT_FOUND);
    (void)snprintf(command, sizeof(command),
                   "HSET postern:{shop}:sessions:%s odd x", hex_of(1));
    stores_say(&stores, command, answer, sizeof(answer));
    expect("count", store_session_count(store, &subject, NOW, &count), PST_OK);
    assert_int_equal(count, 0);
    (void)snprintf(command, sizeof(command),
                   "SET postern:{shop}:sessions:odd x");
    stores_say(&stores, command, answer, sizeof(answer));
    expect("all", store_session_count(store, NULL, NOW, &count), PST_OK);
    assert_int_equal(count, 0);
    pst_arena_free(&arena);
}

/* Damaged times, far in the future: all sessions of a user can still be
 * revoked, and a session's use be noted. */
static void
test_damaged_times(void **state)
{
    struct store_id sid = stores_id(1);
    struct store_id subject = stores_id(1001);
    const struct store_use use = {
        .sid = &sid, .subject = &subject, .expires = NOW + 9, .now = NOW};
    char command[512];
    char answer[64];

    (void)state;
    start(NULL);
    (void)snprintf(command, sizeof(command),
                   "SET postern:{shop}:since:%s \"\\x01" FOR_EVER FOR_EVER "\"",
                   hex_of(1001));
    stores_say(&stores, command, answer, sizeof(answer));
    expect("all", store_revoke_all(store, &subject, NOW, NULL), PST_OK);
    (void)snprintf(command, sizeof(command), "HSET postern:{shop}:sessions:%s ",
                   hex_of(1001));
    (void)snprintf(command + strlen(command), sizeof(command) - strlen(command),
                   "%s \"\\x01" NO_TIME NO_TIME FOR_EVER
                   "\\x00\\x00\\x00\\x00\\x00\\x00\"",
                   hex_of(1));
    stores_say(&stores, command, answer, sizeof(answer));
    expect("use", store_session_touch(store, &use), PST_OK);
}

static long
ttl_of(const char *kind, unsigned n)
{
    char command[256];
    char answer[64];
    long ttl = -9;

    (void)snprintf(command, sizeof(command), "TTL postern:{shop}:%s:%s", kind,
                   hex_of(n));
    stores_say(&stores, command, answer, sizeof(answer));
    assert_int_equal(sscanf(answer, ":%ld", &ttl), 1);
    return ttl;
}

static void
expect_ttl(const char *kind, unsigned n, long want)
{
    long got = ttl_of(kind, n);

    if (got > want || got < want - 5)
        fail_msg("%s stays %ld s instead of %ld", kind, got, want);
}

/* Every key expires, at a time counted from our own clock, which here is years
 * away from Redis's. */
static void
test_stays(void **state)
{
    struct store_id id = stores_id(1);
    struct store_session session = {
        .sid = id, .subject = id, .created = NOW, .expires = NOW + 900};
    struct store_counter counter = {.id = id, .rate = {2, 100}};
    struct store_counters counters = {&counter, 1, NOW};
    int64_t retry_after;

    (void)state;
    start(NULL);
    expect("end", store_revoke(store, &id, NULL, NOW + 60, NOW), PST_OK);
    expect_ttl("revoked", 1, 60 + PST_CLOCK_SKEW_MAX);
    expect("end", store_revoke(store, &id, NULL, NOW + 600, NOW), PST_OK);
    expect_ttl("revoked", 1, 600 + PST_CLOCK_SKEW_MAX);
    expect("end", store_revoke(store, &id, NULL, NOW + 6, NOW), PST_OK);
    expect_ttl("revoked", 1, 600 + PST_CLOCK_SKEW_MAX);
    expect("add", stores_add(store, &session, 0, NOW), PST_OK);
    expect_ttl("sessions", 1, 900);
    expect_ttl("since", 1, PST_CLOCK_SKEW_MAX);
    session.sid = stores_id(2);
    session.expires = NOW + 300;
    expect("add", stores_add(store, &session, 0, NOW), PST_OK);
    expect_ttl("sessions", 1, 900);
    session.sid = id;
    expect("touch", stores_touch(store, &session, NOW + 1900, NOW + 1), PST_OK);
    expect_ttl("sessions", 1, 1899);
    expect("all", store_revoke_all(store, &id, NOW, NULL), PST_OK);
    expect_ttl("since", 1, PST_LIFETIME_MAX + PST_CLOCK_SKEW_MAX);
    expect(
        "spill",
        store_spill_put(store, &id, pst_str_bytes(PST_STR("x")), NOW + 77, NOW),
        PST_OK);
    expect_ttl("spill", 1, 77);
    expect("take", store_counter_acquire(store, &counters, &retry_after),
           PST_OK);
    expect_ttl("counter", 1, 51);
}

static void
test_warnings(void **state)
{
    static const struct {
        const char *name;
        const char *command;
        const char *reason;
    } rows[] = {
        {"no append-only file", "PING", "append-only"},
        {"may drop records",
         "CONFIG SET maxmemory 100mb maxmemory-policy "
         "allkeys-lru",
         "maxmemory-policy"},
        {"may drop those with an end",
         "CONFIG SET maxmemory-policy "
         "volatile-ttl",
         "maxmemory-policy"},
        {"may not", "CONFIG SET maxmemory-policy noeviction", "append-only"},
    };
    char answer[64];

    (void)state;
    start(NULL);
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        stores_say(&stores, rows[i].command, answer, sizeof(answer));
        assert_true(answer[0] == '+');
        expect(rows[i].name, store_ping(store, NOW), PST_OK);
        expect_why(rows[i].reason);
    }
    stores_say(&stores, "CONFIG SET appendonly yes", answer, sizeof(answer));
    expect("nothing to say", store_ping(store, NOW), PST_OK);
    assert_string_equal(store_error(store), "");
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_foreign_records), TEST(test_foreign_others),
        TEST(test_damaged_times),   TEST(test_stays),
        TEST(test_warnings),
    };

    if (!stores_can_start(STORE_REDIS))
        return STORES_SKIPPED;
    return cmocka_run_group_tests_name("redis_store", tests, NULL, NULL);
}
