/* SPDX-License-Identifier: ISC */
/*
 * program_loop.c - what the requests of one event loop share, and what each of
 * them gets.
 */
#include "gateway/program_loop.h"

#include <sys/queue.h>
#include <time.h>

#include "base/limits.h"
#include "crypto/crypto.h"
#include "gateway/handler.h"

/* Kept by a loop for later requests. */
#define IDLE_WORKERS_MAX 256

/* What one request needs while it is handled. */
struct worker {
    struct context ctx;
    struct pst_arena *arena;
    SLIST_ENTRY(worker) link;
};

struct program_loop {
    const struct program_parts *parts;
    struct http_client *upstream;
    struct store *store;       /* NULL: none is configured */
    int64_t store_answered_at; /* unix seconds: its last answer */
    SLIST_HEAD(, worker) idle;
    size_t idle_count;
};

enum pst_err
program_loop_connect(const struct config *config, struct http_client **upstream,
                     struct store **store)
{
    const struct http_client_options options = {
        .url = config->upstream,
        .ca = config->upstream_ca,
        .connect_timeout = config->connect_timeout,
        .first_byte_timeout = config->first_byte_timeout,
        .between_bytes_timeout = config->between_bytes_timeout,
        .total_timeout = config->total_timeout,
    };
    struct http_client *client = NULL;
    enum pst_err e = http_client_new(&client, &options);

    if (e)
        return e;
    if (config->store.kind != STORE_NONE) {
        e = store_open(store, &config->store, config->audience);
        if (e) {
            http_client_free(&client);
            return e;
        }
    } else {
        *store = NULL;
    }
    *upstream = client;
    return PST_OK;
}

static void
worker_free(struct worker *worker)
{
    pst_arena_free(&worker->arena);
    free(worker);
}

static struct worker *
worker_new(const struct program_loop *loop)
{
    const struct program_parts *parts = loop->parts;
    struct worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return NULL;
    worker->ctx.config = parts->config;
    worker->ctx.log = parts->log;
    worker->ctx.documents = parts->documents;
    worker->ctx.upstream = loop->upstream;
    worker->ctx.store = loop->store;
    worker->ctx.random = pst_crypto_random;
    if (pst_arena_new(&worker->arena, PST_ARENA_SIZE) == PST_OK)
        return worker;
    free(worker);
    return NULL;
}

void
program_loop_free(void *state)
{
    struct program_loop *loop = state;
    struct worker *worker;

    while ((worker = SLIST_FIRST(&loop->idle))) {
        SLIST_REMOVE_HEAD(&loop->idle, link);
        worker_free(worker);
    }
    store_close(&loop->store);
    http_client_free(&loop->upstream);
    free(loop);
}

void *
program_loop_new(void *context)
{
    const struct program_parts *parts = context;
    struct program_loop *loop = calloc(1, sizeof(*loop));
    enum pst_err e = PST_NO_MEMORY;

    if (loop) {
        loop->parts = parts;
        SLIST_INIT(&loop->idle);
        e = program_loop_connect(parts->config, &loop->upstream, &loop->store);
    }
    if (!e)
        return loop;
    LOG_EVENT(parts->log, LEVEL_ERROR, "loop-failed",
              LOG_C_STRING("error", pst_err_code(e)));
    free(loop);
    return NULL;
}

static struct worker *
program_loop_take_worker(struct program_loop *loop)
{
    struct worker *worker = SLIST_FIRST(&loop->idle);

    if (!worker)
        return worker_new(loop);
    SLIST_REMOVE_HEAD(&loop->idle, link);
    loop->idle_count--;
    return worker;
}

static void
program_loop_give_worker(struct program_loop *loop, struct worker *worker)
{
    if (loop->idle_count >= IDLE_WORKERS_MAX) {
        worker_free(worker);
        return;
    }
    SLIST_INSERT_HEAD(&loop->idle, worker, link);
    loop->idle_count++;
}

bool
program_loop_handle(void *state, const struct request_input *input,
                    const struct response_sink *sink)
{
    struct program_loop *loop = state;
    const struct program_parts *parts = loop->parts;
    struct request_input limited = *input;
    struct worker *worker = program_loop_take_worker(loop);
    struct keyring_cache_entry *entry;
    bool is_whole;

    if (!worker)
        return false;
    entry = keyring_cache_acquire(parts->keyring_cache, (int64_t)time(NULL));
    limited.max_body = parts->config->max_body;
    limited.max_held = parts->config->max_held;
    worker->ctx.ring = keyring_cache_ring(entry);
    worker->ctx.store_answered_at = loop->store_answered_at;
    is_whole = handler_run(&worker->ctx, worker->arena, &limited, sink,
                           parts->handler);
    if (worker->ctx.store_answered_at > loop->store_answered_at)
        loop->store_answered_at = worker->ctx.store_answered_at;
    keyring_cache_release(parts->keyring_cache, entry);
    program_loop_give_worker(loop, worker);
    return is_whole;
}
