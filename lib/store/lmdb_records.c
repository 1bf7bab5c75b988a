/* SPDX-License-Identifier: ISC */
/*
 * lmdb_records.c - one of the two files that call LMDB: records by key,
 * cursors.
 */
#include <string.h>

#include <lmdb.h>

#include "store/lmdb.h"

/* Records. */

/* LMDB does not write to keys, but its type has no const. */
static MDB_val
lmdb_key_value(const struct lmdb_key *key)
{
    return (MDB_val){key->len, (void *)(uintptr_t)key->bytes};
}

static struct pst_bytes
lmdb_value_bytes(MDB_val value)
{
    return (struct pst_bytes){value.mv_data, value.mv_size};
}

int
lmdb_get(const struct lmdb_txn *txn, unsigned table, const struct lmdb_key *key,
         struct pst_bytes *record)
{
    MDB_val name = lmdb_key_value(key);
    MDB_val value;
    int rc =
        mdb_get(txn->handle, txn->environment->tables[table], &name, &value);

    if (rc == 0)
        *record = lmdb_value_bytes(value);
    return rc;
}

/*
 * A check for damage, because LMDB has no checksums: in a damaged page a key
 * may seem to be missing. If it really is, then the keys before and after the
 * place where it would be are of this form and in order. One of them is in the
 * page where LMDB has looked.
 *   order  below 0: the neighbour is the one before the key
 */
static bool
lmdb_is_neighbour(MDB_val neighbour, const struct lmdb_key *key, int order)
{
    int found;

    if (neighbour.mv_size != key->len)
        return false;
    found = memcmp(neighbour.mv_data, key->bytes, key->len);
    return order < 0 ? found < 0 : found > 0;
}

/* Is the table there, and has it no record? */
static int
lmdb_check_empty(const struct lmdb_txn *txn, unsigned table)
{
    const char *text = lmdb_table_name(table);
    MDB_val name = {strlen(text), (void *)(uintptr_t)text};
    MDB_val value;
    MDB_stat stat;
    int rc = mdb_get(txn->handle, txn->environment->names, &name, &value);

    if (rc == 0)
        rc = mdb_stat(txn->handle, txn->environment->tables[table], &stat);
    if (rc)
        return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
    return stat.ms_entries == 0 ? MDB_NOTFOUND : MDB_CORRUPTED;
}

static int
lmdb_find_checked(const struct lmdb_txn *txn, unsigned table,
                  const struct lmdb_key *key, MDB_cursor *cursor,
                  struct pst_bytes *record)
{
    MDB_val name = lmdb_key_value(key);
    MDB_val value;
    int after = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
    int before;

    if (after != 0 && after != MDB_NOTFOUND)
        return after;
    if (after == 0 && name.mv_size == key->len &&
        memcmp(name.mv_data, key->bytes, key->len) == 0) {
        *record = lmdb_value_bytes(value);
        return 0;
    }
    if (after == 0 && !lmdb_is_neighbour(name, key, 1))
        return MDB_CORRUPTED;
    before =
        mdb_cursor_get(cursor, &name, &value, after == 0 ? MDB_PREV : MDB_LAST);
    if (before == 0)
        return lmdb_is_neighbour(name, key, -1) ? MDB_NOTFOUND : MDB_CORRUPTED;
    return after == 0 || before != MDB_NOTFOUND ? before
                                                : lmdb_check_empty(txn, table);
}

int
lmdb_get_checked(const struct lmdb_txn *txn, unsigned table,
                 const struct lmdb_key *key, struct pst_bytes *record)
{
    MDB_cursor *cursor;
    int rc = lmdb_cursor_open(txn, table, &cursor);

    if (rc)
        return rc;
    rc = lmdb_find_checked(txn, table, key, cursor, record);
    mdb_cursor_close(cursor);
    return rc;
}

int
lmdb_put_value(const struct lmdb_txn *txn, unsigned table,
               const struct lmdb_key *key,
               const struct pst_bytes parts[static 2])
{
    MDB_val value = {parts[0].len + parts[1].len, NULL};
    MDB_val name = lmdb_key_value(key);
    int rc = mdb_put(txn->handle, txn->environment->tables[table], &name,
                     &value, MDB_RESERVE);

    if (rc)
        return rc;
    if (parts[0].len > 0)
        memcpy(value.mv_data, parts[0].ptr, parts[0].len);
    if (parts[1].len > 0)
        memcpy((uint8_t *)value.mv_data + parts[0].len, parts[1].ptr,
               parts[1].len);
    return 0;
}

int
lmdb_del(const struct lmdb_txn *txn, unsigned table, const struct lmdb_key *key)
{
    MDB_val name = lmdb_key_value(key);
    int rc = mdb_del(txn->handle, txn->environment->tables[table], &name, NULL);

    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
lmdb_measure(const struct lmdb_txn *txn, unsigned table, size_t *count,
             size_t *bytes)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->handle, txn->environment->tables[table], &stat);

    if (rc)
        return rc;
    *count = stat.ms_entries;
    *bytes = stat.ms_psize * (stat.ms_branch_pages + stat.ms_leaf_pages +
                              stat.ms_overflow_pages);
    return 0;
}

/* Cursors. */

int
lmdb_cursor_open(const struct lmdb_txn *txn, unsigned table,
                 MDB_cursor **cursor)
{
    return mdb_cursor_open(txn->handle, txn->environment->tables[table],
                           cursor);
}

void
lmdb_cursor_close(MDB_cursor *cursor)
{
    mdb_cursor_close(cursor);
}

int
lmdb_cursor_first(MDB_cursor *cursor, struct pst_bytes *key)
{
    MDB_val name;
    MDB_val value;
    int rc = mdb_cursor_get(cursor, &name, &value, MDB_FIRST);

    if (rc == 0)
        *key = lmdb_value_bytes(name);
    return rc;
}

int
lmdb_cursor_del(MDB_cursor *cursor)
{
    return mdb_cursor_del(cursor, 0);
}

int
lmdb_range_open(struct lmdb_range *range, const struct lmdb_txn *txn,
                unsigned table, const struct lmdb_key *prefix)
{
    range->prefix = *prefix;
    range->is_begun = false;
    return lmdb_cursor_open(txn, table, &range->cursor);
}

int
lmdb_range_next(struct lmdb_range *range, struct pst_bytes *key,
                struct pst_bytes *record)
{
    MDB_val name = lmdb_key_value(&range->prefix);
    MDB_val value;
    int rc = mdb_cursor_get(range->cursor, &name, &value,
                            range->is_begun ? MDB_NEXT : MDB_SET_RANGE);

    if (rc)
        return rc;
    range->is_begun = true;
    if (name.mv_size < range->prefix.len ||
        memcmp(name.mv_data, range->prefix.bytes, range->prefix.len) != 0)
        return MDB_NOTFOUND;
    *key = lmdb_value_bytes(name);
    *record = lmdb_value_bytes(value);
    return 0;
}
