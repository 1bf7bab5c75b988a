/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_session.c - lists of sessions in LMDB that hold records of another
 * format: they are skipped, and the other sessions are listed.
 */
#include "store/lmdb_handle.h"
#include "stores.h"

static struct stores stores;
static struct store *store;

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
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
expect_count(size_t want)
{
    struct store_id subject = stores_id(100);
    size_t count = 99;

    stores_expect(store, "count",
                  store_session_count(store, &subject, NOW, &count), PST_OK);
    assert_int_equal(count, want);
    stores_expect(store, "all", store_session_count(store, NULL, NOW, &count),
                  PST_OK);
    assert_int_equal(count, want);
}

/* Overwrite session 1 by one of version 2, and put a record under the subject
 * alone, which is not the key of a session. */
static int
apply_foreign(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    static const uint8_t record[RECORD_SESSION_HEAD_LEN] = {2, 0xff, 0xff};
    const struct pst_bytes parts[2] = {{record, sizeof(record)}, {NULL, 0}};
    struct store_session session = session_of(1);
    struct lmdb_key key = lmdb_key_make(txn, &session.subject, &session.sid);
    int rc = lmdb_put_value(txn, RECORD_SESSION, &key, parts);

    (void)change;
    if (rc)
        return rc;
    key = lmdb_key_make(txn, &session.subject, NULL);
    return lmdb_put_value(txn, RECORD_SESSION, &key, parts);
}

static void
test_foreign_records(void **state)
{
    struct lmdb_change change = {
        .apply = apply_foreign, .now = NOW, .what = calloc(1, 1)};
    struct store_session session;

    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        session = session_of(n);
        stores_expect(store, "add", stores_add(store, &session, 0, NOW),
                      PST_OK);
    }
    expect_count(3);
    stores_expect(store, "foreign",
                  lmdb_write(lmdb_handle_from_base(store), &change), PST_OK);
    expect_count(2);
    session = session_of(1);
    stores_expect(store, "touch",
                  stores_touch(store, &session, NOW + 9000, NOW + 5),
                  PST_NOT_FOUND);
    /* The cap counts only what can be read: 2, 3 and 4, of which 2 goes. */
    session = session_of(4);
    stores_expect(store, "add", stores_add(store, &session, 2, NOW), PST_OK);
    expect_count(2);
    session = session_of(2);
    stores_expect(store, "the oldest",
                  store_check(store, &session.sid, NULL, NOW), PST_REVOKED);
    session = session_of(1);
    stores_expect(store, "unreadable, but not revoked",
                  store_check(store, &session.sid, NULL, NOW), PST_OK);
}

static enum pst_err
stop(void *context, const struct store_session *session)
{
    unsigned *calls = context;

    (void)session;
    (*calls)++;
    return PST_TOO_LARGE;
}

/* The result of the callback ends the walk; the next read works. */
static void
test_walk_stops(void **state)
{
    struct store_session session;
    unsigned calls = 0;

    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        session = session_of(n);
        stores_expect(store, "add", stores_add(store, &session, 0, NOW),
                      PST_OK);
    }
    stores_expect(store, "walk",
                  store_session_walk(store, NULL, NOW, stop, &calls),
                  PST_TOO_LARGE);
    assert_int_equal(calls, 1);
    expect_count(3);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_foreign_records),
        TEST(test_walk_stops),
    };

    return cmocka_run_group_tests_name("lmdb_session", tests, NULL, NULL);
}
