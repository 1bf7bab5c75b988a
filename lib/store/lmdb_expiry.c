/* SPDX-License-Identifier: ISC */
/*
 * lmdb_expiry.c - records in LMDB that expire: an index by time, the removal
 * of expired records, and a limit on the number of counters.
 */
#include "store/lmdb_expiry.h"

#include <string.h>

/* Bytes that a counter uses in the map, with its entry and half-full pages;
 * and the fraction of the map that each of the two counter tables may use. */
#define COUNTER_SIZE 256
#define COUNTERS_FRACTION 8

/* The same for an ended guest session, and for the table of guests. */
#define GUEST_SIZE 256
#define GUESTS_FRACTION 8

/* A new counter that lasts longer, in seconds, is a long one. */
#define COUNTER_LONG 3600

/* Entries to look at when a counter has to go: those too early are moved, and
 * foreign ones deleted. */
#define EVICT_ENTRIES_MAX 16

/* Seconds until a record that a newer program wrote is looked at again. */
#define NEWER_RECORD_DELAY 86400

/* An entry of the index: its key is the time, the kind, and the key of the
 * record; it has no value. */
struct entry {
    unsigned table;
    enum record_kind kind;
    int64_t when;
};

static struct lmdb_key
lmdb_entry_key(struct entry entry, const struct lmdb_key *record_key)
{
    struct lmdb_key key = {.len = LMDB_EXPIRY_HEAD_LEN};

    record_set_time(key.bytes, entry.when);
    key.bytes[RECORD_TIME_LEN] = (uint8_t)entry.kind;
    lmdb_key_add(&key, record_key->bytes, record_key->len);
    return key;
}

static int
lmdb_put_entry(const struct lmdb_txn *txn, struct entry entry,
               const struct lmdb_key *record_key)
{
    const struct pst_bytes nothing[2] = {{NULL, 0}, {NULL, 0}};
    struct lmdb_key key = lmdb_entry_key(entry, record_key);

    return lmdb_put_value(txn, entry.table, &key, nothing);
}

/* Could we have written this key? Every key of a record begins with a tag. */
static bool
lmdb_is_entry(struct pst_bytes key)
{
    return key.len >= LMDB_EXPIRY_HEAD_LEN + LMDB_TAG_LEN &&
           key.len <= LMDB_EXPIRY_HEAD_LEN + LMDB_KEY_MAX;
}

/*
 * Take the first entry out of a table of the index. An entry that is not of our
 * format is deleted, because the entries behind it could never be reached.
 *   entry  set to its key; empty if it was not of our format
 * Returns LMDB_NOT_FOUND when the table is empty, or its first entry is later
 * than `until`.
 */
static int
lmdb_take_entry(struct MDB_cursor *cursor, int64_t until,
                struct lmdb_key *entry)
{
    struct pst_bytes key;
    int rc = lmdb_cursor_first(cursor, &key);

    if (rc)
        return rc;
    entry->len = 0;
    if (lmdb_is_entry(key)) {
        if (record_get_time(key.ptr) > until)
            return LMDB_NOT_FOUND;
        /* Copied: a write to the table moves the page that holds the key. */
        lmdb_key_add(entry, key.ptr, key.len);
    }
    return lmdb_cursor_del(cursor);
}

/* The key of the record that an entry refers to. */
static struct lmdb_key
lmdb_entry_record_key(const struct lmdb_key *entry)
{
    struct lmdb_key key = {.len = 0};

    lmdb_key_add(&key, entry->bytes + LMDB_EXPIRY_HEAD_LEN,
                 entry->len - LMDB_EXPIRY_HEAD_LEN);
    return key;
}

/* The limit on counters. */

/* Delete the counter of an entry. If it expires later than the entry says,
 * write a later entry instead. */
static int
lmdb_evict_counter(const struct lmdb_txn *txn, unsigned table,
                   const struct lmdb_key *entry, bool *is_evicted)
{
    struct entry moved = {.table = table, .kind = RECORD_COUNTER};
    struct lmdb_key key = lmdb_entry_record_key(entry);
    struct pst_bytes record;
    int rc = lmdb_get(txn, RECORD_COUNTER, &key, &record);

    if (rc)
        return rc == LMDB_NOT_FOUND ? 0 : rc;
    if (record_expires(RECORD_COUNTER, record, &moved.when) &&
        moved.when > record_get_time(entry->bytes))
        return lmdb_put_entry(txn, moved, &key);
    *is_evicted = true;
    return lmdb_del(txn, RECORD_COUNTER, &key);
}

/* Delete the counter that expires first. */
static int
lmdb_evict_first_counter(const struct lmdb_txn *txn, unsigned table)
{
    struct lmdb_key entry = {.len = 0};
    bool is_evicted = false;
    struct MDB_cursor *cursor;
    int rc = lmdb_cursor_open(txn, table, &cursor);

    if (rc)
        return rc;
    for (unsigned i = 0; i < EVICT_ENTRIES_MAX && rc == 0 && !is_evicted; i++) {
        rc = lmdb_take_entry(cursor, INT64_MAX, &entry);
        if (rc == 0 && entry.len > 0)
            rc = lmdb_evict_counter(txn, table, &entry, &is_evicted);
    }
    lmdb_cursor_close(cursor);
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

/* Make room for one more counter. */
static int
lmdb_limit_counters(const struct lmdb_txn *txn, unsigned table)
{
    size_t max = txn->environment->map_size / COUNTERS_FRACTION / COUNTER_SIZE;
    size_t count;
    size_t ignored;
    int rc = lmdb_measure(txn, table, &count, &ignored);

    if (rc || count < max)
        return rc;
    return lmdb_evict_first_counter(txn, table);
}

/* The shares of other records. */

/* Is there room for one more record of a guest? */
static int
lmdb_limit_guests(const struct lmdb_txn *txn)
{
    size_t max = txn->environment->map_size / GUESTS_FRACTION / GUEST_SIZE;
    size_t count;
    size_t ignored;
    int rc = lmdb_measure(txn, LMDB_EXPIRY_GUESTS, &count, &ignored);

    return rc == 0 && count >= max ? LMDB_SHARE_FULL : rc;
}

int
lmdb_check_share(const struct lmdb_txn *txn, enum record_kind kind,
                 size_t fraction)
{
    size_t ignored;
    size_t bytes;
    int rc = lmdb_measure(txn, kind, &ignored, &bytes);

    return rc == 0 && bytes >= txn->environment->map_size / fraction
               ? LMDB_SHARE_FULL
               : rc;
}

/* Writing records. */

static int
lmdb_add_entry(const struct lmdb_txn *txn, struct entry entry,
               const struct lmdb_key *key)
{
    int rc = 0;

    if (entry.table == LMDB_EXPIRY_GUESTS) {
        rc = lmdb_limit_guests(txn);
    } else if (entry.kind == RECORD_COUNTER) {
        entry.table = entry.when - txn->now > COUNTER_LONG
                          ? LMDB_EXPIRY_LONG_COUNTERS
                          : LMDB_EXPIRY_SHORT_COUNTERS;
        rc = lmdb_limit_counters(txn, entry.table);
    }
    return rc ? rc : lmdb_put_entry(txn, entry, key);
}

/* Does the old record guarantee an entry at or before the new expiry? */
static bool
lmdb_has_entry(enum record_kind kind, struct pst_bytes old, int64_t expires)
{
    int64_t before;

    return record_expires(kind, old, &before) && before <= expires;
}

/* table: the one of the index that a new record has its entry in */
static int
lmdb_put_record_at(const struct lmdb_txn *txn, unsigned table,
                   enum record_kind kind, const struct lmdb_key *key,
                   const struct pst_bytes parts[static 2])
{
    struct pst_bytes old;
    int64_t expires;
    int rc = lmdb_get(txn, kind, key, &old);

    if (rc != 0 && rc != LMDB_NOT_FOUND)
        return rc;
    PST_REQUIRE(record_expires(kind, parts[0], &expires));
    if (rc == LMDB_NOT_FOUND || !lmdb_has_entry(kind, old, expires)) {
        rc = lmdb_add_entry(txn, (struct entry){table, kind, expires}, key);
        if (rc)
            return rc;
    }
    return lmdb_put_value(txn, kind, key, parts);
}

int
lmdb_put(const struct lmdb_txn *txn, enum record_kind kind,
         const struct lmdb_key *key, const struct pst_bytes parts[static 2])
{
    return lmdb_put_record_at(txn, LMDB_EXPIRY, kind, key, parts);
}

int
lmdb_put_for_guest(const struct lmdb_txn *txn, enum record_kind kind,
                   const struct lmdb_key *key,
                   const struct pst_bytes parts[static 2])
{
    return lmdb_put_record_at(txn, LMDB_EXPIRY_GUESTS, kind, key, parts);
}

/* Removing records. */

int
lmdb_remove(const struct lmdb_txn *txn, enum record_kind kind,
            const struct lmdb_key *key)
{
    static const unsigned tables[] = {LMDB_EXPIRY, LMDB_EXPIRY_GUESTS};
    struct pst_bytes record;
    struct lmdb_key entry;
    int64_t expires;
    int rc = lmdb_get(txn, kind, key, &record);

    if (rc)
        return rc == LMDB_NOT_FOUND ? 0 : rc;
    if (!record_expires(kind, record, &expires))
        return lmdb_del(txn, kind, key);
    for (size_t i = 0; i < PST_COUNT(tables) && rc == 0; i++) {
        entry = lmdb_entry_key((struct entry){tables[i], kind, expires}, key);
        rc = lmdb_del(txn, tables[i], &entry);
    }
    return rc ? rc : lmdb_del(txn, kind, key);
}

/* Look at the record of an entry that is due: remove it, or write a later
 * entry. */
static int
lmdb_expire_record(const struct lmdb_txn *txn, unsigned table,
                   const struct lmdb_key *entry,
                   struct store_sweep_result *result)
{
    struct entry moved = {table, entry->bytes[RECORD_TIME_LEN], 0};
    struct lmdb_key key;
    struct pst_bytes record;
    int rc;

    if (moved.kind >= RECORD_KINDS)
        return 0;
    key = lmdb_entry_record_key(entry);
    rc = lmdb_get(txn, moved.kind, &key, &record);
    if (rc)
        return rc == LMDB_NOT_FOUND ? 0 : rc;
    if (!record_expires(moved.kind, record, &moved.when))
        moved.when = txn->now + NEWER_RECORD_DELAY;
    if (moved.when > txn->now)
        return lmdb_put_entry(txn, moved, &key);
    result->removed++;
    return lmdb_del(txn, moved.kind, &key);
}

static int
lmdb_expire_table(const struct lmdb_txn *txn, unsigned table, size_t limit,
                  struct store_sweep_result *result)
{
    struct lmdb_key entry = {.len = 0};
    struct MDB_cursor *cursor;
    int rc = lmdb_cursor_open(txn, table, &cursor);

    if (rc)
        return rc;
    while (result->examined < limit && rc == 0) {
        rc = lmdb_take_entry(cursor, txn->now, &entry);
        if (rc)
            break;
        result->examined++;
        if (entry.len > 0)
            rc = lmdb_expire_record(txn, table, &entry, result);
    }
    lmdb_cursor_close(cursor);
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

int
lmdb_expire(const struct lmdb_txn *txn, size_t limit,
            struct store_sweep_result *result)
{
    int rc = 0;

    for (unsigned i = LMDB_EXPIRY; i < LMDB_TABLES && rc == 0; i++)
        rc = lmdb_expire_table(txn, i, limit, result);
    return rc;
}
