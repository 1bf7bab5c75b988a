/* SPDX-License-Identifier: ISC */
/*
 * redis_store.h - what the files of the Redis store share: parts of commands
 * and replies, and the parts of the table of functions store_redis.
 */
#ifndef POSTERN_STORE_REDIS_STORE_H
#define POSTERN_STORE_REDIS_STORE_H

#include "base/base.h"
#include "base/error.h"
#include "store/record.h"
#include "store/redis.h"
#include "store/redis_handle.h"
#include "store/store_operations.h"

/* How long Redis is to keep a record: seconds, 1 or more. Counted from the
 * caller's clock, since Redis's may differ. */
int64_t redis_seconds_to_keep(int64_t expires, int64_t now);

/* Add GET of a key. */
void redis_batch_add_get(struct redis_batch *batch,
                         const struct redis_key *key);

/* Add two arguments: the record of a revocation, and the seconds to keep it.
 *   record  storage for the record; must outlive the command */
void redis_add_revocation(struct redis_command *command,
                          uint8_t record[static RECORD_REVOKED_LEN],
                          int64_t expires, int64_t now);

/* Add the last two arguments of the scripts that use SCRIPT_SINCE. */
void redis_add_lifetimes(struct redis_command *command);

/*
 * Read the since record of a user from the reply to a GET.
 *   since  set on PST_OK: zeros when there is no record, and the far future
 *          when it cannot be read, since it may revoke all sessions
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err redis_parse_since(struct redis_handle *handle,
                                            const struct redisReply *reply,
                                            struct record_since *since);

/* Write a spilled session as it is stored.
 *   out  RECORD_SPILL_HEAD_LEN + blob.len bytes */
void redis_emit_spill(uint8_t *out, struct pst_bytes blob, int64_t expires);

/* store/redis_session.c: see struct store_operations. */
enum pst_err redis_session_replace(struct store *base,
                                   const struct store_replacement *replacement,
                                   int64_t *since);
enum pst_err redis_session_touch(struct store *base,
                                 const struct store_use *use);
enum pst_err redis_session_walk(struct store *base,
                                const struct store_walk *walk);

/* store/redis_lock.c: see struct store_operations. */
enum pst_err redis_lock(struct store *store, struct store_lock *lock);
bool redis_is_locked(const struct store_lock *lock);
void redis_unlock(struct store *store, struct store_lock *lock);

/* store/redis_counter.c: see struct store_operations. */
enum pst_err redis_counter_acquire(struct store *base,
                                   const struct store_counters *counters,
                                   int64_t *retry_after);
enum pst_err redis_counter_refund(struct store *base,
                                  const struct store_counters *counters,
                                  int64_t *in_use);

#endif
