/* SPDX-License-Identifier: ISC */
/*
 * session.h - one session, and the times when it begins, expires and is
 * renewed.
 */
#ifndef POSTERN_SESSION_SESSION_H
#define POSTERN_SESSION_SESSION_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

/* What is known of the user of a session. */
enum pst_identity {
    PST_IDENTITY_KNOWN,   /* sub and name are what the backend answered */
    PST_IDENTITY_GUEST,   /* a guest: the backend said so, or was not asked */
    PST_IDENTITY_UNKNOWN, /* the backend could not be asked yet */
};

/* One session. Times are unix seconds. Slices live as long as their arena. */
struct pst_session {
    uint8_t sid[PST_SID_LEN]; /* random id of the session, never shown */
    struct pst_str sub;       /* the backend's user id; empty: a guest */
    struct pst_str name;      /* a name of the user for people to read */
    int64_t iat;              /* when the user logged in, or the guest began */
    int64_t exp;              /* when the session ends at the latest */
    int64_t seen;             /* the last request that was noted */
    bool remember;            /* the user asked to be remembered */
    struct pst_str who;       /* JSON object: public part of the login answer */
    struct pst_str upstream;  /* the backend's credentials as JSON: "token",
                                 {"cookie": "value"}, or ["key"] of what the
                                 store keeps; absent: none */
    enum pst_identity known;  /* not KNOWN where sub is empty */
    int64_t asked;            /* when the backend last said who the user is; 0:
                                 never */
    struct pst_str refresh;   /* JSON string: the backend's refresh token
                                 (gateway/session_refresh.h); absent: none */
    int64_t token_begun;      /* with it: when the backend gave the token in */
    int64_t token_end;        /* upstream, and when that token ends */
    struct pst_bytes spilled_key; /* that key, once it is known; not a claim */
};

/* Configured limits, in seconds, each 1..PST_LIFETIME_MAX. */
struct pst_session_timeouts {
    int64_t idle;     /* between two requests of a user */
    int64_t lifetime; /* of a user's session */
    int64_t remember; /* of a user's session, when remembered */
    int64_t guest;    /* of a guest's session */
};

/*
 * Is this a guest's session? One whose user is unknown is not: it may be a
 * user's, and has a user's limits until the backend says otherwise.
 */
bool pst_session_is_guest(const struct pst_session *session);

/* Does it outlive the browser, so that its cookie has a Max-Age? */
bool pst_session_is_persistent(const struct pst_session *session);

/*
 * Set iat, seen and exp of a session that begins now.
 *   now          unix seconds, >= 0
 *   backend_end  unix seconds at which the backend's token expires; 0: unknown.
 *                With it, a guest's session lasts at most its lifetime less one
 *                second, which tells pst_session_touch() not to extend it
 * Returns PST_OK, or PST_EXPIRED when backend_end is not after now.
 */
PST_MUST_USE enum pst_err
pst_session_start(struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now,
                  int64_t backend_end);

/*
 * Check whether a session is still valid.
 *   now  unix seconds, >= 0
 * Returns PST_OK, or PST_EXPIRED when one of these is true:
 *   - iat or seen is more than PST_CLOCK_SKEW_MAX seconds after now
 *   - seen is before iat
 *   - now has reached exp
 *   - now has reached iat plus the lifetime of its kind
 *   - it is a user's, not remembered, and now has reached seen plus idle
 */
PST_MUST_USE enum pst_err
pst_session_check(const struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now);

/*
 * Should seen be renewed? A quarter of the idle time must have passed since
 * seen; for a guest or a remembered user, a day.
 */
bool pst_session_is_renewal_due(const struct pst_session *session,
                                const struct pst_session_timeouts *timeouts,
                                int64_t now);

/*
 * Note a request: set seen to now, if now is later. Nothing else changes in a
 * user's session. A guest's session begins anew: there is no login that it must
 * not outlive, and its cart must not expire while it is used. But when its exp
 * is before the end of its lifetime, the exp stays: the backend's token ends
 * then, or an earlier configuration had a shorter lifetime.
 */
void pst_session_touch(struct pst_session *session,
                       const struct pst_session_timeouts *timeouts,
                       int64_t now);

/*
 * When the session ends if no request comes any more: seen plus idle, or exp
 * where that is earlier or the session has no idle limit. Unix seconds.
 */
int64_t pst_session_idle_expiry(const struct pst_session *session,
                                const struct pst_session_timeouts *timeouts);

/*
 * Read when a backend's token expires.
 *   ttl  a JSON value: a date-time string of RFC 3339, or a number: unix
 *        milliseconds (>= 10^12), unix seconds (>= 10^9), else seconds from
 *        now. A fraction is dropped. A string of digits is read as a number
 *   now  unix seconds
 *   out  unix seconds; 0 only when ttl is absent or null
 * Returns PST_OK, PST_MALFORMED, PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err pst_session_parse_ttl(struct pst_arena *arena,
                                                struct pst_str ttl, int64_t now,
                                                int64_t *out);

#endif
