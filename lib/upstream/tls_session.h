/* SPDX-License-Identifier: ISC */
/*
 * tls_session.h - run one HTTP exchange at a time over TLS, by libcurl. Its
 * only user.
 */
#ifndef POSTERN_UPSTREAM_TLS_SESSION_H
#define POSTERN_UPSTREAM_TLS_SESSION_H

#include "upstream/http_client.h"
#include "upstream/http_target.h"

/* A connection that stays open between exchanges. */
struct tls_session;

/*
 * Start libcurl, unless it is started, and check the URL. No thread may be
 * running at the first call.
 * Returns PST_OK; PST_NO_MEMORY; PST_BAD_CONFIG (libcurl cannot parse the URL,
 * or there is a user name in it); PST_INTERNAL (libcurl does not work).
 */
PST_MUST_USE enum pst_err tls_session_start(const char *url);

/* Stop libcurl, if it was started; when all sessions are freed. */
void tls_session_stop(void);

/* Make a session for a target, which must outlive it. NULL: no memory, or no
 * descriptors. */
struct tls_session *tls_session_new(const struct http_target *target);

/* Free it and set the pointer to NULL. */
void tls_session_free(struct tls_session **session);

/* As http_client_run(), for one exchange at a time. */
PST_MUST_USE enum pst_err tls_session_run(struct tls_session *session,
                                          struct pst_arena *arena,
                                          const struct http_exchange *exchange,
                                          struct http_error *error);

#endif
