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

#define PIECE_MAX (1 << 20) /* bytes that libfcgi is given at a time */

#define DRAIN_MS 2000 /* for the rest of a body that nobody wants */
#define HEAD_MS 10000 /* for a request's head, once it has begun */
#define CUT_MS 100    /* between what there is of an answer and hanging up */

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
fcgi_write(void *context, struct pst_text piece)
{
    FCGX_Stream *out = context;

    while (piece.len > 0) {
        int some = piece.len > PIECE_MAX ? PIECE_MAX : (int)piece.len;

        if (FCGX_PutStr(piece.ptr, some, out) != some)
            return PST_CLIENT_GONE;
        piece = pst_text_from_octet(piece, (size_t)some);
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
    int64_t left = PST_HOLD_MAX;
    int64_t end = 0;
    size_t len = 0;

    while (left > 0) {
        if (fcgi_read(in, piece, sizeof(piece), &len) != PST_OK)
            return false;
        if (len == 0)
            return true;
        left -= (int64_t)len;
        if (end == 0)
            end = ticks_ms() + DRAIN_MS;
        if (ticks_ms() >= end)
            return false;
    }
    return false;
}

/* Have a request handled that libfcgi has read. */
static bool
fcgi_handle(struct worker *worker, FCGX_Request *fcgi)
{
    const struct request_origin origin = {
        .variables = (const char *const *)fcgi->envp,
        .source = {fcgi_read, fcgi->in, fcgi->ipcFd},
        .authorizer = fcgi->role == FCGI_ROLE_AUTHORIZER,
        .max_body = worker->gate.config->max_body,
        .max_held = worker->gate.config->max_held,
    };
    const struct reply_sink sink = {fcgi_write, fcgi_flush, fcgi->out};

    return worker_handle(worker, &origin, &sink);
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
fcgi_hear_request(struct worker *worker, int descriptor)
{
    FCGX_Request fcgi;
    bool is_drained;
    bool is_kept;

    if (!fcgi_accept(&fcgi, descriptor)) {
        LOG_EVENT(worker->gate.log, LEVEL_WARNING, "request-lost",
                  LOG_STRING("why", "libfcgi could not read it"));
        return false;
    }
    if (!fcgi_handle(worker, &fcgi)) {
        /* No end of request: the web server has to see that it was cut. Where
         * it hears of the answer and of that in one go, lighttpd takes what
         * there is for all of it. */
        struct pollfd peer = {.fd = descriptor, .events = POLLRDHUP};

        FCGX_Free(&fcgi, 0);
        poll(&peer, 1, CUT_MS);
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
        worker_hang_up(descriptor, is_drained);
    return is_kept;
}

static bool
fcgi_hear(void *state, int descriptor)
{
    struct worker *worker = state;
    enum head_next next = head_await(&worker->head, descriptor, HEAD_MS);

    if (next == HEAD_REQUEST)
        return fcgi_hear_request(worker, descriptor);
    if (next == HEAD_CLOSE) {
        LOG_EVENT(worker->gate.log, LEVEL_DEBUG, "connection-closed",
                  LOG_STRING("why", "no sound request came"));
        close(descriptor);
    }
    return next == HEAD_IDLE;
}

static void
reload(void *context)
{
    const struct task *task = context;

    keys_reload(task->service.keys);
}

/* Serve the sockets until told to stop; returns the exit status. */
static int
serve_sockets(struct task *task, struct listen_sockets *sockets,
              const struct listen_peers *peers)
{
    const struct service *service = &task->service;
    const struct crew_work work = {task, worker_begin, fcgi_hear, worker_end};
    const struct pool_options options = {.sockets = sockets,
                                         .peers = peers,
                                         .log = service->log,
                                         .workers = service->config->workers,
                                         .drain = service->config->drain,
                                         .work = &work,
                                         .hangup = reload};
    enum pool_end end;

    /* It would hold a worker for seconds where a client does not hang up. */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    if (FCGX_Init() != 0) {
        listen_close(sockets);
        return EX_OSERR;
    }
    unsetenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT");
    signal(SIGPIPE, SIG_IGN); /* it has set a handler of its own */
    for (size_t i = 0; i < sockets->count; i++)
        LOG_EVENT(service->log, LEVEL_INFO, "listening",
                  LOG_STRING("socket", sockets->list[i].name));
    LOG_EVENT(service->log, LEVEL_INFO, "ready",
              LOG_STRING("socket", sockets->list[0].name),
              LOG_NUMBER("workers", options.workers));
    end = pool_run(&options);
    LOG_EVENT(service->log, end == POOL_FAILED ? LEVEL_ERROR : LEVEL_INFO,
              "stopped",
              LOG_STRING("how", end == POOL_DRAINED ? "drained"
                                : end == POOL_CUT   ? "cut"
                                                    : strerror(errno)));
    if (end == POOL_CUT)
        _exit(EX_OK); /* threads that hang still use what we would free */
    return end == POOL_FAILED ? EX_OSERR : EX_OK;
}

static int
serve(struct task *task, const char *address)
{
    const char *allowed = getenv("FCGI_WEB_SERVER_ADDRS");
    struct listen_sockets sockets;
    struct listen_peers peers;
    char why[LISTEN_WHY_MAX];
    int status;
    enum pst_err e;

    if (listen_peers_parse(&peers, pst_text_from(allowed)) != PST_OK) {
        fprintf(stderr, "%s: FCGI_WEB_SERVER_ADDRS: not a list of addresses\n",
                task->service.name);
        return EX_CONFIG;
    }
    e = listen_open(&sockets, address, why);
    if (e) {
        fprintf(stderr, "%s: %s\n", task->service.name, why);
        return e == PST_MALFORMED ? EX_USAGE : EX_OSERR;
    }
    status = service_read_documents(&task->service, sockets.count > 0);
    if (status != EX_OK) {
        listen_close(&sockets);
        return status;
    }
    if (sockets.count > 0)
        return serve_sockets(task, &sockets, &peers);
    pool_unblock_signals();
    return cgi_serve(task);
}

int
gate_serve(int argc, char **argv, const char *name, gate_handler *handler)
{
    struct task task = {.service.name = name, .handler = handler};
    const char *address;
    int status;

    PST_REQUIRE(argc > 0);
    if (!service_read_arguments((const char *const *)argv, name, &address,
                                &status))
        return status;
    signal(SIGPIPE, SIG_IGN);
    pool_block_signals();
    status = service_open(&task.service);
    if (status == EX_OK)
        status = serve(&task, address);
    service_close(&task.service);
    return status;
}
