/* SPDX-License-Identifier: ISC */
/*
 * connections.h - accept connections, and give each to a worker whenever it has
 * something to say.
 *
 * An idle connection costs a descriptor and no worker, so that kept-alive
 * ones never starve new ones. Knows nothing of FastCGI.
 */
#ifndef POSTERN_ENGINE_CONNECTIONS_H
#define POSTERN_ENGINE_CONNECTIONS_H

#include "base/base.h"
#include "engine/listen.h"
#include "engine/thread_pool.h"
#include "server/log.h"

struct connections_options {
    struct listen_sockets
        *sockets; /* at least one; closed by connections_run() */
    const struct listen_peers *peers;
    struct log *log;
    int64_t workers; /* threads at most, 1 or more */
    int64_t drain;   /* seconds that running requests get at the end */

    /* hear() gets a descriptor that blocks, with a limit of time on reading
     * and writing, and that has bytes to read: one request's. */
    const struct thread_pool_work *work;

    /* Called on SIGHUP, in the thread of connections_run(), with work's
     * context. */
    void (*on_hangup)(void *context);
};

/* How connections_run() came back. */
enum connections_result {
    CONNECTIONS_DRAINED, /* every worker has ended */
    CONNECTIONS_ABORTED, /* some still run: leave by _exit(2), free nothing */
    CONNECTIONS_FAILED,  /* it could not start; errno tells */
};

/*
 * Block the signals that connections_run() listens to (SIGTERM, SIGINT,
 * SIGUSR1, SIGHUP) in this thread and those it starts: before any other thread
 * is.
 */
void connections_block_signals(void);

/* Undo that, for a program that turns out not to need a pool. */
void connections_unblock_signals(void);

/*
 * Serve until SIGTERM, SIGINT or SIGUSR1; then listen no longer, close what
 * is idle, and let what has begun finish for `drain` seconds, or until a
 * second signal. SIGHUP is passed on.
 */
PST_MUST_USE enum connections_result
connections_run(const struct connections_options *options);

#endif
