/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_commit.c - changes that are committed together: each as a whole or
 * not at all, whatever becomes of the others; changes whose callers have left;
 * a full map, and one that another process has made larger.
 */
#include <string.h>

#include "store/lmdb_commit.h"
#include "stores.h"

#define MAP_SIZE (1024 * 1024)
#define ROWS 6

static const uint8_t tag[LMDB_TAG_LEN] = "a-site-";
static struct stores stores;
static struct lmdb_environment environment;
static struct lmdb_readers readers;
static struct lmdb_committer committer;
static struct lmdb_write writes[ROWS];

/* What the changes of a test saw. */
static struct MDB_txn *handles[ROWS];
static unsigned undone;

static int
set_up(void **state)
{
    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    assert_int_equal(
        lmdb_environment_open(&environment, stores.folder, MAP_SIZE), 0);
    lmdb_readers_init(&readers);
    committer = (struct lmdb_committer){.environment = &environment,
                                        .readers = &readers};
    memset(handles, 0, sizeof(handles));
    undone = 0;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    lmdb_reader_free(committer.reader);
    lmdb_readers_fini(&readers);
    lmdb_environment_close(&environment);
    stores_stop(&stores);
    return 0;
}

/* Store a record under this number. */
static int
put(const struct lmdb_txn *txn, unsigned number, size_t size)
{
    static uint8_t bytes[64 * 1024];
    struct store_id id = stores_id(number);
    struct lmdb_key key = lmdb_key_make(txn, &id, NULL);
    const struct pst_bytes parts[2] = {{bytes, size}, {NULL, 0}};

    return lmdb_put_value(txn, RECORD_SPILL, &key, parts);
}

/* what: the number of the write. */
static int
apply_put(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const unsigned *number = change->what;

    handles[*number] = txn->handle;
    return put(txn, *number, 10);
}

/* It puts a record before it fails. */
static int
apply_failing(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    int rc = apply_put(txn, change);

    return rc ? rc : LMDB_NEWER_RECORD;
}

static int
apply_refused(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    (void)txn;
    change->result = PST_THROTTLED;
    return LMDB_UNCHANGED;
}

/* The caller leaves when this has been applied. */
static int
apply_and_leave(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const unsigned *number = change->what;

    atomic_store(&writes[*number].state, LMDB_WRITE_LEFT);
    return apply_put(txn, change);
}

static int
undo_put(const struct lmdb_txn *txn, const struct lmdb_change *change)
{
    const unsigned *number = change->what;
    struct store_id id = stores_id(*number);
    struct lmdb_key key = lmdb_key_make(txn, &id, NULL);

    undone++;
    return lmdb_del(txn, RECORD_SPILL, &key);
}

static bool
is_stored(unsigned number)
{
    struct store_id id = stores_id(number);
    struct lmdb_txn txn = {.environment = &environment, .tag = tag};
    struct lmdb_key key = lmdb_key_make(&txn, &id, NULL);
    struct pst_bytes record;
    int rc;

    assert_int_equal(lmdb_reader_begin(&environment, &txn.handle), 0);
    rc = lmdb_get(&txn, RECORD_SPILL, &key, &record);
    lmdb_reader_free(txn.handle);
    return rc == 0;
}

/* A change, and what is to come of it. */
struct row {
    int (*apply)(const struct lmdb_txn *txn, struct lmdb_change *change);
    bool has_left;
    bool applies_late;
    bool has_undo;
    int want_rc;
    enum pst_err want_result;
    bool want_stored;
    bool want_undone;
};

static void
commit_rows(const struct row *rows, size_t count)
{
    static unsigned numbers[ROWS] = {0, 1, 2, 3, 4, 5};
    struct lmdb_write *group[ROWS] = {NULL};

    for (size_t i = 0; i < count; i++) {
        writes[i] = (struct lmdb_write){
            .change = {.apply = rows[i].apply,
                       .now = NOW,
                       .applies_late = rows[i].applies_late,
                       .what = &numbers[i],
                       .undo = rows[i].has_undo ? undo_put : NULL},
            .rc = 99};
        memcpy(writes[i].tag, tag, sizeof(tag));
        atomic_init(&writes[i].state,
                    rows[i].has_left ? LMDB_WRITE_LEFT : LMDB_WRITE_PENDING);
        group[i] = &writes[i];
    }
    lmdb_commit(&committer, group, count);
    for (size_t i = 0; i < count; i++) {
        if (writes[i].rc != rows[i].want_rc ||
            (writes[i].rc == 0 &&
             writes[i].change.result != rows[i].want_result) ||
            is_stored((unsigned)i) != rows[i].want_stored ||
            atomic_load(&writes[i].state) != LMDB_WRITE_FINISHED)
            fail_msg("row %zu: %d, %s, stored %d", i, writes[i].rc,
                     pst_err_code(writes[i].change.result),
                     is_stored((unsigned)i));
        undone -= rows[i].want_undone;
    }
    assert_int_equal(undone, 0);
}

static void
test_one_transaction(void **state)
{
    static const struct row rows[] = {
        {.apply = apply_put, .want_stored = true},
        {.apply = apply_refused, .want_result = PST_THROTTLED},
        {.apply = apply_put, .want_stored = true},
        {.apply = apply_put, .want_stored = true},
    };

    (void)state;
    commit_rows(rows, PST_COUNT(rows));
    assert_ptr_equal(handles[0], handles[2]);
    assert_ptr_equal(handles[0], handles[3]);
}

/* What one of them put before it failed must not be committed with the
 * others. */
static void
test_one_fails(void **state)
{
    static const struct row rows[] = {
        {.apply = apply_put, .want_stored = true},
        {.apply = apply_failing, .want_rc = LMDB_NEWER_RECORD},
        {.apply = apply_put, .want_stored = true},
    };

    (void)state;
    commit_rows(rows, PST_COUNT(rows));
    commit_rows(rows, PST_COUNT(rows));
}

/* L64: who left was told that nothing began. */
static void
test_left(void **state)
{
    static const struct row rows[] = {
        {.apply = apply_put, .has_left = true, .want_rc = LMDB_LATE},
        {.apply = apply_put,
         .has_left = true,
         .has_undo = true,
         .want_rc = LMDB_LATE},
        {.apply = apply_put, .want_stored = true},
        {.apply = apply_put,
         .has_left = true,
         .applies_late = true,
         .want_stored = true},
        {.apply = apply_and_leave, .has_undo = true, .want_undone = true},
        {.apply = apply_and_leave, .want_stored = true},
    };

    (void)state;
    commit_rows(rows, PST_COUNT(rows));
}

/* The same, of one that is alone. */
static void
test_left_alone(void **state)
{
    static const struct row late = {
        .apply = apply_put, .has_left = true, .want_rc = LMDB_LATE};
    static const struct row undone_one = {
        .apply = apply_and_leave, .has_undo = true, .want_undone = true};

    (void)state;
    commit_rows(&late, 1);
    commit_rows(&undone_one, 1);
}

/* Nothing was begun, so there is nothing to undo. */
static void
test_left_refused(void **state)
{
    static const struct row row = {.apply = apply_refused,
                                   .has_left = true,
                                   .applies_late = true,
                                   .has_undo = true,
                                   .want_result = PST_THROTTLED};

    (void)state;
    commit_rows(&row, 1);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_one_transaction), TEST(test_one_fails),    TEST(test_left),
        TEST(test_left_alone),      TEST(test_left_refused),
    };

    return cmocka_run_group_tests_name("lmdb_commit", tests, NULL, NULL);
}
