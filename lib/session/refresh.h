/* SPDX-License-Identifier: ISC */
/*
 * refresh.h - the refresh token of a session, and when it is due.
 *
 * A session with a refresh token outlives its backend token: exp comes from the
 * lifetime alone, and token_end is when the backend's token must have been
 * replaced (gateway/session_refresh.h). The refresh token itself has no end
 * that we know of: backends do not say. When it has ended, the backend refuses
 * it, and that ends the session.
 */
#ifndef POSTERN_SESSION_REFRESH_H
#define POSTERN_SESSION_REFRESH_H

#include "session/session.h"

/* A token is refreshed in the last quarter of its life, at most so many seconds
 * before its end. */
#define PST_REFRESH_SHARE 4
#define PST_REFRESH_EARLY_MAX 60

/* Write the claim: {"token":...,"begun":...,"end":...}.
 *   session  its refresh is there, and is written as it is */
void pst_refresh_emit(struct pst_buf *buf, const struct pst_session *session);

/*
 * Read the claim.
 *   object  JSON without duplicates; absent: the session has no refresh token
 *   out     refresh, token_begun and token_end are set
 * Returns PST_OK; PST_FORGED: not exactly these members, an empty token, or a
 * token that did not end after it began.
 */
PST_MUST_USE enum pst_err pst_refresh_parse(struct pst_str object,
                                            struct pst_session *out);

/*
 * Must the backend's token be replaced before it is sent? Then it ends within a
 * quarter of its life, but not more than a minute and not less than a second;
 * or it has ended. Never without a refresh token.
 */
bool pst_refresh_is_due(const struct pst_session *session, int64_t now);

/* Is the backend's token of no more use? Never without a refresh token. */
bool pst_refresh_is_overdue(const struct pst_session *session, int64_t now);

/* The begin of a token that the backend gives now: later than that of the token
 * before it, even in the same second. So newer tokens are told from older ones.
 */
int64_t pst_refresh_begin(const struct pst_session *before, int64_t now);

/* Did the backend give the token of a after that of b? Both have a refresh
 * token. */
bool pst_refresh_is_newer(const struct pst_session *a,
                          const struct pst_session *b);

#endif
