/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_records.c - records and cursors of LMDB, also in damaged pages.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb.h"
#include "stores.h"

#define MAP_SIZE (1024 * 1024)

static const uint8_t tag[LMDB_TAG_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};

static struct stores stores;
static struct lmdb_environment environment;
static struct MDB_txn *reader;

static int
set_up(void **state)
{
    char path[128];

    (void)state;
    stores_start(&stores, STORE_LMDB, NULL);
    (void)snprintf(path, sizeof(path), "%s/lmdb", stores.folder);
    reader = NULL;
    return mkdir(path, 0700) == 0 &&
                   lmdb_environment_open(&environment, path, MAP_SIZE + 1) == 0
               ? 0
               : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    lmdb_reader_free(reader);
    lmdb_environment_close(&environment);
    stores_stop(&stores);
    return 0;
}

static struct lmdb_txn
begin(void)
{
    struct lmdb_txn txn = {.environment = &environment, .tag = tag};

    assert_int_equal(lmdb_write_begin(&environment, &txn.handle), 0);
    return txn;
}

static struct lmdb_txn
begin_read(void)
{
    struct lmdb_txn txn = {.environment = &environment, .tag = tag};

    assert_int_equal(lmdb_reader_begin(&environment, &reader), 0);
    txn.handle = reader;
    return txn;
}

static void
put(const struct lmdb_txn *txn, const struct lmdb_key *key, const char *head,
    const char *tail)
{
    const struct pst_bytes parts[2] = {pst_str_bytes(pst_str_from(head)),
                                       pst_str_bytes(pst_str_from(tail))};

    assert_int_equal(lmdb_put_value(txn, RECORD_SPILL, key, parts), 0);
}

static void
expect_record(struct pst_bytes record, const char *want)
{
    assert_true(pst_str_equal(pst_str_from_bytes(record), pst_str_from(want)));
}

static struct lmdb_key
key_of(const struct lmdb_txn *txn, unsigned first, unsigned second)
{
    struct store_id one = stores_id(first);
    struct store_id two = stores_id(second);

    return lmdb_key_make(txn, &one, second ? &two : NULL);
}

static void
test_records(void **state)
{
    struct lmdb_txn txn = begin();
    struct lmdb_key key = key_of(&txn, 1, 0);
    struct pst_bytes record;
    size_t count = 9;
    size_t bytes = 0;

    (void)state;
    assert_int_equal(lmdb_get(&txn, RECORD_SPILL, &key, &record),
                     LMDB_NOT_FOUND);
    assert_int_equal(lmdb_del(&txn, RECORD_SPILL, &key), 0);
    put(&txn, &key, "head ", "tail");
    assert_int_equal(lmdb_get(&txn, RECORD_SPILL, &key, &record), 0);
    expect_record(record, "head tail");
    put(&txn, &key, "short", "");
    assert_int_equal(lmdb_get(&txn, RECORD_SPILL, &key, &record), 0);
    expect_record(record, "short");
    put(&txn, &key, "", "");
    assert_int_equal(lmdb_get(&txn, RECORD_SPILL, &key, &record), 0);
    assert_int_equal(record.len, 0);
    assert_int_equal(lmdb_get(&txn, RECORD_REVOKED, &key, &record),
                     LMDB_NOT_FOUND);
    assert_int_equal(lmdb_measure(&txn, RECORD_SPILL, &count, &bytes), 0);
    assert_int_equal(count, 1);
    assert_int_equal(lmdb_del(&txn, RECORD_SPILL, &key), 0);
    assert_int_equal(lmdb_measure(&txn, RECORD_SPILL, &count, &bytes), 0);
    assert_int_equal(count, 0);
    lmdb_write_abort(txn.handle);
}

static void
test_cursors(void **state)
{
    struct lmdb_txn txn = begin();
    struct lmdb_key key = key_of(&txn, 1, 0);
    struct MDB_cursor *cursor;
    struct pst_bytes found;
    size_t count = 9;
    size_t bytes = 0;

    (void)state;
    put(&txn, &key, "one", "");
    key = key_of(&txn, 2, 0);
    put(&txn, &key, "two", "");
    assert_int_equal(lmdb_cursor_open(&txn, RECORD_SPILL, &cursor), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lmdb_cursor_first(cursor, &found), 0);
        assert_int_equal(found.len, key.len);
        assert_int_equal(lmdb_cursor_del(cursor), 0);
    }
    assert_int_equal(lmdb_cursor_first(cursor, &found), LMDB_NOT_FOUND);
    lmdb_cursor_close(cursor);
    assert_int_equal(lmdb_measure(&txn, RECORD_SPILL, &count, &bytes), 0);
    assert_int_equal(count, 0);
    lmdb_write_abort(txn.handle);
}

/* All records below a prefix, with any records before and after. */
static void
test_ranges(void **state)
{
    struct lmdb_txn txn = begin();
    struct lmdb_key prefix = key_of(&txn, 20, 0);
    struct lmdb_range range;
    struct pst_bytes record;
    struct pst_bytes key;
    unsigned count = 0;

    (void)state;
    for (unsigned i = 1; i < 40; i++) {
        for (unsigned j = 1; j <= 3; j++) {
            struct lmdb_key each = key_of(&txn, i, j);

            put(&txn, &each, i == 20 ? "in" : "out", "");
        }
    }
    assert_int_equal(lmdb_range_open(&range, &txn, RECORD_SPILL, &prefix), 0);
    while (lmdb_range_next(&range, &key, &record) == 0) {
        expect_record(record, "in");
        assert_memory_equal(key.ptr, prefix.bytes, prefix.len);
        count++;
    }
    assert_int_equal(count, 3);
    lmdb_cursor_close(range.cursor);
    prefix = key_of(&txn, 41, 0);
    assert_int_equal(lmdb_range_open(&range, &txn, RECORD_SPILL, &prefix), 0);
    assert_int_equal(lmdb_range_next(&range, &key, &record), LMDB_NOT_FOUND);
    lmdb_cursor_close(range.cursor);
    lmdb_write_abort(txn.handle);
}

/* Damage. */

static int
open_data(void)
{
    char path[128];
    int file;

    (void)snprintf(path, sizeof(path), "%s/lmdb/data.mdb", stores.folder);
    file = open(path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    return file;
}

/* Replace bytes of the file wherever they are: old pages have them, too. */
static void
replace(struct pst_bytes old, struct pst_bytes new)
{
    static uint8_t whole[MAP_SIZE];
    int file = open_data();
    ssize_t len = pread(file, whole, sizeof(whole), 0);
    size_t count = 0;

    assert_int_equal(old.len, new.len);
    for (ssize_t at = 0; at + (ssize_t)old.len <= len; at++) {
        if (memcmp(whole + at, old.ptr, old.len) != 0)
            continue;
        assert_int_equal(pwrite(file, new.ptr, new.len, at), new.len);
        count++;
    }
    assert_true(count > 0);
    close(file);
}

static void
put_revoked(unsigned first, unsigned last)
{
    const struct pst_bytes parts[2] = {{(const uint8_t *)"record", 6},
                                       {NULL, 0}};
    struct lmdb_txn txn = begin();

    for (unsigned i = first; i <= last; i++) {
        struct lmdb_key key = key_of(&txn, i, 0);

        assert_int_equal(lmdb_put_value(&txn, RECORD_REVOKED, &key, parts), 0);
    }
    assert_int_equal(lmdb_write_commit(txn.handle), 0);
}

static int
get_revoked(unsigned number)
{
    struct lmdb_txn txn = begin_read();
    struct lmdb_key key = key_of(&txn, number, 0);
    struct pst_bytes record;
    int rc = lmdb_get_checked(&txn, RECORD_REVOKED, &key, &record);

    lmdb_reader_end(txn.handle);
    return rc;
}

/* In an empty table, in one page, and in many. */
static void
test_absence(void **state)
{
    static const unsigned counts[] = {0, 1, 2, 400};

    (void)state;
    for (size_t i = 0; i < PST_COUNT(counts); i++) {
        if (counts[i] > 0)
            put_revoked(1, counts[i]);
        for (unsigned j = 1; j <= 500; j++)
            assert_int_equal(get_revoked(j),
                             j <= counts[i] ? 0 : LMDB_NOT_FOUND);
    }
}

/* A record whose key is damaged is not missing. */
static void
test_damaged_key(void **state)
{
    struct lmdb_txn txn = {.tag = tag};
    struct lmdb_key key = key_of(&txn, 1, 0);
    uint8_t old[2 + LMDB_KEY_MAX] = {(uint8_t)key.len, 0};
    uint8_t new[sizeof(old)];

    (void)state;
    put_revoked(1, 1);
    memcpy(old + 2, key.bytes, key.len);
    memcpy(new, old, sizeof(old));
    new[0]--; /* the length of the key */
    replace((struct pst_bytes){old, 2 + key.len},
            (struct pst_bytes){new, 2 + key.len});
    for (unsigned i = 1; i <= 9; i++)
        assert_int_equal(get_revoked(i), LMDB_CORRUPTED);
    assert_non_null(strstr(lmdb_error_advice(LMDB_CORRUPTED), "restore"));
}

/* A table that is not found is not empty. */
static void
test_damaged_name(void **state)
{
    (void)state;
    put_revoked(1, 3);
    assert_int_equal(get_revoked(2), 0);
    replace(pst_str_bytes(pst_str_from("revoked")),
            pst_str_bytes(pst_str_from("revoker")));
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(get_revoked(i), LMDB_CORRUPTED);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_records), TEST(test_cursors),     TEST(test_ranges),
        TEST(test_absence), TEST(test_damaged_key), TEST(test_damaged_name),
    };

    return cmocka_run_group_tests_name("lmdb_records", tests, NULL, NULL);
}
