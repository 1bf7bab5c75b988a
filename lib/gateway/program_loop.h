/* SPDX-License-Identifier: ISC */
/*
 * program_loop.h - what the requests of one event loop share, and what each of
 * them gets: the callbacks of engine/engine.h.
 */
#ifndef POSTERN_GATEWAY_PROGRAM_LOOP_H
#define POSTERN_GATEWAY_PROGRAM_LOOP_H

#include "engine/blocking.h"
#include "gateway/confirmed_sessions.h"
#include "gateway/context.h"
#include "server/keyring_cache.h"

/* What all loops of a program share. */
struct program_parts {
    handler_fn *handler;
    struct config *config;
    struct log *log;
    struct blocking_pool *disk; /* one thread, for files that change */
    struct keyring_cache *keyring_cache;
    struct document_lookup *documents;
    struct confirmed_sessions *confirmed; /* NULL: POSTERN_STORE_GRACE has no
                                             effect */
};

/*
 * Make a loop's handles to the configured backend and store.
 *   upstream, store  set on PST_OK; the caller frees and closes them; store is
 *                    set to NULL if none is configured
 * Returns PST_OK, PST_BAD_CONFIG (the backend's URL or timeouts),
 * PST_NO_MEMORY (no descriptors, too), PST_INTERNAL (libgcrypt).
 */
PST_MUST_USE enum pst_err program_loop_connect(const struct config *config,
                                               struct http_client **upstream,
                                               struct store **store);

/* struct engine_handler; the context is a struct program_parts. */
void *program_loop_new(void *context);
void program_loop_free(void *state);

/* Handle a request with the secrets that are in use when it begins. */
bool program_loop_handle(void *state, const struct request_input *input,
                         const struct response_sink *sink);

#endif
