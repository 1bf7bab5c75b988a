/* SPDX-License-Identifier: ISC */
/*
 * tls_events.h - tell libcurl when its sockets are ready and its time has come;
 * and wait until it has done something for an exchange.
 *
 * In a fiber, the event loop watches the sockets; elsewhere, the one who waits.
 */
#ifndef POSTERN_UPSTREAM_TLS_EVENTS_H
#define POSTERN_UPSTREAM_TLS_EVENTS_H

#include "upstream/tls_session.h"

/* Let the thread's loop watch the sockets, unless it does so already or this is
 * no fiber. Returns PST_OK or PST_NO_MEMORY. */
PST_MUST_USE enum pst_err tls_events_attach(struct tls_session *session);

/* The loop watches no longer: before the session is freed. */
void tls_events_detach(struct tls_session *session);

/* To be called after each call of libcurl: note when it wants to be called
 * again, and wake the fibers for whose exchanges it has done something. */
void tls_events_update(struct tls_session *session);

/*
 * Wait until the exchange is done or transfer_needs_service(), or the timeout
 * may have changed. May return early.
 * Returns 0, or ECANCELED when the client hung up.
 */
PST_MUST_USE int tls_events_wait(struct tls_handle *handle, int64_t deadline);

#endif
