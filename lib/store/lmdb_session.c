/* SPDX-License-Identifier: ISC */
/*
 * lmdb_session.c - the lists of live sessions in LMDB: begin a session in the
 * place of another one, note that it was used, list.
 */
#include <string.h>

#include "store/lmdb_expiry.h"
#include "store/lmdb_handle.h"
#include "store/lmdb_store.h"
#include "store/store_copy.h"

/* Lists. */

/* An iteration over sessions, with the since record of the current user. */
struct lmdb_walk {
    const struct lmdb_txn *txn;
    struct lmdb_range range;
    struct store_id subject; /* whose record `since` is */
    struct record_since since;
};

/* subject: NULL for all users of the audience. */
static int
lmdb_walk_open(struct lmdb_walk *walk, const struct lmdb_txn *txn,
               const struct store_id *subject)
{
    struct lmdb_key prefix = lmdb_key_make(txn, subject, NULL);

    memset(walk, 0, sizeof(*walk));
    walk->txn = txn;
    return lmdb_range_open(&walk->range, txn, RECORD_SESSION, &prefix);
}

/* Take the ids out of the key, and read the user's since record. */
static int
lmdb_walk_identify(struct lmdb_walk *walk, const uint8_t *key,
                   struct store_session *session)
{
    int rc;

    memcpy(session->subject.bytes, key + LMDB_TAG_LEN, PST_HASH_LEN);
    memcpy(session->sid.bytes, key + LMDB_TAG_LEN + PST_HASH_LEN, PST_HASH_LEN);
    if (store_id_equal(&session->subject, &walk->subject))
        return 0;
    walk->subject = session->subject;
    rc = lmdb_get_since(walk->txn, &walk->subject, &walk->since);
    return rc == LMDB_NEWER_RECORD ? 0 : rc;
}

/* The next session that is live at `now`, or LMDB_NOT_FOUND. */
static int
lmdb_walk_next(struct lmdb_walk *walk, int64_t now,
               struct store_session *session)
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

enum pst_err
lmdb_session_walk(struct store *base, const struct store_walk *wanted)
{
    struct lmdb_handle *handle = lmdb_handle_from_base(base);
    struct store_session session = {0};
    struct lmdb_walk walk;
    struct lmdb_txn txn;
    enum pst_err e = lmdb_read_begin(handle, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_walk_open(&walk, &txn, wanted->subject);
    if (rc)
        return lmdb_read_end(handle, rc, PST_OK);
    while (rc == 0 && e == PST_OK) {
        rc = lmdb_walk_next(&walk, wanted->now, &session);
        if (rc == 0)
            e = wanted->callback(wanted->context, &session);
    }
    lmdb_cursor_close(walk.range.cursor);
    return lmdb_read_end(handle, rc == LMDB_NOT_FOUND ? 0 : rc, e);
}

/* The number of sessions per user. */

/* Count the user's live sessions without the new one, and find the oldest. */
static int
lmdb_find_oldest_session(const struct lmdb_txn *txn,
                         const struct store_replacement *replacement,
                         size_t *count, struct store_session *oldest)
{
    const struct store_session *added = replacement->session;
    struct store_session session = {0};
    struct lmdb_walk walk;
    int rc = lmdb_walk_open(&walk, txn, &added->subject);

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
    lmdb_cursor_close(walk.range.cursor);
    return rc == LMDB_NOT_FOUND ? 0 : rc;
}

/* Take a session off its list; with a cap, revoke it as well. */
static int
lmdb_drop_oldest_session(const struct lmdb_txn *txn,
                         const struct store_replacement *replacement,
                         const struct store_session *oldest)
{
    const struct store_revocation revocation = {
        &oldest->sid, &oldest->subject, oldest->expires, replacement->now};
    struct lmdb_key key;

    if (replacement->cap > 0)
        return lmdb_revoke_session(txn, &revocation, false);
    key = lmdb_key_make(txn, &oldest->subject, &oldest->sid);
    return lmdb_remove(txn, RECORD_SESSION, &key);
}

/* Make room in the list for one more. */
static int
lmdb_enforce_cap(const struct lmdb_txn *txn,
                 const struct store_replacement *replacement)
{
    int64_t cap = replacement->cap;
    size_t max =
        cap > 0 && cap < STORE_LISTED_MAX ? (size_t)cap : STORE_LISTED_MAX;
    struct store_session oldest = {0};
    size_t count;
    int rc;

    for (;;) {
        rc = lmdb_find_oldest_session(txn, replacement, &count, &oldest);
        if (rc || count < max)
            return rc;
        rc = lmdb_drop_oldest_session(txn, replacement, &oldest);
        if (rc)
            return rc;
    }
}

static int
lmdb_put_session(const struct lmdb_txn *txn,
                 const struct store_session *session)
{
    struct lmdb_key key = lmdb_key_make(txn, &session->subject, &session->sid);
    uint8_t record[RECORD_SESSION_MAX];
    size_t len;

    record_emit_session(record, &len, session);
    return lmdb_put_record(txn, RECORD_SESSION, &key,
                           (struct pst_bytes){record, len});
}

static int
lmdb_list_session(const struct lmdb_txn *txn,
                  const struct store_replacement *replacement)
{
    const struct store_session *session = replacement->session;
    struct record_since since;
    int rc = lmdb_enforce_cap(txn, replacement);

    if (rc == 0)
        rc = lmdb_put_session(txn, session);
    if (rc == 0)
        rc = lmdb_get_since(txn, &session->subject, &since);
    if (rc || since.newest >= session->created)
        return rc;
    since.newest = session->created;
    return lmdb_put_since(txn, &session->subject, since);
}

/* Replacing a session. */

/* Was the old session revoked, alone or with all of its user's? */
static int
lmdb_is_old_revoked(const struct lmdb_txn *txn,
                    const struct store_replacement *replacement,
                    bool *is_revoked)
{
    struct record_since since = {0, 0};
    int rc = lmdb_is_revoked(txn, replacement->old, is_revoked);

    if (rc == 0 && replacement->old_subject)
        rc = lmdb_get_since(txn, replacement->old_subject, &since);
    *is_revoked |= replacement->old_iat <= since.since;
    return rc;
}

/* May the new session begin? Otherwise sets the change's result, and returns
 * LMDB_UNCHANGED. */
static int
lmdb_check_replacement(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const struct store_replacement *replacement = change->what;
    struct record_since since;
    bool is_revoked = false;
    int rc = 0;

    if (replacement->old && replacement->requires_old)
        rc = lmdb_is_old_revoked(txn, replacement, &is_revoked);
    if (rc)
        return rc;
    if (is_revoked) {
        change->result = PST_REVOKED;
        return LMDB_UNCHANGED;
    }
    if (replacement->is_guest)
        return 0;
    rc = lmdb_get_since(txn, &replacement->session->subject, &since);
    if (rc || replacement->session->created > since.since)
        return rc;
    change->result = PST_EXPIRED;
    change->number = since.since;
    return LMDB_UNCHANGED;
}

/* Revoke the sessions that the new one replaces. */
static int
lmdb_revoke_replaced(const struct lmdb_txn *txn,
                     const struct store_replacement *replacement)
{
    const struct store_revocation old = {
        replacement->old, replacement->old_subject, replacement->old_expires,
        replacement->now};
    const struct store_revocation guest = {
        replacement->guest, NULL, replacement->guest_expires, replacement->now};
    /* Who logs in has an account, so the end of the guest session that he had
     * is not limited. */
    bool by_guest = replacement->is_guest;
    int rc = 0;

    if (old.sid)
        rc = lmdb_revoke_session(txn, &old, by_guest && !old.subject);
    if (rc == 0 && guest.sid)
        rc = lmdb_revoke_session(txn, &guest, by_guest);
    return rc;
}

/* The old session leaves its list before the sessions are counted. */
static int
lmdb_apply_replace(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const struct store_replacement *replacement = change->what;
    const struct store_spill spill = {.sid = &replacement->session->sid,
                                      .blob = replacement->blob,
                                      .expires = replacement->session->expires,
                                      .now = replacement->now};
    int rc = lmdb_check_replacement(txn, change);

    if (rc == 0)
        rc = lmdb_revoke_replaced(txn, replacement);
    if (rc == 0 && !replacement->is_guest)
        rc = lmdb_list_session(txn, replacement);
    if (rc == 0 && replacement->blob.len > 0)
        rc = lmdb_put_spill(txn, &spill, replacement->is_guest);
    return rc;
}

/*
 * The new session was never handed out: nobody must see it on the list. The
 * sessions that it replaced stay revoked: meanwhile somebody else may have
 * revoked them, too.
 */
static int
lmdb_undo_replace(const struct lmdb_txn *txn, const struct lmdb_change *change)
{
    const struct store_replacement *replacement = change->what;
    const struct store_session *session = replacement->session;
    struct lmdb_key key = lmdb_key_make(txn, &session->sid, NULL);
    int rc = lmdb_remove(txn, RECORD_SPILL, &key);

    if (rc || replacement->is_guest)
        return rc;
    key = lmdb_key_make(txn, &session->subject, &session->sid);
    return lmdb_remove(txn, RECORD_SESSION, &key);
}

enum pst_err
lmdb_session_replace(struct store *base,
                     const struct store_replacement *replacement,
                     int64_t *since)
{
    struct lmdb_change change = {.apply = lmdb_apply_replace,
                                 .now = replacement->now,
                                 .grows = true,
                                 .what = store_copy_replacement(replacement),
                                 .undo = lmdb_undo_replace};
    enum pst_err e = lmdb_write(lmdb_handle_from_base(base), &change);

    if (e == PST_EXPIRED)
        *since = change.number;
    return e;
}

/* Noting that a session was used. */

/*
 * Is there something to write?
 *   session  set to what is stored
 * Returns 0, LMDB_UNCHANGED or LMDB_NOT_FOUND.
 */
static int
lmdb_check_use(const struct lmdb_txn *txn, const struct store_use *use,
               struct store_session *session)
{
    struct lmdb_key key = lmdb_key_make(txn, use->subject, use->sid);
    struct pst_bytes record;
    int rc = lmdb_get(txn, RECORD_SESSION, &key, &record);

    if (rc)
        return rc;
    session->sid = *use->sid;
    session->subject = *use->subject;
    if (!record_parse_session(record, session) || session->expires <= use->now)
        return LMDB_NOT_FOUND;
    return record_use_is_due(session, use) ? 0 : LMDB_UNCHANGED;
}

static int
lmdb_apply_touch(const struct lmdb_txn *txn, struct lmdb_change *change)
{
    const struct store_use *use = change->what;
    struct store_session session = {0};
    int rc = lmdb_check_use(txn, use, &session);

    if (rc)
        return rc == LMDB_NOT_FOUND ? LMDB_UNCHANGED : rc;
    if (use->now > session.seen)
        session.seen = use->now;
    if (use->expires > session.expires)
        session.expires = use->expires;
    return lmdb_put_session(txn, &session);
}

/*
 * Most uses need no write, so read first. The write looks again: of many
 * requests with the same old cookie, at the same time too, one writes.
 */
enum pst_err
lmdb_session_touch(struct store *base, const struct store_use *use)
{
    struct lmdb_handle *handle = lmdb_handle_from_base(base);
    struct lmdb_change change = {
        .apply = lmdb_apply_touch, .now = use->now, .applies_late = true};
    struct store_session ignored = {0};
    struct lmdb_txn txn;
    enum pst_err e = lmdb_read_begin(handle, &txn);
    int rc;

    if (e)
        return e;
    rc = lmdb_check_use(&txn, use, &ignored);
    e = rc == LMDB_NOT_FOUND ? PST_NOT_FOUND : PST_OK;
    e = lmdb_read_end(handle,
                      rc == LMDB_NOT_FOUND || rc == LMDB_UNCHANGED ? 0 : rc, e);
    if (e || rc == LMDB_UNCHANGED)
        return e;
    change.what = store_copy_use(use);
    lmdb_write_later(handle, &change);
    return PST_OK;
}
