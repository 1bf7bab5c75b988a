/* SPDX-License-Identifier: ISC */
/*
 * lmdb_store.c - the store in LMDB, for one machine: revoked sessions, spilled
 * sessions, and the table of its functions.
 */
#include "store/lmdb_store.h"

#include "store/lmdb_expiry.h"
#include "store/lmdb_handle.h"
#include "store/store_copy.h"

/* The fractions of the map that spilled sessions may use: those of guests,
 * until all of them together use so much; and all. */
#define GUEST_SPILLS_FRACTION 4
#define SPILLS_FRACTION 2

int
lmdb_put_record(const struct lmdb_txn *txn, enum record_kind kind,
                const struct lmdb_key *key, struct pst_bytes record)
{
    const struct pst_bytes parts[2] = {record, {NULL, 0}};

    return lmdb_put(txn, kind, key, parts);
}

/* Open, close, ping. */

static enum pst_err
lmdb_store_open(struct store **out, const struct store_url *url)
{
    struct lmdb_handle *handle;
    enum pst_err e = lmdb_handle_new(&handle, url);

    if (e)
        return e;
    *out = lmdb_handle_base(handle);
    return PST_OK;
}

static void
lmdb_store_close(struct store *base)
{
    lmdb_handle_free(lmdb_handle_from_base(base));
}

static int
lmdb_apply_ping(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    struct lmdb_key key = lmdb_key_make(txn, change->what, NULL);
    uint8_t record[RECORD_COUNTER_LEN];

    record_emit_time(record, change->now);
    return lmdb_put_record(txn, RECORD_COUNTER, &key,
                           (struct pst_bytes){record, sizeof(record)});
}

static enum pst_err
lmdb_store_ping(struct store *base, int64_t now)
{
    static const struct store_id id = {{0}};
    struct lmdb_handle *handle = lmdb_handle_from_base(base);
    struct lmdb_change change = {.apply = lmdb_apply_ping,
                                 .now = now,
                                 .what = store_copy_bytes(&id, sizeof(id))};
    enum pst_err e = lmdb_write(handle, &change);

    if (e)
        return e;
    base->error[0] = '\0';
    if (lmdb_is_nearly_full(handle))
        (void)store_set_error(base, "lmdb: less than a fifth of its space is "
                                    "free: raise its limit with ?size=");
    return PST_OK;
}

/* Revoked sessions. */

int
lmdb_get_since(const struct lmdb_txn *txn, const struct store_id *subject,
               struct record_since *since)
{
    struct lmdb_key key = lmdb_key_make(txn, subject, NULL);
    struct pst_bytes record;
    int rc = lmdb_get_checked(txn, RECORD_SINCE, &key, &record);

    *since = (struct record_since){0, 0};
    if (rc)
        return rc == LMDB_NOT_FOUND ? 0 : rc;
    if (record_parse_since(record, since))
        return 0;
    *since = (struct record_since){RECORD_TIME_MAX, RECORD_TIME_MAX};
    return LMDB_NEWER_RECORD;
}

int
lmdb_put_since(const struct lmdb_txn *txn, const struct store_id *subject,
               struct record_since since)
{
    struct lmdb_key key = lmdb_key_make(txn, subject, NULL);
    uint8_t record[RECORD_SINCE_LEN];

    record_emit_since(record, since);
    return lmdb_put_record(txn, RECORD_SINCE, &key,
                           (struct pst_bytes){record, sizeof(record)});
}

int
lmdb_is_revoked(const struct lmdb_txn *txn, const struct store_id *sid,
                bool *is_revoked)
{
    struct lmdb_key key = lmdb_key_make(txn, sid, NULL);
    struct pst_bytes record;
    int rc = lmdb_get_checked(txn, RECORD_REVOKED, &key, &record);

    *is_revoked = rc == 0;
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

static enum pst_err
lmdb_store_check(struct store *base, const struct store_id *sid,
                 const struct store_id *subject, int64_t iat)
{
    struct lmdb_handle *handle = lmdb_handle_from_base(base);
    struct record_since since = {0, 0};
    bool is_revoked = false;
    struct lmdb_txn txn;
    enum pst_err e = lmdb_read_begin(handle, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_is_revoked(&txn, sid, &is_revoked);
    if (rc == 0 && !is_revoked && subject)
        rc = lmdb_get_since(&txn, subject, &since);
    if (rc == LMDB_NEWER_RECORD)
        rc = 0; /* since is the far future: revoked */
    return lmdb_read_end(
        handle, rc, is_revoked || iat <= since.since ? PST_REVOKED : PST_OK);
}

/* A record that is kept longer already, or cannot be read, stays. */
static int
lmdb_put_revocation(const struct lmdb_txn *txn, const struct store_id *sid,
                    int64_t expires, bool by_guest)
{
    struct lmdb_key key = lmdb_key_make(txn, sid, NULL);
    uint8_t record[RECORD_REVOKED_LEN];
    const struct pst_bytes parts[2] = {{record, sizeof(record)}, {NULL, 0}};
    struct pst_bytes old;
    int64_t known;
    int rc = lmdb_get(txn, RECORD_REVOKED, &key, &old);

    if (rc == 0 && (!record_parse_time(old, &known) || known >= expires))
        return 0;
    if (rc != 0 && rc != LMDB_NOT_FOUND)
        return rc;
    record_emit_time(record, expires);
    return by_guest ? lmdb_put_for_guest(txn, RECORD_REVOKED, &key, parts)
                    : lmdb_put(txn, RECORD_REVOKED, &key, parts);
}

int
lmdb_revoke_session(const struct lmdb_txn *txn,
                    const struct store_revocation *revocation, bool by_guest)
{
    int64_t expires = revocation->expires > revocation->now
                          ? revocation->expires
                          : revocation->now;
    struct lmdb_key key = lmdb_key_make(txn, revocation->sid, NULL);
    struct lmdb_key tokens =
        lmdb_key_make(txn, revocation->sid, revocation->sid);
    int rc = lmdb_put_revocation(txn, revocation->sid, expires, by_guest);

    if (rc == 0)
        rc = lmdb_remove(txn, RECORD_SPILL, &key);
    if (rc == 0)
        rc = lmdb_remove(txn, RECORD_SPILL, &tokens);
    if (rc == 0 && revocation->subject) {
        key = lmdb_key_make(txn, revocation->subject, revocation->sid);
        rc = lmdb_remove(txn, RECORD_SESSION, &key);
    }
    return rc;
}

static int
lmdb_apply_revoke(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const struct store_revocation *revocation = change->what;

    return lmdb_revoke_session(txn, revocation, !revocation->subject);
}

static enum pst_err
lmdb_store_revoke(struct store *base, const struct store_revocation *revocation)
{
    struct lmdb_change change = {.apply = lmdb_apply_revoke,
                                 .now = revocation->now,
                                 .applies_late = true,
                                 .what = store_copy_revocation(revocation)};

    return lmdb_write(lmdb_handle_from_base(base), &change);
}

static int
lmdb_apply_revoke_all(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    struct record_since since;
    int rc = lmdb_get_since(txn, change->what, &since);

    if (rc)
        return rc;
    since = record_since_revoke(since, change->now);
    change->number = since.since;
    return lmdb_put_since(txn, change->what, since);
}

static enum pst_err
lmdb_store_revoke_all(struct store *base, const struct store_id *subject,
                      int64_t now, int64_t *since)
{
    struct lmdb_change change = {
        .apply = lmdb_apply_revoke_all,
        .now = now,
        .applies_late = true,
        .what = store_copy_bytes(subject, sizeof(*subject))};
    enum pst_err e = lmdb_write(lmdb_handle_from_base(base), &change);

    if (e)
        return e;
    *since = change.number;
    return PST_OK;
}

/* Spilled sessions, and the tokens of sessions. */

/* The key of a session's tokens has its id twice. */
static struct lmdb_key
lmdb_spill_key(const struct lmdb_txn *txn, const struct store_spill *spill)
{
    return lmdb_key_make(txn, spill->sid, spill->is_tokens ? spill->sid : NULL);
}

int
lmdb_put_spill(const struct lmdb_txn *txn, const struct store_spill *spill,
               bool by_guest)
{
    struct lmdb_key key = lmdb_spill_key(txn, spill);
    uint8_t head[RECORD_SPILL_HEAD_LEN];
    const struct pst_bytes parts[2] = {{head, sizeof(head)}, spill->blob};
    struct pst_bytes old;
    int rc = lmdb_get(txn, RECORD_SPILL, &key, &old);

    if (rc == LMDB_NOT_FOUND)
        rc = lmdb_check_share(txn, RECORD_SPILL,
                              by_guest ? GUEST_SPILLS_FRACTION
                                       : SPILLS_FRACTION);
    if (rc)
        return rc;
    record_emit_time(head, spill->expires);
    return by_guest ? lmdb_put_for_guest(txn, RECORD_SPILL, &key, parts)
                    : lmdb_put(txn, RECORD_SPILL, &key, parts);
}

static int
lmdb_apply_spill(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const struct store_spill *spill = change->what;
    struct lmdb_key key = lmdb_spill_key(txn, spill);
    struct pst_bytes old;
    struct pst_bytes blob;
    int rc = lmdb_get(txn, RECORD_SPILL, &key, &old);

    if (rc != 0 && rc != LMDB_NOT_FOUND)
        return rc;
    if (spill->only_replace &&
        (rc == LMDB_NOT_FOUND ||
         !record_spill_is_live(old, spill->now, &blob))) {
        change->result = PST_NOT_FOUND;
        return LMDB_UNCHANGED;
    }
    /* Whose a spilled session is, is not known here: it has the smaller share.
     * Tokens are a user's. */
    return lmdb_put_spill(txn, spill, !spill->is_tokens);
}

static enum pst_err
lmdb_store_spill_put(struct store *base, const struct store_spill *spill)
{
    struct lmdb_change change = {.apply = lmdb_apply_spill,
                                 .now = spill->now,
                                 .grows = true,
                                 .what = store_copy_spill(spill)};

    return lmdb_write(lmdb_handle_from_base(base), &change);
}

static enum pst_err
lmdb_store_spill_get(struct store *base, const struct store_spill *spill,
                     struct pst_arena *arena, struct pst_bytes *blob)
{
    struct lmdb_handle *handle = lmdb_handle_from_base(base);
    struct pst_bytes record;
    struct lmdb_key key;
    struct lmdb_txn txn;
    enum pst_err e = lmdb_read_begin(handle, &txn);
    int rc;

    if (e)
        return e;
    key = lmdb_spill_key(&txn, spill);
    rc = lmdb_get(&txn, RECORD_SPILL, &key, &record);
    if (rc == 0)
        e = record_copy_spill(record, spill->now, arena, blob);
    else if (rc == LMDB_NOT_FOUND)
        e = PST_NOT_FOUND;
    return lmdb_read_end(handle, rc == LMDB_NOT_FOUND ? 0 : rc, e);
}

static enum pst_err
lmdb_store_sweep(struct store *base, size_t limit, int64_t now,
                 struct store_sweep_result *swept)
{
    struct lmdb_change change = {.apply = lmdb_apply_expire,
                                 .now = now,
                                 .what =
                                     store_copy_bytes(&limit, sizeof(limit))};
    enum pst_err e = lmdb_write(lmdb_handle_from_base(base), &change);

    if (e)
        return e;
    *swept = change.swept;
    return PST_OK;
}

const struct store_operations store_lmdb = {
    .open = lmdb_store_open,
    .close = lmdb_store_close,
    .ping = lmdb_store_ping,
    .check = lmdb_store_check,
    .revoke = lmdb_store_revoke,
    .revoke_all = lmdb_store_revoke_all,
    .replace = lmdb_session_replace,
    .session_touch = lmdb_session_touch,
    .session_walk = lmdb_session_walk,
    .spill_put = lmdb_store_spill_put,
    .spill_get = lmdb_store_spill_get,
    .acquire = lmdb_counter_acquire,
    .refund = lmdb_counter_refund,
    .lock = lmdb_lock,
    .is_locked = lmdb_is_locked,
    .unlock = lmdb_unlock,
    .sweep = lmdb_store_sweep,
};
