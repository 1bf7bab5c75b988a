/* SPDX-License-Identifier: ISC */
/*
 * store_record.h - the octets of what is stored, the same in every store.
 *
 * Each record begins with its version. One that has another, or is not as
 * long as it should be, is not opened: a newer program wrote it. Numbers are
 * eight octets, most significant first, so that octets sort as times do.
 *
 *   revoked  version expires
 *   since    version since newest
 *   session  version created seen expires, three texts (two octets of length)
 *   spill    version expires blob
 *   counter  version instant (microseconds)
 */
#ifndef GATE_STORE_RECORD_H
#define GATE_STORE_RECORD_H

#include "base.h"
#include "err.h"
#include "rate.h"
#include "store.h"
#include "text.h"

#define RECORD_VERSION 1
#define RECORD_TIME_LEN 8
#define RECORD_REVOKED_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SINCE_LEN (1 + 2 * RECORD_TIME_LEN)
#define RECORD_COUNTER_LEN (1 + RECORD_TIME_LEN)
#define RECORD_SPILL_HEAD (1 + RECORD_TIME_LEN)
#define RECORD_SESSION_HEAD (1 + 3 * RECORD_TIME_LEN)
#define RECORD_SESSION_MAX                                            \
    (RECORD_SESSION_HEAD + 3 * 2 + PST_NAME_MAX + STORE_BROWSER_MAX + \
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

void record_put_time(uint8_t out[static RECORD_TIME_LEN], int64_t time);
int64_t record_get_time(const uint8_t in[static RECORD_TIME_LEN]);

/* A record of one time: revoked, counter. */
void record_emit_time(uint8_t out[static RECORD_REVOKED_LEN], int64_t time);
PST_MUST_USE bool record_parse_time(struct pst_bytes record, int64_t *time);

void record_emit_since(uint8_t out[static RECORD_SINCE_LEN],
                       struct record_since since);
PST_MUST_USE bool record_parse_since(struct pst_bytes record,
                                     struct record_since *since);

/* What store_end_all() makes of it. */
struct record_since record_since_end(struct record_since old, int64_t now);

/* When a since record is of no use any more. */
int64_t record_since_expires(struct record_since since);

/* len: set to the octets written. The texts must be within their limits. */
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

/* When a record may be removed; false when it cannot be read. */
PST_MUST_USE bool record_expires(enum record_kind kind, struct pst_bytes record,
                                 int64_t *expires);

/*
 * GCRA in microseconds: `instant` is when the bucket will be empty again.
 *   instant  what is stored, 0 for nothing; one too far ahead (a clock went
 *            back, or the rate was made stricter) counts as a full bucket
 *   next     set when true is returned: what to store
 *   wait     set when false is returned: seconds until there is room, 1 or more
 */
bool record_counter_take(int64_t instant, struct rate rate, int64_t now,
                         int64_t *next, int64_t *wait);

/* The instant with one given back; 0 when the bucket is empty then. */
int64_t record_counter_give(int64_t instant, struct rate rate, int64_t now);

#endif
