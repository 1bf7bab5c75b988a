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
 *
 * Anybody can begin and end guest sessions, too. What that writes has a table
 * of the index of its own, and may use an eighth of the map. When that is full,
 * the end of one more guest session fails, until others expire: to forget one
 * that ended would make it valid again.
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

/* The same for somebody without an account. Returns also LMDB_SHARE_FULL. */
PST_MUST_USE int lmdb_put_for_guest(const struct lmdb_txn *txn,
                                    enum record_kind kind,
                                    const struct lmdb_key *key,
                                    const struct pst_bytes parts[static 2]);

/* Does a table use less than this fraction of the map? Returns 0,
 * LMDB_SHARE_FULL or an error code of LMDB. */
PST_MUST_USE int lmdb_check_share(const struct lmdb_txn *txn,
                                  enum record_kind kind, size_t fraction);

/* Delete a record, if there is one, and its entry at the time of its expiry. An
 * earlier entry stays until it is due. Returns 0 or an error code of LMDB. */
PST_MUST_USE int lmdb_remove(const struct lmdb_txn *txn, enum record_kind kind,
                             const struct lmdb_key *key);

/*
 * Remove expired records: look at the entries that are due.
 *   limit   entries to look at, at most
 *   result  the numbers are added to it
 * Returns 0 or an error code of LMDB.
 */
PST_MUST_USE int lmdb_expire(const struct lmdb_txn *txn, size_t limit,
                             struct store_sweep_result *result);

#endif
