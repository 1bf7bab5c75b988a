/* SPDX-License-Identifier: ISC */
/*
 * program.c - the main function of each program in cgi-bin: read arguments and
 * configuration, start, serve, and stop.
 */
#include "gateway/program.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "crypto/crypto.h"
#include "engine/blocking.h"
#include "engine/cgi.h"
#include "engine/fiber.h"
#include "engine/server.h"
#include "gateway/arguments.h"
#include "gateway/document_lookup.h"
#include "gateway/program_loop.h"
#include "gateway/program_sandbox.h"
#include "server/keyring_cache.h"
#include "server/log_output.h"
#include "store/store.h"
#include "upstream/http_client.h"

/* Bytes from which on memory is mapped instead of taken from the heap. An arena
 * is larger, and a request uses a small part of it. Left to itself, glibc takes
 * it from the heap as soon as one has been freed, and then calloc() must write
 * to all of it. */
#define MAPPED_SIZE_MIN (128 * 1024)

/* Bytes of clients' documents that one process keeps. */
#define DOCUMENTS_SIZE_MAX ((size_t)16 * 1024 * 1024)

/* The file of the secrets and that of the log may be on a disk that does not
 * answer: milliseconds that a request waits for it, and the end of the program.
 */
#define DISK_WAIT_MS 100
#define DISK_CLOSE_WAIT_MS 1000

/* Calls that may wait for the disk: a check of the secrets, and reloads. */
#define DISK_CALLS_MAX 4

struct program {
    const char *name;
    enum program_use use;
    struct program_parts parts;
    struct keyring_cache_runner disk_runner;
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
                   program->parts.config->log_target, strerror(code),
                   code == EACCES
                       ? "let this user write it, or set POSTERN_LOG=stderr"
                       : "name another file, or set POSTERN_LOG=stderr");
    program_report(program, "POSTERN_LOG", error);
}

/* Print that no daemon reads the log. It may be restarting: no reason not to
 * start. */
static void
program_check_log_daemon(const struct program *program)
{
    const char *target = program->parts.config->log_target;
    const char *path = log_socket_path(target);
    struct log *log = NULL;
    int code;

    if (!path || log_output_try_socket(path))
        return;
    code = errno;
    if (log_open(&log, "stderr", LOG_LOGFMT, LEVEL_WARNING, program->name))
        return;
    LOG_EVENT(log, LEVEL_WARNING, "log-unread", LOG_C_STRING("target", target),
              LOG_C_STRING("socket", path),
              LOG_C_STRING("reason", strerror(code)));
    log_close(&log);
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
                       "libgcrypt does not work, or libcurl for an https:// "
                       "backend is not installed");
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

/* Make a loop's handles once, so that an error shows at the start and not
 * at each request. Returns the exit status. */
static int
program_try_connect(struct program *program)
{
    struct http_client *upstream = NULL;
    struct store *store = NULL;
    enum pst_err e =
        program_loop_connect(program->parts.config, &upstream, &store);

    if (e == PST_BAD_CONFIG)
        program_report(program, "POSTERN_UPSTREAM",
                       "this URL cannot be used, or a timeout for it");
    if (e)
        return program_report_failure(program, e);
    store_close(&store);
    http_client_free(&upstream);
    return EX_OK;
}

static void
release_nothing(void *argument)
{
    (void)argument;
}

/* A keyring_cache_runner. Only a fiber has others to let run meanwhile: plain
 * CGI does without a thread. */
static bool
program_run_disk_call(void *context, void (*fn)(void *argument), void *argument)
{
    const struct program_parts *parts = context;
    const struct blocking_call call = {fn, release_nothing, argument};

    if (!fiber_current()) {
        fn(argument);
        return true;
    }
    switch (blocking_pool_run(parts->disk, &call, clock_ms() + DISK_WAIT_MS)) {
    case BLOCKING_DONE:
    case BLOCKING_ABANDONED:
        return true;
    default:
        return false;
    }
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
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_SIZE_MIN);
#endif
    open_standard_descriptors();
    e = pst_crypto_init();
    if (!e)
        e = config_new(&program->parts.config, (const char *const *)environ,
                       &report);
    config_wipe_environment(environ);
    if (e)
        return program_report_failure(program, e);
    config = program->parts.config;
    if (log_open(&program->parts.log, config->log_target, config->log_format,
                 config->log_level, program->name) != PST_OK) {
        program_report_log_error(program, errno);
        return EX_CONFIG;
    }
    program_check_log_daemon(program);
    program->disk_runner =
        (struct keyring_cache_runner){program_run_disk_call, &program->parts};
    e = blocking_pool_new(&program->parts.disk, 1, DISK_CALLS_MAX);
    if (!e)
        e = keyring_cache_new(&program->parts.keyring_cache, config,
                              program->parts.log, &program->disk_runner);
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
    document_lookup_free(&program->parts.documents);
    confirmed_sessions_free(&program->parts.confirmed);
    if (program->parts.disk &&
        !blocking_pool_drain(program->parts.disk,
                             clock_ms() + DISK_CLOSE_WAIT_MS))
        return; /* a thread that hangs still uses the rest */
    blocking_pool_free(&program->parts.disk);
    keyring_cache_free(&program->parts.keyring_cache);
    log_close(&program->parts.log);
    config_free(&program->parts.config);
}

/*
 * Read the manifest, and make room for the documents that clients send and for
 * confirmed sessions.
 *   is_persistent  the process serves more than one request
 * Returns EX_OK or the exit status.
 */
static int
program_load_documents(struct program *program, bool is_persistent)
{
    const struct config *config = program->parts.config;
    const struct document_lookup_options options = {
        .rules = &config->backend.rules,
        .size_max = DOCUMENTS_SIZE_MAX,
        .is_persistent = is_persistent,
        .manifest = config->documents,
        .is_manifest_only = config->documents_only,
    };
    char error[512] = "";
    enum pst_err e = document_lookup_new(&program->parts.documents, &options,
                                         error, sizeof(error));

    if (e == PST_BAD_CONFIG)
        program_report(program, "POSTERN_DOCUMENTS", error);
    if (!e && is_persistent && config->store_grace > 0)
        e = confirmed_sessions_new(&program->parts.confirmed);
    return e ? program_report_failure(program, e) : EX_OK;
}

/* Give up what is not needed from here on. Returns EX_OK or the exit status. */
static int
program_enter_sandbox(struct program *program,
                      const struct listen_sockets *sockets)
{
    const struct config_reporter report = {program_report, program};
    enum pst_err e =
        program_sandbox_enter(program->parts.config, program->use, sockets,
                              program->parts.log, &report);

    return e ? program_report_failure(program, e) : EX_OK;
}

/* In the thread for the disk. */
static void
program_reload_files(void *argument)
{
    const struct program_parts *parts = argument;

    if (!log_reopen(parts->log))
        LOG_EVENT(parts->log, LEVEL_ERROR, "log-not-reopened",
                  LOG_C_STRING("reason", strerror(errno)));
    keyring_cache_reload(parts->keyring_cache);
}

/* SIGHUP: the log may have been renamed, the secrets changed. If reloads wait
 * for the disk already, they will see that too. */
static void
program_reload(void *context)
{
    const struct program_parts *parts = context;
    const struct blocking_call call = {program_reload_files, release_nothing,
                                       context};

    (void)blocking_pool_post(parts->disk, &call);
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
    const struct engine_handler handler = {&program->parts, program_loop_new,
                                           program_loop_handle,
                                           program_loop_free, program_reload};
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
    if (status == EX_OK)
        status = program_enter_sandbox(program, &sockets);
    if (status != EX_OK) {
        listen_close(&sockets);
        return status;
    }
    if (sockets.count == 0) {
        /* logrotate tells all programs; this one ends before long. */
        signal(SIGHUP, SIG_IGN);
        server_unblock_signals();
        return cgi_serve(&handler, program->parts.config->body_timeout * 1000);
    }
    return server_run(
        &(struct server_options){
            .sockets = &sockets,
            .peers = &peers,
            .log = program->parts.log,
            .loops = program_loop_count(program->parts.config),
            .max_requests = program->parts.config->max_requests,
            .body_timeout = program->parts.config->body_timeout,
            .drain = program->parts.config->drain},
        &handler);
}

int
program_serve(int argc, char **argv, const char *name, enum program_use use,
              handler_fn *handler)
{
    struct program program = {
        .name = name, .use = use, .parts.handler = handler};
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
