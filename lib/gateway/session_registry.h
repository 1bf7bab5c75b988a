/* SPDX-License-Identifier: ISC */
/*
 * session_registry.h - what the store knows of a session: was it ended, is it
 * on its user's list (design 2.4). Without a store every question has the
 * answer that a sealed session gives by itself. PST_INTERNAL, where there is no
 * hash to be had, may come from each.
 */
#ifndef POSTERN_GATEWAY_SESSION_REGISTRY_H
#define POSTERN_GATEWAY_SESSION_REGISTRY_H

#include "gateway/context.h"
#include "session/session.h"

/*
 * Log why the store did not answer, where that is what e says: for whoever
 * asked it something that is no question of this file. Returns e.
 */
enum pst_err registry_log_store_error(const struct context *ctx,
                                      const struct request *req,
                                      enum pst_err e);

/*
 * Was it ended, alone or with all of its user's? While the store is away for
 * at most POSTERN_STORE_GRACE, a session it did not speak of is good.
 * Returns PST_OK, PST_REVOKED, PST_STORE_DOWN (with the cause in the log).
 */
PST_MUST_USE enum pst_err registry_check(struct context *ctx,
                                         const struct request *req,
                                         const struct pst_session *session);

/* What a new session takes the place of, and how. */
struct registry_replacement {
    const struct pst_session *old;   /* NULL: none */
    const struct pst_session *guest; /* a guest's beside it, which ends as well
                                        whether it is good or not; NULL: none */
    bool requires_old;     /* the new session begins only if old is good */
    struct pst_bytes blob; /* the new session as the store is to keep it;
                              absent: it fits into its token */
};

/*
 * Begin a session and end the one whose place it takes, in one step of the
 * store: the new one is listed (a guest is on no list), over the cap the
 * oldest are ended; of the old one nothing remains but its revocation, which
 * is kept for a day where it was a guest's that no login replaced. So a
 * logout that comes first is never lost: nothing follows from the old session
 * then. One that comes later, with the old cookie, ends the old session and
 * not the new one: the user logged in after it was sent.
 *   fresh  on PST_EXPIRED iat and seen are moved past the second in which all
 *          of its user's sessions were ended: seal it again, and call again
 * Returns PST_OK, PST_REVOKED (it follows from old, which was ended; nothing
 * has changed), PST_EXPIRED, PST_TOO_LARGE (the blob), PST_STORE_DOWN,
 * PST_NO_MEMORY, PST_OVERLOADED (a machine whose clock is ahead ended all of
 * the user's, and past that no session can begin yet).
 */
PST_MUST_USE enum pst_err
registry_replace(struct context *ctx, const struct request *req,
                 const struct registry_replacement *replaced,
                 struct pst_session *fresh);

/* Note that it was seen, and when it will end. PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err registry_touch(struct context *ctx,
                                         const struct request *req,
                                         const struct pst_session *session);

/* End it, everywhere it was copied; a guest's for a day, after which a copy
 * is good again. PST_OK or PST_STORE_DOWN. */
PST_MUST_USE enum pst_err registry_revoke(struct context *ctx,
                                          const struct request *req,
                                          const struct pst_session *session);

/* End all of its user's sessions, this one included. */
PST_MUST_USE enum pst_err
registry_revoke_all(struct context *ctx, const struct request *req,
                    const struct pst_session *session);

/* The name of a session in lists: its hash in hex, never its id. */
#define REGISTRY_NAME_LEN STORE_ID_HEX_LEN

/*
 * Write its user's live sessions as a JSON array: [{"id","created",
 * "lastSeen","expiresAt","browser","address","current"}].
 * Returns PST_OK or PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err registry_list(struct context *ctx,
                                        const struct request *req,
                                        const struct pst_session *session,
                                        struct pst_buf *buf);

/*
 * End another session of its user, by the name it has in the list.
 *   is_own  set on PST_OK: it was this very one
 * Returns PST_OK, PST_NOT_FOUND (none of this user's), PST_STORE_DOWN.
 */
PST_MUST_USE enum pst_err
registry_revoke_by_name(struct context *ctx, const struct request *req,
                        const struct pst_session *session, struct pst_str name,
                        bool *is_own);

#endif
