/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_writer.c - L64: changes that are waited for until a deadline. The
 * thread that applies them is the test itself, so that it can hang and go on
 * when the test says so.
 */
#include <string.h>

#include "base/limits.h"
#include "fake_blocking.h"
#include "stores.h"

static struct stores stores;
static struct store *store;
static struct pst_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    store = stores_open(&stores, "shop");
    return pst_arena_new(&arena, PST_ARENA_SIZE) != PST_OK;
}

static int
tear_down(void **state)
{
    (void)state;
    pst_arena_free(&arena);
    store_close(&store);
    stores_stop(&stores);
    return 0;
}

/* What every kind of write is tried with. */
static struct store_id sid;
static struct store_id subject;
static struct store_counter counter;
static const struct store_counters counters = {&counter, 1, NOW};

static void
reset_arguments(void)
{
    sid = stores_id(1);
    subject = stores_id(2);
    counter = (struct store_counter){.id = stores_id(3), .rate = {1, 60}};
}

static enum pst_err
begin(void)
{
    const struct store_session session = {.sid = sid,
                                          .subject = subject,
                                          .created = NOW,
                                          .seen = NOW,
                                          .expires = NOW + 900,
                                          .user = PST_STR("ann"),
                                          .browser = PST_STR("Firefox"),
                                          .address = PST_STR("192.0.2.1")};
    const struct store_id old = stores_id(4);
    const struct store_replacement replacement = {
        .old = &old,
        .old_expires = NOW + 900,
        .session = &session,
        .blob = pst_str_bytes(PST_STR("sealed")),
        .now = NOW};
    int64_t since = 0;

    return store_session_replace(store, &replacement, &since);
}

static enum pst_err
revoke(void)
{
    return store_revoke(store, &sid, &subject, NOW + 900, NOW);
}

static enum pst_err
revoke_all(void)
{
    return store_revoke_all(store, &subject, NOW, NULL);
}

static enum pst_err
spill(void)
{
    return store_spill_put(store, &sid, pst_str_bytes(PST_STR("sealed")),
                           NOW + 900, NOW);
}

static enum pst_err
acquire(void)
{
    int64_t retry_after;

    return store_counter_acquire(store, &counters, &retry_after);
}

static enum pst_err
refund(void)
{
    return store_counter_refund(store, &counters);
}

static enum pst_err
ping(void)
{
    return store_ping(store, NOW);
}

static enum pst_err
sweep(void)
{
    return store_sweep(store, 10, NOW, NULL);
}

/* What became of it. */

static bool
is_listed(void)
{
    size_t count = 0;

    stores_expect(store, "count",
                  store_session_count(store, &subject, NOW, &count), PST_OK);
    return count == 1;
}

static bool
is_revoked(void)
{
    return store_check(store, &sid, NULL, NOW) == PST_REVOKED;
}

static bool
is_all_revoked(void)
{
    return store_check(store, &sid, &subject, NOW) == PST_REVOKED;
}

static bool
is_spilled(void)
{
    struct pst_bytes blob;

    pst_arena_reset(arena);
    return store_spill_get(store, &sid, NOW, arena, &blob) == PST_OK;
}

/* Takes it if it is not. */
static bool
is_acquired(void)
{
    return acquire() == PST_THROTTLED;
}

static bool
is_free(void)
{
    return acquire() == PST_OK;
}

static bool
never(void)
{
    return false;
}

static const struct row {
    const char *name;
    enum pst_err (*write)(void);
    bool (*is_done)(void);
    bool happens_late; /* after its caller has left */
} rows[] = {
    {"a session on the list", begin, is_listed, false},
    {"its spilled part", begin, is_spilled, false},
    {"a revocation", revoke, is_revoked, true},
    {"all of a user's", revoke_all, is_all_revoked, true},
    {"a spilled session", spill, is_spilled, false},
    {"an acquired counter", acquire, is_acquired, false},
    {"ping", ping, never, false},
    {"sweep", sweep, never, false},
};

/* Each row begins with an empty folder. */
static void
restart(void)
{
    void *none = NULL;

    tear_down(&none);
    set_up(&none);
    reset_arguments();
}

/* The thread hangs. The caller is told so at its deadline; then the thread goes
 * on. The arguments are gone by then. */
static void
test_abandoned(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        restart();
        fake_blocking_expect(BLOCKING_ABANDONED);
        stores_expect(store, rows[i].name, rows[i].write(), PST_STORE_DOWN);
        assert_non_null(strstr(store_error(store), "was not free in time"));
        memset(&sid, 0xff, sizeof(sid));
        memset(&subject, 0xff, sizeof(subject));
        memset(&counter.id, 0xff, sizeof(counter.id));
        fake_blocking_resume();
        reset_arguments();
        if (rows[i].is_done() != rows[i].happens_late)
            fail_msg("%s: late, it %s", rows[i].name,
                     rows[i].happens_late ? "got lost" : "happened");
    }
}

/* Those that wait behind it are never applied. */
static void
test_cancelled(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        restart();
        fake_blocking_expect(BLOCKING_CANCELLED);
        stores_expect(store, rows[i].name, rows[i].write(), PST_STORE_DOWN);
        assert_non_null(strstr(store_error(store), "was not free in time"));
        fake_blocking_resume();
        stores_expect(store, "a later one", store_ping(store, NOW), PST_OK);
        assert_false(rows[i].is_done());
    }
}

static void
test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        restart();
        fake_blocking_expect(BLOCKING_REFUSED);
        stores_expect(store, rows[i].name, rows[i].write(), PST_STORE_DOWN);
        assert_non_null(strstr(store_error(store), "too many changes wait"));
        assert_false(rows[i].is_done());
    }
}

static void
test_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        restart();
        stores_expect(store, rows[i].name, rows[i].write(), PST_OK);
        if (rows[i].is_done != never && !rows[i].is_done())
            fail_msg("%s: not done", rows[i].name);
    }
}

/* A refund was earned: it is made, though late. */
static void
test_refund(void **state)
{
    (void)state;
    restart();
    stores_expect(store, "acquire", acquire(), PST_OK);
    fake_blocking_expect(BLOCKING_ABANDONED);
    stores_expect(store, "refund", refund(), PST_STORE_DOWN);
    fake_blocking_resume();
    assert_true(is_free());
}

/* Reads do not need the thread. */
static void
test_reads(void **state)
{
    (void)state;
    restart();
    stores_expect(store, "begin", begin(), PST_OK);
    fake_blocking_expect(BLOCKING_ABANDONED);
    stores_expect(store, "revoke", revoke(), PST_STORE_DOWN);
    stores_expect(store, "check", store_check(store, &sid, &subject, NOW),
                  PST_OK);
    assert_true(is_listed() && is_spilled());
    fake_blocking_resume();
    assert_true(is_revoked());
}

/* The error of a call is its own, though another fiber's call failed while it
 * waited: the other one fails for lack of a reason to wait. */
static void
test_error(void **state)
{
    (void)state;
    restart();
    fake_blocking_expect(BLOCKING_REFUSED);
    stores_expect(store, "one", ping(), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "too many changes wait"));
    fake_blocking_expect(BLOCKING_ABANDONED);
    stores_expect(store, "two", revoke(), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "was not free in time"));
    stores_expect(store, "three", ping(), PST_OK);
    assert_string_equal(store_error(store), "");
}

/* While the thread hangs, the folder stays open for the next handle: a process
 * must not open it twice. */
static void
test_close(void **state)
{
    (void)state;
    restart();
    fake_blocking_expect(BLOCKING_ABANDONED);
    stores_expect(store, "revoke", revoke(), PST_STORE_DOWN);
    fake_blocking_hang(true);
    store_close(&store);
    store = stores_open(&stores, "shop");
    assert_false(is_revoked());
    fake_blocking_hang(false);
    fake_blocking_resume();
    assert_true(is_revoked());
}

/* Lazy writes. */

#define INTERVAL 450

static enum pst_err
use_at(int64_t now)
{
    const struct store_use use = {&sid, &subject, NOW + 900, INTERVAL, now};

    return store_session_touch(store, &use);
}

static enum pst_err
keep_seen(void *context, const struct store_session *session)
{
    *(int64_t *)context = session->seen;
    return PST_OK;
}

static int64_t
seen(void)
{
    int64_t found = 0;

    stores_expect(store, "walk",
                  store_session_walk(store, &subject, NOW, keep_seen, &found),
                  PST_OK);
    return found - NOW;
}

/* Nobody waits for it, and nobody writes it again within the interval. */
static void
test_use(void **state)
{
    (void)state;
    restart();
    stores_expect(store, "begin", begin(), PST_OK);
    stores_expect(store, "soon", use_at(NOW + INTERVAL - 1), PST_OK);
    fake_blocking_resume();
    assert_int_equal(seen(), 0);
    for (unsigned i = 0; i < 5; i++)
        stores_expect(store, "later", use_at(NOW + INTERVAL + i), PST_OK);
    assert_int_equal(seen(), 0);
    fake_blocking_resume();
    assert_int_equal(seen(), INTERVAL); /* the first of the five */
    stores_expect(store, "soon", use_at(NOW + INTERVAL + 9), PST_OK);
    fake_blocking_resume();
    assert_int_equal(seen(), INTERVAL);
    fake_blocking_expect(BLOCKING_REFUSED);
    stores_expect(store, "dropped", use_at(NOW + 2 * INTERVAL - 1), PST_OK);
    fake_blocking_expect(BLOCKING_DONE);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_abandoned), TEST(test_cancelled), TEST(test_refused),
        TEST(test_done),      TEST(test_refund),    TEST(test_reads),
        TEST(test_error),     TEST(test_close),     TEST(test_use),
    };

    return cmocka_run_group_tests_name("lmdb_writer", tests, NULL, NULL);
}
