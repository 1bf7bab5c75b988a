/* SPDX-License-Identifier: ISC */
/*
 * dispatcher.h - the main loop of a server: accept connections, pass each that
 * has bytes to read to a thread, and stop on a signal. Knows nothing of
 * FastCGI.
 */
#ifndef POSTERN_ENGINE_DISPATCHER_H
#define POSTERN_ENGINE_DISPATCHER_H

#include "base/base.h"
#include "engine/listen.h"
#include "engine/peer_list.h"
#include "engine/thread_pool.h"
#include "server/log.h"

struct dispatcher_options {
    struct listen_sockets
        *sockets; /* 1 or more; dispatcher_run() closes them */
    const struct peer_list *peers;
    struct log *log;
    int64_t workers; /* threads at most, 1 or more */
    int64_t drain; /* seconds that running requests get to finish at the end */

    /* What the threads do. handle() gets a blocking descriptor that has bytes
     * to read, with a time limit on reading and writing, for one request. */
    const struct thread_pool_work *work;

    /* Called on SIGHUP, in the thread of dispatcher_run(). NULL: ignored. */
    void (*on_hangup)(void *context);
    void *on_hangup_context;
};

enum dispatcher_result {
    DISPATCHER_DRAINED, /* every thread has ended */
    DISPATCHER_ABORTED, /* some still run: leave by _exit(2), free nothing */
    DISPATCHER_FAILED,  /* it could not start; errno says why */
};

/*
 * Block the signals that dispatcher_run() handles (SIGTERM, SIGINT, SIGUSR1,
 * SIGHUP), in this thread and in those that it starts. Call it before any
 * other thread is started.
 */
void dispatcher_block_signals(void);

/* Undo that, for a program that turns out not to need a dispatcher. */
void dispatcher_unblock_signals(void);

/*
 * Serve until SIGTERM, SIGINT or SIGUSR1. Then stop accepting, close idle
 * connections, and let running requests finish for `drain` seconds, or until
 * a second signal. After that, their connections are shut down.
 */
PST_MUST_USE enum dispatcher_result
dispatcher_run(const struct dispatcher_options *options);

#endif
