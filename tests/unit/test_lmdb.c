/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb.c - tables, records, cursors and transactions of LMDB, through the
 * one file that calls it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
test_map_size(void **state)
{
    (void)state;
    assert_int_equal(environment.map_size, MAP_SIZE);
    assert_true(environment.page_size >= 4096);
}

static void
test_keys(void **state)
{
    struct lmdb_txn txn = {.tag = tag};
    struct store_id id = stores_id(1);
    struct lmdb_key key = lmdb_key_make(&txn, NULL, NULL);

    (void)state;
    assert_int_equal(key.len, LMDB_TAG_LEN);
    assert_memory_equal(key.bytes, tag, LMDB_TAG_LEN);
    key = key_of(&txn, 1, 0);
    assert_int_equal(key.len, LMDB_TAG_LEN + PST_HASH_LEN);
    assert_memory_equal(key.bytes + LMDB_TAG_LEN, id.bytes, PST_HASH_LEN);
    key = key_of(&txn, 1, 2);
    assert_int_equal(key.len, LMDB_KEY_MAX);
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

/* A reader sees what was committed before it began, and nothing else. */
static void
test_transactions(void **state)
{
    struct lmdb_txn writer = begin();
    struct lmdb_key key = key_of(&writer, 1, 0);
    struct lmdb_txn read;
    struct pst_bytes record;

    (void)state;
    put(&writer, &key, "aborted", "");
    lmdb_write_abort(writer.handle);
    writer = begin();
    put(&writer, &key, "kept", "");
    read = begin_read();
    assert_int_equal(lmdb_get(&read, RECORD_SPILL, &key, &record),
                     LMDB_NOT_FOUND);
    assert_int_equal(lmdb_write_commit(writer.handle), 0);
    assert_int_equal(lmdb_get(&read, RECORD_SPILL, &key, &record),
                     LMDB_NOT_FOUND);
    lmdb_reader_end(read.handle);
    read = begin_read();
    assert_int_equal(lmdb_get(&read, RECORD_SPILL, &key, &record), 0);
    expect_record(record, "kept");
    lmdb_reader_end(read.handle);
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

/* Pages that are free again count, though the file does not shrink. */
static void
test_free_tenths(void **state)
{
    static char large[8000];
    size_t tenths = 99;
    unsigned kept = 0;
    int rc = 0;

    (void)state;
    memset(large, 'a', sizeof(large) - 1);
    assert_int_equal(lmdb_free_tenths(&environment, &reader, &tenths), 0);
    assert_true(tenths >= 9);
    while (rc == 0 && tenths > 0) {
        struct lmdb_txn txn = begin();
        struct lmdb_key key = key_of(&txn, ++kept, 0);

        put(&txn, &key, large, "");
        assert_int_equal(lmdb_write_commit(txn.handle), 0);
        rc = lmdb_free_tenths(&environment, &reader, &tenths);
    }
    assert_int_equal(rc, 0);
    for (unsigned i = 1; i <= kept; i++) {
        struct lmdb_txn txn = begin();
        struct lmdb_key key = key_of(&txn, i, 0);

        assert_int_equal(lmdb_del(&txn, RECORD_SPILL, &key), 0);
        assert_int_equal(lmdb_write_commit(txn.handle), 0);
    }
    assert_int_equal(lmdb_free_tenths(&environment, &reader, &tenths), 0);
    assert_true(tenths >= 7);
}

static void
test_errors(void **state)
{
    struct lmdb_environment other;

    (void)state;
    assert_int_equal(lmdb_environment_open(&other, "/proc/nowhere", MAP_SIZE),
                     ENOENT);
    assert_string_equal(lmdb_error_text(ENOENT), strerror(ENOENT));
    assert_string_equal(lmdb_error_advice(ENOENT), "");
    assert_non_null(strstr(lmdb_error_text(LMDB_MAP_FULL), "MDB_MAP_FULL"));
    assert_non_null(strstr(lmdb_error_advice(LMDB_MAP_FULL), "?size="));
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_map_size),     TEST(test_keys),    TEST(test_records),
        TEST(test_transactions), TEST(test_cursors), TEST(test_ranges),
        TEST(test_free_tenths),  TEST(test_errors),
    };

    return cmocka_run_group_tests_name("lmdb", tests, NULL, NULL);
}
