/* SPDX-License-Identifier: ISC */
/*
 * credentials.h - the backend's token or cookies, kept inside a session: how
 * they are sent to the backend, and what its answers change about them.
 *
 * In a session (struct pst_session, upstream) they are JSON: a string is a
 * token, an object is cookies by name. A space goes before the value of one
 * that was set without HttpOnly.
 */
#ifndef POSTERN_UPSTREAM_CREDENTIALS_H
#define POSTERN_UPSTREAM_CREDENTIALS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "server/config.h"

#define CREDENTIALS_COOKIES_MAX 32

/* What an answer says of the backend's session, as far as it says anything. */
struct credentials_update {
    struct pst_str token;                            /* the token header */
    struct pst_str cookies[CREDENTIALS_COOKIES_MAX]; /* values of Set-Cookie */
    size_t cookie_count;
};

/* An answer to a request that went along with what a session held. */
struct credentials_response {
    int64_t now;             /* unix seconds, for cookies that have expired */
    struct pst_str upstream; /* what the session holds; absent: there is none */
    const struct credentials_update *update;
};

/* From light to grave: of several changes the last one counts. */
enum credentials_change {
    CREDENTIALS_SAME,  /* nothing that matters */
    CREDENTIALS_KEPT,  /* only cookies that scripts may read, and signatures */
    CREDENTIALS_ENDED, /* the backend ended its session */
    CREDENTIALS_REPLACED, /* another token: another session at the backend */
};

/*
 * The header that carries the contents.
 *   upstream     JSON, from a session; absent: nothing is sent
 *   name, value  set on PST_OK; absent where there is nothing to send
 * Returns PST_OK, PST_NO_MEMORY, PST_MALFORMED, PST_TOO_LARGE.
 */
PST_MUST_USE enum pst_err credentials_emit_header(struct pst_arena *arena,
                                                  struct pst_str upstream,
                                                  struct pst_str *name,
                                                  struct pst_str *value);

/*
 * Follow an answer.
 *   change  set on PST_OK: what happened
 *   out     set on PST_OK to what the session is to hold (absent: ended)
 * A token header that is empty ends, another token replaces. Of cookies, the
 * HttpOnly ones are the backend's session: a new value of one replaces, its
 * deletion or emptying ends, also where that line does not repeat HttpOnly;
 * "NAME.sig" goes with NAME. Others are kept. A jar without a cookie is the
 * end too.
 * Returns PST_OK, PST_NO_MEMORY, PST_TOO_LARGE (more than a session holds),
 * PST_MALFORMED (upstream is no JSON).
 */
PST_MUST_USE enum pst_err
credentials_apply_update(struct pst_arena *arena, const struct config *config,
                         const struct credentials_response *response,
                         enum credentials_change *change, struct pst_str *out);

#endif
