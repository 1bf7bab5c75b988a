/* SPDX-License-Identifier: ISC */
/*
 * postern_cookie.h - the public library's session cookies: find and open one,
 * seal one, clear them, by the rules that the programs have (design 2.1 and
 * 2.2), without a store.
 */
#ifndef POSTERN_POSTERN_COOKIE_H
#define POSTERN_POSTERN_COOKIE_H

#include "library/postern_settings.h"

/* One call's memory and time. */
struct cookie_call {
    const struct pst_sessions *sessions;
    struct pst_arena *arena;
    int64_t now;
};

/* What a cookie turned out to hold. Slices live as long as the arena. */
struct cookie_session {
    struct pst_session session;
    bool is_stale;    /* an older secret sealed it */
    bool is_in_store; /* only sid, sub, name and times are here */
};

/*
 * The session of a Cookie header: a user's before a guest's; of several
 * cookies of one name the only one that opens, or the newest of one session;
 * of different sessions none.
 *   out  set on PST_OK only
 * Returns PST_OK; PST_NO_SESSION where there is none, for whatever reason;
 * PST_NO_MEMORY, PST_INTERNAL.
 */
PST_MUST_USE enum pst_err cookie_find(const struct cookie_call *call,
                                      struct pst_str header,
                                      struct cookie_session *out);

/*
 * Write the Set-Cookie value that carries session.
 *   line  spoilt on failure
 * Returns PST_OK; PST_MALFORMED (claims that could not be opened again);
 * PST_TOO_LARGE (no cookie can carry it); PST_NO_RANDOM, PST_NO_MEMORY,
 * PST_INTERNAL.
 */
PST_MUST_USE enum pst_err cookie_seal(const struct cookie_call *call,
                                      const struct pst_session *session,
                                      struct pst_str *line);

/*
 * Write the index-th of the lines that clear our cookies, every variant that
 * we or the programs may have set; the user's come last.
 *   header  the request's; absent: whatever the browser may have
 * Returns PST_OK, PST_NOT_FOUND (there are no more), PST_TOO_LARGE.
 */
PST_MUST_USE enum pst_err cookie_clear(const struct pst_sessions *sessions,
                                       struct pst_str header, size_t index,
                                       struct pst_buf *line);

#endif
