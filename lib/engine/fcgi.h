/* SPDX-License-Identifier: ISC */
/*
 * fcgi.h - serve FastCGI requests with libfcgi, until a signal.
 */
#ifndef POSTERN_ENGINE_FCGI_H
#define POSTERN_ENGINE_FCGI_H

#include "engine/engine.h"
#include "engine/listen.h"
#include "engine/peer_list.h"
#include "server/log.h"

struct fcgi_options {
    struct listen_sockets *sockets; /* 1 or more; fcgi_serve() closes them */
    const struct peer_list *peers;
    struct log *log;
    int64_t workers; /* threads at most, 1 or more */
    int64_t drain; /* seconds that running requests get to finish at the end */
};

/*
 * Serve requests on the sockets until SIGTERM, SIGINT or SIGUSR1, then let
 * running requests finish; call dispatcher_block_signals() before. SIGPIPE
 * is ignored from now on. Returns the exit status: EX_OK, EX_OSERR (no memory
 * or descriptors). If threads hang at the end, exits with EX_OK by itself.
 */
int fcgi_serve(const struct fcgi_options *options,
               const struct engine_handler *handler);

#endif
