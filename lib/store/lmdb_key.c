/* SPDX-License-Identifier: ISC */
/*
 * lmdb_key.c - build the keys of records in LMDB.
 */
#include <string.h>

#include "store/lmdb.h"

void
lmdb_key_add(struct lmdb_key *key, const void *bytes, size_t len)
{
    PST_REQUIRE(len <= sizeof(key->bytes) - key->len);
    memcpy(key->bytes + key->len, bytes, len);
    key->len += len;
}

struct lmdb_key
lmdb_key_make(const struct lmdb_txn *txn, const struct store_id *first,
              const struct store_id *second)
{
    struct lmdb_key key = {.len = 0};

    lmdb_key_add(&key, txn->tag, LMDB_TAG_LEN);
    if (first)
        lmdb_key_add(&key, first->bytes, PST_HASH_LEN);
    if (second)
        lmdb_key_add(&key, second->bytes, PST_HASH_LEN);
    return key;
}
