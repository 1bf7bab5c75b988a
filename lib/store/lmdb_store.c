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
put(struct lmdb_store *store, struct MDB_txn *txn, enum stored_kind kind,
    struct lmdb_key *key, struct pst_bytes record)
{
    const struct pst_bytes parts[2] = {record, {NULL, 0}};

    return lmdb_put(store, txn, kind, key, parts);
}

/* What is known of a user; zeros when nothing is. What cannot be read may
 * have ended them all, and is LMDB_FOREIGN as well. */
static int
get_since(struct lmdb_store *store, struct MDB_txn *txn,
          const struct store_id *subject, struct stored_since *since)
{
    struct lmdb_key key = lmdb_key_of(store, subject, NULL);
    struct pst_bytes record;
    int rc = lmdb_get(store, txn, STORED_SINCE, &key, &record);

    *since = (struct stored_since){0, 0};
    if (rc || stored_parse_since(record, since))
        return rc == LMDB_ABSENT ? 0 : rc;
    *since = (struct stored_since){INT64_MAX, INT64_MAX};
    return LMDB_FOREIGN;
}

static int
put_since(struct lmdb_store *store, struct MDB_txn *txn,
          const struct store_id *subject, struct stored_since since)
{
    struct lmdb_key key = lmdb_key_of(store, subject, NULL);
    uint8_t record[STORED_SINCE_LEN];

    stored_emit_since(record, since);
    return put(store, txn, STORED_SINCE, &key,
               (struct pst_bytes){record, sizeof(record)});
}

/* Opening. */

static enum pst_err
tree_open(struct store **out, const struct store_url *url)
{
    struct lmdb_store *store;
    enum pst_err e = lmdb_new(&store, url);

    if (e)
        return e;
    *out = lmdb_base(store);
    return PST_OK;
}

static void
tree_close(struct store *base)
{
    lmdb_free(lmdb_of(base));
}

static int
apply_ping(struct lmdb_store *store, struct MDB_txn *txn,
           struct lmdb_change *change)
{
    static const struct store_id id = {{0}};
    struct lmdb_key key = lmdb_key_of(store, &id, NULL);
    uint8_t record[STORED_COUNTER_LEN];

    stored_emit_time(record, change->now);
    return put(store, txn, STORED_COUNTER, &key,
               (struct pst_bytes){record, sizeof(record)});
}

static enum pst_err
tree_ping(struct store *base, int64_t now)
{
    struct lmdb_store *store = lmdb_of(base);
    struct lmdb_change change = {.apply = apply_ping, .now = now};
    enum pst_err e = lmdb_write(store, &change);
    size_t tenths;

    if (e)
        return e;
    if (lmdb_room(store, &tenths) == 0 && tenths < 2)
        (void)store_because(base, "lmdb: less than a fifth of its room is "
                                  "left: give it more with ?size=");
    return PST_OK;
}

/* Sessions that ended. */

static int64_t
later(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

/* Is there a record that this session was ended? */
static int
find_end(struct lmdb_store *store, struct MDB_txn *txn,
         const struct store_id *sid, bool *is_revoked)
{
    struct lmdb_key key = lmdb_key_of(store, sid, NULL);
    struct pst_bytes record;
    int rc = lmdb_get(store, txn, STORED_REVOKED, &key, &record);

    *is_revoked = rc == 0;
    return rc == LMDB_ABSENT ? 0 : rc;
}

static enum pst_err
tree_check(struct store *base, const struct store_id *sid,
           const struct store_id *subject, int64_t iat)
{
    struct lmdb_store *store = lmdb_of(base);
    struct stored_since since = {0, 0};
    bool is_revoked = false;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = find_end(store, txn, sid, &is_revoked);
    if (rc == 0 && !is_revoked && subject)
        rc = get_since(store, txn, subject, &since);
    if (rc == LMDB_FOREIGN)
        rc = 0;
    return lmdb_read_end(
        store, rc, is_revoked || iat <= since.since ? PST_REVOKED : PST_OK);
}

static int
revoke_sid(struct lmdb_store *store, struct MDB_txn *txn,
           const struct store_id *sid, int64_t expires)
{
    struct lmdb_key key = lmdb_key_of(store, sid, NULL);
    uint8_t record[STORED_REVOKED_LEN];
    int64_t known;
    struct pst_bytes old;
    int rc = lmdb_get(store, txn, STORED_REVOKED, &key, &old);

    if (rc == 0 && (!stored_parse_time(old, &known) || known >= expires))
        return 0;
    if (rc != 0 && rc != LMDB_ABSENT)
        return rc;
    stored_emit_time(record, expires);
    return put(store, txn, STORED_REVOKED, &key,
               (struct pst_bytes){record, sizeof(record)});
}

static int
end_session(struct lmdb_store *store, struct MDB_txn *txn,
            const struct store_event *ending)
{
    struct lmdb_key key = lmdb_key_of(store, ending->sid, NULL);
    int rc = revoke_sid(store, txn, ending->sid, ending->expires);

    if (rc == 0)
        rc = lmdb_del(store, txn, STORED_SPILL, &key);
    if (rc == 0 && ending->subject) {
        key = lmdb_key_of(store, ending->subject, ending->sid);
        rc = lmdb_del(store, txn, STORED_SESSION, &key);
    }
    return rc;
}

static int
apply_end(struct lmdb_store *store, struct MDB_txn *txn,
          struct lmdb_change *change)
{
    return end_session(store, txn, change->what);
}

static enum pst_err
tree_end(struct store *base, const struct store_event *ending)
{
    struct store_event kept = *ending;
    struct lmdb_change change = {
        .apply = apply_end, .now = ending->now, .what = &kept};

    kept.expires = later(ending->expires, ending->now);
    return lmdb_write(lmdb_of(base), &change);
}

static int
apply_end_all(struct lmdb_store *store, struct MDB_txn *txn,
              struct lmdb_change *change)
{
    struct stored_since since;
    int rc = get_since(store, txn, change->what, &since);

    if (rc)
        return rc;
    since = stored_since_end(since, change->now);
    change->number = since.since;
    return put_since(store, txn, change->what, since);
}

static enum pst_err
tree_end_all(struct store *base, const struct store_id *subject, int64_t now,
             int64_t *since)
{
    struct lmdb_change change = {
        .apply = apply_end_all, .now = now, .what = subject};
    enum pst_err e = lmdb_write(lmdb_of(base), &change);

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
    struct stored_since since;
};

static int
walk_open(struct walk *walk, struct lmdb_store *store, struct MDB_txn *txn,
          const struct store_id *subject)
{
    struct lmdb_key prefix = lmdb_key_of(store, subject, NULL);

    memset(walk, 0, sizeof(*walk));
    walk->store = store;
    walk->txn = txn;
    return lmdb_range_open(&walk->range, store, txn, STORED_SESSION, &prefix);
}

/* Whose session is it, and since when are that user's valid? */
static int
walk_name(struct walk *walk, const uint8_t *octets,
          struct store_session *session)
{
    int rc;

    memcpy(session->subject.octets, octets + LMDB_TAG_LEN, PST_HASH_LEN);
    memcpy(session->sid.octets, octets + LMDB_TAG_LEN + PST_HASH_LEN,
           PST_HASH_LEN);
    if (store_id_equal(&session->subject, &walk->subject))
        return 0;
    walk->subject = session->subject;
    rc = get_since(walk->store, walk->txn, &walk->subject, &walk->since);
    return rc == LMDB_FOREIGN ? 0 : rc;
}

/* The next session that is live at `now`; LMDB_ABSENT after the last. */
static int
walk_next(struct walk *walk, int64_t now, struct store_session *session)
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
        rc = walk_name(walk, key.ptr, session);
        if (rc)
            return rc;
        if (stored_parse_session(record, session) &&
            stored_session_is_live(session, walk->since.since, now))
            return 0;
    }
}

/* How many others are live, and which of them is the oldest. */
static int
find_oldest(struct lmdb_store *store, struct MDB_txn *txn,
            const struct store_replacement *replacement, size_t *count,
            struct store_session *oldest)
{
    const struct store_session *added = replacement->session;
    struct store_session session = {0};
    struct walk walk;
    int rc = walk_open(&walk, store, txn, &added->subject);

    if (rc)
        return rc;
    *count = 0;
    for (;;) {
        rc = walk_next(&walk, replacement->now, &session);
        if (rc)
            break;
        if (store_id_equal(&session.sid, &added->sid))
            continue;
        if (*count == 0 || session.created < oldest->created)
            *oldest = session;
        (*count)++;
    }
    lmdb_range_close(&walk.range);
    return rc == LMDB_ABSENT ? 0 : rc;
}

/* Make room for one more in a list. */
static int
apply_cap(struct lmdb_store *store, struct MDB_txn *txn,
          const struct store_replacement *replacement)
{
    int64_t cap = replacement->cap;
    size_t max =
        cap > 0 && cap < STORE_LISTED_MAX ? (size_t)cap : STORE_LISTED_MAX;
    struct store_session oldest = {0};
    struct store_event ending = {&oldest.sid, &oldest.subject, 0,
                                 replacement->now};
    struct lmdb_key key;
    size_t count;
    int rc;

    for (;;) {
        rc = find_oldest(store, txn, replacement, &count, &oldest);
        if (rc || count < max)
            return rc;
        ending.expires = oldest.expires;
        if (cap > 0) {
            rc = end_session(store, txn, &ending);
        } else {
            key = lmdb_key_of(store, &oldest.subject, &oldest.sid);
            rc = lmdb_del(store, txn, STORED_SESSION, &key);
        }
        if (rc)
            return rc;
    }
}

static int
list_session(struct lmdb_store *store, struct MDB_txn *txn,
             const struct store_replacement *replacement)
{
    const struct store_session *session = replacement->session;
    struct lmdb_key key = lmdb_key_of(store, &session->subject, &session->sid);
    uint8_t record[STORED_SESSION_MAX];
    struct stored_since since;
    size_t len;
    int rc = apply_cap(store, txn, replacement);

    if (rc)
        return rc;
    stored_emit_session(record, &len, session);
    rc = put(store, txn, STORED_SESSION, &key, (struct pst_bytes){record, len});
    if (rc == 0)
        rc = get_since(store, txn, &session->subject, &since);
    if (rc || since.newest >= session->created)
        return rc;
    since.newest = session->created;
    return put_since(store, txn, &session->subject, since);
}

static int
put_blob(struct lmdb_store *store, struct MDB_txn *txn,
         const struct store_id *sid, struct pst_bytes blob, int64_t expires)
{
    struct lmdb_key key = lmdb_key_of(store, sid, NULL);
    uint8_t head[STORED_SPILL_HEAD];
    const struct pst_bytes parts[2] = {{head, sizeof(head)}, blob};

    stored_emit_time(head, expires);
    return lmdb_put(store, txn, STORED_SPILL, &key, parts);
}

/* Was the old session ended, alone or with all of its user's? */
static int
find_old_end(struct lmdb_store *store, struct MDB_txn *txn,
             const struct store_replacement *replacement, bool *is_revoked)
{
    struct stored_since since = {0, 0};
    int rc = find_end(store, txn, replacement->old, is_revoked);

    if (rc == 0 && replacement->old_subject)
        rc = get_since(store, txn, replacement->old_subject, &since);
    *is_revoked |= replacement->old_iat <= since.since;
    return rc;
}

/* May the new session begin: is the old one good, where that matters, and did
 * its user last end all before it? Else LMDB_UNCHANGED, and why in change. */
static int
check_replacement(struct lmdb_store *store, struct MDB_txn *txn,
                  struct lmdb_change *change)
{
    const struct store_replacement *replacement = change->what;
    struct stored_since since;
    bool is_revoked = false;
    int rc = 0;

    if (replacement->old && replacement->follows)
        rc = find_old_end(store, txn, replacement, &is_revoked);
    if (rc)
        return rc;
    if (is_revoked) {
        change->result = PST_REVOKED;
        return LMDB_UNCHANGED;
    }
    if (replacement->is_guest)
        return 0;
    rc = get_since(store, txn, &replacement->session->subject, &since);
    if (rc || replacement->session->created > since.since)
        return rc;
    change->result = PST_EXPIRED;
    change->number = since.since;
    return LMDB_UNCHANGED;
}

/* End what the new session takes the place of. */
static int
end_replaced(struct lmdb_store *store, struct MDB_txn *txn,
             const struct store_replacement *replacement)
{
    int64_t now = replacement->now;
    const struct store_event old = {replacement->old, replacement->old_subject,
                                    later(replacement->old_expires, now), now};
    const struct store_event guest = {
        replacement->guest, NULL, later(replacement->guest_expires, now), now};
    int rc = 0;

    if (old.sid)
        rc = end_session(store, txn, &old);
    if (rc == 0 && guest.sid)
        rc = end_session(store, txn, &guest);
    return rc;
}

/* The old session leaves its list before the cap counts. */
static int
apply_replace(struct lmdb_store *store, struct MDB_txn *txn,
              struct lmdb_change *change)
{
    const struct store_replacement *replacement = change->what;
    int rc = check_replacement(store, txn, change);

    if (rc == 0)
        rc = end_replaced(store, txn, replacement);
    if (rc == 0 && !replacement->is_guest)
        rc = list_session(store, txn, replacement);
    if (rc == 0 && replacement->blob.len > 0)
        rc = put_blob(store, txn, &replacement->session->sid, replacement->blob,
                      replacement->session->expires);
    return rc;
}

static enum pst_err
tree_replace(struct store *base, const struct store_replacement *replacement,
             int64_t *since)
{
    struct lmdb_change change = {.apply = apply_replace,
                                 .now = replacement->now,
                                 .grows = true,
                                 .what = replacement};
    enum pst_err e = lmdb_write(lmdb_of(base), &change);

    if (e == PST_EXPIRED)
        *since = change.number;
    return e;
}

static int
apply_touch(struct lmdb_store *store, struct MDB_txn *txn,
            struct lmdb_change *change)
{
    const struct store_event *touch = change->what;
    struct lmdb_key key = lmdb_key_of(store, touch->subject, touch->sid);
    uint8_t octets[STORED_SESSION_MAX];
    struct store_session session = {0};
    struct pst_bytes record;
    size_t len;
    int rc = lmdb_get(store, txn, STORED_SESSION, &key, &record);

    if (rc != 0 && rc != LMDB_ABSENT)
        return rc;
    if (rc == LMDB_ABSENT || !stored_parse_session(record, &session) ||
        session.expires <= touch->now) {
        change->result = PST_ABSENT;
        return LMDB_UNCHANGED;
    }
    if (touch->now <= session.seen && touch->expires <= session.expires)
        return LMDB_UNCHANGED;
    if (touch->now > session.seen)
        session.seen = touch->now;
    if (touch->expires > session.expires)
        session.expires = touch->expires;
    stored_emit_session(octets, &len, &session);
    return put(store, txn, STORED_SESSION, &key,
               (struct pst_bytes){octets, len});
}

static enum pst_err
tree_session_touch(struct store *base, const struct store_event *touch)
{
    struct lmdb_change change = {
        .apply = apply_touch, .now = touch->now, .what = touch};

    return lmdb_write(lmdb_of(base), &change);
}

static enum pst_err
tree_session_walk(struct store *base, const struct store_walk *asked)
{
    struct lmdb_store *store = lmdb_of(base);
    struct store_session session = {0};
    struct walk walk;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = walk_open(&walk, store, txn, asked->subject);
    if (rc)
        return lmdb_read_end(store, rc, PST_OK);
    while (rc == 0 && e == PST_OK) {
        rc = walk_next(&walk, asked->now, &session);
        if (rc == 0)
            e = asked->each(asked->context, &session);
    }
    lmdb_range_close(&walk.range);
    return lmdb_read_end(store, rc == LMDB_ABSENT ? 0 : rc, e);
}

/* Sealed sessions. */

static int
apply_spill(struct lmdb_store *store, struct MDB_txn *txn,
            struct lmdb_change *change)
{
    const struct store_spill *spill = change->what;
    struct lmdb_key key = lmdb_key_of(store, spill->sid, NULL);
    struct pst_bytes old;
    struct pst_bytes blob;
    int rc = lmdb_get(store, txn, STORED_SPILL, &key, &old);

    if (rc != 0 && rc != LMDB_ABSENT)
        return rc;
    if (spill->only_replace &&
        (rc == LMDB_ABSENT || !stored_spill_is_live(old, spill->now, &blob))) {
        change->result = PST_ABSENT;
        return LMDB_UNCHANGED;
    }
    return put_blob(store, txn, spill->sid, spill->blob, spill->expires);
}

static enum pst_err
tree_spill_put(struct store *base, const struct store_spill *spill)
{
    struct lmdb_change change = {
        .apply = apply_spill, .now = spill->now, .grows = true, .what = spill};

    return lmdb_write(lmdb_of(base), &change);
}

static enum pst_err
tree_spill_get(struct store *base, const struct store_id *sid, int64_t now,
               struct pst_arena *arena, struct pst_bytes *blob)
{
    struct lmdb_store *store = lmdb_of(base);
    struct lmdb_key key = lmdb_key_of(store, sid, NULL);
    struct pst_bytes record;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_get(store, txn, STORED_SPILL, &key, &record);
    if (rc == 0)
        e = stored_copy_spill(record, now, arena, blob);
    else if (rc == LMDB_ABSENT)
        e = PST_ABSENT;
    return lmdb_read_end(store, rc == LMDB_ABSENT ? 0 : rc, e);
}

/* Counters. */

/* 0 for none, and for one that cannot be read. */
static int
get_instant(struct lmdb_store *store, struct MDB_txn *txn,
            const struct store_id *id, int64_t *instant)
{
    struct lmdb_key key = lmdb_key_of(store, id, NULL);
    struct pst_bytes record;
    int rc = lmdb_get(store, txn, STORED_COUNTER, &key, &record);

    *instant = 0;
    if (rc == 0)
        (void)!stored_parse_time(record, instant);
    return rc == LMDB_ABSENT ? 0 : rc;
}

static int
put_instant(struct lmdb_store *store, struct MDB_txn *txn,
            const struct store_id *id, int64_t instant)
{
    struct lmdb_key key = lmdb_key_of(store, id, NULL);
    uint8_t record[STORED_COUNTER_LEN];

    if (instant == 0)
        return lmdb_del(store, txn, STORED_COUNTER, &key);
    stored_emit_time(record, instant);
    return put(store, txn, STORED_COUNTER, &key,
               (struct pst_bytes){record, sizeof(record)});
}

/* Ask all of them. wait: the longest of them, 0 when each has room. */
static int
ask_counters(struct lmdb_store *store, struct MDB_txn *txn,
             const struct store_counters *counters,
             int64_t next[static STORE_COUNTERS_MAX], int64_t *wait)
{
    int64_t longest = 0;
    int64_t instant;
    int64_t one;
    int rc;

    for (size_t i = 0; i < counters->count; i++) {
        const struct store_counter *counter = &counters->items[i];

        rc = get_instant(store, txn, &counter->id, &instant);
        if (rc)
            return rc;
        if (counter->is_tally)
            next[i] =
                stored_counter_tally(instant, counter->rate, counters->now);
        else if (!stored_counter_take(instant, counter->rate, counters->now,
                                      &next[i], &one) &&
                 one > longest)
            longest = one;
    }
    *wait = longest;
    return 0;
}

static int
apply_take(struct lmdb_store *store, struct MDB_txn *txn,
           struct lmdb_change *change)
{
    const struct store_counters *counters = change->what;
    int64_t next[STORE_COUNTERS_MAX];
    int rc = ask_counters(store, txn, counters, next, &change->number);

    if (rc)
        return rc;
    if (change->number > 0) {
        change->result = PST_THROTTLED;
        return LMDB_UNCHANGED;
    }
    for (size_t i = 0; i < counters->count && rc == 0; i++)
        rc = put_instant(store, txn, &counters->items[i].id, next[i]);
    return rc;
}

static enum pst_err
peek(struct lmdb_store *store, const struct store_counters *counters,
     int64_t *retry_after)
{
    int64_t next[STORE_COUNTERS_MAX];
    int64_t wait = 0;
    struct MDB_txn *txn;
    enum pst_err e = lmdb_read_begin(store, &txn);
    int rc;

    if (e)
        return e;
    rc = ask_counters(store, txn, counters, next, &wait);
    e = lmdb_read_end(store, rc, wait > 0 ? PST_THROTTLED : PST_OK);
    if (e == PST_THROTTLED)
        *retry_after = wait;
    return e;
}

static enum pst_err
tree_take(struct store *base, const struct store_counters *counters,
          int64_t *retry_after)
{
    struct lmdb_change change = {.apply = apply_take,
                                 .now = counters->now,
                                 .grows = true,
                                 .what = counters};
    enum pst_err e;

    /* A flood that is refused anyway must not queue for the writers' lock. */
    e = peek(lmdb_of(base), counters, retry_after);
    if (e)
        return e;
    e = lmdb_write(lmdb_of(base), &change);
    if (e == PST_THROTTLED)
        *retry_after = change.number;
    return e;
}

static int
apply_give(struct lmdb_store *store, struct MDB_txn *txn,
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

        rc = get_instant(store, txn, &counter->id, &instant);
        if (rc)
            return rc;
        before = level;
        level = stored_counter_level(instant, counter->rate, counters->now);
        change->number += level > 0;
        if (counter->forget)
            instant = 0;
        else if (counter->as_before)
            instant = stored_counter_lower(instant, counter->rate,
                                           counters->now, before);
        else
            instant =
                stored_counter_give(instant, counter->rate, counters->now);
        rc = put_instant(store, txn, &counter->id, instant);
    }
    return rc;
}

static enum pst_err
tree_give(struct store *base, const struct store_counters *counters,
          int64_t *held)
{
    struct lmdb_change change = {
        .apply = apply_give, .now = counters->now, .what = counters};
    enum pst_err e = lmdb_write(lmdb_of(base), &change);

    if (!e)
        *held = change.number;
    return e;
}

static enum pst_err
tree_sweep(struct store *base, size_t limit, int64_t now,
           struct store_swept *swept)
{
    return lmdb_sweep(lmdb_of(base), limit, now, swept);
}

const struct store_backend store_lmdb = {
    .open = tree_open,
    .close = tree_close,
    .ping = tree_ping,
    .check = tree_check,
    .end = tree_end,
    .end_all = tree_end_all,
    .replace = tree_replace,
    .session_touch = tree_session_touch,
    .session_walk = tree_session_walk,
    .spill_put = tree_spill_put,
    .spill_get = tree_spill_get,
    .take = tree_take,
    .give = tree_give,
    .sweep = tree_sweep,
};
