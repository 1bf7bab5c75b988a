/* SPDX-License-Identifier: ISC */
/*
 * record.h - the bytes of what is stored, the same in every store.
 *
 * Each record begins with its version. One that has another, or is not as
 * long as it should be, is not opened: a newer program wrote it. Where it may
 * be a no, it is one. Numbers are eight bytes, most significant first, so that
 * bytes sort as times do.
 *
 *   revoked  version expires
 *   since    version since newest
 *   session  version created seen expires, three texts (two bytes of length)
 *   spill    version expires blob
 *   counter  version instant (microseconds)
 */
#ifndef POSTERN_STORE_RECORD_H
#define POSTERN_STORE_RECORD_H

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"
#include "server/rate.h"
#include "store/store.h"

#define RECORD_VERSION 1
#define RECORD_NEWER_ERROR "a newer program wrote what it holds of this user"
#define RECORD_TIME_LEN 8
#define RECORD_REVOKED_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SINCE_LEN (1 + 2 * RECORD_TIME_LEN)
#define RECORD_COUNTER_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SPILL_HEAD_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SESSION_HEAD_LEN (1 + 3 * RECORD_TIME_LEN)
#define RECORD_SESSION_MAX                                                \
    (RECORD_SESSION_HEAD_LEN + 3 * 2 + PST_NAME_MAX + STORE_BROWSER_MAX + \
     STORE_ADDRESS_MAX)

enum record_kind {
    RECORD_REVOKED,
    RECORD_SINCE,
    RECORD_SESSION,
    RECORD_SPILL,
    RECORD_COUNTER,
    RECORD_KINDS
};

/* When a user's sessions became void, and the newest that began. */
struct record_since {
    int64_t since; /* 0: never */
    int64_t newest;
};

void record_set_time(uint8_t out[static RECORD_TIME_LEN], int64_t time);
int64_t record_get_time(const uint8_t in[static RECORD_TIME_LEN]);

/* A record of one time: revoked, counter. */
void record_emit_time(uint8_t out[static RECORD_REVOKED_LEN], int64_t time);
PST_MUST_USE bool record_parse_time(struct pst_bytes record, int64_t *time);

void record_emit_since(uint8_t out[static RECORD_SINCE_LEN],
                       struct record_since since);
PST_MUST_USE bool record_parse_since(struct pst_bytes record,
                                     struct record_since *since);

/* What store_revoke_all() makes of it. */
struct record_since record_since_revoke(struct record_since old, int64_t now);

/* len: set to the bytes written. The texts must be within their limits. */
void record_emit_session(uint8_t out[static RECORD_SESSION_MAX], size_t *len,
                         const struct store_session *session);

/* Sets all but sid and subject; the texts are slices of the record. */
PST_MUST_USE bool record_parse_session(struct pst_bytes record,
                                       struct store_session *session);

/* Is a listed session still one? */
bool record_session_is_live(const struct store_session *session, int64_t since,
                            int64_t now);

/* blob is a slice of the record. */
PST_MUST_USE bool record_parse_spill(struct pst_bytes record, int64_t *expires,
                                     struct pst_bytes *blob);

/* The same, of one that has not ended. */
PST_MUST_USE bool record_spill_is_live(struct pst_bytes record, int64_t now,
                                       struct pst_bytes *blob);

/*
 * Copy that into the arena.
 * Returns PST_OK, PST_NOT_FOUND (it has ended, or cannot be read),
 * PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err record_copy_spill(struct pst_bytes record,
                                            int64_t now,
                                            struct pst_arena *arena,
                                            struct pst_bytes *blob);

/* When a record may be removed; false when it cannot be read. Of a spilled
 * session the head is enough. */
PST_MUST_USE bool record_expires(enum record_kind kind, struct pst_bytes record,
                                 int64_t *expires);

/*
 * GCRA in microseconds: `instant` is when the bucket will be empty again.
 *   instant  what is stored, 0 for nothing; one too far ahead (a clock went
 *            back, or the rate was made stricter) counts as a full bucket
 *   next     set when true is returned: what to store
 *   wait     set when false is returned: seconds until there is room, 1 or more
 */
bool record_counter_acquire(int64_t instant, struct rate rate, int64_t now,
                            int64_t *next, int64_t *wait);

/* The instant with one more, and a full bucket where there is no room. */
int64_t record_counter_count(int64_t instant, struct rate rate, int64_t now);

/* What the bucket holds: microseconds until it is empty. */
int64_t record_counter_level(int64_t instant, struct rate rate, int64_t now);

/* The instant with one given back; 0 when the bucket is empty then. */
int64_t record_counter_refund(int64_t instant, struct rate rate, int64_t now);

/* The same with some microseconds given back. */
int64_t record_counter_reduce(int64_t instant, struct rate rate, int64_t now,
                              int64_t amount);

#endif
