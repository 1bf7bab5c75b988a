/* SPDX-License-Identifier: ISC */
/*
 * tls_session.h - the connections of one thread to the backend over TLS, by
 * libcurl: each is used by one exchange at a time, and some are kept.
 *
 * libcurl needs a large stack: call these functions outside of fibers, but for
 * tls_handle_result(). None of them waits.
 */
#ifndef POSTERN_UPSTREAM_TLS_SESSION_H
#define POSTERN_UPSTREAM_TLS_SESSION_H

#include <sys/queue.h>

#include "engine/loop.h"
#include "upstream/http_client.h"
#include "upstream/http_target.h"
#include "upstream/socket_set.h"
#include "upstream/transfer.h"

#define TLS_ERROR_SIZE 256       /* bytes, of libcurl's messages */
#define TLS_HANDLES_KEPT_MAX 16  /* our choice */
#define TLS_CONNECTIONS_KEPT 64L /* our choice */

struct tls_session;

/* One exchange of libcurl's. */
struct tls_handle {
    TAILQ_ENTRY(tls_handle) link;
    struct tls_session *session;
    void *easy; /* libcurl's handle */
    struct transfer *transfer;
    struct http_error *error;
    bool is_done; /* libcurl has nothing left to do */
    int code;     /* its result then */
    char text[TLS_ERROR_SIZE];
    char buffers[2 * TRANSFER_BUFFER];

    /* Of tls_events.h. */
    struct fiber *waiter;      /* waits for libcurl; NULL: none */
    enum transfer_phase phase; /* when it began to wait */
};

TAILQ_HEAD(tls_handle_list, tls_handle);

struct tls_session {
    void *multi;    /* libcurl's handle */
    bool is_broken; /* it had no memory; so its exchanges fail */
    const struct http_target *target;
    struct socket_set sockets;      /* of libcurl */
    int64_t timer;                  /* when libcurl wants to be called */
    struct tls_handle_list running; /* exchanges */
    struct tls_handle_list kept;    /* for later exchanges */
    size_t kept_count;

    /* Of tls_events.h. */
    struct loop *loop; /* that watches the sockets; NULL: none yet */
    struct loop_watch watch;
    struct timer loop_timer;
};

/*
 * Load and start libcurl, unless it is started, and check the URL. No thread
 * may be running at the first call. Returns PST_OK; PST_NO_MEMORY;
 * PST_BAD_CONFIG (libcurl cannot parse the URL, or there is a user name in it);
 * PST_INTERNAL (libcurl is not installed, or does not work).
 */
PST_MUST_USE enum pst_err tls_session_start(const char *url);

/* Stop libcurl, if it was started; when all sessions are freed. */
void tls_session_stop(void);

/* Make a session for a target, which must outlive it. NULL: no memory, or no
 * descriptors. */
struct tls_session *tls_session_new(const struct http_target *target);

/* Free it and set the pointer to NULL. No exchange may be running. */
void tls_session_free(struct tls_session **session);

/*
 * Tell libcurl that a socket is ready, or that its time has come.
 *   socket  -1: none
 *   events  epoll's
 */
void tls_session_call(struct tls_session *session, int socket, uint32_t events);

/*
 * Begin an exchange: check what is sent, set every option, and connect.
 *   out  set on PST_OK; give it to tls_handle_end()
 * Returns PST_OK, PST_NO_MEMORY, or as exchange_request_make().
 */
PST_MUST_USE enum pst_err tls_handle_begin(struct tls_session *session,
                                           struct pst_arena *arena,
                                           struct transfer *transfer,
                                           struct http_error *error,
                                           struct tls_handle **out);

/* Go on after a pause. */
void tls_handle_resume(struct tls_handle *handle);

/* The result, once is_done or transfer->err is set. */
PST_MUST_USE enum pst_err tls_handle_result(struct tls_handle *handle);

/* End the exchange, finished or not. */
void tls_handle_end(struct tls_handle *handle);

#endif
