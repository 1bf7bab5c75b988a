/* SPDX-License-Identifier: ISC */
/*
 * fcgi.h - serve the requests of one FastCGI connection with libfcgi.
 */
#ifndef POSTERN_ENGINE_FCGI_H
#define POSTERN_ENGINE_FCGI_H

#include "engine/engine.h"
#include "engine/fcgi_connection.h"
#include "server/log.h"

/* What all connections of a loop share. */
struct fcgi_service {
    const struct engine_handler *handler;
    void *state; /* the handler's, of this loop */
    struct log *log;
    int64_t body_timeout_ms;

    /* May another request begin? If not, the answer is 503. The
     * second function is called when one that began has ended. */
    bool (*begin_request)(void *context);
    void (*end_request)(void *context);
    void *context;
};

/*
 * Initialize libfcgi, and prove that it reaches its sockets through this
 * program. Once a process. Returns PST_OK; PST_INTERNAL: a libfcgi whose calls
 * cannot be replaced.
 */
PST_MUST_USE enum pst_err fcgi_init(void);

/*
 * Serve the requests that have arrived on a connection, in a fiber whose
 * argument is that connection.
 * Returns true when the connection is idle, false when it has been closed.
 */
bool fcgi_serve_connection(const struct fcgi_service *service,
                           struct fcgi_connection *connection);

/* Is there memory for what libfcgi allocates for a request? Where there is
 * none, it aborts the program. */
bool fcgi_has_memory(void);

#endif
