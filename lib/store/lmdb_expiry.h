/* SPDX-License-Identifier: ISC */
/*
 * lmdb_expiry.h - records in LMDB that expire: an index by time, the removal
 * of expired records, and a limit on the number of counters.
 *
 * Invariant: each record has at least one entry in the index whose time is not
 * after the record's own expiry. Entries are hints. A record whose expiry
 * moves back keeps its old entry; whoever finds that entry too early writes a
 * later one. A deleted record leaves its entry behind.
 *
 * Anybody can make counters without an account, under names that he invents.
 * So counters may use a quarter of the map at most. When that is full, a new
 * counter replaces the one that expires first. A name that was tried once
 * expires before one that is tried again and again. Counters that last for
 * hours have a share of their own: otherwise they would displace all others.
 */
#ifndef POSTERN_STORE_LMDB_EXPIRY_H
#define POSTERN_STORE_LMDB_EXPIRY_H

#include "store/lmdb.h"
#include "store/store.h"

/*
 * Write a record, which is the concatenation of two parts, and add it to the
 * index. The first part holds the expiry. Makes room for a new counter.
 * Returns 0 or an error code of LMDB.
 */
PST_MUST_USE int lmdb_put(const struct lmdb_txn *txn, enum record_kind kind,
                          const struct lmdb_key *key,
                          const struct pst_bytes parts[static 2]);

/*
 * Remove expired records: look at the entries that are due.
 *   limit   entries to look at, at most
 *   result  the numbers are added to it
 * Returns 0 or an error code of LMDB.
 */
PST_MUST_USE int lmdb_expire(const struct lmdb_txn *txn, size_t limit,
                             struct store_sweep_result *result);

#endif
