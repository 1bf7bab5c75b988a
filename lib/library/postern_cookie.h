/* SPDX-License-Identifier: ISC */
/*
 * postern_cookie.h - the public library's session cookies: find and open one,
 * seal one, clear them, by the rules of the programs, without a store.
 */
#ifndef POSTERN_POSTERN_COOKIE_H
#define POSTERN_POSTERN_COOKIE_H

#include "library/postern_settings.h"

/* The memory and the time of one call of a public function. */
struct cookie_call {
    const struct pst_sessions *sessions;
    struct pst_arena *arena;
    int64_t now; /* unix seconds */
};

/* The session in a cookie. Its slices live as long as the arena. */
struct cookie_session {
    struct pst_session session;
    bool is_from_older_secret; /* sealed with an older secret than the first */
    bool is_in_store; /* the cookie contains only sid, sub, name and times */
};

/*
 * Begin a call: read the clock and allocate the memory.
 *   cookie  the Cookie header, whose length sets the size of the memory; NULL:
 *           there is none
 * Returns PST_OK, PST_NO_MEMORY, PST_INTERNAL (the clock is wrong). After a
 * failure, too, cookie_call_end() may be called.
 */
PST_MUST_USE enum pst_err cookie_call_begin(struct cookie_call *call,
                                            const struct pst_sessions *sessions,
                                            const char *cookie);

/* Wipe and free the memory of the call. */
void cookie_call_end(struct cookie_call *call);

/*
 * Find the session in a Cookie header. A user's session comes before a
 * guest's. Of several cookies of one name, the session is the only one that
 * opens, or the newest copy of one session. If they contain different
 * sessions, there is none: an attacker planted one of them.
 *   header  the Cookie header; may be absent
 *   out     set on PST_OK only
 * Returns PST_OK; PST_NO_SESSION (no cookie, or no valid one);
 * PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err cookie_find(const struct cookie_call *call,
                                      struct pst_str header,
                                      struct cookie_session *out);

/*
 * Seal a session into a Set-Cookie value.
 *   line  the value, in the arena of the call; invalid on failure
 * Returns PST_OK; PST_MALFORMED (the claims could not be parsed again, or
 * parsed to another session: who or upstream is not one JSON value);
 * PST_TOO_LARGE (the token does not fit in a cookie); PST_NO_RANDOM,
 * PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err cookie_seal(const struct cookie_call *call,
                                      const struct pst_session *session,
                                      struct pst_str *line);

/*
 * Write one of the Set-Cookie values that clear our cookies. There is one for
 * every variant that this library or the programs may have set; those of the
 * user's cookie come last.
 *   header  the Cookie header: a guest's cookie and the one of the older name
 *           are cleared only if it contains them. Absent: in any case
 *   index   which of the values, from 0
 *   line    invalid on failure
 * Returns PST_OK, PST_NOT_FOUND (no value has this index), PST_TOO_LARGE.
 */
PST_MUST_USE enum pst_err cookie_clear(const struct pst_sessions *sessions,
                                       struct pst_str header, size_t index,
                                       struct pst_buf *line);

#endif
