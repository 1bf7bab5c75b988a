/* SPDX-License-Identifier: ISC */
/*
 * server_loop.h - one event loop of a server: accept connections, start a fiber
 * for each that has bytes to read, and finish when the server stops.
 */
#ifndef POSTERN_ENGINE_SERVER_LOOP_H
#define POSTERN_ENGINE_SERVER_LOOP_H

#include <stdatomic.h>

#include "engine/fcgi.h"
#include "engine/server.h"

/* What all loops of a server share. */
struct server {
    const struct server_options *options;
    const struct engine_handler *handler;
    size_t connection_limit;   /* of each loop */
    _Atomic int64_t requests;  /* that run */
    _Atomic int64_t accepting; /* loops that have not begun to finish; the last
                                  one closes the sockets */
};

/* May another request begin? And one has ended. For struct fcgi_service; the
 * context is the server. */
bool server_begin_request(void *context);
void server_end_request(void *context);

struct server_loop {
    struct server *server;
    struct loop *loop;
    struct fcgi_service service;
    struct loop_watch accept_watch;
    struct timer retry; /* accepts again, after descriptors were short; at the
                           end, closes what is idle */
    struct fcgi_connection_list idle; /* longest idle first */
    struct fcgi_connection_list busy;
    size_t count; /* of both */
    size_t limit;
    bool is_accepting;
    int64_t full_logged_at; /* when that was last logged; 0: never */

    /* Finishing. */
    struct loop_task drain_task; /* any thread may notify it */
    struct loop_task abort_task; /* the same: end it now */
    bool is_draining;
    bool is_aborted;
    struct timer drain_deadline;
};

/*
 * Make a loop in the calling thread, and start accepting. Close it whatever
 * this returns. Returns PST_OK or PST_NO_MEMORY.
 */
PST_MUST_USE enum pst_err server_loop_open(struct server_loop *loop,
                                           struct server *server);

/* Run until every connection is closed after drain_task. Returns false when
 * some were stuck. */
bool server_loop_run(struct server_loop *loop);

void server_loop_close(struct server_loop *loop);

#endif
