/* SPDX-License-Identifier: ISC */
/*
 * session_registry.h - the registry of live and revoked sessions, in the store.
 * Without a store no session is listed or revoked. Every function may return
 * PST_INTERNAL when hashing fails.
 */
#ifndef POSTERN_GATEWAY_SESSION_REGISTRY_H
#define POSTERN_GATEWAY_SESSION_REGISTRY_H

#include "gateway/context.h"
#include "session/session.h"

/*
 * If e is PST_STORE_DOWN, log why the store did not answer. For callers that
 * use the store directly. Returns e.
 */
enum pst_err registry_log_store_error(const struct context *ctx,
                                      const struct request *req,
                                      enum pst_err e);

/*
 * Is the session revoked, alone or with all sessions of its user? While the
 * store does not answer, a session counts as valid that the store confirmed to
 * this process within POSTERN_STORE_GRACE, unless the process has seen it
 * revoked since. Returns PST_OK, PST_REVOKED, PST_STORE_DOWN (the cause is in
 * the log).
 */
PST_MUST_USE enum pst_err registry_check(struct context *ctx,
                                         const struct request *req,
                                         const struct pst_session *session);

/* The sessions that a new one replaces. */
struct registry_replacement {
    const struct pst_session *old;   /* NULL: none */
    const struct pst_session *guest; /* a guest's beside it, which ends whether
                                        it is valid or not; NULL: none */
    bool requires_old;     /* the new session begins only if old is valid */
    struct pst_bytes blob; /* what the store is to keep of the new session;
                              absent: it fits into its token */
};

/*
 * Begin a session and revoke those that it replaces, in one step of the store.
 * The new session is listed, unless it is a guest's; beyond the user's maximum
 * the oldest sessions are revoked. The revocation of a guest's that no login
 * replaced is kept for a day, any other as long as a copy lives.
 * A logout before this step is never lost: with requires_old no session follows
 * from a revoked one. A logout after it, with the old cookie, does not end the
 * new session: the user logged in after that request was sent.
 *   fresh  on PST_EXPIRED its iat and seen are moved past the second in which
 *          all sessions of the user were revoked: seal it again, and call again
 * Returns PST_OK; PST_REVOKED (old is revoked; nothing has changed);
 * PST_EXPIRED; PST_TOO_LARGE (the blob); PST_STORE_DOWN; PST_NO_MEMORY;
 * PST_NO_RANDOM; PST_OVERLOADED (all were revoked in the future, by a machine
 * whose clock is ahead: no session can begin yet).
 */
PST_MUST_USE enum pst_err
registry_replace(struct context *ctx, const struct request *req,
                 const struct registry_replacement *replaced,
                 struct pst_session *fresh);

/* Update in the list when the session was last seen and when it ends. Returns
 * PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err registry_touch(struct context *ctx,
                                         const struct request *req,
                                         const struct pst_session *session);

/* Revoke a session with all its copies; a guest's only for a day, after which a
 * copy is valid again. Returns PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err registry_revoke(struct context *ctx,
                                          const struct request *req,
                                          const struct pst_session *session);

/* Revoke all sessions of its user, including this one. Returns PST_OK or
 * PST_STORE_DOWN. */
PST_MUST_USE enum pst_err
registry_revoke_all(struct context *ctx, const struct request *req,
                    const struct pst_session *session);

/* Length of a session's name in lists: the hash of its id in hex, never the id
 * itself. */
#define REGISTRY_NAME_LEN STORE_ID_HEX_LEN

/*
 * Write the live sessions of its user as a JSON array: [{"id","created",
 * "lastSeen","expiresAt","browser","address","current"}].
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err registry_list(struct context *ctx,
                                        const struct request *req,
                                        const struct pst_session *session,
                                        struct pst_buf *buf);

/*
 * Revoke a session of the same user, by its name in the list.
 *   is_own  set on PST_OK: it was this session itself
 * Returns PST_OK, PST_NOT_FOUND (not a session of this user), PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err
registry_revoke_by_name(struct context *ctx, const struct request *req,
                        const struct pst_session *session, struct pst_str name,
                        bool *is_own);

#endif
