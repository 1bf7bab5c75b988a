/* SPDX-License-Identifier: ISC */
/*
 * serve.c - start, and serve FastCGI or plain CGI; the door to libfcgi.
 *
 * libfcgi reads and writes the records of one request on a connection that
 * we accepted; which connection is heard when is decided in
 * engine/connections.c.
 */
#include "gateway/serve.h"

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "engine/connections.h"
#include "engine/fcgi_preread.h"
#include "engine/listen.h"
#include "gateway/cgi.h"
#include "gateway/program.h"
#include "gateway/worker.h"

#define FCGI_ROLE_AUTHORIZER 2 /* FastCGI 1.0 section 5.1 */

#define WRITE_MAX (1 << 20) /* bytes that libfcgi is given at a time */

#define DRAIN_TIMEOUT_MS 2000 /* for the rest of a body that nobody wants */
#define HEAD_TIMEOUT_MS 10000 /* for a request's head, once it has begun */
#define ABORT_DELAY_MS \
    100 /* between what there is of an answer and hanging up */

/*
 * What is there of the body, at least one byte: FCGX_GetStr() would wait
 * until `size` are, and a client that sends piece by piece would be heard
 * late.
 */
static enum pst_err
fcgi_read(void *context, char *out, size_t size, size_t *len)
{
    FCGX_Stream *in = context;
    size_t more;
    int first;
    int got;

    PST_REQUIRE(size > 0);
    first = FCGX_GetChar(in);
    more = size - 1;
    if (first < 0 && FCGX_GetError(in) != 0)
        return PST_CLIENT_GONE;
    if (first < 0) {
        *len = 0;
        return PST_OK;
    }
    out[0] = (char)first;
    if (more > (size_t)(in->stop - in->rdNext))
        more = (size_t)(in->stop - in->rdNext);
    got = more > 0 ? FCGX_GetStr(out + 1, (int)more, in) : 0;
    *len = 1 + (size_t)got;
    return PST_OK;
}

static enum pst_err
fcgi_write(void *context, struct pst_str piece)
{
    FCGX_Stream *out = context;

    while (piece.len > 0) {
        int some = piece.len > WRITE_MAX ? WRITE_MAX : (int)piece.len;

        if (FCGX_PutStr(piece.ptr, some, out) != some)
            return PST_CLIENT_GONE;
        piece = pst_str_skip(piece, (size_t)some);
    }
    return PST_OK;
}

static enum pst_err
fcgi_flush(void *context)
{
    return FCGX_FFlush(context) == 0 ? PST_OK : PST_CLIENT_GONE;
}

/*
 * Read the rest of the body, within bounds, so that the next request on this
 * connection begins where it should. Returns whether all of it is read.
 */
static bool
fcgi_drain(FCGX_Stream *in)
{
    char piece[1024];
    int64_t left = PST_BUFFERED_BODY_MAX;
    int64_t deadline = 0;
    size_t len = 0;

    while (left > 0) {
        if (fcgi_read(in, piece, sizeof(piece), &len) != PST_OK)
            return false;
        if (len == 0)
            return true;
        left -= (int64_t)len;
        if (deadline == 0)
            deadline = clock_ms() + DRAIN_TIMEOUT_MS;
        if (clock_ms() >= deadline)
            return false;
    }
    return false;
}

/* Have a request handled that libfcgi has read. */
static bool
fcgi_run_handler(struct worker *worker, FCGX_Request *fcgi)
{
    const struct request_input origin = {
        .variables = (const char *const *)fcgi->envp,
        .source = {fcgi_read, fcgi->in, fcgi->ipcFd},
        .authorizer = fcgi->role == FCGI_ROLE_AUTHORIZER,
        .max_body = worker->ctx.config->max_body,
        .max_held = worker->ctx.config->max_held,
    };
    const struct response_sink sink = {fcgi_write, fcgi_flush, fcgi->out};

    return worker_handle_request(worker, &origin, &sink);
}

/*
 * Have libfcgi read a request's head; false when it has closed the
 * connection. It would also close one that it did not accept itself, unless
 * told to keep it, and accept another where one fails: -1 is no socket.
 */
static bool
fcgi_accept(FCGX_Request *fcgi, int descriptor)
{
    FCGX_InitRequest(fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR);
    fcgi->ipcFd = descriptor;
    fcgi->keepConnection = 1;
    if (FCGX_Accept_r(fcgi) != 0)
        return false;
    if (FCGX_GetError(fcgi->in) == 0)
        return true;
    FCGX_Free(fcgi, 1);
    return false;
}

/* Hear a request whose head is sound; true when another may follow. */
static bool
fcgi_serve_request(struct worker *worker, int descriptor)
{
    FCGX_Request fcgi;
    bool is_drained;
    bool is_kept;

    if (!fcgi_accept(&fcgi, descriptor)) {
        LOG_EVENT(worker->ctx.log, LEVEL_WARNING, "request-lost",
                  LOG_C_STRING("reason", "libfcgi could not read it"));
        return false;
    }
    if (!fcgi_run_handler(worker, &fcgi)) {
        /* No end of request: the web server has to see that it was cut. Where
         * it hears of the answer and of that in one go, lighttpd takes what
         * there is for all of it. */
        struct pollfd peer = {.fd = descriptor, .events = POLLRDHUP};

        FCGX_Free(&fcgi, 0);
        poll(&peer, 1, ABORT_DELAY_MS);
        shutdown(descriptor, SHUT_RDWR);
        close(descriptor);
        return false;
    }
    /* Nothing tells whether an authorizer's input has an end to wait for. */
    is_drained = fcgi.role != FCGI_ROLE_AUTHORIZER && fcgi_drain(fcgi.in);
    is_kept = is_drained && fcgi.keepConnection;
    fcgi.keepConnection = 1; /* closing is ours */
    FCGX_Finish_r(&fcgi);
    if (fcgi.ipcFd < 0)
        return false;
    if (!is_kept)
        worker_lingering_close(descriptor, is_drained);
    return is_kept;
}

static bool
fcgi_serve_connection(void *state, int descriptor)
{
    struct worker *worker = state;
    enum fcgi_preread_result result =
        fcgi_preread_wait(&worker->preread, descriptor, HEAD_TIMEOUT_MS);

    if (result == FCGI_PREREAD_REQUEST)
        return fcgi_serve_request(worker, descriptor);
    if (result == FCGI_PREREAD_CLOSE) {
        LOG_EVENT(worker->ctx.log, LEVEL_DEBUG, "connection-closed",
                  LOG_C_STRING("reason", "no sound request came"));
        close(descriptor);
    }
    return result == FCGI_PREREAD_IDLE;
}

static void
reload_secrets(void *context)
{
    const struct task *task = context;

    keyring_cache_reload(task->program.keyring_cache);
}

/* Serve the sockets until told to stop; returns the exit status. */
static int
serve_sockets(struct task *task, struct listen_sockets *sockets,
              const struct listen_peers *peers)
{
    const struct program *program = &task->program;
    const struct thread_pool_work work = {task, worker_begin,
                                          fcgi_serve_connection, worker_end};
    const struct connections_options options = {.sockets = sockets,
                                                .peers = peers,
                                                .log = program->log,
                                                .workers =
                                                    program->config->workers,
                                                .drain = program->config->drain,
                                                .work = &work,
                                                .on_hangup = reload_secrets};
    enum connections_result deadline;

    /* It would hold a worker for seconds where a client does not hang up. */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    if (FCGX_Init() != 0) {
        listen_close(sockets);
        return EX_OSERR;
    }
    unsetenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT");
    signal(SIGPIPE, SIG_IGN); /* it has set a handler of its own */
    for (size_t i = 0; i < sockets->count; i++)
        LOG_EVENT(program->log, LEVEL_INFO, "listening",
                  LOG_C_STRING("socket", sockets->list[i].name));
    LOG_EVENT(program->log, LEVEL_INFO, "ready",
              LOG_C_STRING("socket", sockets->list[0].name),
              LOG_NUMBER("workers", options.workers));
    deadline = connections_run(&options);
    LOG_EVENT(program->log,
              deadline == CONNECTIONS_FAILED ? LEVEL_ERROR : LEVEL_INFO,
              "stopped",
              LOG_C_STRING("how", deadline == CONNECTIONS_DRAINED ? "drained"
                                  : deadline == CONNECTIONS_ABORTED
                                      ? "cut"
                                      : strerror(errno)));
    if (deadline == CONNECTIONS_ABORTED)
        _exit(EX_OK); /* threads that hang still use what we would free */
    return deadline == CONNECTIONS_FAILED ? EX_OSERR : EX_OK;
}

static int
serve_task(struct task *task, const char *address)
{
    const char *allowed = getenv("FCGI_WEB_SERVER_ADDRS");
    struct listen_sockets sockets;
    struct listen_peers peers;
    char error[LISTEN_ERROR_MAX];
    int status;
    enum pst_err e;

    if (listen_peers_parse(&peers, pst_str_from(allowed)) != PST_OK) {
        fprintf(stderr, "%s: FCGI_WEB_SERVER_ADDRS: not a list of addresses\n",
                task->program.name);
        return EX_CONFIG;
    }
    e = listen_open(&sockets, address, error);
    if (e) {
        fprintf(stderr, "%s: %s\n", task->program.name, error);
        return e == PST_MALFORMED ? EX_USAGE : EX_OSERR;
    }
    status = program_load_documents(&task->program, sockets.count > 0);
    if (status != EX_OK) {
        listen_close(&sockets);
        return status;
    }
    if (sockets.count > 0)
        return serve_sockets(task, &sockets, &peers);
    connections_unblock_signals();
    return cgi_serve(task);
}

int
program_serve(int argc, char **argv, const char *name, handler_fn *handler)
{
    struct task task = {.program.name = name, .handler = handler};
    const char *address;
    int status;

    PST_REQUIRE(argc > 0);
    if (!program_parse_arguments((const char *const *)argv, name, &address,
                                 &status))
        return status;
    signal(SIGPIPE, SIG_IGN);
    connections_block_signals();
    status = program_open(&task.program);
    if (status == EX_OK)
        status = serve_task(&task, address);
    program_close(&task.program);
    return status;
}
