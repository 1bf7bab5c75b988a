/* SPDX-License-Identifier: ISC */
/*
 * server.h - serve FastCGI requests on sockets until a signal: event loops, one
 * thread each, which share the sockets.
 */
#ifndef POSTERN_ENGINE_SERVER_H
#define POSTERN_ENGINE_SERVER_H

#include <signal.h>

#include "engine/engine.h"
#include "engine/listen.h"
#include "engine/peer_list.h"
#include "server/log.h"

struct server_options {
    struct listen_sockets *sockets; /* 1 or more; server_run() closes them */
    const struct peer_list *peers;
    struct log *log;
    int64_t loops;        /* 1 or more */
    int64_t max_requests; /* at once, in all loops; more are refused */
    int64_t body_timeout; /* seconds, for the body of a request as a whole */
    int64_t drain; /* seconds that running requests get to finish at the end */
};

/*
 * Block the signals that server_run() handles. To be called before any thread
 * starts, so that none of them gets such a signal.
 */
void server_block_signals(void);

/* Undo that, for a program that turns out not to need a server. */
void server_unblock_signals(void);

/*
 * Hold the same signals back for a while, also in a program without a server:
 * a web server ends a CGI program by SIGTERM when its client has gone. SIGKILL,
 * which may follow some seconds later, cannot be held back. The caller may wait
 * in between: in a server the signals are blocked anyway.
 *   before  set: for server_release_signals()
 */
void server_hold_signals(sigset_t *before);
void server_release_signals(const sigset_t *before);

/*
 * Serve until SIGTERM, SIGINT or SIGUSR1 (as mod_fastcgi sends it). Then accept
 * what already waits, stop listening, and let the running requests finish; a
 * second signal ends that time early. SIGHUP calls handler->reload().
 * Returns the exit status: EX_OK; EX_OSERR, if it could not start. When
 * requests are still stuck after the time, it does not return: the process
 * exits with EX_OK.
 */
int server_run(const struct server_options *options,
               const struct engine_handler *handler);

#endif
