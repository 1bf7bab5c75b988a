/* SPDX-License-Identifier: ISC */
/*
 * program.c - the main function of each program in cgi-bin: read arguments and
 * configuration, start, serve, and stop.
 */
#include "gateway/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/crypto.h"
#include "engine/cgi.h"
#include "engine/server.h"
#include "gateway/arguments.h"
#include "gateway/document_lookup.h"
#include "gateway/handler.h"
#include "server/keyring_cache.h"
#include "store/store.h"
#include "upstream/http_client.h"

/* Bytes of clients' documents that one process keeps. */
#define DOCUMENTS_SIZE_MAX ((size_t)16 * 1024 * 1024)

/* Kept by a loop for later requests. */
#define IDLE_WORKERS_MAX 256

struct program {
    const char *name;
    handler_fn *handler;
    struct config *config;
    struct log *log;
    struct keyring_cache *keyring_cache;
    struct document_lookup *documents;
};

/* What one request needs while it is handled. */
struct worker {
    struct context ctx;
    struct pst_arena *arena;
    SLIST_ENTRY(worker) link;
};

/* What the requests of one event loop share. */
struct program_loop {
    const struct program *program;
    struct http_client *upstream;
    struct store *store; /* NULL: none is configured */
    SLIST_HEAD(, worker) idle;
    size_t idle_count;
};

/*
 * Print a line on stderr in the form of the log, with "subject: error" as its
 * reason, so that it can be found in the web server's error log. A
 * config_reporter.
 */
static void
program_report(void *context, const char *subject, const char *error)
{
    const struct program *program = context;

    struct log *log = NULL;
    char reason[1024];

    (void)snprintf(reason, sizeof(reason), "%s: %s", subject, error);
    if (log_open(&log, "stderr", LOG_LOGFMT, LEVEL_ERROR, program->name))
        fprintf(stderr, "%s: %s\n", program->name, reason);
    else
        LOG_EVENT(log, LEVEL_ERROR, "start-failed",
                  LOG_C_STRING("reason", reason));
    log_close(&log);
}

/* Print why the file of the log cannot be opened. */
static void
program_report_log_error(struct program *program, int code)
{
    char error[512];

    (void)snprintf(error, sizeof(error), "%.256s: %s: %s",
                   program->config->log_target, strerror(code),
                   code == EACCES
                       ? "let this user write it, or set POSTERN_LOG=stderr"
                       : "name another file, or set POSTERN_LOG=stderr");
    program_report(program, "POSTERN_LOG", error);
}

/* Print why starting failed, except PST_BAD_CONFIG, which was reported where
 * it was found. Returns the exit status. */
static int
program_report_failure(struct program *program, enum pst_err e)
{
    switch (e) {
    case PST_BAD_CONFIG:
        return EX_CONFIG;
    case PST_NO_MEMORY:
        program_report(program, "cannot start",
                       "out of memory or file descriptors (ulimit -n)");
        return EX_OSERR;
    default:
        program_report(program, "cannot start",
                       "libgcrypt or libcurl does not work");
        return EX_SOFTWARE;
    }
}

/* Open descriptors 0 to 2 if they are closed: a socket with such a number
 * would receive what is printed. */
static void
open_standard_descriptors(void)
{
    int descriptor = open("/dev/null", O_RDWR);

    while (descriptor >= 0 && descriptor <= STDERR_FILENO)
        descriptor = open("/dev/null", O_RDWR);
    if (descriptor >= 0)
        close(descriptor);
}

void
program_hide_memory(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* the leak checker attaches to this process */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/*
 * Make a loop's handles to the configured backend and store.
 *   upstream, store  set on PST_OK; the caller frees and closes them; store is
 *                    set to NULL if none is configured
 * Returns PST_OK, PST_BAD_CONFIG (the backend's URL or timeouts),
 * PST_NO_MEMORY (no descriptors, too), PST_INTERNAL (libgcrypt).
 */
static enum pst_err
program_connect(const struct program *program, struct http_client **upstream,
                struct store **store)
{
    const struct config *config = program->config;
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

/* Make a loop's handles once, so that an error shows at the start and not
 * at each request. Returns the exit status. */
static int
program_try_connect(struct program *program)
{
    struct http_client *upstream = NULL;
    struct store *store = NULL;
    enum pst_err e = program_connect(program, &upstream, &store);

    if (e == PST_BAD_CONFIG)
        program_report(program, "POSTERN_UPSTREAM",
                       "this URL cannot be used, or a timeout for it");
    if (e)
        return program_report_failure(program, e);
    store_close(&store);
    http_client_free(&upstream);
    return EX_OK;
}

/* Start everything but the documents. Returns EX_OK or the exit status; close
 * the program whatever it returns. */
static int
program_open(struct program *program)
{
    const struct config_reporter report = {program_report, program};
    const struct config *config;
    enum pst_err e;

    program_hide_memory();
    open_standard_descriptors();
    e = pst_crypto_init();
    if (!e)
        e = config_new(&program->config, (const char *const *)environ, &report);
    if (e)
        return program_report_failure(program, e);
    config = program->config;
    if (log_open(&program->log, config->log_target, config->log_format,
                 config->log_level, program->name) != PST_OK) {
        program_report_log_error(program, errno);
        return EX_CONFIG;
    }
    e = keyring_cache_new(&program->keyring_cache, config, program->log);
    if (e)
        return program_report_failure(program, e);
    e = http_client_start();
    if (e)
        return program_report_failure(program, e);
    return program_try_connect(program);
}

static void
program_close(struct program *program)
{
    http_client_stop();
    document_lookup_free(&program->documents);
    keyring_cache_free(&program->keyring_cache);
    log_close(&program->log);
    config_free(&program->config);
}

/*
 * Read the manifest, and make room for the documents that clients send.
 *   is_persistent  the process serves more than one request
 * Returns EX_OK or the exit status.
 */
static int
program_load_documents(struct program *program, bool is_persistent)
{
    const struct config *config = program->config;
    const struct document_lookup_options options = {
        .rules = &config->backend.rules,
        .size_max = DOCUMENTS_SIZE_MAX,
        .is_persistent = is_persistent,
        .manifest = config->documents,
        .is_manifest_only = config->documents_only,
    };
    char error[512] = "";
    enum pst_err e = document_lookup_new(&program->documents, &options, error,
                                         sizeof(error));

    if (e == PST_BAD_CONFIG)
        program_report(program, "POSTERN_DOCUMENTS", error);
    return e ? program_report_failure(program, e) : EX_OK;
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
    const struct program *program = loop->program;
    struct worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return NULL;
    worker->ctx.config = program->config;
    worker->ctx.log = program->log;
    worker->ctx.documents = program->documents;
    worker->ctx.upstream = loop->upstream;
    worker->ctx.store = loop->store;
    worker->ctx.random = pst_crypto_random;
    if (pst_arena_new(&worker->arena, PST_ARENA_SIZE) == PST_OK)
        return worker;
    free(worker);
    return NULL;
}

static void
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

static void *
program_loop_new(void *context)
{
    const struct program *program = context;
    struct program_loop *loop = calloc(1, sizeof(*loop));
    enum pst_err e = PST_NO_MEMORY;

    if (loop) {
        loop->program = program;
        SLIST_INIT(&loop->idle);
        e = program_connect(program, &loop->upstream, &loop->store);
    }
    if (!e)
        return loop;
    LOG_EVENT(program->log, LEVEL_ERROR, "loop-failed",
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

/* Handle a request with the secrets that are in use when it begins. */
static bool
program_handle(void *state, const struct request_input *input,
               const struct response_sink *sink)
{
    struct program_loop *loop = state;
    const struct program *program = loop->program;
    struct request_input limited = *input;
    struct worker *worker = program_loop_take_worker(loop);
    struct keyring_cache_entry *entry;
    bool is_whole;

    if (!worker)
        return false;
    entry = keyring_cache_acquire(program->keyring_cache, (int64_t)time(NULL));
    limited.max_body = program->config->max_body;
    limited.max_held = program->config->max_held;
    worker->ctx.ring = keyring_cache_ring(entry);
    is_whole = handler_run(&worker->ctx, worker->arena, &limited, sink,
                           program->handler);
    keyring_cache_release(program->keyring_cache, entry);
    program_loop_give_worker(loop, worker);
    return is_whole;
}

static void
reload_secrets(void *context)
{
    const struct program *program = context;

    keyring_cache_reload(program->keyring_cache);
}

/* How many event loops the configuration asks for: one for each processor that
 * this process may use, unless it says a number. */
static int64_t
program_loop_count(const struct config *config)
{
    cpu_set_t set;

    if (config->loops > 0)
        return config->loops;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* Find the sockets, and serve until a signal; without a socket, one request as
 * plain CGI. Returns the exit status. */
static int
program_run(struct program *program, const char *address)
{
    const struct engine_handler handler = {program, program_loop_new,
                                           program_handle, program_loop_free,
                                           reload_secrets};
    struct listen_sockets sockets;
    struct peer_list peers;
    char error[LISTEN_ERROR_MAX];
    int status;
    enum pst_err e;

    if (peer_list_parse(
            &peers, pst_str_from(getenv("FCGI_WEB_SERVER_ADDRS"))) != PST_OK) {
        program_report(program, "FCGI_WEB_SERVER_ADDRS",
                       "not a list of IP addresses separated by commas: write "
                       "it like 127.0.0.1,::1");
        return EX_CONFIG;
    }
    e = listen_open(&sockets, address, error);
    if (e) {
        program_report(program, "cannot listen", error);
        return e == PST_MALFORMED ? EX_USAGE : EX_OSERR;
    }
    status = program_load_documents(program, sockets.count > 0);
    if (status != EX_OK) {
        listen_close(&sockets);
        return status;
    }
    if (sockets.count == 0) {
        server_unblock_signals();
        return cgi_serve(&handler);
    }
    return server_run(
        &(struct server_options){.sockets = &sockets,
                                 .peers = &peers,
                                 .log = program->log,
                                 .loops = program_loop_count(program->config),
                                 .max_requests = program->config->max_requests,
                                 .body_timeout = program->config->body_timeout,
                                 .drain = program->config->drain},
        &handler);
}

int
program_serve(int argc, char **argv, const char *name, handler_fn *handler)
{
    struct program program = {.name = name, .handler = handler};
    const char *address;
    int status;

    PST_REQUIRE(argc > 0);
    if (!arguments_parse((const char *const *)argv, name, &address, &status))
        return status;
    signal(SIGPIPE, SIG_IGN);
    server_block_signals();
    status = program_open(&program);
    if (status == EX_OK)
        status = program_run(&program, address);
    program_close(&program);
    return status;
}
