/* SPDX-License-Identifier: ISC */
/*
 * worker.h - what one thread needs to handle requests, whichever way they
 * come.
 */
#ifndef POSTERN_GATEWAY_WORKER_H
#define POSTERN_GATEWAY_WORKER_H

#include "base/arena.h"
#include "base/base.h"
#include "engine/fcgi_preread.h"
#include "gateway/context.h"
#include "gateway/handler.h"
#include "gateway/program.h"

/* What the workers are there for. */
struct task {
    struct program program;
    handler_fn *handler;
};

/* One thread's own. */
struct worker {
    const struct task *task;
    struct context ctx;
    struct pst_arena *arena;
    struct fcgi_preread preread;
};

/*
 * Make one, as engine/thread_pool.h wants it; of a struct task, which must
 * outlive it. NULL, with a line in the log, when there is no memory or no
 * descriptor.
 */
void *worker_begin(void *context);
void worker_end(void *state);

/* Handle a request with the secrets that are in use as it begins: as
 * handler_run(). */
bool worker_handle_request(struct worker *worker,
                           const struct request_input *origin,
                           const struct response_sink *sink);

/*
 * Close a connection whose answer is complete. What still comes is read away
 * for a moment: closing over it would reset the connection, and the other
 * end could lose the answer.
 *   is_drained  nothing can come any more
 */
void worker_lingering_close(int descriptor, bool is_drained);

#endif
