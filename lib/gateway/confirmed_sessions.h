/* SPDX-License-Identifier: ISC */
/*
 * confirmed_sessions.h - the sessions that the store confirmed to this process,
 * and when: only these pass within POSTERN_STORE_GRACE. Shared by the threads
 * of a process.
 *
 * The memory is bounded. When it is full, older confirmations are lost; a
 * session that was revoked is never found again.
 */
#ifndef POSTERN_GATEWAY_CONFIRMED_SESSIONS_H
#define POSTERN_GATEWAY_CONFIRMED_SESSIONS_H

#include "base/base.h"
#include "base/error.h"
#include "store/store.h"

struct confirmed_sessions;

/* A question to the store about a session. */
struct session_confirmation {
    const struct store_id *sid;
    const struct store_id *subject; /* NULL: a guest's */
    int64_t asked_ms;               /* clock_ms() before the question */
    uint64_t forgotten;             /* set by confirmed_sessions_begin() */
};

/* Returns PST_OK or PST_NO_MEMORY. */
PST_MUST_USE enum pst_err
confirmed_sessions_new(struct confirmed_sessions **out);

/* Free the sessions, and set *sessions to NULL. It may be NULL. */
void confirmed_sessions_free(struct confirmed_sessions **sessions);

/* In the functions below, sessions may be NULL: then no session is confirmed.
 */

/* Before the store is asked. */
void confirmed_sessions_begin(struct confirmed_sessions *sessions,
                              struct session_confirmation *confirmation);

/* The store confirmed the session. If the session or its user was forgotten
 * since confirmed_sessions_begin(), the session is not confirmed: the answer
 * may be older than a revocation. */
void confirmed_sessions_put(struct confirmed_sessions *sessions,
                            const struct session_confirmation *confirmation);

/*
 * Is the session confirmed, by a question that was asked less than grace_ms
 * before this one, and was not forgotten since?
 */
PST_MUST_USE bool
confirmed_sessions_has(struct confirmed_sessions *sessions,
                       const struct session_confirmation *confirmation,
                       int64_t grace_ms);

/*
 * Forget a session that was revoked, or all sessions of a user. A few others
 * may be forgotten as well: until the store confirms them again.
 *   id  the sid of a session, or the subject; NULL: no effect
 */
void confirmed_sessions_forget(struct confirmed_sessions *sessions,
                               const struct store_id *id);

/* What the result of store_check() says about the session: it is confirmed,
 * forgotten, or left as it was. */
void
confirmed_sessions_note_check(struct confirmed_sessions *sessions,
                              const struct session_confirmation *confirmation,
                              enum pst_err e);

/* The same of the result of store_session_replace(), and of the sessions that
 * were replaced.
 *   fresh  the new session */
void
confirmed_sessions_note_replacement(struct confirmed_sessions *sessions,
                                    const struct session_confirmation *fresh,
                                    const struct store_replacement *replacement,
                                    enum pst_err e);

#endif
