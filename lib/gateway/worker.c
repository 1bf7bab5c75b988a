/* SPDX-License-Identifier: ISC */
/*
 * worker.c - one thread's own state, made once, and requests handled with it.
 */
#include "gateway/worker.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "crypto/crypto.h"

#define LINGER_MS 2000 /* for what the other end still sends */

void *
worker_begin(void *context)
{
    const struct task *task = context;
    const struct program *program = &task->program;
    struct worker *worker = calloc(1, sizeof(*worker));
    enum pst_err e = PST_NO_MEMORY;

    if (worker) {
        worker->task = task;
        worker->ctx.config = program->config;
        worker->ctx.log = program->log;
        worker->ctx.documents = program->documents;
        worker->ctx.random = pst_crypto_random;
        e = pst_arena_new(&worker->arena, PST_ARENA_SIZE);
        if (!e)
            e = program_connect(program, &worker->ctx.upstream,
                                &worker->ctx.store);
    }
    if (!e)
        return worker;
    LOG_EVENT(program->log, LEVEL_ERROR, "worker-failed",
              LOG_C_STRING("error", pst_err_code(e)));
    if (worker)
        worker_end(worker);
    return NULL;
}

bool
worker_handle_request(struct worker *worker, const struct request_input *origin,
                      const struct response_sink *sink)
{
    struct keyring_cache *keyring_cache = worker->task->program.keyring_cache;
    struct keyring_cache_entry *entry =
        keyring_cache_acquire(keyring_cache, (int64_t)time(NULL));
    bool is_whole;

    worker->ctx.ring = keyring_cache_ring(entry);
    is_whole = handler_run(&worker->ctx, worker->arena, origin, sink,
                           worker->task->handler);
    keyring_cache_release(keyring_cache, entry);
    return is_whole;
}

void
worker_lingering_close(int descriptor, bool is_drained)
{
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    int64_t left = is_drained ? 0 : LINGER_MS;
    int64_t end = clock_ms() + left;
    char piece[1024];

    shutdown(descriptor, SHUT_WR);
    while (left > 0 && poll(&readable, 1, (int)left) > 0 &&
           recv(descriptor, piece, sizeof(piece), MSG_DONTWAIT) > 0)
        left = end - clock_ms();
    close(descriptor);
}

void
worker_end(void *state)
{
    struct worker *worker = state;

    http_client_free(&worker->ctx.upstream_nested);
    store_close(&worker->ctx.store);
    http_client_free(&worker->ctx.upstream);
    pst_arena_free(&worker->arena);
    free(worker);
}
