/* SPDX-License-Identifier: ISC */
/*
 * record.h - the format of stored records, the same in every store, and the
 * arithmetic of rate-limit counters (GCRA).
 *
 * Each record begins with its version. A record of another version or length
 * was written by a newer program, and cannot be read. If such a record may
 * revoke something, it does. Numbers are eight bytes, most significant first,
 * so that they sort by value.
 *
 *   revoked  version, expires
 *   since    version, since, newest
 *   session  version, created, seen, expires, three texts (each after two bytes
 *            of length), and likewise the sealed name, if there is one
 *   spill    version, expires, blob (the tokens of a session likewise)
 *   counter  version, instant (microseconds)
 */
#ifndef POSTERN_STORE_RECORD_H
#define POSTERN_STORE_RECORD_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/rate.h"
#include "store/store.h"

#define RECORD_VERSION 1
#define RECORD_NEWER_ERROR \
    "a newer program wrote the record of this user: update this one"
#define RECORD_TIME_LEN 8
#define RECORD_REVOKED_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SINCE_LEN (1 + 2 * RECORD_TIME_LEN)
#define RECORD_COUNTER_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SPILL_HEAD_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SESSION_HEAD_LEN (1 + 3 * RECORD_TIME_LEN)
#define RECORD_SESSION_MAX                                                \
    (RECORD_SESSION_HEAD_LEN + 4 * 2 + PST_NAME_MAX + STORE_BROWSER_MAX + \
     STORE_ADDRESS_MAX + STORE_SEALED_NAME_MAX)

enum record_kind {
    RECORD_REVOKED,
    RECORD_SINCE,
    RECORD_SESSION,
    RECORD_SPILL,
    RECORD_COUNTER,
    RECORD_KINDS
};

/* store_revoke_all() of a user: sessions are revoked unless their iat is after
 * `since`. */
struct record_since {
    int64_t since;  /* 0: never */
    int64_t newest; /* iat of the newest session that began; 0: none */
};

/* What is read for this time and all later ones, which only a damaged record
 * has: periods can be added to it without overflow. */
#define RECORD_TIME_MAX (INT64_MAX / 2)

void record_set_time(uint8_t out[static RECORD_TIME_LEN], int64_t time);
int64_t record_get_time(const uint8_t in[static RECORD_TIME_LEN]);

/* Write and read a record of one time: revoked, counter. */
void record_emit_time(uint8_t out[static RECORD_REVOKED_LEN], int64_t time);
PST_MUST_USE bool record_parse_time(struct pst_bytes record, int64_t *time);

void record_emit_since(uint8_t out[static RECORD_SINCE_LEN],
                       struct record_since since);
PST_MUST_USE bool record_parse_since(struct pst_bytes record,
                                     struct record_since *since);

/* The record after store_revoke_all(). */
struct record_since record_since_revoke(struct record_since old, int64_t now);

/* Write a session. len: set to the bytes written. A caller's bug: a text or
 * the sealed name over its limit. */
void record_emit_session(uint8_t out[static RECORD_SESSION_MAX], size_t *len,
                         const struct store_session *session);

/* Read a session: sets all but sid and subject. The texts are slices of the
 * record. */
PST_MUST_USE bool record_parse_session(struct pst_bytes record,
                                       struct store_session *session);

/* Is a listed session neither expired nor revoked with all of its user's? */
bool record_session_is_live(const struct store_session *session, int64_t since,
                            int64_t now);

/* Must the use of a listed session be written? */
bool record_use_is_due(const struct store_session *session,
                       const struct store_use *use);

/* Read a spilled session. blob: a slice of the record. Returns false when it
 * has expired, or cannot be read. */
PST_MUST_USE bool record_spill_is_live(struct pst_bytes record, int64_t now,
                                       struct pst_bytes *blob);

/*
 * The same; blob is a copy in the arena.
 * Returns PST_OK, PST_NOT_FOUND (it has expired, or cannot be read),
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err record_copy_spill(struct pst_bytes record,
                                            int64_t now,
                                            struct pst_arena *arena,
                                            struct pst_bytes *blob);

/* When a record may be removed. Returns false when it cannot be read. The head
 * of a spilled session is enough. */
PST_MUST_USE bool record_expires(enum record_kind kind, struct pst_bytes record,
                                 int64_t *expires);

/*
 * Add one to a counter, by the generic cell rate algorithm. What is stored is
 * the instant, in microseconds, when the bucket will be empty again.
 *   instant  what is stored; 0: nothing. One too far ahead (a clock was set
 *            back, or the rate was lowered) counts as a full bucket.
 *   now      unix seconds
 *   next     set on true: what to store
 *   wait     set on false: seconds until there is room, 1 or more
 */
bool record_counter_acquire(int64_t instant, struct rate rate, int64_t now,
                            int64_t *next, int64_t *wait);

/* The instant with one more, or a full bucket when there is no room. */
int64_t record_counter_count(int64_t instant, struct rate rate, int64_t now);

/* The level of the bucket: microseconds until it is empty. */
int64_t record_counter_level(int64_t instant, struct rate rate, int64_t now);

/* The instant with one given back; 0 when the bucket is then empty. */
int64_t record_counter_refund(int64_t instant, struct rate rate, int64_t now);

/* The same with `amount` microseconds given back. */
int64_t record_counter_reduce(int64_t instant, struct rate rate, int64_t now,
                              int64_t amount);

#endif
