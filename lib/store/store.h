/* SPDX-License-Identifier: ISC */
/*
 * store.h - what must be known beyond the sealed session itself: which
 * sessions were ended, which are alive, those too large for a cookie, and
 * how often somebody guessed a password.
 *
 * One handle for each worker: a handle is used by one thread at a time, and
 * is opened in the process that uses it, after any fork. Handles of one
 * process on one LMDB folder share the environment by themselves.
 *
 * A store that does not answer is PST_STORE_DOWN, never a way in; store_error()
 * then says why, in a sentence for the log. It heals by itself: every call
 * tries anew, but for a short while after a failure to connect.
 *
 * The clock is passed in: unix seconds. A record whose end has come is
 * absent, whether or not it was removed yet.
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

/* Bytes in a listed session. */
#define STORE_BROWSER_MAX 64
#define STORE_ADDRESS_MAX 64

/* Sessions listed for one subject at most, capped or not: the oldest leave
 * the list, and live on. */
#define STORE_LISTED_MAX 1000

/* Bytes of a sealed session in the store. */
#define STORE_SPILL_MAX (64 * 1024)

/* How many counters one call may take from. */
#define STORE_COUNTERS_MAX 4

/* A name under which something is stored: always a hash. */
struct store_id {
    uint8_t bytes[PST_HASH_LEN];
};

/* Digits of one in hex. */
#define STORE_ID_HEX_LEN (2 * PST_HASH_LEN)

/* A live session, as the user's list shows it. */
struct store_session {
    struct store_id sid;
    struct store_id subject;
    int64_t created;        /* the session's iat */
    int64_t seen;           /* as coarse as the caller makes it */
    int64_t expires;        /* its exp */
    struct pst_str user;    /* who, for the operator; may be empty */
    struct pst_str browser; /* its family at login; may be empty */
    struct pst_str address; /* at login; may be empty */
};

/* Told of each session; what it returns but PST_OK ends the walk. It must not
 * use the store, and the texts are gone when it returns. */
typedef enum pst_err store_session_fn(void *context,
                                      const struct store_session *session);

/* Something that may happen so often. */
struct store_counter {
    struct store_id id;
    struct rate rate;   /* limit 1 or more */
    bool is_count_only; /* store_counter_acquire(): it counts, and refuses
                           nothing */
    bool reset_all;     /* store_counter_refund(): all of it, not one */
    bool as_previous;   /* store_counter_refund(): as much as the item before it
                         held,   whose rate is the same; not for the first item */
};

struct store;

/* Opening. */

/*
 * Open a handle.
 *   url       STORE_LMDB or STORE_REDIS; copied
 *   audience  keeps sites apart that share a store, 1..PST_AUDIENCE_MAX;
 *             copied
 * LMDB's files are opened at once and stay open; Redis is called when it is
 * first needed, and a call ends within a few seconds; but to look up its name,
 * where the URL gives no address, takes what time resolv.conf(5) grants. That
 * either fails is not an error here, but PST_STORE_DOWN from whatever is asked.
 * Returns PST_OK, PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err store_open(struct store **out,
                                     const struct store_url *url,
                                     struct pst_str audience);

/* NULL inside is fine. */
void store_close(struct store **store);

/* Why the last call said PST_STORE_DOWN, or what store_ping() warns of; "" when
 * there is nothing to say. Valid until the next call. */
const char *store_error(const struct store *store);

/*
 * A round trip that writes and reads: for `postern check`. On PST_OK,
 * store_error() may hold a warning: a Redis that may evict records or forgets
 * them when it restarts, an LMDB map that is nearly full.
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_ping(struct store *store, int64_t now);

/* Ids. */

/* SHA-256 of a session's id; its first 8 hex digits name it in the log. */
void store_id_sid(const uint8_t sid[static PST_SID_LEN], struct store_id *out);

/*
 * Anything else by its name: SHA-256 over purpose, audience and name.
 *   purpose  such as "subject": keeps two uses of one name apart
 * Returns PST_OK, PST_TOO_LARGE (name over 2 KiB), PST_INTERNAL.
 */
PST_MUST_USE enum pst_err store_id_name(const struct store *store,
                                        const char *purpose,
                                        struct pst_str name,
                                        struct store_id *out);

/* store_id_name() of a user: sub of the session. It returns the same. */
PST_MUST_USE enum pst_err store_id_subject(const struct store *store,
                                           struct pst_str subject,
                                           struct store_id *out);

/* One that was written in hex, in either case; false, and id untouched, where
 * it is none. */
PST_MUST_USE bool store_id_parse(struct pst_str hex, struct store_id *id);

bool store_id_equal(const struct store_id *a, const struct store_id *b);

/* Is it still good? */

/*
 * Was this session ended, by itself or with all of its user's?
 *   subject  NULL for a guest
 *   iat      when it was authenticated
 * One read transaction in LMDB, without lock or system call; one round trip
 * to Redis. Returns PST_OK (it is good), PST_REVOKED, PST_STORE_DOWN. A record
 * that cannot be read is a no.
 */
PST_MUST_USE enum pst_err store_check(struct store *store,
                                      const struct store_id *sid,
                                      const struct store_id *subject,
                                      int64_t iat);

/*
 * End a session: it is refused from now on, leaves its user's list, and what
 * was spilled of it is gone. All of that or nothing. Doing it twice is doing
 * it once.
 *   subject  NULL for a guest, or when it is not known: then a list it stands
 *            in still shows it
 *   expires  the latest exp any copy of it may have; the record is kept until
 *            then, and PST_CLOCK_SKEW_MAX longer
 * Returns PST_OK or PST_STORE_DOWN (then it may still be good).
 */
PST_MUST_USE enum pst_err store_revoke(struct store *store,
                                       const struct store_id *sid,
                                       const struct store_id *subject,
                                       int64_t expires, int64_t now);

/*
 * End every session of a user, in one step however many there are: those whose
 * iat is not above an instant, which never moves back. It is now, or, where a
 * machine with a faster clock began a session already, that session's iat.
 *   since  set on PST_OK to that instant; may be NULL
 * Returns PST_OK or PST_STORE_DOWN, which it is as well where the record of an
 * earlier end cannot be read: written anew, it would let in what had ended.
 */
PST_MUST_USE enum pst_err store_revoke_all(struct store *store,
                                           const struct store_id *subject,
                                           int64_t now, int64_t *since);

/* A user's live sessions. */

/* A new session, and the one whose place it takes. */
struct store_replacement {
    const struct store_id *old;         /* NULL: none */
    const struct store_id *old_subject; /* NULL: a guest */
    int64_t old_iat;
    int64_t old_expires; /* the revocation is kept until then, and
                            PST_CLOCK_SKEW_MAX   longer: the latest exp of any
                            copy */
    bool requires_old;   /* the new one begins only if the old one is good */

    const struct store_id *guest; /* a guest's session that ends as well, good
                                     or not; NULL: none */
    int64_t guest_expires;        /* as old_expires */

    const struct store_session *session; /* a guest: sid and expires are set */
    bool is_guest;                       /* it is on no list */
    int64_t cap;           /* sessions its user may have, this one included;
                              those over it are ended, oldest first. 0: no cap */
    struct pst_bytes blob; /* sealed, too large for a cookie; absent: none.
                              At most STORE_SPILL_MAX bytes */
    int64_t now;
};

/*
 * Begin a session, and end the one whose place it takes: one transaction (one
 * script of Redis), in which all of this happens or nothing:
 *   the old session is revoked, leaves its user's list, and what was spilled
 *   of it is deleted; the new one is listed, and its blob is stored.
 * An old session that was ended before stays ended, and nothing follows from
 * it. A store_revoke() of the old one that comes later does not end the new
 * one. since  set on PST_EXPIRED: the instant of the last store_revoke_all() of
 * the new session's user. Its iat (created) must be above that: seal the
 *          session again with since + 1, and call again.
 * Returns PST_OK; PST_REVOKED (it follows from the old session, and that was
 * ended, alone or with all of its user's); PST_EXPIRED; PST_TOO_LARGE (a text
 * or the blob is over its limit); PST_STORE_DOWN (so too where the record of an
 * earlier end cannot be read); PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err
store_session_replace(struct store *store,
                      const struct store_replacement *replacement,
                      int64_t *since);

/*
 * It was seen, and may end later. Only where it is still listed: a request in
 * flight while its session is ended must not bring it back.
 *   expires  its exp; never made earlier, nor is seen
 * Returns PST_OK, PST_NOT_FOUND, PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_session_touch(struct store *store,
                                              const struct store_id *subject,
                                              const struct store_id *sid,
                                              int64_t expires, int64_t now);

/*
 * Tell each of the live sessions, in no order.
 *   subject  whose; NULL: everybody's under this audience (for the command
 *            line: it walks the whole store, and Redis may then tell one twice)
 * Returns PST_OK, PST_STORE_DOWN, or what callback() said.
 */
PST_MUST_USE enum pst_err
store_session_walk(struct store *store, const struct store_id *subject,
                   int64_t now, store_session_fn *callback, void *context);

/* How many there are of them. Returns PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err store_session_count(struct store *store,
                                              const struct store_id *subject,
                                              int64_t now, size_t *count);

/* Sessions too large for a cookie. */

/*
 * Keep a sealed session under its id, in the place of what was there.
 *   blob  1..STORE_SPILL_MAX bytes
 * Returns PST_OK, PST_TOO_LARGE, PST_STORE_DOWN, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err store_spill_put(struct store *store,
                                          const struct store_id *sid,
                                          struct pst_bytes blob,
                                          int64_t expires, int64_t now);

/* The same, but only where one is kept already: else PST_NOT_FOUND. What a
 * request in flight uses, so that it cannot revive an ended session. */
PST_MUST_USE enum pst_err store_spill_replace(struct store *store,
                                              const struct store_id *sid,
                                              struct pst_bytes blob,
                                              int64_t expires, int64_t now);

/*
 *   blob  set on PST_OK to a copy in the arena
 * Returns PST_OK, PST_NOT_FOUND, PST_STORE_DOWN, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err store_spill_get(struct store *store,
                                          const struct store_id *sid,
                                          int64_t now, struct pst_arena *arena,
                                          struct pst_bytes *blob);

/* Counters (GCRA: a bucket that empties evenly). */

/* Some counters, and when. */
struct store_counters {
    const struct store_counter *items;
    size_t count; /* 1..STORE_COUNTERS_MAX */
    int64_t now;
};

/*
 * Take one from each, or none from any: atomic among all processes and
 * machines, so that of N at once no more pass than the rate allows.
 *   retry_after  set on PST_THROTTLED: seconds, 1 or more
 * Returns PST_OK, PST_THROTTLED, PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err
store_counter_acquire(struct store *store,
                      const struct store_counters *counters,
                      int64_t *retry_after);

/* Give one back to each; all that was taken where `forget` is set, and where
 * `as_previous` is, what the item before it held. All of it in one step.
 * Returns PST_OK or PST_STORE_DOWN. */
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

/* Tidying. */

/* What came of a sweep. */
struct store_sweep_result {
    size_t examined; /* fewer than the limit: nothing is left to look at */
    size_t removed;
};

/*
 * Remove what has ended. Every write takes its small share anyway, and Redis
 * does it alone.
 *   limit  notes to look at, at most: several may speak of one record, and
 *          that may be gone already
 *   swept  set on PST_OK; may be NULL
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err store_sweep(struct store *store, size_t limit,
                                      int64_t now,
                                      struct store_sweep_result *swept);

/* For the stores themselves. */

/* A session that ends, or one with new marks. */
struct store_session_change {
    const struct store_id *sid;
    const struct store_id *subject; /* may be NULL where it ends */
    int64_t expires;
    int64_t now;
};

/* A sealed session. */
struct store_spill {
    const struct store_id *sid;
    struct pst_bytes blob;
    int64_t expires;
    int64_t now;
    bool only_replace;
};

/* A walk over lists. */
struct store_walk {
    const struct store_id *subject; /* NULL: all */
    int64_t now;
    store_session_fn *callback;
    void *context;
};

/* What a store can do; the promises are those of the functions above. */
struct store_backend {
    enum pst_err (*open)(struct store **out, const struct store_url *url);
    void (*close)(struct store *store);
    enum pst_err (*ping)(struct store *store, int64_t now);
    enum pst_err (*check)(struct store *store, const struct store_id *sid,
                          const struct store_id *subject, int64_t iat);
    enum pst_err (*revoke)(struct store *store,
                           const struct store_session_change *revocation);
    enum pst_err (*revoke_all)(struct store *store,
                               const struct store_id *subject, int64_t now,
                               int64_t *since);
    enum pst_err (*replace)(struct store *store,
                            const struct store_replacement *replacement,
                            int64_t *since);
    enum pst_err (*session_touch)(struct store *store,
                                  const struct store_session_change *touch);
    enum pst_err (*session_walk)(struct store *store,
                                 const struct store_walk *walk);
    enum pst_err (*spill_put)(struct store *store,
                              const struct store_spill *spill);
    enum pst_err (*spill_get)(struct store *store, const struct store_id *sid,
                              int64_t now, struct pst_arena *arena,
                              struct pst_bytes *blob);
    enum pst_err (*acquire)(struct store *store,
                            const struct store_counters *counters,
                            int64_t *retry_after);
    enum pst_err (*refund)(struct store *store,
                           const struct store_counters *counters,
                           int64_t *in_use);
    enum pst_err (*sweep)(struct store *store, size_t limit, int64_t now,
                          struct store_sweep_result *swept);
};

extern const struct store_backend store_lmdb;  /* store/lmdb_store.c */
extern const struct store_backend store_redis; /* store/redis_store.c */

/* The beginning of every store's handle. */
struct store {
    const struct store_backend *backend;
    char audience[PST_AUDIENCE_MAX + 1]; /* filled after open() */
    size_t audience_len;
    uint8_t tag[8]; /* of the audience; filled after open() */
    char error[320];
};

/* Note why. Returns PST_STORE_DOWN, always. */
enum pst_err store_set_error(struct store *store, const char *format, ...)
    PST_PRINTF(2, 3);

#endif
