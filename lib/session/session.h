/* SPDX-License-Identifier: ISC */
/*
 * session.h - the claims of a session, its clocks, and whether it is still
 * good (design 2.2 and 2.3).
 */
#ifndef POSTERN_SESSION_SESSION_H
#define POSTERN_SESSION_SESSION_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/str.h"

#define PST_SESSION_VERSION 2

/* What is known of who a session belongs to. */
enum pst_identity {
    PST_IDENTITY_KNOWN,   /* sub and name are the backend's own answer */
    PST_IDENTITY_GUEST,   /* a guest: the backend said so, or nobody asked */
    PST_IDENTITY_UNKNOWN, /* the backend could not be asked yet */
};

/* One session. Times are unix seconds. Slices live as long as their arena. */
struct pst_session {
    uint8_t sid[PST_SID_LEN]; /* random; names the session, never shown */
    struct pst_str sub;       /* the backend's user id; empty: a guest */
    struct pst_str name;      /* what a person would call the user */
    int64_t iat;              /* authenticated at, or a guest's beginning */
    int64_t exp;              /* the end, whatever happens */
    int64_t seen;             /* last request we took note of */
    bool remember;            /* the user asked to be remembered */
    struct pst_str who;       /* JSON object: the login answer's public part */
    struct pst_str upstream;  /* JSON: "token", {"cookie": "value", …}, or
                                  ["key"] of what the store keeps; absent:
                                  the backend gave none */
    enum pst_identity known;  /* NOBODY where sub is empty, unless UNKNOWN */
    int64_t asked;            /* unix seconds: when the backend last said who
                                 it is; 0: it was never asked */
    struct pst_bytes spilled_key; /* that key, once fetched; not a claim */
};

/* Configured limits: seconds, each 1..PST_LIFETIME_MAX. */
struct pst_session_timeouts {
    int64_t idle;
    int64_t lifetime;
    int64_t remember;
    int64_t guest;
};

/*
 * A session that names nobody. One whose owner is unknown is no guest: it may
 * be a user's, and has a user's limits until the backend says otherwise.
 */
PST_EXPORT bool pst_session_is_guest(const struct pst_session *session);

/* Does it survive the browser's closing, so that the cookie has an age? */
PST_EXPORT bool pst_session_is_persistent(const struct pst_session *session);

/*
 * Set iat, seen and exp of a session that begins now.
 *   backend_end  unix seconds at which the backend's token ends; 0: not told.
 *                A guest's session then ends a second before its lifetime at
 *                the latest, by which it is known.
 * Returns PST_OK, or PST_EXPIRED when backend_end is not after now.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_session_start(struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now,
                  int64_t backend_end);

/*
 * Is it still good?
 * Returns PST_OK or PST_EXPIRED: iat or seen more than PST_CLOCK_SKEW_MAX ahead
 * of now, seen before iat, now at or past exp, iat plus the lifetime that
 * applies, or (named and not remembered) seen plus idle.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_session_check(const struct pst_session *session,
                  const struct pst_session_timeouts *timeouts, int64_t now);

/* Has it gone idle/4 (guest and remembered: a day) since seen? */
PST_EXPORT bool
pst_session_is_renewal_due(const struct pst_session *session,
                           const struct pst_session_timeouts *timeouts,
                           int64_t now);

/*
 * Note a request: seen becomes now, never goes back. Of a named session
 * nothing else moves; a guest's begins anew, for it has no authentication
 * that it must not outlive, and a cart is not to vanish while it is used. It
 * does have the backend's token: an exp short of the lifetime stays, and so
 * does one that an earlier, shorter setting made.
 */
PST_EXPORT void pst_session_touch(struct pst_session *session,
                                  const struct pst_session_timeouts *timeouts,
                                  int64_t now);

/*
 * The instant at which idleness ends it: seen plus idle, or exp where that
 * is earlier or idle does not apply.
 */
PST_EXPORT int64_t
pst_session_idle_expiry(const struct pst_session *session,
                        const struct pst_session_timeouts *timeouts);

/*
 * Write the claims: {"v":2,"sid":…,"sub":…,"name":…,"iat":…,"exp":…,"seen":…,
 * "remember":…,"who":{…},"upstream":…,"known":"unknown","asked":…}, the last
 * three only where there is something to say. sid is base64url. who and
 * upstream are written as they are, so they must be JSON already. Parts over
 * their limits spoil the builder with PST_TOO_LARGE, a sub or name that is no
 * UTF-8 with PST_MALFORMED.
 */
PST_EXPORT void pst_session_emit(struct pst_buf *buf,
                                 const struct pst_session *session);

/*
 * Read claims: every member present, of its type, in bounds, and no other but
 * upstream, known and asked, which may be absent; times are integers >= 0, exp
 * is after iat; known is "unknown", beside an empty sub; upstream is a string
 * that is not empty, an object of at least one member, all of them strings, or
 * an array of one string: the session is kept in the store, and that is its
 * key.
 *   claims  from a token whose tag has been checked
 *   out     set on PST_OK only; its slices live as long as arena, and who and
 *           upstream are slices of claims
 * Returns PST_OK, PST_FORGED (anything else about it), PST_NO_MEMORY.
 */
PST_MUST_USE PST_EXPORT enum pst_err pst_session_parse(struct pst_arena *arena,
                                                       struct pst_str claims,
                                                       struct pst_session *out);

/*
 * When does a backend's token end, by its ttl (design 2.3)?
 *   ttl  a JSON value's text: an RFC 3339 string, or a number: unix
 *        milliseconds (>= 10^12), unix seconds (>= 10^9), else seconds from
 *        now; a fraction is cut; a string of digits counts as that number
 *   out  unix seconds, never 0 but where ttl is absent or null
 * Returns PST_OK, PST_MALFORMED, PST_NO_MEMORY.
 */
PST_MUST_USE PST_EXPORT enum pst_err
pst_session_parse_ttl(struct pst_arena *arena, struct pst_str ttl, int64_t now,
                      int64_t *out);

#endif
