/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_key.c - keys of records: the tag of the audience, then the ids.
 */
#include <string.h>

#include "store/lmdb.h"
#include "stores.h"

static void
test_parts(void **state)
{
    static const uint8_t tag[LMDB_TAG_LEN] = "a-site-";
    const struct lmdb_txn txn = {.tag = tag};
    const struct store_id one = stores_id(1);
    const struct store_id two = stores_id(2);
    struct lmdb_key key = lmdb_key_make(&txn, NULL, NULL);

    (void)state;
    assert_int_equal(key.len, LMDB_TAG_LEN);
    assert_memory_equal(key.bytes, tag, LMDB_TAG_LEN);
    key = lmdb_key_make(&txn, &one, NULL);
    assert_int_equal(key.len, LMDB_TAG_LEN + PST_HASH_LEN);
    assert_memory_equal(key.bytes + LMDB_TAG_LEN, one.bytes, PST_HASH_LEN);
    key = lmdb_key_make(&txn, &one, &two);
    assert_int_equal(key.len, LMDB_KEY_MAX);
    assert_memory_equal(key.bytes + LMDB_TAG_LEN + PST_HASH_LEN, two.bytes,
                        PST_HASH_LEN);
    lmdb_key_add(&key, "end", 3);
    assert_memory_equal(key.bytes + LMDB_KEY_MAX, "end", 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts)};

    return cmocka_run_group_tests_name("lmdb_key", tests, NULL, NULL);
}
