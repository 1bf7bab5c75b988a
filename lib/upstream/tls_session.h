/* SPDX-License-Identifier: ISC */
/*
 * tls_session.h - a connection to the backend over TLS, by libcurl. Its only
 * user.
 */
#ifndef POSTERN_UPSTREAM_TLS_SESSION_H
#define POSTERN_UPSTREAM_TLS_SESSION_H

#include "upstream/http_client.h"
#include "upstream/http_target.h"
#include "upstream/socket_set.h"
#include "upstream/transfer.h"

#define TLS_ERROR_SIZE 256 /* bytes, of libcurl's messages */

/* A connection that stays open between exchanges, which run one at a time. */
struct tls_session {
    void *multi; /* libcurl's handles */
    void *easy;
    const struct http_target *target;
    struct socket_set sockets; /* of libcurl */
    int64_t timer;            /* when libcurl wants to be called (clock_ms()) */
    int running;              /* transfers, as libcurl counts them */
    int64_t idle_since;       /* clock_ms() at the end of the last exchange */
    struct http_error *error; /* of the exchange that runs */
    char text[TLS_ERROR_SIZE];
    char buffers[2 * TRANSFER_BUFFER];
};

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

/*
 * Begin an exchange: check what is sent, and set every option. End it with
 * tls_session_end(), whatever this returns.
 * Returns PST_OK, PST_NO_MEMORY, or as exchange_request_make().
 */
PST_MUST_USE enum pst_err tls_session_begin(struct tls_session *session,
                                            struct pst_arena *arena,
                                            struct transfer *transfer,
                                            struct http_error *error);

/*
 * Call libcurl, outside of the fiber: a socket is ready, or its time has come.
 *   socket   -1: none
 *   events   epoll's
 *   resumes  go on after a pause
 * Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err tls_session_call(struct tls_session *session,
                                           int socket, uint32_t events,
                                           bool resumes);

/* The result, once libcurl has nothing left to do, or transfer->err is set. */
PST_MUST_USE enum pst_err tls_session_result(struct tls_session *session,
                                             const struct transfer *transfer);

void tls_session_end(struct tls_session *session);

#endif
