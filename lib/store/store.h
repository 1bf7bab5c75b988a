/* SPDX-License-Identifier: ISC */
/*
 * store.h - the store, for what a sealed token cannot hold: which sessions are
 * revoked, which are live, sessions too large for a cookie, tokens newer than a
 * cookie, and counters of login attempts.
 *
 * A handle belongs to one thread. The fibers of its event loop share it: a call
 * may wait (engine/wait.h, engine/blocking.h), and others begin meanwhile. It
 * is opened in the process that uses it, after any fork. Handles of one process
 * on one LMDB folder share the environment.
 *
 * A store that does not answer within about a second is PST_STORE_DOWN, which
 * must never let a session pass. store_error() then says why, for the log. Each
 * call tries again, except for a short while after a failure to connect.
 *
 * A write that failed did not happen, or does no harm:
 *   - a session that was to begin is on no list, its spilled part is deleted,
 *     and its token was never handed out. The sessions that it replaces may
 *     have been revoked: to bring them back could bring back one that somebody
 *     else revoked meanwhile;
 *   - a revocation, or a refund of counters, may still happen: it was wanted;
 *   - counters may have been acquired: they empty by themselves;
 *   - a spilled session may have been stored: its key is the same, so the older
 *     token opens it as well; or no token refers to it, and it expires.
 *
 * The caller passes the time, in unix seconds. A record that has expired counts
 * as absent, whether or not it was removed yet.
 */
#ifndef POSTERN_STORE_STORE_H
#define POSTERN_STORE_STORE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"
#include "server/rate.h"
#include "server/store_url.h"

/* Bytes of the texts of a listed session. */
#define STORE_BROWSER_MAX 64
#define STORE_ADDRESS_MAX 64

/* Bytes of the sealed name of a listed session. */
#define STORE_SEALED_NAME_MAX 192

/* Sessions listed for one user, with or without a cap. The oldest ones leave
 * the list, but stay valid. */
#define STORE_LISTED_MAX 1000

/* Bytes of a sealed session in the store. */
#define STORE_SPILL_MAX (64 * 1024)

/* Counters in one call. */
#define STORE_COUNTERS_MAX 4

/* The name of something in the store: always a hash. */
struct store_id {
    uint8_t bytes[PST_HASH_LEN];
};

/* Digits of an id in hex. */
#define STORE_ID_HEX_LEN (2 * PST_HASH_LEN)

/* A live session in the list of its user. */
struct store_session {
    struct store_id sid;
    struct store_id subject;
    int64_t created;        /* the session's iat */
    int64_t seen;           /* last use, as exact as the caller makes it */
    int64_t expires;        /* the session's exp */
    struct pst_str user;    /* a name for the operator; may be empty */
    struct pst_str browser; /* its family at login; may be empty */
    struct pst_str address; /* at login; may be empty */
    struct pst_bytes sealed_name; /* of the user; the store cannot open it.
                                     Empty: none */
};

/* Called for each session. Any result but PST_OK ends the walk. It must not
 * use the store, nor wait for anything. The texts are valid until it
 * returns. */
typedef enum pst_err store_session_fn(void *context,
                                      const struct store_session *session);

/* A counter, and the rate that limits it. */
struct store_counter {
    struct store_id id;
    struct rate rate;   /* limit 1 or more */
    bool is_count_only; /* store_counter_acquire(): count, but never refuse */
    bool reset_all;     /* store_counter_refund(): empty it */
    bool as_previous;   /* store_counter_refund(): take off what the previous
                           item held. Both must have the same rate. Not for
                           the first item. */
};

struct store;

/* Opening. */

/*
 * Open a handle.
 *   url       STORE_LMDB or STORE_REDIS, one that this build has; copied
 *   audience  separates sites that share a store, 1..PST_AUDIENCE_MAX bytes;
 *             copied
 * LMDB files are opened at once and stay open. Redis is connected when it is
 * first needed. A failure of either is not an error here: later calls return
 * PST_STORE_DOWN.
 * Returns PST_OK, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err store_open(struct store **out,
                                     const struct store_url *url,
                                     struct pst_str audience);

/* Close a handle, and set it to NULL. *store may be NULL. */
void store_close(struct store **store);

/* Why the last call returned PST_STORE_DOWN, or what store_ping() warns of; ""
 * when there is nothing to say. Valid until the next call of any fiber: read it
 * before anything that may wait. */
const char *store_error(const struct store *store);

/*
 * Write and read something, for `postern check`. On PST_OK, store_error() may
 * hold a warning: a Redis that may evict records or loses them when it
 * restarts, an LMDB map that is nearly full.
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_ping(struct store *store, int64_t now);

/* Ids. */

/* SHA-256 of a session's id. The log names the session by its first 8 hex
 * digits. */
void store_id_sid(const uint8_t sid[static PST_SID_LEN], struct store_id *out);

/*
 * The id of anything else: SHA-256 over purpose, audience and name.
 *   purpose  such as "subject": separates two uses of the same name
 * Returns PST_OK, PST_TOO_LARGE (name over 2 KiB), PST_INTERNAL.
 */
PST_MUST_USE enum pst_err store_id_name(const struct store *store,
                                        const char *purpose,
                                        struct pst_str name,
                                        struct store_id *out);

/* store_id_name() of a user, by the sub of the session. Same results. */
PST_MUST_USE enum pst_err store_id_subject(const struct store *store,
                                           struct pst_str subject,
                                           struct store_id *out);

/* Parse an id in hex, in either case. Returns false, and leaves id untouched,
 * when the text is something else. */
PST_MUST_USE bool store_id_parse(struct pst_str hex, struct store_id *id);

bool store_id_equal(const struct store_id *a, const struct store_id *b);

/* Revocation. */

/*
 * Was this session revoked, by itself or with all sessions of its user?
 *   subject  NULL for a guest
 *   iat      when it was authenticated
 * One read transaction in LMDB, without lock or system call; one round trip
 * to Redis. A record that cannot be read counts as revoked.
 * Returns PST_OK (it is valid), PST_REVOKED, PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_check(struct store *store,
                                      const struct store_id *sid,
                                      const struct store_id *subject,
                                      int64_t iat);

/*
 * Revoke a session: it is refused from now on, leaves its user's list, and its
 * spilled part and its tokens are deleted. All of that or nothing. Idempotent.
 *   subject  NULL for a guest, or when it is unknown: then the session stays
 *            in its user's list
 *   expires  the latest exp that any copy of the session may have. The record
 *            is kept PST_CLOCK_SKEW_MAX longer.
 * Returns PST_OK or PST_STORE_DOWN (then the session may still be valid).
 */
PST_MUST_USE enum pst_err store_revoke(struct store *store,
                                       const struct store_id *sid,
                                       const struct store_id *subject,
                                       int64_t expires, int64_t now);

/*
 * Revoke all sessions of a user in one step, however many there are: those
 * whose iat is not after a certain time, which never moves back. That time is
 * now; or, when a machine whose clock is ahead began a session already, that
 * session's iat.
 *   since  set on PST_OK to that time; may be NULL
 * Returns PST_OK or PST_STORE_DOWN; also the latter when an earlier record of
 * this user cannot be read, since overwriting it could make revoked sessions
 * valid.
 */
PST_MUST_USE enum pst_err store_revoke_all(struct store *store,
                                           const struct store_id *subject,
                                           int64_t now, int64_t *since);

/* A user's live sessions. */

/* A new session, and the sessions that it replaces. */
struct store_replacement {
    const struct store_id *old;         /* NULL: none */
    const struct store_id *old_subject; /* NULL: a guest */
    int64_t old_iat;
    int64_t old_expires; /* the latest exp of any copy: see store_revoke() */
    bool requires_old;   /* the new one begins only if the old one is valid */

    const struct store_id *guest; /* a guest session that is revoked as well,
                                     valid or not; NULL: none */
    int64_t guest_expires;        /* as old_expires */

    const struct store_session *session; /* a guest: sid and expires are set */
    bool is_guest;                       /* it is on no list */
    int64_t cap;           /* sessions that the user may have, this one
                              included: the oldest ones over that are revoked.
                              0: no cap */
    struct pst_bytes blob; /* the sealed session, when it is too large for a
                              cookie: at most STORE_SPILL_MAX bytes. Absent:
                              nothing is spilled */
    int64_t now;
};

/*
 * Begin a session, and revoke those that it replaces, in one transaction (one
 * script in Redis): the old session is revoked, leaves its user's list, and its
 * spilled part is deleted; the new one is listed, and its blob is stored. All
 * of that or nothing.
 * An old session that was revoked before stays revoked; that matters only with
 * requires_old. A store_revoke() of the old session afterwards does not revoke
 * the new one.
 *   since  set on PST_EXPIRED: the time of the last store_revoke_all() of the
 *          new session's user. The session's iat (created) must be later: seal
 *          it again with since + 1, and call again.
 * Returns PST_OK; PST_REVOKED (requires_old, and the old session was revoked,
 * alone or with all of its user's); PST_EXPIRED; PST_TOO_LARGE (a text or the
 * blob is over its limit); PST_STORE_DOWN (also when an earlier record of a
 * user cannot be read); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
store_session_replace(struct store *store,
                      const struct store_replacement *replacement,
                      int64_t *since);

/* A session that is used. */
struct store_use {
    const struct store_id *sid;
    const struct store_id *subject;
    int64_t expires;  /* its exp; the stored one never moves back */
    int64_t interval; /* seconds: a stored seen that is not older is left as it
                         is, unless expires moves */
    int64_t now;      /* becomes its seen, which never moves back either */
};

/*
 * Note that a session was used, and may expire later. Changes only a session
 * that is still listed: a concurrent request must not bring back one that was
 * revoked meanwhile. LMDB is written some time later, and nobody hears of it
 * when that fails.
 * Returns PST_OK, PST_NOT_FOUND, PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_session_touch(struct store *store,
                                              const struct store_use *use);

/*
 * Call back for each live session, in any order.
 *   subject  the user; NULL: all users of this audience (for the command line:
 *            it reads the whole store, and Redis may return a session twice)
 * Returns PST_OK, PST_STORE_DOWN, or the result of callback().
 */
PST_MUST_USE enum pst_err
store_session_walk(struct store *store, const struct store_id *subject,
                   int64_t now, store_session_fn *callback, void *context);

/* Count them. Returns PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err store_session_count(struct store *store,
                                              const struct store_id *subject,
                                              int64_t now, size_t *count);

/* Spilled sessions: those too large for a cookie. */

/*
 * Store a sealed session under its id; replaces what was there.
 *   blob  1..STORE_SPILL_MAX bytes
 * Returns PST_OK, PST_TOO_LARGE, PST_STORE_DOWN, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err store_spill_put(struct store *store,
                                          const struct store_id *sid,
                                          struct pst_bytes blob,
                                          int64_t expires, int64_t now);

/* The same, but PST_NOT_FOUND when none is stored: so that a concurrent request
 * cannot bring back a session that was revoked meanwhile. */
PST_MUST_USE enum pst_err store_spill_replace(struct store *store,
                                              const struct store_id *sid,
                                              struct pst_bytes blob,
                                              int64_t expires, int64_t now);

/*
 * Read a sealed session.
 *   blob  set on PST_OK to a copy in the arena
 * Returns PST_OK, PST_NOT_FOUND, PST_STORE_DOWN, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err store_spill_get(struct store *store,
                                          const struct store_id *sid,
                                          int64_t now, struct pst_arena *arena,
                                          struct pst_bytes *blob);

/* Tokens: what a session has got since its cookie was sealed, sealed as well.
 * store_revoke() deletes them with the spilled part. The arguments and results
 * are those of store_spill_…(); only sessions of users have tokens. */

PST_MUST_USE enum pst_err store_tokens_put(struct store *store,
                                           const struct store_id *sid,
                                           struct pst_bytes blob,
                                           int64_t expires, int64_t now);

PST_MUST_USE enum pst_err store_tokens_replace(struct store *store,
                                               const struct store_id *sid,
                                               struct pst_bytes blob,
                                               int64_t expires, int64_t now);

PST_MUST_USE enum pst_err store_tokens_get(struct store *store,
                                           const struct store_id *sid,
                                           int64_t now, struct pst_arena *arena,
                                           struct pst_bytes *blob);

/* Counters: the generic cell rate algorithm (GCRA), a bucket that empties at a
 * constant rate. */

struct store_counters {
    const struct store_counter *items;
    size_t count; /* 1..STORE_COUNTERS_MAX */
    int64_t now;
};

/*
 * Acquire one from each counter, or none from any. Atomic among all processes
 * and machines: of N concurrent calls no more succeed than the rate allows.
 *   retry_after  set on PST_THROTTLED: seconds, 1 or more
 * Returns PST_OK, PST_THROTTLED, PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err
store_counter_acquire(struct store *store,
                      const struct store_counters *counters,
                      int64_t *retry_after);

/* Give one back to each counter, or as much as reset_all or as_previous say, in
 * one step. Returns PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err
store_counter_refund(struct store *store,
                     const struct store_counters *counters);

/*
 * Empty each counter.
 *   in_use  set on PST_OK: how many of them were not empty
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err
store_counter_reset(struct store *store, const struct store_counters *counters,
                    int64_t *in_use);

/* Removing expired records. */

struct store_sweep_result {
    size_t examined; /* entries of the index; below the limit: none are left */
    size_t removed;  /* records */
};

/*
 * Remove expired records. In LMDB every write removes a few, too; Redis does it
 * by itself.
 *   limit  entries of the index to look at, at most: several may belong to one
 *          record, which may be deleted already
 *   swept  set on PST_OK; may be NULL
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_sweep(struct store *store, size_t limit,
                                      int64_t now,
                                      struct store_sweep_result *swept);

#endif
