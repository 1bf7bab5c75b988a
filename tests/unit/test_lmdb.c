/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb.c - tables and transactions of LMDB, also when its file was cut
 * short.
 */
#include <errno.h>
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

/* As if it was cut more than a second ago. */
static void
cut_file(int file, off_t size)
{
    assert_int_equal(ftruncate(file, size), 0);
    environment.checked_at = 0;
}

/* Pages that are missing would be a SIGBUS. */
static void
test_short_file(void **state)
{
    int file = open_data();
    size_t tenths = 9;
    struct MDB_txn *writer;
    struct stat whole;
    struct stat found;
    off_t cut;
    int rc;

    (void)state;
    put_revoked(1, 400);
    assert_int_equal(fstat(file, &whole), 0);
    /* Within a page: nothing is read, because the keys beside the cut could
     * look whole. */
    cut = whole.st_size - (off_t)environment.page_size + 100;
    cut_file(file, cut);
    assert_int_equal(lmdb_reader_begin(&environment, &reader), LMDB_CORRUPTED);
    assert_int_equal(lmdb_write_begin(&environment, &writer), LMDB_CORRUPTED);
    assert_int_equal(fstat(file, &found), 0);
    assert_int_equal(found.st_size, cut);
    /* Between pages: those that are missing are empty ones. */
    cut = whole.st_size / 2;
    cut -= cut % (off_t)environment.page_size;
    cut_file(file, cut);
    for (unsigned i = 1; i <= 400; i++) {
        rc = get_revoked(i);
        assert_int_not_equal(rc, LMDB_NOT_FOUND);
    }
    assert_int_equal(fstat(file, &found), 0);
    assert_int_equal(found.st_size, whole.st_size);
    for (off_t size = 0; size < 8192; size += 1000) {
        cut_file(file, size);
        rc = lmdb_reader_begin(&environment, &reader);
        assert_non_null(strstr(lmdb_error_text(rc), "not an LMDB file"));
        assert_int_equal(lmdb_write_begin(&environment, &writer), rc);
        assert_int_equal(lmdb_free_tenths(&environment, &reader, &tenths), rc);
    }
    close(file);
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
        TEST(test_map_size),    TEST(test_keys),   TEST(test_transactions),
        TEST(test_free_tenths), TEST(test_errors), TEST(test_short_file),
    };

    return cmocka_run_group_tests_name("lmdb", tests, NULL, NULL);
}
