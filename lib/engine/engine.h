/* SPDX-License-Identifier: ISC */
/*
 * engine.h - the callbacks of a program that the CGI and FastCGI servers call
 * for each event loop and each request. This is all that the engine knows of
 * the program that it runs.
 */
#ifndef POSTERN_ENGINE_ENGINE_H
#define POSTERN_ENGINE_ENGINE_H

#include "server/request.h"
#include "server/response.h"

struct engine_handler {
    void *context;

    /* Make what all requests of one loop share. Called in the loop's thread.
     * NULL, after logging why: the program cannot serve. */
    void *(*new_state)(void *context);

    /*
     * Handle one request. Under FastCGI it runs in a fiber: while it waits, the
     * same thread handles others with the same state.
     *   input  variables, body and role; its limits are not set
     *   sink   takes the answer
     * Returns false when the answer was cut off: the connection is closed in
     * such a way that the web server notices.
     */
    bool (*handle)(void *state, const struct request_input *input,
                   const struct response_sink *sink);

    /* Free what new_state() made. Called in the same thread, after the last
     * request. */
    void (*free_state)(void *state);

    /* Called on SIGHUP, in the thread of server_run(). NULL: ignored. */
    void (*reload)(void *context);
};

#endif
