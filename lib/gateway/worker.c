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

#define HANG_UP_MS 2000 /* for what the other end still sends */

void *
worker_begin(void *context)
{
    const struct task *task = context;
    const struct service *service = &task->service;
    struct worker *worker = calloc(1, sizeof(*worker));
    enum pst_err e = PST_NO_MEMORY;

    if (worker) {
        worker->task = task;
        worker->gate.config = service->config;
        worker->gate.log = service->log;
        worker->gate.documents = service->documents;
        worker->gate.random = pst_crypt_random;
        e = pst_arena_new(&worker->arena, PST_ARENA_SIZE);
        if (!e)
            e = service_connect(service, &worker->gate.upstream,
                                &worker->gate.store);
    }
    if (!e)
        return worker;
    LOG_EVENT(service->log, LEVEL_ERROR, "worker",
              LOG_STRING("error", pst_err_code(e)));
    if (worker)
        worker_end(worker);
    return NULL;
}

bool
worker_handle(struct worker *worker, const struct request_origin *origin,
              const struct reply_sink *sink)
{
    struct keys *keys = worker->task->service.keys;
    struct keys_held *held = keys_take(keys, (int64_t)time(NULL));
    bool is_whole;

    worker->gate.ring = keys_ring(held);
    is_whole = gate_handle(&worker->gate, worker->arena, origin, sink,
                           worker->task->handler);
    keys_give(keys, held);
    return is_whole;
}

void
worker_hang_up(int descriptor, bool is_drained)
{
    struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
    int64_t left = is_drained ? 0 : HANG_UP_MS;
    int64_t end = ticks_ms() + left;
    char piece[1024];

    shutdown(descriptor, SHUT_WR);
    while (left > 0 && poll(&waiting, 1, (int)left) > 0 &&
           recv(descriptor, piece, sizeof(piece), MSG_DONTWAIT) > 0)
        left = end - ticks_ms();
    close(descriptor);
}

void
worker_end(void *state)
{
    struct worker *worker = state;

    upstream_free(&worker->gate.upstream_aside);
    store_close(&worker->gate.store);
    upstream_free(&worker->gate.upstream);
    pst_arena_free(&worker->arena);
    free(worker);
}
