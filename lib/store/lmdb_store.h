/* SPDX-License-Identifier: ISC */
/*
 * lmdb_store.h - what the files of the LMDB store share: records of revoked
 * users and sessions, and the parts of the table of functions store_lmdb.
 *
 * Functions that return int return 0, or an error code of store/lmdb.h or
 * store/lmdb_handle.h.
 */
#ifndef POSTERN_STORE_LMDB_STORE_H
#define POSTERN_STORE_LMDB_STORE_H

#include "base/base.h"
#include "base/error.h"
#include "store/lmdb.h"
#include "store/record.h"
#include "store/store_operations.h"

/* lmdb_put() of a record in one piece. */
PST_MUST_USE int lmdb_put_record(const struct lmdb_txn *txn,
                                 enum record_kind kind,
                                 const struct lmdb_key *key,
                                 struct pst_bytes record);

/*
 * Read the since record of a user.
 *   since  always set: zeros when there is no record, and the far future when
 *          it cannot be read, since it may revoke all sessions
 * Returns also LMDB_NEWER_RECORD: it cannot be read.
 */
PST_MUST_USE int lmdb_get_since(const struct lmdb_txn *txn,
                                const struct store_id *subject,
                                struct record_since *since);
PST_MUST_USE int lmdb_put_since(const struct lmdb_txn *txn,
                                const struct store_id *subject,
                                struct record_since since);

/* Is there a record that revokes this session? */
PST_MUST_USE int lmdb_is_revoked(const struct lmdb_txn *txn,
                                 const struct store_id *sid, bool *is_revoked);

/*
 * store_revoke() inside a transaction.
 *   by_guest  for somebody without an account
 */
PST_MUST_USE int lmdb_revoke_session(const struct lmdb_txn *txn,
                                     const struct store_revocation *revocation,
                                     bool by_guest);

/*
 * Store a sealed session, also in the place of one.
 *   by_guest  for somebody without an account
 * Returns also LMDB_SHARE_FULL.
 */
PST_MUST_USE int lmdb_put_spill(const struct lmdb_txn *txn,
                                const struct store_spill *spill, bool by_guest);

/* store/lmdb_session.c: see struct store_operations. */
enum pst_err lmdb_session_replace(struct store *base,
                                  const struct store_replacement *replacement,
                                  int64_t *since);
enum pst_err lmdb_session_touch(struct store *base,
                                const struct store_use *use);
enum pst_err lmdb_session_walk(struct store *base,
                               const struct store_walk *wanted);

/* store/lmdb_lock.c: see struct store_operations. */
enum pst_err lmdb_lock(struct store *store, struct store_lock *lock);
bool lmdb_is_locked(const struct store_lock *lock);
void lmdb_unlock(struct store *store, struct store_lock *lock);

/* store/lmdb_counter.c: see struct store_operations. */
enum pst_err lmdb_counter_acquire(struct store *base,
                                  const struct store_counters *counters,
                                  int64_t *retry_after);
enum pst_err lmdb_counter_refund(struct store *base,
                                 const struct store_counters *counters,
                                 int64_t *in_use);

#endif
