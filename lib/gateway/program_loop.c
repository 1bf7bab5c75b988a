/* SPDX-License-Identifier: ISC */
/*
 * program_loop.c - what the requests of one event loop share, and what each of
 * them gets.
 */
#include "gateway/program_loop.h"

#include <malloc.h>
#include <sys/queue.h>
#include <time.h>

#include "base/limits.h"
#include "engine/loop.h"
#include "engine/wait.h"
#include "gateway/handler.h"
#include "server/random_block.h"

/* Kept by a loop for later requests. */
#define IDLE_WORKSPACES_MAX 256
#define QUIET_WORKSPACES_MAX 8 /* when it has little to do */
#define TIDY_MS 20000

/* What one request needs while it is handled. */
struct workspace {
    struct context ctx;
    struct pst_arena *arena;
    SLIST_ENTRY(workspace) link;
};

struct program_loop {
    const struct program_parts *parts;
    struct http_client *upstream;
    struct store *store; /* NULL: none is configured */
    SLIST_HEAD(, workspace) idle;
    size_t idle_count;
    size_t busy_count; /* workspaces in use */
    size_t busy_peak;  /* the most since the last tidying */
    struct timer tidy; /* some time after a request; not set under plain CGI */
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
workspace_free(struct workspace *workspace)
{
    pst_arena_free(&workspace->arena);
    free(workspace);
}

static struct workspace *
workspace_new(const struct program_loop *loop)
{
    const struct program_parts *parts = loop->parts;
    struct workspace *workspace = calloc(1, sizeof(*workspace));

    if (!workspace)
        return NULL;
    workspace->ctx.config = parts->config;
    workspace->ctx.log = parts->log;
    workspace->ctx.documents = parts->documents;
    workspace->ctx.confirmed = parts->confirmed;
    workspace->ctx.upstream = loop->upstream;
    workspace->ctx.store = loop->store;
    workspace->ctx.random = random_block_get;
    if (pst_arena_new(&workspace->arena, PST_ARENA_SIZE) == PST_OK)
        return workspace;
    free(workspace);
    return NULL;
}

/* Free workspaces until `count` are left. */
static void
program_loop_free_workspaces(struct program_loop *loop, size_t count)
{
    while (loop->idle_count > count) {
        struct workspace *workspace = SLIST_FIRST(&loop->idle);

        SLIST_REMOVE_HEAD(&loop->idle, link);
        loop->idle_count--;
        workspace_free(workspace);
    }
}

static void
program_loop_set_tidy(struct program_loop *loop)
{
    loop_set_timer(loop_current(), &loop->tidy, wait_now() + TIDY_MS);
}

/*
 * Release what was kept for later requests and has not been used for a while:
 * workspaces and fibers, and then the memory of whole bursts of requests that
 * malloc() keeps.
 */
static void
on_tidy(struct timer *timer)
{
    struct program_loop *loop = timer->owner;
    size_t had = loop->idle_count;
    size_t kept = loop->busy_peak - loop->busy_count;

    if (kept < QUIET_WORKSPACES_MAX)
        kept = QUIET_WORKSPACES_MAX;
    http_client_close_idle(loop->upstream);
    program_loop_free_workspaces(loop, kept);
    loop_free_idle_fibers(loop_current(), kept);
#ifdef __GLIBC__
    if (loop->idle_count < had)
        malloc_trim(0);
#endif
    loop->busy_peak = loop->busy_count;
    if (loop->idle_count > QUIET_WORKSPACES_MAX)
        program_loop_set_tidy(loop);
}

void
program_loop_free(void *state)
{
    struct program_loop *loop = state;

    if (loop_current())
        loop_clear_timer(loop_current(), &loop->tidy);
    program_loop_free_workspaces(loop, 0);
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
        loop->tidy = (struct timer){.on_expire = on_tidy, .owner = loop};
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

static struct workspace *
program_loop_acquire_workspace(struct program_loop *loop)
{
    struct workspace *workspace = SLIST_FIRST(&loop->idle);

    if (workspace) {
        SLIST_REMOVE_HEAD(&loop->idle, link);
        loop->idle_count--;
    } else {
        workspace = workspace_new(loop);
        if (!workspace)
            return NULL;
    }
    if (++loop->busy_count > loop->busy_peak)
        loop->busy_peak = loop->busy_count;
    return workspace;
}

static void
program_loop_release_workspace(struct program_loop *loop,
                               struct workspace *workspace)
{
    loop->busy_count--;
    if (loop->idle_count >= IDLE_WORKSPACES_MAX) {
        workspace_free(workspace);
        return;
    }
    SLIST_INSERT_HEAD(&loop->idle, workspace, link);
    loop->idle_count++;
    if (loop_current() && loop->tidy.place == 0)
        program_loop_set_tidy(loop);
}

bool
program_loop_handle(void *state, const struct request_input *input,
                    const struct response_sink *sink)
{
    struct program_loop *loop = state;
    const struct program_parts *parts = loop->parts;
    struct request_input limited = *input;
    struct workspace *workspace = program_loop_acquire_workspace(loop);
    struct keyring_cache_entry *entry;
    bool is_whole;

    if (!workspace) {
        LOG_EVENT(parts->log, LEVEL_ERROR, "request-lost",
                  LOG_C_STRING("reason", "out of memory"));
        return false;
    }
    entry = keyring_cache_acquire(parts->keyring_cache, (int64_t)time(NULL));
    limited.max_body = parts->config->max_body;
    limited.max_held = parts->config->max_held;
    workspace->ctx.ring = keyring_cache_ring(entry);
    is_whole = handler_run(&workspace->ctx, workspace->arena, &limited, sink,
                           parts->handler);
    keyring_cache_release(parts->keyring_cache, entry);
    program_loop_release_workspace(loop, workspace);
    return is_whole;
}
