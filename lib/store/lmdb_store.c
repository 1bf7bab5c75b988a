/* SPDX-License-Identifier: ISC */
/*
 * lmdb_store.c - the store of one machine: what is asked of a store, as reads
 * and writes of records in LMDB.
 */
#include <string.h>

#include "store/lmdb.h"
#include "store/record.h"
#include "store/store.h"

static int
lmdb_put_record(struct lmdb_store *store, struct MDB_txn *txn,
                enum record_kind kind, struct lmdb_key *key,
                struct pst_bytes record)
{
    const struct pst_bytes parts[2] = {record, {NULL, 0}};

    return lmdb_put(store, txn, kind, key, parts);
}

/* What is known of a user; zeros when nothing is. What cannot be read may
 * have ended them all, and is LMDB_NEWER_RECORD as well. */
static int
lmdb_get_since(struct lmdb_store *store, struct MDB_txn *txn,
               const struct store_id *subject, struct record_since *since)
{
    struct lmdb_key key = lmdb_key_make(store, subject, NULL);
    struct pst_bytes record;
    int rc = lmdb_get(store, txn, RECORD_SINCE, &key, &record);

    *since = (struct record_since){0, 0};
    if (rc || record_parse_since(record, since))
        return rc == LMDB_NOT_FOUND ? 0 : rc;
    *since = (struct record_since){INT64_MAX, INT64_MAX};
    return LMDB_NEWER_RECORD;
}

static int
lmdb_put_since(struct lmdb_store *store, struct MDB_txn *txn,
               const struct store_id *subject, struct record_since since)
{
    struct lmdb_key key = lmdb_key_make(store, subject, NULL);
    uint8_t record[RECORD_SINCE_LEN];

    record_emit_since(record, since);
    return lmdb_put_record(store, txn, RECORD_SINCE, &key,
                           (struct pst_bytes){record, sizeof(record)});
}

/* Opening. */

static enum pst_err
lmdb_store_open(struct store **out, const struct store_url *url)
{
    struct lmdb_store *store;
    enum pst_err e = lmdb_new(&store, url);

    if (e)
        return e;
    *out = lmdb_base(store);
    return PST_OK;
}

static void
lmdb_store_close(struct store *base)
{
    lmdb_free(lmdb_from_base(base));
}

static int
lmdb_apply_ping(struct lmdb_store *store, struct MDB_txn *txn,
                struct lmdb_change *change)
{
    static const struct store_id id = {{0}};
    struct lmdb_key key = lmdb_key_make(store, &id, NULL);
    uint8_t record[RECORD_COUNTER_LEN];

    record_emit_time(record, change->now);
    return lmdb_put_record(store, txn, RECORD_COUNTER, &key,
                           (struct pst_bytes){record, sizeof(record)});
}

static enum pst_err
lmdb_store_ping(struct store *base, int64_t now)
{
    struct lmdb_store *store = lmdb_from_base(base);
    struct lmdb_change change = {.apply = lmdb_apply_ping, .now = now};
    enum pst_err e = lmdb_write(store, &change);
    size_t tenths;

    if (e)
        return e;
    if (lmdb_free_tenths(store, &tenths) == 0 && tenths < 2)
        (void)store_set_error(base, "lmdb: less than a fifth of its room is "
                                    "left: give it more with ?size=");
    return PST_OK;
}

/* Sessions that ended. */

static int64_t
later_time(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

/* Is there a record that this session was ended? */
static int
lmdb_find_revocation(struct lmdb_store *store, struct MDB_txn *txn,
                     const struct store_id *sid, bool *is_revoked)
{
    struct lmdb_key key = lmdb_key_make(store, sid, NULL);
    struct pst_bytes record;
    int rc = lmdb_get(store, txn, RECORD_REVOKED, &key, &record);

    *is_revoked = rc == 0;
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

static enum pst_err
lmdb_store_check(struct store *base, const struct store_id *sid,
                 const struct store_id *subject, int64_t iat)
{
    struct lmdb_store *store = lmdb_from_base(base);
    struct record_since since = {0, 0};
    bool is_revoked = false;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_find_revocation(store, txn, sid, &is_revoked);
    if (rc == 0 && !is_revoked && subject)
        rc = lmdb_get_since(store, txn, subject, &since);
    if (rc == LMDB_NEWER_RECORD)
        rc = 0;
    return lmdb_read_end(
        store, rc, is_revoked || iat <= since.since ? PST_REVOKED : PST_OK);
}

static int
lmdb_put_revocation(struct lmdb_store *store, struct MDB_txn *txn,
                    const struct store_id *sid, int64_t expires)
{
    struct lmdb_key key = lmdb_key_make(store, sid, NULL);
    uint8_t record[RECORD_REVOKED_LEN];
    int64_t known;
    struct pst_bytes old;
    int rc = lmdb_get(store, txn, RECORD_REVOKED, &key, &old);

    if (rc == 0 && (!record_parse_time(old, &known) || known >= expires))
        return 0;
    if (rc != 0 && rc != LMDB_NOT_FOUND)
        return rc;
    record_emit_time(record, expires);
    return lmdb_put_record(store, txn, RECORD_REVOKED, &key,
                           (struct pst_bytes){record, sizeof(record)});
}

static int
lmdb_revoke_session(struct lmdb_store *store, struct MDB_txn *txn,
                    const struct store_session_change *revocation)
{
    struct lmdb_key key = lmdb_key_make(store, revocation->sid, NULL);
    int rc =
        lmdb_put_revocation(store, txn, revocation->sid, revocation->expires);

    if (rc == 0)
        rc = lmdb_del(store, txn, RECORD_SPILL, &key);
    if (rc == 0 && revocation->subject) {
        key = lmdb_key_make(store, revocation->subject, revocation->sid);
        rc = lmdb_del(store, txn, RECORD_SESSION, &key);
    }
    return rc;
}

static int
lmdb_apply_revoke(struct lmdb_store *store, struct MDB_txn *txn,
                  struct lmdb_change *change)
{
    return lmdb_revoke_session(store, txn, change->what);
}

static enum pst_err
lmdb_store_revoke(struct store *base,
                  const struct store_session_change *revocation)
{
    struct store_session_change extended = *revocation;
    struct lmdb_change change = {
        .apply = lmdb_apply_revoke, .now = revocation->now, .what = &extended};

    extended.expires = later_time(revocation->expires, revocation->now);
    return lmdb_write(lmdb_from_base(base), &change);
}

static int
lmdb_apply_revoke_all(struct lmdb_store *store, struct MDB_txn *txn,
                      struct lmdb_change *change)
{
    struct record_since since;
    int rc = lmdb_get_since(store, txn, change->what, &since);

    if (rc)
        return rc;
    since = record_since_revoke(since, change->now);
    change->number = since.since;
    return lmdb_put_since(store, txn, change->what, since);
}

static enum pst_err
lmdb_store_revoke_all(struct store *base, const struct store_id *subject,
                      int64_t now, int64_t *since)
{
    struct lmdb_change change = {
        .apply = lmdb_apply_revoke_all, .now = now, .what = subject};
    enum pst_err e = lmdb_write(lmdb_from_base(base), &change);

    if (e)
        return e;
    *since = change.number;
    return PST_OK;
}

/* Lists of live sessions. */

/* A walk over sessions, which knows what was said of their users. */
struct walk {
    struct lmdb_store *store;
    struct MDB_txn *txn;
    struct lmdb_range range;
    struct store_id subject; /* whose `since` is known */
    struct record_since since;
};

static int
lmdb_walk_open(struct walk *walk, struct lmdb_store *store, struct MDB_txn *txn,
               const struct store_id *subject)
{
    struct lmdb_key prefix = lmdb_key_make(store, subject, NULL);

    memset(walk, 0, sizeof(*walk));
    walk->store = store;
    walk->txn = txn;
    return lmdb_range_open(&walk->range, store, txn, RECORD_SESSION, &prefix);
}

/* Whose session is it, and since when are that user's valid? */
static int
lmdb_walk_identify(struct walk *walk, const uint8_t *bytes,
                   struct store_session *session)
{
    int rc;

    memcpy(session->subject.bytes, bytes + LMDB_TAG_LEN, PST_HASH_LEN);
    memcpy(session->sid.bytes, bytes + LMDB_TAG_LEN + PST_HASH_LEN,
           PST_HASH_LEN);
    if (store_id_equal(&session->subject, &walk->subject))
        return 0;
    walk->subject = session->subject;
    rc = lmdb_get_since(walk->store, walk->txn, &walk->subject, &walk->since);
    return rc == LMDB_NEWER_RECORD ? 0 : rc;
}

/* The next session that is live at `now`; LMDB_NOT_FOUND after the last. */
static int
lmdb_walk_next(struct walk *walk, int64_t now, struct store_session *session)
{
    struct pst_bytes record;
    struct pst_bytes key;
    int rc;

    for (;;) {
        rc = lmdb_range_next(&walk->range, &key, &record);
        if (rc)
            return rc;
        if (key.len != LMDB_KEY_MAX)
            continue;
        rc = lmdb_walk_identify(walk, key.ptr, session);
        if (rc)
            return rc;
        if (record_parse_session(record, session) &&
            record_session_is_live(session, walk->since.since, now))
            return 0;
    }
}

/* How many others are live, and which of them is the oldest. */
static int
lmdb_find_oldest_session(struct lmdb_store *store, struct MDB_txn *txn,
                         const struct store_replacement *replacement,
                         size_t *count, struct store_session *oldest)
{
    const struct store_session *added = replacement->session;
    struct store_session session = {0};
    struct walk walk;
    int rc = lmdb_walk_open(&walk, store, txn, &added->subject);

    if (rc)
        return rc;
    *count = 0;
    for (;;) {
        rc = lmdb_walk_next(&walk, replacement->now, &session);
        if (rc)
            break;
        if (store_id_equal(&session.sid, &added->sid))
            continue;
        if (*count == 0 || session.created < oldest->created)
            *oldest = session;
        (*count)++;
    }
    lmdb_range_close(&walk.range);
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

/* Make room for one more in a list. */
static int
lmdb_enforce_cap(struct lmdb_store *store, struct MDB_txn *txn,
                 const struct store_replacement *replacement)
{
    int64_t cap = replacement->cap;
    size_t max =
        cap > 0 && cap < STORE_LISTED_MAX ? (size_t)cap : STORE_LISTED_MAX;
    struct store_session oldest = {0};
    struct store_session_change revocation = {&oldest.sid, &oldest.subject, 0,
                                              replacement->now};
    struct lmdb_key key;
    size_t count;
    int rc;

    for (;;) {
        rc = lmdb_find_oldest_session(store, txn, replacement, &count, &oldest);
        if (rc || count < max)
            return rc;
        revocation.expires = oldest.expires;
        if (cap > 0) {
            rc = lmdb_revoke_session(store, txn, &revocation);
        } else {
            key = lmdb_key_make(store, &oldest.subject, &oldest.sid);
            rc = lmdb_del(store, txn, RECORD_SESSION, &key);
        }
        if (rc)
            return rc;
    }
}

static int
lmdb_list_session(struct lmdb_store *store, struct MDB_txn *txn,
                  const struct store_replacement *replacement)
{
    const struct store_session *session = replacement->session;
    struct lmdb_key key =
        lmdb_key_make(store, &session->subject, &session->sid);
    uint8_t record[RECORD_SESSION_MAX];
    struct record_since since;
    size_t len;
    int rc = lmdb_enforce_cap(store, txn, replacement);

    if (rc)
        return rc;
    record_emit_session(record, &len, session);
    rc = lmdb_put_record(store, txn, RECORD_SESSION, &key,
                         (struct pst_bytes){record, len});
    if (rc == 0)
        rc = lmdb_get_since(store, txn, &session->subject, &since);
    if (rc || since.newest >= session->created)
        return rc;
    since.newest = session->created;
    return lmdb_put_since(store, txn, &session->subject, since);
}

static int
lmdb_put_blob(struct lmdb_store *store, struct MDB_txn *txn,
              const struct store_id *sid, struct pst_bytes blob,
              int64_t expires)
{
    struct lmdb_key key = lmdb_key_make(store, sid, NULL);
    uint8_t head[RECORD_SPILL_HEAD_LEN];
    const struct pst_bytes parts[2] = {{head, sizeof(head)}, blob};

    record_emit_time(head, expires);
    return lmdb_put(store, txn, RECORD_SPILL, &key, parts);
}

/* Was the old session ended, alone or with all of its user's? */
static int
lmdb_find_old_revocation(struct lmdb_store *store, struct MDB_txn *txn,
                         const struct store_replacement *replacement,
                         bool *is_revoked)
{
    struct record_since since = {0, 0};
    int rc = lmdb_find_revocation(store, txn, replacement->old, is_revoked);

    if (rc == 0 && replacement->old_subject)
        rc = lmdb_get_since(store, txn, replacement->old_subject, &since);
    *is_revoked |= replacement->old_iat <= since.since;
    return rc;
}

/* May the new session begin: is the old one good, where that matters, and did
 * its user last end all before it? Else LMDB_UNCHANGED, and why in change. */
static int
lmdb_check_replacement(struct lmdb_store *store, struct MDB_txn *txn,
                       struct lmdb_change *change)
{
    const struct store_replacement *replacement = change->what;
    struct record_since since;
    bool is_revoked = false;
    int rc = 0;

    if (replacement->old && replacement->requires_old)
        rc = lmdb_find_old_revocation(store, txn, replacement, &is_revoked);
    if (rc)
        return rc;
    if (is_revoked) {
        change->result = PST_REVOKED;
        return LMDB_UNCHANGED;
    }
    if (replacement->is_guest)
        return 0;
    rc = lmdb_get_since(store, txn, &replacement->session->subject, &since);
    if (rc || replacement->session->created > since.since)
        return rc;
    change->result = PST_EXPIRED;
    change->number = since.since;
    return LMDB_UNCHANGED;
}

/* End what the new session takes the place of. */
static int
lmdb_revoke_replaced(struct lmdb_store *store, struct MDB_txn *txn,
                     const struct store_replacement *replacement)
{
    int64_t now = replacement->now;
    const struct store_session_change old = {
        replacement->old, replacement->old_subject,
        later_time(replacement->old_expires, now), now};
    const struct store_session_change guest = {
        replacement->guest, NULL, later_time(replacement->guest_expires, now),
        now};
    int rc = 0;

    if (old.sid)
        rc = lmdb_revoke_session(store, txn, &old);
    if (rc == 0 && guest.sid)
        rc = lmdb_revoke_session(store, txn, &guest);
    return rc;
}

/* The old session leaves its list before the cap counts. */
static int
lmdb_apply_replace(struct lmdb_store *store, struct MDB_txn *txn,
                   struct lmdb_change *change)
{
    const struct store_replacement *replacement = change->what;
    int rc = lmdb_check_replacement(store, txn, change);

    if (rc == 0)
        rc = lmdb_revoke_replaced(store, txn, replacement);
    if (rc == 0 && !replacement->is_guest)
        rc = lmdb_list_session(store, txn, replacement);
    if (rc == 0 && replacement->blob.len > 0)
        rc = lmdb_put_blob(store, txn, &replacement->session->sid,
                           replacement->blob, replacement->session->expires);
    return rc;
}

static enum pst_err
lmdb_store_replace(struct store *base,
                   const struct store_replacement *replacement, int64_t *since)
{
    struct lmdb_change change = {.apply = lmdb_apply_replace,
                                 .now = replacement->now,
                                 .grows = true,
                                 .what = replacement};
    enum pst_err e = lmdb_write(lmdb_from_base(base), &change);

    if (e == PST_EXPIRED)
        *since = change.number;
    return e;
}

static int
lmdb_apply_touch(struct lmdb_store *store, struct MDB_txn *txn,
                 struct lmdb_change *change)
{
    const struct store_session_change *touch = change->what;
    struct lmdb_key key = lmdb_key_make(store, touch->subject, touch->sid);
    uint8_t bytes[RECORD_SESSION_MAX];
    struct store_session session = {0};
    struct pst_bytes record;
    size_t len;
    int rc = lmdb_get(store, txn, RECORD_SESSION, &key, &record);

    if (rc != 0 && rc != LMDB_NOT_FOUND)
        return rc;
    if (rc == LMDB_NOT_FOUND || !record_parse_session(record, &session) ||
        session.expires <= touch->now) {
        change->result = PST_NOT_FOUND;
        return LMDB_UNCHANGED;
    }
    if (touch->now <= session.seen && touch->expires <= session.expires)
        return LMDB_UNCHANGED;
    if (touch->now > session.seen)
        session.seen = touch->now;
    if (touch->expires > session.expires)
        session.expires = touch->expires;
    record_emit_session(bytes, &len, &session);
    return lmdb_put_record(store, txn, RECORD_SESSION, &key,
                           (struct pst_bytes){bytes, len});
}

static enum pst_err
lmdb_store_session_touch(struct store *base,
                         const struct store_session_change *touch)
{
    struct lmdb_change change = {
        .apply = lmdb_apply_touch, .now = touch->now, .what = touch};

    return lmdb_write(lmdb_from_base(base), &change);
}

static enum pst_err
lmdb_store_session_walk(struct store *base, const struct store_walk *wanted)
{
    struct lmdb_store *store = lmdb_from_base(base);
    struct store_session session = {0};
    struct walk walk;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_walk_open(&walk, store, txn, wanted->subject);
    if (rc)
        return lmdb_read_end(store, rc, PST_OK);
    while (rc == 0 && e == PST_OK) {
        rc = lmdb_walk_next(&walk, wanted->now, &session);
        if (rc == 0)
            e = wanted->callback(wanted->context, &session);
    }
    lmdb_range_close(&walk.range);
    return lmdb_read_end(store, rc == LMDB_NOT_FOUND ? 0 : rc, e);
}

/* Sealed sessions. */

static int
lmdb_apply_spill(struct lmdb_store *store, struct MDB_txn *txn,
                 struct lmdb_change *change)
{
    const struct store_spill *spill = change->what;
    struct lmdb_key key = lmdb_key_make(store, spill->sid, NULL);
    struct pst_bytes old;
    struct pst_bytes blob;
    int rc = lmdb_get(store, txn, RECORD_SPILL, &key, &old);

    if (rc != 0 && rc != LMDB_NOT_FOUND)
        return rc;
    if (spill->only_replace &&
        (rc == LMDB_NOT_FOUND ||
         !record_spill_is_live(old, spill->now, &blob))) {
        change->result = PST_NOT_FOUND;
        return LMDB_UNCHANGED;
    }
    return lmdb_put_blob(store, txn, spill->sid, spill->blob, spill->expires);
}

static enum pst_err
lmdb_store_spill_put(struct store *base, const struct store_spill *spill)
{
    struct lmdb_change change = {.apply = lmdb_apply_spill,
                                 .now = spill->now,
                                 .grows = true,
                                 .what = spill};

    return lmdb_write(lmdb_from_base(base), &change);
}

static enum pst_err
lmdb_store_spill_get(struct store *base, const struct store_id *sid,
                     int64_t now, struct pst_arena *arena,
                     struct pst_bytes *blob)
{
    struct lmdb_store *store = lmdb_from_base(base);
    struct lmdb_key key = lmdb_key_make(store, sid, NULL);
    struct pst_bytes record;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_get(store, txn, RECORD_SPILL, &key, &record);
    if (rc == 0)
        e = record_copy_spill(record, now, arena, blob);
    else if (rc == LMDB_NOT_FOUND)
        e = PST_NOT_FOUND;
    return lmdb_read_end(store, rc == LMDB_NOT_FOUND ? 0 : rc, e);
}

/* Counters. */

/* 0 for none, and for one that cannot be read. */
static int
lmdb_get_instant(struct lmdb_store *store, struct MDB_txn *txn,
                 const struct store_id *id, int64_t *instant)
{
    struct lmdb_key key = lmdb_key_make(store, id, NULL);
    struct pst_bytes record;
    int rc = lmdb_get(store, txn, RECORD_COUNTER, &key, &record);

    *instant = 0;
    if (rc == 0)
        (void)!record_parse_time(record, instant);
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

static int
lmdb_put_instant(struct lmdb_store *store, struct MDB_txn *txn,
                 const struct store_id *id, int64_t instant)
{
    struct lmdb_key key = lmdb_key_make(store, id, NULL);
    uint8_t record[RECORD_COUNTER_LEN];

    if (instant == 0)
        return lmdb_del(store, txn, RECORD_COUNTER, &key);
    record_emit_time(record, instant);
    return lmdb_put_record(store, txn, RECORD_COUNTER, &key,
                           (struct pst_bytes){record, sizeof(record)});
}

/* Ask all of them. wait: the longest of them, 0 when each has room. */
static int
lmdb_check_counters(struct lmdb_store *store, struct MDB_txn *txn,
                    const struct store_counters *counters,
                    int64_t next[static STORE_COUNTERS_MAX], int64_t *wait)
{
    int64_t longest = 0;
    int64_t instant;
    int64_t one;
    int rc;

    for (size_t i = 0; i < counters->count; i++) {
        const struct store_counter *counter = &counters->items[i];

        rc = lmdb_get_instant(store, txn, &counter->id, &instant);
        if (rc)
            return rc;
        if (counter->is_count_only)
            next[i] =
                record_counter_count(instant, counter->rate, counters->now);
        else if (!record_counter_acquire(instant, counter->rate, counters->now,
                                         &next[i], &one) &&
                 one > longest)
            longest = one;
    }
    *wait = longest;
    return 0;
}

static int
lmdb_apply_acquire(struct lmdb_store *store, struct MDB_txn *txn,
                   struct lmdb_change *change)
{
    const struct store_counters *counters = change->what;
    int64_t next[STORE_COUNTERS_MAX];
    int rc = lmdb_check_counters(store, txn, counters, next, &change->number);

    if (rc)
        return rc;
    if (change->number > 0) {
        change->result = PST_THROTTLED;
        return LMDB_UNCHANGED;
    }
    for (size_t i = 0; i < counters->count && rc == 0; i++)
        rc = lmdb_put_instant(store, txn, &counters->items[i].id, next[i]);
    return rc;
}

static enum pst_err
lmdb_peek_counters(struct lmdb_store *store,
                   const struct store_counters *counters, int64_t *retry_after)
{
    int64_t next[STORE_COUNTERS_MAX];
    int64_t wait = 0;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_check_counters(store, txn, counters, next, &wait);
    e = lmdb_read_end(store, rc, wait > 0 ? PST_THROTTLED : PST_OK);
    if (e == PST_THROTTLED)
        *retry_after = wait;
    return e;
}

static enum pst_err
lmdb_store_acquire(struct store *base, const struct store_counters *counters,
                   int64_t *retry_after)
{
    struct lmdb_change change = {.apply = lmdb_apply_acquire,
                                 .now = counters->now,
                                 .grows = true,
                                 .what = counters};
    enum pst_err e;

    /* A flood that is refused anyway must not queue for the writers' lock. */
    e = lmdb_peek_counters(lmdb_from_base(base), counters, retry_after);
    if (e)
        return e;
    e = lmdb_write(lmdb_from_base(base), &change);
    if (e == PST_THROTTLED)
        *retry_after = change.number;
    return e;
}

static int
lmdb_apply_refund(struct lmdb_store *store, struct MDB_txn *txn,
                  struct lmdb_change *change)
{
    const struct store_counters *counters = change->what;
    int64_t level = 0;
    int64_t before;
    int64_t instant;
    int rc = 0;

    change->number = 0;
    for (size_t i = 0; i < counters->count && rc == 0; i++) {
        const struct store_counter *counter = &counters->items[i];

        rc = lmdb_get_instant(store, txn, &counter->id, &instant);
        if (rc)
            return rc;
        before = level;
        level = record_counter_level(instant, counter->rate, counters->now);
        change->number += level > 0;
        if (counter->reset_all)
            instant = 0;
        else if (counter->as_previous)
            instant = record_counter_reduce(instant, counter->rate,
                                            counters->now, before);
        else
            instant =
                record_counter_refund(instant, counter->rate, counters->now);
        rc = lmdb_put_instant(store, txn, &counter->id, instant);
    }
    return rc;
}

static enum pst_err
lmdb_store_refund(struct store *base, const struct store_counters *counters,
                  int64_t *in_use)
{
    struct lmdb_change change = {
        .apply = lmdb_apply_refund, .now = counters->now, .what = counters};
    enum pst_err e = lmdb_write(lmdb_from_base(base), &change);

    if (!e)
        *in_use = change.number;
    return e;
}

static enum pst_err
lmdb_store_sweep(struct store *base, size_t limit, int64_t now,
                 struct store_sweep_result *swept)
{
    return lmdb_sweep(lmdb_from_base(base), limit, now, swept);
}

const struct store_backend store_lmdb = {
    .open = lmdb_store_open,
    .close = lmdb_store_close,
    .ping = lmdb_store_ping,
    .check = lmdb_store_check,
    .revoke = lmdb_store_revoke,
    .revoke_all = lmdb_store_revoke_all,
    .replace = lmdb_store_replace,
    .session_touch = lmdb_store_session_touch,
    .session_walk = lmdb_store_session_walk,
    .spill_put = lmdb_store_spill_put,
    .spill_get = lmdb_store_spill_get,
    .acquire = lmdb_store_acquire,
    .refund = lmdb_store_refund,
    .sweep = lmdb_store_sweep,
};
