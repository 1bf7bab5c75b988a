/* SPDX-License-Identifier: ISC */
/*
 * credentials.h - the backend's token or cookies that a session holds: the
 * header that sends them, and how a response changes them.
 *
 * In a session (struct pst_session, upstream) they are JSON: a string is a
 * token, an object is cookies by name. The value of a cookie that was set
 * without HttpOnly begins with a space.
 */
#ifndef POSTERN_UPSTREAM_CREDENTIALS_H
#define POSTERN_UPSTREAM_CREDENTIALS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config.h"

#define CREDENTIALS_COOKIES_MAX 32

/* What the headers of a response say about the backend's session. */
struct credentials_update {
    struct pst_str token;                            /* the token header */
    struct pst_str cookies[CREDENTIALS_COOKIES_MAX]; /* values of Set-Cookie */
    size_t cookie_count;
};

/* A response to a request that was sent with the session's credentials. */
struct credentials_response {
    int64_t now;             /* unix seconds, for cookies that have expired */
    struct pst_str upstream; /* what the session holds; absent: nothing */
    const struct credentials_update *update;
};

/* In ascending order: of several changes the last one counts. */
enum credentials_change {
    CREDENTIALS_SAME,
    CREDENTIALS_UPDATED,  /* only cookies without HttpOnly, or signatures */
    CREDENTIALS_ENDED,    /* the backend ended its session */
    CREDENTIALS_REPLACED, /* another token: another session at the backend */
};

/*
 * The header that sends the credentials.
 *   upstream     JSON, from a session; absent: nothing is sent
 *   name, value  set on PST_OK; absent where nothing is sent
 * Returns PST_OK, PST_NO_MEMORY, PST_MALFORMED, PST_TOO_LARGE.
 */
PST_MUST_USE enum pst_err credentials_emit_header(struct pst_arena *arena,
                                                  struct pst_str upstream,
                                                  struct pst_str *name,
                                                  struct pst_str *value);

/*
 * Apply a response to the session's credentials.
 *   change  set on PST_OK
 *   out     set on PST_OK: what the session is to hold; absent: it has ended
 * An empty token header ends the session, another token replaces it. The
 * HttpOnly cookies are the backend's session: a new value of one replaces it;
 * deleting or emptying one ends it, even where that Set-Cookie does not repeat
 * HttpOnly. "NAME.sig" is a signature and follows NAME. Other cookies are
 * kept. When no cookie is left, the session has ended too.
 * Returns PST_OK, PST_NO_MEMORY, PST_TOO_LARGE (more than a session holds),
 * PST_MALFORMED (upstream is not JSON).
 */
PST_MUST_USE enum pst_err
credentials_apply_update(struct pst_arena *arena, const struct config *config,
                         const struct credentials_response *response,
                         enum credentials_change *change, struct pst_str *out);

/* Write a token as JSON, as a session holds it. Returns PST_OK, PST_TOO_LARGE,
 * PST_NO_MEMORY. */
PST_MUST_USE enum pst_err credentials_emit_token(struct pst_arena *arena,
                                                 struct pst_str token,
                                                 struct pst_str *out);

#endif
